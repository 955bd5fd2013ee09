//! The types of the rule language.

use super::Unit;
use std::fmt;

/// The type of an expression or field. Every type also holds null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Not known before the data is seen: a field of a stream whose schema is open. It meets every type at run time.
    Any,
    /// True or false.
    Bool,
    /// A whole number, 64 bits.
    Int,
    /// A number without a unit, IEEE 754 double.
    Float,
    /// Text, UTF-8.
    Text,
    /// An instant.
    Time,
    /// A span of time.
    Duration,
    /// A float in this unit.
    Quantity(Unit),
    /// A position, WGS 84.
    Point,
    /// An H3 cell.
    Cell,
    /// One geofence.
    Fence,
    /// Several geofences of one set.
    Fences,
    /// Polygons on the earth.
    Geometry,
    /// Several values.
    List,
}

impl Type {
    /// Whether arithmetic takes it as a number.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Quantity(_) | Self::Any)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("a value of unknown type"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Text => f.write_str("string"),
            Self::Time => f.write_str("time"),
            Self::Duration => f.write_str("duration"),
            Self::Quantity(unit) => write!(f, "{} ({})", unit.dimension().name(), unit.symbol()),
            Self::Point => f.write_str("point"),
            Self::Cell => f.write_str("cell"),
            Self::Fence => f.write_str("fence"),
            Self::Fences => f.write_str("fences"),
            Self::Geometry => f.write_str("geometry"),
            Self::List => f.write_str("list"),
        }
    }
}
