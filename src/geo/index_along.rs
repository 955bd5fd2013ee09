//! Which fences a way may pass: those of the index's cells that it goes through.

use super::index::{COUNT_SHIFT, Index, NODE, NODE_WORDS, SIDE_BITS, TEST, UNIT_BITS};
use super::way::{Piece, Way};
use smallvec::SmallVec;

/// Cells are widened by so many units: a few hundredths of a millimetre at most, and far more than what rounding can do.
const WIDER: f64 = 4.0;

/// A cell of the tree, in units.
#[derive(Clone, Copy)]
struct Cell {
    child: u32,
    column: u64,
    row: u64,
    /// Bits of the units of its side.
    shift: u32,
}

impl Index {
    /// Puts into `found`, in place of what it holds, every fence whose border a way may meet, ascending; some more may be among them.
    pub(super) fn along(&self, way: &Way, found: &mut Vec<u32>) {
        found.clear();
        if self.nodes.is_empty() {
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
        open.push(Cell { child: NODE, column: 0, row: 0, shift: UNIT_BITS });
        while let Some(cell) = open.pop() {
            if !meets(piece, &cell) {
                continue;
            }
            if cell.child & NODE == 0 {
                *leaves += 1;
                self.list(cell.child as usize, each);
                continue;
            }
            let words = &self.nodes[(cell.child & !NODE) as usize * NODE_WORDS..][..NODE_WORDS];
            self.list(words[0] as usize, each);
            let shift = cell.shift - SIDE_BITS;
            for (at, &child) in (0u64..).zip(&words[1..]) {
                let (column, row) = (at & ((1 << SIDE_BITS) - 1), at >> SIDE_BITS);
                let (column, row) = (cell.column + (column << shift), cell.row + (row << shift));
                open.push(Cell { child, column, row, shift });
            }
        }
    }

    /// The fences of a list, and whether each has to be tested there.
    fn list(&self, list: usize, each: &mut dyn FnMut(u32, bool)) {
        let words = &self.lists[list..];
        let mut at = 1;
        for _ in 0..words[0] {
            let entry = words[at];
            each(entry as u32, entry & TEST != 0);
            at += 1 + (entry >> COUNT_SHIFT) as usize;
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
