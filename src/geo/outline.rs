//! The boundary of a set of cells, as polygons that GeoJSON takes.
//!
//! Each side of a cell whose neighbour isn't in the set is part of the boundary. Sides are joined by the *number* of the
//! corner where they meet, which cells share, never by comparing coordinates. At each corner of the grid three cells
//! meet, so a boundary passes there at most once: rings never touch themselves or each other, whatever the set.

use std::collections::BTreeMap;

use h3o::LatLng;

use super::cell::position;
use super::edge::Vertex;
use super::outline_cut::{close_on_map, polygons};
use super::{Cell, CellError, Position};

/// The polygons that the cells of one resolution cover together, each with its shell first and then its holes: shells
/// anticlockwise, holes clockwise, first vertex repeated as the last. What crosses ±180° is cut there, and what holds a
/// pole reaches it, so that on a plain map of longitudes and latitudes each is the area that it means (RFC 7946, 3.1.9).
/// Nothing for no cells.
///
/// Costs some microseconds per cell at the rim, a fraction of one for the others.
///
/// # Errors
/// Cells of several resolutions.
pub fn outline(cells: &[Cell]) -> Result<Vec<Vec<Vec<[f64; 2]>>>, CellError> {
    let mut cells = cells.to_vec();
    cells.sort_unstable();
    cells.dedup();
    let Some(first) = cells.first() else { return Ok(Vec::new()) };
    let resolution = first.resolution();
    if cells.iter().any(|cell| cell.resolution() != resolution) {
        return Err(CellError::MixedResolutions);
    }
    let rings = rings(&cells);
    Ok(polygons(close_on_map(rings)))
}

/// The boundary's rings with the cells at their left, as they lie on the sphere: the first vertex isn't repeated. The
/// cells ascend.
fn rings(cells: &[Cell]) -> Vec<Vec<Vertex>> {
    let has = |cell: &Cell| cells.binary_search(cell).is_ok();
    let mut rim = Vec::new();
    let mut behind = Vec::new();
    for &cell in cells {
        let neighbours = cell.disk(1).unwrap_or_default();
        if neighbours.iter().any(|other| !has(other)) {
            rim.push(cell);
            behind.extend(neighbours.into_iter().filter(|other| *other != cell && has(other)));
        }
    }
    behind.sort_unstable();
    behind.dedup();
    // A side that another cell of the set has too, the other way round, is none of the boundary.
    let inner: Vec<(u64, u64)> = {
        let sides = behind.iter().flat_map(|&cell| {
            let corners = corners(cell);
            (0..corners.len()).map(move |i| (corners[(i + 1) % corners.len()], corners[i])).collect::<Vec<_>>()
        });
        let mut sides: Vec<(u64, u64)> = sides.collect();
        sides.sort_unstable();
        sides
    };
    // By the corner where it starts: the corner where it ends, and its vertices without the last.
    let mut open: BTreeMap<u64, (u64, Vec<Vertex>)> = BTreeMap::new();
    for cell in rim {
        for (from, to, vertices) in sides(cell) {
            if inner.binary_search(&(from, to)).is_err() {
                open.insert(from, (to, vertices));
            }
        }
    }
    let mut rings = Vec::new();
    while let Some((start, (mut next, mut ring))) = open.pop_first() {
        while next != start {
            // Every corner of a closed boundary has a side that leaves it.
            let Some((to, mut vertices)) = open.remove(&next) else { break };
            ring.append(&mut vertices);
            next = to;
        }
        rings.push(ring);
    }
    rings
}

/// The numbers of a cell's corners, anticlockwise.
fn corners(cell: Cell) -> Vec<u64> {
    cell.inner().vertexes().map(u64::from).collect()
}

/// A cell's sides, anticlockwise: the corners' numbers and the vertices from the first (with it) to the second (without).
/// A corner has the same coordinates to the bit whichever cell it is asked of.
fn sides(cell: Cell) -> Vec<(u64, u64, Vec<Vertex>)> {
    let corners: Vec<(u64, Vertex)> =
        cell.inner().vertexes().map(|corner| (corner.into(), vertex(position(LatLng::from(corner))))).collect();
    let boundary: Vec<Vertex> = cell.boundary().into_iter().map(vertex).collect();
    let count = corners.len();
    let mut sides: Vec<(u64, u64, Vec<Vertex>)> =
        (0..count).map(|i| (corners[i].0, corners[(i + 1) % count].0, vec![corners[i].1])).collect();
    // Where a cell lies across an edge of the icosahedron, its boundary has vertices that are no corners.
    if boundary.len() > count {
        let mut side = 0;
        for &at in boundary.iter().skip(1) {
            if side + 1 < count && is_same(at, corners[side + 1].1) {
                side += 1;
            } else {
                sides[side].2.push(at);
            }
        }
    }
    sides
}

fn vertex(at: Position) -> Vertex {
    [at.lon(), at.lat()]
}

/// Whether two vertices are one, computed in two ways: they differ by rounding. (The smallest cells are 5e-6 degrees wide.)
fn is_same(a: Vertex, b: Vertex) -> bool {
    let turn = (a[0] - b[0]).rem_euclid(360.0);
    turn.min(360.0 - turn) * a[1].to_radians().cos() < 1e-8 && (a[1] - b[1]).abs() < 1e-8
}

#[cfg(test)]
#[path = "outline_test.rs"]
mod tests;
