//! Events as a test writes them, and the records that a decoder reads of them.

use super::node::{Mistake, Node, hint, shown};
use crate::{
    lang::file::Step,
    runtime::config::StreamSchema,
    wire::{TimeUnit, yaml::Yaml},
};
use serde_json::{Map, Value};

/// The most events that one row stands for.
const TIMES_MAX: i64 = 100_000;

/// A row of a test: the fields of one event, or of several at a fixed pace.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) path: Vec<Step>,
    fields: Vec<(String, Vec<Step>, Value)>,
    /// The instants of its events, from the helper `at`; none where the row says its time in a field of its own.
    at: Option<Pace>,
}

/// A record and its time, where that can be read.
pub(super) type Timed = (Option<i64>, Vec<u8>);

/// `at`: one instant, or `from`, `every` and `times`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    from_ms: i64,
    every_ms: i64,
    times: i64,
}

impl Row {
    /// Reads a row; spans count from `start_ms` on.
    pub(super) fn read(node: &Node<'_>, start_ms: i64) -> Result<Self, Mistake> {
        let (mut fields, mut at) = (Vec::new(), None);
        for (name, member) in node.members()? {
            if name == "at" {
                at = Some(pace(&member, start_ms)?);
            } else {
                fields.push((name.to_owned(), member.path.clone(), json(&member)?));
            }
        }
        Ok(Self { path: node.path.clone(), fields, at })
    }

    /// The row's records, as JSON texts with their times: what `at` means is written into the schema's time field. A time that
    /// can't be read is none: the decoder will say what is wrong with it.
    pub(super) fn records(&self, schema: &StreamSchema) -> Result<Vec<Timed>, Mistake> {
        self.check_names(schema)?;
        let mut object = Map::new();
        for (name, _, value) in &self.fields {
            object.insert(name.clone(), value.clone());
        }
        let Some(pace) = self.at else {
            let time = schema.time.fields.iter().find_map(|field| object.get(field));
            return Ok(vec![(time.and_then(|time| time_ms(time, schema.time.unit)), text(&object))]);
        };
        let field = schema.time.fields.first().map_or("ts", String::as_str);
        if field.starts_with('/') || self.fields.iter().any(|(name, ..)| schema.time.fields.contains(name)) {
            let message = match field.strip_prefix('/') {
                Some(_) => format!("`at` can't be written to `{field}`, inside of an object: write the time there"),
                None => "a row has either `at` or a time field".to_owned(),
            };
            return Err(Mistake { path: self.path.clone(), message });
        }
        let mut records = Vec::new();
        for n in 0..pace.times {
            let at_ms = pace.from_ms.saturating_add(pace.every_ms.saturating_mul(n));
            let time = match schema.time.unit {
                TimeUnit::Auto | TimeUnit::Milliseconds => Value::from(at_ms),
                TimeUnit::Seconds => Value::from(at_ms as f64 / 1_000.0),
                TimeUnit::Microseconds => Value::from(at_ms.saturating_mul(1_000)),
                TimeUnit::Rfc3339 => Value::from(crate::model::format_time(at_ms)),
            };
            object.insert(field.to_owned(), time);
            records.push((Some(at_ms), text(&object)));
        }
        Ok(records)
    }

    /// A field that the schema doesn't know would be passed over: in a test it is a slip.
    fn check_names(&self, schema: &StreamSchema) -> Result<(), Mistake> {
        if schema.open {
            return Ok(());
        }
        let position = schema.position.iter().flat_map(|p| p.lon.iter().chain(&p.lat).chain(&p.geometry));
        let fields = schema.fields.iter().map(|field| &field.path);
        let paths = schema.time.fields.iter().chain(position).chain(&schema.id).chain(fields);
        let top = |path: &'_ String| match path.strip_prefix('/') {
            Some(path) => path.split('/').next().unwrap_or_default().to_owned(),
            None => path.clone(),
        };
        let known: Vec<String> = paths.map(top).collect();
        for (name, path, _) in &self.fields {
            if !known.contains(name) {
                let hint = hint(name, known.iter().map(String::as_str));
                let message = format!("{}: the schema has no field `{name}`{hint}", shown(&self.path));
                return Err(Mistake { path: path.clone(), message });
            }
        }
        Ok(())
    }
}

/// The instant that a time field holds.
fn time_ms(time: &Value, unit: TimeUnit) -> Option<i64> {
    match (time, unit) {
        (Value::String(text), _) => crate::model::parse_time(text).ok(),
        (time, TimeUnit::Auto | TimeUnit::Milliseconds) => time.as_i64(),
        (time, TimeUnit::Seconds) => time.as_f64().map(|seconds| (seconds * 1_000.0).floor() as i64),
        (time, TimeUnit::Microseconds) => time.as_i64().map(|us| us.div_euclid(1_000)),
        (_, TimeUnit::Rfc3339) => None,
    }
}

fn pace(node: &Node<'_>, start_ms: i64) -> Result<Pace, Mistake> {
    if !matches!(node.value, Yaml::Map(_)) {
        return Ok(Pace { from_ms: node.instant(start_ms)?, every_ms: 0, times: 1 });
    }
    let fields = node.fields(&["from", "every", "times"])?;
    let times = fields.need("times")?;
    let count = match times.value {
        Yaml::Int(count @ 1..=TIMES_MAX) => *count,
        _ => return Err(times.wrong(&format!("a whole number from 1 to {TIMES_MAX}"))),
    };
    let from_ms = fields.need("from")?.instant(start_ms)?;
    Ok(Pace { from_ms, every_ms: fields.need("every")?.span_ms()?, times: count })
}

/// A value as a record holds it.
fn json(node: &Node<'_>) -> Result<Value, Mistake> {
    Ok(match node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::from(*value),
        Yaml::Int(number) => Value::from(*number),
        Yaml::Float(number) if number.is_finite() => Value::from(*number),
        Yaml::Float(_) => return Err(node.wrong("a number that JSON has")),
        Yaml::Text(text) => Value::from(text.as_str()),
        Yaml::List(_) => Value::Array(node.entries()?.iter().map(json).collect::<Result<_, _>>()?),
        Yaml::Map(_) => {
            let mut object = Map::new();
            for (name, member) in node.members()? {
                object.insert(name.to_owned(), json(&member)?);
            }
            Value::Object(object)
        }
    })
}

fn text(object: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(object).unwrap_or_default()
}
