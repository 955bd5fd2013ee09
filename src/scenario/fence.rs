//! Fence files as GeoJSON text.

use super::plane::{Plane, Spot};
use super::record::Field;

/// A GeoJSON file of fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceFile {
    /// The file's name without its ending: `airports`.
    pub name: &'static str,
    /// The feature collection, one feature a line.
    pub text: String,
}

/// One fence: polygons, each an outer ring and its holes, without closing corners, all counter-clockwise.
pub(super) struct Fence {
    pub(super) id: &'static str,
    pub(super) properties: Vec<(&'static str, Field)>,
    pub(super) polygons: Vec<Vec<Vec<Spot>>>,
}

impl Fence {
    /// A fence of one polygon without holes.
    pub(super) fn simple(id: &'static str, properties: Vec<(&'static str, Field)>, ring: Vec<Spot>) -> Self {
        Self { id, properties, polygons: vec![vec![ring]] }
    }
}

/// A rectangle's corners from its south-west and north-east corner.
pub(super) fn rectangle(low: Spot, high: Spot) -> Vec<Spot> {
    vec![low, Spot { x: high.x, y: low.y }, high, Spot { x: low.x, y: high.y }]
}

impl FenceFile {
    /// Writes the fences down. Outer rings run counter-clockwise and holes clockwise, as RFC 7946 (3.1.6) asks.
    pub(super) fn new(name: &'static str, plane: &Plane, fences: &[Fence]) -> Self {
        let mut text = String::from("{\"type\":\"FeatureCollection\",\"features\":[\n");
        for (n, fence) in fences.iter().enumerate() {
            if n > 0 {
                text.push_str(",\n");
            }
            write_feature(fence, plane, &mut text);
        }
        text.push_str("\n]}\n");
        Self { name, text }
    }
}

fn write_feature(fence: &Fence, plane: &Plane, out: &mut String) {
    out.push_str("{\"type\":\"Feature\",\"id\":");
    Field::Word(fence.id).write_json(out);
    out.push_str(",\"properties\":{\"id\":");
    Field::Word(fence.id).write_json(out);
    for (name, value) in &fence.properties {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        value.write_json(out);
    }
    out.push_str("},\"geometry\":{\"type\":");
    match fence.polygons.as_slice() {
        [polygon] => {
            out.push_str("\"Polygon\",\"coordinates\":");
            write_polygon(polygon, plane, out);
        }
        polygons => {
            out.push_str("\"MultiPolygon\",\"coordinates\":");
            list(polygons, out, |polygon, out| write_polygon(polygon, plane, out));
        }
    }
    out.push_str("}}");
}

fn write_polygon(rings: &[Vec<Spot>], plane: &Plane, out: &mut String) {
    let oriented: Vec<Vec<Spot>> = rings.iter().enumerate().map(|(n, ring)| closed(ring, n > 0)).collect();
    list(&oriented, out, |ring, out| {
        list(ring, out, |spot, out| {
            let (lon, lat) = plane.micro(*spot);
            list(&[lon, lat], out, |&units, out| Field::Fixed { units, places: 6 }.write_json(out));
        });
    });
}

fn closed(ring: &[Spot], hole: bool) -> Vec<Spot> {
    let mut corners = ring.to_vec();
    if hole {
        corners.reverse();
    }
    corners.extend(corners.first().copied());
    corners
}

fn list<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}
