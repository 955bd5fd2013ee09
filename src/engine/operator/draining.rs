//! An old version of an edited rule: it ends what it has begun and begins nothing.

use super::{KeyedOperator, Passing, Spills};
use crate::{
    engine::{kernel::Kernel, keyed::Keyed, partition::Partition, state::BackendError},
    model::{FenceMap, KeyGroup, Reader, TimeMs},
    op::through,
};

/// Whether a key is of no use any more: where nothing begins, with the last partial match.
#[inline]
pub(super) fn is_over<K: Kernel>(kernel: &K, partition: &Partition<K::State>, drains: Option<TimeMs>) -> bool {
    partition.is_idle(kernel) || drains.is_some() && kernel.open(&partition.kernel) == 0
}

impl Passing {
    /// Another rule follows the same entities from here on.
    pub(in crate::engine) fn copy_to(&mut self, other: &mut Self, groups: u32) -> Result<(), BackendError> {
        for group in 0..groups {
            for entry in self.entities.entries(group) {
                other.entities.insert(KeyGroup(group), entry.key.clone(), entry.state.clone());
            }
        }
        let Some(cold) = self.spill.as_ref().map(|spill| spill.look()) else { return Ok(()) };
        for (group, _) in cold.groups() {
            let mut lost = None;
            cold.each(group, &mut |key, bytes| match through::KeyState::load(&mut Reader::new(bytes)) {
                Ok(state) => {
                    if let Some(place) = other.entities.insert(KeyGroup(group), key, state) {
                        other.spill.iter_mut().for_each(|spill| spill.mark(place));
                    }
                }
                Err(error) => lost = Some(format!("what was written of an entity: {error}")),
            })?;
            if let Some(what) = lost {
                return Err(BackendError::Lost { what });
            }
        }
        Ok(())
    }
}

impl<K: Kernel + 'static> KeyedOperator<K> {
    /// Whether a key is of no use.
    pub(in crate::engine) fn is_done(&self, partition: &Partition<K::State>) -> bool {
        is_over(&*self.kernel, partition, self.drains)
    }

    /// Its time is over: what is open is dropped, and counted.
    pub(super) fn drop_rest(&mut self) {
        self.unfed += std::mem::take(&mut self.open) as u64;
        self.partitions = Keyed::new(self.groups);
        self.discard();
        if let Some(passing) = &mut self.passing {
            passing.entities = Keyed::new(self.groups);
        }
    }

    /// Takes over from an operator of the same version that began matches, without keys that have none.
    pub(in crate::engine) fn drain_from(&mut self, old: Self, fences: Option<&FenceMap>) -> bool {
        // Keys in the store are looked at when it is their turn.
        if old.spill.is_some() || fences.is_some() {
            return self.go_on_from(old, fences);
        }
        let Self { partitions, passing, instant, wall_ms, waiting, .. } = old;
        for (group, key, partition) in partitions.into_entries() {
            self.take_in(group, key, partition);
        }
        if let (Some(own), Some(passing)) = (&mut self.passing, passing) {
            own.entities = passing.entities;
        }
        (self.instant, self.wall_ms, self.waiting) = (instant, wall_ms, waiting);
        self.own_waiting();
        true
    }
}
