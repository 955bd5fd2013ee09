use super::*;
use geo::{Contains, Distance, Euclidean, Point};
use proptest::prelude::*;

fn at(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn square(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn error(rings: &[Vec<[f64; 2]>]) -> String {
    Shape::polygon(rings).unwrap_err().to_string()
}

#[test]
fn western_and_southern_borders_are_in_eastern_and_northern_ones_out() {
    let shape = Shape::polygon(&[square(0.0, 0.0, 2.0, 2.0)]).unwrap();
    for (lon, lat, inside) in
        [(0.0, 1.0, true), (1.0, 0.0, true), (0.0, 0.0, true), (2.0, 1.0, false), (1.0, 2.0, false)]
    {
        assert_eq!(shape.contains(at(lon, lat)), inside, "{lon} {lat}");
    }
    assert!(!shape.contains(at(2.0, 0.0)) && !shape.contains(at(0.0, 2.0)));
}

#[test]
fn a_hole_is_out_and_an_island_in_it_is_in() {
    let outer = vec![square(0.0, 0.0, 10.0, 10.0), square(2.0, 2.0, 8.0, 8.0)];
    let shape = Shape::multi_polygon(&[outer, vec![square(4.0, 4.0, 6.0, 6.0)]]).unwrap();
    assert!(shape.contains(at(1.0, 1.0)) && !shape.contains(at(3.0, 3.0)) && shape.contains(at(5.0, 5.0)));
    assert!(shape.contains(at(9.0, 5.0)) && !shape.contains(at(11.0, 5.0)));
}

#[test]
fn overlapping_polygons_are_united() {
    let shape = Shape::multi_polygon(&[vec![square(0.0, 0.0, 2.0, 2.0)], vec![square(1.0, 1.0, 3.0, 3.0)]]).unwrap();
    assert!([0.5, 1.5, 2.5].into_iter().all(|d| shape.contains(at(d, d))));
}

#[test]
fn a_ring_across_the_antimeridian_holds_both_sides() {
    for ring in [square(170.0, -5.0, -170.0, 5.0), square(-190.0 + 360.0, -5.0, -170.0, 5.0)] {
        let hole = square(-178.0, -1.0, -176.0, 1.0);
        let shape = Shape::polygon(&[ring, hole]).unwrap();
        assert!([175.0, 180.0, -180.0, -175.0].into_iter().all(|lon| shape.contains(at(lon, 0.0))));
        assert!([169.0, -169.0, 0.0, -177.0].into_iter().all(|lon| !shape.contains(at(lon, 0.0))));
        assert!((shape.centroid().lon().abs() - 180.0).abs() < 0.1, "{:?}", shape.centroid());
    }
}

#[test]
fn both_names_of_the_antimeridian_are_one_place() {
    let (west, east) = (square(170.0, 0.0, 180.0, 5.0), square(-180.0, 0.0, -170.0, 5.0));
    let [west, east] = [west, east].map(|ring| Shape::polygon(&[ring]).unwrap());
    for lon in [180.0, -180.0] {
        assert!(!west.contains(at(lon, 1.0)) && east.contains(at(lon, 1.0)));
    }
}

#[test]
fn a_fence_round_the_world_holds_everything() {
    let world = square(-180.0, -90.0, 180.0, 90.0);
    let dense = vec![[-180.0, -90.0], [0.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]];
    for ring in [world, dense] {
        let shape = Shape::polygon(&[ring]).unwrap();
        for (lon, lat) in [(0.0, 0.0), (180.0, 90.0), (-180.0, -90.0), (12.0, 90.0), (179.9, -89.9)] {
            assert!(shape.contains(at(lon, lat)), "{lon} {lat}");
        }
        assert!((shape.area_m2() / 5.100_656_217e14 - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_broken_ring_is_refused_with_its_place() {
    let good = square(0.0, 0.0, 10.0, 10.0);
    assert_eq!(
        error(&[good.clone(), vec![[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]]),
        "the ring at `coordinates[1]` has 3 positions; it needs at least 4, the last the same as the first"
    );
    assert_eq!(
        error(&[vec![[0.0, 0.0], [1.0, 0.0], [1.0, 91.0], [0.0, 0.0]]]),
        "at `coordinates[0][2]`: latitude `91` is not between -90 and 90"
    );
    assert!(error(&[good[..4].to_vec()]).contains("`coordinates[0]` is not closed"));
    assert!(error(&[vec![[0.0, f64::NAN]; 4]]).contains("not a finite number"));
    assert!(error(&[vec![[1.0, 1.0]; 4]]).contains("encloses no area"));
    assert!(error(&[vec![]]).contains("has 0 positions"));
    assert_eq!(
        error(&[good.clone(), square(20.0, 0.0, 21.0, 1.0)]),
        "the hole at `coordinates[1]` is not inside of its polygon"
    );
    let l_shape = vec![[0.0, 0.0], [10.0, 0.0], [10.0, 1.0], [1.0, 1.0], [1.0, 10.0], [0.0, 10.0], [0.0, 0.0]];
    assert!(error(&[l_shape, square(5.0, 5.0, 6.0, 6.0)]).contains("is not inside"));
    assert!(
        error(&[good.clone(), square(1.0, 1.0, 9.0, 9.0), square(2.0, 2.0, 3.0, 3.0)])
            .contains("`coordinates[2]` is inside of the hole at `coordinates[1]`")
    );
    assert!(error(&[good.clone(), good.clone()]).contains("no area"));
    assert_eq!(Shape::multi_polygon(&[good; 0].map(|r| vec![r])).unwrap_err(), ShapeError::Empty);
    let twice =
        vec![[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 81.0], [120.0, 81.0], [-120.0, 81.0], [0.0, 80.0]];
    assert!(error(&[twice]).contains("round a pole more than once"));
}

#[test]
fn a_ring_round_a_pole_holds_it_whichever_way_it_runs_and_wherever_it_begins() {
    let ring = |lat: f64, from: usize, east: bool| {
        let lons = [-170.0, -90.0, 0.0, 60.0, 175.0];
        let mut ring: Vec<[f64; 2]> = (0..5).map(|i| [lons[(from + i) % 5], lat]).collect();
        if !east {
            ring.reverse();
        }
        ring.push(ring[0]);
        ring
    };
    for (from, east) in [(0, true), (3, true), (4, false), (1, false)] {
        let cap = Shape::polygon(&[ring(-70.0, from, east)]).unwrap();
        for lon in [-180.0, -179.9, -100.0, 0.0, 59.0, 176.0, 180.0] {
            assert!(cap.contains(at(lon, -70.1)) && cap.contains(at(lon, -90.0)), "{lon}");
            assert!(!cap.contains(at(lon, -69.9)) && !cap.contains(at(lon, 90.0)), "{lon}");
        }
        let belt = Shape::polygon(&[ring(50.0, from, east), ring(70.0, 2, !east)]).unwrap();
        for lon in [-180.0, -100.0, 0.0, 180.0] {
            assert!(
                belt.contains(at(lon, 60.0)) && !belt.contains(at(lon, 71.0)) && !belt.contains(at(lon, 49.0)),
                "{lon}"
            );
        }
        assert!(cap.distance_m(at(0.0, -69.0)) > 110_000.0);
    }
}

#[test]
fn crossing_edges_are_named_with_the_place_where_they_cross() {
    let bow_tie = vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]];
    assert_eq!(
        error(&[bow_tie]),
        "the edges that start at `coordinates[0][0]` and `coordinates[0][2]` cross at [1.0, 1.0]"
    );
    let triangle = vec![[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 0.0]];
    let polygons = [vec![square(50.0, 0.0, 51.0, 1.0)], vec![triangle, square(1.0, 1.0, 3.0, 2.5)]];
    let text = Shape::multi_polygon(&polygons).unwrap_err().to_string();
    assert!(text.contains("`coordinates[1][0][1]` and `coordinates[1][1]"), "{text}");
}

#[test]
fn a_ring_that_goes_through_an_edge_at_a_vertex_crosses_it() {
    // The vertex (2, 0) lies on the first edge; the second ring starts there, so that the way on is past its closing.
    let ring = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 0.0], [1.0, -2.0], [0.0, -2.0], [0.0, 0.0]];
    assert!(error(std::slice::from_ref(&ring)).ends_with("cross at [2.0, 0.0]"));
    let mut turned: Vec<_> = ring[3..6].iter().chain(&ring[..4]).copied().collect();
    assert!(error(&[turned.clone()]).ends_with("cross at [2.0, 0.0]"));
    // Going back to the side that it came from is only a touch.
    turned[1] = [1.0, 2.0];
    turned[2] = [0.0, 2.0];
    Shape::polygon(&[turned]).unwrap();
}

#[test]
fn rings_that_only_touch_are_fine() {
    // A ring that touches itself in a vertex, a hole that touches the shell, an edge run back and forth.
    let pinched = vec![[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 2.0], [1.0, 1.0], [0.0, 0.0]];
    let spike = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [6.0, 4.0], [4.0, 4.0], [0.0, 4.0], [0.0, 0.0]];
    let touching = vec![square(0.0, 0.0, 4.0, 4.0), vec![[0.0, 2.0], [2.0, 1.0], [2.0, 3.0], [0.0, 2.0]]];
    for rings in [vec![pinched], vec![spike], touching] {
        Shape::polygon(&rings).unwrap();
    }
}

#[test]
fn a_circle_has_its_area_and_holds_what_is_nearer_than_its_radius() {
    for centre in [at(2.55, 49.0), at(179.99, -17.0), at(-180.0, 60.0), at(0.0, 85.0)] {
        let circle = Shape::circle(centre, 10_000.0, 256).unwrap();
        assert!((circle.area_m2() / (std::f64::consts::PI * 1e8) - 1.0).abs() < 1e-3, "{}", circle.area_m2());
        for bearing in 0..36 {
            let on = |distance| destination(centre, f64::from(bearing) * 10.0 + 3.0, distance);
            assert!(circle.contains(on(9_900.0)) && !circle.contains(on(10_100.0)));
        }
    }
    let polar = Shape::circle(at(0.0, 89.99), 10_000.0, 64).unwrap();
    assert!(polar.contains(at(0.0, 90.0)) && polar.contains(at(180.0, 89.95)) && !polar.contains(at(180.0, 89.9)));
    assert!(matches!(Shape::circle(at(0.0, 0.0), f64::NAN, 64), Err(ShapeError::Radius(_))));
    assert!(matches!(Shape::circle(at(0.0, 0.0), 1.0, 2), Err(ShapeError::Corners(2))));
}

#[test]
fn coordinates_next_to_nothing_count_as_zero() {
    // Products of such numbers underflow, and a determinant of zeros would say that the point is on the edge.
    let shape = Shape::polygon(&[square(0.0, 0.0, 1.0, 1.0)]).unwrap();
    assert!(shape.contains(at(-5e-324, 0.5)) && shape.contains(at(0.5, -1e-200)) && !shape.contains(at(-1e-99, 0.5)));
}

#[test]
fn a_centroid_leaves_holes_out() {
    let shape = Shape::polygon(&[square(0.0, 0.0, 4.0, 4.0), square(2.0, 0.0, 4.0, 4.0)]).unwrap();
    let centre = shape.centroid();
    assert!((centre.lon() - 1.0).abs() < 1e-12 && (centre.lat() - 2.0).abs() < 1e-12, "{centre:?}");
}

/// A ring round a centre: one radius per corner, at even angles.
fn star(centre: [f64; 2], radii: &[f64]) -> Vec<[f64; 2]> {
    let angle = |i: usize| i as f64 / radii.len() as f64 * std::f64::consts::TAU;
    let corner = |(i, r): (usize, &f64)| [centre[0] + r * angle(i).cos(), centre[1] + r * angle(i).sin()];
    let mut ring: Vec<[f64; 2]> = radii.iter().enumerate().map(corner).collect();
    ring.push(ring[0]);
    ring
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn away_from_the_border_the_answer_is_that_of_the_geo_crate(
        radii in prop::collection::vec(0.5..3.0f64, 3..150),
        points in prop::collection::vec((-4.0..4.0f64, -4.0..4.0f64), 50),
    ) {
        let hole = star([0.1, 0.1], &[0.05, 0.1, 0.07]);
        prop_assume!(radii.len() > 6);
        let shell = star([0.0, 0.0], &radii);
        let shape = Shape::polygon(&[shell.clone(), hole.clone()]).unwrap();
        let line = |ring: &[[f64; 2]]| geo::LineString::from(ring.iter().map(|v| (v[0], v[1])).collect::<Vec<_>>());
        let model = geo::Polygon::new(line(&shell), vec![line(&hole)]);
        let near = model.exterior().lines().chain(model.interiors()[0].lines()).collect::<Vec<_>>();
        for (x, y) in points.into_iter().chain([(0.1, 0.1), (0.0, 0.2)]) {
            let point = Point::new(x, y);
            if near.iter().all(|line| Euclidean.distance(&point, line) > 1e-9) {
                prop_assert_eq!(shape.contains(at(x, y)), model.contains(&point), "{} {}", x, y);
            }
        }
    }

    /// A grid of quadrilaterals with shifted corners, each cut in two: every place is in exactly one triangle.
    #[test]
    fn every_place_is_in_exactly_one_of_the_tiles(
        shifts in prop::collection::vec((-0.2..0.2f64, -0.2..0.2f64), 36),
        places in prop::collection::vec((0.5..4.5f64, 0.5..4.5f64), 40),
        origin in prop_oneof![Just(0.0), Just(177.3)],
    ) {
        let wrap = |lon: f64| if lon > 180.0 { lon - 360.0 } else { lon };
        let corner = |i: usize, j: usize| {
            let shift = shifts[i * 6 + j];
            [wrap(origin + i as f64 + shift.0), j as f64 + shift.1]
        };
        let mut tiles = Vec::new();
        for (i, j) in (0..25).map(|k| (k / 5, k % 5)) {
            let [a, b, c, d] = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
            tiles.push(Shape::polygon(&[[a, b, c, a]]).unwrap());
            tiles.push(Shape::polygon(&[[c, d, a, c]]).unwrap());
        }
        let inner = (1..5).flat_map(|i| (1..5).map(move |j| (i, j)));
        let corners = inner.clone().map(|(i, j)| corner(i, j));
        let middle = |p: [f64; 2], q: [f64; 2]| [(p[0] + q[0]) / 2.0, (p[1] + q[1]) / 2.0];
        let middles = inner.map(|(i, j)| (corner(i, j), corner(i, j + 1))).filter(|(p, q)| (p[0] - q[0]).abs() < 90.0);
        let middles = middles.map(|(p, q)| middle(p, q)).filter(|m| m[1] < 4.0);
        let anywhere = places.iter().map(|&(x, y)| [wrap(origin + x), y]);
        for [x, y] in corners.chain(middles).chain(anywhere) {
            let count = tiles.iter().filter(|tile| tile.contains(at(x, y))).count();
            prop_assert_eq!(count, 1, "{} {}", x, y);
        }
    }
}
