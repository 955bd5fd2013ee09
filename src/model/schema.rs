//! What a stream's events look like.

use super::Type;

/// One field of a stream: a slot of its events' rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in rules (and, for a source, in the records unless `path` says otherwise).
    pub name: String,
    /// Its type; a record's value of another type is rejected where a rule reads it.
    pub ty: Type,
}

/// The fields of a stream, in slot order. Time is no field: every event has one, in its header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// The fields; the index is the slot.
    pub fields: Vec<Field>,
    /// The slot of the position, where events have one (type [`Type::Point`]).
    pub position: Option<u16>,
    /// The slot whose value is an event's own id, where the schema names one.
    pub id: Option<u16>,
    /// Nobody declared this stream: a name that is not listed is still accepted, with type [`Type::Any`].
    pub open: bool,
}

impl Schema {
    /// The slot and type of a field.
    pub fn slot(&self, name: &str) -> Option<(u16, Type)> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        Some((at as u16, self.fields.get(at)?.ty))
    }
}
