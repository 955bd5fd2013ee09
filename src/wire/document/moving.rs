//! OGC Moving Features JSON (19-045r3): each instant of a moving point is a record.
//!
//! A feature is written in one of two ways: as a trajectory (a LineString whose `properties.datetimes` has an instant for each
//! position) or as a prism (`temporalGeometry` with instants and positions, `temporalProperties` with instants and values). What a
//! feature's properties are at an instant is told by their own interpolation.

use super::{
    expand::{Parts, instant},
    features::{Collection, beginning, features, text},
};
use crate::model::TimeMs;
use serde_json::{Map, Value as Json};

pub(super) fn read(bytes: &[u8], parts: &mut Parts) {
    let Some(text) = text(bytes, parts) else { return };
    let whole = serde_json::from_str::<Collection<'_>>(text).ok().and_then(|collection| collection.crs);
    let whole = whole.and_then(|crs| serde_json::from_str::<Json>(crs.get()).ok());
    for (at, feature) in features(text, parts).into_iter().enumerate() {
        let found = match serde_json::from_str::<Json>(feature) {
            Ok(Json::Object(object)) => one(&object, whole.as_ref(), parts),
            Ok(_) => Err("it is no object".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = found {
            parts.fault(beginning(feature), format!("feature {}: {why}", at + 1));
        }
    }
}

/// A property that changes with time.
struct Changing<'a> {
    name: &'a str,
    times: Vec<TimeMs>,
    values: &'a [Json],
    how: How,
}

/// What a property is between two instants.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Unknown,
    AsBefore,
    Between,
}

impl Changing<'_> {
    fn at(&self, time_ms: TimeMs) -> Option<Json> {
        let after = self.times.partition_point(|at_ms| *at_ms <= time_ms);
        let (before_ms, before) = (*self.times.get(after.checked_sub(1)?)?, self.values.get(after - 1)?);
        if before_ms == time_ms || self.how == How::AsBefore {
            return Some(before.clone());
        }
        let (next_ms, next) = (*self.times.get(after)?, self.values.get(after)?);
        if self.how != How::Between {
            return None;
        }
        let share = time_ms.abs_diff(before_ms) as f64 / next_ms.abs_diff(before_ms) as f64;
        let (before, next) = (before.as_f64()?, next.as_f64()?);
        Some((before + (next - before) * share).into())
    }
}

fn one(feature: &Map<String, Json>, crs: Option<&Json>, parts: &mut Parts) -> Result<(), String> {
    let geometry = feature.get("temporalGeometry").and_then(Json::as_object);
    for crs in
        [geometry.and_then(|geometry| geometry.get("crs")), feature.get("crs"), crs].into_iter().flatten().take(1)
    {
        degrees(crs)?;
    }
    let mut fixed = Map::new();
    let properties = feature.get("properties").and_then(Json::as_object);
    if let Some(id) = feature.get("id").filter(|id| !id.is_null()) {
        fixed.insert("id".to_owned(), id.clone());
    }
    let own = properties.into_iter().flatten();
    let Some(geometry) = geometry else { return trajectory(feature, own, fixed, parts) };
    for (name, value) in own {
        fixed.entry(name).or_insert_with(|| value.clone());
    }
    let changing = changing(feature)?;
    let prisms = match geometry.get("type").and_then(Json::as_str) {
        Some("MovingGeometryCollection") => {
            geometry.get("prisms").and_then(Json::as_array).ok_or("it has no `prisms`")?
        }
        _ => std::slice::from_ref(feature.get("temporalGeometry").unwrap_or(&Json::Null)),
    };
    for prism in prisms {
        let kind = prism.get("type").and_then(Json::as_str).unwrap_or_default();
        if kind != "MovingPoint" {
            return Err(format!("a `{kind}`, and only a `MovingPoint` is read"));
        }
        let (times, places) = (list(prism, "datetimes")?, list(prism, "coordinates")?);
        same(times, places, "coordinates")?;
        for (time, place) in times.iter().zip(places) {
            let mut record = fixed.clone();
            for property in &changing {
                if let Some(value) = instant(time).and_then(|time_ms| property.at(time_ms)) {
                    record.insert(property.name.to_owned(), value);
                }
            }
            put(record, time, place, parts);
        }
    }
    Ok(())
}

/// The older way: instants among the properties, and so may be lists of what else changes.
fn trajectory<'a>(
    feature: &Map<String, Json>,
    own: impl Iterator<Item = (&'a String, &'a Json)>,
    mut fixed: Map<String, Json>,
    parts: &mut Parts,
) -> Result<(), String> {
    let geometry = feature.get("geometry").ok_or("it has neither `temporalGeometry` nor `geometry`")?;
    let kind = geometry.get("type").and_then(Json::as_str).unwrap_or_default();
    if kind != "LineString" {
        return Err(format!("a `{kind}` without `temporalGeometry`, and only a `LineString` is a trajectory"));
    }
    let properties = feature.get("properties").unwrap_or(&Json::Null);
    let (times, places) = (list(properties, "datetimes")?, list(geometry, "coordinates")?);
    same(times, places, "coordinates")?;
    let mut lists = Vec::new();
    for (name, value) in own.filter(|(name, _)| *name != "datetimes") {
        match value {
            Json::Array(values) if values.len() == times.len() => lists.push((name, values)),
            value => drop(fixed.entry(name).or_insert_with(|| value.clone())),
        }
    }
    for (at, (time, place)) in times.iter().zip(places).enumerate() {
        let mut record = fixed.clone();
        for (name, values) in &lists {
            record.insert((*name).clone(), values.get(at).cloned().unwrap_or_default());
        }
        put(record, time, place, parts);
    }
    Ok(())
}

fn put(mut record: Map<String, Json>, time: &Json, place: &Json, parts: &mut Parts) {
    record.insert("ts".to_owned(), time.clone());
    for (at, name) in ["lon", "lat", "alt"].into_iter().enumerate() {
        record.shift_remove(name);
        if let Some(number) = place.get(at) {
            record.insert(name.to_owned(), number.clone());
        }
    }
    parts.record(record);
}

fn changing(feature: &Map<String, Json>) -> Result<Vec<Changing<'_>>, String> {
    let mut found = Vec::new();
    let Some(groups) = feature.get("temporalProperties") else { return Ok(found) };
    for group in groups.as_array().ok_or("its `temporalProperties` are no list")? {
        let times = list(group, "datetimes")?;
        let known: Vec<TimeMs> = times.iter().filter_map(instant).collect();
        if known.len() != times.len() || !known.is_sorted_by(|a, b| a < b) {
            return Err("the `datetimes` of its `temporalProperties` are no instants that ascend".to_owned());
        }
        for (name, property) in group.as_object().into_iter().flatten().filter(|(name, _)| *name != "datetimes") {
            let values = list(property, "values")?;
            same(times, values, name)?;
            let how = property.get("interpolation").or_else(|| property.get("interpolations"));
            let how = match how.and_then(Json::as_str).unwrap_or("Discrete") {
                "Discrete" => How::Unknown,
                "Step" | "Stepwise" => How::AsBefore,
                "Linear" => How::Between,
                other => {
                    return Err(format!("`{name}` is interpolated by `{other}`, expected Discrete, Step or Linear"));
                }
            };
            found.push(Changing { name, times: known.clone(), values, how });
        }
    }
    Ok(found)
}

fn list<'a>(of: &'a Json, name: &str) -> Result<&'a [Json], String> {
    of.get(name).and_then(Json::as_array).map(Vec::as_slice).ok_or_else(|| format!("it has no list `{name}`"))
}

fn same(times: &[Json], values: &[Json], name: &str) -> Result<(), String> {
    match times.len() == values.len() {
        true => Ok(()),
        false => Err(format!("it has {} `datetimes` and {} of `{name}`", times.len(), values.len())),
    }
}

/// Positions have to be in degrees, longitude first.
fn degrees(crs: &Json) -> Result<(), String> {
    let name = crs.pointer("/properties/name").and_then(Json::as_str).unwrap_or_default();
    match crs.is_null() || name.contains("CRS84") || name.contains("4326") {
        true => Ok(()),
        false => Err(format!("its positions are in the reference system `{name}`, expected CRS84")),
    }
}
