//! Schemas: what a source's records hold, as the user declares it.

use super::{
    ConfigError,
    node::{Node, nearest},
};
use crate::{
    model::{Dimension, Field, Schema, TIME_UNITS, Type, Unit},
    wire::{FieldKind, FieldSource, Inferred, PositionSource, RecordSchema, SlotSource, TimeSource, TimeUnit},
};

/// The name under which rules see a source's position.
const POSITION: &str = "position";

/// What a source's records hold.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSchema {
    /// The time.
    pub time: TimeSource,
    /// The position; `None` where events have none.
    pub position: Option<PositionSource>,
    /// The field that is an event's own id: unique for each event, not for each entity.
    pub id: Option<String>,
    /// Validate all declared fields, not only those that rules read.
    pub strict: bool,
    /// The declared fields.
    pub fields: Vec<FieldSource>,
    /// Whether rules may read fields that are not declared: where none is.
    pub open: bool,
}

impl Default for StreamSchema {
    /// Nothing declared: the usual names are tried for time and position, and rules may read any field.
    fn default() -> Self {
        let (time, position) = (TimeSource::default(), Some(PositionSource::default()));
        Self { time, position, id: None, strict: false, fields: Vec::new(), open: true }
    }
}

impl From<Inferred> for StreamSchema {
    /// What was guessed; it stays open, since a file's first records may lack a field.
    fn from(guess: Inferred) -> Self {
        let time = guess.time.unwrap_or_default();
        Self { time, position: guess.position, id: None, strict: false, fields: guess.fields, open: true }
    }
}

impl StreamSchema {
    /// All that rules may read, for the check.
    pub fn catalog(&self) -> Schema {
        let mut fields = Vec::new();
        let mut add = |name: &str, ty: Type| {
            if let Some(at) = fields.iter().position(|field: &Field| field.name == name) {
                return at as u16;
            }
            fields.push(Field { name: name.to_owned(), ty });
            (fields.len() - 1) as u16
        };
        for field in &self.fields {
            // A declared field named `position` is the position only where it is the schema's.
            if !(self.position.is_some() && field.name == POSITION) {
                add(&field.name, field.kind.ty());
            }
        }
        // Ids come as texts and as numbers.
        let id = self.id.as_ref().map(|id| add(id, Type::Any));
        let position = self.position.as_ref().map(|position| {
            for name in position.lon.iter().take(1).chain(position.lat.iter().take(1)) {
                add(rule_name(name), Type::Float);
            }
            add(POSITION, Type::Point)
        });
        Schema { fields, position, id, open: self.open }
    }

    /// How records become rows with the slots of `pruned`: the fields of [`catalog`](Self::catalog) that rules read, and
    /// such as are not declared where the schema is open.
    pub fn record_schema(&self, pruned: &Schema) -> RecordSchema {
        let slots = pruned.fields.iter().enumerate().map(|(slot, field)| {
            let is_position =
                self.position.is_some() && (pruned.position == Some(slot as u16) || field.name == POSITION);
            if is_position { SlotSource::Position } else { SlotSource::Field(self.source(&field.name)) }
        });
        let slots: Vec<SlotSource> = slots.collect();
        let needed = |field: &&FieldSource| {
            let kept = slots.iter().any(|slot| matches!(slot, SlotSource::Field(slot) if slot.path == field.path));
            !kept && (self.strict || field.required)
        };
        let checks = self.fields.iter().filter(needed).cloned().collect();
        RecordSchema { time: self.time.clone(), position: self.position.clone(), slots, checks }
    }

    /// Where a field comes from that rules call so.
    fn source(&self, name: &str) -> FieldSource {
        if let Some(field) = self.fields.iter().find(|field| field.name == name) {
            return field.clone();
        }
        let mut degrees =
            self.position.iter().flat_map(|position| position.lon.iter().take(1).chain(position.lat.iter().take(1)));
        let (path, kind) = match degrees.find(|path| rule_name(path) == name) {
            Some(path) => (path.clone(), FieldKind::Float(None)),
            None => (name.to_owned(), FieldKind::Any),
        };
        FieldSource { name: name.to_owned(), path, kind, required: false }
    }
}

/// The last step of a path: what rules call the field.
fn rule_name(path: &str) -> &str {
    path.strip_prefix('/').and_then(|path| path.rsplit('/').next()).unwrap_or(path)
}

/// A schema of the file.
pub(super) fn read(node: &Node<'_>) -> Result<StreamSchema, ConfigError> {
    let mut fields = node.fields()?;
    let mut schema = StreamSchema::default();
    if let Some(time) = fields.get("time") {
        schema.time = read_time(&time)?;
    }
    if let Some(position) = fields.get("position") {
        schema.position = read_position(&position)?;
    }
    schema.id = fields.get("id").map(|id| id.name().map(str::to_owned)).transpose()?;
    schema.strict = fields.get("strict").map_or(Ok(false), |strict| strict.flag())?;
    if let Some(declared) = fields.get("fields") {
        schema.open = false;
        for (name, field) in declared.named()? {
            schema.fields.push(read_field(name, &field)?);
        }
    }
    if let Some(open) = fields.get("open") {
        schema.open = open.flag()?;
    }
    fields.done()?;
    Ok(schema)
}

pub(super) fn read_time(node: &Node<'_>) -> Result<TimeSource, ConfigError> {
    if node.is_text() {
        return Ok(TimeSource { fields: vec![node.name()?.to_owned()], unit: TimeUnit::Auto });
    }
    let mut fields = node.fields()?;
    let default = TimeSource::default();
    let names = fields.get("field").map(|field| field.name().map(|name| vec![name.to_owned()])).transpose()?;
    let unit = fields.get("unit").map(|unit| time_unit(&unit)).transpose()?;
    fields.done()?;
    Ok(TimeSource { fields: names.unwrap_or(default.fields), unit: unit.unwrap_or_default() })
}

fn time_unit(node: &Node<'_>) -> Result<TimeUnit, ConfigError> {
    let units = ["auto", "ms", "s", "us", "rfc3339"];
    let choices: Vec<_> = units.iter().filter_map(|&name| Some((name, TimeUnit::parse(name)?))).collect();
    node.choice(&choices)
}

pub(super) fn read_position(node: &Node<'_>) -> Result<Option<PositionSource>, ConfigError> {
    if node.is_text() {
        return match node.name()? {
            "none" => Ok(None),
            field => Ok(Some(PositionSource { lon: Vec::new(), lat: Vec::new(), geometry: vec![field.to_owned()] })),
        };
    }
    let mut fields = node.fields()?;
    let source = if let Some(geometry) = fields.get("geometry") {
        PositionSource { lon: Vec::new(), lat: Vec::new(), geometry: vec![geometry.name()?.to_owned()] }
    } else {
        let lon = vec![fields.need("lon")?.name()?.to_owned()];
        PositionSource { lon, lat: vec![fields.need("lat")?.name()?.to_owned()], geometry: Vec::new() }
    };
    fields.done()?;
    Ok(Some(source))
}

pub(super) fn read_field(name: String, node: &Node<'_>) -> Result<FieldSource, ConfigError> {
    if node.is_text() {
        let kind = kind(node, None)?;
        return Ok(FieldSource { path: name.clone(), name, kind, required: false });
    }
    let mut fields = node.fields()?;
    let unit = fields.get("unit");
    let kind = match fields.get("type") {
        Some(ty) => kind(&ty, unit.as_ref())?,
        None => match &unit {
            Some(unit) => kind_of_unit(unit)?,
            None => FieldKind::Any,
        },
    };
    let path = fields.get("field").map_or(Ok(name.as_str()), |field| field.name())?.to_owned();
    let required = fields.get("required").map_or(Ok(false), |required| required.flag())?;
    fields.done()?;
    Ok(FieldSource { name, path, kind, required })
}

fn kind(ty: &Node<'_>, unit: Option<&Node<'_>>) -> Result<FieldKind, ConfigError> {
    const TYPES: &[&str] = &[
        "any", "bool", "int", "float", "string", "time", "duration", "length", "speed", "angle", "area", "point",
        "cell", "list",
    ];
    let quantity = |dimension: Dimension, base: Unit| match unit {
        None => Ok(FieldKind::Float(Some(base))),
        Some(node) => match kind_of_unit(node)? {
            kind @ FieldKind::Float(Some(unit)) if unit.dimension() == dimension => Ok(kind),
            _ => Err(node.wrong(format!("a unit of {}: {}", dimension.name(), units(Some(dimension))))),
        },
    };
    let name = ty.text()?;
    match name {
        "float" | "int" if unit.is_some() => return unit.map_or(Ok(FieldKind::Int), kind_of_unit),
        "time" => return Ok(FieldKind::Time(unit.map(time_unit).transpose()?.unwrap_or_default())),
        "duration" => {
            return match unit.map(kind_of_unit) {
                None => Ok(FieldKind::Duration(1.0)),
                Some(Ok(kind @ FieldKind::Duration(_))) => Ok(kind),
                Some(_) => Err(unit.unwrap_or(ty).wrong("a unit of time: ms, s, min, h, d, w")),
            };
        }
        "length" => return quantity(Dimension::Length, Unit::Metre),
        "speed" => return quantity(Dimension::Speed, Unit::MetrePerSecond),
        "acceleration" => return quantity(Dimension::Acceleration, Unit::MetrePerSecondSquared),
        "turn_rate" => return quantity(Dimension::TurnRate, Unit::DegreePerSecond),
        "angle" => return quantity(Dimension::Angle, Unit::Degree),
        "area" => return quantity(Dimension::Area, Unit::SquareMetre),
        _ => {}
    }
    if let Some(unit) = unit {
        return Err(unit.wrong(format!("no unit: a field of type `{name}` has none")));
    }
    Ok(match name {
        "any" => FieldKind::Any,
        "bool" => FieldKind::Bool,
        "int" => FieldKind::Int,
        "float" => FieldKind::Float(None),
        "string" => FieldKind::Text,
        "point" => FieldKind::Point,
        "cell" => FieldKind::Cell,
        "list" => FieldKind::List,
        _ => {
            let near = nearest(name, TYPES.iter().copied()).map(|near| format!(" (did you mean `{near}`?)"));
            return Err(ty.wrong(format!("a type: {}{}", TYPES.join(", "), near.unwrap_or_default())));
        }
    })
}

fn kind_of_unit(node: &Node<'_>) -> Result<FieldKind, ConfigError> {
    let name = node.text()?;
    if let Some(unit) = Unit::parse(name) {
        return Ok(FieldKind::Float(Some(unit)));
    }
    match TIME_UNITS.iter().find(|(unit, _)| *unit == name) {
        Some((_, factor)) => Ok(FieldKind::Duration(*factor as f64)),
        None => Err(node.wrong(format!("a unit: {}, ms, s, min, h, d, w", units(None)))),
    }
}

fn units(dimension: Option<Dimension>) -> String {
    let units = Unit::ALL.iter().filter(|unit| dimension.is_none_or(|dimension| unit.dimension() == dimension));
    units.map(|unit| unit.symbol()).collect::<Vec<_>>().join(", ")
}
