//! An old version of an edited rule: it ends what it has begun and begins nothing.

use super::{KeyedOperator, PartitionCodec, Passing, Spills};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::Keyed,
        partition::{Before, Partition},
        state::BackendError,
    },
    model::{FenceMap, Key, KeyGroup, Reader, TimeMs},
    op::{through, window::Owned},
};

/// Whether a key is of no use any more: in an old version, of which the `rest` says what is its own and until when keys have something to
/// begin, with the last that it has to end.
#[inline]
pub(super) fn is_over<K: Kernel>(
    kernel: &K,
    partition: &Partition<K::State>,
    rest: Option<(Owned, Option<TimeMs>)>,
) -> bool {
    if partition.is_idle(kernel) {
        return true;
    }
    let Some((owned, opens_until)) = rest else { return false };
    // What comes may still look back, where something may begin.
    let looks_back = || partition.previous.get().is_some() || !partition.histories.is_empty();
    !kernel.owes(&partition.kernel, owned) && (opens_until.is_none() || !looks_back())
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
        is_over(&*self.kernel, partition, self.drains.map(|_| (self.owned, self.opens_until)))
    }

    pub(super) fn own_windows(&mut self, owned: Owned) {
        self.owned = owned;
        self.opens_until = self.drains.and_then(|_| self.kernel.opens_until(owned));
        self.kernel.own(&mut self.scratch, owned);
    }

    /// Goes on beside an old version, which has taken nothing of `old` yet.
    pub(super) fn follow_windows(&mut self, old: &mut Self) {
        let keys = old.resident();
        let follow = |group: KeyGroup, key: Key, was: &Partition<K::State>, own: &mut Self| {
            let kernel = own.kernel.follow(&old.kernel, &was.kernel);
            let (previous, older, histories) = (was.previous.clone(), was.older.clone(), was.histories.clone());
            own.take_in(group, key, Partition { previous, older, histories, kernel });
        };
        for group in 0..self.groups {
            for entry in old.partitions.entries(group) {
                follow(KeyGroup(group), entry.key.clone(), &entry.state, self);
            }
        }
        let cold = old.spill.as_ref().map(|spill| spill.look());
        let codec = PartitionCodec { kernel: &*old.kernel, rule: &old.rule };
        self.each_away(cold.as_ref(), &codec, keys, |group, key, was, own| follow(group, key, &was, own));
        if let (Some(passing), Some(own)) = (&mut old.passing, &mut self.passing) {
            let copied = passing.copy_to(own, self.groups);
            self.note_fault(copied);
        }
        (self.instant, self.wall_ms) = (old.instant.clone(), old.wall_ms);
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
