//! Where a way goes into a shape and out of it.
//!
//! Every place where the way meets an edge cuts it; between two cuts it is inside all along or outside all along, which a point test in the
//! middle tells. So what only touches a corner or runs along an edge needs no rule of its own: it goes in or out where the point test,
//! with its half-open borders, says other things on both sides. Both ends are what the point test says of them, so that what is
//! told of one way follows on what was told of the one before.

use super::edge::Vertex;
use super::fence::FenceIx;
use super::shape::Part;
use super::way::{Piece, Way};
use super::{Position, Shape};
use smallvec::SmallVec;

/// Shares of a way, ascending.
pub type Shares = SmallVec<[f64; 4]>;

/// Cuts nearer to one another than this share are one: a hundredth of a millimetre of 10 km.
const SAME: f64 = 1e-9;

/// How a way passes a fence.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    /// The fence.
    pub fence: FenceIx,
    /// Whether its start is inside.
    pub starts_inside: bool,
    /// Where it goes in or out, in turns.
    pub turns: Shares,
}

impl Shape {
    /// Whether a way starts inside, and the shares of it at which it goes out or in, in turns.
    pub fn passages(&self, way: &Way, (from, to): (Position, Position)) -> (bool, Shares) {
        let starts_inside = self.contains(from);
        let mut cuts = Shares::new();
        for part in self.parts() {
            for piece in way.pieces() {
                // A shape's frame is up to two turns east of a way's that goes west.
                for turns in [-360.0, 0.0, 360.0, 720.0] {
                    let piece = piece.moved(turns);
                    part.near_edges(piece.bounds(), &mut |a, b| meet(&piece, a, b, &mut cuts));
                }
            }
        }
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup_by(|next, kept| *next - *kept <= SAME);
        let (mut inside, mut turns) = (starts_inside, Shares::new());
        for (at, &cut) in cuts.iter().enumerate() {
            let next = cuts.get(at + 1).copied().unwrap_or(1.0);
            if next - cut > SAME && self.contains(way.at(f64::midpoint(cut, next))) != inside {
                inside = !inside;
                turns.push(cut);
            }
        }
        if self.contains(to) != inside {
            turns.push(1.0);
        }
        (starts_inside, turns)
    }
}

impl Part {
    /// Calls `each` with both ends of the edges that may meet a box: west, south, east, north.
    fn near_edges(&self, [west, south, east, north]: [f64; 4], each: &mut dyn FnMut(Vertex, Vertex)) {
        if west > self.east || east < self.west || south > self.north || north < self.south {
            return;
        }
        let count = self.band_starts.len() - 1;
        let (first, last) = (self.band(south.max(self.south), count), self.band(north, count));
        for band in first..=last {
            for &start in &self.band_edges[self.band_starts[band] as usize..self.band_starts[band + 1] as usize] {
                let edge = self.edge(start);
                // An edge of several bands is given in the first of them that is looked at.
                let is_first = band == first || self.band(edge.y_lo, count) == band;
                let meets = edge.west() <= east && edge.east() >= west && edge.y_lo <= north && edge.y_hi >= south;
                if is_first && meets {
                    each([edge.x_lo, edge.y_lo], [edge.x_hi, edge.y_hi]);
                }
            }
        }
    }
}

/// Notes where a piece of a way meets an edge; of one that it runs along, where that begins and ends.
fn meet(piece: &Piece, a: Vertex, b: Vertex, cuts: &mut Shares) {
    let minus = |p: Vertex, q: Vertex| [p[0] - q[0], p[1] - q[1]];
    let cross = |p: Vertex, q: Vertex| p[0] * q[1] - p[1] * q[0];
    let dot = |p: Vertex, q: Vertex| p[0] * q[0] + p[1] * q[1];
    let (along, edge, off) = (minus(piece.to, piece.from), minus(b, a), minus(a, piece.from));
    let length_2 = dot(along, along);
    if length_2 == 0.0 {
        return;
    }
    let near = |share: f64| (-SAME..=1.0 + SAME).contains(&share);
    let mut cut = |share: f64| {
        if near(share) {
            cuts.push(piece.first + (piece.last - piece.first) * share.clamp(0.0, 1.0));
        }
    };
    let apart = cross(along, edge);
    let size = (length_2 * dot(edge, edge)).sqrt();
    if apart.abs() > 1e-9 * size {
        let on_edge = cross(off, along) / apart;
        if near(on_edge) {
            cut(cross(off, edge) / apart);
        }
        return;
    }
    // As good as parallel: both ends of the edge, if they lie on the way's line, and where the lines meet, if they do.
    for end in [a, b] {
        let to_end = minus(end, piece.from);
        if cross(along, to_end).abs() <= 1e-9 * length_2 {
            cut(dot(to_end, along) / length_2);
        }
    }
    if apart != 0.0 && near(cross(off, along) / apart) {
        cut(cross(off, edge) / apart);
    }
}

#[cfg(test)]
#[path = "passage_test.rs"]
mod tests;
