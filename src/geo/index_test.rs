use super::super::fence::FenceSet;
use super::super::shape::Shape;
use super::*;
use crate::geo::Validity;
use proptest::prelude::*;

type Ring = Vec<[f64; 2]>;

fn wrap(lon: f64) -> f64 {
    if lon > 180.0 {
        lon - 360.0
    } else if lon < -180.0 {
        lon + 360.0
    } else {
        lon
    }
}

fn star(centre: [f64; 2], size: f64, radii: &[f64]) -> Ring {
    let corner = |(i, r): (usize, &f64)| {
        let angle = i as f64 / radii.len() as f64 * std::f64::consts::TAU;
        [wrap(centre[0] + size * r * angle.cos()), centre[1] + size * r * angle.sin()]
    };
    let mut ring: Ring = radii.iter().enumerate().map(corner).collect();
    ring.push(ring[0]);
    ring
}

fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Ring {
    let (west, east) = (wrap(west), wrap(east));
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

/// Polygons of many kinds round (lon, 0), on a coarse grid of places, so that borders and corners coincide.
fn polygons(lon: f64) -> impl Strategy<Value = Vec<Vec<Ring>>> {
    let centre = (-12i8..12, -12i8..12).prop_map(move |(x, y)| [lon + f64::from(x) / 4.0, f64::from(y) / 4.0]);
    let size = prop_oneof![0.01..0.1f64, 0.1..4.0f64];
    let radii = prop::collection::vec(0.4..1.0f64, 4..40);
    let stars = (centre.clone(), size.clone(), radii, any::<bool>()).prop_map(|(c, size, radii, hole)| {
        let mut rings = vec![star(c, size, &radii)];
        if hole {
            rings.push(star(c, size * 0.2, &[0.9, 1.0, 0.8, 0.7, 1.0]));
        }
        vec![rings]
    });
    let rectangles = (centre.clone(), 1u8..20, 1u8..20)
        .prop_map(|(c, w, h)| vec![vec![rectangle(c[0], c[1], c[0] + f64::from(w) / 4.0, c[1] + f64::from(h) / 4.0)]]);
    let slivers = (centre.clone(), -2.0..2.0f64, 0.2..2.0f64, 1e-10..1e-3f64).prop_map(|(c, dx, dy, thin)| {
        let far = [wrap(c[0] + dx), c[1] + dy];
        vec![vec![vec![[wrap(c[0]), c[1]], [wrap(c[0] + thin), c[1]], far, [wrap(c[0]), c[1]]]]]
    });
    let pairs = (centre.clone(), centre, size)
        .prop_map(|(a, b, size)| vec![vec![star(a, size, &[1.0; 9])], vec![star(b, size, &[1.0, 0.5, 0.8, 0.9, 0.4])]]);
    prop_oneof![3 => stars, 2 => rectangles, 1 => slivers, 1 => pairs]
}

fn case() -> impl Strategy<Value = (f64, Vec<Vec<Vec<Ring>>>)> {
    prop_oneof![Just(3.0), Just(180.0), Just(-179.0)]
        .prop_flat_map(|lon| (Just(lon), prop::collection::vec(polygons(lon), 1..60)))
}

fn set_of(shapes: &[Vec<Vec<Ring>>]) -> FenceSet {
    let fence = |(i, polygons): (usize, &Vec<Vec<Ring>>)| Fence {
        id: format!("{i:05}"),
        properties: vec![],
        shape: Shape::multi_polygon(polygons).unwrap(),
        valid: Validity::ALWAYS,
    };
    FenceSet::new(shapes.iter().enumerate().map(fence).collect()).unwrap()
}

fn check(set: &FenceSet, lon: f64, lat: f64, found: &mut Vec<FenceIx>) {
    let place = Position::new(lon, lat).unwrap();
    set.locate(place, found);
    let model: Vec<FenceIx> = set.iter().filter(|(_, fence)| fence.shape.contains(place)).map(|(ix, _)| ix).collect();
    assert_eq!(*found, model, "at {lon} {lat}");
    set.locate_each(&[place, place], found, |_, found| assert_eq!(found, model, "in a batch at {lon} {lat}"));
    set.locate(place, found);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_finds_what_testing_every_fence_finds(
        (lon, shapes) in case(),
        places in prop::collection::vec((-7.0..7.0f64, -7.0..7.0f64), 60),
        shares in prop::collection::vec(0.0..1.0f64, 8),
    ) {
        let set = set_of(&shapes);
        let mut found = Vec::new();
        for &(x, y) in &places {
            check(&set, wrap(lon + x), y, &mut found);
        }
        // On the borders of the index's cells, and as near as doubles allow.
        let index = set.index();
        for k in 0..64u32 {
            let x = index.west + (index.east - index.west) * f64::from(k) / 64.0;
            let y = index.south + (index.north - index.south) * f64::from(k * 37 % 64) / 64.0;
            check(&set, x, y, &mut found);
            check(&set, x.next_down().max(-180.0), y.next_up(), &mut found);
        }
        for ring in shapes.iter().flatten().flatten() {
            for (i, pair) in ring.windows(2).enumerate() {
                let ([ax, ay], [bx, by]) = (pair[0], pair[1]);
                check(&set, ax, ay, &mut found);
                check(&set, ax.next_down().max(-180.0), ay.next_up(), &mut found);
                if (bx - ax).abs() < 180.0 {
                    let share = shares[i % shares.len()];
                    let (x, y) = (ax + share * (bx - ax), ay + share * (by - ay));
                    check(&set, x, y, &mut found);
                    check(&set, wrap(x + 3e-10), y - 2e-10, &mut found);
                    // Corners of one fence on the latitude of edges of another.
                    check(&set, x, ay, &mut found);
                }
            }
        }
    }
}

/// What is done to a set: a fence of it is replaced, or goes, or another comes; and the new one's polygons.
fn edits() -> impl Strategy<Value = Vec<(u8, usize, Vec<Vec<Ring>>)>> {
    let lon = prop_oneof![Just(3.0), Just(180.0)];
    prop::collection::vec(lon.prop_flat_map(|lon| (0u8..4, any::<usize>(), polygons(lon))), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_edited_set_finds_what_testing_every_fence_finds(
        (lon, shapes) in case(), edits in edits(), places in prop::collection::vec((-7.0..7.0f64, -7.0..7.0f64), 40),
    ) {
        let mut set = set_of(&shapes);
        let mut fences: Vec<Fence> = set.iter().map(|(_, fence)| fence.clone()).collect();
        let mut found = Vec::new();
        let mut rings: Vec<Ring> = shapes.into_iter().flatten().flatten().collect();
        for (number, (kind, at, polygons)) in edits.into_iter().enumerate() {
            let shape = Shape::multi_polygon(&polygons).unwrap();
            match (kind, fences.len()) {
                (0, _) | (_, 0) => {
                    let id = format!("{:05}-{number}", at % 70);
                    fences.push(Fence { id, properties: vec![], shape, valid: Validity::ALWAYS });
                }
                (1, count) => _ = fences.swap_remove(at % count),
                (_, count) => fences[at % count].shape = shape,
            }
            rings.extend(polygons.into_iter().flatten());
            set = set.edited(fences.clone()).unwrap();
            for &(x, y) in &places {
                check(&set, wrap(lon + x), y, &mut found);
            }
            for [x, y] in rings.iter().flatten() {
                check(&set, *x, *y, &mut found);
                check(&set, x.next_down().max(-180.0), y.next_up(), &mut found);
            }
        }
    }
}

#[test]
fn what_an_edit_does_not_touch_is_taken_over_until_too_much_is_unused() {
    let shape = |i: i32| vec![vec![star([f64::from(i % 50) * 0.2, f64::from(i / 50) * 0.2], 0.15, &[1.0; 40])]];
    let mut set = set_of(&(0..900).map(shape).collect::<Vec<_>>());
    let (built, mut anew) = (set.index().built_words, 0);
    let mut fences: Vec<Fence> = set.iter().map(|(_, fence)| fence.clone()).collect();
    let mut found = Vec::new();
    for i in 0..120 {
        fences[i as usize * 7].shape = Shape::multi_polygon(&shape(899 - i)).unwrap();
        set = set.edited(fences.clone()).unwrap();
        let (now, index) = (set.index().words(), set.index());
        anew += u32::from(now == index.built_words);
        assert!(now < 3 * built, "{now} words");
        check(&set, f64::from(i % 50) * 0.2, f64::from(i / 50) * 0.2 + 0.15, &mut found);
    }
    assert!(anew < 5, "made anew {anew} times");
    for i in 0..500 {
        check(&set, f64::from(i) * 0.02, f64::from(i) * 0.016, &mut found);
    }
}

#[test]
fn fences_of_all_sizes_the_world_included_are_found() {
    let mut shapes = vec![vec![vec![rectangle(-180.0, -90.0, 180.0, 90.0)]]; 3];
    for i in 0..40 {
        let size = 0.9f64.powi(i) * 80.0;
        shapes.push(vec![vec![star([f64::from(i) - 20.0, 3.0], size, &[1.0; 50])]]);
        shapes.push(vec![vec![star([4.35, 50.85], 1e-7 * f64::from(i + 1), &[1.0; 12])]]);
    }
    let set = set_of(&shapes);
    let mut found = Vec::new();
    for i in 0..2_000 {
        let (x, y) = (f64::from(i * 7919 % 3600) / 10.0 - 180.0, f64::from(i * 104_729 % 1800) / 10.0 - 90.0);
        check(&set, x, y, &mut found);
        check(&set, 4.35 + x * 3e-8, 50.85 + y * 3e-8, &mut found);
    }
    for (x, y) in [(180.0, 90.0), (-180.0, -90.0), (180.0, -90.0), (0.0, 90.0)] {
        check(&set, x, y, &mut found);
        assert!(found.len() >= 3);
    }
}

#[test]
fn many_fences_with_one_common_corner_stay_within_the_memory_bound() {
    let shapes: Vec<_> = (0..3_000)
        .map(|i| {
            let (a, b) = (f64::from(i) * 0.002, f64::from(i) * 0.002 + 0.001);
            vec![vec![vec![[1.0, 1.0], [1.0 + a.cos(), 1.0 + a.sin()], [1.0 + b.cos(), 1.0 + b.sin()], [1.0, 1.0]]]]
        })
        .collect();
    let set = set_of(&shapes);
    assert!(set.index_bytes() < 3_000 * 3 * 500 + 2_000_000, "{}", set.index_bytes());
    let mut found = Vec::new();
    for i in 0..500 {
        let angle = f64::from(i) * 0.0123;
        check(&set, 1.0 + 0.5 * angle.cos(), 1.0 + 0.5 * angle.sin(), &mut found);
        check(&set, 1.0 + 1e-8 * angle.cos(), 1.0 + 1e-8 * angle.sin(), &mut found);
    }
}

#[test]
fn a_set_without_fences_finds_none() {
    let set = FenceSet::new(vec![]).unwrap();
    let mut found = vec![FenceIx(7)];
    set.locate(Position::new(0.0, 0.0).unwrap(), &mut found);
    assert!(found.is_empty() && set.is_empty());
}

#[test]
fn fences_are_numbered_in_the_order_of_their_ids() {
    let fence = |id: &str| Fence {
        id: id.into(),
        properties: vec![],
        shape: Shape::polygon(&[rectangle(0.0, 0.0, 1.0, 1.0)]).unwrap(),
        valid: Validity::ALWAYS,
    };
    let set = FenceSet::new(vec![fence("b"), fence("B"), fence("a")]).unwrap();
    assert_eq!(set.iter().map(|(_, fence)| fence.id.as_str()).collect::<Vec<_>>(), ["B", "a", "b"]);
    assert_eq!((set.find("a"), set.find("c")), (Some(FenceIx(1)), None));
    let mut found = Vec::new();
    set.locate(Position::new(0.5, 0.5).unwrap(), &mut found);
    assert_eq!(found, [FenceIx(0), FenceIx(1), FenceIx(2)]);
    assert!(set.contains(FenceIx(2), Position::new(0.5, 0.5).unwrap()));
    assert!(!set.contains(FenceIx(3), Position::new(0.5, 0.5).unwrap()));
    let twice = FenceSet::new(vec![fence("a"), fence("a")]).unwrap_err();
    assert_eq!(twice.to_string(), "there are two fences with the id `a`");
}
