//! An event's cost by how many windows it is in.

use crate::kit::{Random, program, step, values};
use geocep::{
    expr::World,
    model::{TimeMs, Value},
    op::window::{KeyState, Scratch},
    plan::{AggregateKind, WindowKind},
};
use std::{hint::black_box, time::Instant};

const OVERLAPS: [i64; 4] = [1, 10, 100, 1_000];
const SLIDE_MS: TimeMs = 100;
const PER_SLIDE: i64 = 10;
/// Events of a round, two windows of the largest size, and how many rounds there are.
const ROUND: i64 = 20_000;
const ROUNDS: i64 = 10;

pub(crate) fn measure() {
    println!("| aggregate | size / slide 1 | 10 | 100 | 1,000 | bytes of the key at 1,000 |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, kind) in [
        ("`count`", AggregateKind::Count),
        ("`sum`", AggregateKind::Sum),
        ("`min`", AggregateKind::Min),
        ("`stddev`", AggregateKind::Stddev),
        ("`convex_hull`", AggregateKind::ConvexHull),
        ("`quantile`", AggregateKind::Quantile { millionths: 900_000 }),
        ("`count(DISTINCT)`", AggregateKind::Distinct),
        ("`approx_distinct`", AggregateKind::ApproxDistinct),
        ("`top_k`", AggregateKind::TopK { k: 3 }),
    ] {
        let measured = OVERLAPS.map(|overlap| one(kind, overlap));
        let cells: Vec<String> = measured.iter().map(|(ns, _)| format!("{ns:.0}")).collect();
        println!("| {name} | {} | {} |", cells.join(" | "), measured[3].1);
    }
}

/// Nanoseconds per event once the window is full, results included, and what the key then holds.
fn one(kind: AggregateKind, overlap: i64) -> (f64, usize) {
    let program = program(kind, WindowKind::Sliding { size_ms: overlap * SLIDE_MS, every_ms: SLIDE_MS });
    let (mut state, mut scratch, world, mut out) = (KeyState::default(), Scratch::default(), World::default(), vec![]);
    let mut random = Random(1);
    let full = overlap * PER_SLIDE;
    let events: Vec<(TimeMs, [Value; 2])> =
        (0..full + ROUND * ROUNDS).map(|at| (at * SLIDE_MS / PER_SLIDE, values(random.below(1_000)))).collect();
    let (before, measured) = events.split_at(full as usize);
    let mut run = |events: &[(TimeMs, [Value; 2])]| {
        for (time_ms, values) in events {
            step(&program, &mut state, &mut scratch, &world, (*time_ms, values), &mut out);
            black_box(&out);
            out.clear();
        }
    };
    run(before);
    let rounds = measured.chunks(ROUND as usize).map(|round| {
        let start = Instant::now();
        run(round);
        start.elapsed().as_nanos() as f64 / round.len() as f64
    });
    let ns = rounds.fold(f64::INFINITY, f64::min);
    (ns, size_of::<KeyState>() + state.heap_bytes())
}
