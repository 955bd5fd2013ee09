//! Which fences hold a position, at a cost that doesn't grow with the number of fences.
//!
//! A tree of 8 × 8 cells per level over the fences' bounding box. A cell lists the fences that wholly contain it, at the
//! highest level where they do; a leaf also lists the fences whose border passes through it, each with only what is left to
//! test there:
//!
//! ```text
//! nodes   65 words of 32 bits each: own list, then 64 children: NODE | number of a node, or a list, or 0 for nothing
//! lists   words of 64 bits:  count, then entries by ascending fence
//! entry   fence | flags                          no TEST flag: the whole cell is inside
//!         if TEST: toggles | edges << 32, then the toggles (1 word each), then the edges (4 words each)
//! ```
//!
//! A ray to the east from a point of the leaf meets edges (a) that pass through the leaf: these are kept, copied, and tested
//! exactly; (b) that lie east of it: of these it only matters at which latitudes their number turns odd or even. The turns
//! of neighbouring edges cancel at their common vertex, so nearly always just the parity at the leaf's south is left (the
//! BASE flag), and otherwise a latitude or two (the toggles); (c) west of it: dropped. So the answer is exactly
//! [`Shape::contains`](super::Shape::contains), mostly from one to three edges.
//!
//! Invariant: a test reads nothing but its leaf. Cost: some levels of the tree, a leaf; its entries.

use super::Position;
use super::edge::{Edge, test_point};
use super::fence::{Fence, FenceIx};
use super::index_build::build;

/// log₂ of the cells of a node per side.
pub(super) const SIDE_BITS: u32 = 3;
/// Words of a node: its own list, and its children.
pub(super) const NODE_WORDS: usize = 1 + (1 << (2 * SIDE_BITS));
/// Marks a child that is a node, not a list.
pub(super) const NODE: u32 = 1 << 31;

/// The entry has to be tested; without it the cell is wholly inside.
pub(super) const TEST: u64 = 1 << 32;
/// The number of edges east of the leaf's south is odd.
pub(super) const BASE: u64 = 1 << 33;
/// The edges are in the frame that starts at 180°.
pub(super) const SHIFTED: u64 = 1 << 34;

/// The index of a fence set. Immutable.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
    /// Cells of the deepest level per degree.
    pub(super) cells_per_lon: f64,
    pub(super) cells_per_lat: f64,
    /// Levels of the tree; the deepest has 2^(3 · levels) cells per side.
    pub(super) levels: u32,
    pub(super) nodes: Vec<u32>,
    pub(super) lists: Vec<u64>,
    /// Whether a fence may be listed twice for one place: one of several polygons, or across the antimeridian.
    pub(super) repeats: bool,
}

impl Index {
    pub(super) fn new(fences: &[Fence]) -> Self {
        build(fences)
    }

    #[inline]
    pub(super) fn locate(&self, position: Position, found: &mut Vec<FenceIx>) {
        found.clear();
        let (x, y) = test_point(position);
        if !(x >= self.west && x <= self.east && y >= self.south && y <= self.north) {
            return;
        }
        let last = (1u32 << (SIDE_BITS * self.levels)) - 1;
        let column = (((x - self.west) * self.cells_per_lon) as u32).min(last);
        let row = (((y - self.south) * self.cells_per_lat) as u32).min(last);
        let mask = (1 << SIDE_BITS) - 1;
        let mut depth = SIDE_BITS * (self.levels - 1);
        let mut node = 0;
        let mut lists_with_hits = 0;
        loop {
            let words = &self.nodes[node * NODE_WORDS..(node + 1) * NODE_WORDS];
            if words[0] != 0 {
                lists_with_hits += u32::from(self.scan(words[0], x, y, found));
            }
            let child = words[1 + (((row >> depth & mask) << SIDE_BITS) | (column >> depth & mask)) as usize];
            if child & NODE != 0 {
                node = (child & !NODE) as usize;
                depth -= SIDE_BITS;
                continue;
            }
            if child != 0 {
                lists_with_hits += u32::from(self.scan(child, x, y, found));
            }
            break;
        }
        if lists_with_hits > 1 {
            found.sort_unstable();
        }
        if self.repeats {
            found.dedup();
        }
    }

    /// Adds the fences of one list that hold the point; says whether there was one.
    #[inline]
    fn scan(&self, list: u32, x: f64, y: f64, found: &mut Vec<FenceIx>) -> bool {
        let before = found.len();
        let words = &self.lists[list as usize..];
        let mut at = 1;
        for _ in 0..words[0] {
            let entry = words[at];
            at += 1;
            let inside = if entry & TEST == 0 {
                true
            } else {
                let toggles = words[at] as u32 as usize;
                let edges = (words[at] >> 32) as usize;
                at += 1;
                let mut inside = entry & BASE != 0;
                for toggle in &words[at..at + toggles] {
                    inside ^= f64::from_bits(*toggle) <= y;
                }
                at += toggles;
                let x = if entry & SHIFTED != 0 { x + 360.0 } else { x };
                for edge in words[at..at + 4 * edges].chunks_exact(4) {
                    let [x_lo, y_lo, x_hi, y_hi] = [edge[0], edge[1], edge[2], edge[3]].map(f64::from_bits);
                    inside ^= Edge { x_lo, y_lo, x_hi, y_hi }.counts(x, y);
                }
                at += 4 * edges;
                inside
            };
            if inside {
                found.push(FenceIx(entry as u32));
            }
        }
        found.len() > before
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.nodes) + size_of_val(&*self.lists)
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
