//! One event as fields in a fixed order, and its line of NDJSON.

use smallvec::SmallVec;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The value of a field. Decimals are held as integers, so their text never depends on how floats are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// A whole number.
    Int(i64),
    /// A decimal number: `units` in the last place, and the number of `places` after the point.
    Fixed {
        /// The number without its point: 1234 for 12.34.
        units: i64,
        /// Digits after the point, 0 to 9.
        places: u8,
    },
    /// Text that the scenario names: a status, a kind.
    Word(&'static str),
    /// Text made for one mover: an id, a name.
    Text(Arc<str>),
}

/// One event: its time and its fields in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Event time in milliseconds since 1970 UTC.
    pub ts: i64,
    /// The other fields, each name once.
    pub fields: SmallVec<[(&'static str, Field); 8]>,
}

impl Record {
    /// An event at this time without fields.
    pub(super) fn new(ts: i64) -> Self {
        Self { ts, fields: SmallVec::new() }
    }

    /// Adds a field.
    pub(super) fn with(mut self, name: &'static str, field: Field) -> Self {
        self.fields.push((name, field));
        self
    }

    /// Adds `lon` and `lat` from micro-degrees.
    pub(super) fn at(self, (lon, lat): (i64, i64)) -> Self {
        self.with("lon", Field::Fixed { units: lon, places: 6 }).with("lat", Field::Fixed { units: lat, places: 6 })
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, field)| field)
    }

    /// Appends the event as one JSON object and a line feed: `ts` first, then the fields in order.
    pub fn write_line(&self, out: &mut String) {
        out.push_str("{\"ts\":");
        Field::Int(self.ts).write_json(out);
        for (name, field) in &self.fields {
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":");
            field.write_json(out);
        }
        out.push_str("}\n");
    }
}

impl Field {
    /// A field of text.
    pub(super) fn text(text: &str) -> Self {
        Field::Text(Arc::from(text))
    }

    /// A decimal field from a float, rounded half away from zero.
    pub(super) fn rounded(value: f64, places: u8) -> Self {
        Field::Fixed { units: (value * 10i64.pow(u32::from(places.min(9))) as f64).round() as i64, places }
    }

    /// Appends the value as JSON.
    pub(super) fn write_json(&self, out: &mut String) {
        // Writing to a string can't fail.
        let _ = match self {
            Field::Int(n) => write!(out, "{n}"),
            Field::Fixed { units, places: 0 } => write!(out, "{units}"),
            Field::Fixed { units, places } => {
                let places = usize::from((*places).min(9));
                let scale = 10u64.pow(places as u32);
                let size = units.unsigned_abs();
                let sign = if *units < 0 { "-" } else { "" };
                write!(out, "{sign}{}.{:0places$}", size / scale, size % scale)
            }
            Field::Word(text) => write_text(text, out),
            Field::Text(text) => write_text(text, out),
        };
    }
}

fn write_text(text: &str, out: &mut String) -> fmt::Result {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_with_ts_first() {
        let record = Record::new(-5)
            .with("id", Field::text("a\"\\\n"))
            .at((-1, 52_000_010))
            .with("price", Field::Fixed { units: 1205, places: 2 })
            .with("n", Field::Int(7));
        let mut line = String::new();
        record.write_line(&mut line);
        let expected = r#"{"ts":-5,"id":"a\"\\\u000a","lon":-0.000001,"lat":52.000010,"price":12.05,"n":7}"#;
        assert_eq!(line, format!("{expected}\n"));
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn decimals_round_half_away_from_zero() {
        assert_eq!(Field::rounded(-1.25, 1), Field::Fixed { units: -13, places: 1 });
        assert_eq!(Field::rounded(0.04, 1), Field::Fixed { units: 0, places: 1 });
    }
}
