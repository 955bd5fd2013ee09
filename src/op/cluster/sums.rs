//! Sums over cells that are the same whatever the order in which cells come and go.
//!
//! Floats would remember how they were added up. Numbers are kept as whole multiples of a power of two in 128 bits
//! instead, so that adding and taking away again is exact: a region's sums depend on its cells alone, however it came to
//! be, and never have to be computed afresh.

use crate::geo::{Cell, Position};

/// A weight's unit is 2⁻⁴⁰.
const WEIGHT: f64 = (1u64 << 40) as f64;
/// A larger weight counts as this: 2⁶⁰. With units of 2⁻⁴⁰, 2²⁷ cells then fit in the sum.
const WEIGHT_MAX: f64 = (1u64 << 60) as f64;
/// An area's unit is 2⁻²⁰ m².
const AREA: f64 = (1u64 << 20) as f64;
/// The unit of a coordinate on the unit sphere is 2⁻⁶⁰.
const PLACE: f64 = (1u64 << 60) as f64;

/// What a cell is on the sphere, in the units of sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    area: i64,
    place: [i64; 3],
}

impl Patch {
    pub(super) fn of(cell: Cell) -> Self {
        let centre = cell.centre();
        let (sin, cos) = centre.lat().to_radians().sin_cos();
        let (sin_lon, cos_lon) = centre.lon().to_radians().sin_cos();
        let place = [cos * cos_lon, cos * sin_lon, sin].map(|x| (x * PLACE).round() as i64);
        Self { area: (cell.area_m2() * AREA).round() as i64, place }
    }
}

/// A weight in units of 2⁻⁴⁰: what is no number or negative counts as 0.
pub(super) fn exact_weight(weight: f64) -> i128 {
    // NaN becomes 0 at the end.
    (weight.clamp(0.0, WEIGHT_MAX) * WEIGHT).round() as i128
}

/// The sums of a set of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    weight: i128,
    area: i128,
    place: [i128; 3],
}

impl Sums {
    pub(super) fn add(&mut self, patch: &Patch, weight: f64) {
        self.weight += exact_weight(weight);
        self.area += i128::from(patch.area);
        (0..3).for_each(|i| self.place[i] += i128::from(patch.place[i]));
    }

    pub(super) fn take(&mut self, patch: &Patch, weight: f64) {
        self.weight -= exact_weight(weight);
        self.area -= i128::from(patch.area);
        (0..3).for_each(|i| self.place[i] -= i128::from(patch.place[i]));
    }

    /// A cell's weight changed.
    pub(super) fn reweigh(&mut self, old: f64, new: f64) {
        self.weight += exact_weight(new) - exact_weight(old);
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.weight += other.weight;
        self.area += other.area;
        (0..3).for_each(|i| self.place[i] += other.place[i]);
    }

    /// The weight in units of 2⁻⁴⁰.
    pub(super) fn units(&self) -> i128 {
        self.weight
    }

    pub(super) fn weight(&self) -> f64 {
        self.weight as f64 / WEIGHT
    }

    pub(super) fn area_m2(&self) -> f64 {
        self.area as f64 / AREA
    }

    /// The place on the sphere where the mean of the cells' centres lies; nothing if that is the earth's own centre.
    pub(super) fn centre(&self) -> Option<Position> {
        let [x, y, z] = self.place.map(|sum| sum as f64 / PLACE);
        let across = x.hypot(y);
        let is_somewhere = across.hypot(z) > 1e-9;
        is_somewhere.then(|| Position::wrapped(y.atan2(x).to_degrees(), z.atan2(across).to_degrees()))
    }
}
