//! Keys on disk against keys on the heap: events per second and resident memory, where an event's key is any (uniform) or mostly one of a few (Zipf),
//! and a tenth of the keys may stay in memory. Each run is a process of its own, so that memory is its own.
//!
//! `cargo bench --bench backend -- [keys] [events] [resident, per cent]`; the store is in `TMPDIR`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a bench has a clock and talks to people"
)]

use geocep::{
    engine::{
        Engine, Inline, Options, Spilling,
        checkpoint::{Head, Names},
    },
    io::state::{CheckpointWriter, Contents, SpillStore, StateDir},
    model::{Batch, Header, StreamId, Value},
    plan::StreamOrigin,
    runtime::{
        config::Config,
        project::{Loaded, Project},
    },
};
use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// An open window for each key, of some 100 bytes.
const RULE: &str = "
groups:
  - name: g
    rules:
      - alert: Month
        expr: |
          FROM pings
          PARTITION BY id
          WINDOW TUMBLING 30 d
          MEASURES count(*) AS n, avg(speed) AS mean, stddev(speed) AS spread, min(speed) AS least, max(speed) AS most
";
/// Events that come at once.
const CHUNK: u64 = 256;

fn project() -> Project {
    let config = "sources: { pings: { stdin: , schema: { position: none, fields: { id: int, speed: float } } } }";
    let config = Config::parse(config, Path::new(""), &[], &|_| None).unwrap();
    let loaded = Loaded::of_text(config, "rules.yaml", RULE, BTreeMap::new());
    loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"))
}

struct Run {
    engine: Engine,
    partition: geocep::time::PartitionIx,
    slots: Vec<bool>,
    offset: u64,
}

impl Run {
    fn new(project: &Project, spilling: Option<&Spilling>) -> Self {
        let (plan, world) = (Arc::clone(&project.plan), Arc::clone(&project.world));
        let mut engine = Engine::new(plan, world, Options::default(), Box::new(Inline)).unwrap();
        spilling.into_iter().for_each(|spilling| engine.spill_to(spilling.clone()));
        let at = project.plan.streams.iter().position(|stream| stream.origin == StreamOrigin::Source).unwrap();
        let slots = project.plan.streams[at].schema.fields.iter().map(|field| field.name == "id").collect();
        let partition = engine.add_partition(StreamId(at as u32), 0, 0);
        Self { engine, partition, slots, offset: 0 }
    }

    /// Events of these keys; events per second.
    fn push(&mut self, count: u64, mut key: impl FnMut(u64) -> u64) -> f64 {
        let began = Instant::now();
        for from in (0..count).step_by(CHUNK as usize) {
            let mut batch = self.engine.spare(self.slots.len()).unwrap_or_else(|| Batch::new(self.slots.len()));
            for at in from..(from + CHUNK).min(count) {
                let (key, speed) = (key(at), (self.offset % 90) as f64);
                let header = Header { time_ms: (self.offset / 100) as i64, partition: 0, offset: self.offset };
                let value = |is_id: &bool| if *is_id { Value::Int(key as i64) } else { Value::Float(speed) };
                batch.push(header, self.slots.iter().map(value).collect::<Vec<_>>());
                self.offset += 1;
            }
            self.engine.push(self.partition, batch, &mut Vec::new());
            self.engine.advance();
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1_024
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn checkpoint(run: &mut Run, writer: &mut CheckpointWriter, project: &Project) -> (u64, Duration) {
    let names = Names::of(&project.plan, &project.world).encode();
    let head = Head { wall_ms: 0, version: "bench".to_owned(), seed: 0, key_groups: 1_024, hash_version: 1 };
    let (began, cut) = (Instant::now(), run.engine.cut());
    let contents = Contents { head: &head, names: &names, places: &[], undelivered: &[], epochs: &[] };
    (writer.write(&contents, cut, &[]).unwrap().bytes, began.elapsed())
}

fn one(backend: &str, access: &str, keys: u64, events: u64, percent: u64) {
    let project = project();
    let dir = tempfile::tempdir().unwrap();
    let resident_keys = (keys * percent / 100).max(1) as usize;
    let spilling = (backend == "disk")
        .then(|| Spilling::new(Arc::new(SpillStore::open(&dir.path().join("spill")).unwrap()), resident_keys));
    let base = resident();
    let mut run = Run::new(&project, spilling.as_ref());
    let fill = run.push(keys, |at| at);
    let filled = resident() - base;
    let mut random = Random(7);
    let scale = (keys as f64).ln();
    let pick = |at: f64| match access {
        "uniform" => (at * keys as f64) as u64,
        // Every key as likely as its rank is low: the first tenth of the ranks gets five events in six of a million keys'.
        _ => ((at * scale).exp() as u64).wrapping_mul(2_654_435_761) % keys,
    };
    let rate = run.push(events, |_| pick(random.next()));
    let used = resident() - base;
    let moved = spilling.as_ref().map(|spilling| (spilling.figures(), spilling.fault().cloned()));
    let state = StateDir::open(&dir.path().join("state")).unwrap();
    let mut writer = CheckpointWriter::new(state.path(), 3).unwrap();
    let (bytes, took) = checkpoint(&mut run, &mut writer, &project);
    println!(
        "{backend:>5} {access:>8}: fill {fill:>9.0}/s, then {rate:>9.0} events/s; resident {:>5} MB filled, {:>5} MB at the end ({} bytes a key); a full checkpoint {} MB in {:.1} s{}",
        filled / 1_000_000,
        used / 1_000_000,
        used / keys,
        bytes / 1_000_000,
        took.as_secs_f64(),
        moved.map(|(figures, fault)| format!("; {figures:?} {fault:?}")).unwrap_or_default()
    );
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let get = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let (keys, events, percent) = (get(0, 1_000_000), get(1, 1_000_000), get(2, 10));
    if let [backend, access, ..] = &words[..]
        && backend.parse::<u64>().is_err()
    {
        return one(backend, access, keys, events, percent);
    }
    println!("{keys} keys, {events} events; {percent} % of the keys stay in memory");
    for access in ["uniform", "zipf"] {
        for backend in ["heap", "disk"] {
            let numbers = [keys, events, percent].map(|number| number.to_string());
            let status = Command::new(std::env::current_exe().unwrap()).args([backend, access]).args(numbers).status();
            assert!(status.unwrap().success());
        }
    }
}
