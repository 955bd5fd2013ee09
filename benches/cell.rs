//! What the H3 cell of a position costs: asked of the conversion, and of `CellCache`, which knows it for most of a cell.
//!
//! `cargo bench --bench cell`. Movers of a city report one after another, each a step from where it was; the figures are nanoseconds per
//! position, the least of five rounds.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, prints, and may fail"
)]

use geocep::geo::{Cell, CellCache, Position, Resolution};
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 5;
const STEPS: usize = 200;

/// Positions of so many movers round a city of 30 km, in the order in which they report, each so many metres from its last.
fn positions(movers: usize, step_m: f64) -> Vec<Position> {
    let mut state = 42u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut at: Vec<(f64, f64)> = (0..movers).map(|_| (4.7 + 0.4 * next(), 52.2 + 0.27 * next())).collect();
    let mut all = Vec::with_capacity(movers * STEPS);
    for _ in 0..STEPS {
        for (lon, lat) in &mut at {
            let angle = next() * std::f64::consts::TAU;
            *lon += angle.cos() * step_m / 68_000.0;
            *lat += angle.sin() * step_m / 111_000.0;
            all.push(Position::new(*lon, *lat).unwrap());
        }
    }
    all
}

fn least(positions: &[Position], mut cell: impl FnMut(Position) -> Cell) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for &position in positions {
            black_box(cell(position));
        }
        least = least.min(start.elapsed().as_nanos() as f64 / positions.len() as f64);
    }
    least
}

fn main() {
    println!("movers  step m  resolution  conversion ns  from memory ns");
    for (movers, step_m) in [(100, 10.0), (1_000, 100.0), (1_000, 500.0), (10_000, 100.0)] {
        let positions = positions(movers, step_m);
        for r in [6, 7, 8, 9, 10] {
            let resolution = Resolution::new(r).unwrap();
            let plain = least(&positions, |position| Cell::at(position, resolution));
            let cache = CellCache::default();
            let kept = least(&positions, |position| cache.cell(position, resolution));
            println!("{movers:6}  {step_m:6}  {r:10}  {plain:13.0}  {kept:14.1}");
        }
    }
}
