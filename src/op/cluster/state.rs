//! How regions are saved: the last state and the changes that wait. Clusters aren't written, they follow from the cells.
//!
//! ```text
//! last tick (may be absent)
//! count, then per region in order of its lowest cell:  lowest cell, id's tick, id's cell
//! count, then per hot cell of the last state, ascending:  cell, load
//! count, then per change that waits, ascending:  cell, whether hot, load if hot
//! load: weight, members (count, each 8 bytes), values (count, each as the codec writes it)
//! ```

use super::{grid::Load, region::RegionId, regions::Regions};
use crate::{
    geo::Cell,
    model::{DecodeError, Reader, Writer},
};
use std::collections::BTreeMap;

impl Regions {
    /// Writes the state: the same bytes for the same regions, however they came to be.
    pub fn save(&self, out: &mut Writer) {
        out.time(self.last_tick);
        let all = self.all();
        out.len(all.len());
        for (id, view) in all {
            if let Some(lowest) = view.lowest() {
                write_cell(out, lowest);
            }
            out.i64(id.tick);
            write_cell(out, id.lowest);
        }
        let grid = &self.components.grid;
        let hot = grid.spots.iter().zip(&grid.facts).filter(|(spot, _)| spot.is_hot);
        let mut hot: Vec<(Cell, &Load)> = hot.map(|(spot, facts)| (spot.cell, &facts.load)).collect();
        hot.sort_unstable_by_key(|(cell, _)| *cell);
        out.len(hot.len());
        for (cell, load) in hot {
            write_cell(out, cell);
            write_load(out, load);
        }
        out.len(self.pending.len());
        for (cell, load) in &self.pending {
            write_cell(out, *cell);
            out.bool(load.is_some());
            if let Some(load) = load {
                write_load(out, load);
            }
        }
    }

    /// Reads what [`Regions::save`] wrote, into regions that have nothing yet and the same clause.
    ///
    /// # Errors
    /// Bytes that aren't what it writes: also where the clause makes other regions of the cells.
    pub fn load(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.last_tick = input.time()?;
        let mut ids = BTreeMap::new();
        for _ in 0..input.len()? {
            let lowest = read_cell(input)?;
            ids.insert(lowest, RegionId { tick: input.i64()?, lowest: read_cell(input)? });
        }
        let mut hot = BTreeMap::new();
        for _ in 0..input.len()? {
            hot.insert(read_cell(input)?, Some(read_load(input)?));
        }
        if self.go_on(hot, ids) > 0 {
            return Err(DecodeError::Unexpected { found: 0, expected: "an id for each region" });
        }
        for _ in 0..input.len()? {
            let cell = read_cell(input)?;
            let load = if input.bool()? { Some(read_load(input)?) } else { None };
            self.pending.insert(cell, load);
        }
        Ok(())
    }
}

impl Regions {
    /// Begins with these hot cells, and regions with these ids by their lowest cells; how many ids are no region's.
    ///
    /// Where MIN CELLS was edited since the last tick a region may be too small, or a cluster large enough that is none yet: the next tick
    /// says so.
    fn go_on(&mut self, hot: BTreeMap<Cell, Option<Load>>, mut ids: BTreeMap<Cell, RegionId>) -> usize {
        self.components.apply(hot);
        for cluster in &mut self.components.clusters {
            cluster.id = cluster.cells.first_key_value().and_then(|(lowest, _)| ids.remove(lowest));
        }
        self.components.settle();
        self.restless();
        ids.len()
    }

    /// Has the next tick look at clusters that are a region and too small, or none and large enough; whether there are any.
    fn restless(&mut self) -> bool {
        let min_cells = self.components.config.min_cells;
        let clusters = (0..).zip(&self.components.clusters);
        let changed = clusters.filter(|(_, cluster)| {
            !cluster.cells.is_empty() && cluster.id.is_some() != (cluster.cells.len() >= min_cells)
        });
        let changed: Vec<u32> = changed.map(|(at, _)| at).collect();
        changed.iter().for_each(|at| self.components.dirty(*at));
        !changed.is_empty()
    }

    /// Goes on, with nothing yet, with what regions of the same cells under another clause are; whether a tick has to look at them.
    pub(super) fn take_over(&mut self, old: Self) -> bool {
        self.last_tick = old.last_tick;
        let ids = old.all().into_iter().filter_map(|(id, view)| Some((view.lowest()?, id))).collect();
        let grid = &old.components.grid;
        let hot = grid.spots.iter().zip(&grid.facts).filter(|(spot, _)| spot.is_hot);
        let hot = hot.map(|(spot, facts)| (spot.cell, Some(facts.load.clone()))).collect();
        self.go_on(hot, ids);
        self.pending = old.pending;
        self.restless()
    }
}

fn write_cell(out: &mut Writer, cell: Cell) {
    out.i64(cell.number() as i64);
}

pub(super) fn read_cell(input: &mut Reader<'_>) -> Result<Cell, DecodeError> {
    let found = input.i64()? as u64;
    Cell::new(found).map_err(|_| DecodeError::Unexpected { found, expected: "an H3 cell" })
}

fn write_load(out: &mut Writer, load: &Load) {
    out.f64(load.weight);
    out.len(load.members.len());
    for &member in &load.members {
        out.i64(member as i64);
    }
    out.len(load.values.len());
    for value in &load.values {
        out.value(value);
    }
}

fn read_load(input: &mut Reader<'_>) -> Result<Load, DecodeError> {
    let weight = input.f64()?;
    let members = (0..input.len()?).map(|_| input.i64().map(|member| member as u64)).collect::<Result<_, _>>()?;
    let values = (0..input.len()?).map(|_| input.value()).collect::<Result<_, _>>()?;
    Ok(Load { weight, members, values }.tidy())
}
