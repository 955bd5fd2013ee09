//! From rings on the sphere to polygons on a map whose west and east ends are the antimeridian.
//!
//! The map is a rectangle, 360 by 180 degrees. A ring that crosses ±180° is cut into chains, each from one side of the
//! rectangle to a side. A chain's end is then joined to the next chain's start along the rectangle's edge, going
//! anticlockwise, so that what lies at the left of every chain stays at the left. This holds for what crosses ±180°
//! many times, goes round the world, or holds one pole or both, without a case for any of them.

use super::crossing::is_inside;
use super::edge::Vertex;

const CORNERS: [(f64, Vertex); 4] =
    [(0.0, [-180.0, -90.0]), (360.0, [180.0, -90.0]), (540.0, [180.0, 90.0]), (900.0, [-180.0, 90.0])];
/// The length of the rectangle's edge.
const ROUND: f64 = 1_080.0;

/// Rings on the map, closed (the first vertex is repeated), from rings on the sphere (not repeated). What they mean lies at
/// their left; no rings mean the whole world.
pub(super) fn close_on_map(rings: Vec<Vec<Vertex>>) -> Vec<Vec<Vertex>> {
    let mut closed = Vec::new();
    let mut chains = Vec::new();
    for ring in rings {
        let ring: Vec<Vertex> = ring.into_iter().map(|[x, y]| [if x >= 180.0 { x - 360.0 } else { x }, y]).collect();
        cut(&ring, &mut closed, &mut chains);
    }
    let cut_any = !chains.is_empty();
    join(chains, &mut closed);
    // Where nothing is cut, what lies at the map's edge lies outside of the largest ring: at the left of it, if it's a hole.
    let areas = closed.iter().map(|ring| doubled_area(ring));
    if !cut_any && areas.max_by(|a, b| a.abs().total_cmp(&b.abs())).is_none_or(|largest| largest < 0.0) {
        closed.push(vec![[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]]);
    }
    closed
}

/// Cuts a ring where a step is wider than half a turn: the short way is the other one.
fn cut(ring: &[Vertex], closed: &mut Vec<Vec<Vertex>>, chains: &mut Vec<Vec<Vertex>>) {
    let count = ring.len();
    let is_cut = |i: usize| (ring[(i + 1) % count][0] - ring[i][0]).abs() > 180.0;
    let Some(first) = (0..count).find(|&i| is_cut(i)) else {
        let mut ring = ring.to_vec();
        ring.extend(ring.first().copied());
        return closed.push(ring);
    };
    let mut chain: Vec<Vertex> = Vec::new();
    for step in 0..=count {
        let i = (first + step) % count;
        let (a, b) = (ring[i], ring[(i + 1) % count]);
        if step > 0 {
            push(&mut chain, a);
        }
        if is_cut(i) {
            let side = if a[0] > b[0] { 180.0 } else { -180.0 };
            // How far it is from `a` to the antimeridian, as a share of the whole step.
            let (before, after) = ((side - a[0]).abs(), (b[0] + side).abs());
            let share = if before + after > 0.0 { before / (before + after) } else { 0.5 };
            let lat = a[1] + share * (b[1] - a[1]);
            push(&mut chain, [side, lat]);
            if step > 0 {
                chains.push(std::mem::take(&mut chain));
            }
            chain = vec![[-side, lat]];
        }
    }
}

fn push(chain: &mut Vec<Vertex>, at: Vertex) {
    if chain.last() != Some(&at) {
        chain.push(at);
    }
}

/// Joins chains into closed rings along the rectangle's edge.
fn join(chains: Vec<Vec<Vertex>>, closed: &mut Vec<Vec<Vertex>>) {
    let ends = |chain: &Vec<Vertex>| Some((along(*chain.first()?), along(*chain.last()?)));
    let mut starts: Vec<(f64, usize)> =
        chains.iter().enumerate().filter_map(|(i, chain)| ends(chain).map(|(start, _)| (start, i))).collect();
    starts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut used = vec![false; chains.len()];
    for first in 0..chains.len() {
        if used[first] {
            continue;
        }
        let mut ring = Vec::new();
        let mut at = first;
        loop {
            used[at] = true;
            chains[at].iter().for_each(|&vertex| push(&mut ring, vertex));
            let Some((_, end)) = ends(&chains[at]) else { break };
            // The next start, going anticlockwise; every start follows one end, so the first comes again at last.
            let next = starts.partition_point(|&(start, _)| start < end);
            let (start, chain) = starts[next % starts.len()];
            let until = if next < starts.len() { start } else { start + ROUND };
            for lap in [0.0, ROUND] {
                for (corner, vertex) in CORNERS {
                    if corner + lap > end && corner + lap < until {
                        push(&mut ring, vertex);
                    }
                }
            }
            if used[chain] {
                break;
            }
            at = chain;
        }
        let first = ring.first().copied();
        if ring.last() != first.as_ref() {
            ring.extend(first);
        }
        if ring.len() > 3 {
            closed.push(ring);
        }
    }
}

/// How far along the rectangle's edge a place on its west or east side is, anticlockwise from the south-west corner.
fn along([lon, lat]: Vertex) -> f64 {
    if lon > 0.0 { 360.0 + lat + 90.0 } else { 900.0 + 90.0 - lat }
}

/// Polygons of closed rings that don't touch: each shell with its holes. Shells are in the order of their rings.
pub(super) fn polygons(rings: Vec<Vec<Vertex>>) -> Vec<Vec<Vec<Vertex>>> {
    let (shells, holes): (Vec<_>, Vec<_>) = rings.into_iter().partition(|ring| doubled_area(ring) > 0.0);
    let mut polygons: Vec<(f64, Vec<Vec<Vertex>>)> =
        shells.into_iter().map(|shell| (doubled_area(&shell), vec![shell])).collect();
    for hole in holes {
        // A shell within a hole of another may hold it as well: the smallest does.
        let holder = polygons
            .iter_mut()
            .filter(|(_, polygon)| polygon.first().is_some_and(|shell| is_inside(&hole, shell)))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, polygon)) = holder {
            polygon.push(hole);
        }
    }
    polygons.into_iter().map(|(_, polygon)| polygon).collect()
}

/// Twice the planar area of a closed ring in square degrees, positive if anticlockwise.
fn doubled_area(ring: &[Vertex]) -> f64 {
    let [x0, y0] = ring.first().copied().unwrap_or_default();
    let sides = ring.windows(2).map(|pair| (pair[0], pair[1]));
    sides.map(|(a, b)| (a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0)).sum()
}
