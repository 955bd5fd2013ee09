use super::*;
use crate::geo::{Cell, Position, Resolution, destination, haversine_m};
use proptest::prelude::*;

fn by_h3o(place: Position, resolution: u8) -> u64 {
    let resolution = h3o::Resolution::try_from(resolution).unwrap();
    LatLng::new(place.lat(), place.lon()).unwrap().to_cell(resolution).into()
}

/// At every resolution; how many were left to h3o.
fn check(place: Position) -> usize {
    (0..16)
        .filter(|&resolution| {
            let expected = by_h3o(place, resolution);
            let at = Cell::at(place, Resolution::new(resolution.into()).unwrap());
            assert_eq!(at.number(), expected, "{place:?} at {resolution}");
            let found = cell_at(place.lat(), place.lon(), resolution);
            assert!(
                found.is_none_or(|found| found == expected),
                "{place:?} at {resolution}: {found:x?}, not {expected:x}"
            );
            found.is_none()
        })
        .count()
}

fn p(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

/// Places of all kinds: anywhere, round the twelve pentagons, on the edges between faces, at their centres, at the poles, on ±180°.
fn places() -> impl Strategy<Value = Position> {
    let corners: Vec<Position> = CellIndex::base_cells()
        .filter(|cell| cell.is_pentagon())
        .map(LatLng::from)
        .map(|corner| Position::wrapped(corner.lng(), corner.lat()))
        .collect();
    // Two corners of one face are 63.4° apart.
    let near = |a: Position, b: Position| (haversine_m(a, b) / 111_195.0 - 63.43).abs() < 1.0;
    let pairs: Vec<(Position, Position)> =
        corners.iter().flat_map(|&a| corners.iter().map(move |&b| (a, b))).filter(|&(a, b)| near(a, b)).collect();
    let on_edge = (prop::sample::select(pairs), 0.0..1.0f64).prop_map(|((a, b), share)| {
        use geo::{Haversine, InterpolatePoint, Point};
        let point = |p: Position| Point::new(p.lon(), p.lat());
        let place = Haversine.point_at_ratio_between(point(a), point(b), share);
        Position::wrapped(place.x(), place.y())
    });
    let centres = (0usize..20).prop_map(|face| {
        let [x, y, z] = ICOSAHEDRON.centres.map(|values| values[face % 10] * if face < 10 { 1.0 } else { -1.0 });
        Position::wrapped(y.atan2(x).to_degrees(), z.asin().to_degrees())
    });
    prop_oneof![
        4 => (-180.0..180.0, -1.0..1.0f64).prop_map(|(lon, sin)| p(lon, sin.asin().to_degrees())),
        2 => prop::sample::select(corners),
        4 => on_edge,
        1 => centres,
        1 => (-180.0..180.0, 89.9..=90.0).prop_map(|(lon, lat)| p(lon, lat)),
        1 => (-90.0..90.0).prop_map(|lat| p(180.0, lat)),
        1 => (-90.0..90.0).prop_map(|lat| p(-180.0, lat)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    #[test]
    fn the_cell_of_any_place_is_what_h3o_says(near in places(), course in 0.0..360.0, far in -8.0..6.5f64) {
        check(near);
        check(destination(near, course, 10f64.powf(far)));
    }

    #[test]
    fn on_the_borders_of_cells_it_is_what_h3o_says(
        near in places(), course in 0.0..360.0, far in -1.0..6.5f64, r in 0u8..16, share in prop::sample::select(vec![0.0, 0.25, 0.5]),
        aside in 0.0..360.0, off in -9.0..0.0f64,
    ) {
        let resolution = h3o::Resolution::try_from(r).unwrap();
        let near = destination(near, course, 10f64.powf(far));
        let cell = LatLng::new(near.lat(), near.lon()).unwrap().to_cell(resolution);
        let boundary = cell.boundary();
        let next = boundary.iter().skip(1).chain(&boundary[..1]);
        for (a, b) in boundary.iter().zip(next) {
            // Straight between them in space is on the border's great circle.
            let middle = along(1.0 - share, direction(a.lat(), a.lng()), share, direction(b.lat(), b.lng()));
            let [x, y, z] = unit(middle);
            let place = Position::wrapped(y.atan2(x).to_degrees(), z.asin().to_degrees());
            check(place);
            check(destination(place, aside, 10f64.powf(off)));
        }
    }
}

#[test]
fn the_base_cells_that_a_face_sees_are_known() {
    for (face, homes) in ICOSAHEDRON.homes.iter().enumerate() {
        let known: Vec<&Home> = homes.iter().filter(|home| home.base != UNKNOWN).collect();
        // Ten on the face and six that reach in; three of them are pentagons.
        assert_eq!(known.len(), 16, "{face}");
        let seen = homes.iter().filter(|home| home.turns.iter().all(|&turns| turns < 6)).count();
        assert!(seen >= 13, "{face}: {seen}");
    }
}

#[test]
fn next_to_nothing_is_left_to_h3o() {
    let mut left = 0;
    for at in 0..40_000u32 {
        // The golden ratio spreads places over the sphere.
        let (turn, sin) = (f64::from(at) * 0.618_033_988_749_894_9, f64::from(at) / 20_000.0 - 1.0);
        left += check(p(turn.fract() * 360.0 - 180.0, sin.asin().to_degrees()));
    }
    assert!(left < 200, "{left} of 640,000");
}

#[test]
fn pairs_of_digits_are_all_there_are() {
    let mut digits: Vec<u8> = PAIRS.iter().flatten().map(|pair| pair.digits).collect();
    digits.sort_unstable();
    digits.dedup();
    assert_eq!(digits.len(), 49);
}
