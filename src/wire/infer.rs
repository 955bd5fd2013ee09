//! A guess at a schema from the first records of a file, for runs without a configuration.

use super::{
    AisMessages,
    csv::Row,
    decoder::Format,
    layout::{Raw, number_text},
    record::{
        FieldKind, FieldSource, GEOMETRY_NAMES, LAT_NAMES, LON_NAMES, PositionSource, TIME_NAMES, TimeSource, TimeUnit,
    },
};
use crate::model::parse_time;
use serde_json::Value as Json;

/// What records look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// The time field and its unit; `None` if no field looks like one.
    pub time: Option<TimeSource>,
    /// The position; `None` if no field looks like one.
    pub position: Option<PositionSource>,
    /// The other fields in the order in which they first appear, none of them required. A field that had only whole numbers
    /// is left open: the next record may have a fraction.
    pub fields: Vec<FieldSource>,
}

struct Seen {
    name: String,
    path: String,
    kind: Option<FieldKind>,
    records: usize,
    /// The largest magnitude among its numbers.
    largest: f64,
    instants: usize,
    texts: usize,
}

/// Guesses from records; 200 are plenty. Records that can't be read are passed over. Fields of a GeoJSON feature's
/// `properties` are found, too.
pub fn infer<'a>(records: impl IntoIterator<Item = &'a [u8]>, format: Format) -> Inferred {
    let mut seen: Vec<Seen> = Vec::new();
    match format {
        Format::Ndjson | Format::GeoJson | Format::Document(_) => {
            for record in records {
                let record = record.strip_prefix(&[super::split::RECORD_SEPARATOR]).unwrap_or(record);
                let Ok(Json::Object(object)) = serde_json::from_slice::<Json>(record) else { continue };
                for (name, value) in &object {
                    match value {
                        Json::Object(inner) if name == "properties" => {
                            for (name, value) in inner {
                                let path = format!("/properties/{}", name.replace('~', "~0").replace('/', "~1"));
                                note(&mut seen, name, path, value);
                            }
                        }
                        _ => note(&mut seen, name, name.clone(), value),
                    }
                }
            }
        }
        Format::Ais(messages) => return known(messages),
        Format::Csv { delimiter } => {
            let mut row = Row::new(delimiter);
            let mut records = records.into_iter();
            let header: Vec<String> = match records.next().map(|record| row.read(record)) {
                Some(Ok(cells)) => cells.map(|name| name.trim().to_owned()).collect(),
                _ => Vec::new(),
            };
            for record in records {
                let Ok(cells) = row.read(record) else { continue };
                for (name, cell) in header.iter().zip(cells) {
                    note(&mut seen, name, name.clone(), &csv_value(cell));
                }
            }
        }
    }
    conclude(&seen)
}

/// What events of AIS have, whatever the first lines are.
fn known(messages: AisMessages) -> Inferred {
    let own = |name: &str| vec![name.to_owned()];
    let position = (messages == AisMessages::Positions).then(|| PositionSource {
        lon: own("lon"),
        lat: own("lat"),
        geometry: Vec::new(),
    });
    let field = |(name, kind): (&str, FieldKind)| FieldSource {
        name: name.to_owned(),
        path: name.to_owned(),
        kind,
        required: false,
    };
    let fields = messages.fields().filter(|(name, _)| !matches!(*name, "ts" | "lon" | "lat")).map(field).collect();
    Inferred { time: Some(TimeSource { fields: own("ts"), unit: TimeUnit::Milliseconds }), position, fields }
}

fn csv_value(cell: &str) -> Json {
    match (cell.trim(), number_text(cell)) {
        ("", _) => Json::Null,
        ("true" | "True" | "TRUE" | "false" | "False" | "FALSE", _) => Json::Bool(true),
        (_, Some(Raw::Int(number))) => number.into(),
        (_, Some(Raw::Float(number))) => number.into(),
        _ => cell.into(),
    }
}

fn note(seen: &mut Vec<Seen>, name: &str, path: String, value: &Json) {
    let at = seen.iter().position(|field| field.path == path).unwrap_or_else(|| {
        let name = name.to_owned();
        seen.push(Seen { name, path, kind: None, records: 0, largest: 0.0, instants: 0, texts: 0 });
        seen.len() - 1
    });
    let Some(field) = seen.get_mut(at) else { return };
    let kind = match value {
        Json::Null => return,
        Json::Bool(_) => FieldKind::Bool,
        Json::Number(number) => {
            field.largest = field.largest.max(number.as_f64().unwrap_or_default().abs());
            if number.is_f64() { FieldKind::Float(None) } else { FieldKind::Int }
        }
        Json::String(text) => {
            field.texts += 1;
            field.instants += usize::from(parse_time(text).is_ok());
            FieldKind::Text
        }
        Json::Array(_) => FieldKind::List,
        Json::Object(object) => {
            let is_point = object.get("type").is_none_or(|ty| ty == "Point");
            if is_point && (object.contains_key("coordinates") || object.contains_key("lon")) {
                FieldKind::Point
            } else {
                FieldKind::Any
            }
        }
    };
    field.records += 1;
    field.kind = Some(match (field.kind, kind) {
        (None, kind) => kind,
        (Some(before), kind) if before == kind => kind,
        (Some(FieldKind::Int | FieldKind::Float(_)), FieldKind::Int | FieldKind::Float(_)) => FieldKind::Float(None),
        _ => FieldKind::Any,
    });
}

fn conclude(seen: &[Seen]) -> Inferred {
    // The one that most records have; of equals the one that is named first.
    let best = |names: &[&str], fits: &dyn Fn(&Seen) -> bool| {
        let known =
            names.iter().flat_map(|&name| seen.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)));
        known.filter(|field| field.records > 0 && fits(field)).rev().max_by_key(|field| field.records)
    };
    let number = |field: &Seen| matches!(field.kind, Some(FieldKind::Int | FieldKind::Float(_)));
    let time_field = best(TIME_NAMES, &|field| number(field) || field.instants * 2 > field.texts);
    let time = time_field.map(|field| TimeSource { fields: vec![field.path.clone()], unit: unit(field) });
    let (lon, lat) = (best(LON_NAMES, &number), best(LAT_NAMES, &number));
    let point = |field: &Seen| matches!(field.kind, Some(FieldKind::Point | FieldKind::List));
    let geometry = best(GEOMETRY_NAMES, &point);
    let paths = |field: Option<&Seen>| field.map(|field| field.path.clone()).into_iter().collect::<Vec<_>>();
    let position = match (lon, lat, geometry) {
        (Some(_), Some(_), _) => Some(PositionSource { lon: paths(lon), lat: paths(lat), geometry: Vec::new() }),
        (_, _, Some(_)) => Some(PositionSource { lon: Vec::new(), lat: Vec::new(), geometry: paths(geometry) }),
        _ => None,
    };
    let mut fields: Vec<FieldSource> = Vec::new();
    for field in seen {
        let taken =
            [time_field, geometry.filter(|_| lon.is_none())].iter().flatten().any(|other| other.path == field.path);
        let kind = match field.kind {
            None | Some(FieldKind::Int) => FieldKind::Any,
            Some(kind) => kind,
        };
        if !taken && !fields.iter().any(|other| other.name == field.name) {
            fields.push(FieldSource { name: field.name.clone(), path: field.path.clone(), kind, required: false });
        }
    }
    Inferred { time, position, fields }
}

/// Seconds reach 10^11 in the year 5138, milliseconds were there in 1973; microseconds pass 10^14 in 1973, too.
fn unit(field: &Seen) -> TimeUnit {
    match field.kind {
        Some(FieldKind::Text) => TimeUnit::Rfc3339,
        _ if field.texts > 0 => TimeUnit::Auto,
        _ if field.largest < 1e11 => TimeUnit::Seconds,
        _ if field.largest < 1e14 => TimeUnit::Milliseconds,
        _ => TimeUnit::Microseconds,
    }
}
