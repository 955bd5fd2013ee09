//! Finds two edges of a polygon that cross.
//!
//! Only a true crossing counts: two edges whose insides meet in one point, or a ring that goes through an edge at one of its
//! own vertices. Rings that touch themselves or each other at a vertex or along an edge are common in real data and harmless
//! to the even-odd rule; two rings that cross at a common vertex are let through too. The edges of a latitude band are swept
//! from west to east; cost: the pairs whose boxes overlap, for ordinary polygons a few per edge.

use super::edge::{Edge, Vertex, orientation};

/// Two edges by index, and about where they cross.
pub(super) struct Crossing {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) at: Vertex,
}

/// The first crossing that is found among the edges of each band, if there is any. Edge `i` leads from vertex `i` to the
/// next; `after` tells the vertex that follows an edge.
pub(super) fn find<'a>(
    vertices: &[Vertex],
    bands: impl Iterator<Item = &'a [u32]>,
    after: impl Fn(u32) -> Vertex,
) -> Option<Crossing> {
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
            for &(_, _, j) in sorted[rank + 1..].iter().take_while(|other| other.0 <= east) {
                let (one, other) = (edge(i), edge(j));
                let through = || passes(one, other, after(j)).or_else(|| passes(other, one, after(i)));
                if let Some(at) = crossing_of(one, other).or_else(through) {
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

/// Where the way `from` → `to` → `next` goes through the inside of an edge, if `to` lies on it.
fn passes((a, b): (Vertex, Vertex), (from, to): (Vertex, Vertex), next: Vertex) -> Option<Vertex> {
    let between = |p: f64, q: f64, v: f64| p.min(q) <= v && v <= p.max(q);
    let within = between(a[0], b[0], to[0]) && between(a[1], b[1], to[1]) && to != a && to != b;
    if !within || orientation(a, b, to) != 0 {
        return None;
    }
    (i32::from(orientation(a, b, from)) * i32::from(orientation(a, b, next)) < 0).then_some(to)
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
