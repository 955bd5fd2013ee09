//! A record schema made ready for decoding: each needed field has a cell; a decoder fills the cells of a record and
//! [`Layout::finish`] makes the event of them. JSON and CSV differ only in how cells are filled.

use super::{
    record::{FieldKind, FieldSource, RecordSchema, SlotSource, TimeUnit},
    shape::Use,
};
use crate::{
    geo::{Cell, Position},
    model::{Batch, Header, Reject, RejectReason, Text, TimeMs, Value},
};
use std::sync::Arc;

/// What a record has in a needed field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Raw {
    /// The record lacks it.
    #[default]
    Absent,
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number past [`i64::MAX`].
    Big(u64),
    Float(f64),
    Text(Text),
    /// A text in a time field, already read.
    Time(TimeMs),
    /// Longitude and latitude, not yet validated.
    Point(f64, f64),
    List(Arc<Vec<Value>>),
    /// Something that no rule can read; what it is.
    Other(&'static str),
}

impl Raw {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Absent => "missing".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool(value) => format!("a bool (`{value}`)"),
            Self::Int(value) => format!("an int (`{value}`)"),
            Self::Big(value) => format!("an int (`{value}`)"),
            Self::Float(value) => format!("a float (`{value}`)"),
            Self::Text(text) => format!("a string (`{}`)", clip(text)),
            Self::Time(_) => "a time".to_owned(),
            Self::Point(lon, lat) => format!("a point ({lon}, {lat})"),
            Self::List(_) => "a list".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::Absent | Self::Null)
    }
}

/// At most 40 characters of a text, for messages.
pub(super) fn clip(text: &str) -> &str {
    text.char_indices().nth(40).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// What a decoder has to look for in a field beside scalars.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Want {
    /// Texts are instants.
    pub(super) time: bool,
    /// Objects and lists are points.
    pub(super) point: bool,
    /// Lists are kept.
    pub(super) list: bool,
}

#[derive(Debug)]
enum Slot {
    Position,
    Field(usize, FieldSource),
}

/// The cells and what they mean.
#[derive(Debug)]
pub(super) struct Layout {
    names: Vec<String>,
    wants: Vec<Want>,
    time: Vec<usize>,
    time_unit: TimeUnit,
    lon: Vec<usize>,
    lat: Vec<usize>,
    geometry: Vec<usize>,
    /// Whether events have a position.
    pub(super) has_position: bool,
    /// The slots that it is in.
    pub(super) position_slots: Vec<usize>,
    slots: Vec<Slot>,
    checks: Vec<(usize, FieldSource)>,
    /// Whether numbers, bools and cells come as text (CSV).
    textual: bool,
}

impl Layout {
    pub(super) fn new(schema: &RecordSchema, textual: bool) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut kinds: Vec<Vec<FieldKind>> = Vec::new();
        let mut cell = |name: &str, kind: FieldKind| {
            let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                kinds.push(Vec::new());
                names.len() - 1
            });
            if let Some(kinds) = kinds.get_mut(at) {
                kinds.push(kind);
            }
            at
        };
        let unit = schema.time.unit;
        let time = schema.time.fields.iter().map(|name| cell(name, FieldKind::Time(unit))).collect();
        let (mut lon, mut lat, mut geometry) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(position) = &schema.position {
            lon.extend(position.lon.iter().map(|name| cell(name, FieldKind::Float(None))));
            lat.extend(position.lat.iter().map(|name| cell(name, FieldKind::Float(None))));
            geometry.extend(position.geometry.iter().map(|name| cell(name, FieldKind::Point)));
        }
        let slots = schema.slots.iter().map(|slot| match slot {
            SlotSource::Position => Slot::Position,
            SlotSource::Field(field) => Slot::Field(cell(&field.path, field.kind), field.clone()),
        });
        let slots: Vec<Slot> = slots.collect();
        let positions = slots.iter().enumerate().filter(|(_, slot)| matches!(slot, Slot::Position));
        let position_slots = positions.map(|(at, _)| at).collect();
        let checks = schema.checks.iter().map(|field| (cell(&field.path, field.kind), field.clone())).collect();
        let wants = kinds.iter().map(|kinds| Want {
            time: kinds.iter().all(|kind| matches!(kind, FieldKind::Time(TimeUnit::Auto | TimeUnit::Rfc3339))),
            point: kinds.contains(&FieldKind::Point),
            list: kinds.iter().any(|kind| matches!(kind, FieldKind::List | FieldKind::Any)),
        });
        let wants = wants.collect();
        let has_position = schema.position.is_some();
        Self {
            names,
            wants,
            time,
            time_unit: unit,
            lon,
            lat,
            geometry,
            has_position,
            position_slots,
            slots,
            checks,
            textual,
        }
    }

    /// The names or paths of the cells.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What to look for in a cell.
    pub(super) fn want(&self, cell: usize) -> Want {
        self.wants.get(cell).copied().unwrap_or_default()
    }

    /// All that is done with the value of a cell that is neither a list nor an object.
    pub(super) fn uses(&self, cell: usize) -> Vec<Use> {
        let rank = |cells: &[usize]| {
            let at = cells.iter().position(|&choice| choice == cell)?;
            Some(u8::try_from(at).unwrap_or(u8::MAX - 1))
        };
        let mut uses = Vec::new();
        uses.extend(rank(&self.time).map(|rank| Use::Time(self.time_unit, rank)));
        uses.extend(rank(&self.lon).map(Use::Lon));
        uses.extend(rank(&self.lat).map(Use::Lat));
        uses.extend((0..).zip(&self.slots).filter_map(|(slot, source)| match source {
            Slot::Field(of, FieldSource { kind, required, .. }) if *of == cell => {
                Some(Use::Slot { slot, kind: *kind, required: *required })
            }
            _ => None,
        }));
        let checks = self.checks.iter().filter(|(of, _)| *of == cell);
        uses.extend(checks.map(|(_, field)| Use::Check { kind: field.kind, required: field.required }));
        uses
    }

    /// Makes the event of the filled cells.
    pub(super) fn finish(&self, cells: &[Raw], partition: u32, offset: u64, batch: &mut Batch) -> Result<(), Reject> {
        let header = Header { time_ms: self.time(cells)?, partition, offset };
        let position = if self.has_position { Value::Point(self.position(cells)?) } else { Value::Null };
        for (cell, field) in &self.checks {
            self.convert(raw(cells, *cell), field)?;
        }
        batch.push_with(header, |row| {
            for slot in &self.slots {
                row.push(match slot {
                    Slot::Position => position.clone(),
                    Slot::Field(cell, field) => self.convert(raw(cells, *cell), field)?,
                });
            }
            Ok(())
        })
    }

    fn time(&self, cells: &[Raw]) -> Result<TimeMs, Reject> {
        let Some((name, found)) = self.first(&self.time, cells) else {
            let detail = format!("the time is missing: no field {}", self.list(&self.time));
            return Err(Reject::new(RejectReason::MissingTime, detail));
        };
        self.instant(found, self.time_unit).ok_or_else(|| {
            let detail =
                format!("the time `{name}` is {}, expected {}", found.describe(), expected_time(self.time_unit));
            Reject::new(RejectReason::BadTime, detail)
        })
    }

    fn instant(&self, found: &Raw, unit: TimeUnit) -> Option<TimeMs> {
        match found {
            Raw::Time(at_ms) => Some(*at_ms),
            Raw::Int(number) => unit.of_int(*number),
            Raw::Float(number) => unit.of_float(*number),
            Raw::Text(text) => unit.of_text(text).or_else(|| match number_text(text).filter(|_| self.textual)? {
                Raw::Int(number) => unit.of_int(number),
                Raw::Float(number) => unit.of_float(number),
                _ => None,
            }),
            _ => None,
        }
    }

    fn position(&self, cells: &[Raw]) -> Result<Position, Reject> {
        let (lon, lat) = (self.first(&self.lon, cells), self.first(&self.lat, cells));
        let (lon, lat) = match (lon, lat) {
            (Some(lon), Some(lat)) => (self.degrees(lon)?, self.degrees(lat)?),
            (Some((name, _)), None) => return Err(half(name, &self.list(&self.lat))),
            (None, Some((name, _))) => return Err(half(name, &self.list(&self.lon))),
            (None, None) => match self.first(&self.geometry, cells) {
                Some((_, Raw::Point(lon, lat))) => (*lon, *lat),
                Some((name, found)) => {
                    let detail = format!("the position `{name}` is {}, expected a GeoJSON point", found.describe());
                    return Err(Reject::new(RejectReason::BadPosition, detail));
                }
                None => {
                    let all: Vec<usize> = [&self.lon[..], &self.lat, &self.geometry].concat();
                    let detail = format!("the position is missing: no field {}", self.list(&all));
                    return Err(Reject::new(RejectReason::MissingPosition, detail));
                }
            },
        };
        Position::new(lon, lat).map_err(|_| {
            let detail = if (-180.0..=180.0).contains(&lon) {
                format!("the latitude {lat} is not in -90 … 90")
            } else {
                format!("the longitude {lon} is not in -180 … 180")
            };
            Reject::new(RejectReason::BadPosition, detail)
        })
    }

    fn degrees(&self, (name, found): (&str, &Raw)) -> Result<f64, Reject> {
        self.number(found).filter(|number| number.is_finite()).ok_or_else(|| {
            let detail = format!("`{name}` is {}, expected degrees", found.describe());
            Reject::new(RejectReason::BadPosition, detail)
        })
    }

    pub(super) fn number(&self, found: &Raw) -> Option<f64> {
        match found {
            Raw::Int(number) => Some(*number as f64),
            Raw::Big(number) => Some(*number as f64),
            Raw::Float(number) => Some(*number),
            Raw::Text(text) if self.textual => match number_text(text)? {
                Raw::Int(number) => Some(number as f64),
                Raw::Float(number) => Some(number),
                _ => None,
            },
            _ => None,
        }
    }

    /// The first of `choices` that has a value, with its name.
    fn first<'a>(&'a self, choices: &[usize], cells: &'a [Raw]) -> Option<(&'a str, &'a Raw)> {
        choices.iter().find_map(|&cell| {
            let found = cells.get(cell).filter(|found| !found.is_none())?;
            Some((self.names.get(cell)?.as_str(), found))
        })
    }

    fn list(&self, cells: &[usize]) -> String {
        let names: Vec<_> =
            cells.iter().filter_map(|&cell| self.names.get(cell)).map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }

    fn convert(&self, found: &Raw, field: &FieldSource) -> Result<Value, Reject> {
        if found.is_none() {
            if field.required {
                let detail = format!("the field `{}` is {}, and it has to be there", field.path, found.describe());
                return Err(Reject::new(RejectReason::MissingField, detail));
            }
            return Ok(Value::Null);
        }
        self.typed(found, field.kind).ok_or_else(|| {
            let expected = field.kind.ty();
            let detail = format!("the field `{}` is {}, the schema says {expected}", field.path, found.describe());
            Reject::new(RejectReason::WrongType, detail)
        })
    }

    /// The value of a field that has one, as the kind wants it.
    pub(super) fn typed(&self, found: &Raw, kind: FieldKind) -> Option<Value> {
        Some(match (kind, found) {
            (FieldKind::Any, Raw::Bool(value)) | (FieldKind::Bool, Raw::Bool(value)) => Value::Bool(*value),
            (FieldKind::Any | FieldKind::Int, Raw::Int(value)) => Value::Int(*value),
            (FieldKind::Any, Raw::Float(value)) => Value::Float(*value),
            (FieldKind::Any, Raw::Big(value)) => Value::Float(*value as f64),
            (FieldKind::Any, Raw::Text(text)) if self.textual => any_text(text),
            (FieldKind::Any | FieldKind::Text, Raw::Text(text)) => Value::Text(text.clone()),
            (FieldKind::Any | FieldKind::List, Raw::List(list)) => Value::List(list.clone()),
            (FieldKind::Any | FieldKind::Time(_), Raw::Time(at_ms)) => Value::Time(*at_ms),
            (FieldKind::Bool, Raw::Text(text)) if self.textual => Value::Bool(bool_text(text)?),
            (FieldKind::Int, _) => Value::Int(whole(self.number(found)?, found, self.textual)?),
            (FieldKind::Float(_), _) => Value::Float(self.number(found).filter(|number| number.is_finite())?),
            (FieldKind::Time(unit), _) => Value::Time(self.instant(found, unit)?),
            (FieldKind::Duration(ms), _) => {
                let span_ms = (self.number(found)? * ms).round();
                // 2^53 ms are 285,000 years: past it floats skip milliseconds.
                (span_ms.abs() <= 9_007_199_254_740_992.0).then_some(Value::Duration(span_ms as TimeMs))?
            }
            (FieldKind::Point | FieldKind::Any, Raw::Point(lon, lat)) => Value::Point(Position::new(*lon, *lat).ok()?),
            (FieldKind::Cell, Raw::Text(text)) => Value::Cell(Cell::new(u64::from_str_radix(text, 16).ok()?).ok()?),
            (FieldKind::Cell, Raw::Int(number)) => Value::Cell(Cell::new(u64::try_from(*number).ok()?).ok()?),
            _ => return None,
        })
    }
}

fn raw(cells: &[Raw], cell: usize) -> &Raw {
    cells.get(cell).unwrap_or(&Raw::Absent)
}

fn half(found: &str, missing: &str) -> Reject {
    let detail = format!("half of the position is missing: `{found}` is there, but no field {missing}");
    Reject::new(RejectReason::MissingPosition, detail)
}

fn expected_time(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Auto => "milliseconds since 1970 or RFC 3339, years -9999 … 9999",
        TimeUnit::Milliseconds => "milliseconds since 1970, years -9999 … 9999",
        TimeUnit::Seconds => "seconds since 1970, years -9999 … 9999",
        TimeUnit::Microseconds => "microseconds since 1970, years -9999 … 9999",
        TimeUnit::Rfc3339 => "RFC 3339, years -9999 … 9999",
    }
}

/// A float with a zero fraction is whole; past 2^53 a float doesn't say which whole number it is.
fn whole(number: f64, found: &Raw, textual: bool) -> Option<i64> {
    if let (Raw::Text(text), true) = (found, textual)
        && let Some(Raw::Int(exact)) = number_text(text)
    {
        return Some(exact);
    }
    if matches!(found, Raw::Big(_)) {
        return None;
    }
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// The finite number that a CSV cell holds.
pub(super) fn number_text(text: &str) -> Option<Raw> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(Raw::Int(number));
    }
    // Letters other than an exponent's would let `nan` and `infinity` in.
    if text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Raw::Float)
}

pub(super) fn bool_text(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What a CSV cell holds where nobody declared it: a number, a bool, else text.
fn any_text(text: &Text) -> Value {
    match (number_text(text), bool_text(text)) {
        (Some(Raw::Int(number)), _) => Value::Int(number),
        (Some(Raw::Float(number)), _) => Value::Float(number),
        (_, Some(value)) => Value::Bool(value),
        _ => Value::Text(text.clone()),
    }
}
