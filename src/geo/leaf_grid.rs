//! A leaf's own grid, on which the index keeps edges as chains of vertices of 4 bytes: cut to the leaf's surroundings and rounded.

use super::edge::Edge;
use super::index::{COORDINATE_BITS, MARGIN, PEN, STEP_BITS};

/// A cell's place, in degrees.
#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The grid of a leaf: 0 … 2¹⁴ per side; edges are kept a quarter of that beyond it.
pub(super) struct LeafGrid {
    west: f64,
    south: f64,
    steps_per_lon: f64,
    steps_per_lat: f64,
}

impl LeafGrid {
    const STEPS: f64 = (1 << STEP_BITS) as f64;
    const LOW: f64 = -Self::STEPS / 4.0;
    const HIGH: f64 = Self::STEPS * 1.25;

    /// The grid of a leaf, for edges whose longitudes are `frame` degrees further east than the leaf's.
    pub(super) fn new(rect: Rect, frame: f64) -> Self {
        let (steps_per_lon, steps_per_lat) = (Self::STEPS / rect.width, Self::STEPS / rect.height);
        Self { west: rect.west + frame, south: rect.south, steps_per_lon, steps_per_lat }
    }

    fn x(&self, lon: f64) -> f64 {
        (lon - self.west) * self.steps_per_lon
    }

    fn y(&self, lat: f64) -> f64 {
        (lat - self.south) * self.steps_per_lat
    }

    /// An edge east of the leaf that counts from one latitude to another; without that, to the leaf's north.
    pub(super) fn toggle(&self, lat: f64, upto: Option<f64>) -> Segment {
        let y = |lat| self.y(lat).clamp(Self::LOW, Self::HIGH);
        self.east_of(y(lat), upto.map_or(Self::HIGH, y))
    }

    /// A vertical edge east of the leaf.
    fn east_of(&self, y_lo: f64, y_hi: f64) -> Segment {
        segment(Self::HIGH, y_lo, Self::HIGH, y_hi)
    }

    /// Adds an edge as far as it is near the leaf. What goes beyond in the west never counts; what goes beyond in the east
    /// counts at its latitudes and becomes vertical.
    pub(super) fn cut(&self, edge: Edge, segments: &mut Vec<Segment>) {
        let mut y_lo = self.y(edge.y_lo).max(Self::LOW);
        let mut y_hi = self.y(edge.y_hi).min(Self::HIGH);
        if y_lo >= y_hi {
            return;
        }
        // The ends on the true edge: a long edge's slope doesn't suffer from the cut.
        let x_at = |y: f64| {
            let lat = self.south + y / self.steps_per_lat;
            self.x(edge.x_at(lat.clamp(edge.y_lo, edge.y_hi)))
        };
        let (mut x_lo, mut x_hi) = (x_at(y_lo), x_at(y_hi));
        // The latitude at which it passes a longitude that lies between its ends.
        let (x0, y0, per_x) = (x_lo, y_lo, (y_hi - y_lo) / (x_hi - x_lo));
        let y_where = |x: f64| y0 + (x - x0) * per_x;
        let lower_first = x_lo <= x_hi;
        if x_lo.max(x_hi) < Self::LOW {
            return;
        }
        if x_lo.min(x_hi) > Self::HIGH {
            segments.push(self.east_of(y_lo, y_hi));
            return;
        }
        if x_lo.max(x_hi) > Self::HIGH {
            let y = y_where(Self::HIGH).clamp(y_lo, y_hi);
            if lower_first {
                segments.push(self.east_of(y, y_hi));
                (x_hi, y_hi) = (Self::HIGH, y);
            } else {
                segments.push(self.east_of(y_lo, y));
                (x_lo, y_lo) = (Self::HIGH, y);
            }
        }
        if x_lo.min(x_hi) < Self::LOW {
            let y = y_where(Self::LOW).clamp(y_lo, y_hi);
            if lower_first {
                (x_lo, y_lo) = (Self::LOW, y);
            } else {
                (x_hi, y_hi) = (Self::LOW, y);
            }
        }
        segments.push(segment(x_lo, y_lo, x_hi, y_hi));
    }
}

/// An edge between two vertices of the grid.
pub(super) type Segment = [u32; 2];

fn segment(x_a: f64, y_a: f64, x_b: f64, y_b: f64) -> Segment {
    let step = |v: f64| (v.round() as i32).saturating_add(MARGIN as i32).clamp(0, (1 << COORDINATE_BITS) - 1) as u32;
    [step(x_a) | step(y_a) << COORDINATE_BITS, step(x_b) | step(y_b) << COORDINATE_BITS]
}

/// Adds the vertices of edges; an edge that begins where the one before it ended adds only one.
pub(super) fn chain(segments: &[Segment], vertices: &mut Vec<u32>) {
    let mut last = None;
    for (at, &[a, b]) in segments.iter().enumerate() {
        let (from, to) = match last {
            Some(last) if last == a => (None, b),
            Some(last) if last == b => (None, a),
            // Ends where the next one goes on.
            _ if segments.get(at + 1).is_some_and(|next| next.contains(&a) && !next.contains(&b)) => (Some(b), a),
            _ => (Some(a), b),
        };
        vertices.extend(from);
        if last != Some(to) || from.is_some() {
            vertices.push(to | PEN);
        }
        last = Some(to);
    }
}
