//! Lines: routes, gates, coasts. Positions joined by edges that are straight in longitude and latitude, each step taken the
//! shorter way round the earth. A line with a width is a corridor: the places no farther from it than half the width.

use super::Position;
use super::edge::{Vertex, not_tiny};
use super::measure::{bearing_deg, destination};
use super::shape_error::{Place, ShapeError};

/// Corners of a corridor's round ends, for a half circle.
const END_CORNERS: usize = 16;
/// Edges of a corridor longer than this are cut: the geodesics that its sides are made of bend away from long ones.
const LONGEST_DEG: f64 = 0.25;

/// Checks a line and takes it out of the range of longitudes, so that no step is wider than 180°.
pub(super) fn unwrap_line(written: &[Vertex], place: Place) -> Result<Vec<Vertex>, ShapeError> {
    for (i, &[lon, lat]) in written.iter().enumerate() {
        Position::new(lon, lat).map_err(|source| ShapeError::Position { place: place.at(i), source })?;
    }
    if written.len() < 2 {
        return Err(ShapeError::ShortLine { place, given: written.len() });
    }
    let mut line: Vec<Vertex> = Vec::with_capacity(written.len());
    for vertex in written {
        let [lon, lat] = vertex.map(not_tiny);
        let lon = line.last().map_or(lon, |&[before, _]| before + shorter_way(before, lon));
        line.push([lon, lat]);
    }
    Ok(line)
}

/// The step from one longitude to another, −180 to 180 degrees.
pub(super) fn shorter_way(from: f64, to: f64) -> f64 {
    let step = (to - from).rem_euclid(360.0);
    if step > 180.0 { step - 360.0 } else { step }
}

/// An edge cut into pieces not longer than this in longitude and latitude.
pub(super) fn pieces(from: Vertex, to: Vertex, longest_deg: f64) -> impl Iterator<Item = (Vertex, Vertex)> {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let count = (dx.abs().max(dy.abs()) / longest_deg).ceil().clamp(1.0, 1e6) as u32;
    let at = move |i: u32| {
        let share = f64::from(i) / f64::from(count);
        if i == count { to } else { [from[0] + dx * share, from[1] + dy * share] }
    };
    (0..count).map(move |i| (at(i), at(i + 1)))
}

/// The rings of a corridor's polygons, one for each piece of the line: its sides, and a half circle round each end. They overlap.
///
/// The half circles are inscribed: a corridor is up to half a hundredth of its half width narrower round a bend than it should be.
pub(super) fn corridor(line: &[Vertex], half_width_m: f64) -> impl Iterator<Item = Vec<Vertex>> {
    let edges = line.windows(2).filter(|pair| pair[0] != pair[1]);
    edges.flat_map(|pair| pieces(pair[0], pair[1], LONGEST_DEG)).map(move |(a, b)| {
        let (a, b) = (Position::wrapped(a[0], a[1]), Position::wrapped(b[0], b[1]));
        let (out, back) = (bearing_deg(a, b), bearing_deg(b, a));
        let half_circle = |centre: Position, away: f64| {
            (0..=END_CORNERS).map(move |i| {
                // Anticlockwise, from the right of who looks away from the piece to his left.
                let corner = destination(centre, away + 90.0 - 180.0 * i as f64 / END_CORNERS as f64, half_width_m);
                [corner.lon(), corner.lat()]
            })
        };
        let mut ring: Vec<Vertex> = half_circle(b, back + 180.0).chain(half_circle(a, out + 180.0)).collect();
        ring.extend(ring.first().copied());
        ring
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Shape, geodesic_m};
    use proptest::prelude::*;

    fn p(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).unwrap()
    }

    #[test]
    fn a_line_takes_the_shorter_way_round_the_earth() {
        let root = Place { polygon: None, ring: None, position: None };
        let line = unwrap_line(&[[170.0, 0.0], [-170.0, 1.0], [170.0, 2.0]], root).unwrap();
        assert_eq!(line, [[170.0, 0.0], [190.0, 1.0], [170.0, 2.0]]);
        let error = unwrap_line(&[[1.0, 1.0]], root).unwrap_err().to_string();
        assert_eq!(error, "the line at `coordinates` has 1 position; it needs at least 2");
    }

    proptest! {
        #[test]
        fn a_corridor_is_what_is_near_its_line(
            lat in -85.0..85.0f64, lon in prop_oneof![-180.0..180.0, 179.0..180.0f64], course in 0.0..360.0f64,
            length in 100.0..50_000.0f64, width in 20.0..4_000.0f64, along in 0.0..1.0f64, aside in -1.3..1.3f64,
        ) {
            let start = p(lon, lat);
            let end = destination(start, course, length);
            let line = [[start.lon(), start.lat()], [end.lon(), end.lat()]];
            let shape = Shape::corridor(&[line], width).unwrap();
            // A place beside the geodesic; the edge of the line, straight on the map, is a little off it.
            let middle = destination(start, course, length * along);
            let place = destination(middle, bearing_deg(middle, end) + 90.0, aside * width / 2.0);
            let off = length * length / 6.4e6 / 8.0 * lat.to_radians().tan().abs() + 0.01 * width + 0.01;
            let distance = aside.abs() * width / 2.0;
            prop_assume!(along < 0.999 && (distance - width / 2.0).abs() > off);
            prop_assert_eq!(shape.contains(place), distance < width / 2.0, "{} of {}", distance, width / 2.0);
            prop_assert!(shape.contains(start) && shape.contains(end) || width < 1.0);
            prop_assert!(geodesic_m(start, end) > 0.0);
        }
    }
}
