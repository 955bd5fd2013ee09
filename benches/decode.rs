//! What reading a file of events, matching them and writing the alerts takes beside what nobody can do without: the workload W1 end to end;
//! reading the file alone; finding its lines; decoding the same fields by serde_json into a typed struct whose ranges are checked; and
//! finding a key in a table. All in turn, processor time of this thread, the fastest of some rounds each.
//!
//!     cargo bench --bench decode                         lines made here, half a million
//!     cargo bench --bench decode -- DIR                  DIR/w1.ndjson
//!
//! The aim is a ratio of 1.5 at most to the decoding of five fields.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock and files")]

use geocep::runtime::bench::{Mode, Workload, run_workload};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use serde::Deserialize;
use std::{
    fmt::Write,
    fs::{self, File},
    hint::black_box,
    io::Read,
    path::Path,
};

/// Rounds of each; the first warms up caches, too.
const ROUNDS: usize = 5;
const EVENTS: u64 = 500_000;
const VEHICLES: u64 = 10_000;
/// Keys of the larger table.
const KEYS: u64 = 1_000_000;
/// The file is read in blocks of so many bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// The fields that the workload's rule reads: the time, the position, the key and the type.
#[derive(Deserialize)]
struct Ping<'a> {
    ts: i64,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    lon: f64,
    lat: f64,
}

/// All fields that the lines have.
#[derive(Deserialize)]
struct Whole<'a> {
    ts: i64,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    lon: f64,
    lat: f64,
    speed: f64,
    heading: i64,
}

/// What is checked of a record.
trait Valid {
    fn is_valid(&self) -> bool;
}

fn in_range(ts: i64, lon: f64, lat: f64) -> bool {
    ts >= 0 && (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat)
}

impl Valid for Ping<'_> {
    fn is_valid(&self) -> bool {
        !self.id.is_empty() && !self.kind.is_empty() && in_range(self.ts, self.lon, self.lat)
    }
}

impl Valid for Whole<'_> {
    fn is_valid(&self) -> bool {
        let more = self.speed.is_finite() && (0..360).contains(&self.heading);
        more && !self.id.is_empty() && !self.kind.is_empty() && in_range(self.ts, self.lon, self.lat)
    }
}

/// Nanoseconds of the processor for each line.
fn typed<'a, T: Valid + Deserialize<'a>>(lines: &'a [u8]) -> f64 {
    let began = cpu_s();
    let (mut count, mut from) = (0, 0);
    for newline in memchr::memchr_iter(b'\n', lines) {
        let record: T = serde_json::from_slice(&lines[from..newline]).unwrap();
        assert!(black_box(record).is_valid());
        count += 1;
        from = newline + 1;
    }
    (cpu_s() - began) / f64::from(count) * 1e9
}

/// Reads a file in blocks and looks at nothing, or at where its lines end.
fn read(path: &Path, look: bool) -> f64 {
    let (mut file, mut block, mut lines) = (File::open(path).unwrap(), vec![0; BLOCK_BYTES], 0);
    loop {
        let count = file.read(&mut block).unwrap();
        if count == 0 {
            return f64::from(lines);
        }
        if look {
            lines += memchr::memchr_iter(b'\n', black_box(&block[..count])).count() as u32;
        }
    }
}

/// Looks each key of `asked` up in a table.
fn look_up<K: std::hash::Hash + Eq>(table: &HashMap<K, u64, FxBuildHasher>, asked: &[K]) -> u64 {
    asked.iter().filter_map(|key| table.get(black_box(key))).fold(0, |sum, value| sum ^ value)
}

/// Nanoseconds of the processor for each of `count`.
fn each<T>(count: usize, work: impl FnOnce() -> T) -> f64 {
    let began = cpu_s();
    black_box(work());
    (cpu_s() - began) / count as f64 * 1e9
}

/// Seconds of the processor that this thread has used.
fn cpu_s() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap() / 1e9
}

/// A small generator of even random numbers (splitmix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Lines as the workload has them.
fn write_lines(path: &Path) {
    let (mut text, mut state) = (String::new(), 1);
    for at in 0..EVENTS {
        let mut below = |end: u64| random(&mut state) % end;
        let kind = ["stop", "idle", "idle", "ping", "ping", "move", "move", "move"][below(8) as usize];
        let (lon, lat) = (below(500_000) as f64 / 1e6 - 58.7, below(400_000) as f64 / 1e6 - 34.8);
        let (id, speed, heading) = (below(VEHICLES), below(400) as f64 / 10.0, below(360));
        let ts = 1_700_000_000_000 + at * 3;
        let line = format!(
            r#"{{"ts":{ts},"id":"v{id:07}","type":"{kind}","lon":{lon:.6},"lat":{lat:.6},"speed":{speed:.1},"heading":{heading}}}"#
        );
        writeln!(text, "{line}").unwrap();
    }
    fs::write(path, text).unwrap();
}

fn main() {
    let made = tempfile::tempdir().unwrap();
    let dir = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let dir = dir.map_or_else(|| made.path().to_owned(), Into::into);
    let path = dir.join("w1.ndjson");
    if !path.exists() {
        write_lines(&path);
    }
    let lines = fs::read(&path).unwrap();
    let workload = Workload::named("w1").unwrap();
    let ids: Vec<String> = memchr::memchr_iter(b'\n', &lines)
        .scan(0, |from, newline| Some(&lines[std::mem::replace(from, newline + 1)..newline]))
        .map(|line| serde_json::from_slice::<Ping<'_>>(line).unwrap().id.to_owned())
        .collect();
    let known: HashMap<String, u64, FxBuildHasher> = ids.iter().cloned().zip(0..).collect();
    let mut state = 7;
    let many: HashMap<u64, u64, FxBuildHasher> = (0..KEYS).map(|key| (key, key)).collect();
    let asked: Vec<u64> = ids.iter().map(|_| random(&mut state) % KEYS).collect();
    let mut best = [f64::INFINITY; 7];
    for _ in 0..ROUNDS {
        let (project, inputs) = workload.load(&dir).unwrap();
        let found = [
            each(ids.len(), || {
                assert!(
                    run_workload(workload, &project, &inputs, Mode::EndToEnd, 1).unwrap().events == ids.len() as u64
                );
            }),
            typed::<Ping<'_>>(&lines),
            typed::<Whole<'_>>(&lines),
            each(ids.len(), || read(&path, false)),
            each(ids.len(), || read(&path, true)),
            each(ids.len(), || look_up(&known, &ids)),
            each(ids.len(), || look_up(&many, &asked)),
        ];
        best.iter_mut().zip(found).for_each(|(best, found)| *best = best.min(found));
    }
    let [whole, five, seven, read, split, few, many] = best;
    println!("w1 end to end                                {whole:6.0} ns an event");
    println!("serde_json, the five fields that it reads    {five:6.0} ns, ratio {:.2}", whole / five);
    println!("serde_json, all seven fields                 {seven:6.0} ns, ratio {:.2}", whole / seven);
    println!("reading the file                             {read:6.0} ns");
    println!("reading it and finding its lines             {split:6.0} ns");
    println!("a look-up among its {:7} keys             {few:6.0} ns", known.len());
    println!("a look-up among {KEYS:7} keys                 {many:6.0} ns");
    let limit = split + five + few;
    println!("lines, five fields and a look-up             {limit:6.0} ns, ratio {:.2}", whole / limit);
}
