//! From the numbers of the run that wrote a state to those of the run that reads it.

use super::{StreamId, Value};

/// Streams, slots, fences and rules are numbered per run. A state that another run wrote is read through this table, which is made from
/// the names behind both runs' numbers. What a table doesn't list is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renumbering {
    /// For each old stream what it is now.
    pub streams: Vec<Option<RenumberedStream>>,
    /// For each old fence set its number now, and for each of its fences the number now.
    pub fence_sets: Vec<Option<(u16, Vec<Option<u32>>)>>,
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

impl Renumbering {
    /// A fence's number now.
    pub fn fence(&self, set: u16, fence: u32) -> Option<(u16, u32)> {
        let (set, fences) = self.fence_sets.get(usize::from(set))?.as_ref()?;
        Some((*set, (*fences.get(fence as usize)?)?))
    }

    /// The table of the set that is called so now.
    pub fn fences_of(&self, set: u16) -> Option<&[Option<u32>]> {
        self.fence_sets.iter().flatten().find(|(now, _)| *now == set).map(|(_, fences)| fences.as_slice())
    }
}
