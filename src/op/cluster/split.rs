//! Whether a cluster still holds together after cells left it.
//!
//! Cells that leave together and are neighbours are a *hole*. From every core round a hole a search spreads over the cluster,
//! one cell of each search in turn. Searches that meet go on as one. When one is left, it is the rest of the cluster, however
//! large that is, and nobody looks at it; a search that ends before has found a part that isn't connected any more. So the
//! cost is that of the smaller parts, and where nothing falls apart, of the way round the hole.

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
    /// Takes cores that are leaving out of their clusters, which are split where they don't hold together without them.
    pub(super) fn leave(&mut self, lost: &[u32]) {
        for hole in self.holes(lost) {
            let cluster = hole.first().map_or(NONE, |&spot| self.grid.spot(spot).cluster);
            let mut seeds: Vec<u32> = Vec::new();
            for &spot in &hole {
                let is_seed = |other: &&u32| {
                    let other = self.grid.spot(**other);
                    other.is_core && !other.is_leaving && other.cluster == cluster
                };
                seeds.extend(self.grid.near(spot).iter().filter(is_seed));
            }
            for &spot in &hole {
                let place = self.grid.spot_mut(spot);
                (place.is_core, place.is_leaving) = (false, false);
                self.relabel(spot, NONE);
            }
            seeds.sort_unstable();
            seeds.dedup();
            for part in search(&self.grid, &mut self.marks, &seeds) {
                self.part(&part);
            }
        }
    }

    /// Cells that leave, by hole.
    fn holes(&mut self, lost: &[u32]) -> Vec<Vec<u32>> {
        let Self { grid, marks, .. } = self;
        marks.wipe(grid.spots.len());
        let mut holes = Vec::new();
        for &first in lost {
            if marks.get(first).is_some() {
                continue;
            }
            marks.set(first, 0);
            let mut hole = vec![first];
            let mut next = 0;
            while let Some(&spot) = hole.get(next) {
                next += 1;
                for &other in grid.near(spot) {
                    if grid.spot(other).is_leaving && marks.get(other).is_none() {
                        marks.set(other, 0);
                        hole.push(other);
                    }
                }
            }
            holes.push(hole);
        }
        holes
    }
}

/// The parts of the seeds' cluster, all but one of them.
fn search(grid: &Grid, marks: &mut Marks, seeds: &[u32]) -> Vec<Vec<u32>> {
    let mut parts = Vec::new();
    let [first, _, ..] = seeds else { return parts };
    let cluster = grid.spot(*first).cluster;
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
        return parts;
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
                if cell.is_core && cell.cluster == cluster {
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
    parts
}
