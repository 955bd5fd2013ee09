//! Which fences a way may pass: those of the index's cells that it goes through.

use super::index::{
    FENCE, Index, LIST_COUNT, NODE, ONE, SIDE_BITS, TEST, UNIT_BITS, UP, VERTICES_MANY, VERTICES_SHIFT,
};
use super::way::{Piece, Way};
use smallvec::SmallVec;

/// Cells are widened by so many units: a few hundredths of a millimetre at most, and far more than what rounding can do.
const WIDER: f64 = 4.0;

/// A square of the index, in units.
#[derive(Clone, Copy)]
struct Cell {
    /// What the index has there; none for what is larger than a cell of its grid.
    word: Option<u32>,
    column: u64,
    row: u64,
    /// Bits of the units of its side.
    shift: u32,
}

impl Index {
    /// Puts into `found`, in place of what it holds, every fence whose border a way may meet, ascending; some more may be among them.
    pub(super) fn along(&self, way: &Way, found: &mut Vec<u32>) {
        found.clear();
        if self.top.is_empty() {
            return;
        }
        // Fences that need no test anywhere count only if the way leaves the cell that is wholly inside of them.
        let (mut tested, mut leaves) = (0, 0);
        let mut whole: SmallVec<[u32; 8]> = SmallVec::new();
        for piece in way.pieces() {
            for turns in [-360.0, 0.0, 360.0] {
                self.along_piece(&self.in_units(&piece.moved(turns)), &mut leaves, &mut |fence, test| {
                    if test {
                        found.push(fence);
                        tested += 1;
                    } else if whole.last() != Some(&fence) {
                        whole.push(fence);
                    }
                });
            }
        }
        if leaves > 1 {
            found.extend(whole);
        }
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }

    fn in_units(&self, piece: &Piece) -> Piece {
        let units = |[x, y]: [f64; 2]| [(x - self.west) * self.units_per_lon, (y - self.south) * self.units_per_lat];
        Piece { from: units(piece.from), to: units(piece.to), ..*piece }
    }

    fn along_piece(&self, piece: &Piece, leaves: &mut usize, each: &mut dyn FnMut(u32, bool)) {
        let mut open: SmallVec<[Cell; 32]> = SmallVec::new();
        open.push(self.cell(0, 0, UNIT_BITS));
        while let Some(cell) = open.pop() {
            if !meets(piece, &cell) {
                continue;
            }
            match cell.word {
                // Halved until it is a cell of the grid.
                None => {
                    let shift = cell.shift - 1;
                    for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                        open.push(self.cell(cell.column + (column << shift), cell.row + (row << shift), shift));
                    }
                }
                Some(word) if word & NODE != 0 => {
                    let shift = cell.shift - SIDE_BITS;
                    let Some(node) = self.nodes.get((word & !NODE) as usize) else { continue };
                    for (at, &word) in (0u64..).zip(&node.0) {
                        let (column, row) = (at & ((1 << SIDE_BITS) - 1), at >> SIDE_BITS);
                        let (column, row) = (cell.column + (column << shift), cell.row + (row << shift));
                        open.push(Cell { word: Some(word), column, row, shift });
                    }
                }
                Some(word) => {
                    *leaves += 1;
                    if word & ONE != 0 {
                        each(word & FENCE, false);
                    } else {
                        self.lists_from(word, each);
                    }
                }
            }
        }
    }

    /// The square at a place, with what the index has there if that is a cell of the grid.
    fn cell(&self, column: u64, row: u64, shift: u32) -> Cell {
        let grid = UNIT_BITS - self.top_bits;
        let at = (row >> grid << self.top_bits) | column >> grid;
        let word = (shift == grid).then(|| self.top.get(1 + at as usize).copied().unwrap_or(0));
        Cell { word, column, row, shift }
    }

    /// The fences of a list and of those that it goes on with, and whether each has to be tested there.
    fn lists_from(&self, list: u32, each: &mut dyn FnMut(u32, bool)) {
        let mut list = list;
        loop {
            let words = self.lists.get(list as usize..).unwrap_or_default();
            let Some((&head, words)) = words.split_first() else { return };
            let (up, mut rest) = match words.split_first() {
                Some((&up, rest)) if head & UP != 0 => (up, rest),
                _ => (0, words),
            };
            for _ in 0..head & LIST_COUNT {
                let Some((&entry, after)) = rest.split_first() else { return };
                each(entry & FENCE, entry & TEST != 0);
                let (count, after) = match (entry >> VERTICES_SHIFT, after.split_first()) {
                    (VERTICES_MANY, Some((&count, after))) => (count, after),
                    (count, _) => (count, after),
                };
                rest = after.get(count as usize..).unwrap_or_default();
            }
            if up == 0 {
                return;
            }
            list = up;
        }
    }
}

/// Whether a piece, in units, may meet a cell: their boxes do, and not all of the cell's corners are on one side of the piece's line.
fn meets(piece: &Piece, cell: &Cell) -> bool {
    let side = (1u64 << cell.shift) as f64;
    let (west, south) = (cell.column as f64 - WIDER, cell.row as f64 - WIDER);
    let (east, north) = (west + side + 2.0 * WIDER, south + side + 2.0 * WIDER);
    let [least_x, least_y, most_x, most_y] = piece.bounds();
    if most_x < west || least_x > east || most_y < south || least_y > north {
        return false;
    }
    let (dx, dy) = (piece.to[0] - piece.from[0], piece.to[1] - piece.from[1]);
    let off = |x: f64, y: f64| dx * (y - piece.from[1]) - dy * (x - piece.from[0]);
    // Units reach 2^40 and their products 2^80: what rounding does to them is less than a unit's width of the cell.
    let sides = [off(west, south), off(east, south), off(west, north), off(east, north)];
    let slack = (dx.abs() + dy.abs()) * WIDER;
    !(sides.iter().all(|&off| off > slack) || sides.iter().all(|&off| off < -slack))
}
