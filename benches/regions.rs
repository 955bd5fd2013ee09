//! What a changed cell costs regions, by how many cells, hot cells and regions there are; and what all regions cost when
//! they are computed afresh.
//!
//! Run with `cargo bench --bench regions`. Hot cells are spots of random size, spread over the world's cells, in each of
//! which seven of ten cells are hot; at each tick as many of them turn cold as others of the spots turn hot, chosen at
//! random, and a tenth of the others get another weight. Cost per change is that of telling and of the tick, records
//! included: the median of all ticks, of which there are many, since a busy machine stops now and then. "Afresh" is a search through all hot cells with the same sums and the same following of identities; "at hand"
//! is the same where the cells' centres and areas were computed before.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock")]

use std::{hint::black_box, time::Instant};

use geocep::{
    geo::{Cell, Position, Resolution},
    op::cluster::{Config, Emit, Followed, Limits, Load, Regions, Shared, Side, follow},
};
use hashbrown::{HashMap, HashSet};
use rustc_hash::FxBuildHasher;

/// A small generator of even random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Cells that may be hot, and those that are; both in random order.
struct World {
    hot: Vec<Cell>,
    cold: Vec<Cell>,
    random: Random,
}

/// One tick's changes: a weight, or cold.
type Changes = Vec<(Cell, Option<f64>)>;

impl World {
    /// `hot` hot cells in about `spots` spots, in a world of `cells` cells.
    fn new(cells: usize, hot: usize, spots: usize) -> Self {
        let mut random = Random(7);
        let around = (1..).find(|k| 3 * k * (k + 1) >= cells).unwrap() as u32;
        let centre = Cell::at(Position::new(8.0, 50.0).unwrap(), Resolution::new(9).unwrap());
        let all = centre.disk(around).unwrap();
        let wanted = hot * 10 / 7;
        // A spot of radius k has 3k² + 3k + 1 cells.
        let k = (1..).find(|k| 3 * k * (k + 1) >= wanted / spots).unwrap() as u32;
        let mut area: HashSet<Cell, FxBuildHasher> = HashSet::default();
        while area.len() < wanted {
            let spot = all[random.below(all.len())];
            let missing = wanted - area.len();
            area.extend(spot.disk(if wanted / spots > 1 { k } else { 0 }).unwrap().into_iter().take(missing));
        }
        let mut area: Vec<Cell> = area.into_iter().collect();
        area.sort_unstable();
        for i in (1..area.len()).rev() {
            area.swap(i, random.below(i + 1));
        }
        let cold = area.split_off(hot);
        Self { hot: area, cold, random }
    }

    fn start(&self) -> Changes {
        self.hot.iter().map(|&cell| (cell, Some(10.0))).collect()
    }

    fn tick(&mut self, changes: usize) -> Changes {
        let mut tick: HashMap<Cell, Option<f64>, FxBuildHasher> = HashMap::default();
        for _ in 0..changes / 2 {
            let (i, j) = (self.random.below(self.hot.len()), self.random.below(self.cold.len()));
            std::mem::swap(&mut self.hot[i], &mut self.cold[j]);
            tick.insert(self.hot[i], Some(5.0 + (self.random.next() % 10) as f64));
            tick.insert(self.cold[j], None);
        }
        for _ in 0..changes / 10 {
            let cell = self.hot[self.random.below(self.hot.len())];
            tick.insert(cell, Some(5.0 + (self.random.next() % 10) as f64));
        }
        tick.into_iter().collect()
    }
}

fn tell(regions: &mut Regions, changes: &Changes) {
    for &(cell, weight) in changes {
        match weight {
            Some(weight) => regions.heat(cell, Load { weight, ..Load::default() }),
            None => regions.cool(cell),
        }
    }
}

/// Regions computed afresh at each tick.
#[derive(Default)]
struct Afresh {
    weights: HashMap<Cell, f64, FxBuildHasher>,
    patches: Option<HashMap<Cell, [f64; 4], FxBuildHasher>>,
    labels: HashMap<Cell, usize, FxBuildHasher>,
    sides: Vec<Side>,
}

fn patch(cell: Cell) -> [f64; 4] {
    let centre = cell.centre();
    let (sin, cos) = centre.lat().to_radians().sin_cos();
    let (sin_lon, cos_lon) = centre.lon().to_radians().sin_cos();
    [cell.area_m2(), cos * cos_lon, cos * sin_lon, sin]
}

impl Afresh {
    fn note(&mut self, changes: &Changes) {
        for &(cell, weight) in changes {
            match weight {
                Some(weight) => self.weights.insert(cell, weight),
                None => self.weights.remove(&cell),
            };
        }
    }

    fn tick(&mut self, changes: &Changes) -> (Followed, Vec<[f64; 5]>) {
        self.note(changes);
        let mut labels: HashMap<Cell, usize, FxBuildHasher> =
            HashMap::with_capacity_and_hasher(self.weights.len(), FxBuildHasher);
        let mut sides: Vec<Side> = Vec::new();
        let mut sums: Vec<[f64; 5]> = Vec::new();
        let mut shared: HashMap<(usize, usize), usize, FxBuildHasher> = HashMap::default();
        let mut next = Vec::new();
        for &first in self.weights.keys() {
            if labels.contains_key(&first) {
                continue;
            }
            let label = sides.len();
            labels.insert(first, label);
            next.push(first);
            let (mut side, mut sum) = (Side { size: 0, lowest: first }, [0.0; 5]);
            while let Some(cell) = next.pop() {
                side.size += 1;
                side.lowest = side.lowest.min(cell);
                let of_cell = match &self.patches {
                    Some(patches) => patches[&cell],
                    None => patch(cell),
                };
                (0..4).for_each(|i| sum[i] += of_cell[i]);
                sum[4] += self.weights[&cell];
                if let Some(&old) = self.labels.get(&cell) {
                    *shared.entry((old, label)).or_default() += 1;
                }
                for other in cell.disk(1).unwrap() {
                    if self.weights.contains_key(&other) && !labels.contains_key(&other) {
                        labels.insert(other, label);
                        next.push(other);
                    }
                }
            }
            sides.push(side);
            sums.push(sum);
        }
        let share = |((old, new), cells): ((usize, usize), usize)| Shared {
            old,
            new,
            cells,
            amount: cells as i128,
            overlap: cells as f64 / self.sides[old].size as f64,
        };
        let shared: Vec<Shared> = shared.into_iter().map(share).collect();
        let followed = follow(&self.sides, &sides, &shared, &Limits::default());
        (self.labels, self.sides) = (labels, sides);
        (followed, sums)
    }
}

struct Case {
    cells: usize,
    hot: usize,
    spots: usize,
    /// Share of the hot cells.
    changed: f64,
}

/// Ticks that are measured; the slow ways are at one of ten.
const TICKS: usize = 100;

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn measure(case: &Case) {
    let changes = ((case.hot as f64 * case.changed) as usize).max(2);
    let mut world = World::new(case.cells, case.hot, case.spots);
    let mut regions = Regions::new(Config::default()).unwrap();
    let start = world.start();
    tell(&mut regions, &start);
    regions.evaluate(0, Emit::Changes);
    let mut afresh = [Afresh::default(), Afresh::default()];
    afresh.iter_mut().for_each(|afresh| drop(afresh.tick(&start)));
    afresh[1].patches = Some(world.hot.iter().chain(&world.cold).map(|&cell| (cell, patch(cell))).collect());
    let mut spent = [const { Vec::new() }; 3];
    let mut told = 0;
    for tick in 1..=TICKS {
        let changes = world.tick(changes);
        told += changes.len();
        let start = Instant::now();
        tell(&mut regions, &changes);
        black_box(regions.evaluate(tick as i64, Emit::Changes));
        spent[0].push(start.elapsed().as_secs_f64());
        for (afresh, spent) in afresh.iter_mut().zip(&mut spent[1..]) {
            if tick % 10 == 0 {
                let start = Instant::now();
                black_box(afresh.tick(&changes));
                spent.push(start.elapsed().as_secs_f64());
            } else {
                afresh.note(&changes);
            }
        }
    }
    let [ours, afresh, at_hand] = spent.map(median);
    let Case { cells, hot, changed, .. } = case;
    let told = told as f64 / TICKS as f64;
    println!(
        "{cells:>9} {hot:>8} {:>8} {:>8} {told:>8.0} {:>10.0} {:>10.1} {:>10.1} {:>8.1} {:>8.1}",
        regions.all().len(),
        format!("{:.2} %", changed * 100.0),
        ours * 1e9 / told,
        ours * 1e6,
        afresh * 1e6,
        afresh / ours,
        at_hand / ours,
    );
}

fn main() {
    println!(
        "{:>9} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10} {:>8} {:>8}",
        "cells", "hot", "regions", "changed", "changes", "ns/change", "tick us", "afresh us", "times", "at hand"
    );
    let case = |cells, hot, spots, changed| Case { cells, hot, spots, changed };
    for cells in [20_000, 100_000, 1_000_000] {
        measure(&case(cells, 10_000, 100, 0.1));
    }
    // So few changes that a tick isn't longer than a turn on a busy machine.
    for (hot, changed) in [(1_000, 0.1), (100_000, 0.001)] {
        measure(&case(1_000_000, hot, hot / 100, changed));
    }
    for spots in [1, 10, 1_000, 20_000] {
        measure(&case(1_000_000, 10_000, spots, 0.1));
    }
    for changed in [0.0001, 0.001, 0.01] {
        measure(&case(1_000_000, 10_000, 100, changed));
    }
    for spots in [1, 1_000, 20_000] {
        measure(&case(1_000_000, 10_000, spots, 0.01));
    }
}
