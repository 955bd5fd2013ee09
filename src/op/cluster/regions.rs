//! The regions of one key: what a `CLUSTER BY` rule keeps.

use super::{
    component::Components,
    grid::Load,
    region::{Record, RegionId},
    view::View,
};
use crate::{
    geo::Cell,
    model::TimeMs,
    plan::regions::{ClusterError, Config},
};
use std::collections::BTreeMap;

/// Which regions a tick reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Those with something new: another transition than survived, parents, flags, or other cells.
    #[default]
    Changes,
    /// All, and those that ended.
    All,
}

/// Regions of hot cells, with their identities.
///
/// Changes wait until [`Regions::evaluate`]; of several changes of one cell the last counts. The cells must be of one
/// resolution: others are never neighbours.
#[derive(Clone, Debug)]
pub struct Regions {
    pub(super) components: Components,
    pub(super) pending: BTreeMap<Cell, Option<Load>>,
    pub(super) last_tick: Option<TimeMs>,
}

impl Regions {
    /// No region yet.
    ///
    /// # Errors
    /// A number of the clause that is out of its range.
    pub fn new(config: Config) -> Result<Self, ClusterError> {
        let components = Components::new(config.checked()?);
        Ok(Self { components, pending: BTreeMap::new(), last_tick: None })
    }

    /// A cell is hot, with this load.
    pub fn heat(&mut self, cell: Cell, load: Load) {
        self.pending.insert(cell, Some(load.tidy()));
    }

    /// A cell is hot no longer.
    pub fn cool(&mut self, cell: Cell) {
        self.pending.insert(cell, None);
    }

    /// Whether something changed since the last tick.
    pub fn has_changes(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The last tick.
    pub fn last_tick(&self) -> Option<TimeMs> {
        self.last_tick
    }

    /// How many cells were hot at the last tick.
    pub fn hot_cells(&self) -> usize {
        self.components.grid.hot()
    }

    /// How many regions there were at the last tick.
    pub fn len(&self) -> usize {
        self.components.clusters.iter().filter(|cluster| cluster.id.is_some()).count()
    }

    /// Whether there is nothing to remember: no hot cell, no change that waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.components.grid.hot() == 0
    }

    /// Takes over all changes and says what became of the regions, by the state at the last tick and now. Ticks ascend.
    ///
    /// First those that ended, in order of their lowest cells, then those that are there, likewise.
    pub fn evaluate(&mut self, tick: TimeMs, emit: Emit) -> Vec<Record> {
        self.evaluate_since(tick, self.last_tick, emit)
    }

    /// The same where the last state is known to have lasted until `since`: what speeds count from.
    pub(super) fn evaluate_since(&mut self, tick: TimeMs, since: Option<TimeMs>, emit: Emit) -> Vec<Record> {
        let changes = std::mem::take(&mut self.pending);
        self.components.apply(changes);
        let mut records = self.components.transitions(tick, since);
        match emit {
            Emit::Changes => records.retain(|record| !record.is_unchanged),
            Emit::All => self.components.add_untouched(tick, since, &mut records),
        }
        records.sort_by_key(|record| (!record.has_ended, record.look.lowest));
        self.components.settle();
        self.last_tick = Some(tick);
        records
    }

    /// The cells of a region of the last evaluation, as long as there wasn't another. Nothing for one that ended.
    pub fn view(&self, record: &Record) -> Option<View<'_>> {
        let cluster = self.components.clusters.get(record.cluster? as usize)?;
        (cluster.id == Some(record.id)).then(|| View::new(&self.components.grid, cluster))
    }

    /// All regions of the last tick, in order of their lowest cells.
    pub fn all(&self) -> Vec<(RegionId, View<'_>)> {
        let grid = &self.components.grid;
        let mut all: Vec<(RegionId, View<'_>)> = self
            .components
            .clusters
            .iter()
            .filter_map(|cluster| cluster.id.map(|id| (id, View::new(grid, cluster))))
            .collect();
        all.sort_by_key(|(_, view)| view.lowest());
        all
    }
}
