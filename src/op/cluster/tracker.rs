//! Heat, regions and ticks together: all that a `CLUSTER BY` rule keeps per key.
//!
//! How it is driven: the results of one instant are told in any order with [`Tracker::result`]; then [`Tracker::close`] ends
//! the instant: expiries first, then the tick if one is due. [`Tracker::next`] says at which instant `close` has to be
//! called next, also where no result comes: always before the results of a later instant.

use super::{
    grid::Load,
    heat::{Heat, Reading},
    region::Record,
    regions::{Emit, Regions},
};
use crate::{
    geo::Cell,
    model::{DecodeError, Reader, TimeMs, Writer},
    plan::regions::{ClusterError, Config, Confirm},
};

/// What a clause says of time and heat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// `EXPIRE d`: a result counts so long; without it until the next one.
    pub expire: Option<TimeMs>,
    /// `EVERY d`: states are compared at whole multiples of d since the epoch; without it after each instant with changes.
    pub every: Option<TimeMs>,
    /// `CONFIRM n OF m`.
    pub confirm: Confirm,
    /// `EMIT ALL | CHANGES`.
    pub emit: Emit,
}

/// The regions of one key, through time.
#[derive(Clone, Debug)]
pub struct Tracker {
    heat: Heat,
    regions: Regions,
    every: Option<TimeMs>,
    emit: Emit,
    /// The next tick, while there is something for it to say.
    due: Option<TimeMs>,
}

impl Tracker {
    /// Nothing is hot.
    ///
    /// # Errors
    /// A number of the clause that is out of its range.
    pub fn new(config: Config, timing: Timing) -> Result<Self, ClusterError> {
        let Timing { expire, every, confirm, emit } = timing;
        if let Some(given) = every.filter(|&given| given <= 0) {
            return Err(ClusterError::Every(given));
        }
        Ok(Self { heat: Heat::new(expire, confirm)?, regions: Regions::new(config)?, every, emit, due: None })
    }

    /// A cell has a result at `at`: what it says of the cell's heat, and what the cell holds if it is hot.
    pub fn result(&mut self, cell: Cell, reading: Reading, load: Load, at: TimeMs) {
        let was_hot = self.heat.is_hot(cell);
        if self.heat.read(cell, reading, at) {
            self.regions.heat(cell, load);
        } else if was_hot {
            self.regions.cool(cell);
        } else {
            return;
        }
        self.note(at);
    }

    /// Something changed at `at`.
    fn note(&mut self, at: TimeMs) {
        if self.due.is_none() {
            self.due = Some(match self.every {
                Some(every) => {
                    let past = at.rem_euclid(every);
                    if past == 0 { at } else { at.saturating_add(every - past) }
                }
                None => at,
            });
        }
    }

    /// The next instant that has to be closed.
    pub fn next(&self) -> Option<TimeMs> {
        [self.heat.next_expiry(), self.due].into_iter().flatten().min()
    }

    /// Ends an instant, after its results: expiries, then the tick if it is due. Instants ascend.
    pub fn close(&mut self, now: TimeMs) -> Vec<Record> {
        let ended = self.heat.expire(now);
        if !ended.is_empty() {
            ended.into_iter().for_each(|cell| self.regions.cool(cell));
            self.note(now);
        }
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        // Between ticks at which nothing changed there was none: the state before is that of the tick before this one.
        let since = self.every.and_then(|every| now.checked_sub(every)).filter(|_| self.regions.last_tick().is_some());
        let records = self.regions.evaluate_since(now, since.or(self.regions.last_tick()), self.emit);
        let goes_on = self.emit == Emit::All && !self.regions.is_empty();
        self.due = self.every.filter(|_| goes_on).and_then(|every| now.checked_add(every));
        records
    }

    /// From now on a tick at which nothing changed says nothing, until the next change.
    pub fn stop_repeating(&mut self) {
        if !self.regions.has_changes() {
            self.due = None;
        }
    }

    /// Goes on, as an empty one of its clause, with what one with other timing knows.
    pub(super) fn take_over(&mut self, old: Self, timing: Timing) {
        let now = old.due.or(old.regions.last_tick());
        self.heat.take_over(old.heat, timing.expire, now);
        let restless = self.regions.take_over(old.regions);
        let next = now.map(|at| at.saturating_add(self.every.unwrap_or(1)));
        let due = old.due.or(next.filter(|_| restless));
        self.due = due.map(|at| match self.every.map(|every| (every, at.rem_euclid(every))) {
            Some((every, past)) if past > 0 => at.saturating_add(every - past),
            _ => at,
        });
    }

    /// The regions of the last tick.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.heat.is_empty() && self.regions.is_empty()
    }

    /// Writes the state.
    pub fn save(&self, out: &mut Writer) {
        self.heat.save(out);
        self.regions.save(out);
        out.time(self.due);
    }

    /// Reads what [`Tracker::save`] wrote into an empty one of the same clause.
    ///
    /// # Errors
    /// Bytes that aren't what it writes.
    pub fn load(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.heat.load(input)?;
        self.regions.load(input)?;
        self.due = input.time()?;
        Ok(())
    }
}
