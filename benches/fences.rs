//! How fast positions are located in fence sets of growing size, at constant overlap, and what it takes to make and to change them.
//!
//! Run with `cargo bench --bench fences`; further arguments are GeoJSON files to measure as well. The fences are like a city's
//! zones: simple rings of 20 to 200 vertices round a centre, bulged a little, of very unequal size (log-normal), placed evenly at random over
//! a city. They are so large that a place is in 0.57 of them (as in the workload `w4`) or in three, whatever their number: the same
//! share of positions lies inside, and near a border, at each. Positions at random, and those of a fleet whose 20,000 vehicles move by some
//! 125 m from one to the next; the same number for each set. "In batch" locates 256 at once. The fastest of five rounds, in time of
//! the processor; "times 10" is against the first set of that density.
//!
//! "Swap" is what a reload does for one changed fence: a new set is made of the fences that are there and takes the place of the old one, while
//! another thread goes on locating. How long that thread was held up at most by the exchange itself is the last figure.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock and files")]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use geocep::geo::{Fence, FenceIx, FenceSet, Position, Shape, Validity};
use geocep::wire::fences::{FenceOptions, read_fences};

const POSITIONS: usize = 1_000_000;
const FLEET: usize = 20_000;
/// In how many fences a place is.
const OVERLAPS: [f64; 2] = [0.57, 3.0];
const AREA: [f64; 4] = [-58.7, -34.8, -58.2, -34.4];

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

/// Time of the processor that this thread has used; where the system doesn't tell, of the clock.
fn cpu(began: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|text| text.parse().ok());
    ns.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

/// Zones that cover each place of the area so many times. Few and large ones lie in part beyond it, so their size is found by trying.
fn zones(count: usize, overlap: f64, seed: u64) -> Vec<Fence> {
    let [west, south, east, north] = AREA;
    let tried = count.min(1_000);
    let mut size = 0.0012 * (10_000.0 / tried as f64).sqrt();
    for _ in 0..5 {
        let set = FenceSet::new(zones_of(tried, size, &mut Random(seed))).unwrap();
        let (mut probe, mut found, mut hits) = (Random(5), Vec::new(), 0);
        for _ in 0..20_000 {
            set.locate(Position::new(probe.between(west, east), probe.between(south, north)).unwrap(), &mut found);
            hits += found.len();
        }
        size *= (overlap / (f64::from(hits as u32) / 20_000.0)).sqrt();
    }
    zones_of(count, size * (tried as f64 / count as f64).sqrt(), &mut Random(seed))
}

fn zones_of(count: usize, size: f64, random: &mut Random) -> Vec<Fence> {
    let [west, south, east, north] = AREA;
    let zone = |i: usize| {
        let centre = [random.between(west, east), random.between(south, north)];
        let corners = random.between(20.0, 201.0) as usize;
        let normal = (-2.0 * (1.0 - random.next()).ln()).sqrt() * (random.next() * TAU).cos();
        let radius = size * (0.6 * normal).exp();
        let bulges = [(2.0, 0.25), (5.0, 0.15), (9.0, 0.1)]
            .map(|(waves, most)| (waves, random.between(0.0, most), random.between(0.0, TAU)));
        let corner = |k: usize| {
            let angle = k as f64 / corners as f64 * TAU;
            let bulge: f64 = bulges.iter().map(|(waves, height, turn)| height * (waves * angle + turn).sin()).sum();
            let r = radius * (1.0 + bulge);
            [centre[0] + 1.2 * r * angle.cos(), centre[1] + r * angle.sin()]
        };
        let mut ring: Vec<[f64; 2]> = (0..corners).map(corner).collect();
        ring.push(ring[0]);
        Fence {
            id: format!("zone-{i:06}"),
            properties: vec![],
            shape: Shape::polygon(&[ring]).unwrap(),
            valid: Validity::ALWAYS,
        }
    };
    (0..count).map(zone).collect()
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
        let (began, start) = (Instant::now(), cpu(Instant::now()));
        for &position in positions {
            set.locate(black_box(position), &mut found);
            hits += found.len();
        }
        best = best.min((cpu(began) - start).as_nanos() as f64 / positions.len() as f64);
    }
    (best, hits as f64 / positions.len() as f64)
}

/// As many positions at once as a batch of events may have.
fn nanoseconds_abreast(set: &FenceSet, positions: &[Position]) -> f64 {
    let mut found: Vec<FenceIx> = Vec::new();
    let round = || {
        let (began, start) = (Instant::now(), cpu(Instant::now()));
        let mut hits = 0;
        for batch in positions.chunks(256) {
            set.locate_each(black_box(batch), &mut found, |_, fences| hits += fences.len());
        }
        black_box(hits);
        (cpu(began) - start).as_nanos() as f64 / positions.len() as f64
    };
    std::iter::repeat_with(round).take(5).fold(f64::INFINITY, f64::min)
}

/// Seconds to make a set of another of which one fence is changed, and the longest that a thread which locates all the while was held up by the exchange.
fn swap(set: FenceSet, positions: &[Position]) -> (f64, Duration) {
    let fences: Vec<Fence> = set.iter().map(|(_, fence)| fence.clone()).collect();
    let current = Mutex::new(Arc::new(set));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let locating = scope.spawn(|| {
            let (mut found, mut longest) = (Vec::new(), Duration::ZERO);
            for batch in positions.chunks(256).cycle() {
                let asked = Instant::now();
                let set = Arc::clone(&current.lock().unwrap());
                longest = longest.max(asked.elapsed());
                set.locate_each(black_box(batch), &mut found, |_, fences| _ = black_box(fences.len()));
                if done.load(Ordering::Relaxed) {
                    return longest;
                }
            }
            longest
        });
        let mut best = f64::INFINITY;
        for round in 0..3 {
            let mut fences = fences.clone();
            let at = round * 7 % fences.len();
            fences[at].shape = fences[(at + 1) % fences.len()].shape.clone();
            let before = Arc::clone(&current.lock().unwrap());
            let (began, start) = (Instant::now(), cpu(Instant::now()));
            let next = Arc::new(before.edited(fences).unwrap());
            best = best.min((cpu(began) - start).as_secs_f64());
            let old = std::mem::replace(&mut *current.lock().unwrap(), next);
            drop(old);
        }
        done.store(true, Ordering::Relaxed);
        (best, locating.join().unwrap())
    })
}

/// Of the first set: nanoseconds per ping of a fleet, alone and in batch.
type First = Option<(f64, f64)>;

fn measure(
    name: &str,
    fences: Vec<Fence>,
    [west, south, east, north]: [f64; 4],
    first: &mut First,
    random: &mut Random,
) {
    let (began, start) = (Instant::now(), cpu(Instant::now()));
    let set = FenceSet::new(fences).unwrap();
    let index_ms = (cpu(began) - start).as_secs_f64() * 1e3;
    let anywhere: Vec<Position> = (0..POSITIONS)
        .map(|_| Position::new(random.between(west, east), random.between(south, north)).unwrap())
        .collect();
    // A fleet whose vehicles report in turn, each in a city by up to 250 m from where it was.
    let mut fleet: Vec<Position> = anywhere[..FLEET].to_vec();
    let step = (east - west) * 5e-3;
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
    let (one, many) = *first.get_or_insert((fleet_ns, fleet_many_ns));
    let (count, per_fence) = (set.len(), |bytes: usize| bytes / set.len());
    let (index_bytes, bytes) = (per_fence(set.index_bytes()), per_fence(set.bytes()));
    let (swap_s, held_up) = swap(set, &walk);
    println!(
        "| {name} | {count} | {overlap:.2} | {random_ns:.0} | {random_many_ns:.0} | {fleet_ns:.0} | {fleet_many_ns:.0} | {:.1} | {:.2} | {:.2} | {index_bytes} | {bytes} | {index_ms:.1} | {:.1} | {:.3} |",
        1e3 / fleet_many_ns,
        fleet_ns / one,
        fleet_many_ns / many,
        swap_s * 1e3,
        held_up.as_secs_f64() * 1e3,
    );
}

fn main() {
    println!(
        "| set | fences | fences per place | random, ns | in batch | fleet, ns | in batch | million pings/s | times 10 | in batch | index, bytes per fence | in all | made in ms | swap, ms | held up, ms |"
    );
    println!("| --- |{}", " ---: |".repeat(14));
    let mut random = Random(1);
    for overlap in OVERLAPS {
        let mut first = None;
        for count in [10, 1_000, 10_000, 100_000] {
            measure("zones", zones(count, overlap, 1), AREA, &mut first, &mut random);
        }
    }
    let mut first = None;
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let bytes = std::fs::read(&path).unwrap();
        match read_fences(&bytes, &FenceOptions::default()) {
            Ok(read) => {
                let bounds = bounds(&read.fences);
                measure("file", read.fences, bounds, &mut first, &mut random);
            }
            Err(errors) => errors.iter().for_each(|error| println!("{path}: {error}")),
        }
    }
}
