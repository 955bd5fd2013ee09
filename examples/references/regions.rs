//! The references of regions: clusters of hot cells per window, and their identities from window to window.
//!
//! No rule can say them yet, so the kernel runs by itself: events are counted per cell and window here, and the cells with
//! at least n of them are hot until the next window ends.

use super::{
    parameter::{number_after, span_in},
    rows::Row,
    set::Set,
};
use flate2::read::MultiGzDecoder;
use geocep::{
    geo::{Cell, Position, Resolution},
    model::{TimeMs, parse_time},
    op::cluster::{Config, Emit, Limits, Load, Record, Regions},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
};

/// By window's end: cells and the numbers of their events.
type Windows = BTreeMap<TimeMs, BTreeMap<Cell, u32>>;

/// One threshold of a reference: what is expected, and what was found.
pub(super) struct Answer {
    pub(super) part: String,
    pub(super) expected: Vec<Row>,
    pub(super) found: Vec<Row>,
}

/// `*_clusters_*.json`: the connected components of each window's hot cells, and what those of two windows share.
///
/// # Errors
/// What can't be read.
pub(super) fn clusters(set: &Set, reference: &Value) -> Result<Vec<Answer>, String> {
    let (windows, size) = windows(set, reference)?;
    answers(reference, |threshold, expected| {
        let mut rows = Vec::new();
        for window in list(expected, "per_window")? {
            for (place, cells) in list(window, "cells")?.iter().enumerate() {
                let size = list(window, "sizes")?.get(place).cloned().unwrap_or_default();
                rows.push(Row::default().json(&window["window_start"]).json(&size).json(cells));
            }
        }
        for overlap in list(expected, "overlaps")? {
            rows.push(Row::default().text("overlap").json(overlap));
        }
        let mut found = Vec::new();
        let mut last: (TimeMs, Vec<BTreeSet<Cell>>) = (0, Vec::new());
        run(&windows, threshold, Config::default(), |end, regions, _| {
            let mut clusters: Vec<BTreeSet<Cell>> =
                regions.all().iter().map(|(_, view)| view.cells().collect()).collect();
            clusters.sort_by_key(|cells| (std::cmp::Reverse(cells.len()), cells.first().copied()));
            let start = end - size;
            for cells in &clusters {
                let names: Vec<String> = cells.iter().map(ToString::to_string).collect();
                found.push(Row::default().int(start).json(&json!(cells.len())).json(&json!(names)));
            }
            for (i, old) in last.1.iter().enumerate() {
                for (j, new) in clusters.iter().enumerate() {
                    let shared = old.intersection(new).count();
                    if shared > 0 {
                        found.push(Row::default().text("overlap").json(&json!([last.0, i, start, j, shared])));
                    }
                }
            }
            last = (start, clusters);
        })?;
        Ok((rows, found))
    })
}

/// `*_regions_*.json`: every region at every tick.
///
/// # Errors
/// What can't be read.
pub(super) fn regions(set: &Set, reference: &Value) -> Result<Vec<Answer>, String> {
    let (windows, _) = windows(set, reference)?;
    let share = |name: &str, default: f64| reference["params"][name].as_f64().unwrap_or(default);
    let limits = Limits {
        survive: share("SURVIVE", 0.5),
        split: share("SPLIT", 0.25),
        grow: share("GROW", 0.1),
        shift: share("MOVE", 0.3),
        dense: share("DENSE", 0.3),
    };
    answers(reference, |threshold, expected| {
        let mut rows = Vec::new();
        let mut shapes: BTreeMap<(TimeMs, String, String), Value> = BTreeMap::new();
        let (mut tally, mut found_tally) = (expected["tally"].clone(), BTreeMap::new());
        for tick in list(expected, "ticks")? {
            for (place, region) in list(tick, "regions")?.iter().enumerate() {
                let at = tick["tick"].as_i64().ok_or("a tick without a time")?;
                let name = |name: &str| region[name].as_str().unwrap_or_default().to_owned();
                rows.push(row(at, place, region));
                shapes.insert((at, name("id"), name("transition")), region.clone());
            }
        }
        let mut found = Vec::new();
        run(&windows, threshold, Config { limits, ..Config::default() }, |tick, _, records| {
            for (place, record) in records.iter().enumerate() {
                let key = (tick, record.id.to_string(), record.transition.name().to_owned());
                found.push(row(tick, place, &described(record, shapes.get(&key))));
                for word in std::iter::once(record.transition.name()).chain(record.flags.names()) {
                    *found_tally.entry(word).or_insert(0) += 1;
                }
            }
        })?;
        tally.sort_all_objects();
        rows.push(Row::default().text("tally").json(&tally));
        found.push(Row::default().text("tally").json(&json!(found_tally)));
        Ok((rows, found))
    })
}

/// The window's end is the tick: the cells over the threshold are the hot ones.
fn run(
    windows: &Windows,
    threshold: u32,
    config: Config,
    mut see: impl FnMut(TimeMs, &Regions, &[Record]),
) -> Result<(), String> {
    let mut regions = Regions::new(config).map_err(|error| error.to_string())?;
    let mut hot: BTreeSet<Cell> = BTreeSet::new();
    for (&tick, counts) in windows {
        let now: BTreeMap<Cell, u32> =
            counts.iter().filter(|(_, count)| **count >= threshold).map(|(&cell, &count)| (cell, count)).collect();
        hot.iter().filter(|cell| !now.contains_key(cell)).for_each(|&cell| regions.cool(cell));
        for (&cell, &count) in &now {
            regions.heat(cell, Load { weight: f64::from(count), ..Load::default() });
        }
        hot = now.into_keys().collect();
        let records = regions.evaluate(tick, Emit::All);
        see(tick, &regions, &records);
    }
    Ok(())
}

fn answers(
    reference: &Value,
    answer: impl Fn(u32, &Value) -> Result<(Vec<Row>, Vec<Row>), String>,
) -> Result<Vec<Answer>, String> {
    let by_threshold = reference["by_threshold"].as_object().ok_or("no object `by_threshold`")?;
    let of_threshold = |(threshold, expected): (&String, &Value)| {
        let number = threshold.parse().map_err(|_| format!("`{threshold}` is no threshold"))?;
        let (expected, found) = answer(number, expected)?;
        Ok(Answer { part: format!("n >= {threshold}"), expected, found })
    };
    by_threshold.iter().map(of_threshold).collect()
}

/// The events of the reference's day, counted: every window of it, also those without events.
fn windows(set: &Set, reference: &Value) -> Result<(Windows, TimeMs), String> {
    let what = reference["what"].as_str().unwrap_or_default();
    let resolution = number_after(what, "H3 res ").and_then(|number| number.parse().ok()).unwrap_or(8);
    let resolution = Resolution::new(resolution).map_err(|error| error.to_string())?;
    let minutes = span_in(what).and_then(|span| span.strip_suffix(" min")?.parse::<TimeMs>().ok());
    let size = reference["params"]["window_ms"].as_i64().or(minutes.map(|minutes| minutes * 60_000));
    let size = size.ok_or("the reference names no window")?;
    // A day of New York, in summer, where only the day is named.
    let day = || parse_time(&format!("{}T04:00:00Z", reference["day"].as_str().unwrap_or_default()));
    let from = reference["from_ts"].as_i64().map_or_else(day, Ok)?;
    let to = reference["to_ts"].as_i64().unwrap_or(from + 86_400_000);
    let mut windows: Windows = (from / size..to / size).map(|i| ((i + 1) * size, BTreeMap::new())).collect();
    let file = File::open(&set.events).map_err(|error| format!("can't read `{}`: {error}", set.events.display()))?;
    for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
        let event: Value =
            serde_json::from_str(&line.map_err(|error| error.to_string())?).map_err(|e| e.to_string())?;
        let at = event["ts"].as_i64().ok_or("an event without `ts`")?;
        let Some(counts) = windows.get_mut(&((at.div_euclid(size) + 1) * size)) else { continue };
        let (lon, lat) = (event["lon"].as_f64().unwrap_or(f64::NAN), event["lat"].as_f64().unwrap_or(f64::NAN));
        let place = Position::new(lon, lat).map_err(|error| error.to_string())?;
        *counts.entry(Cell::at(place, resolution)).or_default() += 1;
    }
    Ok((windows, size))
}

/// A record in the words of the reference. What the reference doesn't say of this record isn't said here either, but who
/// its parents are and where it went always is.
fn described(record: &Record, expected: Option<&Value>) -> Value {
    let ids = |ids: &[geocep::op::cluster::RegionId]| json!(ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut found = Map::new();
    found.insert("id".to_owned(), json!(record.id.to_string()));
    found.insert("transition".to_owned(), json!(record.transition.name()));
    if !record.has_ended {
        found.insert("cells".to_owned(), json!(record.look.size));
        found.insert("lowest".to_owned(), json!(record.look.lowest.to_string()));
    }
    if let Some(overlap) = record.overlap {
        found.insert("overlap".to_owned(), json!(overlap));
    }
    if let Some(metres) = record.displacement_m {
        found.insert("flags".to_owned(), json!(record.flags.names().collect::<Vec<_>>()));
        found.insert("displacement_m".to_owned(), json!(metres));
    }
    if !record.parts.is_empty() {
        // By number or by name.
        let count = expected.is_some_and(|expected| expected["parts"].is_number());
        found.insert("parts".to_owned(), if count { json!(record.parts.len()) } else { ids(&record.parts) });
    }
    if let Some(expected) = expected {
        found.retain(|name, _| expected.get(name).is_some());
    }
    if !record.parents.is_empty() {
        found.insert("parents".to_owned(), ids(&record.parents));
    }
    if let Some(into) = record.absorbed_into {
        found.insert("absorbed_into".to_owned(), json!(into.to_string()));
    }
    Value::Object(found)
}

/// A record at its place within the tick.
fn row(tick: TimeMs, place: usize, region: &Value) -> Row {
    let mut exact = region.clone();
    exact.sort_all_objects();
    let mut row = Row::default();
    if let Some(columns) = exact.as_object_mut() {
        for (name, decimals) in [("overlap", 6), ("displacement_m", 3)] {
            if let Some(number) = columns.remove(name).and_then(|value| value.as_f64()) {
                row = row.text(name).rounded(number, decimals);
            }
        }
        for name in ["parents", "parts", "flags"] {
            if let Some(list) = columns.get_mut(name).and_then(Value::as_array_mut) {
                list.sort_by_key(ToString::to_string);
            }
        }
    }
    row.int(tick).json(&json!(place)).json(&exact)
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    value[name].as_array().ok_or_else(|| format!("no list `{name}`"))
}
