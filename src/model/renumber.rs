//! From the numbers of the run that wrote a state to those of the run that reads it.

use super::{FenceMap, StreamId, Value};

/// Streams, slots, fences and rules are numbered per run. A state that another run wrote is read through this table, which is made from
/// the names behind both runs' numbers. What a table doesn't list is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renumbering {
    /// For each old stream what it is now.
    pub streams: Vec<Option<RenumberedStream>>,
    /// What became of fences.
    pub fences: FenceMap,
    /// For each old rule its number now.
    pub rules: Vec<Option<u32>>,
}

/// An old stream now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenumberedStream {
    /// Its number.
    pub stream: StreamId,
    /// For each slot of its rows the old slot with the same field; none: nobody read that field then.
    pub slots: Vec<Option<u16>>,
}

impl RenumberedStream {
    /// A row of the old stream as one of the new.
    pub fn row(&self, values: &[Value]) -> Vec<Value> {
        let value = |slot: &Option<u16>| slot.and_then(|slot| values.get(usize::from(slot))).cloned();
        self.slots.iter().map(|slot| value(slot).unwrap_or_default()).collect()
    }
}

/// A stream as a state names it.
#[derive(Clone, Copy, Debug)]
pub struct SavedStream<'a> {
    /// Its number now; none: there is no such stream any more.
    pub stream: Option<StreamId>,
    pub(super) numbers: Option<&'a RenumberedStream>,
}

impl SavedStream<'_> {
    /// A row that was saved, with the slots of now.
    pub fn row(&self, values: Vec<Value>) -> Vec<Value> {
        self.numbers.map_or_else(|| values.clone(), |numbers| numbers.row(&values))
    }

    /// How many slots a row has now, where it had so many.
    pub fn width(&self, saved: usize) -> usize {
        self.numbers.map_or(saved, |numbers| numbers.slots.len())
    }
}
