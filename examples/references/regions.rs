//! The references of regions: clusters of hot cells per window, and their identities from window to window.
//!
//! The kernel runs by itself: events are counted per cell and window here, and the cells with at least n of them are hot until
//! the next window ends. Identities are asked of a rule, too, which counts by itself.

use super::{
    parameter::{number_after, replace_all, span_in},
    rows::Row,
    set::Set,
};
use flate2::read::MultiGzDecoder;
use geocep::{
    geo::{Cell, Position, Resolution},
    model::{TimeMs, format_time, parse_time},
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

/// `*_regions_*.json`: every region at every tick, by the kernel and by a rule of this text, whose alerts `replay` gives.
///
/// # Errors
/// What can't be read.
pub(super) fn regions(
    set: &Set,
    reference: &Value,
    text: &str,
    replay: &dyn Fn(&str) -> Result<Vec<Value>, String>,
) -> Result<Vec<Answer>, String> {
    let mut all = of_regions(reference, "", &|threshold, limits, see| {
        let (windows, _) = windows(set, reference)?;
        run(&windows, threshold, Config { limits, ..Config::default() }, |tick, _, records| {
            records.iter().for_each(|record| see(tick, of_record(record)));
        })
    })?;
    all.extend(of_regions(reference, ", by rule", &|threshold, limits, see| {
        let alerts = replay(&rule(reference, text, threshold, &limits)?)?;
        alerts.iter().filter(|alert| alert["rule"] == "Region").try_for_each(|alert| {
            let tick = alert["measures"]["tick"].as_str().and_then(|tick| parse_time(tick).ok());
            see(tick.ok_or("a region without a tick")?, of_alert(alert));
            Ok(())
        })
    })?);
    Ok(all)
}

/// The rule with the numbers of a reference.
fn rule(reference: &Value, text: &str, threshold: u32, limits: &Limits) -> Result<String, String> {
    let what = reference["what"].as_str().unwrap_or_default();
    let resolution = number_after(what, "H3 res ").unwrap_or("8");
    let size = size_of(reference)?;
    let (from, to) = span_of(reference)?;
    let (from, to) = (from.div_euclid(size) * size, to.div_euclid(size) * size);
    let Limits { survive, split, grow, shift, dense } = limits;
    let numbers = format!("SURVIVE {survive} SPLIT {split} GROW {grow} MOVE {shift} DENSE {dense}");
    replace_all(
        text,
        &[
            ("time >= TIME '2014-05-02T04:00:00Z'", &format!("time >= TIME '{}'", format_time(from))),
            ("time < TIME '2014-05-03T04:00:00Z'", &format!("time < TIME '{}'", format_time(to))),
            ("tick <= TIME '2014-05-03T04:00:00Z'", &format!("tick <= TIME '{}'", format_time(to))),
            ("h3(position, 8)", &format!("h3(position, {resolution})")),
            ("15 min", &format!("{size} ms")),
            ("n >= 3", &format!("n >= {threshold}")),
            ("SURVIVE 0.5 SPLIT 0.25 GROW 0.1 MOVE 0.3 DENSE 0.3", &numbers),
        ],
    )
}

/// Told of each region at each tick.
type See<'a> = &'a mut dyn FnMut(TimeMs, Map<String, Value>);

fn of_regions(
    reference: &Value,
    by: &str,
    run: &dyn Fn(u32, Limits, See<'_>) -> Result<(), String>,
) -> Result<Vec<Answer>, String> {
    let share = |name: &str, default: f64| reference["params"][name].as_f64().unwrap_or(default);
    let limits = Limits {
        survive: share("SURVIVE", 0.5),
        split: share("SPLIT", 0.25),
        grow: share("GROW", 0.1),
        shift: share("MOVE", 0.3),
        dense: share("DENSE", 0.3),
    };
    let answers = answers(reference, |threshold, expected| {
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
        let mut last = (TimeMs::MIN, 0);
        run(threshold, limits, &mut |tick, region| {
            last = (tick, if last.0 == tick { last.1 + 1 } else { 0 });
            let word = |name: &str| region.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let flags = region
                .get("flags")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned);
            for word in std::iter::once(word("transition")).chain(flags) {
                *found_tally.entry(word).or_insert(0) += 1;
            }
            let key = (tick, word("id"), word("transition"));
            found.push(row(tick, last.1, &described(region, shapes.get(&key))));
        })?;
        tally.sort_all_objects();
        rows.push(Row::default().text("tally").json(&tally));
        found.push(Row::default().text("tally").json(&json!(found_tally)));
        Ok((rows, found))
    })?;
    Ok(answers.into_iter().map(|answer| Answer { part: format!("{}{by}", answer.part), ..answer }).collect())
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
    let size = size_of(reference)?;
    let (from, to) = span_of(reference)?;
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

/// The reference's windows, in milliseconds.
fn size_of(reference: &Value) -> Result<TimeMs, String> {
    let what = reference["what"].as_str().unwrap_or_default();
    let minutes = span_in(what).and_then(|span| span.strip_suffix(" min")?.parse::<TimeMs>().ok());
    let size = reference["params"]["window_ms"].as_i64().or(minutes.map(|minutes| minutes * 60_000));
    size.ok_or_else(|| "the reference names no window".to_owned())
}

/// The reference's day.
fn span_of(reference: &Value) -> Result<(TimeMs, TimeMs), String> {
    // A day of New York, in summer, where only the day is named.
    let day = || parse_time(&format!("{}T04:00:00Z", reference["day"].as_str().unwrap_or_default()));
    let from = reference["from_ts"].as_i64().map_or_else(day, Ok)?;
    Ok((from, reference["to_ts"].as_i64().unwrap_or(from + 86_400_000)))
}

/// A record in the words of the reference.
fn of_record(record: &Record) -> Map<String, Value> {
    let ids = |ids: &[geocep::op::cluster::RegionId]| json!(ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut found = Map::new();
    let mut put = |name: &str, value: Value| found.insert(name.to_owned(), value);
    put("id", json!(record.id.to_string()));
    put("transition", json!(record.transition.name()));
    if !record.has_ended {
        put("cells", json!(record.look.size));
        put("lowest", json!(record.look.lowest.to_string()));
    }
    if let Some(overlap) = record.overlap {
        put("overlap", json!(overlap));
    }
    if let Some(metres) = record.displacement_m {
        put("flags", json!(record.flags.names().collect::<Vec<_>>()));
        put("displacement_m", json!(metres));
    }
    put("parts", ids(&record.parts));
    put("parents", ids(&record.parents));
    if let Some(into) = record.absorbed_into {
        put("absorbed_into", json!(into.to_string()));
    }
    found
}

/// The same of an alert.
fn of_alert(alert: &Value) -> Map<String, Value> {
    let measures = &alert["measures"];
    let mut found = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            found.insert(name.to_owned(), value);
        }
    };
    put("id", alert["key"]["region"].clone());
    if !measures["cells"].is_null() {
        put("cells", measures["size"].clone());
        put("lowest", measures["lowest"].clone());
    }
    if !measures["displacement"].is_null() {
        let flags = ["grew", "shrank", "moved", "denser", "sparser"].into_iter();
        put("flags", json!(flags.filter(|flag| measures[*flag] == true).collect::<Vec<_>>()));
    }
    put("displacement_m", measures["displacement"].clone());
    for name in ["transition", "overlap", "parts", "parents", "absorbed_into"] {
        put(name, measures[name].clone());
    }
    found
}

/// What the reference doesn't say of a region isn't said here either, but who its parents are and where it went always is.
fn described(mut found: Map<String, Value>, expected: Option<&Value>) -> Value {
    let list = |found: &mut Map<String, Value>, name: &str| {
        found.remove(name).and_then(|list| list.as_array().cloned()).filter(|list| !list.is_empty())
    };
    let (parts, parents) = (list(&mut found, "parts"), list(&mut found, "parents"));
    let into = found.remove("absorbed_into");
    if let Some(parts) = parts {
        // By number or by name.
        let count = expected.is_some_and(|expected| expected["parts"].is_number());
        found.insert("parts".to_owned(), if count { json!(parts.len()) } else { json!(parts) });
    }
    if let Some(expected) = expected {
        found.retain(|name, _| expected.get(name).is_some());
    }
    if let Some(parents) = parents {
        found.insert("parents".to_owned(), json!(parents));
    }
    if let Some(into) = into {
        found.insert("absorbed_into".to_owned(), into);
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
