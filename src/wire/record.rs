//! How the records of a source become events: which record field is the time, the position and each slot of a row.

use crate::model::{TimeMs, Type, Unit, parse_time};

/// What the time field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// A number is milliseconds since 1970, a text RFC 3339: what is taken where nothing is declared.
    #[default]
    Auto,
    /// Milliseconds since 1970, a number.
    Milliseconds,
    /// Seconds since 1970, a number that may have a fraction.
    Seconds,
    /// Microseconds since 1970, a number.
    Microseconds,
    /// A text such as `2026-01-01T00:00:00Z`; the offset is required.
    Rfc3339,
}

/// The first instant that is accepted: the year −9999.
pub const TIME_MIN_MS: TimeMs = -377_705_116_800_000;
/// The last instant that is accepted: the end of the year 9999.
pub const TIME_MAX_MS: TimeMs = 253_402_300_799_999;

impl TimeUnit {
    /// The unit with this name in schemas.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "us" => Self::Microseconds,
            "rfc3339" => Self::Rfc3339,
            _ => return None,
        })
    }

    /// Its name in schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Microseconds => "us",
            Self::Rfc3339 => "rfc3339",
        }
    }

    /// The instant of a whole number; `None` where it isn't one in this unit or is out of range.
    pub(super) fn of_int(self, number: i64) -> Option<TimeMs> {
        let at_ms = match self {
            Self::Auto | Self::Milliseconds => number,
            Self::Seconds => number.checked_mul(1_000)?,
            Self::Microseconds => number.div_euclid(1_000),
            Self::Rfc3339 => return None,
        };
        in_range(at_ms)
    }

    /// The instant of a number, cut to milliseconds towards the past.
    pub(super) fn of_float(self, number: f64) -> Option<TimeMs> {
        let at_ms = match self {
            Self::Auto | Self::Milliseconds => number,
            // Rounded first where the product of a decimal fraction falls just short of its millisecond.
            Self::Seconds => nudge(number * 1_000.0),
            Self::Microseconds => number / 1_000.0,
            Self::Rfc3339 => return None,
        };
        let at_ms = at_ms.floor();
        (at_ms >= TIME_MIN_MS as f64 && at_ms <= TIME_MAX_MS as f64).then_some(at_ms as TimeMs)
    }

    /// The instant of a text.
    pub(super) fn of_text(self, text: &str) -> Option<TimeMs> {
        matches!(self, Self::Auto | Self::Rfc3339).then(|| parse_time(text).ok()).flatten().and_then(in_range)
    }
}

fn in_range(at_ms: TimeMs) -> Option<TimeMs> {
    (TIME_MIN_MS..=TIME_MAX_MS).contains(&at_ms).then_some(at_ms)
}

/// `1433000000.123 * 1000` is a hair below …123: what is within a thousandth of a whole millisecond is that millisecond.
fn nudge(at_ms: f64) -> f64 {
    let whole = at_ms.round();
    if (at_ms - whole).abs() < 1e-3 { whole } else { at_ms }
}

/// Where an event's time is. Of several fields the first that a record has and that is not null counts.
///
/// Fields are named as they stand in the record; a name that begins with `/` is a path into nested objects, as in JSON
/// pointers: `/properties/speed`. In CSV it names a column either way.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSource {
    /// The fields, in the order in which they are tried.
    pub fields: Vec<String>,
    /// What they hold.
    pub unit: TimeUnit,
}

/// The fields that are tried for the time where a schema names none.
pub const TIME_NAMES: &[&str] = &["ts", "time", "timestamp", "t", "event_time", "@timestamp"];
/// The fields that are tried for the longitude.
pub const LON_NAMES: &[&str] = &["lon", "lng", "long", "longitude"];
/// The fields that are tried for the latitude.
pub const LAT_NAMES: &[&str] = &["lat", "latitude"];
/// The fields that are tried for a position as one value.
pub const GEOMETRY_NAMES: &[&str] = &["geometry", "position", "location"];

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl Default for TimeSource {
    fn default() -> Self {
        Self { fields: owned(TIME_NAMES), unit: TimeUnit::Auto }
    }
}

/// Where an event's position is: longitude and latitude, else one field with both. Of several fields the first that a
/// record has and that is not null counts.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionSource {
    /// Longitude, degrees.
    pub lon: Vec<String>,
    /// Latitude, degrees.
    pub lat: Vec<String>,
    /// A GeoJSON point, `[lon, lat]`, or an object with `lon` and `lat`.
    pub geometry: Vec<String>,
}

impl Default for PositionSource {
    fn default() -> Self {
        Self { lon: owned(LON_NAMES), lat: owned(LAT_NAMES), geometry: owned(GEOMETRY_NAMES) }
    }
}

/// What a record's field must hold, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldKind {
    /// Whatever it is; no object.
    Any,
    /// True or false.
    Bool,
    /// A whole number; `5.0` is one.
    Int,
    /// A number, of a unit if there is one.
    Float(Option<Unit>),
    /// Text.
    Text,
    /// An instant.
    Time(TimeUnit),
    /// A span: a number, multiplied by this to become milliseconds.
    Duration(f64),
    /// A position, as [`PositionSource::geometry`].
    Point,
    /// An H3 cell: its hexadecimal text, or its number.
    Cell,
    /// A list.
    List,
}

impl FieldKind {
    /// The type that rules see.
    pub fn ty(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Float(None) => Type::Float,
            Self::Float(Some(unit)) => Type::Quantity(unit),
            Self::Text => Type::Text,
            Self::Time(_) => Type::Time,
            Self::Duration(_) => Type::Duration,
            Self::Point => Type::Point,
            Self::Cell => Type::Cell,
            Self::List => Type::List,
        }
    }
}

/// A field of a record that is checked and, in a slot, kept.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSource {
    /// Its name in rules.
    pub name: String,
    /// Its name or path in the record, as in [`TimeSource`].
    pub path: String,
    /// What it must hold.
    pub kind: FieldKind,
    /// Whether a record without it, or with null, is rejected.
    pub required: bool,
}

/// What a slot of a row is filled with.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotSource {
    /// The event's position.
    Position,
    /// A field of the record.
    Field(FieldSource),
}

/// How the records of one source become rows. Only the fields named here are looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordSchema {
    /// The time: always validated.
    pub time: TimeSource,
    /// The position, where events have one: then always validated, whether a slot wants it or not.
    pub position: Option<PositionSource>,
    /// The slots of a row, in order.
    pub slots: Vec<SlotSource>,
    /// Fields that are validated and not kept (`strict: true`).
    pub checks: Vec<FieldSource>,
}
