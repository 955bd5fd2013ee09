//! Every kind of window with every aggregate, through the whole engine, against plain definitions over the list of all
//! events: whatever the order in which they come (within the bound that the source promises), the number of shards, and
//! where a run is saved and goes on elsewhere.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, rule_file};
use geocep::{
    geo::{Position, geodesic_m},
    lang::check::AGGREGATES,
    model::{Key, Value, Zone, parse_time},
    op::window::Stagger,
};
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

#[derive(Clone, Debug)]
struct Event {
    ts: i64,
    id: String,
    lon: f64,
    lat: f64,
    speed: f64,
}

/// What a call is over the events of a window, which is so many seconds long.
type Definition = fn(&[&Event], f64) -> Json;

fn speeds(events: &[&Event]) -> Vec<f64> {
    events.iter().map(|event| event.speed).collect()
}

fn sorted(events: &[&Event]) -> Vec<f64> {
    let mut speeds = speeds(events);
    speeds.sort_by(f64::total_cmp);
    speeds
}

fn different(events: &[&Event]) -> Vec<f64> {
    let mut sorted = sorted(events);
    sorted.dedup();
    sorted
}

fn over(events: &[&Event], of: impl Fn(&[f64]) -> f64) -> Json {
    if events.is_empty() { Json::Null } else { json!(of(&sorted(events))) }
}

fn rank(events: &[&Event], share: f64) -> Json {
    over(events, |sorted| sorted[((sorted.len() - 1) as f64 * share).floor() as usize])
}

fn points(events: &[&Event]) -> Vec<Position> {
    events.iter().map(|event| Position::new(event.lon, event.lat).unwrap()).collect()
}

fn stddev(events: &[&Event], _: f64) -> Json {
    let (speeds, count) = (speeds(events), events.len() as f64);
    let mean = speeds.iter().sum::<f64>() / count;
    let squares: f64 = speeds.iter().map(|x| (x - mean).powi(2)).sum();
    if events.len() < 2 { Json::Null } else { json!((squares / (count - 1.0)).sqrt()) }
}

fn ewma(events: &[&Event], _: f64) -> Json {
    let Some(last) = events.last() else { return Json::Null };
    let weight = |event: &&Event| 0.5f64.powf((last.ts - event.ts) as f64 / 20_000.0);
    let sum: f64 = events.iter().map(|event| weight(event) * event.speed).sum();
    json!(sum / events.iter().map(weight).sum::<f64>())
}

fn top(events: &[&Event], _: f64) -> Json {
    let mut ranked: Vec<(usize, f64)> = different(events)
        .into_iter()
        .map(|speed| (usize::MAX - events.iter().filter(|event| event.speed == speed).count(), speed))
        .collect();
    ranked.sort_by(|a, b| a.partial_cmp(b).unwrap());
    json!(ranked.into_iter().take(2).map(|(_, speed)| speed).collect::<Vec<_>>())
}

fn bounds(events: &[&Event], _: f64) -> Json {
    let (lon, lat): (Vec<f64>, Vec<f64>) = events.iter().map(|event| (event.lon, event.lat)).unzip();
    let least = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |of: &[f64]| of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if events.is_empty() { Json::Null } else { json!([least(&lon), least(&lat), most(&lon), most(&lat)]) }
}

/// Measures, and what each is. A few hundred metres across a hull is what it is on a plane, and a middle the mean.
const CALLS: &[(&str, Definition)] = &[
    ("count(*)", |events, _| json!(events.len())),
    ("count(DISTINCT speed)", |events, _| json!(different(events).len())),
    ("distinct(speed)", |events, _| json!(different(events).len())),
    ("approx_distinct(speed)", |events, _| json!(different(events).len())),
    ("sum(speed)", |events, _| over(events, |all| all.iter().sum())),
    ("avg(speed)", |events, _| over(events, |all| all.iter().sum::<f64>() / all.len() as f64)),
    ("min(speed)", |events, _| over(events, |all| all[0])),
    ("max(speed)", |events, _| over(events, |all| all[all.len() - 1])),
    ("first(speed)", |events, _| json!(events.first().map(|event| event.speed))),
    ("last(speed)", |events, _| json!(events.last().map(|event| event.speed))),
    ("rate(*)", |events, seconds| json!(events.len() as f64 / seconds)),
    ("stddev(speed)", stddev),
    ("ewma(speed, 20 s)", ewma),
    ("quantile(speed, 0.9)", |events, _| rank(events, 0.9)),
    ("median(speed)", |events, _| rank(events, 0.5)),
    ("top_k(speed, 2)", top),
    ("collect(speed)", |events, _| json!(speeds(events))),
    ("collect(DISTINCT speed)", |events, _| json!(different(events))),
    ("path_length(position)", |events, _| {
        json!(points(events).windows(2).map(|leg| geodesic_m(leg[0], leg[1])).sum::<f64>())
    }),
    ("displacement(position)", |events, _| {
        let all = points(events);
        json!(all.first().zip(all.last()).map_or(0.0, |(first, last)| geodesic_m(*first, *last)))
    }),
    ("straightness(position)", |events, _| {
        let all = points(events);
        let length = all.windows(2).map(|leg| geodesic_m(leg[0], leg[1])).sum::<f64>();
        let ends = all.first().zip(all.last()).map_or(0.0, |(first, last)| geodesic_m(*first, *last));
        if length > 0.0 { json!((ends / length).min(1.0)) } else { Json::Null }
    }),
    ("lon(centroid(position))", |events, _| {
        over(events, |all| events.iter().map(|event| event.lon).sum::<f64>() / all.len() as f64)
    }),
    ("bounding_box(position)", bounds),
    ("convex_hull(position)", |_, _| Json::Null),
];

/// For each aggregate that only events which pass a FILTER count.
const FILTER: &str = " FILTER (WHERE speed > 40 km/h)";

#[derive(Clone, Copy, Debug)]
enum Windows {
    Grid { size: i64, every: i64, step: i64, jitter: bool },
    Session { gap: i64, max: i64 },
    Count { size: usize, every: usize, expire: i64 },
    Place { size: i64, offset: i64, zone: &'static str },
}

const SHORT: &[(&str, &str, Windows)] = &[
    ("Tumbling", "TUMBLING 1 min", Windows::Grid { size: MINUTE, every: MINUTE, step: MINUTE, jitter: false }),
    (
        "Jittered",
        "TUMBLING 1 min JITTER 100%",
        Windows::Grid { size: MINUTE, every: MINUTE, step: MINUTE, jitter: true },
    ),
    (
        "Sliding",
        "SLIDING 70 s EVERY 20 s JITTER 100%",
        Windows::Grid { size: 70 * SECOND, every: 20 * SECOND, step: 70 * SECOND, jitter: true },
    ),
    (
        "Gaps",
        "SLIDING 20 s EVERY 70 s",
        Windows::Grid { size: 20 * SECOND, every: 70 * SECOND, step: 20 * SECOND, jitter: false },
    ),
    (
        "Growing",
        "CUMULATIVE 2 min EVERY 30 s JITTER 100%",
        Windows::Grid { size: 2 * MINUTE, every: 2 * MINUTE, step: 30 * SECOND, jitter: true },
    ),
    ("Session", "SESSION GAP 10 s MAX 1 min", Windows::Session { gap: 10 * SECOND, max: MINUTE }),
    ("Counted", "COUNT 7 EVERY 3 EXPIRE 30 s", Windows::Count { size: 7, every: 3, expire: 30 * SECOND }),
];

const LONG: &[(&str, &str, Windows)] = &[
    ("Leap", "TUMBLING 1 d", Windows::Grid { size: 24 * HOUR, every: 24 * HOUR, step: 24 * HOUR, jitter: false }),
    (
        "Paris",
        "TUMBLING 1 d TIME ZONE 'Europe/Paris'",
        Windows::Place { size: 24 * HOUR, offset: 0, zone: "Europe/Paris" },
    ),
    (
        "NewYork",
        "TUMBLING 6 h OFFSET 1 h TIME ZONE 'America/New_York'",
        Windows::Place { size: 6 * HOUR, offset: HOUR, zone: "America/New_York" },
    ),
    (
        "LordHowe",
        "TUMBLING 1 h TIME ZONE 'Australia/Lord_Howe'",
        Windows::Place { size: HOUR, offset: 0, zone: "Australia/Lord_Howe" },
    ),
];

/// A leap day, days on which clocks change in one of the zones, and one before 1970.
const DAYS: [&str; 5] = [
    "1967-04-30T07:00:00Z",
    "2024-02-29T12:00:00Z",
    "2025-03-30T01:00:00Z",
    "2025-04-05T15:00:00Z",
    "2025-11-02T06:00:00Z",
];

/// The windows around some events of a key: from, to.
fn spans(windows: Windows, rule: &str, id: &str, around: (i64, i64)) -> Vec<(i64, i64)> {
    match windows {
        Windows::Grid { size, every, step, jitter } => {
            let period = every.min(size).max(if every > size { every } else { 0 });
            let key = Key::new(&[Value::text(id)]);
            let offset = if jitter { Stagger::new(rule, 7, 100.0, period).unwrap().offset_ms(&key) } else { 0 };
            let index = |at: i64| (at - offset).div_euclid(every);
            let mut all = Vec::new();
            for k in index(around.0 - size) - 1..=index(around.1 + size) + 1 {
                let start = k * every + offset;
                all.extend((1..=size / step).map(|steps| (start, start + steps * step)));
            }
            all.sort_by_key(|(start, end)| (*end, *start));
            all
        }
        Windows::Place { size, offset, zone } => {
            // Each half hour: a window begins where the clocks show more whole sizes than ever before.
            let zone = Zone::new(zone).unwrap();
            let first = around.0.div_euclid(HOUR) * HOUR - 3 * 24 * HOUR;
            let (mut most, mut starts) = (None, Vec::new());
            for at in (first..around.1 + 3 * 24 * HOUR).step_by(HOUR as usize / 2) {
                let number = (zone.clock_ms(at).unwrap() - offset).div_euclid(size);
                if most.is_some_and(|most| most < number) {
                    starts.push(at);
                }
                most = most.max(Some(number));
            }
            starts.windows(2).map(|pair| (pair[0], pair[1])).collect()
        }
        Windows::Session { .. } | Windows::Count { .. } => unreachable!(),
    }
}

/// What a key's windows hold: start, end, events.
fn contents<'e>(windows: Windows, rule: &str, id: &str, events: &[&'e Event]) -> Vec<(i64, i64, Vec<&'e Event>)> {
    match windows {
        Windows::Session { gap, max } => {
            let mut all: Vec<(i64, i64, Vec<&Event>)> = Vec::new();
            for &event in events {
                match all.last_mut().filter(|session| event.ts < session.1) {
                    Some(session) => {
                        session.1 = (event.ts + gap).min(session.0 + max);
                        session.2.push(event);
                    }
                    None => all.push((event.ts, event.ts + gap.min(max), vec![event])),
                }
            }
            all
        }
        Windows::Count { size, every, expire } => {
            let lives = events.chunk_by(|a, b| b.ts - a.ts < expire);
            let full = lives.flat_map(|life| (0..life.len()).step_by(every).filter_map(|at| life.get(at..at + size)));
            full.map(|events| (events[0].ts, events[size - 1].ts, events.to_vec())).collect()
        }
        _ => {
            let (Some(first), Some(last)) = (events.first(), events.last()) else { return Vec::new() };
            // Years between events hold no windows.
            let mut islands: Vec<(i64, i64)> = Vec::new();
            for event in events {
                match islands.last_mut().filter(|island| event.ts - island.1 < 10 * 24 * HOUR) {
                    Some(island) => island.1 = event.ts,
                    None => islands.push((event.ts, event.ts)),
                }
            }
            assert_eq!((islands[0].0, islands[islands.len() - 1].1), (first.ts, last.ts));
            let mut all = Vec::new();
            for island in islands {
                let mut before = false;
                for (start, end) in spans(windows, rule, id, island) {
                    let inside: Vec<&Event> =
                        events.iter().copied().filter(|event| (start..end).contains(&event.ts)).collect();
                    let empty = inside.is_empty();
                    if before || !empty {
                        all.push((start, end, inside));
                    }
                    before = !empty;
                }
            }
            all
        }
    }
}

fn rules(windows: &[(&str, &str, Windows)]) -> String {
    let calls = CALLS.iter().enumerate();
    let measures = calls.map(|(at, (call, _))| match call.strip_prefix("lon(") {
        Some(inner) => {
            let inner = inner.trim_end_matches(')');
            format!("lon({inner})) AS a{at}, lon({inner}){FILTER}) AS f{at}")
        }
        None => format!("{call} AS a{at}, {call}{FILTER} AS f{at}"),
    });
    let measures = measures.collect::<Vec<_>>().join(", ");
    let texts = windows
        .iter()
        .map(|(name, clause, _)| (*name, format!("FROM pings\nPARTITION BY id\nWINDOW {clause}\nMEASURES {measures}")));
    let texts: Vec<(&str, String)> = texts.collect();
    let listed: Vec<(&str, &str, &str)> = texts.iter().map(|(name, text)| ("alert", *name, text.as_str())).collect();
    rule_file(&listed)
}

fn near(call: &str, found: &Json, expected: &Json) -> bool {
    let sketch = call.starts_with("quantile") || call.starts_with("median");
    let allowed = if sketch { 1.0 / 128.0 } else { 1e-6 };
    match (found.as_f64(), expected.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= allowed * b.abs().max(1e-6),
        _ => match (found, expected) {
            (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(call, a, b)),
            _ => found == expected,
        },
    }
}

/// Holds the lines of a run to the definitions.
fn hold(windows: &[(&str, &str, Windows)], events: &[Event], lines: &str) {
    let mut found: BTreeMap<(String, String, i64, i64), Json> = BTreeMap::new();
    for line in lines.lines() {
        let alert: Json = serde_json::from_str(line).unwrap();
        let alert = &alert["properties"];
        let time = |name: &str| parse_time(alert[name].as_str().unwrap()).unwrap();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let place = (text(&alert["rule"]), text(&alert["key"]["id"]), time("start"), time("end"));
        let twice = found.insert(place.clone(), alert["measures"].clone());
        // Of windows of events that stand at one instant there would be several.
        assert!(twice.is_none(), "{place:?} came twice");
    }
    let mut ids: Vec<&String> = events.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    for (rule, _, kind) in windows {
        for id in &ids {
            let own: Vec<&Event> = events.iter().filter(|event| event.id == **id).collect();
            for (start, end, inside) in contents(*kind, rule, id, &own) {
                let place = ((*rule).to_owned(), (*id).clone(), start, end);
                let measures = found.remove(&place).unwrap_or_else(|| panic!("{place:?} is missing"));
                let fast: Vec<&Event> = inside.iter().copied().filter(|event| event.speed > 40.0).collect();
                for (at, (call, definition)) in CALLS.iter().enumerate() {
                    for (name, events) in [(format!("a{at}"), &inside), (format!("f{at}"), &fast)] {
                        let found = &measures[&name];
                        if call.starts_with("convex_hull") {
                            assert_eq!(found.is_null(), events.is_empty());
                            continue;
                        }
                        let expected = definition(events, (end - start) as f64 / 1_000.0);
                        let fine = near(call, found, &expected);
                        assert!(fine, "{place:?} {name} {call}: {found}, not {expected}, over {events:?}");
                    }
                }
            }
        }
    }
    let rest: Vec<_> = found.keys().take(3).collect();
    assert!(rest.is_empty(), "nobody expected {rest:?}");
}

/// Random numbers for what a case's seed stands for.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % limit
    }

    fn event(&mut self, ts: i64) -> Event {
        let (lon, lat) = (self.below(1_000) as f64 / 1e6, self.below(1_000) as f64 / 1e6);
        Event { ts, id: format!("v{}", self.below(5)), lon, lat, speed: self.below(90) as f64 }
    }
}

const DISORDER: i64 = 15 * SECOND;

/// A scene of these events on two partitions, each in an order in which none is late.
fn scene(windows: &[(&str, &str, Windows)], events: &[Event], random: &mut Random) -> Scene {
    let mut lanes = vec![Vec::new(), Vec::new()];
    for event in events {
        let lane = usize::from(event.id.as_str() > "v2");
        lanes[lane].push((event.ts + random.below(DISORDER), event));
    }
    let record = |(_, event): &(i64, &Event)| ping(event.ts, &event.id, event.lon, event.lat, event.speed);
    for lane in &mut lanes {
        lane.sort_by_key(|(arrives, event)| (*arrives, event.ts));
    }
    let mut scene = Scene::pings(&rules(windows), lanes.iter().map(|lane| lane.iter().map(record).collect()).collect());
    scene.lanes.iter_mut().for_each(|lane| lane.disorder_ms = DISORDER);
    scene
}

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2_026) };
    ProptestConfig { cases: asked.unwrap_or(4), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

fn play_all(windows: &[(&str, &str, Windows)], events: &[Event], random: &mut Random) {
    let scene = scene(windows, events, random);
    let lines = scene.play(&Mode::default());
    hold(windows, events, &lines);
    for shards in [2, 8] {
        let steps: Vec<(usize, usize)> = (0..6).map(|at| (at % 2, random.below(80) as usize)).collect();
        let moves = vec![(1, shards), (3, 1 + shards / 2), (4, 8)];
        assert_eq!(lines, scene.play(&Mode { shards, steps, moves, ..Mode::default() }), "on {shards} shards");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn short_windows_around_1970_equal_their_definition(seed: u64) {
        let mut random = Random(seed);
        let mut ts = -4 * MINUTE;
        let events: Vec<Event> = (0..220)
            .map(|_| {
                let pause = if random.below(12) == 0 { 25_000 } else { 2_500 };
                ts += 1 + random.below(pause);
                random.event(ts)
            })
            .collect();
        play_all(SHORT, &events, &mut random);
    }

    #[test]
    fn days_of_places_equal_their_definition_where_clocks_change(seed: u64) {
        let mut random = Random(seed);
        let mut events = Vec::new();
        for day in DAYS {
            let mut ts = parse_time(day).unwrap() - 30 * HOUR;
            for _ in 0..60 {
                ts += 1 + random.below(2 * HOUR);
                events.push(random.event(ts));
            }
        }
        play_all(LONG, &events, &mut random);
    }
}

#[test]
fn no_aggregate_is_forgotten() {
    for (name, _) in AGGREGATES {
        let there =
            CALLS.iter().any(|(call, _)| call.starts_with(&format!("{name}(")) || call.contains(&format!("({name}(")));
        assert!(there, "`{name}` stands in no measure");
    }
}
