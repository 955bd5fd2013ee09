//! ALIGN EXTRAPOLATE: where an entity is by now, if it went on as between its last two positions.

use crate::{
    geo::{Position, bearing_deg, destination, geodesic_m},
    model::TimeMs,
};

/// Half the way round the earth: nobody is farther away.
const FARTHEST_M: f64 = 20_038_000.0;

/// How an entity moved between its last two positions of different times.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Motion {
    /// The one before the last.
    pub(super) from_ms: TimeMs,
    pub(super) from: Position,
    /// The course at the last, and metres per millisecond; 0 where the two are too far apart in time.
    course_deg: f64,
    speed: f64,
    /// How far it may come within the bound.
    pub(super) drift_m: f64,
}

impl Motion {
    /// The motion from one position to a later one, which is followed for `bound_ms` at most.
    pub(super) fn new((from_ms, from): (TimeMs, Position), (to_ms, to): (TimeMs, Position), bound_ms: TimeMs) -> Self {
        let took_ms = to_ms.saturating_sub(from_ms);
        let way_m = if took_ms <= bound_ms { geodesic_m(from, to) } else { 0.0 };
        if way_m == 0.0 || took_ms <= 0 {
            return Self { from_ms, from, course_deg: 0.0, speed: 0.0, drift_m: 0.0 };
        }
        let (course_deg, speed) = (bearing_deg(to, from) + 180.0, way_m / took_ms as f64);
        // A little more than it comes to, whatever rounding does.
        let drift_m = (speed * bound_ms as f64 * (1.0 + 1e-9) + 1e-3).min(FARTHEST_M);
        Self { from_ms, from, course_deg, speed, drift_m }
    }

    /// Where it is so long after its last position, `at`.
    pub(super) fn after(&self, at: Position, elapsed_ms: TimeMs) -> Position {
        match self.speed > 0.0 && elapsed_ms > 0 {
            true => destination(at, self.course_deg, self.speed * elapsed_ms as f64),
            false => at,
        }
    }
}
