//! Whether a cluster still holds together after cells left it.
//!
//! From every core that lost a neighbour a search spreads over the cluster, one cell of each search in turn. Searches that
//! meet go on as one. When one is left, it is the rest of the cluster, however large that is, and nobody looks at it; a
//! search that ends before has found a part that isn't connected any more. So the cost is that of the smaller parts, and
//! where nothing falls apart, of the way round the gap.

use super::{
    component::{Components, Marks},
    grid::{Grid, NONE},
};
use std::collections::VecDeque;

/// A search: what it has seen, and where it goes on.
#[derive(Debug, Default)]
struct Front {
    seen: Vec<u32>,
    next: VecDeque<u32>,
}

/// Searches that became one have one root.
struct Roots(Vec<u32>);

impl Roots {
    fn of(&mut self, mut front: u32) -> u32 {
        while self.0[front as usize] != front {
            let above = self.0[self.0[front as usize] as usize];
            self.0[front as usize] = above;
            front = above;
        }
        front
    }
}

impl Components {
    /// Splits the clusters of these cores where they don't hold together.
    pub(super) fn split(&mut self, mut seeds: Vec<u32>) {
        seeds.sort_unstable_by_key(|&seed| (self.grid.spot(seed).cluster, seed));
        seeds.dedup();
        let mut parts = Vec::new();
        let Self { grid, marks, .. } = self;
        for of_cluster in seeds.chunk_by(|&a, &b| grid.spot(a).cluster == grid.spot(b).cluster) {
            search(grid, marks, of_cluster, &mut parts);
        }
        for part in parts {
            self.part(&part);
        }
    }
}

/// The parts of one cluster, all but one of them.
fn search(grid: &Grid, marks: &mut Marks, seeds: &[u32], parts: &mut Vec<Vec<u32>>) {
    if seeds.len() < 2 {
        return;
    }
    marks.wipe(grid.spots.len());
    let mut roots = Roots((0..seeds.len() as u32).collect());
    let mut left = seeds.len();
    for (front, &seed) in (0..).zip(seeds) {
        marks.set(seed, front);
    }
    // Most gaps are small, and the cores round them are neighbours.
    for (front, &seed) in (0..).zip(seeds) {
        for other in grid.near(seed).iter().filter_map(|&other| marks.get(other)) {
            let (a, b) = (roots.of(front), roots.of(other));
            if a != b {
                roots.0[a as usize] = b;
                left -= 1;
            }
        }
    }
    if left < 2 {
        return;
    }
    let mut fronts: Vec<Front> = Vec::new();
    fronts.resize_with(seeds.len(), Front::default);
    for (front, &seed) in (0..).zip(seeds) {
        let root = &mut fronts[roots.of(front) as usize];
        root.seen.push(seed);
        root.next.push_back(seed);
    }
    let mut active: Vec<u32> = (0..seeds.len() as u32).filter(|&front| roots.of(front) == front).collect();
    let mut turn = 0;
    while left > 1 {
        if turn >= active.len() {
            turn = 0;
        }
        let mut front = active[turn];
        if roots.of(front) != front {
            active.swap_remove(turn);
            continue;
        }
        let Some(spot) = fronts[front as usize].next.pop_front() else {
            parts.push(std::mem::take(&mut fronts[front as usize].seen));
            active.swap_remove(turn);
            left -= 1;
            continue;
        };
        turn += 1;
        for &other in grid.near(spot) {
            let Some(met) = marks.get(other) else {
                let cell = grid.spot(other);
                if cell.is_core && cell.cluster != NONE {
                    marks.set(other, front);
                    fronts[front as usize].seen.push(other);
                    fronts[front as usize].next.push_back(other);
                }
                continue;
            };
            let met = roots.of(met);
            if met != front {
                let (small, large) = if fronts[met as usize].seen.len() < fronts[front as usize].seen.len() {
                    (met, front)
                } else {
                    (front, met)
                };
                let Front { seen, next } = std::mem::take(&mut fronts[small as usize]);
                fronts[large as usize].seen.extend(seen);
                fronts[large as usize].next.extend(next);
                roots.0[small as usize] = large;
                left -= 1;
                front = large;
            }
        }
    }
}
