//! What is in the store at a barrier, to be written by somebody else while the core goes on.

use super::{
    Codec,
    record::{entries_of, lost},
};
use crate::{
    engine::state::{BackendError, Spilling, StateSnapshot},
    model::{Key, Writer},
};
use std::{collections::BTreeSet, sync::Arc};

/// A table's part of the store as it was.
#[derive(Debug)]
pub(in crate::engine) struct FrozenSpill {
    pub(super) owner: u32,
    pub(super) use_of: Spilling,
    /// Groups with the barrier since which they are as they are, and how many of their keys are in the store.
    pub(super) groups: Vec<(u32, u64, u32)>,
    pub(super) stale: BTreeSet<(u32, u32)>,
    pub(super) snapshot: Option<Arc<dyn StateSnapshot>>,
}

/// A key's state: here, or as bytes.
enum State<'a, S> {
    Here(&'a S),
    Bytes(Vec<u8>),
}

impl FrozenSpill {
    /// The groups that have or had keys, ascending, and of each the barrier since which it is as it is.
    pub(in crate::engine) fn groups(&self) -> impl Iterator<Item = (u32, u64)> {
        self.groups.iter().map(|&(group, since, _)| (group, since))
    }

    /// Whether a group is among them.
    pub(in crate::engine) fn has(&self, group: u32) -> bool {
        self.groups.binary_search_by_key(&group, |&(group, ..)| group).is_ok()
    }

    /// How many keys of a group are in the store.
    pub(in crate::engine) fn keys(&self, group: u32) -> usize {
        let at = self.groups.binary_search_by_key(&group, |&(group, ..)| group);
        at.ok().and_then(|at| self.groups.get(at)).map_or(0, |&(.., keys)| keys as usize)
    }

    /// Tells a group's keys that are in the store, with the bytes of their states.
    ///
    /// # Errors
    /// The store can't be read, or has lost something.
    pub(in crate::engine) fn each(&self, group: u32, tell: &mut dyn FnMut(Key, &[u8])) -> Result<(), BackendError> {
        let expected = self.keys(group);
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| expected > 0) else { return Ok(()) };
        let mut found = 0;
        snapshot.group(self.owner, group, &mut |bucket, record| {
            if !self.stale.contains(&(group, bucket)) {
                for (key, bytes) in entries_of(record).map_err(|error| lost(&error))? {
                    found += 1;
                    tell(key, bytes);
                }
            }
            Ok(())
        })?;
        if found == expected {
            return Ok(());
        }
        Err(BackendError::Lost { what: format!("keys of group {group}: it has {found} of {expected}") })
    }

    /// Writes a group's keys, those of `here` and those in the store, as a table writes them all: in order.
    ///
    /// # Errors
    /// The store can't be read, or has lost something, now or before: then what the core has isn't what it should be.
    pub(in crate::engine) fn save<'a, S: 'a>(
        &self,
        group: u32,
        here: impl IntoIterator<Item = (&'a Key, &'a S)>,
        codec: &impl Codec<S>,
        writer: &mut Writer,
    ) -> Result<(), BackendError> {
        if let Some(fault) = self.use_of.fault() {
            return Err(fault.clone());
        }
        let mut all: Vec<(Key, State<'_, S>)> =
            here.into_iter().map(|(key, state)| (key.clone(), State::Here(state))).collect();
        self.each(group, &mut |key, bytes| all.push((key, State::Bytes(bytes.to_vec()))))?;
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, state) in &all {
            writer.key(key);
            match state {
                State::Here(state) => codec.save(state, writer),
                State::Bytes(bytes) => writer.raw(bytes),
            }
        }
        Ok(())
    }
}
