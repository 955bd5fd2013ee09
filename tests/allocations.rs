//! How often the matching path asks for memory, counted. An event that nothing waits for, of a key that is known, needs none; what a
//! batch needs is shared by its events. Run with `--nocapture` for the whole table.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and this one tells figures"
)]

mod common;

use allocation_counter::{AllocationInfo, measure};
use common::load;
use geocep::{
    engine::{Inline, Options},
    runtime::{
        project::Project,
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::{Chunk, Format},
};

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, type: string, speed: float, heading: int }
";

const SEQUENCE: &str = "FROM pings PARTITION BY id PATTERN a -> b+ -> c WITHIN 600001 ms
          DEFINE a AS type = 'stop', b AS type = 'idle', c AS type = 'move'
          AFTER MATCH SKIP TO NEXT ROW";
const FILTER: &str = "FROM pings WHERE speed > 500 AND type = 'stop' PARTITION BY id MEASURES speed";
const WINDOW: &str =
    "FROM pings PARTITION BY id WINDOW TUMBLING 1 min MEASURES count(*) AS n, avg(speed) AS v HAVING n > 1000";

const KEYS: u64 = 500;
const EVENTS: u64 = 256;

fn project(expr: &str) -> Project {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("geocep.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let rules = format!("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n          {expr}\n");
    load(&config, &rules).unwrap_or_else(|error| panic!("{error}"))
}

/// A session and the lines that it is given.
struct Play {
    session: Session,
    lane: LaneIx,
    chunk: Chunk,
    letters: Letters,
    lines: Lines,
    at: u64,
    step_ms: u64,
}

impl Play {
    fn new(expr: &str, step_ms: u64) -> Self {
        let project = project(expr);
        let mut session = Session::new(&project, Options::default(), Box::new(Inline)).unwrap();
        let schema = &project.config.sources["pings"].schema;
        let lane = session.add_partition("pings", schema, Format::Ndjson, 0, 0).unwrap();
        let (chunk, letters, lines) = (Chunk::new(), Letters::default(), Lines::default());
        Self { session, lane, chunk, letters, lines, at: 0, step_ms }
    }

    /// The next events, of all keys in turn; their types in turn of those given.
    fn fill(&mut self, types: &[&str]) {
        self.chunk.clear();
        for _ in 0..EVENTS {
            let (at, kind) = (self.at, types[(self.at / KEYS) as usize % types.len()]);
            let line = format!(
                "{{\"ts\":{},\"id\":\"v{:07}\",\"type\":\"{kind}\",\"lon\":-58.5,\"lat\":-34.5,\"speed\":{}.5,\"heading\":{}}}",
                1_700_000_000_000 + at * self.step_ms,
                at % KEYS,
                at % 40,
                at % 360
            );
            self.chunk.push(0, at, line.as_bytes(), 1 << 20);
            self.at += 1;
        }
    }

    /// Allocations by event: of decoding alone, and of everything, decoding, matching and encoding.
    fn per_event(&mut self, types: &[&str]) -> (f64, f64) {
        let (mut decoding, mut whole) = (0, 0);
        for _ in 0..BATCHES {
            self.fill(types);
            let Self { session, lane, chunk, letters, lines, .. } = self;
            let decoded: AllocationInfo = measure(|| drop(session.decode(*lane, chunk)));
            decoding += decoded.count_total;
            let all = measure(|| {
                session.push(*lane, chunk, letters);
                session.advance(lines);
                lines.clear();
            });
            whole += all.count_total;
        }
        let by_event = |count: u64| count as f64 / (BATCHES * EVENTS) as f64;
        (by_event(decoding), by_event(whole))
    }

    fn warm(&mut self, types: &[&str], batches: u64) {
        for _ in 0..batches {
            self.per_event_once(types);
        }
    }

    fn per_event_once(&mut self, types: &[&str]) {
        self.fill(types);
        self.session.push(self.lane, &self.chunk, &mut self.letters);
        self.session.advance(&mut self.lines);
        self.lines.clear();
    }
}

const BATCHES: u64 = 20;

/// All that a batch and its ways through the engine may take, by event.
const SHARED: f64 = 0.2;
const MIX: &[&str] = &["stop", "idle", "move", "idle", "ping", "move", "move", "move"];

#[test]
fn an_event_that_nothing_waits_for_needs_no_memory_of_its_own() {
    for (name, expr, before, types) in [
        ("a condition that nothing meets", FILTER, MIX, MIX),
        ("a pattern that nothing begins", SEQUENCE, MIX, &["ping"][..]),
        ("a pattern that waits for another event", SEQUENCE, &["stop"][..], &["ping"][..]),
        ("an event into a window", WINDOW, MIX, MIX),
    ] {
        let mut play = Play::new(expr, 3);
        play.warm(before, 40);
        play.warm(types, 40);
        let (decoding, whole) = play.per_event(types);
        println!("{name}: {decoding:.3} in decoding, {whole:.3} in all");
        assert!(decoding < SHARED && whole < SHARED, "{name}: {decoding} in decoding, {whole} in all");
    }
}

#[test]
fn an_event_of_a_mix_that_matches_needs_as_much_memory_as_it_did() {
    let mut play = Play::new(SEQUENCE, 30);
    play.warm(MIX, 80);
    let (decoding, whole) = play.per_event(MIX);
    println!("stop, idle, move among others: {decoding:.3} in decoding, {whole:.3} in all");
    assert!(whole < 6.0, "{whole}");
}
