//! A region's cells, and what follows from them.

use super::{
    component::Cluster,
    grid::{Grid, Load},
};
use crate::geo::{Cell, outline};

/// The cells of one region.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    grid: &'a Grid,
    cluster: &'a Cluster,
}

/// A measure over the cells of a region. Cells without a value don't count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// How many cells have a value.
    pub count: usize,
    /// Their sum, in order of the cells, the rounding errors made up for (Neumaier): 0 without values.
    pub sum: f64,
    /// The least value.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
}

impl Column {
    /// The mean of the values.
    pub fn avg(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl<'a> View<'a> {
    pub(super) fn new(grid: &'a Grid, cluster: &'a Cluster) -> Self {
        Self { grid, cluster }
    }

    /// The cells, ascending.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + 'a {
        self.cluster.cells.keys().copied()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.cluster.cells.len()
    }

    /// The lowest.
    pub fn lowest(&self) -> Option<Cell> {
        self.cells().next()
    }

    /// The cells with what they hold, ascending.
    pub fn loads(&self) -> impl Iterator<Item = (Cell, &'a Load)> + 'a {
        let grid = self.grid;
        self.cluster.cells.iter().map(move |(&cell, &spot)| (cell, &grid.facts(spot).load))
    }

    /// The members of the cells, ascending and once each.
    pub fn members(&self) -> Vec<u64> {
        let mut members: Vec<u64> = self.loads().flat_map(|(_, load)| load.members.iter().copied()).collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// The same area in the fewest cells, ascending.
    pub fn compacted(&self) -> Vec<Cell> {
        Cell::compacted(self.cells()).unwrap_or_else(|_| self.cells().collect())
    }

    /// The boundary: polygons with their holes, as [`outline`] gives them.
    pub fn outline(&self) -> Vec<Vec<Vec<[f64; 2]>>> {
        // The cells of a region are neighbours, so of one resolution.
        outline(&self.cells().collect::<Vec<_>>()).unwrap_or_default()
    }

    /// A measure over the cells, by its column in [`Load::values`].
    pub fn column(&self, column: usize) -> Column {
        let mut found = Column { count: 0, sum: 0.0, min: None, max: None };
        let mut lost = 0.0;
        let values = self.loads().filter_map(|(_, load)| load.values.get(column).copied().flatten());
        for value in values {
            found.count += 1;
            let sum = found.sum + value;
            lost += if found.sum.abs() >= value.abs() { found.sum - sum + value } else { value - sum + found.sum };
            found.sum = sum;
            found.min = Some(found.min.map_or(value, |min| min.min(value)));
            found.max = Some(found.max.map_or(value, |max| max.max(value)));
        }
        // Infinite values have an infinite sum, not what is lost of it.
        found.sum += if lost.is_finite() { lost } else { 0.0 };
        found
    }
}
