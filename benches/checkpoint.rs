//! What checkpoints do to the latency of events: a million keys with some 100 bytes of state each, events on a schedule that doesn't wait
//! for anybody (so that a pause counts for all events that it delays), with and without a checkpoint every few seconds. As a histogram, whose bars
//! are logarithms: ten signs are ten times as many events.
//!
//! Beside what the clock says there is what it would say if the thread never had to wait for a processor: the scheduler tells how long it had
//! to, and a queue of one server is played with what is left. On a machine that does other things only that says something. And there is a
//! run in which events do nothing: what the machine alone makes of such a schedule. Of the slowest steps it is told where their time went.
//!
//! `cargo bench --bench checkpoint -- [keys] [events per second] [seconds]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a bench has a clock and talks to people"
)]

use geocep::{
    engine::{
        Cut, Engine, Inline, Options,
        checkpoint::{Head, Names},
    },
    io::state::{CheckpointWriter, Contents, StateDir},
    model::{Batch, Header, StreamId, Value},
    plan::StreamOrigin,
    runtime::{
        config::Config,
        project::{Loaded, Project},
    },
};
use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A match that is open for each key: two events of it are kept.
const RULE: &str = "
groups:
  - name: g
    rules:
      - alert: Open
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN a -> b{2,} -> c
          WITHIN 365 d
          DEFINE a AS speed > 0, b AS speed > first(a.speed), c AS speed < 0
          MEASURES count(b) AS n
        limits: { partial_matches: 1 }
";

fn project() -> Project {
    let config = "sources: { pings: { stdin: , schema: { position: none, fields: { id: int, speed: float } } } }";
    let config = Config::parse(config, Path::new(""), &[], &|_| None).unwrap();
    let loaded = Loaded::of_text(config, "rules.yaml", RULE, BTreeMap::new());
    loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"))
}

/// How long this thread has had a processor, and has waited for one.
struct Waited(Option<File>);

#[derive(Clone, Copy, Default)]
struct Had {
    ran: Duration,
    waited: Duration,
}

impl Waited {
    fn new() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    fn so_far(&self) -> Had {
        let mut text = [0; 80];
        let read = self.0.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let mut words =
            text[..read].split(|byte| *byte == b' ').map(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let mut next = || Duration::from_nanos(words.next().flatten().unwrap_or(0));
        Had { ran: next(), waited: next() }
    }
}

/// A step that took long.
#[derive(Clone, Copy)]
struct Slow {
    at: Duration,
    took: Duration,
    had: Had,
    /// Whether a checkpoint was being written, and was begun in this step.
    busy: bool,
    cut: bool,
}

/// So many of the slowest steps are told of.
const SLOW: usize = 5;

/// What a run says.
struct Measured {
    /// Latencies in microseconds, by the clock.
    clock: Histogram<u64>,
    /// Without waits for a processor.
    alone: Histogram<u64>,
    longest_cut: Duration,
    slow: Vec<Slow>,
}

struct Run {
    engine: Engine,
    partition: geocep::time::PartitionIx,
    slots: Vec<bool>,
    offset: u64,
}

impl Run {
    fn new(project: &Project) -> Self {
        let options = Options::default();
        let mut engine =
            Engine::new(Arc::clone(&project.plan), Arc::clone(&project.world), options, Box::new(Inline)).unwrap();
        let at = project.plan.streams.iter().position(|stream| stream.origin == StreamOrigin::Source).unwrap();
        let slots = project.plan.streams[at].schema.fields.iter().map(|field| field.name == "id").collect();
        let partition = engine.add_partition(StreamId(at as u32), 0, 0);
        Self { engine, partition, slots, offset: 0 }
    }

    fn push(&mut self, key: u64, speed: f64) {
        let mut batch = self.engine.spare(self.slots.len()).unwrap_or_else(|| Batch::new(self.slots.len()));
        let header = Header { time_ms: self.offset as i64, partition: 0, offset: self.offset };
        let id = |is_id: &bool| if *is_id { Value::Int(key as i64) } else { Value::Float(speed) };
        batch.push(header, self.slots.iter().map(id).collect::<Vec<_>>());
        self.offset += 1;
        self.engine.push(self.partition, batch, &mut Vec::new());
        self.engine.advance();
    }
}

/// Whether there are checkpoints, and what else a run does.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// No event is pushed.
    Nothing,
    Without,
    With,
    /// All of a cut is held to the end of its writing.
    Held,
}

/// Latencies of events on a schedule.
fn measure(run: &mut Run, project: &Project, keys: u64, rate: u64, seconds: u64, how: How) -> Measured {
    let every = matches!(how, How::With | How::Held).then_some(Duration::from_secs(4));
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let mut writer = CheckpointWriter::new(state.path(), 3).unwrap();
    let names = Names::of(&project.plan, &project.world).encode();
    let head = Head { wall_ms: 0, version: "bench".to_owned(), seed: 0, key_groups: 1_024, hash_version: 1 };
    let (sender, cuts) = mpsc::sync_channel(1);
    let (tell, told) = mpsc::channel();
    let writing = thread::spawn(move || {
        for cut in cuts {
            let began = Instant::now();
            let contents = Contents { head: &head, names: &names, places: &[], undelivered: &[], epochs: &[] };
            let (cut, held): (_, Option<Cut>) = cut;
            let written = writer.write(&contents, cut, &[]).unwrap();
            drop(held);
            let _ = tell.send(());
            println!(
                "    checkpoint {}: {} MB, blocks {:?}, {:?}",
                written.number,
                written.bytes / 1_000_000,
                written.blocks,
                began.elapsed()
            );
        }
    });
    let clock = Histogram::<u64>::new(3).unwrap();
    let mut measured = Measured { alone: clock.clone(), clock, longest_cut: Duration::ZERO, slow: Vec::new() };
    let (waited, mut free) = (Waited::new(), Duration::ZERO);
    let (began, mut busy, mut last) = (Instant::now(), false, Duration::ZERO);
    let mut random = 7u64;
    for event in 0..rate * seconds {
        let due = Duration::from_nanos(event * 1_000_000_000 / rate);
        // Who only spins is the first that a scheduler takes the processor from.
        let ahead = due.saturating_sub(began.elapsed() + Duration::from_micros(80));
        if ahead > Duration::from_micros(20) {
            thread::sleep(ahead);
        }
        while began.elapsed() < due {
            std::hint::spin_loop();
        }
        let before = (Instant::now(), waited.so_far());
        busy &= told.try_recv().is_err();
        let cuts = every.is_some_and(|every| !busy && due.saturating_sub(last) >= every);
        if cuts {
            let at = Instant::now();
            // Another cut holds all of it to the end of the writing.
            let held = (how == How::Held).then(|| run.engine.cut());
            sender.send((run.engine.cut(), held)).unwrap();
            let out = waited.so_far().waited.saturating_sub(before.1.waited);
            measured.longest_cut = measured.longest_cut.max(at.elapsed().saturating_sub(out));
            (busy, last) = (true, due);
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if how != How::Nothing {
            run.push((random >> 33) % keys, 5.0);
        }
        measured.clock.record(began.elapsed().saturating_sub(due).as_micros() as u64).unwrap();
        let (took, after) = (before.0.elapsed(), waited.so_far());
        let had =
            Had { ran: after.ran.saturating_sub(before.1.ran), waited: after.waited.saturating_sub(before.1.waited) };
        free = free.max(due) + took.saturating_sub(had.waited);
        measured.alone.record(free.saturating_sub(due).as_micros() as u64).unwrap();
        let slow = &mut measured.slow;
        if slow.len() < SLOW || slow.last().is_some_and(|last| last.took < took) {
            slow.push(Slow { at: due, took, had, busy, cut: cuts });
            slow.sort_by_key(|slow| std::cmp::Reverse(slow.took));
            slow.truncate(SLOW);
        }
    }
    drop(sender);
    writing.join().unwrap();
    measured
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let get = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let (keys, rate, seconds) = (get(0, 1_000_000), get(1, 20_000), get(2, 20));
    let project = project();
    let mut run = Run::new(&project);
    let began = Instant::now();
    for key in 0..keys {
        run.push(key, 1.0);
    }
    // One at a time, as a checkpoint is written: a hundred megabytes that are freed at once are felt later.
    let cut = run.engine.cut();
    let bytes = cut.blocks().iter().map(|block| cut.payload(block.id).unwrap().len()).sum::<usize>();
    drop(cut);
    println!(
        "{keys} keys in {:?}, {} bytes a key; {rate} events/s for {seconds} s",
        began.elapsed(),
        bytes as u64 / keys.max(1)
    );
    for (name, how) in [
        ("events that do nothing", How::Nothing),
        ("without checkpoints", How::Without),
        ("every 4 s", How::With),
        ("every 4 s, memory given back at once", How::Held),
        ("without checkpoints, again", How::Without),
        ("events that do nothing, again", How::Nothing),
    ] {
        let Measured { clock, alone, longest_cut, slow } = measure(&mut run, &project, keys, rate, seconds, how);
        for (by, histogram) in [("by the clock", &clock), ("without waits for a processor", &alone)] {
            let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
            println!(
                "{name}: {by} p50 {:.3} ms, p99 {:.3}, p99.9 {:.3}, p99.99 {:.3}, max {:.3}; longest cut {longest_cut:?}",
                at(0.5),
                at(0.99),
                at(0.999),
                at(0.9999),
                histogram.max() as f64 / 1e3,
            );
        }
        for Slow { at, took, had, busy, cut } in slow {
            let when = match (cut, busy) {
                (true, _) => ", with a cut",
                (false, true) => ", while a checkpoint was written",
                (false, false) => "",
            };
            println!("    slow at {at:.2?}: {took:.1?}, ran {:.1?}, waited {:.1?}{when}", had.ran, had.waited);
        }
        let mut low = 0;
        for high in [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 1_000_000_000] {
            let count = alone.count_between(low, high - 1);
            let share = count as f64 / alone.len().max(1) as f64;
            let bar = "#".repeat((60.0 + 10.0 * share.log10()).max(0.0) as usize);
            if count > 0 {
                println!("    from {low:>6} us {count:>8} {bar}");
            }
            low = high;
        }
    }
}
