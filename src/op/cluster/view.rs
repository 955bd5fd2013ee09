//! A region's cells, and what follows from them.

use super::{
    component::Cluster,
    grid::{Grid, Load},
};
use crate::{
    geo::{Cell, outline},
    model::Value,
    op::aggregate::Accumulator,
    plan::AggregateKind,
};

/// The cells of one region.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    grid: &'a Grid,
    cluster: &'a Cluster,
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

    /// An aggregate over the cells, in their order, by its column in [`Load::values`]. Cells without a value don't count.
    pub fn column(&self, column: usize, kind: AggregateKind) -> Value {
        let mut aggregate = Accumulator::new(kind);
        for value in self.loads().filter_map(|(_, load)| load.values.get(column)) {
            aggregate.add(value, 0);
        }
        aggregate.result()
    }
}
