//! The exact test: on which side of a polygon's edge is a point?
//!
//! The rule is even-odd with a ray to the east. An edge counts for a point if `y_lo ≤ y < y_hi` and the point is strictly
//! west of it; it is decided by the sign of a determinant, in doubles where their error bound allows and exactly where it
//! doesn't (Shewchuk's adaptive predicate). So two polygons that share an edge, written in either direction, always agree
//! on its sides.

use geo::Coord;
use geo::algorithm::kernels::{Kernel, Orientation, RobustKernel};

use super::Position;

/// A vertex in the frame of its shape: unwrapped longitude, latitude.
pub(super) type Vertex = [f64; 2];

/// An edge with its lower end first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) x_lo: f64,
    pub(super) y_lo: f64,
    pub(super) x_hi: f64,
    pub(super) y_hi: f64,
}

/// Shewchuk's bound of the rounding error of a 2×2 orientation determinant, relative to its two products.
const ERROR_BOUND: f64 = 3.330_669_073_875_472e-16;

/// The next to nothing that is taken as 0, since products of such numbers would underflow and leave the predicate inexact.
const NOTHING_DEG: f64 = 1e-100;

/// A coordinate as it is tested: its own value, or 0 if it is below 1e-100 degrees.
#[inline]
pub(super) fn not_tiny(degrees: f64) -> f64 {
    if degrees.abs() < NOTHING_DEG { 0.0 } else { degrees }
}

/// The point at which a position is tested. 180° becomes −180°, so that the meridian has one name; the north pole goes a
/// hair south, since the half-open rule would put it outside of every shape.
#[inline]
pub(super) fn test_point(position: Position) -> (f64, f64) {
    let x = if position.lon() == 180.0 { -180.0 } else { position.lon() };
    (not_tiny(x), not_tiny(position.lat().min(90f64.next_down())))
}

impl Edge {
    #[inline]
    pub(super) fn new(a: Vertex, b: Vertex) -> Self {
        let (lo, hi) = if a[1] <= b[1] { (a, b) } else { (b, a) };
        Self { x_lo: lo[0], y_lo: lo[1], x_hi: hi[0], y_hi: hi[1] }
    }

    /// Whether the ray from (x, y) to the east crosses the edge.
    #[inline]
    pub(super) fn counts(self, x: f64, y: f64) -> bool {
        // A horizontal edge never does.
        if !(self.y_lo <= y && y < self.y_hi) {
            return false;
        }
        let left = (self.x_hi - self.x_lo) * (y - self.y_lo);
        let right = (self.y_hi - self.y_lo) * (x - self.x_lo);
        let difference = left - right;
        if difference.abs() > ERROR_BOUND * (left.abs() + right.abs()) {
            return difference > 0.0;
        }
        self.counts_exactly(x, y)
    }

    #[cold]
    #[inline(never)]
    fn counts_exactly(self, x: f64, y: f64) -> bool {
        orientation([self.x_lo, self.y_lo], [self.x_hi, self.y_hi], [x, y]) > 0
    }

    /// The western end's longitude.
    pub(super) fn west(self) -> f64 {
        self.x_lo.min(self.x_hi)
    }

    /// The eastern end's longitude.
    pub(super) fn east(self) -> f64 {
        self.x_lo.max(self.x_hi)
    }

    /// The longitude of the edge at a latitude within it, to some 1e-13 degrees; of a horizontal edge, of its first end.
    pub(super) fn x_at(self, y: f64) -> f64 {
        if self.y_hi <= self.y_lo {
            return self.x_lo;
        }
        let share = ((y - self.y_lo) / (self.y_hi - self.y_lo)).clamp(0.0, 1.0);
        (self.x_lo + share * (self.x_hi - self.x_lo)).clamp(self.west(), self.east())
    }
}

/// 1 if `c` is left of the line from `a` to `b`, −1 if right, 0 if on it: exactly.
pub(super) fn orientation(a: Vertex, b: Vertex, c: Vertex) -> i8 {
    let coord = |v: Vertex| Coord { x: v[0], y: v[1] };
    match RobustKernel::orient2d(coord(a), coord(b), coord(c)) {
        Orientation::CounterClockwise => 1,
        Orientation::Clockwise => -1,
        Orientation::Collinear => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_includes_its_lower_end_and_excludes_its_upper_one() {
        let edge = Edge::new([1.0, 2.0], [0.0, 0.0]);
        assert_eq!(edge, Edge { x_lo: 0.0, y_lo: 0.0, x_hi: 1.0, y_hi: 2.0 });
        assert!(edge.counts(-1.0, 0.0) && !edge.counts(-1.0, 2.0));
        assert!(!edge.counts(0.5, 1.0), "a point on the edge is not west of it");
        assert!(edge.counts(0.5f64.next_down(), 1.0) && !edge.counts(0.5f64.next_up(), 1.0));
    }

    #[test]
    fn a_nearly_collinear_point_is_decided_exactly() {
        // 0.1 + 0.2 > 0.3 in doubles: the point is below the diagonal by one unit in the last place.
        let edge = Edge::new([0.0, 0.0], [3.0, 3.0]);
        let sum = 0.1 + 0.2;
        assert!(!edge.counts(sum, 0.3) && edge.counts(0.3, sum) && !edge.counts(0.3, 0.3));
    }
}
