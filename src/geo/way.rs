//! The way between two positions: the shorter geodesic, in pieces that are straight in longitude and latitude, as borders are.
//!
//! A way is followed to within a metre, or a ten-thousandth of its length where that is more. What an entity sends each minute is mostly one
//! piece, found by a bound that costs tens of nanoseconds: a great circle bends away from the straight line between its ends by about
//! L² · tan(latitude) / 8R. Longer ways are halved at the middle of the geodesic, until the pieces are straight. A step of more than 180° of longitude is
//! taken the other way, across the antimeridian; a position at a pole has the longitude of the other end.

use super::Position;
use super::edge::{Vertex, not_tiny};
use super::line::shorter_way;
use super::measure::{MEAN_RADIUS_M, haversine_m};
use geo::{Geodesic, InterpolatePoint, Point};
use smallvec::SmallVec;

/// Ways are followed to this, or to the share below of their length.
const OFF_M: f64 = 1.0;
const OFF_SHARE: f64 = 1e-4;
/// No way is halved more often: 16 times is some 300 m of the longest.
const HALVINGS_MAX: u32 = 16;
/// Where the bound says nothing: so near to a pole that the tangent of the latitude explodes.
const NEAR_POLE_DEG: f64 = 89.9;
/// Pieces up to this length may be judged by their middles.
const JUDGED_M: f64 = 100_000.0;

/// A way from one position to another. Places on it are named by their share of its length, 0 to 1.
#[derive(Debug, Clone)]
pub struct Way {
    // INVARIANT: two at least; shares ascend from 0 to 1; longitudes go on beyond ±180°.
    vertices: SmallVec<[(f64, Vertex); 2]>,
}

impl Way {
    /// The way from one position to another.
    pub fn new(from: Position, to: Position) -> Self {
        let at_pole = |position: Position| position.lat().abs() == 90.0;
        let mut start = [from.lon(), from.lat()].map(not_tiny);
        if at_pole(from) && !at_pole(to) {
            start[0] = to.lon();
        }
        let mut way = Self { vertices: SmallVec::from_slice(&[(0.0, start)]) };
        let metres = haversine_m(from, to);
        let off_m = OFF_M.max(metres * OFF_SHARE);
        way.go(Leg { from, to, first: 0.0, last: 1.0, metres }, off_m, 0);
        way
    }

    /// Goes on from the last vertex, which is the leg's start, to its end.
    fn go(&mut self, leg: Leg, off_m: f64, depth: u32) {
        let middle = if depth < HALVINGS_MAX { leg.bends(off_m) } else { None };
        let Some(middle) = middle else {
            let [lon, _] = self.end();
            let step = if leg.to.lat().abs() == 90.0 { 0.0 } else { shorter_way(lon, leg.to.lon()) };
            self.vertices.push((leg.last, [not_tiny(lon + step), not_tiny(leg.to.lat())]));
            return;
        };
        let (half, share) = (leg.metres / 2.0, (leg.first + leg.last) / 2.0);
        self.go(Leg { to: middle, last: share, metres: half, ..leg }, off_m, depth + 1);
        self.go(Leg { from: middle, first: share, metres: half, ..leg }, off_m, depth + 1);
    }

    fn end(&self) -> Vertex {
        self.vertices.last().map_or([0.0, 0.0], |&(_, vertex)| vertex)
    }

    /// The place at a share of the way. Along a piece it goes evenly in longitude and latitude.
    pub fn at(&self, share: f64) -> Position {
        let next = self.vertices.partition_point(|&(at, _)| at <= share).clamp(1, self.vertices.len() - 1);
        let ((first, from), (last, to)) = (self.vertices[next - 1], self.vertices[next]);
        let part = if last > first { ((share - first) / (last - first)).clamp(0.0, 1.0) } else { 0.0 };
        let along = |axis: usize| if part >= 1.0 { to[axis] } else { from[axis] + (to[axis] - from[axis]) * part };
        Position::wrapped(along(0), along(1))
    }

    /// Its pieces: from which share to which, and from where to where.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        self.vertices.windows(2).map(|pair| Piece { first: pair[0].0, last: pair[1].0, from: pair[0].1, to: pair[1].1 })
    }
}

/// A piece of a way, straight in longitude and latitude.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) from: Vertex,
    pub(super) to: Vertex,
}

impl Piece {
    /// The same, some degrees further east.
    pub(super) fn moved(self, by: f64) -> Self {
        Self { from: [self.from[0] + by, self.from[1]], to: [self.to[0] + by, self.to[1]], ..self }
    }

    /// West, south, east and north of it.
    pub(super) fn bounds(&self) -> [f64; 4] {
        let ([ax, ay], [bx, by]) = (self.from, self.to);
        [ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)]
    }
}

/// A part of the geodesic.
#[derive(Clone, Copy)]
struct Leg {
    from: Position,
    to: Position,
    first: f64,
    last: f64,
    metres: f64,
}

impl Leg {
    /// The middle of the geodesic, if the straight line is farther from it than that.
    fn bends(&self, off_m: f64) -> Option<Position> {
        let (from, to, metres) = (self.from, self.to, self.metres);
        // A geodesic gets no higher than its ends by more than its length.
        let highest = from.lat().abs().max(to.lat().abs()) + metres / 111_000.0;
        if highest < NEAR_POLE_DEG {
            let bend = metres * metres * highest.to_radians().tan() / (8.0 * MEAN_RADIUS_M);
            if bend <= off_m {
                return None;
            }
        }
        if metres <= off_m {
            return None;
        }
        let point = |p: Position| Point::new(p.lon(), p.lat());
        let middle = Geodesic.point_at_ratio_between(point(from), point(to), 0.5);
        if !(middle.x().is_finite() && middle.y().is_finite()) {
            return None;
        }
        let middle = Position::wrapped(middle.x(), middle.y());
        let step = shorter_way(from.lon(), to.lon());
        let straight = match (from.lat().abs() == 90.0, to.lat().abs() == 90.0) {
            (true, _) => to.lon(),
            (_, true) => from.lon(),
            _ => from.lon() + step / 2.0,
        };
        let straight = Position::wrapped(straight, (from.lat() + to.lat()) / 2.0);
        (metres > JUDGED_M || haversine_m(straight, middle) > off_m).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{destination, geodesic_m};
    use proptest::prelude::*;

    fn p(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).unwrap()
    }

    #[test]
    fn a_short_way_is_one_piece_and_takes_the_shorter_way_round() {
        let way = Way::new(p(179.99, 10.0), p(-179.99, 10.01));
        let pieces: Vec<_> = way.pieces().collect();
        assert_eq!(pieces.len(), 1);
        assert!((pieces[0].to[0] - 180.01).abs() < 1e-9);
        assert!((way.at(0.75).lon() + 179.995).abs() < 1e-9);
    }

    #[test]
    fn a_way_over_a_pole_goes_over_it() {
        let way = Way::new(p(0.0, 89.9), p(180.0, 89.9));
        assert!(way.at(0.5).lat() > 89.999, "{:?}", way.at(0.5));
        let from_pole = Way::new(p(10.0, 90.0), p(100.0, 89.0));
        assert!((from_pole.at(0.5).lon() - 100.0).abs() < 1e-6);
        let to_pole = Way::new(p(100.0, -89.0), p(10.0, -90.0));
        assert!((to_pole.at(0.5).lon() - 100.0).abs() < 1e-6 && to_pole.at(1.0).lat() == -90.0);
    }

    proptest! {
        #[test]
        fn a_way_is_the_geodesic_and_as_even_as_it(
            lon in prop_oneof![-180.0..180.0, Just(180.0)], lat in prop_oneof![-90.0..90.0, 89.0..90.0, Just(-90.0)],
            course in 0.0..360.0, metres in prop_oneof![0.0..3_000.0, 0.0..200_000.0, 0.0..15_000_000.0], share in 0.0..1.0f64,
        ) {
            let (from, to) = (p(lon, lat), destination(p(lon, lat), course, metres));
            let way = Way::new(from, to);
            let point = |p: Position| Point::new(p.lon(), p.lat());
            let exact = Geodesic.point_at_ratio_between(point(from), point(to), share);
            let exact = Position::wrapped(exact.x(), exact.y());
            let off = geodesic_m(exact, way.at(share));
            // Evenness along a piece is as good as its straightness, within some per mille of the piece.
            prop_assert!(off <= 6.0 + metres * 1e-3, "{off} m off at {share} of {metres}");
            prop_assert!(geodesic_m(from, way.at(0.0)) < 1e-6 && geodesic_m(to, way.at(1.0)) < 1e-6);
            prop_assert!(way.vertices.len() < 2_000);
        }
    }
}
