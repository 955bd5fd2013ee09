//! The H3 cell of a position, from memory where it is sure.
//!
//! Whoever is nearer to a cell's centre than its border is anywhere is in that cell. A cell's border is made of great circles, as H3 is on a sphere
//! and straight in the gnomonic projection of each face of the icosahedron; so the greatest such cap is easily found, and 2 % are taken off
//! it. Pentagons, and cells with more than six corners, which are bent where two faces meet, are never kept. So the
//! answer is always that of the conversion itself, which is asked for everything else.
//!
//! Cells are kept by place, not by entity: the key of a rule is often the cell itself, and neighbours on the road share it. The
//! map is cut into squares about as large as the cap; each has two slots, which it may share with others. The threads of all shards read and write them:
//! a slot has a version that is odd while it is written, and who meets that goes on without. What is kept decides nothing but the time it takes.
//!
//! A cap covers some 87 % of its cell, and what is near a border costs a look more than without. 16,384 slots are 0.8 MB; they are
//! made when the first cell is asked for. It pays where reports come from cells that were asked for lately: for slow movers a tenth of
//! the conversion's time (`benches/cell.rs`). For many fast movers over cells far smaller than their steps it doesn't: where fewer than a third of
//! the looks are hits, most positions are converted without one, and now and then it is tried again.

use super::{Cell, Position, Resolution};
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering, fence},
};

/// log₂ of the sets of two slots.
const SETS_BITS: u32 = 13;
/// The share of the cap that is trusted.
const TRUSTED: f64 = 0.98;
/// Of so many misses one looks how large the cell's cap is: near borders that would be in vain again and again.
const MISSES: u64 = 32;
/// After so many misses it is asked whether there were hits enough for the trouble.
const TRIAL: u64 = 1_024;
/// If there weren't, so many positions are converted without a look.
const PAUSE: u64 = 8_192;
/// The side of a square at resolution 0, in degrees: the mean distance from a cell's centre to its border.
const SIDE_DEG: f64 = 8.6;

/// Cells lately asked for. Shared by threads; a copy of it is empty.
#[derive(Default)]
pub struct CellCache {
    slots: OnceLock<Box<[Slot]>>,
    misses: AtomicU64,
    /// Hits since the last trial ended; threads may forget some of each other's.
    hits: AtomicU64,
    /// Positions that are still to be converted without a look.
    pause: AtomicU64,
}

/// What is known of a cell.
#[derive(Debug, Clone, Copy)]
struct Cap {
    cell: Cell,
    /// Its centre, radians, and the cosine of its latitude.
    lat: f64,
    lon: f64,
    cos_lat: f64,
    /// The square of the chord that the cap's radius has on the unit sphere.
    reach_2: f64,
}

/// A cap as it lies in memory: the version, then its parts.
#[derive(Default)]
struct Slot([AtomicU64; 6]);

impl CellCache {
    /// The cell that holds a position, at a resolution: the same as [`Cell::at`].
    #[inline]
    pub fn cell(&self, place: Position, resolution: Resolution) -> Cell {
        let pause = self.pause.load(Ordering::Relaxed);
        if pause > 0 {
            self.pause.store(pause - 1, Ordering::Relaxed);
            return Cell::at(place, resolution);
        }
        let slots = self.slots.get_or_init(|| (0..2 << SETS_BITS).map(|_| Slot::default()).collect());
        let set = 2 * set_of(place, resolution);
        let (lat, lon) = (place.lat().to_radians(), place.lon().to_radians());
        for slot in slots.iter().skip(set).take(2) {
            if let Some(cap) = slot.read()
                && cap.holds(lat, lon)
                && cap.cell.resolution() == resolution
            {
                self.hits.store(self.hits.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
                return cap.cell;
            }
        }
        self.miss(slots, set, place, resolution)
    }

    #[cold]
    #[inline(never)]
    fn miss(&self, slots: &[Slot], set: usize, place: Position, resolution: Resolution) -> Cell {
        let cell = Cell::at(place, resolution);
        let misses = self.misses.fetch_add(1, Ordering::Relaxed);
        // A hit saves more than a miss costs, but not twice as much where caps are looked for as well.
        if misses % TRIAL == TRIAL - 1 && self.hits.swap(0, Ordering::Relaxed) < TRIAL / 2 {
            self.pause.store(PAUSE, Ordering::Relaxed);
        }
        if misses.is_multiple_of(MISSES)
            && let Some(cap) = Cap::of(cell)
            && cap.holds(place.lat().to_radians(), place.lon().to_radians())
            && let Some(slot) = slots.get(set + (misses / MISSES) as usize % 2)
        {
            slot.write(&cap);
        }
        cell
    }
}

impl Clone for CellCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for CellCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CellCache")
    }
}

/// The set of slots of the square that a position is in.
#[inline]
fn set_of(place: Position, resolution: Resolution) -> usize {
    // Squares per degree: the sides of cells shrink by √7.
    const PER_DEGREE: [f64; 16] = {
        let mut per_degree = [1.0 / SIDE_DEG; 16];
        let mut at = 1;
        while at < 16 {
            per_degree[at] = per_degree[at - 1] * 2.645_751_311_064_590_6;
            at += 1;
        }
        per_degree
    };
    let per_degree = PER_DEGREE.get(usize::from(resolution.value())).copied().unwrap_or(1.0);
    let row = ((place.lat() + 90.0) * per_degree) as u64;
    let column = ((place.lon() + 180.0) * per_degree) as u64;
    let mixed = (row << 4 | u64::from(resolution.value())).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ column;
    (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> (64 - SETS_BITS)) as usize
}

impl Cap {
    /// The cap of a cell that is a plain hexagon.
    fn of(cell: Cell) -> Option<Self> {
        let corners = cell.boundary();
        if cell.inner().is_pentagon() || corners.len() != 6 {
            return None;
        }
        let centre = cell.centre();
        let middle = direction(centre);
        let corners: Vec<[f64; 3]> = corners.into_iter().map(direction).collect();
        let next = corners.iter().cycle().skip(1);
        // The sine of the angle to the great circle of an edge, of which the edge is a part.
        let nearest = corners.iter().zip(next).map(|(a, b)| {
            let normal = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
            let dot = |p: &[f64; 3], q: &[f64; 3]| p.iter().zip(q).map(|(p, q)| p * q).sum::<f64>();
            (dot(&normal, &middle) / dot(&normal, &normal).sqrt()).abs()
        });
        let radius = nearest.fold(f64::INFINITY, f64::min).min(1.0).asin() * TRUSTED;
        if !(radius > 0.0 && radius < 1.0) {
            return None;
        }
        let (lat, lon) = (centre.lat().to_radians(), centre.lon().to_radians());
        Some(Self { cell, lat, lon, cos_lat: lat.cos(), reach_2: (2.0 * (radius / 2.0).sin()).powi(2) })
    }

    /// Whether a place is in it. The chord c between two places is c² = 4 sin²(Δφ/2) + 4 cos φ₁ cos φ₂ sin²(Δλ/2), and no sine is
    /// larger than its angle, nor do two cosines differ by more than their angles: so what is compared is never too small.
    #[inline]
    fn holds(&self, lat: f64, lon: f64) -> bool {
        let (dlat, dlon) = ((lat - self.lat).abs(), lon - self.lon);
        dlat * dlat + self.cos_lat * (self.cos_lat + dlat) * dlon * dlon <= self.reach_2
    }
}

/// A place on the unit sphere.
fn direction(place: Position) -> [f64; 3] {
    let ((sin_lat, cos_lat), (sin_lon, cos_lon)) =
        (place.lat().to_radians().sin_cos(), place.lon().to_radians().sin_cos());
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

impl Slot {
    #[inline]
    fn read(&self) -> Option<Cap> {
        let [version, cell, lat, lon, cos_lat, reach_2] = &self.0;
        let before = version.load(Ordering::Acquire);
        if before == 0 || before % 2 == 1 {
            return None;
        }
        let word = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let number = |of: &AtomicU64| f64::from_bits(word(of));
        let cell = Cell::trusted(word(cell));
        let cap = Cap { cell, lat: number(lat), lon: number(lon), cos_lat: number(cos_lat), reach_2: number(reach_2) };
        fence(Ordering::Acquire);
        (version.load(Ordering::Relaxed) == before).then_some(cap)
    }

    fn write(&self, cap: &Cap) {
        let [version, cell, lat, lon, cos_lat, reach_2] = &self.0;
        let before = version.load(Ordering::Relaxed);
        let odd = before.wrapping_add(1);
        if before % 2 == 1 || version.compare_exchange(before, odd, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        fence(Ordering::Release);
        cell.store(cap.cell.number(), Ordering::Relaxed);
        for (place, number) in [(lat, cap.lat), (lon, cap.lon), (cos_lat, cap.cos_lat), (reach_2, cap.reach_2)] {
            place.store(number.to_bits(), Ordering::Relaxed);
        }
        version.store(odd.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{cell::position, destination};
    use proptest::prelude::*;

    fn p(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).unwrap()
    }

    /// Places of all kinds: anywhere, round the twelve pentagons, on the edges between the faces of the icosahedron, at the poles, on ±180°.
    fn places() -> impl Strategy<Value = Position> {
        let pentagons: Vec<Position> = h3o::CellIndex::base_cells()
            .filter(|cell| cell.is_pentagon())
            .map(|c| position(h3o::LatLng::from(c)))
            .collect();
        // Two pentagons whose centres are corners of one face are 63.4° apart.
        let far = |a: Position, b: Position| crate::geo::haversine_m(a, b) / 111_195.0;
        let pairs: Vec<(Position, Position)> = pentagons
            .iter()
            .flat_map(|&a| pentagons.iter().map(move |&b| (a, b)))
            .filter(|&(a, b)| (far(a, b) - 63.43).abs() < 1.0)
            .collect();
        let on_edge = (prop::sample::select(pairs), 0.0..1.0f64).prop_map(|((a, b), share)| {
            use geo::{Haversine, InterpolatePoint, Point};
            let point = |p: Position| Point::new(p.lon(), p.lat());
            let place = Haversine.point_at_ratio_between(point(a), point(b), share);
            Position::wrapped(place.x(), place.y())
        });
        prop_oneof![
            2 => (-180.0..180.0, -90.0..90.0).prop_map(|(lon, lat)| p(lon, lat)),
            1 => prop::sample::select(pentagons),
            2 => on_edge,
            1 => (-180.0..180.0, 89.9..90.0).prop_map(|(lon, lat)| p(lon, lat)),
            1 => (-90.0..90.0).prop_map(|lat| p(180.0, lat)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        #[test]
        fn the_whole_cap_of_a_cell_is_in_it(
            near in places(), aside in 0.0..4.0f64, course in 0.0..360.0, r in 0i64..=15,
            inside in prop::collection::vec((0.0..360.0, 0.0..1.0f64), 40),
        ) {
            let resolution = Resolution::new(r).unwrap();
            let edge_m = 1_281_256.0 / 7f64.sqrt().powi(r as i32);
            let cell = Cell::at(destination(near, course, aside * edge_m), resolution);
            let Some(cap) = Cap::of(cell) else {
                prop_assert!(cell.boundary().len() != 6);
                return Ok(());
            };
            let radius_m = cap.reach_2.sqrt() * 6_371_008.8 * 1.006;
            prop_assert!(radius_m > 0.5 * edge_m * 0.55, "{} of {}", radius_m, edge_m);
            for (course, share) in inside {
                // Most near the rim.
                let place = destination(cell.centre(), course, radius_m * share.sqrt());
                if cap.holds(place.lat().to_radians(), place.lon().to_radians()) {
                    prop_assert_eq!(Cell::at(place, resolution), cell, "{:?}", place);
                }
            }
        }

        #[test]
        fn what_is_remembered_is_what_is_so(
            start in places(), steps in prop::collection::vec((0.0..360.0, 0.0..1.5f64, 0i64..3), 1..200), r in 0i64..=13,
        ) {
            let (cache, mut place) = (CellCache::default(), start);
            for (course, edges, finer) in steps {
                let resolution = Resolution::new(r + finer).unwrap();
                place = destination(place, course, edges * edges * 1_281_256.0 / 7f64.sqrt().powi(r as i32));
                prop_assert_eq!(cache.cell(place, resolution), Cell::at(place, resolution), "{:?}", place);
            }
        }
    }

    #[test]
    fn a_slow_mover_is_found_in_memory() {
        let (cache, resolution) = (CellCache::default(), Resolution::new(8).unwrap());
        let start = Cell::at(p(4.9, 52.37), resolution).centre();
        for step in 0..1_000 {
            let place = destination(start, 77.0, f64::from(step) * 0.3);
            assert_eq!(cache.cell(place, resolution), Cell::at(place, resolution));
        }
        assert!(cache.misses.load(Ordering::Relaxed) <= 160, "{:?}", cache.misses);
    }

    #[test]
    fn threads_that_share_it_never_read_half_of_a_slot() {
        let cache = CellCache::default();
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let cache = &cache;
                scope.spawn(move || {
                    for step in 0..3_000u32 {
                        // Few squares, so that slots are written all the time.
                        let resolution = Resolution::new(i64::from(step % 3)).unwrap();
                        let number = (step * 7 + thread * 13) % 360;
                        let place = p(f64::from(number) - 180.0, f64::from(number % 170) - 85.0);
                        assert_eq!(cache.cell(place, resolution), Cell::at(place, resolution));
                    }
                });
            }
        });
    }
}
