//! How far it is to a border or a line, which one is nearest, and which lines a way crosses.
//!
//! Edges are kept in an R-tree as short pieces in space, on the unit sphere: there a box is a box also round the poles and across the
//! antimeridian. Space only narrows the search down. What is given is the geodesic distance to the nearest point of an edge,
//! and a crossing is decided in longitude and latitude, exactly.

use super::edge::{Vertex, orientation};
use super::line::{pieces, shorter_way};
use super::{Position, geodesic_m};
use rstar::{AABB, PointDistance, RTree, RTreeObject};

/// Pieces are at most so long: then the chord of one is 4 m off the edge at most, mostly below it.
const LONGEST_DEG: f64 = 0.1;
/// Those metres, on the unit sphere.
const OFF: f64 = 1e-6;
/// Geodesic distances differ from those on a sphere by 0.6 % at most, either way.
const SLACK: f64 = 1.013;

type Space = [f64; 3];

/// Edges of shapes, each with its owner's number.
#[derive(Debug, Clone)]
pub(super) struct Borders {
    edges: Vec<Owned>,
    tree: RTree<Piece>,
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    owner: u32,
    from: Vertex,
    to: Vertex,
    is_line: bool,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    edge: u32,
    /// Where the piece is on its edge.
    first: f32,
    last: f32,
    from: Space,
    to: Space,
}

/// A line that a way crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crossed {
    pub(super) owner: u32,
    /// Whether it leads to the left side of the line, seen along it.
    pub(super) to_left: bool,
}

impl Borders {
    /// Of these edges: the owner, both ends, and whether it is a line's.
    pub(super) fn new(edges: impl Iterator<Item = (u32, Vertex, Vertex, bool)>) -> Self {
        let edges: Vec<Owned> = edges.map(|(owner, from, to, is_line)| Owned { owner, from, to, is_line }).collect();
        let of_edge = |(number, edge): (u32, &Owned)| {
            let parts: Vec<_> = pieces(edge.from, edge.to, LONGEST_DEG).collect();
            let count = parts.len() as f32;
            parts.into_iter().enumerate().map(move |(i, (from, to))| Piece {
                edge: number,
                first: i as f32 / count,
                last: (i + 1) as f32 / count,
                from: space(from),
                to: space(to),
            })
        };
        let pieces: Vec<Piece> = (0u32..).zip(&edges).flat_map(of_edge).collect();
        Self { edges, tree: RTree::bulk_load(pieces) }
    }

    /// The owner of the nearest edge among those that `wanted` says yes to, and the geodesic distance to it in metres. Of two as near
    /// the lower owner.
    pub(super) fn nearest(&self, to: Position, wanted: impl Fn(u32) -> bool) -> Option<(u32, f64)> {
        let here = space([to.lon(), to.lat()]);
        let mut best: Option<(u32, f64, f64)> = None;
        for (piece, chord_2) in self.tree.nearest_neighbor_iter_with_distance_2(&here) {
            if best.is_some_and(|(.., reach)| chord_2 > reach) {
                break;
            }
            let Some(edge) = self.edges.get(piece.edge as usize).filter(|edge| wanted(edge.owner)) else { continue };
            let found = geodesic_m(to, edge.at(piece, piece.share(&here)));
            if best.is_none_or(|(owner, least, _)| found < least || found == least && edge.owner < owner) {
                let reach = chord_2.sqrt() * SLACK + 2.0 * OFF;
                let reach = best.map_or(reach * reach, |(.., known)| known.min(reach * reach));
                best = Some((edge.owner, found, reach));
            }
        }
        best.map(|(owner, metres, _)| (owner, metres))
    }

    /// The lines that the way from one position to another crosses, the shorter way round, straight in longitude and latitude; each
    /// line at most once for each direction, ascending. A way that begins on a line has not crossed it yet if it ends on its left.
    pub(super) fn crossed(&self, from: Position, to: Position) -> Vec<Crossed> {
        let start = [from.lon(), from.lat()];
        let end = [from.lon() + shorter_way(from.lon(), to.lon()), to.lat()];
        let mut edges: Vec<u32> = Vec::new();
        for (a, b) in pieces(start, end, LONGEST_DEG) {
            let around = AABB::from_corners(space(a), space(b));
            let grow = |corner: Space, by: f64| corner.map(|at| at + by);
            let around = AABB::from_corners(grow(around.lower(), -2.0 * OFF), grow(around.upper(), 2.0 * OFF));
            edges.extend(self.tree.locate_in_envelope_intersecting(&around).map(|piece| piece.edge));
        }
        edges.sort_unstable();
        edges.dedup();
        let lines = edges.into_iter().filter_map(|edge| self.edges.get(edge as usize)).filter(|edge| edge.is_line);
        let mut crossed: Vec<Crossed> = lines
            .filter_map(|edge| Some(Crossed { owner: edge.owner, to_left: edge.crossed_to_left(start, end)? }))
            .collect();
        crossed.sort_unstable();
        crossed.dedup();
        crossed
    }
}

impl Owned {
    /// The place of a piece's share.
    fn at(&self, piece: &Piece, share: f64) -> Position {
        let share = f64::from(piece.first) + f64::from(piece.last - piece.first) * share;
        let along = |axis: usize| self.from[axis] + (self.to[axis] - self.from[axis]) * share;
        Position::wrapped(along(0), along(1))
    }

    /// Whether a way crosses the edge, and if so whether to its left. Half open, so that of the edges of a line that meet at a vertex
    /// the way crosses one: on the line counts as right of it, and an end of the edge on the way as right of the way.
    fn crossed_to_left(&self, start: Vertex, end: Vertex) -> Option<bool> {
        // The edge in the frame of the way.
        let turns = ((start[0] - self.from[0]) / 360.0).round() * 360.0;
        for frame in [turns, turns - 360.0, turns + 360.0] {
            let (a, b) = ([self.from[0] + frame, self.from[1]], [self.to[0] + frame, self.to[1]]);
            let left = |a: Vertex, b: Vertex, of: Vertex| orientation(a, b, of) > 0;
            let (before, after) = (left(a, b, start), left(a, b, end));
            if before != after && left(start, end, a) != left(start, end, b) {
                return Some(after);
            }
        }
        None
    }
}

impl Piece {
    /// Where on the chord the nearest point to `place` is, 0 to 1.
    fn share(&self, place: &Space) -> f64 {
        let along = minus(&self.to, &self.from);
        let length_2 = dot(&along, &along);
        if length_2 == 0.0 { 0.0 } else { (dot(&minus(place, &self.from), &along) / length_2).clamp(0.0, 1.0) }
    }
}

impl RTreeObject for Piece {
    type Envelope = AABB<Space>;
    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.from, self.to)
    }
}

impl PointDistance for Piece {
    fn distance_2(&self, place: &Space) -> f64 {
        let share = self.share(place);
        let nearest: Space = std::array::from_fn(|axis| self.from[axis] + (self.to[axis] - self.from[axis]) * share);
        let off = minus(place, &nearest);
        dot(&off, &off)
    }
}

fn minus(a: &Space, b: &Space) -> Space {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn dot(a: &Space, b: &Space) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A place on the unit sphere.
fn space([lon, lat]: Vertex) -> Space {
    let ((sin_lon, cos_lon), (sin_lat, cos_lat)) = (lon.to_radians().sin_cos(), lat.to_radians().sin_cos());
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

#[cfg(test)]
#[path = "border_test.rs"]
mod tests;
