//! The clusters of hot cells, kept as cells turn hot and cold.
//!
//! Core cells in reach of each other are in one cluster; a border cell (hot, no core) is in the cluster of the lowest core
//! cell in its reach; without one it is noise. All changes of an instant are taken together, in this order:
//!
//! 1. heat and counts, then who became a core and who is to stop being one;
//! 2. new cores join, and clusters that they bridge become one: the smaller one's cells move to the larger;
//! 3. what is no core any more leaves, hole by hole, and it is searched whether each cluster still holds together round
//!    the hole; the holes to come are still filled then, so that each search is about its own surroundings;
//! 4. border cells near a change look for their core again.
//!
//! After each step the clusters are the connected parts of the graph as it is then, where a new core and one that is
//! leaving don't count as neighbours if they are in different clusters. At the end nothing is leaving, so the result is
//! that of a search over all cells.

use super::{
    grid::{Facts, Grid, Load, NONE},
    member::MemberIndex,
    region::RegionId,
    sums::Sums,
};
use crate::{
    geo::Cell,
    plan::regions::{Config, Overlap},
};
use std::collections::BTreeMap;

/// A cluster. Its number stays its own until the evaluation's end, even if it has no cells any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// Its cells, cores and border cells, with their numbers.
    pub(super) cells: BTreeMap<Cell, u32>,
    pub(super) sums: Sums,
    /// The region that it is: none if it is too small.
    pub(super) id: Option<RegionId>,
    /// What it was in the last state, if something changed since.
    pub(super) before: Option<Box<Before>>,
}

/// A cluster in the last state.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) id: Option<RegionId>,
    pub(super) size: usize,
    pub(super) lowest: Option<Cell>,
    pub(super) sums: Sums,
    /// Its members, ascending; only where overlap counts them.
    pub(super) members: Vec<u64>,
}

impl Cluster {
    fn state(&self, members: Vec<u64>) -> Before {
        let lowest = self.cells.first_key_value().map(|(cell, _)| *cell);
        Before { id: self.id, size: self.cells.len(), lowest, sums: self.sums, members }
    }
}

/// All clusters.
#[derive(Clone, Debug)]
pub(super) struct Components {
    pub(super) config: Config,
    pub(super) grid: Grid,
    pub(super) clusters: Vec<Cluster>,
    pub(super) members: Option<MemberIndex>,
    free: Vec<u32>,
    /// The number of the current evaluation.
    epoch: u64,
    /// Cells whose cluster or load may differ from the last state's.
    pub(super) touched: Vec<u32>,
    /// Clusters with a state before.
    pub(super) dirty: Vec<u32>,
    pub(super) marks: Marks,
}

/// Marks on cells that are wiped all at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    round: u32,
    /// By cell: the round of its mark, and what it says.
    marks: Vec<(u32, u32)>,
}

impl Marks {
    /// No cell is marked.
    pub(super) fn wipe(&mut self, cells: usize) {
        if self.round == u32::MAX {
            self.marks.clear();
            self.round = 0;
        }
        self.round += 1;
        self.marks.resize(cells, (0, 0));
    }

    pub(super) fn get(&self, spot: u32) -> Option<u32> {
        self.marks.get(spot as usize).filter(|mark| mark.0 == self.round).map(|mark| mark.1)
    }

    pub(super) fn set(&mut self, spot: u32, mark: u32) {
        if let Some(place) = self.marks.get_mut(spot as usize) {
            *place = (self.round, mark);
        }
    }
}

/// A cell is hot with this load from now on, or cold.
pub(super) type Change = (Cell, Option<Load>);

impl Components {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            grid: Grid::new(config),
            clusters: Vec::new(),
            members: (config.overlap == Overlap::Members).then(MemberIndex::default),
            free: Vec::new(),
            epoch: 1,
            touched: Vec::new(),
            dirty: Vec::new(),
            marks: Marks::default(),
        }
    }

    pub(super) fn cluster(&self, cluster: u32) -> &Cluster {
        &self.clusters[cluster as usize]
    }

    /// Takes over changes, one per cell.
    pub(super) fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (cell, load) in changes {
            match load {
                Some(load) => {
                    let spot = self.grid.learn(cell);
                    if !self.grid.spot(spot).is_hot {
                        added.push(spot);
                        self.touch(spot);
                        self.grid.facts_mut(spot).load = load;
                        self.grid.set_hot(spot, true);
                    } else if self.grid.facts(spot).load != load {
                        self.reload(spot, load);
                    }
                }
                None => {
                    if let Some(spot) = self.grid.number(cell).filter(|&spot| self.grid.spot(spot).is_hot) {
                        removed.push(spot);
                        self.touch(spot);
                        self.grid.set_hot(spot, false);
                    }
                }
            }
        }
        let (gained, lost) = self.recore(&added, &removed);
        for &spot in removed.iter().chain(&gained) {
            if !self.grid.spot(spot).is_leaving {
                self.relabel(spot, NONE);
            }
        }
        for &spot in &gained {
            self.join(spot);
        }
        self.leave(&lost);
        removed.iter().for_each(|&spot| self.grid.facts_mut(spot).load = Load::default());
        if self.config.density.is_some() {
            self.anchor(&added, &gained, &lost);
        }
    }

    /// Another load of a cell that stays hot.
    fn reload(&mut self, spot: u32, load: Load) {
        self.touch(spot);
        let cluster = self.grid.spot(spot).cluster;
        let facts = self.grid.facts_mut(spot);
        let old = std::mem::replace(&mut facts.load, load);
        if cluster != NONE {
            self.clusters[cluster as usize].sums.reweigh(old.weight, facts.load.weight);
            if let Some(index) = &mut self.members {
                index.replace(cluster, &old.members, &facts.load.members);
            }
        }
    }

    /// Who became a core, and who is to stop being one.
    fn recore(&mut self, added: &[u32], removed: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut changed: Vec<u32> = added.iter().chain(removed).copied().collect();
        if self.config.density.is_some() {
            let around: Vec<u32> = changed.iter().flat_map(|&spot| self.grid.dense(spot)).copied().collect();
            changed.extend(around);
            changed.sort_unstable();
            changed.dedup();
        }
        let (mut gained, mut lost) = (Vec::new(), Vec::new());
        for spot in changed {
            let should = self.grid.deserves_core(spot);
            let place = self.grid.spot_mut(spot);
            match (place.is_core, should) {
                (false, true) => {
                    place.is_core = true;
                    gained.push(spot);
                }
                (true, false) => {
                    place.is_leaving = true;
                    lost.push(spot);
                }
                _ => {}
            }
        }
        (gained, lost)
    }

    /// A new core joins the clusters in its reach, which become one.
    fn join(&mut self, spot: u32) {
        let mut near: Vec<u32> = Vec::new();
        for &other in self.grid.near(spot) {
            let other = self.grid.spot(other);
            if other.is_core && !other.is_leaving && other.cluster != NONE && !near.contains(&other.cluster) {
                near.push(other.cluster);
            }
        }
        let into = match near.iter().copied().max_by_key(|&cluster| self.cluster(cluster).cells.len()) {
            Some(largest) => largest,
            None => self.new_cluster(),
        };
        for other in near.into_iter().filter(|&other| other != into) {
            self.merge(other, into);
        }
        self.relabel(spot, into);
    }

    /// All cells of a cluster go to another.
    fn merge(&mut self, from: u32, into: u32) {
        let cells: Vec<u32> = self.cluster(from).cells.values().copied().collect();
        cells.iter().for_each(|&spot| self.touch(spot));
        self.dirty(into);
        let Cluster { cells: moved, sums, .. } = &mut self.clusters[from as usize];
        let (moved, sums) = (std::mem::take(moved), std::mem::take(sums));
        let target = &mut self.clusters[into as usize];
        target.cells.extend(moved);
        target.sums.append(&sums);
        for spot in cells {
            self.grid.spot_mut(spot).cluster = into;
            if let Some(index) = &mut self.members {
                let members = &self.grid.facts(spot).load.members;
                index.remove(from, members);
                index.add(into, members);
            }
        }
    }

    /// A part of a cluster becomes one of its own: these cores and the border cells that belong to them.
    pub(super) fn part(&mut self, cores: &[u32]) {
        let part = self.new_cluster();
        for &core in cores {
            self.relabel(core, part);
        }
        if self.config.density.is_some() {
            for &core in cores {
                let border: Vec<u32> = self
                    .grid
                    .near(core)
                    .iter()
                    .copied()
                    .filter(|&other| {
                        let other = self.grid.spot(other);
                        !other.is_core && other.anchor == core && other.cluster != NONE
                    })
                    .collect();
                border.into_iter().for_each(|spot| self.relabel(spot, part));
            }
        }
    }

    /// Border cells that may have another core now look for it.
    fn anchor(&mut self, added: &[u32], gained: &[u32], lost: &[u32]) {
        self.marks.wipe(self.grid.spots.len());
        let mut border: Vec<u32> = added.iter().chain(lost).copied().collect();
        for &spot in gained.iter().chain(lost) {
            border.extend_from_slice(self.grid.near(spot));
        }
        for spot in border {
            let place = self.grid.spot(spot);
            if place.is_core || !place.is_hot || self.marks.get(spot).is_some() {
                continue;
            }
            self.marks.set(spot, 0);
            let cores = self.grid.near(spot).iter().copied().filter(|&other| self.grid.spot(other).is_core);
            let anchor = cores.min_by_key(|&core| self.grid.spot(core).cell).unwrap_or(NONE);
            let cluster = if anchor == NONE { NONE } else { self.grid.spot(anchor).cluster };
            self.grid.spot_mut(spot).anchor = anchor;
            self.relabel(spot, cluster);
        }
    }

    /// A cell belongs to another cluster, or to none, from now on.
    pub(super) fn relabel(&mut self, spot: u32, into: u32) {
        let from = self.grid.spot(spot).cluster;
        if from == into {
            return;
        }
        self.touch(spot);
        self.dirty(into);
        self.grid.spot_mut(spot).cluster = into;
        let cell = self.grid.spot(spot).cell;
        let Facts { patch, load, .. } = self.grid.facts(spot);
        if from != NONE {
            let cluster = &mut self.clusters[from as usize];
            cluster.cells.remove(&cell);
            cluster.sums.take(patch, load.weight);
        }
        if into != NONE {
            let cluster = &mut self.clusters[into as usize];
            cluster.cells.insert(cell, spot);
            cluster.sums.add(patch, load.weight);
        }
        if let Some(index) = &mut self.members {
            index.remove(from, &load.members);
            index.add(into, &load.members);
        }
    }

    /// Before a cell changes: what it was in the last state is kept, and what its cluster was.
    fn touch(&mut self, spot: u32) {
        let cluster = self.grid.spot(spot).cluster;
        let facts = self.grid.facts_mut(spot);
        if facts.stamp != self.epoch {
            facts.stamp = self.epoch;
            facts.before = cluster;
            facts.weight_before = facts.load.weight;
            self.touched.push(spot);
        }
        self.dirty(cluster);
    }

    /// Before a cluster changes: what it was in the last state is kept.
    pub(super) fn dirty(&mut self, cluster: u32) {
        if cluster == NONE || self.cluster(cluster).before.is_some() {
            return;
        }
        let members = if self.members.is_some() { self.members_of(cluster) } else { Vec::new() };
        let place = &mut self.clusters[cluster as usize];
        place.before = Some(Box::new(place.state(members)));
        self.dirty.push(cluster);
    }

    pub(super) fn members_of(&self, cluster: u32) -> Vec<u64> {
        let cells = self.cluster(cluster).cells.values();
        let mut members: Vec<u64> = cells.flat_map(|&spot| &self.grid.facts(spot).load.members).copied().collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    fn new_cluster(&mut self) -> u32 {
        if let Some(cluster) = self.free.pop() {
            return cluster;
        }
        self.clusters.push(Cluster::default());
        u32::try_from(self.clusters.len() - 1).expect("there are at most as many clusters as cells")
    }

    /// The state is the last one from now on.
    pub(super) fn settle(&mut self) {
        self.epoch += 1;
        self.touched.clear();
        for cluster in std::mem::take(&mut self.dirty) {
            let place = &mut self.clusters[cluster as usize];
            place.before = None;
            if place.cells.is_empty() {
                *place = Cluster::default();
                self.free.push(cluster);
            }
        }
        if let Some(numbers) = self.grid.sweep() {
            for spot in self.clusters.iter_mut().flat_map(|cluster| cluster.cells.values_mut()) {
                *spot = numbers.get(*spot as usize).copied().unwrap_or(NONE);
            }
            self.marks = Marks::default();
        }
    }
}
