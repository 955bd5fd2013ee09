//! A rule whose keys may be in the store: finding them, bringing back those that are due, putting others away.
//!
//! Where a key can't be brought back the fault is noted and the work goes on without it: nothing of such a core comes out any more.

use super::{KeyedOperator, Passing, room::timer_ms};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::{Keyed, Place},
        partition::Partition,
        spill::{BATCH, Codec, FrozenSpill, Spill},
        state::{BackendError, Spilling},
    },
    model::{DecodeError, Key, KeyGroup, Reader, TimeMs, Writer},
    op::through,
    plan,
};
use std::{cell::RefCell, sync::Arc};

/// What the machine asks of a rule whose keys may be in a store.
pub(in crate::engine) trait Spills {
    /// From now on its keys may be put into this store.
    fn spill_to(&mut self, use_of: &Spilling);
    /// Keys of all kinds that are in memory.
    fn resident(&self) -> usize;
    /// Puts up to so many of them into the store; how many.
    fn put_away(&mut self, keys: usize) -> usize;
    /// Nobody takes over what it has in the store.
    fn discard(&mut self);
}

/// How partitions are written.
pub(in crate::engine) struct PartitionCodec<'a, K> {
    pub(in crate::engine) kernel: &'a K,
    pub(in crate::engine) rule: &'a plan::Rule,
}

impl<K: Kernel> Codec<Partition<K::State>> for PartitionCodec<'_, K> {
    fn save(&self, partition: &Partition<K::State>, writer: &mut Writer) {
        partition.save(self.kernel, self.rule, writer);
    }

    fn load(&self, reader: &mut Reader<'_>) -> Result<(Partition<K::State>, Option<TimeMs>), DecodeError> {
        Partition::load(self.kernel, self.rule, reader)
    }

    fn deadline(&self, partition: &Partition<K::State>) -> Option<TimeMs> {
        partition.deadline(self.kernel, self.rule)
    }
}

/// How the entities of THROUGH are written.
pub(in crate::engine) struct EntityCodec;

impl Codec<through::KeyState> for EntityCodec {
    fn save(&self, state: &through::KeyState, writer: &mut Writer) {
        state.save(writer);
    }

    fn load(&self, reader: &mut Reader<'_>) -> Result<(through::KeyState, Option<TimeMs>), DecodeError> {
        Ok((through::KeyState::load(reader)?, None))
    }

    fn deadline(&self, _: &through::KeyState) -> Option<TimeMs> {
        None
    }
}

/// Where a key's state is; in the store, too, where there is one.
#[inline]
pub(super) fn find<S: Clone>(
    (keyed, spill): (&mut Keyed<S>, &mut Option<Box<Spill>>),
    codec: &impl Codec<S>,
    group: KeyGroup,
    key: &Key,
) -> Option<Place> {
    match spill {
        None => keyed.find(group, key),
        Some(spill) => {
            let found = spill.find(keyed, codec, group, key);
            or_fault(found, spill).flatten()
        }
    }
}

/// A key is new at this place.
#[inline]
pub(super) fn mark(spill: &mut Option<Box<Spill>>, place: Place) {
    if let Some(spill) = spill {
        spill.mark(place);
    }
}

/// Where a key that is read belongs, for who notes which groups change.
pub(super) fn noting(spill: &mut Option<Box<Spill>>, home: Home<'_>) -> impl Fn(&Key) -> Option<KeyGroup> {
    let spill = RefCell::new(spill.as_deref_mut());
    move |key| {
        let group = home(key)?;
        if let Some(spill) = &mut *spill.borrow_mut() {
            spill.changed(group);
        }
        Some(group)
    }
}

type Home<'a> = &'a dyn Fn(&Key) -> Option<KeyGroup>;

fn or_fault<T>(result: Result<T, BackendError>, spill: &Spill) -> Option<T> {
    result.map_err(|error| spill.use_of().fail(error)).ok()
}

/// Puts keys of a table away; how many.
fn put<S: Clone>(
    (keyed, spill): (&mut Keyed<S>, &mut Option<Box<Spill>>),
    codec: &impl Codec<S>,
    keys: usize,
) -> usize {
    let Some(spill) = spill.as_deref_mut().filter(|_| keys > 0) else { return 0 };
    let put = spill.put(keyed, codec, keys);
    or_fault(put, spill).flatten().unwrap_or(0)
}

/// Writes all keys of a table, by group.
fn save<S: Clone>(keyed: &Keyed<S>, spill: &Spill, codec: &impl Codec<S>, writer: &mut Writer) {
    writer.len(keyed.len() + spill.len());
    let cold = spill.look();
    for (group, _) in cold.groups() {
        let here = keyed.entries(group);
        let here = here.iter().map(|entry| (&entry.key, &entry.state));
        or_fault(cold.save(group, here, codec, writer), spill);
    }
}

impl Passing {
    pub(super) fn find(&mut self, group: KeyGroup, entity: &Key) -> Option<Place> {
        find((&mut self.entities, &mut self.spill), &EntityCodec, group, entity)
    }
}

impl<K: Kernel> KeyedOperator<K> {
    /// Where a partition's state is, if it has one: brought back if it must be. Who looks for one asks here, and not the table.
    pub(super) fn place(&mut self, group: KeyGroup, key: &Key) -> Option<Place> {
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        find((&mut self.partitions, &mut self.spill), &codec, group, key)
    }

    /// The next key that is due at or before `to_ms`, brought back if it must be.
    pub(super) fn next_due(&mut self, to_ms: TimeMs) -> Option<Place> {
        let kernel = &*self.kernel;
        let touch = |partition: &Partition<K::State>| partition.touch(kernel, None, false);
        let place = self.partitions.due(to_ms, touch);
        let Some(spill) = self.spill.as_deref_mut() else { return place };
        if let Some(place) = place {
            spill.changed(KeyGroup(place.group));
            return Some(place);
        }
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        // A key that comes back with another deadline isn't due yet.
        loop {
            let recalled = spill.recall_due(&mut self.partitions, &codec, to_ms);
            if !or_fault(recalled, spill)? {
                return None;
            }
            self.brought_back += 1;
            if let Some(place) = self.partitions.due(to_ms, touch) {
                return Some(place);
            }
        }
    }

    /// After some keys of one moment came back because they were due, as many go.
    pub(super) fn make_room(&mut self) {
        if self.brought_back >= BATCH {
            let keys = std::mem::take(&mut self.brought_back);
            self.put_away(keys);
        }
    }

    /// When the next of its keys is due, wherever it is.
    pub(super) fn next_timer(&self) -> Option<TimeMs> {
        let cold = self.spill.as_ref().and_then(|spill| spill.next_timer());
        self.partitions.next_timer().into_iter().chain(cold).min()
    }

    /// Where so many keys were in memory, more needn't be.
    pub(in crate::engine) fn keep_here(&mut self, keys: usize) {
        if self.spill.is_some() {
            self.put_away(self.resident().saturating_sub(keys));
        }
    }

    /// Reads what another version has in the store, group by group, and hands it to `take`; no more than so many keys stay in memory here.
    pub(in crate::engine) fn each_away(
        &mut self,
        cold: Option<&FrozenSpill>,
        codec: &PartitionCodec<'_, K>,
        keys: usize,
        mut take: impl FnMut(KeyGroup, Key, Partition<K::State>, &mut Self),
    ) {
        for (cold, (group, _)) in cold.iter().flat_map(|cold| cold.groups().map(move |group| (cold, group))) {
            let mut entries = Vec::new();
            let read = cold.each(group, &mut |key, bytes| entries.push((key, codec.load(&mut Reader::new(bytes)))));
            self.note_fault(read);
            for (key, loaded) in entries {
                match loaded {
                    Ok((partition, _)) => take(KeyGroup(group), key, partition, self),
                    Err(error) => {
                        self.note_fault(Err(BackendError::Lost { what: format!("what was written of a key: {error}") }))
                    }
                }
            }
            self.keep_here(keys);
        }
    }

    /// Notes what went wrong with the store for good.
    pub(in crate::engine) fn note_fault(&self, result: Result<(), BackendError>) {
        if let Some(spill) = &self.spill {
            or_fault(result, spill);
        }
    }

    /// Keys in the store.
    pub(super) fn keys_away(&self) -> usize {
        self.spill.as_ref().map_or(0, |spill| spill.len())
    }

    /// Writes the states of all keys where some may be in the store.
    pub(super) fn save_spilled(&self, spill: &Spill, writer: &mut Writer) {
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        save(&self.partitions, spill, &codec, writer);
        if let Some(passing) = &self.passing
            && let Some(spill) = &passing.spill
        {
            save(&passing.entities, spill, &EntityCodec, writer);
        }
    }

    pub(super) fn load_keys(
        &mut self,
        reader: &mut Reader<'_>,
        home: Home<'_>,
        own: Home<'_>,
    ) -> Result<(), DecodeError> {
        let (kernel, rule) = (Arc::clone(&self.kernel), Arc::clone(&self.rule));
        let mut open = 0;
        let count = |partition: &Partition<K::State>| open += kernel.open(&partition.kernel);
        let home = noting(&mut self.spill, home);
        let room = self.room.as_deref();
        let load = |reader: &mut Reader<'_>| {
            let (partition, _) = Partition::load(&*kernel, &rule, reader)?;
            let due_ms = timer_ms(room, (&*kernel, &rule), &partition);
            Ok((partition, due_ms))
        };
        self.partitions.load(reader, home, load, count)?;
        self.open += open;
        if let Some(passing) = &mut self.passing {
            let program = &passing.program;
            let load = |reader: &mut Reader<'_>| {
                let state = through::KeyState::load(reader)?;
                Ok((reader.fences().into_iter().fold(state, |state, fences| program.renumber(state, fences)), None))
            };
            let own = noting(&mut passing.spill, own);
            passing.entities.load(reader, own, load, |_| ())?;
        }
        Ok(())
    }
}

impl<K: Kernel> Spills for KeyedOperator<K> {
    fn spill_to(&mut self, use_of: &Spilling) {
        let spill = || Some(Box::new(Spill::new(use_of, self.groups)));
        self.spill = spill();
        if let Some(passing) = &mut self.passing {
            passing.spill = spill();
        }
    }

    fn resident(&self) -> usize {
        self.partitions.len() + self.passing.as_ref().map_or(0, |passing| passing.entities.len())
    }

    fn put_away(&mut self, keys: usize) -> usize {
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        let Some(passing) = &mut self.passing else {
            return put((&mut self.partitions, &mut self.spill), &codec, keys);
        };
        let (here, entities) = (self.partitions.len(), passing.entities.len());
        let part = (keys * entities).div_ceil((here + entities).max(1));
        put((&mut passing.entities, &mut passing.spill), &EntityCodec, part)
            + put((&mut self.partitions, &mut self.spill), &codec, keys.saturating_sub(part))
    }

    fn discard(&mut self) {
        let entities = self.passing.as_mut().and_then(|passing| passing.spill.as_mut());
        self.spill.iter_mut().chain(entities).for_each(|spill| spill.discard());
    }
}
