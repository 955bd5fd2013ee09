//! Which fences hold a position, at a cost that doesn't grow with the number of fences.
//!
//! A tree of 4 × 4 cells per level over the fences' bounding box. A cell lists the fences that wholly contain it, at the
//! highest level where they do; a leaf also lists the fences whose border passes through it, each with only what is left to
//! test there:
//!
//! ```text
//! nodes   17 words of 32 bits each: own list, then 16 children: NODE | number of a node, or a list, or 0 for nothing
//! lists   words of 64 bits:  count, then entries by ascending fence
//! entry   fence | flags | edges << 34            no TEST flag: the whole cell is inside
//!         if TEST: the edges, 1 word each
//! edge    four 16-bit coordinates in the leaf's own grid: lower end x, y, upper end x, y
//! ```
//!
//! A ray to the east from a point of the leaf meets edges (a) that pass through the leaf: these are kept; (b) that lie east
//! of it: of these it only matters at which latitudes their number turns odd or even. The turns of neighbouring edges cancel
//! at their common vertex, so nearly always just the parity at the leaf's south is left (the BASE flag), and otherwise a
//! latitude or two, kept as vertical edges east of the leaf; (c) west of it: dropped.
//!
//! The kept edges are cut to the leaf and rounded to a grid of 2¹⁴ per side. A point so near to one that rounding could
//! matter, well under one in a hundred, is tested exactly against the whole shape. So the answer always is that of
//! [`Shape::contains`](super::Shape::contains), mostly for one to three edges of 8 bytes each.
//!
//! Cost: some levels of the tree, a leaf; what they list.

use super::Position;
use super::edge::test_point;
use super::fence::{Fence, FenceIx};
use super::index_build::build;

/// log₂ of the cells of a node per side.
pub(super) const SIDE_BITS: u32 = 2;
/// Words of a node: its own list, and its children.
pub(super) const NODE_WORDS: usize = 1 + (1 << (2 * SIDE_BITS));
/// Marks a child that is a node, not a list.
pub(super) const NODE: u32 = 1 << 31;

/// The entry has to be tested; without it the cell is wholly inside.
pub(super) const TEST: u64 = 1 << 32;
/// The number of edges east of the leaf's south is odd.
pub(super) const BASE: u64 = 1 << 33;
/// Where the number of an entry's edges starts.
pub(super) const COUNT_SHIFT: u32 = 34;

/// log₂ of the units per side of the fences' bounding box. A double has 53 bits.
pub(super) const UNIT_BITS: u32 = 40;
/// log₂ of the steps of a leaf's own grid per side.
pub(super) const STEP_BITS: u32 = 14;

/// The index of a fence set. Immutable.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
    /// Units per degree.
    pub(super) units_per_lon: f64,
    pub(super) units_per_lat: f64,
    pub(super) nodes: Vec<u32>,
    pub(super) lists: Vec<u64>,
    /// Whether a fence may be listed twice for one place: one of several polygons, or across the antimeridian.
    pub(super) repeats: bool,
}

/// Positions that are located side by side.
const ABREAST: usize = 32;

/// How far a position's look-up has come.
#[derive(Clone, Copy)]
struct Way {
    column: u64,
    row: u64,
    /// Bits of the units below the level.
    shift: u32,
    /// A node, a list, or 0 for nothing: list 0 is empty.
    child: u32,
    own_lists: bool,
}

impl Index {
    pub(super) fn new(fences: &[Fence]) -> Self {
        build(fences)
    }

    /// `fences` are those that the index was built for.
    #[inline]
    pub(super) fn locate(&self, fences: &[Fence], position: Position, found: &mut Vec<FenceIx>) {
        found.clear();
        let mut way = self.start(position);
        let mut own_lists = 0;
        while way.child & NODE != 0 {
            let own = self.descend(&mut way);
            if own != 0 {
                // What contains a whole node needs no test.
                let entries = &self.lists[own as usize + 1..][..self.lists[own as usize] as usize];
                found.extend(entries.iter().map(|&entry| FenceIx(entry as u32)));
                own_lists += 1;
            }
        }
        self.scan(fences, &way, position, found);
        if own_lists > 0 {
            found.sort_unstable();
        }
        if self.repeats {
            found.dedup();
        }
    }

    /// Locates many positions, a few at a time side by side, so that they wait for memory together.
    pub(super) fn locate_each(
        &self,
        fences: &[Fence],
        positions: &[Position],
        found: &mut Vec<FenceIx>,
        mut each: impl FnMut(usize, &[FenceIx]),
    ) {
        let mut ways = [Way { column: 0, row: 0, shift: UNIT_BITS, child: 0, own_lists: false }; ABREAST];
        for (chunk, positions) in positions.chunks(ABREAST).enumerate() {
            let ways = &mut ways[..positions.len()];
            for (way, &position) in ways.iter_mut().zip(positions) {
                *way = self.start(position);
            }
            while ways.iter().any(|way| way.child & NODE != 0) {
                for way in ways.iter_mut().filter(|way| way.child & NODE != 0) {
                    way.own_lists |= self.descend(way) != 0;
                }
            }
            // Has the lists under way before the first is needed.
            std::hint::black_box(ways.iter().fold(0, |sum, way| sum ^ self.lists[way.child as usize]));
            for (i, (way, &position)) in ways.iter().zip(positions).enumerate() {
                if way.own_lists {
                    self.locate(fences, position, found);
                } else {
                    found.clear();
                    self.scan(fences, way, position, found);
                    if self.repeats {
                        found.dedup();
                    }
                }
                each(chunk * ABREAST + i, found);
            }
        }
    }

    #[inline]
    fn start(&self, position: Position) -> Way {
        let (x, y) = test_point(position);
        let within = x >= self.west && x <= self.east && y >= self.south && y <= self.north;
        let last = (1u64 << UNIT_BITS) - 1;
        let column = (((x - self.west) * self.units_per_lon) as u64).min(last);
        let row = (((y - self.south) * self.units_per_lat) as u64).min(last);
        Way { column, row, shift: UNIT_BITS, child: if within { NODE } else { 0 }, own_lists: false }
    }

    /// From a node to its child; the node's own list.
    #[inline]
    fn descend(&self, way: &mut Way) -> u32 {
        let mask = (1 << SIDE_BITS) - 1;
        way.shift -= SIDE_BITS;
        let words = &self.nodes[(way.child & !NODE) as usize * NODE_WORDS..][..NODE_WORDS];
        way.child =
            words[1 + (((way.row >> way.shift & mask) << SIDE_BITS) | (way.column >> way.shift & mask)) as usize];
        words[0]
    }

    /// Adds the fences of a leaf's list that hold a position.
    #[inline]
    fn scan(&self, fences: &[Fence], way: &Way, position: Position, found: &mut Vec<FenceIx>) {
        let words = &self.lists[way.child as usize..];
        // The middle of the point's square in the leaf's grid, in half steps: odd, while edges are even.
        let half_steps = |units: u64| 2 * (units >> (way.shift - STEP_BITS) & ((1 << STEP_BITS) - 1)) as i64 + 1;
        let (x, y) = (half_steps(way.column), half_steps(way.row));
        let mut at = 1;
        for _ in 0..words[0] {
            let entry = words[at];
            let edges = &words[at + 1..][..(entry >> COUNT_SHIFT) as usize];
            at += 1 + edges.len();
            let (mut inside, mut unsure) = ((entry & TEST == 0) | (entry & BASE != 0), false);
            for &edge in edges {
                let side = Side::of(edge, x, y);
                inside ^= side.counts;
                unsure |= side.unsure;
            }
            if unsure {
                inside = contains_exactly(fences, entry as u32, position);
            }
            // Taken back rather than not added: the processor can't guess which.
            found.push(FenceIx(entry as u32));
            found.truncate(found.len() - usize::from(!inside));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.nodes) + size_of_val(&*self.lists)
    }
}

#[cold]
#[inline(never)]
fn contains_exactly(fences: &[Fence], fence: u32, position: Position) -> bool {
    fences.get(fence as usize).is_some_and(|fence| fence.shape.contains(position))
}

/// Where a point is, seen from a rounded edge.
struct Side {
    /// The ray to the east crosses the edge.
    counts: bool,
    /// Rounding may have decided.
    unsure: bool,
}

impl Side {
    /// Point and edge are each off by at most a half step (and a hundredth) per coordinate, and all numbers here are in
    /// half steps. So an end's latitude is sure if it differs by more than 2.1, and the side if the determinant is over
    /// 2.1 · (|dx| + |dy|): moving the point by that much in both directions would not change its sign.
    #[inline]
    fn of(edge: u64, x: i64, y: i64) -> Self {
        let [x_lo, y_lo, x_hi, y_hi] = [0, 16, 32, 48].map(|shift| 2 * i64::from((edge >> shift) as u16 as i16));
        let (dx, dy) = (x_hi - x_lo, y_hi - y_lo);
        let determinant = dx * (y - y_lo) - dy * (x - x_lo);
        let beside = (y_lo < y) & (y < y_hi);
        let at_end = ((y - y_lo).abs() <= 2) | ((y - y_hi).abs() <= 2);
        let at_line = beside & (determinant.abs() <= 3 * (dx.abs() + dy));
        Self { counts: beside & (determinant > 0), unsure: at_end | at_line }
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
