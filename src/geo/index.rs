//! Which fences hold a position, at a cost that doesn't grow with the number of fences.
//!
//! A grid over the fences' bounding box, of about as many cells as they have edges, and below it, where there is much, trees
//! of 4 × 4 cells per node. A leaf lists the fences that wholly contain it, and those whose border passes through it, each with
//! only what is left to test there:
//!
//! ```text
//! cell    one word: NODE | number of a node, ONE | the only fence, which contains the cell, or where a list starts; 0 for nothing
//! nodes   16 cells, a line of the processor's cache
//! lists   a head: count | level << 25 | UP << 30; if UP, where a list of further fences starts; then entries by ascending fence
//! entry   fence | flags | vertices << 26          no TEST flag: the whole cell is inside
//!         if TEST: the vertices, 1 word each (their number before them where it doesn't fit)
//! vertex  x | y << 15 | PEN << 31                 in the leaf's own grid; PEN: an edge leads here from the vertex before
//! ```
//!
//! A ray to the east from a point of the leaf meets edges (a) that pass through the leaf: these are kept; (b) that lie east
//! of it: of these it only matters at which latitudes their number turns odd or even. The turns of neighbouring edges cancel
//! at their common vertex, so nearly always just the parity at the leaf's south is left (the BASE flag), and otherwise a
//! latitude or two, kept as vertical edges east of the leaf; (c) west of it: dropped.
//!
//! The kept edges are cut to the leaf and rounded to a grid of 2¹⁴ per side. A point so near to one that rounding could
//! matter, well under one in a hundred, is tested exactly against the whole shape. So the answer always is that of
//! [`Shape::contains`](super::Shape::contains), mostly for a few edges of little more than 4 bytes each.
//!
//! Cost: a cell of the grid, sometimes a node or two, a leaf; what it lists. Memory is what counts: ten thousand fences are about
//! as fast as ten if what is looked at stays in the processor's caches, so all of it is words of 32 bits.

use super::Position;
use super::edge::test_point;
use super::fence::{Fence, FenceIx};
use super::index_build::build;

/// log₂ of the cells of a node per side.
pub(super) const SIDE_BITS: u32 = 2;
/// The cells of a node.
pub(super) const CELLS: usize = 1 << (2 * SIDE_BITS);
/// Marks a cell that is a node, not a list.
pub(super) const NODE: u32 = 1 << 31;
/// Marks a cell that is wholly inside of one fence and touches no other.
pub(super) const ONE: u32 = 1 << 30;

/// The bits of a list's head that are its number of entries.
pub(super) const LIST_COUNT: u32 = (1 << LEVEL_SHIFT) - 1;
/// Where the level of a list's cell starts: half the bits of the units below a step of its grid.
pub(super) const LEVEL_SHIFT: u32 = 25;
/// A further list follows.
pub(super) const UP: u32 = 1 << 30;

/// The bits of an entry that are its fence.
pub(super) const FENCE: u32 = (1 << 24) - 1;
/// The entry has to be tested; without it the cell is wholly inside.
pub(super) const TEST: u32 = 1 << 24;
/// The number of edges east of the leaf's south is odd.
pub(super) const BASE: u32 = 1 << 25;
/// Where the number of an entry's vertices starts.
pub(super) const VERTICES_SHIFT: u32 = 26;
/// The number of vertices is in the next word.
pub(super) const VERTICES_MANY: u32 = 63;

/// log₂ of the units per side of the fences' bounding box. A double has 53 bits.
pub(super) const UNIT_BITS: u32 = 40;
/// log₂ of the steps of a leaf's own grid per side.
pub(super) const STEP_BITS: u32 = 14;
/// So many steps lie south and west of the leaf, so that coordinates aren't negative.
pub(super) const MARGIN: u32 = 1 << (STEP_BITS - 2);
/// log₂ of what a vertex's coordinates are below.
pub(super) const COORDINATE_BITS: u32 = 15;
/// An edge leads to the vertex from the one before.
pub(super) const PEN: u32 = 1 << 31;

/// Sixteen cells by row and column. As large as a line of the cache, and in one.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Node(pub(super) [u32; CELLS]);

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
    /// log₂ of the cells of the grid per side.
    pub(super) top_bits: u32,
    /// A cell for what is outside, then the grid's cells, by row and column.
    pub(super) top: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    pub(super) lists: Vec<u32>,
    /// Whether a fence may be listed twice for one place: one of several polygons, or across the antimeridian.
    pub(super) repeats: bool,
    /// How many words its lists may have when it is made.
    pub(super) room_words: usize,
    /// How many words it had when it was made; what is edited since then adds some.
    pub(super) built_words: usize,
}

/// Words of a line of the processor's cache.
const LINE: usize = 16;

/// Positions that are located side by side.
const ABREAST: usize = 32;

/// How far a position's look-up has come.
#[derive(Clone, Copy)]
struct Way {
    column: u64,
    row: u64,
    /// Bits of the units below the level.
    shift: u32,
    cell: u32,
}

impl Index {
    pub(super) fn new(fences: &[Fence]) -> Self {
        build(fences)
    }

    /// `fences` are those that the index was built for.
    #[inline]
    pub(super) fn locate(&self, fences: &[Fence], position: Position, found: &mut Vec<FenceIx>) {
        let mut way = self.start(position);
        while way.cell & NODE != 0 {
            self.descend(&mut way);
        }
        self.collect(fences, &way, position, found);
    }

    /// Locates many positions, a few at a time side by side, so that they wait for memory together.
    pub(super) fn locate_each(
        &self,
        fences: &[Fence],
        positions: &[Position],
        found: &mut Vec<FenceIx>,
        mut each: impl FnMut(usize, &[FenceIx]),
    ) {
        let mut ways = [Way { column: 0, row: 0, shift: UNIT_BITS, cell: 0 }; ABREAST];
        for (chunk, positions) in positions.chunks(ABREAST).enumerate() {
            self.go_abreast(positions, &mut ways);
            for (i, (way, &position)) in ways.iter().zip(positions).enumerate() {
                self.collect(fences, way, position, found);
                each(chunk * ABREAST + i, found);
            }
        }
    }

    /// Fetches what locating these positions one by one will look at.
    pub(super) fn fetch(&self, positions: &[Position]) {
        let mut ways = [Way { column: 0, row: 0, shift: UNIT_BITS, cell: 0 }; ABREAST];
        positions.chunks(ABREAST).for_each(|positions| self.go_abreast(positions, &mut ways));
    }

    /// The ways of at most [`ABREAST`] positions, with their lists fetched.
    #[inline]
    fn go_abreast(&self, positions: &[Position], ways: &mut [Way; ABREAST]) {
        let ways = &mut ways[..positions.len()];
        for (way, &position) in ways.iter_mut().zip(positions) {
            *way = self.place(position);
        }
        // A loop so short that the processor has many of its loads under way at once.
        for way in ways.iter_mut() {
            way.cell = self.top[way.cell as usize];
        }
        while ways.iter().any(|way| way.cell & NODE != 0) {
            for way in ways.iter_mut().filter(|way| way.cell & NODE != 0) {
                self.descend(way);
            }
        }
        // Has the lists under way before the first is needed; most end in the cache's line after the first.
        let last = self.lists.len() - 1;
        let lists = ways.iter().filter(|way| way.cell & ONE == 0).map(|way| way.cell as usize);
        std::hint::black_box(lists.fold(0, |sum, at| sum ^ self.lists[at] ^ self.lists[last.min(at + LINE)]));
    }

    #[inline]
    fn start(&self, position: Position) -> Way {
        let mut way = self.place(position);
        way.cell = self.top[way.cell as usize];
        way
    }

    /// The way before its first step: `cell` is the place of the grid's cell.
    #[inline]
    fn place(&self, position: Position) -> Way {
        let (x, y) = test_point(position);
        let within = x >= self.west && x <= self.east && y >= self.south && y <= self.north;
        let last = (1u64 << UNIT_BITS) - 1;
        let column = (((x - self.west) * self.units_per_lon) as u64).min(last);
        let row = (((y - self.south) * self.units_per_lat) as u64).min(last);
        let shift = UNIT_BITS - self.top_bits;
        let cell = ((row >> shift << self.top_bits) | column >> shift) as u32 + 1;
        Way { column, row, shift, cell: if within { cell } else { 0 } }
    }

    /// From a node to its cell.
    #[inline]
    fn descend(&self, way: &mut Way) {
        let mask = (1 << SIDE_BITS) - 1;
        way.shift -= SIDE_BITS;
        let node = &self.nodes[(way.cell & !NODE) as usize].0;
        way.cell = node[(((way.row >> way.shift & mask) << SIDE_BITS) | (way.column >> way.shift & mask)) as usize];
    }

    /// The fences at the end of a way that hold the position, in place of what `found` has.
    #[inline]
    fn collect(&self, fences: &[Fence], way: &Way, position: Position, found: &mut Vec<FenceIx>) {
        found.clear();
        if way.cell & ONE != 0 {
            found.push(FenceIx(way.cell & FENCE));
            return;
        }
        let mut up = self.scan(fences, way.cell, way, position, found);
        if up != 0 {
            while up != 0 {
                up = self.scan(fences, up, way, position, found);
            }
            found.sort_unstable();
        }
        if self.repeats {
            found.dedup();
        }
    }

    /// Adds the fences of a list that hold a position; the list to go on with, or 0.
    #[inline]
    fn scan(&self, fences: &[Fence], list: u32, way: &Way, position: Position, found: &mut Vec<FenceIx>) -> u32 {
        let words = &self.lists[list as usize..];
        let head = words[0];
        let (up, mut rest) = if head & UP == 0 { (0, &words[1..]) } else { (words[1], &words[2..]) };
        // The middle of the point's square in the leaf's grid, in half steps: odd, while vertices are even.
        let below_step = 2 * (head >> LEVEL_SHIFT & 31);
        let half_steps = |units: u64| {
            let steps = (units >> below_step) as u32 & ((1 << STEP_BITS) - 1);
            2 * i64::from(steps + MARGIN) + 1
        };
        let (x, y) = (half_steps(way.column), half_steps(way.row));
        for _ in 0..head & LIST_COUNT {
            let entry = rest[0];
            let (mut from, mut count) = (1, entry >> VERTICES_SHIFT);
            if count == VERTICES_MANY {
                (from, count) = (2, rest[1]);
            }
            let (vertices, further) = rest[from..].split_at(count as usize);
            rest = further;
            let side = Side::of(vertices, x, y);
            let mut inside = side.odd ^ (entry & (TEST | BASE) != TEST);
            if side.unsure {
                inside = contains_exactly(fences, entry & FENCE, position);
            }
            // Taken back rather than not added: the processor can't guess which.
            found.push(FenceIx(entry & FENCE));
            found.truncate(found.len() - usize::from(!inside));
        }
        up
    }

    /// Words of its lists and nodes.
    pub(super) fn words(&self) -> usize {
        self.lists.len() + CELLS * self.nodes.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.top) + size_of_val(&*self.nodes) + size_of_val(&*self.lists)
    }
}

#[cold]
#[inline(never)]
fn contains_exactly(fences: &[Fence], fence: u32, position: Position) -> bool {
    fences.get(fence as usize).is_some_and(|fence| fence.shape.contains(position))
}

/// Where a point is, seen from rounded edges.
struct Side {
    /// The ray to the east crosses an odd number of them.
    odd: bool,
    /// Rounding may have decided.
    unsure: bool,
}

impl Side {
    /// Point and vertices are each off by at most a half step (and a hundredth) per coordinate, and all numbers here are in
    /// half steps. So a vertex's latitude is sure if it differs by more than 2.1, and the side of an edge if the determinant is over
    /// 2.1 · (|dx| + |dy|): moving the point by that much in both directions would not change its sign.
    #[inline]
    fn of(vertices: &[u32], x: i64, y: i64) -> Self {
        let (mut odd, mut unsure) = (false, false);
        let (mut x_a, mut y_a, mut a_above) = (0, 0, false);
        for &vertex in vertices {
            let coordinate = |shift: u32| 2 * i64::from(vertex >> shift & ((1 << COORDINATE_BITS) - 1));
            let (x_b, y_b) = (coordinate(0), coordinate(COORDINATE_BITS));
            let (dx, dy) = (x_b - x_a, y_b - y_a);
            let b_above = y_b > y;
            let beside = (vertex & PEN != 0) & (a_above != b_above);
            let determinant = dx * (y - y_a) - dy * (x - x_a);
            odd ^= beside & ((determinant > 0) == b_above);
            let at_line = beside & (determinant.abs() <= 3 * (dx.abs() + dy.abs()));
            unsure |= at_line | ((y - y_b).abs() <= 2);
            (x_a, y_a, a_above) = (x_b, y_b, b_above);
        }
        Self { odd, unsure }
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
