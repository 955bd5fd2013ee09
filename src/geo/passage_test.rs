use super::*;
use crate::geo::{Fence, FenceSet, Validity};
use proptest::prelude::*;

type Ring = Vec<[f64; 2]>;

fn p(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn wrap(lon: f64) -> f64 {
    (lon + 180.0).rem_euclid(360.0) - 180.0
}

fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Ring {
    let (west, east) = (wrap(west), wrap(east));
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn set(shapes: Vec<Shape>) -> FenceSet {
    let fence = |(i, shape)| Fence { id: format!("{i:03}"), properties: vec![], shape, valid: Validity::ALWAYS };
    FenceSet::new(shapes.into_iter().enumerate().map(fence).collect()).unwrap()
}

fn passed(set: &FenceSet, from: Position, to: Position) -> Vec<(u32, bool, Vec<f64>)> {
    let rounded = |turns: &Shares| turns.iter().map(|share| (share * 1e6).round() / 1e6).collect();
    let passed = set.passed_at(&Way::new(from, to), (from, to), 0);
    passed.iter().map(|passed| (passed.fence.0, passed.starts_inside, rounded(&passed.turns))).collect()
}

#[test]
fn a_fence_without_a_position_inside_is_found_with_where_it_is_passed() {
    let hole = rectangle(0.004, 0.001, 0.006, 0.003);
    let ring = Shape::polygon(&[rectangle(0.002, 0.0, 0.008, 0.004), hole]).unwrap();
    let far = Shape::polygon(&[rectangle(1.0, 0.0, 1.1, 0.1)]).unwrap();
    let set = set(vec![ring, far]);
    assert_eq!(passed(&set, p(0.0, 0.002), p(0.01, 0.002)), [(0, false, vec![0.2, 0.4, 0.6, 0.8])]);
    assert_eq!(passed(&set, p(0.01, 0.0005), p(0.0, 0.0005)), [(0, false, vec![0.2, 0.8])], "beside the hole");
    assert_eq!(passed(&set, p(0.003, 0.0005), p(0.01, 0.0005)).len(), 1);
    assert_eq!(passed(&set, p(0.003, 0.0005), p(0.007, 0.0005)), []);
    assert_eq!(passed(&set, p(0.003, 0.002), p(0.007, 0.002)), [(0, true, vec![0.25, 0.75])], "through the hole");
    assert_eq!(passed(&set, p(0.0, 0.0), p(0.0, 0.0)), []);
}

#[test]
fn what_touches_a_corner_is_outside_and_what_runs_along_an_edge_is_where_the_point_test_says() {
    let square = set(vec![Shape::polygon(&[rectangle(0.0, 0.0, 0.01, 0.01)]).unwrap()]);
    assert_eq!(
        passed(&square, p(-0.01, 0.01), p(0.01, -0.01)),
        [],
        "so is the one that is inside: a point has no duration"
    );
    assert_eq!(passed(&square, p(-0.005, 0.005), p(0.005, 0.015)), [], "a corner is touched");
    assert_eq!(passed(&square, p(-0.01, 0.0), p(0.02, 0.0)).len(), 1, "the southern edge is inside");
    assert_eq!(passed(&square, p(-0.01, 0.01), p(0.02, 0.01)), [], "the northern one is not");
    assert_eq!(passed(&square, p(0.0, -0.01), p(0.0, 0.02)), [(0, false, vec![0.333333, 0.666667])]);
}

#[test]
fn the_antimeridian_and_the_poles_are_no_walls() {
    let straddling = Shape::polygon(&[rectangle(179.99, -0.01, -179.99, 0.01)]).unwrap();
    let cap = Shape::polygon(&[vec![[0.0, 89.0], [90.0, 89.0], [180.0, 89.0], [-90.0, 89.0], [0.0, 89.0]]]).unwrap();
    let set = set(vec![straddling, cap]);
    assert_eq!(passed(&set, p(179.96, 0.0), p(-179.96, 0.0)), [(0, false, vec![0.375, 0.625])]);
    assert_eq!(passed(&set, p(-179.96, 0.0), p(179.96, 0.0)), [(0, false, vec![0.375, 0.625])]);
    let over = passed(&set, p(0.0, 88.0), p(180.0, 88.0));
    let [(1, false, turns)] = over.as_slice() else { panic!("{over:?}") };
    assert!((turns[0] - 0.25).abs() < 1e-3 && (turns[1] - 0.75).abs() < 1e-3 && turns.len() == 2, "{turns:?}");
    assert_eq!(passed(&set, p(0.0, 89.5), p(180.0, 89.5)), []);
    assert_eq!(passed(&set, p(179.5, 89.5), p(-179.5, 89.5)), [], "the seam of the cap is no border");
}

/// Shapes round (lon, lat) on a coarse grid, so that borders, corners and ways coincide.
fn shapes(lon: f64, lat: f64) -> impl Strategy<Value = Shape> {
    let step = 0.25;
    let corner = (-6i8..6, -6i8..6).prop_map(move |(x, y)| (lon + f64::from(x) * step, lat + f64::from(y) * step));
    let rectangles = (corner.clone(), 1u8..6, 1u8..6, any::<bool>()).prop_map(move |((x, y), wide, high, hole)| {
        let (wide, high) = (f64::from(wide) * step, f64::from(high) * step);
        let mut rings = vec![rectangle(x, y, x + wide, y + high)];
        if hole {
            rings.push(rectangle(x + wide * 0.25, y + high * 0.25, x + wide * 0.75, y + high * 0.5));
        }
        Shape::polygon(&rings).unwrap()
    });
    let radii = prop::collection::vec(0.3..1.0f64, 3..30);
    let stars = (corner.clone(), 0.01..1.0f64, radii).prop_map(|((x, y), size, radii)| {
        let corner = |(i, r): (usize, &f64)| {
            let angle = i as f64 / radii.len() as f64 * std::f64::consts::TAU;
            [wrap(x + size * r * angle.cos()), y + size * r * angle.sin()]
        };
        let mut ring: Ring = radii.iter().enumerate().map(corner).collect();
        ring.push(ring[0]);
        Shape::polygon(&[ring]).unwrap()
    });
    let several = (corner.clone(), corner).prop_map(|((a, b), (c, d))| {
        Shape::multi_polygon(&[[rectangle(a, b, a + 0.5, b + 0.25)], [rectangle(c, d, c + 0.25, d + 0.5)]]).unwrap()
    });
    prop_oneof![3 => rectangles, 3 => stars, 1 => several]
}

fn case() -> impl Strategy<Value = (Vec<Shape>, Position, Position)> {
    let place =
        prop_oneof![Just((3.0, 0.0)), Just((180.0, 0.0)), Just((-179.0, 60.0)), Just((10.0, 87.5)), Just((0.0, -60.0))];
    place.prop_flat_map(|(lon, lat)| {
        let on_grid = (-9i8..9, -9i8..9).prop_map(move |(x, y)| (f64::from(x) * 0.25, f64::from(y) * 0.25));
        let free = (-2.0..2.0f64, -2.0..2.0f64);
        let end = prop_oneof![on_grid, free].prop_map(move |(x, y)| p(wrap(lon + x), lat + y));
        (prop::collection::vec(shapes(lon, lat), 1..12), end.clone(), end)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn between_two_turns_a_way_is_inside_or_outside_all_along((shapes, from, to) in case()) {
        let set = set(shapes);
        let way = Way::new(from, to);
        let found = set.passed_at(&way, (from, to), 0);
        prop_assert!(found.windows(2).all(|pair| pair[0].fence < pair[1].fence));
        for (ix, fence) in set.iter() {
            let none = Passed { fence: ix, starts_inside: fence.shape.contains(from), turns: Shares::new() };
            let passed = found.iter().find(|passed| passed.fence == ix).unwrap_or(&none);
            prop_assert_eq!(passed.starts_inside, fence.shape.contains(from));
            let inside = |share: f64| {
                passed.starts_inside ^ (passed.turns.iter().filter(|&&turn| turn <= share).count() % 2 == 1)
            };
            prop_assert_eq!(inside(1.0), fence.shape.contains(to));
            // What runs along an edge of the grid is on it but for rounding: there the point test may say anything.
            let on_edge = |share: f64| {
                let (x, y) = (way.at(share).lon(), way.at(share).lat());
                let off = |v: f64| (v / 0.25 - (v / 0.25).round()).abs() < 1e-9;
                off(x) || off(y)
            };
            let near = |share: f64| passed.turns.iter().any(|turn| (turn - share).abs() < 2e-9);
            let samples = (0..=400).map(|i| f64::from(i) / 400.0);
            let beside = passed.turns.iter().flat_map(|&turn| [turn - 1e-8, turn + 1e-8]);
            for share in samples.chain(beside).filter(|share| (0.0..=1.0).contains(share)) {
                let slanted = from.lon() != to.lon() && from.lat() != to.lat();
                let unsure = near(share) || (slanted && on_edge(share));
                if !unsure {
                    prop_assert_eq!(inside(share), fence.shape.contains(way.at(share)), "{:?} at {}", passed, share);
                }
            }
        }
    }
}
