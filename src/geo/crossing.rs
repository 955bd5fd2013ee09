//! Finds two edges of a polygon that cross.
//!
//! Only a true crossing counts: two edges whose insides meet in one point. Rings that touch themselves or each other at a
//! vertex or along an edge are common in real data and harmless to the even-odd rule. The edges of a latitude band are
//! swept from west to east; cost: the pairs whose boxes overlap, for ordinary polygons a few per edge.

use super::edge::{Edge, Vertex, orientation};

/// Two edges by index, and about where they cross.
pub(super) struct Crossing {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) at: Vertex,
}

/// The first crossing that is found among the edges `edge(i)` of each band, if there is any.
pub(super) fn find<'a>(vertices: &[Vertex], bands: impl Iterator<Item = &'a [u32]>) -> Option<Crossing> {
    let edge = |i: u32| (vertices[i as usize], vertices[i as usize + 1]);
    let mut sorted: Vec<(f64, f64, u32)> = Vec::new();
    for band in bands {
        sorted.clear();
        sorted.extend(band.iter().map(|&i| {
            let (a, b) = edge(i);
            (a[0].min(b[0]), a[0].max(b[0]), i)
        }));
        sorted.sort_unstable_by(|p, q| p.0.total_cmp(&q.0).then(p.2.cmp(&q.2)));
        for (rank, &(_, east, i)) in sorted.iter().enumerate() {
            for &(_, _, j) in sorted[rank + 1..].iter().take_while(|other| other.0 < east) {
                if let Some(at) = crossing_of(edge(i), edge(j)) {
                    let (first, second) = (i.min(j) as usize, i.max(j) as usize);
                    return Some(Crossing { first, second, at });
                }
            }
        }
    }
    None
}

fn crossing_of((a, b): (Vertex, Vertex), (c, d): (Vertex, Vertex)) -> Option<Vertex> {
    if a[1].max(b[1]) < c[1].min(d[1]) || c[1].max(d[1]) < a[1].min(b[1]) {
        return None;
    }
    if a == c || a == d || b == c || b == d {
        return None;
    }
    let apart = |p: i8, q: i8| i32::from(p) * i32::from(q) < 0;
    if !apart(orientation(a, b, c), orientation(a, b, d)) || !apart(orientation(c, d, a), orientation(c, d, b)) {
        return None;
    }
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let (ex, ey) = (d[0] - c[0], d[1] - c[1]);
    let determinant = dx * ey - dy * ex;
    if determinant == 0.0 {
        return Some(a);
    }
    let share = (((c[0] - a[0]) * ey - (c[1] - a[1]) * ex) / determinant).clamp(0.0, 1.0);
    Some([a[0] + share * dx, a[1] + share * dy])
}

/// Whether a ring lies inside of another: both closed, and they don't cross. A ring that touches the other all along counts
/// as inside.
pub(super) fn is_inside(ring: &[Vertex], of: &[Vertex]) -> bool {
    let corners = ring.iter().copied();
    let middles = ring.windows(2).map(|pair| [(pair[0][0] + pair[1][0]) / 2.0, (pair[0][1] + pair[1][1]) / 2.0]);
    corners.chain(middles).find_map(|point| side(point, of)).unwrap_or(true)
}

/// Inside, outside, or nothing for a point on the border.
fn side([x, y]: Vertex, ring: &[Vertex]) -> Option<bool> {
    let mut inside = false;
    for pair in ring.windows(2) {
        let edge = Edge::new(pair[0], pair[1]);
        if edge.y_lo <= y
            && y <= edge.y_hi
            && edge.west() <= x
            && x <= edge.east()
            && orientation(pair[0], pair[1], [x, y]) == 0
        {
            return None;
        }
        inside ^= edge.counts(x, y);
    }
    Some(inside)
}
