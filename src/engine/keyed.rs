//! Keyed state: for each key group one flat table of entries, and one timer queue over all of them.
//!
//! A key has at most one live timer, at its state's next deadline. An entry of the queue that is earlier than the
//! state's deadline is stale: when it is due, the entry looks at the state again. So the queue is derived from the states and never saved.

use crate::model::{DecodeError, Key, KeyGroup, Reader, TimeMs, Writer};
use hashbrown::HashTable;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The place of an entry: its group and its slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) group: u32,
    slot: u32,
}

/// The state of one key.
#[derive(Debug)]
pub(super) struct Entry<S> {
    pub(super) key: Key,
    pub(super) state: S,
    /// The earliest entry of the timer queue that stands for this key.
    timer_ms: TimeMs,
}

const NO_TIMER: TimeMs = TimeMs::MAX;

/// A group's keys share the high bits of their hash, from which a table would take its tags: other bits go there.
fn table_hash(key: &Key) -> u64 {
    key.hash64().rotate_left(32)
}

#[derive(Debug)]
struct Group<S> {
    slots: HashTable<u32>,
    entries: Vec<Option<Entry<S>>>,
    free: Vec<u32>,
}

impl<S> Group<S> {
    fn new() -> Self {
        Self { slots: HashTable::new(), entries: Vec::new(), free: Vec::new() }
    }
}

/// The states of one operator's keys.
#[derive(Debug)]
pub(super) struct Keyed<S> {
    /// Empty until there is a key: many operators never have one.
    groups: Vec<Option<Box<Group<S>>>>,
    group_count: u32,
    timers: BinaryHeap<Reverse<(TimeMs, Place)>>,
    len: usize,
}

impl<S> Keyed<S> {
    /// No key, in this many groups.
    pub(super) fn new(groups: u32) -> Self {
        Self { groups: Vec::new(), group_count: groups, timers: BinaryHeap::new(), len: 0 }
    }

    /// How many keys have state.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where the key's state is, if it has one.
    pub(super) fn find(&self, group: KeyGroup, key: &Key) -> Option<Place> {
        let table = self.groups.get(group.0 as usize)?.as_deref()?;
        let slot = table.slots.find(table_hash(key), |&slot| {
            table.entries.get(slot as usize).and_then(Option::as_ref).is_some_and(|entry| entry.key == *key)
        })?;
        Some(Place { group: group.0, slot: *slot })
    }

    /// The entry at a place.
    pub(super) fn entry(&mut self, place: Place) -> Option<&mut Entry<S>> {
        self.groups.get_mut(place.group as usize)?.as_deref_mut()?.entries.get_mut(place.slot as usize)?.as_mut()
    }

    /// Gives a key a state; it has none yet.
    pub(super) fn insert(&mut self, group: KeyGroup, key: Key, state: S) -> Option<Place> {
        if self.groups.is_empty() {
            self.groups.resize_with(self.group_count as usize, || None);
        }
        let table = self.groups.get_mut(group.0 as usize)?.get_or_insert_with(|| Box::new(Group::new()));
        let hash = table_hash(&key);
        let entry = Some(Entry { key, state, timer_ms: NO_TIMER });
        let slot = match table.free.pop() {
            Some(slot) => {
                if let Some(place) = table.entries.get_mut(slot as usize) {
                    *place = entry;
                }
                slot
            }
            None => {
                table.entries.push(entry);
                table.entries.len() as u32 - 1
            }
        };
        let entries = &table.entries;
        table.slots.insert_unique(hash, slot, |&slot| {
            entries.get(slot as usize).and_then(Option::as_ref).map_or(0, |entry| table_hash(&entry.key))
        });
        self.len += 1;
        Some(Place { group: group.0, slot })
    }

    /// Forgets a key.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(table) = self.groups.get_mut(place.group as usize).and_then(Option::as_deref_mut) else { return };
        let Some(entry) = table.entries.get_mut(place.slot as usize).and_then(Option::take) else { return };
        if let Ok(found) = table.slots.find_entry(table_hash(&entry.key), |&slot| slot == place.slot) {
            found.remove();
        }
        table.free.push(place.slot);
        self.len -= 1;
    }

    /// Sees to it that the key is looked at when its state is next due.
    pub(super) fn schedule(&mut self, place: Place, deadline_ms: Option<TimeMs>) {
        let Some(deadline_ms) = deadline_ms else { return };
        let Some(entry) = self.entry(place) else { return };
        if deadline_ms < entry.timer_ms {
            entry.timer_ms = deadline_ms;
            self.timers.push(Reverse((deadline_ms, place)));
        }
    }

    /// The earliest time at which a key may be due.
    pub(super) fn next_timer(&self) -> Option<TimeMs> {
        self.timers.peek().map(|Reverse((at_ms, _))| *at_ms)
    }

    /// A key that may be due at or before `to_ms`, each at most once for one time. The caller lets its time pass, then schedules it again.
    pub(super) fn due(&mut self, to_ms: TimeMs) -> Option<Place> {
        while let Some(Reverse((at_ms, place))) = self.timers.peek().copied() {
            if at_ms > to_ms {
                return None;
            }
            self.timers.pop();
            if let Some(entry) = self.entry(place)
                && entry.timer_ms == at_ms
            {
                entry.timer_ms = NO_TIMER;
                return Some(place);
            }
        }
        None
    }

    /// Writes all keys, by group and within a group by key, so that equal states make equal bytes.
    pub(super) fn save(&self, writer: &mut Writer, mut state: impl FnMut(&S, &mut Writer)) {
        writer.len(self.len);
        for table in self.groups.iter().flatten() {
            let mut entries: Vec<&Entry<S>> = table.entries.iter().flatten().collect();
            entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            for entry in entries {
                writer.key(&entry.key);
                state(&entry.state, writer);
            }
        }
    }

    /// Reads what `save` wrote; `group` says where a key belongs now, or that it belongs to another shard.
    pub(super) fn load(
        &mut self,
        reader: &mut Reader<'_>,
        group: impl Fn(&Key) -> Option<KeyGroup>,
        mut state: impl FnMut(&mut Reader<'_>) -> Result<(S, Option<TimeMs>), DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..reader.u64()? {
            let key = reader.key()?;
            let (state, deadline_ms) = state(reader)?;
            let Some(group) = group(&key) else { continue };
            if self.find(group, &key).is_some() {
                return Err(DecodeError::Unexpected { found: key.hash64(), expected: "a key that isn't there yet" });
            }
            if let Some(place) = self.insert(group, key, state) {
                self.schedule(place, deadline_ms);
            }
        }
        Ok(())
    }

    /// Every key with its group and state; timers are gone.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (KeyGroup, Key, S)> {
        let tables = self.groups.into_iter().zip(0..).filter_map(|(table, group)| Some((table?, KeyGroup(group))));
        tables.flat_map(|(table, group)| {
            table.entries.into_iter().flatten().map(move |entry| (group, entry.key, entry.state))
        })
    }

    /// Every state.
    pub(super) fn states(&self) -> impl Iterator<Item = &S> {
        self.groups.iter().flatten().flat_map(|table| table.entries.iter().flatten()).map(|entry| &entry.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    fn key(number: i64) -> Key {
        Key::new(&[Value::Int(number)])
    }

    #[test]
    fn a_key_is_due_once_for_its_latest_schedule_and_a_removed_one_never() {
        let mut keyed = Keyed::new(8);
        let group = |key: &Key| key.group(8);
        let places: Vec<Place> = (0..100).filter_map(|n| keyed.insert(group(&key(n)), key(n), n)).collect();
        for (n, &place) in places.iter().enumerate() {
            keyed.schedule(place, Some(1_000 + n as i64));
            keyed.schedule(place, Some(100 + n as i64));
        }
        keyed.remove(places[5]);
        assert_eq!(keyed.find(group(&key(5)), &key(5)), None);
        assert_eq!(keyed.find(group(&key(6)), &key(6)), Some(places[6]));
        let mut due = Vec::new();
        while let Some(place) = keyed.due(109) {
            due.push(keyed.entry(place).unwrap().state);
        }
        assert_eq!(due, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
        assert_eq!(keyed.due(99), None);
    }
}
