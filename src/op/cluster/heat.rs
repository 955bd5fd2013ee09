//! Which cells are hot: hysteresis, confirmation and expiry.

use crate::{
    geo::Cell,
    model::{DecodeError, Reader, TimeMs, Writer},
    plan::regions::{ClusterError, Confirm},
};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeMap;

/// What a result of a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The hot condition holds.
    Hot,
    /// It doesn't, but nor does `COLD WHEN`: the cell stays what it is.
    Between,
    /// The hot condition doesn't hold, and there is no `COLD WHEN`, or it holds.
    Cold,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// The last results, the youngest in the lowest bit; 1 is hot.
    results: u64,
    is_hot: bool,
    /// When the cell is forgotten.
    until: TimeMs,
    /// In which list of deadlines it is; others that name it are out of date.
    listed: TimeMs,
}

/// The heat of all cells of a rule's key. A result at t counts in `[t, t + EXPIRE)`, unless another follows.
#[derive(Clone, Debug)]
pub struct Heat {
    expire: Option<TimeMs>,
    confirm: Confirm,
    cells: HashMap<Cell, State, FxBuildHasher>,
    /// By deadline or earlier: cells that may end then. Each cell is in one list, moved on only when that comes up.
    deadlines: BTreeMap<TimeMs, Vec<Cell>>,
}

impl Heat {
    /// No cell is hot. `expire` in milliseconds; without it a cell lives until its own result ends it.
    ///
    /// # Errors
    /// `expire` of 0 or less.
    pub fn new(expire: Option<TimeMs>, confirm: Confirm) -> Result<Self, ClusterError> {
        if let Some(given) = expire.filter(|&given| given <= 0) {
            return Err(ClusterError::Expire(given));
        }
        Ok(Self { expire, confirm, cells: HashMap::default(), deadlines: BTreeMap::new() })
    }

    /// A cell has a result at `at`. Gives whether it is hot now.
    pub fn read(&mut self, cell: Cell, reading: Reading, at: TimeMs) -> bool {
        let known = self.cells.get(&cell).copied();
        let was_hot = known.is_some_and(|state| state.is_hot);
        let bit = match reading {
            Reading::Hot => 1,
            Reading::Between => u64::from(was_hot),
            Reading::Cold => 0,
        };
        let (hits, count) = (self.confirm.hits(), self.confirm.results());
        let results = (known.map_or(0, |state| state.results) << 1 | bit) & (u64::MAX >> (64 - count));
        let is_hot = results.count_ones() >= hits;
        if results == 0 {
            self.cells.remove(&cell);
            return false;
        }
        let until = self.expire.map_or(TimeMs::MAX, |expire| at.saturating_add(expire));
        let listed = match known {
            Some(state) if state.listed <= until => state.listed,
            _ => {
                if self.expire.is_some() {
                    self.deadlines.entry(until).or_default().push(cell);
                }
                until
            }
        };
        self.cells.insert(cell, State { results, is_hot, until, listed });
        is_hot
    }

    /// Whether a cell is hot.
    pub fn is_hot(&self, cell: Cell) -> bool {
        self.cells.get(&cell).is_some_and(|state| state.is_hot)
    }

    /// A time before which nothing expires: at which [`Heat::expire`] is to be called next.
    pub fn next_expiry(&self) -> Option<TimeMs> {
        self.deadlines.first_key_value().map(|(at, _)| *at)
    }

    /// Forgets the cells whose time is up at `now`; gives those that were hot, ascending. At an instant it comes after the
    /// results and before the tick.
    pub fn expire(&mut self, now: TimeMs) -> Vec<Cell> {
        let mut ended = Vec::new();
        while let Some(list) = self.deadlines.first_entry().filter(|list| *list.key() <= now) {
            let (at, cells) = list.remove_entry();
            for cell in cells {
                let Some(state) = self.cells.get_mut(&cell).filter(|state| state.listed == at) else { continue };
                if state.until > now {
                    state.listed = state.until;
                    let until = state.until;
                    self.deadlines.entry(until).or_default().push(cell);
                    continue;
                }
                if state.is_hot {
                    ended.push(cell);
                }
                self.cells.remove(&cell);
            }
        }
        ended.sort_unstable();
        ended
    }

    /// Takes over the cells of one with another EXPIRE; what it doesn't say counts from `now` on.
    pub(super) fn take_over(&mut self, old: Self, expire: Option<TimeMs>, now: Option<TimeMs>) {
        self.cells = old.cells;
        for (cell, state) in &mut self.cells {
            state.until = match (expire, self.expire) {
                (_, None) => TimeMs::MAX,
                (Some(was), Some(is)) => state.until.saturating_sub(was).saturating_add(is),
                (None, Some(is)) => now.map_or(TimeMs::MAX, |now| now.saturating_add(is)),
            };
            state.listed = state.until;
            if self.expire.is_some() {
                self.deadlines.entry(state.until).or_default().push(*cell);
            }
        }
        self.deadlines.values_mut().for_each(|cells| cells.sort_unstable());
    }

    /// Whether no cell is known.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Writes the cells, ascending.
    pub fn save(&self, out: &mut Writer) {
        let mut cells: Vec<(&Cell, &State)> = self.cells.iter().collect();
        cells.sort_unstable_by_key(|(cell, _)| **cell);
        out.len(cells.len());
        for (cell, state) in cells {
            out.i64(cell.number() as i64);
            out.u64(state.results);
            out.bool(state.is_hot);
            out.i64(state.until);
        }
    }

    /// Reads what [`Heat::save`] wrote into an empty one with the same clause.
    ///
    /// # Errors
    /// Bytes that aren't what it writes.
    pub fn load(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for _ in 0..input.len()? {
            let cell = super::state::read_cell(input)?;
            let (results, is_hot, until) = (input.u64()?, input.bool()?, input.i64()?);
            self.cells.insert(cell, State { results, is_hot, until, listed: until });
            if self.expire.is_some() {
                self.deadlines.entry(until).or_default().push(cell);
            }
        }
        Ok(())
    }
}
