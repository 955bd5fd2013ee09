//! A table's keys that are in the store, and the traffic between the two.
//!
//! In memory stays of such a key: 32 bits of its hash, in a set for its group, and its deadline with its group and these bits, where it has
//! one. The bits are the name of its record; keys that share it are in one record and come back together.
//!
//! Which key goes is decided by second chance: a hand goes round over the table, and takes those that nothing has touched since it came by.

mod frozen;
mod record;

pub(super) use self::frozen::FrozenSpill;
use self::record::{entries_of, lost, put_entry};
use super::{
    keyed::{Keyed, Place},
    state::{BackendError, ColdId, Spilling},
};
use crate::model::{DecodeError, Key, KeyGroup, Reader, TimeMs, Writer};
use hashbrown::HashTable;
use std::collections::{BTreeMap, BTreeSet};

/// How the states of a table are written, and when they are due.
pub(super) trait Codec<S> {
    fn save(&self, state: &S, writer: &mut Writer);
    /// The state, and when it is next due.
    fn load(&self, reader: &mut Reader<'_>) -> Result<(S, Option<TimeMs>), DecodeError>;
    fn deadline(&self, state: &S) -> Option<TimeMs>;
}

/// So many keys are put into the store at once.
pub(super) const BATCH: usize = 256;

/// What is known of a group.
#[derive(Debug, Default)]
struct Group {
    /// The names of its records.
    cold: HashTable<u32>,
    /// Keys in them.
    keys: u32,
    /// For each slot of the table whether it was touched since the hand came by.
    marks: Vec<u64>,
    /// The barrier since which its keys are as they are, wherever they are; 0: it never had any.
    since: u64,
    changed: bool,
}

/// The other half of a table of keys.
#[derive(Debug)]
pub(super) struct Spill {
    use_of: Spilling,
    owner: u32,
    group_count: u32,
    /// Empty until there is a key.
    groups: Vec<Group>,
    keys: usize,
    timers: BTreeSet<(TimeMs, u32, u32)>,
    /// Records whose keys have come back; they are removed with the next write.
    stale: BTreeSet<(u32, u32)>,
    hand: (u32, u32),
}

fn bucket_of(key: &Key) -> u32 {
    key.hash64() as u32
}

/// The set's tags are the high bits of its hash.
fn spread(bucket: u32) -> u64 {
    u64::from(bucket).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Spill {
    pub(super) fn new(use_of: &Spilling, groups: u32) -> Self {
        Self {
            owner: use_of.owner(),
            use_of: use_of.clone(),
            group_count: groups,
            groups: Vec::new(),
            keys: 0,
            timers: BTreeSet::new(),
            stale: BTreeSet::new(),
            hand: (0, 0),
        }
    }

    /// Keys that are in the store.
    pub(super) fn len(&self) -> usize {
        self.keys
    }

    /// When the first of them is due.
    pub(super) fn next_timer(&self) -> Option<TimeMs> {
        self.timers.first().map(|&(at_ms, ..)| at_ms)
    }

    fn group_mut(&mut self, group: u32) -> Option<&mut Group> {
        if self.groups.is_empty() {
            self.groups.resize_with(self.group_count as usize, Group::default);
        }
        self.groups.get_mut(group as usize)
    }

    /// A group's keys will be other ones, or have other states.
    pub(super) fn changed(&mut self, group: KeyGroup) {
        if let Some(group) = self.group_mut(group.0) {
            group.changed = true;
        }
    }

    /// A key was touched.
    pub(super) fn mark(&mut self, place: Place) {
        let (word, bit) = (place.slot() / 64, place.slot() % 64);
        let Some(group) = self.group_mut(place.group) else { return };
        group.changed = true;
        if group.marks.len() <= word {
            group.marks.resize(word + 1, 0);
        }
        if let Some(word) = group.marks.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    /// Whether a key was touched since this was last asked.
    fn unmark(&mut self, place: Place) -> bool {
        let (word, bit) = (place.slot() / 64, place.slot() % 64);
        let word = self.groups.get_mut(place.group as usize).and_then(|group| group.marks.get_mut(word));
        word.is_some_and(|word| {
            let was = *word & (1 << bit) != 0;
            *word &= !(1 << bit);
            was
        })
    }

    fn has(&self, group: u32, bucket: u32) -> bool {
        let cold = self.groups.get(group as usize).map(|group| &group.cold);
        cold.is_some_and(|cold| cold.find(spread(bucket), |own| *own == bucket).is_some())
    }

    /// Where a key's state is, if it has one: brought back if it must be.
    ///
    /// # Errors
    /// It can't be brought back.
    pub(super) fn find<S: Clone>(
        &mut self,
        keyed: &mut Keyed<S>,
        codec: &impl Codec<S>,
        group: KeyGroup,
        key: &Key,
    ) -> Result<Option<Place>, BackendError> {
        let mut place = keyed.find(group, key);
        if place.is_none() && self.has(group.0, bucket_of(key)) {
            self.recall(keyed, codec, (group.0, bucket_of(key)))?;
            place = keyed.find(group, key);
        }
        place.into_iter().for_each(|place| self.mark(place));
        Ok(place)
    }

    /// Brings back a key that is due at or before `to_ms`; false: there is none.
    ///
    /// # Errors
    /// It can't be brought back.
    pub(super) fn recall_due<S: Clone>(
        &mut self,
        keyed: &mut Keyed<S>,
        codec: &impl Codec<S>,
        to_ms: TimeMs,
    ) -> Result<bool, BackendError> {
        while let Some((at_ms, group, bucket)) = self.timers.first().copied().filter(|(at_ms, ..)| *at_ms <= to_ms) {
            self.timers.remove(&(at_ms, group, bucket));
            if self.has(group, bucket) {
                self.recall(keyed, codec, (group, bucket))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Brings back a record's keys.
    fn recall<S: Clone>(
        &mut self,
        keyed: &mut Keyed<S>,
        codec: &impl Codec<S>,
        (group, bucket): (u32, u32),
    ) -> Result<(), BackendError> {
        let id = ColdId { owner: self.owner, group, bucket };
        let record = self.use_of.backend.get(id)?;
        let record = record.ok_or_else(|| BackendError::Lost { what: format!("a key of group {group}") })?;
        let entries = entries_of(&record).map_err(|error| lost(&error))?;
        for (key, bytes) in &entries {
            let (state, deadline_ms) = codec.load(&mut Reader::new(bytes)).map_err(|error| lost(&error))?;
            if let Some(deadline_ms) = deadline_ms {
                self.timers.remove(&(deadline_ms, group, bucket));
            }
            if keyed.find(KeyGroup(group), key).is_some() {
                return Err(BackendError::Lost {
                    what: format!("which state of a key of group {group} is its latest"),
                });
            }
            if let Some(place) = keyed.insert_due(KeyGroup(group), key.clone(), state, deadline_ms) {
                self.mark(place);
            }
        }
        self.forget(group, bucket, entries.len());
        self.stale.insert((group, bucket));
        self.use_of.recalled(entries.len());
        Ok(())
    }

    fn forget(&mut self, group: u32, bucket: u32, keys: usize) {
        let Some(own) = self.groups.get_mut(group as usize) else { return };
        if let Ok(found) = own.cold.find_entry(spread(bucket), |own| *own == bucket) {
            found.remove();
            if own.cold.capacity() > 64 + 8 * own.cold.len() {
                own.cold.shrink_to(2 * own.cold.len(), |bucket| spread(*bucket));
            }
        }
        own.keys = own.keys.saturating_sub(keys as u32);
        self.keys = self.keys.saturating_sub(keys);
    }

    /// Puts up to `count` keys into the store, those that were touched longest ago, about; how many. None: the store can't be written,
    /// and they stay.
    ///
    /// # Errors
    /// A key that shares its record with one of them can't be read.
    pub(super) fn put<S: Clone>(
        &mut self,
        keyed: &mut Keyed<S>,
        codec: &impl Codec<S>,
        count: usize,
    ) -> Result<Option<usize>, BackendError> {
        let mut put = 0;
        while put < count {
            let victims = self.choose(keyed, (count - put).min(BATCH));
            if victims.is_empty() {
                break;
            }
            let mut records: BTreeMap<(u32, u32), Writer> = BTreeMap::new();
            for entry_place in &victims {
                let Some(entry) = keyed.look(*entry_place) else { continue };
                let name = (entry_place.group, bucket_of(&entry.key));
                let record = records.entry(name).or_default();
                put_entry(&entry.key, &entry.state, codec, record);
            }
            for (&(group, bucket), record) in &mut records {
                if self.has(group, bucket) {
                    let id = ColdId { owner: self.owner, group, bucket };
                    let old = self.use_of.backend.get(id)?;
                    record.raw(&old.ok_or_else(|| BackendError::Lost { what: format!("a key of group {group}") })?);
                }
            }
            let id = |(group, bucket): (u32, u32)| ColdId { owner: self.owner, group, bucket };
            let gone = self.stale.iter().filter(|name| !records.contains_key(name)).map(|&name| (id(name), None));
            let changes: Vec<_> = gone.collect();
            let puts = records.into_iter().map(|(name, record)| (id(name), Some(record.into_bytes())));
            let changes = changes.into_iter().chain(puts).collect();
            if !self.use_of.write(changes, victims.len()) {
                return Ok(None);
            }
            self.stale.clear();
            put += victims.len();
            let mut groups: Vec<u32> = victims.iter().map(|place| place.group).collect();
            groups.dedup();
            for place in victims {
                let Some(entry) = keyed.remove(place) else { continue };
                self.add(place.group, bucket_of(&entry.key), codec.deadline(&entry.state));
            }
            groups.into_iter().for_each(|group| keyed.tidy(group));
            keyed.forget_stale_timers();
        }
        Ok(Some(put))
    }

    fn add(&mut self, group: u32, bucket: u32, deadline_ms: Option<TimeMs>) {
        if let Some(deadline_ms) = deadline_ms {
            self.timers.insert((deadline_ms, group, bucket));
        }
        self.keys += 1;
        let is_there = self.has(group, bucket);
        let Some(own) = self.group_mut(group) else { return };
        own.keys += 1;
        if !is_there {
            own.cold.insert_unique(spread(bucket), bucket, |bucket| spread(*bucket));
        }
    }

    /// Lets the hand go on to keys that may leave.
    fn choose<S: Clone>(&mut self, keyed: &Keyed<S>, count: usize) -> Vec<Place> {
        let mut victims = Vec::with_capacity(count.min(keyed.len()));
        let mut rounds = 0;
        // In the second round every key has lost its mark.
        while victims.len() < count.min(keyed.len()) {
            let Some(place) = keyed.next_place(self.hand) else {
                self.hand = (0, 0);
                rounds += 1;
                if rounds > 2 {
                    break;
                }
                continue;
            };
            self.hand = place.next();
            if !self.unmark(place) && !victims.contains(&place) {
                victims.push(place);
            }
        }
        victims
    }

    /// The store is of no use to it any more.
    pub(super) fn discard(&mut self) {
        if self.keys > 0 || !self.stale.is_empty() {
            self.use_of.backend.forget(self.owner);
        }
        *self = Self::new(&self.use_of, self.group_count);
    }

    /// What is in the store at this barrier; barriers ascend from 1.
    pub(super) fn freeze(&mut self, barrier: u64) -> FrozenSpill {
        for group in &mut self.groups {
            if std::mem::take(&mut group.changed) {
                group.since = barrier;
            }
        }
        self.look()
    }

    /// What is in the store now.
    pub(super) fn look(&self) -> FrozenSpill {
        let groups = (0..).zip(&self.groups).filter(|(_, group)| group.since > 0 || group.changed);
        FrozenSpill {
            owner: self.owner,
            use_of: self.use_of.clone(),
            groups: groups.map(|(at, group)| (at, group.since, group.keys)).collect(),
            stale: self.stale.clone(),
            snapshot: (self.keys > 0).then(|| self.use_of.backend.snapshot()),
        }
    }

    /// How the store is used.
    pub(super) fn use_of(&self) -> &Spilling {
        &self.use_of
    }
}
