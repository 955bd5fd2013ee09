//! Two movers that keep course and speed: how near they come, and when.
//!
//! Local plane: with the first mover at the origin, the other is at the geodesic distance and initial bearing from it, east and north, and
//! velocities are `speed · (sin course, cos course)`. With `r` the other's place and `v` its velocity less the first's, the time of
//! the closest approach is `t = −(r · v) / (v · v)` and the distance then `|r + t v|`. Good for the tens of kilometres that a warning
//! looks ahead; round the poles courses change too fast for it.

use super::{Function, Param, Returns};
use crate::{
    geo::{Position, bearing_deg, geodesic_m},
    model::{Type, Unit, Value},
};

/// Position, speed and course of the one, then of the other.
const MOVERS: &[Param] = &[
    Param::Is(Type::Point),
    Param::Is(Type::Quantity(Unit::MetrePerSecond)),
    Param::Is(Type::Quantity(Unit::Degree)),
    Param::Is(Type::Point),
    Param::Is(Type::Quantity(Unit::MetrePerSecond)),
    Param::Is(Type::Quantity(Unit::Degree)),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "cpa",
        params: MOVERS,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Quantity(Unit::Metre)),
        doc: "How near two movers come (position, speed and course of each) if both keep course and speed; if they move apart, how far apart they are.",
        example: ("round(cpa(point(0, 0), 10 m/s, 90 deg, point(0.1, 0), 10 m/s, 270 deg))", "0"),
        eval: |args| approach(args).map(|approach| approach.distance_m).into(),
    },
    Function {
        name: "tcpa",
        params: MOVERS,
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Duration),
        doc: "How long until two movers are nearest, if both keep course and speed; negative if that was before, null if neither moves against the other.",
        example: ("tcpa(point(0, 0), 10 m/s, 90 deg, point(0.1, 0), 10 m/s, 270 deg)", "556597 ms"),
        eval: |args| {
            let ms = approach(args).and_then(|approach| approach.in_s).map(|s| (s * 1_000.0).round());
            // Beyond 2^53 a double is no longer a whole number of milliseconds.
            ms.filter(|ms| ms.abs() < 9.0e15).map_or(Value::Null, |ms| Value::Duration(ms as i64))
        },
    },
];

struct Approach {
    distance_m: f64,
    /// Seconds; none where their distance doesn't change.
    in_s: Option<f64>,
}

fn approach(args: &[Value]) -> Option<Approach> {
    let [Value::Point(a), speed_a, course_a, Value::Point(b), speed_b, course_b] = args else { return None };
    let (va, vb) = (velocity(speed_a, course_a)?, velocity(speed_b, course_b)?);
    let [x, y] = offset(*a, *b);
    let [u, v] = [vb[0] - va[0], vb[1] - va[1]];
    let square = u * u + v * v;
    // Slower than a millimetre a second is standing still: their distance is what it is.
    if square < 1e-6 {
        return Some(Approach { distance_m: x.hypot(y), in_s: None });
    }
    let in_s = -(x * u + y * v) / square;
    let ahead_s = in_s.max(0.0);
    Some(Approach { distance_m: (x + u * ahead_s).hypot(y + v * ahead_s), in_s: Some(in_s) })
}

/// Metres east and north.
fn offset(from: Position, to: Position) -> [f64; 2] {
    let (distance_m, bearing) = (geodesic_m(from, to), bearing_deg(from, to).to_radians());
    [distance_m * bearing.sin(), distance_m * bearing.cos()]
}

fn velocity(speed: &Value, course: &Value) -> Option<[f64; 2]> {
    let (speed, course) = (speed.number()?, course.number()?.to_radians());
    Some([speed * course.sin(), speed * course.cos()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::destination;

    fn call(name: &str, other: Position, speeds: [f64; 2], courses: [f64; 2]) -> Value {
        let at = Position::new(179.95, 60.0).unwrap();
        let function = FUNCTIONS.iter().find(|function| function.name == name).unwrap();
        let [sa, sb] = speeds.map(Value::Float);
        let [ca, cb] = courses.map(Value::Float);
        (function.eval)(&[Value::Point(at), sa, ca, Value::Point(other), sb, cb])
    }

    fn metres(value: &Value) -> f64 {
        value.number().unwrap()
    }

    #[test]
    fn crossing_courses_meet_where_both_are_at_once() {
        // 10 km to the east across ±180°; it goes north, we go northeast fast enough to be there with it.
        let other = destination(Position::new(179.95, 60.0).unwrap(), 90.0, 10_000.0);
        let (speeds, courses) = ([2f64.sqrt() * 10.0, 10.0], [45.0, 0.0]);
        assert!(metres(&call("cpa", other, speeds, courses)) < 5.0);
        assert!((metres(&call("tcpa", other, speeds, courses)) - 1_000_000.0).abs() < 500.0);
    }

    #[test]
    fn those_who_move_apart_are_nearest_now_and_those_who_stand_have_no_time() {
        let other = destination(Position::new(179.95, 60.0).unwrap(), 90.0, 1_000.0);
        assert!((metres(&call("cpa", other, [5.0, 5.0], [270.0, 90.0])) - 1_000.0).abs() < 1e-6);
        assert!((metres(&call("tcpa", other, [5.0, 5.0], [270.0, 90.0])) + 100_000.0).abs() < 2.0);
        assert_eq!(call("tcpa", other, [5.0, 5.0], [33.0, 33.0]), Value::Null);
        assert!((metres(&call("cpa", other, [0.0, 0.0], [0.0, 90.0])) - 1_000.0).abs() < 1e-6);
    }
}
