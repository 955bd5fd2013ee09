//! How fast positions are located in fence sets of growing size, at constant overlap.
//!
//! Run with `cargo bench --bench fences`; further arguments are GeoJSON files to measure as well. Stars of 20 to 200
//! vertices, placed evenly at random over Europe, so large that a place is in about three; positions at random, the same
//! number for each set, and a second pass over the positions of a fleet whose vehicles move in short steps. The fastest of five rounds.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock and files")]

use std::hint::black_box;
use std::time::Instant;

use geocep::geo::{Fence, FenceIx, FenceSet, Position, Shape, Validity};
use geocep::wire::fences::{FenceOptions, read_fences};

const POSITIONS: usize = 1_000_000;
const FLEET: usize = 5_000;
const OVERLAP: f64 = 3.0;
const AREA: [f64; 4] = [-10.0, 36.0, 30.0, 60.0];

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

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.next() * (high - low)
    }
}

fn fences(count: usize, random: &mut Random) -> Vec<Fence> {
    let [west, south, east, north] = AREA;
    // A star's mean area is π · mean r², here r = size · 0.7..1.
    let mean_square = (0.7 * 0.7 + 0.7 + 1.0) / 3.0;
    let size = (OVERLAP * (east - west) * (north - south) / (count as f64 * std::f64::consts::PI * mean_square)).sqrt();
    let fence = |i: usize| {
        let centre = [random.between(west, east), random.between(south, north)];
        let corners = random.between(20.0, 201.0) as usize;
        let mut ring: Vec<[f64; 2]> = (0..corners)
            .map(|k| {
                let (sin, cos) = (k as f64 / corners as f64 * std::f64::consts::TAU).sin_cos();
                let r = size * random.between(0.7, 1.0);
                [centre[0] + r * cos, centre[1] + r * sin]
            })
            .collect();
        ring.push(ring[0]);
        Fence {
            id: format!("fence-{i:06}"),
            properties: vec![],
            shape: Shape::polygon(&[ring]).unwrap(),
            valid: Validity::ALWAYS,
        }
    };
    (0..count).map(fence).collect()
}

fn bounds(fences: &[Fence]) -> [f64; 4] {
    let corners = fences.iter().flat_map(|fence| fence.shape.rings().flatten().flatten());
    corners.fold([180.0, 90.0, -180.0, -90.0], |b, &[x, y]| [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)])
}

fn nanoseconds(set: &FenceSet, positions: &[Position]) -> (f64, f64) {
    let mut found: Vec<FenceIx> = Vec::new();
    let mut best = f64::INFINITY;
    let mut hits = 0;
    for _ in 0..5 {
        hits = 0;
        let start = Instant::now();
        for &position in positions {
            set.locate(black_box(position), &mut found);
            hits += found.len();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / positions.len() as f64);
    }
    (best, hits as f64 / positions.len() as f64)
}

/// As many positions at once as a batch of events may have.
fn nanoseconds_abreast(set: &FenceSet, positions: &[Position]) -> f64 {
    let mut found: Vec<FenceIx> = Vec::new();
    let round = || {
        let start = Instant::now();
        let mut hits = 0;
        for batch in positions.chunks(256) {
            set.locate_each(black_box(batch), &mut found, |_, fences| hits += fences.len());
        }
        black_box(hits);
        start.elapsed().as_nanos() as f64 / positions.len() as f64
    };
    std::iter::repeat_with(round).take(5).fold(f64::INFINITY, f64::min)
}

fn measure(name: &str, fences: Vec<Fence>, [west, south, east, north]: [f64; 4], shapes_ms: f64, random: &mut Random) {
    let start = Instant::now();
    let set = FenceSet::new(fences).unwrap();
    let index_ms = start.elapsed().as_secs_f64() * 1e3;
    let anywhere: Vec<Position> = (0..POSITIONS)
        .map(|_| Position::new(random.between(west, east), random.between(south, north)).unwrap())
        .collect();
    // A fleet whose vehicles report in turn, each at most a ten-thousandth of the area from where it was.
    let mut fleet: Vec<Position> = anywhere[..FLEET].to_vec();
    let step = (east - west) * 1e-4;
    let walk: Vec<Position> = (0..POSITIONS)
        .map(|i| {
            let at = fleet[i % FLEET];
            let lon = (at.lon() + random.between(-step, step)).clamp(west, east);
            let lat = (at.lat() + random.between(-step, step)).clamp(south, north);
            fleet[i % FLEET] = Position::new(lon, lat).unwrap();
            fleet[i % FLEET]
        })
        .collect();
    let (random_ns, overlap) = nanoseconds(&set, &anywhere);
    let (fleet_ns, _) = nanoseconds(&set, &walk);
    let (random_many_ns, fleet_many_ns) = (nanoseconds_abreast(&set, &anywhere), nanoseconds_abreast(&set, &walk));
    let per_fence = |bytes: usize| bytes / set.len();
    println!(
        "{name:>10} {:>8} {overlap:>8.2} {random_ns:>9.1} {random_many_ns:>9.1} {fleet_ns:>9.1} {fleet_many_ns:>9.1} {:>9.2} {shapes_ms:>10.1} {index_ms:>9.1} {:>12} {:>12}",
        set.len(),
        1e3 / fleet_ns,
        per_fence(set.index_bytes()),
        per_fence(set.bytes()),
    );
}

fn main() {
    println!(
        "{:>10} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9} {:>12} {:>12}",
        "set",
        "fences",
        "overlap",
        "random ns",
        "in batch",
        "fleet ns",
        "in batch",
        "Mpings/s",
        "shapes ms",
        "index ms",
        "index B/f",
        "all B/f"
    );
    let mut random = Random(1);
    for count in [10, 100, 1_000, 10_000] {
        let start = Instant::now();
        let fences = fences(count, &mut random);
        measure("stars", fences, AREA, start.elapsed().as_secs_f64() * 1e3, &mut random);
    }
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let bytes = std::fs::read(&path).unwrap();
        let start = Instant::now();
        match read_fences(&bytes, &FenceOptions::default()) {
            Ok(read) => {
                let shapes_ms = start.elapsed().as_secs_f64() * 1e3;
                let bounds = bounds(&read.fences);
                measure("file", read.fences, bounds, shapes_ms, &mut random);
            }
            Err(errors) => errors.iter().for_each(|error| println!("{path}: {error}")),
        }
    }
}
