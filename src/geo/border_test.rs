use super::*;
use crate::geo::{Fence, FenceIx, FenceSet, Shape, Validity, destination};
use proptest::prelude::*;

fn p(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn set(shapes: Vec<Shape>) -> FenceSet {
    let fence = |(i, shape)| Fence { id: format!("{i:03}"), properties: vec![], shape, valid: Validity::ALWAYS };
    FenceSet::new(shapes.into_iter().enumerate().map(fence).collect()).unwrap()
}

/// The distance to the nearest of many points of the border: never less than the true one.
fn sampled(shape: &Shape, to: Position) -> f64 {
    let mut least = f64::INFINITY;
    for (_, a, b, _) in shape.edges_of(0) {
        for i in 0..=2_000 {
            let share = f64::from(i) / 2_000.0;
            let place = Position::wrapped(a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share);
            least = least.min(geodesic_m(place, to));
        }
    }
    least
}

#[test]
fn distances_are_those_of_geodesics_at_any_latitude_and_across_the_antimeridian() {
    for lat in [0.0, 60.0, 89.0, -89.0] {
        for lon in [10.0, 179.999, -179.999] {
            // A gate north to south, seen from the east.
            let gate = [[lon, lat - 0.5], [lon, lat + 0.5]];
            let shape = Shape::lines(&[gate]).unwrap();
            for metres in [1.0, 100.0, 5_000.0] {
                let place = destination(p(lon, lat), 90.0, metres);
                let found = shape.distance_m(place);
                assert!((found / metres - 1.0).abs() < 1e-3, "{lat} {lon}: {found} for {metres}");
            }
        }
    }
}

#[test]
fn lines_are_crossed_to_one_side_and_a_vertex_counts_once() {
    let line = [[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]];
    let set = set(vec![Shape::lines(&[line]).unwrap()]);
    let crossed = |from, to| set.crossed_at(from, to, 0);
    assert_eq!(crossed(p(1.0, 0.5), p(-1.0, 0.5)), [(FenceIx(0), true)]);
    assert_eq!(crossed(p(-1.0, 1.0), p(1.0, 1.0)), [(FenceIx(0), false)], "through a vertex");
    assert_eq!(crossed(p(-1.0, 1.0), p(0.0, 1.0)), [(FenceIx(0), false)], "up to the line is across to its right");
    assert_eq!(crossed(p(0.0, 1.0), p(1.0, 1.0)), [], "and from it nothing more");
    assert_eq!(crossed(p(-1.0, 2.5), p(1.0, 2.5)), [], "past its end");
    assert_eq!(crossed(p(1.0, 0.5), p(1.0, 0.5)), []);
    let date_line = [[180.0, -1.0], [180.0, 1.0]];
    let set = self::set(vec![Shape::lines(&[date_line]).unwrap()]);
    assert_eq!(set.crossed_at(p(179.0, 0.0), p(-179.0, 0.1), 0), [(FenceIx(0), false)]);
    assert_eq!(set.crossed_at(p(-179.0, 0.0), p(179.0, 0.1), 0), [(FenceIx(0), true)]);
    assert_eq!(set.crossed_at(p(-179.0, 0.0), p(-170.0, 0.1), 0), []);
}

#[test]
fn the_nearest_fence_is_the_one_around_or_the_nearest_that_is_there() {
    let circle = |lon: f64| Shape::circle(p(lon, 50.0), 1_000.0, 64).unwrap();
    let mut fences: Vec<Fence> = [0.0, 1.0, 2.0]
        .into_iter()
        .enumerate()
        .map(|(i, lon)| Fence { id: format!("{i}"), properties: vec![], shape: circle(lon), valid: Validity::ALWAYS })
        .collect();
    fences[1].valid = Validity { from_ms: 100, to_ms: 200 };
    let set = FenceSet::new(fences).unwrap();
    assert_eq!(set.nearest_at(p(1.001, 50.0), 100), Some((FenceIx(1), 0.0)));
    let (fence, metres) = set.nearest_at(p(1.2, 50.0), 99).unwrap();
    assert_eq!(fence, FenceIx(2));
    assert!((metres - (geodesic_m(p(1.2, 50.0), p(2.0, 50.0)) - 1_000.0)).abs() < 5.0);
    assert_eq!(set.nearest_at(p(1.2, 50.0), 199).unwrap().0, FenceIx(1));
    let mut found = Vec::new();
    set.locate_at(p(1.0, 50.0), 200, &mut found);
    assert_eq!(found, []);
    assert_eq!(FenceSet::new(vec![]).unwrap().nearest_at(p(1.0, 1.0), 0), None);
}

proptest! {
    #[test]
    fn the_distance_is_that_to_the_nearest_of_many_points(
        lat in prop_oneof![-85.0..85.0f64, 80.0..89.0f64], lon in prop_oneof![-180.0..180.0f64, 179.5..180.0f64],
        corners in prop::collection::vec((0.0..360.0f64, 10.0..60_000.0f64), 2..5),
        course in 0.0..360.0f64, far in 1.0..120_000.0f64,
    ) {
        let centre = p(lon, lat);
        let corner = |(course, far): (f64, f64)| { let at = destination(centre, course, far); [at.lon(), at.lat()] };
        let line: Vec<_> = corners.into_iter().map(corner).collect();
        let shape = Shape::lines(&[line]).unwrap();
        let place = destination(centre, course, far);
        let (found, bound) = (shape.distance_m(place), sampled(&shape, place));
        prop_assert!(found <= bound * 1.001 + 0.01, "{} is more than {}", found, bound);
        // Samples are up to some 30 m apart.
        prop_assert!(found >= bound - 0.5 * 60.0 - bound * 0.001, "{} is less than {}", found, bound);
    }

    #[test]
    fn of_many_fences_the_nearest_is_found(
        lat in prop_oneof![-80.0..80.0f64, 85.0..89.9f64], lon in prop_oneof![-180.0..180.0f64, 179.0..180.0f64],
        circles in prop::collection::vec((0.0..360.0f64, 0.0..80_000.0f64, 10.0..3_000.0f64), 1..12),
    ) {
        let here = p(lon, lat);
        let shape = |(course, far, radius): (f64, f64, f64)| Shape::circle(destination(here, course, far), radius, 16).unwrap();
        let shapes: Vec<Shape> = circles.into_iter().map(shape).collect();
        let set = set(shapes.clone());
        let (fence, metres) = set.nearest_at(here, 0).unwrap();
        let all: Vec<f64> = shapes.iter().map(|shape| shape.distance_m(here)).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert!((metres - least).abs() <= 1e-6 + least * 1e-9, "{} {:?}", metres, all);
        prop_assert!((all[fence.0 as usize] - least).abs() <= 1e-6 + least * 1e-9);
    }
}
