//! The type of a column that nobody declared: the narrowest that all of its cells fit.

use crate::wire::{
    layout::{Raw, bool_text, number_text},
    record::{FieldKind, TimeUnit},
};

/// The kind that all cells fit: bool, int, float, time or point where they are of it, else text; none for lists and objects, which
/// rules can't read. Of a column without any value it is text.
pub(super) fn kind<'c>(cells: impl Iterator<Item = &'c Raw>, textual: bool) -> Option<FieldKind> {
    let mut found: Option<FieldKind> = None;
    for cell in cells {
        let own = match cell {
            Raw::Absent | Raw::Null => continue,
            Raw::Bool(_) => FieldKind::Bool,
            Raw::Int(_) => FieldKind::Int,
            Raw::Big(_) | Raw::Float(_) => FieldKind::Float(None),
            Raw::Text(text) if textual => of_text(text),
            Raw::Text(_) => FieldKind::Text,
            Raw::Time(_) => FieldKind::Time(TimeUnit::Auto),
            Raw::Point(..) => FieldKind::Point,
            Raw::List(_) | Raw::Other(_) => return None,
        };
        found = Some(match (found, own) {
            (None, own) => own,
            (Some(known), own) if known == own => known,
            (Some(FieldKind::Int | FieldKind::Float(_)), FieldKind::Int | FieldKind::Float(_)) => {
                FieldKind::Float(None)
            }
            _ => FieldKind::Text,
        });
    }
    Some(found.unwrap_or(FieldKind::Text))
}

/// `007` and `+49` are names, not numbers: as numbers they would lose what they say.
fn of_text(text: &str) -> FieldKind {
    let digits = text.trim().trim_start_matches('-');
    let zero_first = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    match number_text(text) {
        Some(_) if zero_first || digits.starts_with('+') => FieldKind::Text,
        Some(Raw::Int(_)) => FieldKind::Int,
        Some(_) => FieldKind::Float(None),
        None if bool_text(text).is_some() => FieldKind::Bool,
        None => FieldKind::Text,
    }
}

/// A cell of a column of text, whatever it is: numbers and bools of a mixed column as they are written.
pub(super) fn as_text(cell: &Raw) -> Option<String> {
    match cell {
        Raw::Bool(value) => Some(value.to_string()),
        Raw::Int(number) => Some(number.to_string()),
        Raw::Big(number) => Some(number.to_string()),
        Raw::Float(number) => Some(number.to_string()),
        Raw::Time(at_ms) => Some(crate::model::format_time(*at_ms)),
        _ => None,
    }
}
