//! Annotations: text for people, with places for what an alert has.

use super::{alert::Names, json_out::fence_refs};
use crate::model::{Type, Value, format_duration, format_time};

/// A part of an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text as it stands; a rule's name and labels are such, too.
    Text(String),
    /// The output field with this slot.
    Field(u16),
    /// The key, its components joined by commas.
    Key,
    /// The first time, RFC 3339.
    Start,
    /// The last time, RFC 3339.
    End,
}

/// Writes a value for people: `21 min 5 s`, `12.5 km/h`, `A, B`; null is `unknown`.
pub(super) fn humane(out: &mut String, value: &Value, ty: Type, names: &dyn Names) {
    match value {
        Value::Null => out.push_str("unknown"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => {
            out.push_str(&trimmed(*number));
            if let Type::Quantity(unit) = ty {
                out.push(' ');
                out.push_str(unit.symbol());
            }
        }
        Value::Text(text) => out.push_str(text),
        Value::Time(at_ms) => out.push_str(&format_time(*at_ms)),
        Value::Duration(span_ms) => out.push_str(&format_duration(*span_ms)),
        Value::Point(position) => {
            // Six decimals are a tenth of a metre.
            let (lon, lat) = (rounded(position.lon(), 6), rounded(position.lat(), 6));
            out.push_str(&format!("{lon}, {lat}"));
        }
        Value::Cell(cell) => out.push_str(&cell.to_string()),
        Value::Geometry(polygons) => match polygons.as_slice().len() {
            1 => out.push_str("a polygon"),
            many => out.push_str(&format!("{many} polygons")),
        },
        Value::Fence(fence) => out.push_str(names.fence_id(*fence).unwrap_or("unknown")),
        Value::Fences(fences) => {
            let ids: Vec<&str> = fence_refs(fences).filter_map(|fence| names.fence_id(fence)).collect();
            out.push_str(&ids.join(", "));
        }
        Value::List(list) => {
            for (at, item) in list.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                humane(out, item, Type::Any, names);
            }
        }
    }
}

/// At most three decimals, without zeros at the end; small numbers keep three digits that count.
fn trimmed(number: f64) -> String {
    if number != 0.0 && (number.abs() < 0.01 || number.abs() >= 1e15) {
        let text = format!("{number:.2e}");
        return if number.abs() >= 1e-6 && number.abs() < 0.01 { rounded(number, 6) } else { text };
    }
    rounded(number, 3)
}

fn rounded(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people_have_no_more_digits_than_they_need() {
        for (number, text) in [
            (5.0, "5"),
            (12.3456, "12.346"),
            (-0.0, "0"),
            (0.004, "0.004"),
            (1e-9, "1.00e-9"),
            (1_234_567.0, "1234567"),
        ] {
            assert_eq!(trimmed(number), text);
        }
    }
}
