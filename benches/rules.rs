//! What many rules cost, against one rule that matches every event: 1,000 rules that each match a thousandth of the events
//! put out as much as that one rule, so the difference is what it takes to find them.
//!
//! Run with `cargo bench --bench rules`; further arguments: `--events FILE.ndjson` (`ts`, `id`, `type`, `speed`, `heading`) and
//! `--rules FILE.ndjson` (`type`, `lo`, `hi`, `h0`, `h1`) for a file's events and rules instead of random ones of the same
//! shape, and `--seconds N` for how long to go on. Events are decoded before; matches are counted, not encoded. Lines are
//! measured in turn, and the fastest round of each counts; times are those of the processor.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock and files")]

use geocep::{
    engine::{AtEnd, Engine, Inline, Options},
    model::{Batch, Header, StreamId, TimeMs, Value},
    runtime::project::{Loaded, Project, Request},
};
use std::{collections::BTreeMap, fmt::Write, fs, sync::Arc, time::Instant};

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, type: string, speed: float, heading: int }
";

const EVENTS: usize = 100_000;
const BATCH: usize = 1_000;
const KINDS: [(&str, f64); 4] = [("move", 0.5457), ("ping", 0.1611), ("stop", 0.1003), ("idle", 0.1930)];

/// A small generator of even random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Ping {
    ts: TimeMs,
    id: String,
    kind: String,
    speed: f64,
    heading: i64,
}

struct Box5 {
    kind: String,
    speed: (f64, f64),
    heading: (i64, i64),
}

fn random_pings(count: usize, random: &mut Random) -> Vec<Ping> {
    let ping = |at: usize| {
        let mut share = random.next();
        let kind = KINDS.iter().find(|(_, part)| {
            share -= part;
            share < 0.0
        });
        Ping {
            ts: 1_700_000_000_000 + at as TimeMs * 3,
            id: format!("v{:07}", (random.next() * 10_000.0) as u32),
            kind: kind.map_or("move", |(kind, _)| kind).to_owned(),
            speed: (random.next() * 400.0).floor() / 10.0,
            heading: (random.next() * 360.0) as i64,
        }
    };
    (0..count).map(ping).collect()
}

/// Each meets about a thousandth of the events: a type, a tenth of the headings, and so much of the speeds as is left.
fn random_boxes(count: usize, random: &mut Random) -> Vec<Box5> {
    let make = |_| {
        let (kind, share) = KINDS[(random.next() * 4.0) as usize];
        let width = 40.0 * 0.001 / (share * 0.1);
        let low = (random.next() * (40.0 - width) * 100.0).round() / 100.0;
        let heading = (random.next() * 324.0) as i64;
        Box5 { kind: kind.to_owned(), speed: (low, low + width), heading: (heading, heading + 36) }
    };
    (0..count).map(make).collect()
}

fn read<T>(path: &str, of: impl Fn(&serde_json::Value) -> T) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| of(&serde_json::from_str(line).unwrap())).collect()
}

fn project(rules: &[String]) -> Project {
    let mut text = "groups:\n  - name: bench\n    rules:\n".to_owned();
    for (at, rule) in rules.iter().enumerate() {
        write!(text, "      - alert: R{at:05}\n        expr: |\n          {}\n", rule.replace('\n', "\n          "))
            .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let (config, file) = (dir.path().join("geocep.yaml"), dir.path().join("rules.yaml"));
    fs::write(&config, CONFIG).unwrap();
    fs::write(&file, text).unwrap();
    let loaded = Loaded::read(&Request { config: Some(config), rules: vec![file], ..Request::default() }).unwrap();
    loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"))
}

/// A line of the table: rules over the pings.
struct Line {
    name: &'static str,
    project: Project,
    indexed: bool,
    batches: Vec<Batch>,
    best_ns: f64,
    matches: usize,
    asked: f64,
}

impl Line {
    fn new(name: &'static str, rules: &[String], pings: &[Ping], indexed: bool) -> Self {
        let project = project(rules);
        let fields = &project.plan.streams[0].schema.fields;
        let row = |ping: &Ping| {
            let value = |name: &str| match name {
                "id" => Value::text(&ping.id),
                "type" => Value::text(&ping.kind),
                "speed" => Value::Float(ping.speed),
                "heading" => Value::Int(ping.heading),
                _ => Value::Null,
            };
            fields.iter().map(|field| value(&field.name)).collect::<Vec<_>>()
        };
        let batches = pings.chunks(BATCH).enumerate().map(|(at, pings)| {
            let mut batch = Batch::new(fields.len());
            for (place, ping) in pings.iter().enumerate() {
                let offset = (at * BATCH + place) as u64;
                batch.push(Header { time_ms: ping.ts, partition: 0, offset }, row(ping));
            }
            batch
        });
        let batches = batches.collect();
        Self { name, project, indexed, batches, best_ns: f64::INFINITY, matches: 0, asked: 0.0 }
    }

    /// One round over all events, from a blank core.
    fn round(&mut self) {
        let options = Options::default();
        let (plan, world) = (Arc::clone(&self.project.plan), Arc::clone(&self.project.world));
        let mut engine = Engine::new(plan, world, options, Box::new(Inline)).unwrap();
        engine.set_indexed(self.indexed);
        let partition = engine.add_partition(StreamId(0), 0, 0);
        let batches = self.batches.clone();
        let events: usize = batches.iter().map(Batch::len).sum();
        let (mut outputs, mut late) = (Vec::new(), Vec::new());
        let mut matches = 0;
        let start = Clock::now();
        for batch in batches {
            engine.push(partition, batch, &mut late);
            engine.advance();
            engine.take(&mut outputs);
            matches += outputs.len();
            outputs.clear();
        }
        engine.finish(AtEnd::Last);
        engine.take(&mut outputs);
        matches += outputs.len();
        let ns = start.elapsed_ns() / events as f64;
        self.best_ns = self.best_ns.min(ns);
        assert!(self.matches == 0 || self.matches == matches, "rounds differ");
        self.matches = matches;
        self.asked = engine.asked() as f64 / events as f64;
    }
}

/// What this thread has worked, where the system says so: a machine with other work makes no difference then.
struct Clock(Option<u64>, Instant);

impl Clock {
    fn worked_ns() -> Option<u64> {
        fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
    }

    fn now() -> Self {
        Self(Self::worked_ns(), Instant::now())
    }

    fn elapsed_ns(&self) -> f64 {
        match (self.0, Self::worked_ns()) {
            (Some(from), Some(to)) => (to - from) as f64,
            _ => self.1.elapsed().as_nanos() as f64,
        }
    }
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn main() {
    let mut random = Random(42);
    let pings = match argument("--events") {
        Some(path) => read(&path, |value| Ping {
            ts: value["ts"].as_i64().unwrap(),
            id: value["id"].as_str().unwrap().to_owned(),
            kind: value["type"].as_str().unwrap().to_owned(),
            speed: value["speed"].as_f64().unwrap(),
            heading: value["heading"].as_i64().unwrap(),
        }),
        None => random_pings(EVENTS, &mut random),
    };
    let boxes = match argument("--rules") {
        Some(path) => read(&path, |value| Box5 {
            kind: value["type"].as_str().unwrap().to_owned(),
            speed: (value["lo"].as_f64().unwrap(), value["hi"].as_f64().unwrap()),
            heading: (value["h0"].as_i64().unwrap(), value["h1"].as_i64().unwrap()),
        }),
        None => random_boxes(1_000, &mut random),
    };
    let seconds: f64 = argument("--seconds").and_then(|text| text.parse().ok()).unwrap_or(10.0);
    let met = |Box5 { kind, speed, heading }: &Box5| {
        format!(
            "type = '{kind}' AND speed >= {:.2} AND speed < {:.2} AND heading >= {} AND heading < {}",
            speed.0, speed.1, heading.0, heading.1
        )
    };
    let filter = |condition: &str| format!("FROM pings\nWHERE {condition}\nPARTITION BY id\nMEASURES speed");
    let pattern = |first: &str, then: &str| {
        format!("FROM pings\nPARTITION BY id\nPATTERN a -> b\nWITHIN 10 min\nDEFINE a AS {first}, b AS {then}")
    };
    let filters: Vec<String> = boxes.iter().map(|of| filter(&met(of))).collect();
    let patterns: Vec<String> = boxes.iter().map(|of| pattern(&met(of), &met(of))).collect();
    let all = "speed >= 0 AND heading >= 0";
    let one_pattern = pattern("type = 'stop'", "type = 'move'");
    // Each rule asked of each event is slow: for a while only, and to compare what comes out.
    let part = &pings[..pings.len().min(5_000)];
    let mut lines = [
        Line::new("1 filter that matches all", &[filter(all)], &pings, true),
        Line::new("the same, no index", &[filter(all)], &pings, false),
        Line::new("1,000 filters of 0.1 %", &filters, &pings, true),
        Line::new("the first events", &filters, part, true),
        Line::new("the same, no index", &filters, part, false),
        Line::new("1 pattern a -> b", std::slice::from_ref(&one_pattern), &pings, true),
        Line::new("the same, no index", std::slice::from_ref(&one_pattern), &pings, false),
        Line::new("1,000 patterns a -> b", &patterns, &pings, true),
        Line::new("the first events", &patterns, part, true),
        Line::new("the same, no index", &patterns, part, false),
    ];
    let start = Instant::now();
    for round in 0.. {
        let slow = |line: &Line| !line.indexed && line.project.plan.rules.len() > 1;
        lines.iter_mut().filter(|line| round == 0 || !slow(line)).for_each(Line::round);
        if start.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    let expected: usize = pings
        .iter()
        .map(|ping| {
            let meets = |of: &&Box5| {
                of.kind == ping.kind
                    && (of.speed.0..of.speed.1).contains(&ping.speed)
                    && (of.heading.0..of.heading.1).contains(&ping.heading)
            };
            boxes.iter().filter(meets).count()
        })
        .sum();
    println!("{:>28} {:>10} {:>12} {:>12} {:>10}", "rules", "matches", "asked/event", "ns/event", "ratio");
    let base = lines[0].best_ns;
    for line in &lines {
        println!(
            "{:>28} {:>10} {:>12.2} {:>12.1} {:>10.2}",
            line.name,
            line.matches,
            line.asked,
            line.best_ns,
            line.best_ns / base
        );
    }
    if argument("--rules").is_some() {
        assert_eq!(lines[2].matches, expected, "matches of the filters, counted one by one");
    }
    for pair in lines.windows(2).filter(|pair| pair[0].indexed && !pair[1].indexed) {
        assert_eq!(pair[0].matches, pair[1].matches, "the index changed what `{}` find", pair[0].name);
    }
    println!("many / one: {:.2} (at most 3)", lines[2].best_ns / base);
}
