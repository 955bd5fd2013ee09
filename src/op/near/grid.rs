//! Cubes over earth-centred coordinates: who is in reach of a place.

use crate::geo::Position;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

/// Earth-centred, earth-fixed coordinates on the WGS 84 ellipsoid, in metres.
pub(super) type Place = [f64; 3];

/// WGS 84: semi-major axis in metres, and the first eccentricity squared.
const AXIS_M: f64 = 6_378_137.0;
const ECCENTRICITY_2: f64 = 0.006_694_379_990_141_316;

/// What rounding may add to a straight line, in metres; a thousand times more than it does.
const SLACK_M: f64 = 1e-5;

/// Where a position is in space.
pub(super) fn place(position: Position) -> Place {
    let (sin_lat, cos_lat) = position.lat().to_radians().sin_cos();
    let (sin_lon, cos_lon) = position.lon().to_radians().sin_cos();
    let normal = AXIS_M / (1.0 - ECCENTRICITY_2 * sin_lat * sin_lat).sqrt();
    [normal * cos_lat * cos_lon, normal * cos_lat * sin_lon, normal * (1.0 - ECCENTRICITY_2) * sin_lat]
}

/// Whether the straight line between two places rules out that the way over the earth is no longer than `limit_m`.
pub(super) fn too_far(a: Place, b: Place, limit_m: f64) -> bool {
    let squared: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
    let limit_m = limit_m + SLACK_M;
    squared > limit_m * limit_m
}

/// The entities in each cube, by their slots; those that may be elsewhere than where they are put in grids of their own, by
/// how far.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    reach_m: f64,
    /// The first is of those who stay where they are, the one of number k of those who may be up to 2^(k − 1) times the reach away.
    levels: Vec<Level>,
}

#[derive(Clone, Debug)]
struct Level {
    side_m: f64,
    cubes: HashMap<[i32; 3], SmallVec<[u32; 4]>, FxBuildHasher>,
}

impl Level {
    fn cube(&self, place: Place) -> [i32; 3] {
        // At most 6.4e6 metres in cubes of a metre or more.
        place.map(|x| (x / self.side_m).floor() as i32)
    }
}

impl Grid {
    /// An empty grid for a distance.
    pub(super) fn new(reach_m: f64) -> Self {
        Self { reach_m, levels: Vec::new() }
    }

    fn level_of(&self, drift_m: f64) -> usize {
        match drift_m > 0.0 {
            // At most 2e7 metres over a reach of a millimetre or more: some dozens.
            true => (drift_m / self.reach_m.max(1e-3)).log2().ceil().max(0.0) as usize + 1,
            false => 0,
        }
    }

    fn level_mut(&mut self, drift_m: f64) -> Option<&mut Level> {
        let wanted = self.level_of(drift_m);
        while self.levels.len() <= wanted {
            let drift_m = match self.levels.len() {
                0 => 0.0,
                level => self.reach_m.max(1e-3) * f64::from(level as u32 - 1).exp2(),
            };
            let side_m = (self.reach_m + drift_m + 2.0 * SLACK_M).max(1.0);
            self.levels.push(Level { side_m, cubes: HashMap::default() });
        }
        self.levels.get_mut(wanted)
    }

    /// Puts an entity where it is, give or take a drift.
    pub(super) fn insert(&mut self, (place, drift_m): (Place, f64), slot: u32) {
        if let Some(level) = self.level_mut(drift_m) {
            let cube = level.cube(place);
            level.cubes.entry(cube).or_default().push(slot);
        }
    }

    pub(super) fn remove(&mut self, (place, drift_m): (Place, f64), slot: u32) {
        let Some(level) = self.level_mut(drift_m) else { return };
        let cube = level.cube(place);
        let Some(slots) = level.cubes.get_mut(&cube) else { return };
        slots.retain(|other| *other != slot);
        if slots.is_empty() {
            level.cubes.remove(&cube);
        }
    }

    /// An entity goes from one place to another.
    pub(super) fn shift(&mut self, from: (Place, f64), to: (Place, f64), slot: u32) {
        let number = self.level_of(from.1);
        let same = number == self.level_of(to.1)
            && self.levels.get(number).is_some_and(|level| level.cube(from.0) == level.cube(to.0));
        if !same {
            self.remove(from, slot);
            self.insert(to, slot);
        }
    }

    /// Gives all slots that may be in reach of a place; in no order.
    pub(super) fn near(&self, place: Place, found: &mut dyn FnMut(u32)) {
        for level in self.levels.iter().filter(|level| !level.cubes.is_empty()) {
            let [x, y, z] = level.cube(place);
            for cube in
                (-1..=1).flat_map(|dx| (-1..=1).flat_map(move |dy| (-1..=1).map(move |dz| [x + dx, y + dy, z + dz])))
            {
                if let Some(slots) = level.cubes.get(&cube) {
                    slots.iter().for_each(|slot| found(*slot));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{destination, geodesic_m};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_straight_line_is_no_longer_than_the_way_and_adjacent_cubes_hold_all_in_reach(
            lon in prop_oneof![-180.0..=180.0, 179.99..=180.0],
            lat in prop_oneof![-90.0..=90.0, 89.9..=90.0, -90.0..=-89.9],
            bearing in 0.0..360.0,
            share in prop_oneof![0.0..1.0, 0.999_999..1.0],
            reach in prop_oneof![0.5..10.0, 10.0..5_000.0, 1e5..1e7],
            drift in prop_oneof![Just(0.0), 0.001..10_000.0, 1e5..2e7],
        ) {
            let a = Position::new(lon, lat).unwrap();
            let b = destination(a, bearing, reach * share);
            prop_assume!(geodesic_m(a, b) <= reach);
            prop_assert!(!too_far(place(a), place(b), reach));
            let mut grid = Grid::new(reach);
            // It reported somewhere else.
            let reported = destination(b, 360.0 - bearing, drift * share);
            grid.insert((place(reported), drift), 7);
            let mut found = Vec::new();
            grid.near(place(a), &mut |slot| found.push(slot));
            prop_assert_eq!(found, vec![7]);
        }
    }
}
