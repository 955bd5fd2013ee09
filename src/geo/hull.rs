//! The convex hull of positions, in the plane of longitude and latitude.

use super::Position;
use geo::{
    GeoNum,
    kernels::{Kernel, Orientation},
};

/// The corners of the smallest convex polygon around the positions, counter-clockwise from the westernmost (of those the
/// southernmost), without a corner that lies on a side; of one or two different positions those.
///
/// Edges are straight in degrees. Longitudes are taken to lie around the first position, so that a hull may cross the
/// antimeridian; positions should span less than half the globe. Andrew's monotone chain (1979), with exact predicates.
pub fn convex_hull(positions: &[Position]) -> Vec<Position> {
    let Some(first) = positions.first() else { return Vec::new() };
    let mut points: Vec<(geo::Coord<f64>, Position)> = positions
        .iter()
        .map(|position| {
            let apart = position.lon() - first.lon();
            let turn = if apart > 180.0 {
                -360.0
            } else if apart < -180.0 {
                360.0
            } else {
                0.0
            };
            (geo::coord! { x: position.lon() + turn, y: position.lat() }, *position)
        })
        .collect();
    points.sort_by(|(a, _), (b, _)| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    points.dedup_by(|(a, _), (b, _)| a == b);
    if points.len() < 3 {
        return points.into_iter().map(|(_, position)| position).collect();
    }
    let mut hull: Vec<(geo::Coord<f64>, Position)> = Vec::new();
    // The lower chain eastwards, then the upper one back; each ends where the other begins.
    for chain in [&mut points.iter() as &mut dyn Iterator<Item = &_>, &mut points.iter().rev()] {
        let begin = hull.len();
        for point in chain {
            while hull.len() >= begin + 2
                && let [.., (a, _), (b, _)] = hull.as_slice()
                && <f64 as GeoNum>::Ker::orient2d(*a, *b, point.0) != Orientation::CounterClockwise
            {
                hull.pop();
            }
            hull.push(*point);
        }
        hull.pop();
    }
    hull.into_iter().map(|(_, position)| position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).unwrap()
    }

    #[test]
    fn a_square_with_points_inside_and_on_its_sides_is_its_corners() {
        let corners = [at(0.0, 0.0), at(2.0, 0.0), at(2.0, 2.0), at(0.0, 2.0)];
        let mut all = vec![at(1.0, 1.0), at(1.0, 0.0), at(2.0, 1.0), at(0.5, 1.5)];
        all.extend(corners);
        assert_eq!(convex_hull(&all), corners);
        assert_eq!(convex_hull(&[]), []);
        assert_eq!(convex_hull(&[at(1.0, 1.0), at(1.0, 1.0)]), [at(1.0, 1.0)]);
        assert_eq!(convex_hull(&[at(0.0, 0.0), at(2.0, 2.0), at(1.0, 1.0)]), [at(0.0, 0.0), at(2.0, 2.0)]);
    }

    #[test]
    fn a_hull_may_cross_the_antimeridian() {
        let hull = convex_hull(&[at(-179.0, 0.0), at(179.0, 0.0), at(-179.0, 2.0), at(179.5, 0.5)]);
        assert_eq!(hull, [at(179.0, 0.0), at(-179.0, 0.0), at(-179.0, 2.0)]);
    }

    proptest! {
        #[test]
        fn no_position_is_outside_and_the_hull_of_the_hull_is_itself(
            points in prop::collection::vec((-20i32..20, -20i32..20), 1..60),
        ) {
            let points: Vec<Position> = points.into_iter().map(|(x, y)| at(f64::from(x), f64::from(y))).collect();
            let hull = convex_hull(&points);
            prop_assert_eq!(&convex_hull(&hull), &hull);
            for (i, a) in hull.iter().enumerate().filter(|_| hull.len() > 2) {
                let b = hull[(i + 1) % hull.len()];
                for p in &points {
                    let side = (b.lon() - a.lon()) * (p.lat() - a.lat()) - (b.lat() - a.lat()) * (p.lon() - a.lon());
                    prop_assert!(side >= 0.0);
                }
            }
        }
    }
}
