//! Distances and directions between positions.
//!
//! Two models of the earth, each function says which. The sphere (mean radius) is cheap, some 30 ns, and off by up to
//! 0.6 % of a distance; the WGS 84 ellipsoid costs about a microsecond and is right to nanometres. Both work at the poles,
//! across ±180° and between antipodes.

use geo::{Bearing, Destination, Distance, Geodesic, Point};

use super::Position;

/// The mean radius of the WGS 84 ellipsoid, (2a + b) / 3, in metres (IUGG's R₁).
pub const MEAN_RADIUS_M: f64 = 6_371_008.8;

/// The great-circle distance in metres on the sphere of radius [`MEAN_RADIUS_M`].
///
/// `h = sin²(Δφ/2) + cos φ₁ · cos φ₂ · sin²(Δλ/2)`, distance `= 2R · atan2(√h, √(1−h))`.
/// Differs from [`geodesic_m`] by less than 0.6 %: most along a meridian near the equator or the poles. The form keeps its
/// precision for tiny distances and for antipodes.
pub fn haversine_m(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.lat().to_radians(), b.lat().to_radians());
    let half_dlat = ((b.lat() - a.lat()) / 2.0).to_radians().sin();
    let half_dlon = ((b.lon() - a.lon()) / 2.0).to_radians().sin();
    let h = (half_dlat * half_dlat + lat_a.cos() * lat_b.cos() * half_dlon * half_dlon).clamp(0.0, 1.0);
    2.0 * MEAN_RADIUS_M * h.sqrt().atan2((1.0 - h).sqrt())
}

/// The shortest distance in metres on the WGS 84 ellipsoid.
///
/// Karney's algorithm (2013): it converges for every pair, antipodes included; the error is some 15 nm.
pub fn geodesic_m(a: Position, b: Position) -> f64 {
    Geodesic.distance(point(a), point(b))
}

/// The initial bearing from `a` to `b` in degrees clockwise from north, in [0, 360), along the WGS 84 geodesic.
///
/// Karney's inverse solution; right to some 1e-13 degrees, save for positions millimetres apart, where rounding of the
/// positions themselves decides. From a position to itself the bearing is 0. At a pole it refers to the meridian that the
/// pole's longitude names.
pub fn bearing_deg(a: Position, b: Position) -> f64 {
    if a == b {
        return 0.0;
    }
    // `rem_euclid` of a tiny negative number may round up to 360 itself.
    let bearing = Geodesic.bearing(point(a), point(b)).rem_euclid(360.0);
    if bearing >= 360.0 { 0.0 } else { bearing }
}

/// Where one arrives from `start`, leaving at `bearing_deg` (degrees clockwise from north) and going `distance_m` metres
/// along the WGS 84 geodesic. A negative distance goes backwards.
///
/// Karney's direct solution, error some 15 nm. Bearing and distance must be finite: otherwise it is `start`.
pub fn destination(start: Position, bearing_deg: f64, distance_m: f64) -> Position {
    let end = Geodesic.destination(point(start), bearing_deg, distance_m);
    if end.x().is_finite() && end.y().is_finite() { Position::wrapped(end.x(), end.y()) } else { start }
}

fn point(p: Position) -> Point<f64> {
    Point::new(p.lon(), p.lat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).unwrap()
    }

    fn near(given: f64, wanted: f64, tolerance: f64) {
        assert!((given - wanted).abs() <= tolerance, "{given} is not {wanted} ± {tolerance}");
    }

    #[test]
    fn geodesic_distances_are_the_published_ones() {
        near(geodesic_m(p(0.0, 0.0), p(1.0, 0.0)), 111_319.490_793, 1e-5);
        near(geodesic_m(p(0.0, 0.0), p(0.0, 1.0)), 110_574.388_558, 1e-5);
        // A quarter of a meridian, and half of it: the way between equatorial antipodes leads over a pole.
        near(geodesic_m(p(12.0, 0.0), p(55.0, 90.0)), 10_001_965.729_313, 1e-5);
        near(geodesic_m(p(0.0, 0.0), p(180.0, 0.0)), 20_003_931.458_625, 1e-5);
        // Flinders Peak to Buninyong, the worked example of Australia's GDA technical manual (GRS 80: same to a millimetre).
        let dms = |d: f64, m: f64, s: f64| d + m / 60.0 + s / 3600.0;
        let flinders = p(dms(144.0, 25.0, 29.52440), -dms(37.0, 57.0, 3.72030));
        let buninyong = p(dms(143.0, 55.0, 35.38390), -dms(37.0, 39.0, 10.15610));
        near(geodesic_m(flinders, buninyong), 54_972.271, 2e-3);
        near(bearing_deg(flinders, buninyong), dms(306.0, 52.0, 5.37), 1e-4);
    }

    #[test]
    fn one_degree_of_longitude_shrinks_with_latitude() {
        // Chord of the parallel's circle: at a given latitude N·cos φ·Δλ bounds the geodesic from above, closely.
        let parallel = |lat: f64| {
            let (a, f) = (6_378_137.0, 1.0 / 298.257_223_563);
            let e2 = f * (2.0 - f);
            let (sin, cos) = lat.to_radians().sin_cos();
            a / (1.0 - e2 * sin * sin).sqrt() * cos * 1f64.to_radians()
        };
        for lat in [60.0, 89.0, -60.0, -89.0] {
            let d = geodesic_m(p(10.0, lat), p(11.0, lat));
            assert!(d < parallel(lat) && d > parallel(lat) * 0.9999, "{lat}: {d} vs {}", parallel(lat));
        }
    }

    #[test]
    fn the_antimeridian_and_the_pole_are_no_walls() {
        near(geodesic_m(p(179.5, 0.0), p(-179.5, 0.0)), 111_319.490_793, 1e-5);
        near(haversine_m(p(179.5, 10.0), p(-179.5, 10.0)), haversine_m(p(-0.5, 10.0), p(0.5, 10.0)), 1e-6);
        near(haversine_m(p(0.0, 89.0), p(180.0, 89.0)), 2.0 * 1f64.to_radians() * MEAN_RADIUS_M, 1e-5);
        near(geodesic_m(p(180.0, 5.0), p(-180.0, 5.0)), 0.0, 1e-9);
        near(geodesic_m(p(3.0, 90.0), p(-100.0, 90.0)), 0.0, 1e-6);
    }

    #[test]
    fn bearings_count_clockwise_from_north() {
        for (to, bearing) in [(p(0.0, 1.0), 0.0), (p(1.0, 0.0), 90.0), (p(0.0, -1.0), 180.0), (p(-1.0, 0.0), 270.0)] {
            near(bearing_deg(p(0.0, 0.0), to), bearing, 1e-12);
        }
        near(bearing_deg(p(179.9, 0.0), p(-179.9, 0.0)), 90.0, 1e-12);
        assert_eq!(bearing_deg(p(7.0, 8.0), p(7.0, 8.0)), 0.0);
    }

    #[test]
    fn no_direction_or_distance_goes_nowhere() {
        assert_eq!(destination(p(1.0, 2.0), f64::NAN, 5.0), p(1.0, 2.0));
        assert_eq!(destination(p(1.0, 2.0), 0.0, f64::INFINITY), p(1.0, 2.0));
    }

    fn anywhere() -> impl Strategy<Value = Position> {
        let lat = prop_oneof![-90.0..=90.0, 88.0..=90.0, Just(90.0), Just(-90.0), Just(0.0)];
        let lon = prop_oneof![-180.0..=180.0, 179.9..=180.0, Just(180.0), Just(-180.0)];
        (lon, lat).prop_map(|(lon, lat)| p(lon, lat))
    }

    proptest! {
        #[test]
        fn haversine_is_within_six_per_mille_of_the_geodesic(a in anywhere(), b in anywhere()) {
            let (sphere, ellipsoid) = (haversine_m(a, b), geodesic_m(a, b));
            prop_assert!((sphere - ellipsoid).abs() <= 0.006 * ellipsoid + 1e-6, "{sphere} vs {ellipsoid}");
        }

        #[test]
        fn distance_does_not_depend_on_direction(a in anywhere(), b in anywhere()) {
            prop_assert!((haversine_m(a, b) - haversine_m(b, a)).abs() <= 1e-6);
            prop_assert!((geodesic_m(a, b) - geodesic_m(b, a)).abs() <= 1e-6);
            prop_assert!((0.0..360.0).contains(&bearing_deg(a, b)));
        }

        #[test]
        fn a_destination_is_as_far_as_one_went(a in anywhere(), bearing in 0.0..360.0, d in 0.0..20_000_000.0) {
            let b = destination(a, bearing, d);
            // Up to the half of a meridian, less the focal region round the antipode, a geodesic is the shortest way.
            prop_assume!(d < 19_900_000.0);
            prop_assert!((geodesic_m(a, b) - d).abs() <= 1e-6);
        }
    }
}
