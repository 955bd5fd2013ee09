//! JSON by hand, in a fixed order and without spaces, so that the same output is the same bytes.

use super::alert::Names;
use crate::model::{TimeMs, Value, format_time};

/// A text with its quotes and escapes.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    // Writing to a vector can't fail, nor can a text be no JSON.
    let _ = serde_json::to_writer(out, text);
}

/// A float as the shortest text that reads back as the same number; what is not finite is null.
pub(super) fn float(out: &mut Vec<u8>, number: f64) {
    let _ = serde_json::to_writer(out, &number);
}

/// A whole number.
pub(super) fn int(out: &mut Vec<u8>, number: i64) {
    let _ = serde_json::to_writer(out, &number);
}

/// An instant, RFC 3339.
pub(super) fn time(out: &mut Vec<u8>, at_ms: TimeMs) {
    text(out, &format_time(at_ms));
}

/// A span as seconds, exactly: `1265`, `0.25`.
pub(super) fn seconds(out: &mut Vec<u8>, span_ms: TimeMs) {
    let (whole, rest) = (span_ms.unsigned_abs() / 1_000, span_ms.unsigned_abs() % 1_000);
    let sign = if span_ms < 0 { "-" } else { "" };
    let mut digits = format!("{sign}{whole}.{rest:03}");
    digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    out.extend_from_slice(digits.as_bytes());
}

/// The key of an object's member, after a comma unless it is the first.
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    text(out, name);
    out.push(b':');
}

/// A value: durations in seconds, times RFC 3339, cells in hexadecimal, points and geometries as GeoJSON, fences as their ids.
pub(super) fn value(out: &mut Vec<u8>, value: &Value, names: &dyn Names) {
    use super::geometry::write_position;
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(number) => int(out, *number),
        Value::Float(number) => float(out, *number),
        Value::Text(value) => text(out, value),
        Value::Time(at_ms) => time(out, *at_ms),
        Value::Duration(span_ms) => seconds(out, *span_ms),
        Value::Point(position) => {
            out.extend_from_slice(br#"{"type":"Point","coordinates":"#);
            write_position(out, *position);
            out.push(b'}');
        }
        Value::Cell(cell) => text(out, &cell.to_string()),
        Value::Geometry(polygons) => super::geometry::write_polygons(out, polygons),
        Value::Fence(_) | Value::Fences(_) | Value::List(_) => list(out, value, names),
    }
}

fn list(out: &mut Vec<u8>, list: &Value, names: &dyn Names) {
    let mut comma = Comma(false);
    match list {
        Value::Fence(fence) => match names.fence_id(*fence) {
            Some(id) => text(out, id),
            None => out.extend_from_slice(b"null"),
        },
        Value::Fences(fences) => {
            out.push(b'[');
            for fence in fence_refs(fences) {
                comma.write(out);
                value(out, &Value::Fence(fence), names);
            }
            out.push(b']');
        }
        Value::List(list) => {
            out.push(b'[');
            for item in list.iter() {
                comma.write(out);
                value(out, item, names);
            }
            out.push(b']');
        }
        _ => {}
    }
}

/// The fences of a set of them, one by one.
pub(super) fn fence_refs(fences: &crate::model::Fences) -> impl Iterator<Item = crate::model::FenceRef> {
    let set = fences.set();
    fences.as_slice().iter().map(move |&ix| crate::model::FenceRef { set, fence: crate::geo::FenceIx(ix) })
}

/// Commas between the items of a list.
pub(super) struct Comma(pub(super) bool);

impl Comma {
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        if self.0 {
            out.push(b',');
        }
        self.0 = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_without_superfluous_digits() {
        for (span_ms, expected) in [(0, "0"), (1_265_000, "1265"), (250, "0.25"), (-1_500, "-1.5"), (10_001, "10.001")]
        {
            let mut out = Vec::new();
            seconds(&mut out, span_ms);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        seconds(&mut out, i64::MIN);
        assert_eq!(String::from_utf8(out).unwrap(), "-9223372036854775.808");
    }
}
