//! The index of rules is a filter and nothing more: with it and without it a core puts out the same, counts the same and is in the same
//! state, whatever the rules and events.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{load, rule_file};
use geocep::{
    engine::{AtEnd, Engine, Inline, Limits, Options, Output, RuleStats},
    geo::Position,
    model::{Batch, Header, StreamId, TimeMs, Value},
    plan::Rule,
    runtime::project::Project,
    time::PartitionIx,
};
use proptest::prelude::*;
use std::sync::Arc;

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, type: string, speed: { type: float, unit: km/h }, heading: float, n: int, vip: bool }
geofences:
  zones: zones.geojson
tables:
  grades: { path: grades.csv, key: id, time: since }
";

const GRADES: &str =
    "id,since,grade\nv1,1970-01-01T00:00:00Z,1\nv1,1970-01-01T00:02:00Z,3\nv2,1970-01-01T00:00:30Z,2\n";

const ZONES: &str = r#"{"type":"FeatureCollection","features":[
{"type":"Feature","id":"west","properties":{"kind":"port"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,4],[0,0]]]}},
{"type":"Feature","id":"east","properties":{"kind":"town"},"geometry":{"type":"Polygon","coordinates":[[[3,0],[8,0],[8,4],[3,4],[3,0]]]}}]}"#;

/// A small generator of even random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A condition on the event alone.
fn condition(random: &mut Random, depth: u32) -> String {
    if depth > 0 && random.below(3) == 0 {
        let parts = [condition(random, depth - 1), condition(random, depth - 1)];
        return match random.below(5) {
            0 => format!("NOT ({})", parts[0]),
            1 | 2 => format!("({} OR {})", parts[0], parts[1]),
            _ => format!("({} AND {})", parts[0], parts[1]),
        };
    }
    let number = random.below(8);
    let sign = random.pick(&["<", "<=", ">", ">=", "=", "<>"]);
    let kind = random.pick(&["'stop'", "'move'", "'idle'"]);
    match random.below(20) {
        0..=3 => format!("type = {kind}"),
        4 => format!("type <> {kind}"),
        5 => format!("type IN ({kind}, 'idle')"),
        6 => format!("speed {sign} {number} km/h"),
        7 => format!("(speed >= {number} km/h AND speed < {} km/h)", number + 2),
        8 => format!("speed {sign} {number} m/s"),
        9 => format!("{number}.5 {sign} heading"),
        10 => format!("heading {sign} {number}"),
        11 => format!("n {sign} {number}"),
        12 => format!("n + 1 {sign} {number}"),
        13 => format!("abs(n - 3) {sign} {}", number / 2),
        14 => "inside(zones)".to_owned(),
        15 => "(inside(zones) AND fence.kind = 'port')".to_owned(),
        16 => random.pick(&["vip", "vip = TRUE", "speed IS NULL", "n IS NOT NULL", "heading > n"]).to_owned(),
        17 => format!("n BETWEEN {number} AND {}", number + 3),
        18 => random.pick(&["type LIKE 's%'", "upper(type) = 'STOP'", "id = 'v1'", "id IN ('v2', 'v3')"]).to_owned(),
        _ => format!("n IN ({number}, {}, 2.0)", number / 2),
    }
}

/// A rule's text. Every form is one that the language has; which fields and numbers it is about is random.
fn rule(random: &mut Random, derived: &[String]) -> String {
    let key = random.pick(&["id", "id", "id", "type", "id, type"]);
    if !derived.is_empty() && random.below(5) == 0 {
        let from = &derived[random.below(derived.len() as u64) as usize];
        let both = random.below(2) == 0;
        return match both {
            true => format!("FROM {from} WHERE speed > {} km/h PARTITION BY id MEASURES speed", random.below(6)),
            false => format!(
                "FROM pings, {from} PARTITION BY id PATTERN a -> b WITHIN 3 min DEFINE a FROM {from} AS speed > 1 km/h, b FROM pings AS {}\nAFTER MATCH NO SKIP",
                condition(random, 1)
            ),
        };
    }
    let mut c = |depth| condition(random, depth);
    let [a, b, d, w] = [c(1), c(1), c(1), c(2)];
    let filter = if random.below(2) == 0 { format!("WHERE {w}") } else { String::new() };
    let skip = random.pick(&[
        "",
        "AFTER MATCH NO SKIP",
        "AFTER MATCH SKIP TO NEXT ROW",
        "AFTER MATCH SKIP PAST LAST ROW",
        "ON TIMEOUT",
    ]);
    let pattern = |pattern: &str, define: String| {
        format!("FROM pings {filter}\nPARTITION BY {key}\nPATTERN {pattern}\nWITHIN 4 min\nDEFINE {define}\n{skip}")
    };
    let ab = format!("a AS {a}, b AS {b}");
    let abc = format!("{ab}, c AS {d}");
    match random.below(20) {
        16 | 17 => {
            let kind = random.pick(&["", "LEFT", "LEFT"]);
            let beside = random.pick(&["", "AND x.n < y.n", "AND y.speed > 3 km/h", "AND x.type = 'stop'"]);
            let within = random.pick(&["20 s", "-30 s .. 5 s", "-40 s .. -1 s", "0 s .. 0 s", "10 s .. 25 s"]);
            let wanted =
                random.pick(&["", "WHERE y.n > 2", "WHERE x.vip", "WHERE y.time IS NULL", "WHERE x.speed < y.speed"]);
            format!(
                "FROM pings x {kind} JOIN pings y ON x.id = y.id {beside} WITHIN {within}\n{wanted}\nMEASURES x.n AS a, y.n AS b, y.time AS at"
            )
        }
        18 => {
            let number = random.below(3);
            format!(
                "FROM pings LOOKUP grades ON grades.id = pings.id\nWHERE grades.grade > {number} AND {w}\nPARTITION BY {key}\nMEASURES grades.grade AS grade"
            )
        }
        19 => format!(
            "FROM pings LOOKUP grades ON grades.id = pings.id\nPARTITION BY {key}\nPATTERN a -> b\nWITHIN 4 min\nDEFINE a AS {a}, b AS grades.grade >= a.grades.grade AND {b}\n{skip}"
        ),
        0..=4 => format!("FROM pings WHERE {w} PARTITION BY {key} MEASURES speed, n"),
        5 => format!("FROM pings WHERE {w} AND speed > prev(speed) PARTITION BY {key} MEASURES speed"),
        6 => {
            format!("FROM pings {filter} PARTITION BY {key} WINDOW TUMBLING 1 min MEASURES count(*) AS n HAVING n > 1")
        }
        7 => {
            format!("FROM pings THROUGH zones WHERE passage = 'entered' AND {a} PARTITION BY id, fence MEASURES speed")
        }
        8 => pattern("a -> b", ab),
        9 => pattern("a -> b+ -> c", abc),
        10 => pattern("a b", ab),
        11 => pattern("a -> !b -> c", abc),
        12 => pattern("a ->> b", ab),
        13 => pattern(&format!("a -> b+ UNTIL ({d}) -> c"), format!("{ab}, c AS {w}")),
        14 => format!(
            "FROM pings {filter}\nPARTITION BY {key}\nPATTERN a -> !b FOR 40 s\nWITHIN UNBOUNDED\nDEFINE {ab}\n{skip}"
        ),
        _ => pattern("a -> (b | c)", format!("{ab}, c AS {d} AND speed > a.speed")),
    }
}

fn project(seeds: &[u64]) -> Project {
    let mut derived = Vec::new();
    let mut rules: Vec<(&str, String, String)> = Vec::new();
    for (at, &seed) in seeds.iter().enumerate() {
        let mut random = Random(seed);
        let text = rule(&mut random, &derived);
        rules.push(("alert", format!("r{at}"), text));
        if random.below(6) == 0 {
            let text = format!("FROM pings WHERE {} PARTITION BY id MEASURES speed, n", condition(&mut random, 1));
            rules.push(("alert", format!("s{at}"), text));
            derived.push(format!("s{at}"));
        }
    }
    let rules: Vec<(&str, &str, &str)> =
        rules.iter().map(|(kind, name, text)| (*kind, name.as_str(), text.as_str())).collect();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("geocep.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    std::fs::write(dir.path().join("zones.geojson"), ZONES).unwrap();
    std::fs::write(dir.path().join("grades.csv"), GRADES).unwrap();
    load(&config, &rule_file(&rules)).unwrap_or_else(|error| panic!("{error}"))
}

/// An event's time and row; every value may be missing.
fn event(random: &mut Random, project: &Project, now_ms: &mut TimeMs) -> (TimeMs, Vec<Value>) {
    *now_ms += random.below(12) as TimeMs * 1_000;
    let fields = &project.plan.streams[0].schema.fields;
    let row = fields.iter().map(|field| {
        let number = random.below(9) as f64;
        let missing = random.below(15) == 0;
        match field.name.as_str() {
            _ if missing => Value::Null,
            "id" => Value::text(random.pick(&["v1", "v2", "v3"])),
            "type" => Value::text(random.pick(&["stop", "move", "idle", "other"])),
            "speed" => Value::Float(number * 0.9),
            "heading" => Value::Float(number),
            "n" => Value::Int(number as i64 - 1),
            "vip" => Value::Bool(number > 4.0),
            "position" => Value::Point(Position::new(number, 2.0).unwrap()),
            other => panic!("a field `{other}`"),
        }
    });
    (*now_ms, row.collect())
}

/// Outputs of a step, and figures and state of each rule after it.
type Step = (Vec<Output>, Vec<String>);

/// How a core is played: whether it finds rules by the index, and after which step another core that does it the other way
/// takes its state and goes on.
#[derive(Clone, Copy, Debug)]
struct Way {
    shards: u32,
    indexed: bool,
    swap_at: Option<usize>,
}

fn core(project: &Project, shards: u32, indexed: bool) -> Engine {
    let options = Options { shards, key_groups: 16, seed: 3, eager: false };
    let (plan, world) = (Arc::clone(&project.plan), Arc::clone(&project.world));
    let mut engine = Engine::new(plan, world, options, Box::new(Inline)).unwrap();
    engine.set_indexed(indexed);
    // Where it is bounded, what is open is counted to the millisecond, and then that doesn't depend on a restart either.
    engine.set_limits(Limits { bytes: Some(1 << 50), ..Limits::default() });
    engine.add_partition(StreamId(0), 0, 0);
    engine
}

/// What a core puts out, its figures and its state after each step; batches of five events, with ticks between them.
fn play(project: &Project, events: &[u64], way: Way) -> (Vec<Step>, u64) {
    let mut engine = core(project, way.shards, way.indexed);
    let partition = PartitionIx(0);
    let (mut steps, mut late) = (Vec::new(), Vec::new());
    let mut random = Random(events.len() as u64);
    let (mut now_ms, mut offset) = (0, 0);
    for (step, chunk) in events.chunks(5).enumerate() {
        let mut batch = Batch::new(project.plan.streams[0].schema.fields.len());
        for &seed in chunk {
            let (time_ms, row) = event(&mut Random(seed), project, &mut now_ms);
            batch.push(Header { time_ms, partition: 0, offset }, row);
            offset += 1;
        }
        engine.push(partition, batch, &mut late);
        if random.below(6) == 0 {
            // A quiet stream: time goes on by the clock, and what is waiting leaves with it.
            engine.set_idle(partition, true);
            now_ms += random.below(100) as TimeMs * 1_000;
            engine.tick(now_ms);
        } else {
            engine.advance();
        }
        let mut outputs = Vec::new();
        engine.take(&mut outputs);
        let figures = |(at, rule): (usize, &Rule)| {
            let stats = engine.rule_stats(at as u32);
            // A partial match that was passed over may wait in another state than one that wasn't; both are the same to
            // every later event.
            match (0..rule.inputs.len()).any(|input| rule.interest(input).beyond_where.is_some()) {
                true => format!("{} {} {}", stats.outputs, stats.missing_key, stats.keys),
                // What is open is counted roughly between two collections, and a restored state begins with one.
                false => {
                    let RuleStats { outputs, missing_key, shed, keys, open: _, late: _, skip_misses: _ } = stats;
                    format!("{outputs} {missing_key} {shed} {keys} {:?}", engine.save_rule(at as u32))
                }
            }
        };
        steps.push((outputs, project.plan.rules.iter().enumerate().map(figures).collect()));
        if way.swap_at == Some(step) {
            let saved = engine.save();
            engine = core(project, way.shards, !way.indexed);
            engine.restore(&saved).unwrap();
        }
    }
    engine.finish(AtEnd::Drain);
    let mut outputs = Vec::new();
    engine.take(&mut outputs);
    steps.push((outputs, Vec::new()));
    (steps, engine.asked())
}

fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(96)) })]

    #[test]
    fn with_the_index_and_without_it_a_core_does_the_same(
        rules in prop::collection::vec(any::<u64>(), 1..24),
        events in prop::collection::vec(any::<u64>(), 0..120),
        shards in 1..3u32,
        swap_at in prop::option::of(0..24usize),
    ) {
        let project = project(&rules);
        let (without, _) = play(&project, &events, Way { shards, indexed: false, swap_at: None });
        for (indexed, swap_at) in [(true, None), (true, swap_at), (false, swap_at)] {
            let (with, _) = play(&project, &events, Way { shards, indexed, swap_at });
            for (at, (with, without)) in with.iter().zip(&without).enumerate() {
                prop_assert_eq!(&with.0, &without.0, "outputs of step {}", at);
                for (rule, (with, without)) in project.plan.rules.iter().zip(with.1.iter().zip(&without.1)) {
                    prop_assert_eq!(with, without, "after step {} of {}", at, &rule.canonical);
                }
            }
        }
    }
}

/// The texts of rules over `pings`, all filters.
fn filters(conditions: &[String]) -> Project {
    let rules: Vec<(String, String)> = conditions
        .iter()
        .enumerate()
        .map(|(at, condition)| (format!("r{at}"), format!("FROM pings WHERE {condition} PARTITION BY id MEASURES n")))
        .collect();
    let rules: Vec<(&str, &str, &str)> =
        rules.iter().map(|(name, text)| ("alert", name.as_str(), text.as_str())).collect();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("geocep.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    std::fs::write(dir.path().join("zones.geojson"), ZONES).unwrap();
    std::fs::write(dir.path().join("grades.csv"), GRADES).unwrap();
    load(&config, &rule_file(&rules)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_rule_that_an_event_cannot_concern_is_not_asked() {
    let types = ["stop", "move", "idle", "other"];
    for (name, condition) in [
        ("an equality", &(|at: u64| format!("id = 'k{at}'")) as &dyn Fn(u64) -> String),
        ("a range", &|at| format!("n >= {} AND n < {}", 2 * at, 2 * at + 2)),
        ("a range of a type", &|at| format!("type = '{}' AND n >= {at} AND n < {}", types[(at % 4) as usize], at + 1)),
        ("a geofence", &|at| format!("inside(zones) AND n * 3 = {at}")),
    ] {
        let project = filters(&(0..200).map(condition).collect::<Vec<_>>());
        let events: Vec<u64> = (0..500).collect();
        let (with, asked) = play(&project, &events, Way { shards: 1, indexed: true, swap_at: None });
        let (without, asked_all) = play(&project, &events, Way { shards: 1, indexed: false, swap_at: None });
        assert_eq!(with, without);
        assert_eq!(asked_all, 500 * 200);
        assert!(asked < 500 * 3, "{name}: {asked} of {asked_all}");
    }
}
