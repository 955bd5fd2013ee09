//! GeoJSON geometries, cut at the antimeridian as RFC 7946 asks (section 3.1.9).

use super::json_out::{Comma, float};
use crate::geo::{Cell, Polygons, Position};

type Place = (f64, f64);

/// `[lon,lat]`.
pub(super) fn write_position(out: &mut Vec<u8>, position: Position) {
    write_place(out, (position.lon(), position.lat()));
}

fn write_place(out: &mut Vec<u8>, (lon, lat): Place) {
    out.push(b'[');
    float(out, lon);
    out.push(b',');
    float(out, lat);
    out.push(b']');
}

fn write_places(out: &mut Vec<u8>, places: &[Place]) {
    out.push(b'[');
    let mut comma = Comma(false);
    for &place in places {
        comma.write(out);
        write_place(out, place);
    }
    out.push(b']');
}

/// A point.
pub(super) fn write_point(out: &mut Vec<u8>, position: Position) {
    out.extend_from_slice(br#"{"type":"Point","coordinates":"#);
    write_position(out, position);
    out.push(b'}');
}

/// The way through these positions: a line, several where it crosses the antimeridian, or a point where it never moves.
pub(super) fn write_track(out: &mut Vec<u8>, positions: impl Iterator<Item = Position> + Clone) -> bool {
    let mut rest = positions.clone();
    let Some(first) = rest.next() else { return false };
    let (mut last, mut moves, mut crosses) = (first, false, false);
    for position in rest {
        moves |= position != last;
        crosses |= (position.lon() - last.lon()).abs() > 180.0;
        last = position;
    }
    if !moves {
        write_point(out, first);
    } else if crosses {
        let mut places: Vec<Position> = positions.collect();
        places.dedup();
        let lines = cut_line(&places);
        let (name, many) = if lines.len() > 1 { ("MultiLineString", true) } else { ("LineString", false) };
        write_parts(out, name, many, &lines);
    } else {
        out.extend_from_slice(br#"{"type":"LineString","coordinates":["#);
        write_position(out, first);
        let mut last = first;
        for position in positions.skip(1).filter(|position| std::mem::replace(&mut last, *position) != *position) {
            out.push(b',');
            write_position(out, position);
        }
        out.extend_from_slice(b"]}");
    }
    true
}

fn write_parts(out: &mut Vec<u8>, name: &str, many: bool, lines: &[Vec<Place>]) {
    begin(out, name);
    if many {
        out.push(b'[');
    }
    let mut comma = Comma(false);
    for line in lines {
        comma.write(out);
        write_places(out, line);
    }
    if many {
        out.push(b']');
    }
    out.push(b'}');
}

/// A geometry up to its coordinates.
fn begin(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(br#"","coordinates":"#);
}

/// Each step goes the short way round; where that is across ±180° the line is cut there.
fn cut_line(positions: &[Position]) -> Vec<Vec<Place>> {
    let mut lines = Vec::new();
    let mut line: Vec<Place> = Vec::new();
    for position in positions {
        let (lon, lat) = (position.lon(), position.lat());
        if let Some(&(from_lon, from_lat)) = line.last()
            && (lon - from_lon).abs() > 180.0
        {
            let edge = if from_lon > 0.0 { 180.0 } else { -180.0 };
            // The step's length in longitude the short way round; no zero, since then both are the edge itself.
            let width = 360.0 - (lon - from_lon).abs();
            let share = if width > 0.0 { (edge - from_lon).abs() / width } else { 0.0 };
            let crossing = from_lat + (lat - from_lat) * share;
            line.push((edge, crossing));
            lines.push(unrepeated(std::mem::take(&mut line)));
            line.push((-edge, crossing));
        }
        line.push((lon, lat));
    }
    lines.push(unrepeated(line));
    // A line needs two places: a track that starts on the antimeridian leaves a part of one.
    lines.retain(|line| line.len() > 1);
    lines
}

fn unrepeated(mut line: Vec<Place>) -> Vec<Place> {
    line.dedup();
    line
}

/// A cell's boundary: a polygon, several where it crosses the antimeridian. A cell that holds a pole is cut along it.
pub(super) fn write_cell(out: &mut Vec<u8>, cell: Cell) -> bool {
    let ring: Vec<Place> = cell.boundary().iter().map(|place| (place.lon(), place.lat())).collect();
    let parts = cut_ring(&ring);
    if parts.is_empty() {
        return false;
    }
    let many = parts.len() > 1;
    begin(out, if many { "MultiPolygon" } else { "Polygon" });
    if many {
        out.push(b'[');
    }
    let mut comma = Comma(false);
    for part in &parts {
        comma.write(out);
        out.push(b'[');
        write_places(out, part);
        out.push(b']');
    }
    if many {
        out.push(b']');
    }
    out.push(b'}');
    true
}

/// Polygons with their holes: one is a polygon, none or several a multi-polygon.
pub(super) fn write_polygons(out: &mut Vec<u8>, polygons: &Polygons) {
    let many = polygons.as_slice().len() != 1;
    begin(out, if many { "MultiPolygon" } else { "Polygon" });
    if many {
        out.push(b'[');
    }
    let mut comma = Comma(false);
    for rings in polygons.as_slice() {
        comma.write(out);
        out.push(b'[');
        let mut comma = Comma(false);
        for ring in rings {
            comma.write(out);
            let ring: Vec<Place> = ring.iter().map(|&[lon, lat]| (lon, lat)).collect();
            write_places(out, &ring);
        }
        out.push(b']');
    }
    if many {
        out.push(b']');
    }
    out.push(b'}');
}

/// The parts of a convex ring (anticlockwise, first corner not repeated) between −180° and 180°, each closed.
fn cut_ring(ring: &[Place]) -> Vec<Vec<Place>> {
    // Longitudes made continuous: each corner at most 180° from the one before it.
    let mut unrolled: Vec<Place> = Vec::with_capacity(ring.len() + 3);
    for &(lon, lat) in ring {
        let lon = unrolled.last().map_or(lon, |&(before, _)| lon + 360.0 * ((before - lon) / 360.0).round());
        unrolled.push((lon, lat));
    }
    let (Some(&first), Some(&last)) = (unrolled.first(), unrolled.last()) else { return Vec::new() };
    let closing = first.0 + 360.0 * ((last.0 - first.0) / 360.0).round();
    if (closing - first.0).abs() > 180.0 {
        // All the way round: a pole is inside. The ring is closed along the pole's latitude.
        let pole = if ring.iter().map(|place| place.1).sum::<f64>() > 0.0 { 90.0 } else { -90.0 };
        unrolled.extend([(closing, first.1), (closing, pole), (first.0, pole)]);
    }
    let mut parts = Vec::new();
    for turn in [-1.0, 0.0, 1.0] {
        let shifted: Vec<Place> = unrolled.iter().map(|&(lon, lat)| (lon + 360.0 * turn, lat)).collect();
        let west = clip_ring(&shifted, |lon| lon >= -180.0, -180.0);
        let mut part = clip_ring(&west, |lon| lon <= 180.0, 180.0);
        part.dedup();
        if part.len() > 1 && part.first() == part.last() {
            part.pop();
        }
        if part.len() >= 3 && area(&part).abs() > 0.0 {
            if area(&part) < 0.0 {
                part.reverse();
            }
            part.push(part[0]);
            parts.push(part);
        }
    }
    parts
}

/// Twice the area in the plane, positive if anticlockwise.
fn area(ring: &[Place]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

/// The part of a ring on one side of a meridian (Sutherland and Hodgman's way, for one edge).
fn clip_ring(ring: &[Place], keep: impl Fn(f64) -> bool, edge: f64) -> Vec<Place> {
    let mut kept = Vec::with_capacity(ring.len() + 2);
    for (&from, &to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        if keep(from.0) {
            kept.push(from);
        }
        if keep(from.0) != keep(to.0) {
            kept.push((edge, from.1 + (to.1 - from.1) * (edge - from.0) / (to.0 - from.0)));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Resolution;

    fn cell(lon: f64, lat: f64, resolution: i64) -> String {
        let cell = Cell::at(Position::new(lon, lat).unwrap(), Resolution::new(resolution).unwrap());
        let mut out = Vec::new();
        assert!(write_cell(&mut out, cell));
        String::from_utf8(out).unwrap()
    }

    fn rings(text: &str) -> Vec<Vec<Place>> {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let place = |p: &serde_json::Value| (p[0].as_f64().unwrap(), p[1].as_f64().unwrap());
        let ring = |p: &serde_json::Value| p[0].as_array().unwrap().iter().map(place).collect::<Vec<_>>();
        match json["type"].as_str().unwrap() {
            "Polygon" => vec![ring(&json["coordinates"])],
            _ => json["coordinates"].as_array().unwrap().iter().map(ring).collect(),
        }
    }

    #[test]
    fn cells_are_closed_anticlockwise_rings_within_the_map() {
        for (lon, lat, resolution, parts) in
            [(2.35, 48.85, 8, 1), (179.9999, 10.0, 4, 2), (-180.0, -60.0, 2, 2), (0.0, 90.0, 3, 1), (30.0, -90.0, 0, 1)]
        {
            let rings = rings(&cell(lon, lat, resolution));
            assert!(rings.len() >= parts, "{lon} {lat}: {rings:?}");
            for ring in rings {
                assert_eq!(ring.first(), ring.last());
                assert!(ring.len() >= 4 && area(&ring[1..]) > 0.0);
                for (lon, lat) in ring {
                    assert!((-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat));
                }
            }
        }
    }

    #[test]
    fn a_cut_cell_keeps_its_area() {
        let whole: f64 = rings(&cell(0.0, 10.0, 4)).iter().map(|ring| area(&ring[1..])).sum();
        let cut: f64 = rings(&cell(180.0, 10.0, 4)).iter().map(|ring| area(&ring[1..])).sum();
        assert!((whole / cut - 1.0).abs() < 0.5, "{whole} {cut}");
    }

    #[test]
    fn a_track_across_the_antimeridian_is_cut_there() {
        let track = |places: &[Place]| {
            let mut out = Vec::new();
            write_track(&mut out, places.iter().map(|&(lon, lat)| Position::new(lon, lat).unwrap()));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            track(&[(179.0, 0.0), (-179.0, 2.0), (-178.0, 2.0)]),
            r#"{"type":"MultiLineString","coordinates":[[[179.0,0.0],[180.0,1.0]],[[-180.0,1.0],[-179.0,2.0],[-178.0,2.0]]]}"#
        );
        assert_eq!(track(&[(1.0, 2.0), (1.0, 2.0)]), r#"{"type":"Point","coordinates":[1.0,2.0]}"#);
        assert_eq!(
            track(&[(1.0, 2.0), (1.0, 2.0), (3.0, 2.0), (1.0, 2.0)]),
            r#"{"type":"LineString","coordinates":[[1.0,2.0],[3.0,2.0],[1.0,2.0]]}"#
        );
        assert_eq!(track(&[]), "");
    }
}
