//! Keyed state: for each key group one flat table of entries, and one timer queue over all of them.
//!
//! A key has at most one live timer, at its state's next deadline. An entry of the queue that is earlier than the
//! state's deadline is stale: when it is due, the entry looks at the state again. So the queue is derived from the states and never saved.
//!
//! # Copy on first write
//!
//! [`freeze`](Keyed::freeze) lends every group's table to whoever writes a checkpoint, without copying. What asks for a group's state to
//! change it gets the table back first: as it is where the checkpoint has let go of it, else as one that lies on it ([`group`]), of which the page
//! that is written to is copied. So a barrier costs a few words per group, and a page's copy is paid by its first write alone. Between checkpoints
//! an access costs two branches.

mod ahead;
mod crowd;
mod due;
mod group;
mod hand;
mod room;
mod spilled;
mod timers;

pub(super) use self::ahead::{AHEAD, Seen};
use crate::model::{DecodeError, Key, KeyGroup, Reader, TimeMs, Writer};
use group::Group;
use std::sync::Arc;
use timers::Timers;

/// The place of an entry: its group and its slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) group: u32,
    slot: u32,
}

/// The state of one key.
#[derive(Clone, Debug)]
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

/// Entries of a full page. A group's last page may be smaller, as many groups have a key or two.
const PAGE: usize = 16;

/// A group's table, and who may see it.
#[derive(Debug, Default)]
enum Slot<S> {
    /// No key yet: many operators never have one.
    #[default]
    Empty,
    Own(Box<Group<S>>),
    /// As it was at this barrier, and maybe in the hands of a checkpoint.
    Lent(Arc<Group<S>>, u64),
}

impl<S> Slot<S> {
    fn get(&self) -> Option<&Group<S>> {
        match self {
            Self::Empty => None,
            Self::Own(group) => Some(group),
            Self::Lent(group, _) => Some(group),
        }
    }
}

impl<S: Clone> Slot<S> {
    #[inline]
    fn get_mut(&mut self) -> Option<&mut Group<S>> {
        if matches!(self, Self::Lent(..)) {
            self.take_back();
        }
        match self {
            Self::Own(group) => {
                group.settle();
                Some(group)
            }
            _ => None,
        }
    }

    fn into_group(self) -> Option<Group<S>> {
        match self {
            Self::Empty => None,
            Self::Own(group) => Some(*group),
            Self::Lent(group, _) => Some(Arc::try_unwrap(group).unwrap_or_else(Group::over)),
        }
    }

    #[cold]
    fn take_back(&mut self) {
        if let Some(group) = std::mem::take(self).into_group() {
            *self = Self::Own(Box::new(group));
        }
    }
}

/// All groups as they were at a barrier.
#[derive(Debug)]
pub(super) struct Frozen<S> {
    groups: Vec<(u32, u64, Loan<S>)>,
}

/// A group's table, until it is given back.
type Loan<S> = Option<Arc<Group<S>>>;

impl<S> Frozen<S> {
    /// The groups that have or had keys, ascending, and of each the barrier since which it is as it is.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u32, u64)> {
        self.groups.iter().map(|&(group, since, _)| (group, since))
    }

    /// Whether a group is among them.
    pub(super) fn has(&self, group: u32) -> bool {
        self.groups.binary_search_by_key(&group, |&(group, ..)| group).is_ok()
    }

    /// Gives back a group's table: it isn't asked for any more.
    pub(super) fn let_go(&mut self, group: u32) {
        if let Ok(at) = self.groups.binary_search_by_key(&group, |&(group, ..)| group)
            && let Some((.., table)) = self.groups.get_mut(at)
        {
            *table = None;
        }
    }

    fn table(&self, group: u32) -> Option<&Group<S>> {
        let at = self.groups.binary_search_by_key(&group, |&(group, ..)| group).ok()?;
        self.groups.get(at)?.2.as_deref()
    }

    /// Writes a group's keys, in order, so that equal states make equal bytes.
    pub(super) fn save(&self, group: u32, writer: &mut Writer, state: impl FnMut(&S, &mut Writer)) {
        match self.table(group) {
            Some(table) => {
                writer.len(table.slots.len());
                table.save(writer, state);
            }
            None => writer.len(0),
        }
    }
}

/// The states of one operator's keys.
#[derive(Debug)]
pub(super) struct Keyed<S> {
    /// Empty until there is a key.
    groups: Vec<Slot<S>>,
    group_count: u32,
    timers: Timers,
    /// Some that are due next, taken from the queue and looked at together; the first at the end.
    ready: Vec<(TimeMs, Place)>,
    len: usize,
}

impl<S: Clone> Keyed<S> {
    /// No key, in this many groups.
    pub(super) fn new(groups: u32) -> Self {
        Self { groups: Vec::new(), group_count: groups, timers: Timers::default(), ready: Vec::new(), len: 0 }
    }

    /// How many keys have state.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where the key's state is, if it has one.
    #[inline]
    pub(super) fn find(&self, group: KeyGroup, key: &Key) -> Option<Place> {
        let table = self.groups.get(group.0 as usize)?.get()?;
        Some(Place { group: group.0, slot: table.find(key)? })
    }

    /// The entry at a place.
    pub(super) fn entry(&mut self, place: Place) -> Option<&mut Entry<S>> {
        self.groups.get_mut(place.group as usize)?.get_mut()?.get_mut(place.slot)?.as_mut()
    }

    fn peek(&self, place: Place) -> Option<&Entry<S>> {
        self.groups.get(place.group as usize)?.get()?.get(place.slot)
    }

    /// Lends all groups as they are at this barrier; barriers ascend from 1.
    pub(super) fn freeze(&mut self, barrier: u64) -> Frozen<S> {
        let mut groups = Vec::new();
        for (at, slot) in (0..).zip(&mut self.groups) {
            if let Slot::Own(_) = slot
                && let Slot::Own(mut group) = std::mem::take(slot)
            {
                group.settle();
                *slot = Slot::Lent(Arc::from(group), barrier);
            }
            // One that has become empty is told, too: it isn't what it was.
            if let Slot::Lent(group, since) = slot {
                groups.push((at, *since, Some(Arc::clone(group))));
            }
        }
        Frozen { groups }
    }

    /// Gives a key a state; it has none yet.
    pub(super) fn insert(&mut self, group: KeyGroup, key: Key, state: S) -> Option<Place> {
        self.insert_due(group, key, state, None)
    }

    /// The same of a state with a deadline: one way to where it lies.
    pub(super) fn insert_due(
        &mut self,
        group: KeyGroup,
        key: Key,
        state: S,
        deadline_ms: Option<TimeMs>,
    ) -> Option<Place> {
        if self.groups.is_empty() {
            self.groups.resize_with(self.group_count as usize, || Slot::Empty);
        }
        let own = self.groups.get_mut(group.0 as usize)?;
        if matches!(own, Slot::Empty) {
            *own = Slot::Own(Box::new(Group::new()));
        }
        let table = own.get_mut()?;
        let deadline_ms = deadline_ms.filter(|deadline_ms| *deadline_ms < NO_TIMER);
        let slot = table.insert(Entry { key, state, timer_ms: deadline_ms.unwrap_or(NO_TIMER) })?;
        let place = Place { group: group.0, slot };
        self.len += 1;
        if let Some(deadline_ms) = deadline_ms {
            self.timers.push(deadline_ms, place);
        }
        Some(place)
    }

    /// Forgets a key, and what was kept of it where it lies.
    pub(super) fn discard(&mut self, place: Place) {
        self.take_out(place, |entry| *entry = None);
    }

    /// Forgets a key: gives what was kept of it.
    pub(super) fn remove(&mut self, place: Place) -> Option<Entry<S>> {
        self.take_out(place, Option::take).flatten()
    }

    #[inline]
    fn take_out<R>(&mut self, place: Place, take: impl FnOnce(&mut Option<Entry<S>>) -> R) -> Option<R> {
        let table = self.groups.get_mut(place.group as usize).and_then(Slot::get_mut)?;
        let taken = table.remove(place.slot, take)?;
        self.len -= 1;
        Some(taken)
    }

    /// Writes all keys, by group and within a group by key, so that equal states make equal bytes.
    pub(super) fn save(&self, writer: &mut Writer, mut state: impl FnMut(&S, &mut Writer)) {
        writer.len(self.len);
        for table in self.groups.iter().filter_map(Slot::get) {
            table.save(writer, &mut state);
        }
    }

    /// Reads what `save` wrote; `group` says where a key belongs now, or that it belongs to another shard; `taken` sees those that stay.
    pub(super) fn load(
        &mut self,
        reader: &mut Reader<'_>,
        group: impl Fn(&Key) -> Option<KeyGroup>,
        mut state: impl FnMut(&mut Reader<'_>) -> Result<(S, Option<TimeMs>), DecodeError>,
        mut taken: impl FnMut(&S),
    ) -> Result<(), DecodeError> {
        for _ in 0..reader.u64()? {
            let key = reader.key()?;
            let (state, deadline_ms) = state(reader)?;
            let Some(group) = group(&key) else { continue };
            if self.find(group, &key).is_some() {
                return Err(DecodeError::Unexpected { found: key.hash64(), expected: "a key that isn't there yet" });
            }
            taken(&state);
            self.insert_due(group, key, state, deadline_ms);
        }
        Ok(())
    }

    /// Every key with its group and state; timers are gone.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (KeyGroup, Key, S)> {
        self.groups.into_iter().zip(0..).flat_map(|(slot, group)| {
            let entries = slot.into_group().into_iter().flat_map(Group::into_entries);
            entries.map(move |entry| (KeyGroup(group), entry.key, entry.state))
        })
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
        while let Some(place) = keyed.due(109, |_| 0) {
            keyed.entry(place).unwrap().has_rung();
            due.push(keyed.entry(place).unwrap().state);
        }
        assert_eq!(due, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
        assert_eq!(keyed.due(99, |_| 0), None);
    }

    #[test]
    fn what_was_lent_stays_as_it_was_and_only_a_write_makes_a_group_new() {
        let mut keyed = Keyed::new(4);
        let group = |key: &Key| key.group(4);
        let places: Vec<Place> = (0..40).filter_map(|n| keyed.insert(group(&key(n)), key(n), n)).collect();
        let bytes = |frozen: &Frozen<i64>| {
            let mut writer = Writer::new();
            for (group, _) in frozen.groups() {
                frozen.save(group, &mut writer, |state, writer| writer.i64(*state));
            }
            writer.into_bytes()
        };
        let first = keyed.freeze(1);
        let before = bytes(&first);
        assert!(first.groups().all(|(_, since)| since == 1));
        keyed.entry(places[7]).unwrap().state = 700;
        keyed.remove(places[8]);
        assert_eq!(bytes(&first), before);
        let changed = [places[7].group, places[8].group];
        let second = keyed.freeze(2);
        for (group, since) in second.groups() {
            assert_eq!(since, if changed.contains(&group) { 2 } else { 1 });
        }
        assert_ne!(bytes(&second), before);
        assert_eq!(keyed.len(), 39);
        drop((first, second));
        // Nobody holds them any more: they come back as they are.
        keyed.entry(places[7]).unwrap().state = 7;
        assert!(keyed.insert(group(&key(8)), key(8), 8).is_some());
        assert_eq!(bytes(&keyed.freeze(3)), before);
    }

    #[test]
    fn what_is_given_back_is_written_to_where_it_is() {
        let mut keyed = Keyed::new(1);
        let key = Key::new(&[Value::Int(1)]);
        let place = keyed.insert(KeyGroup(0), key, 1).unwrap();
        let at = |keyed: &Keyed<i64>| keyed.groups[0].get().map(|group| group.page(0).map(|page| page.as_ptr()));
        let (before, mut frozen) = (at(&keyed), keyed.freeze(1));
        frozen.let_go(0);
        keyed.entry(place).unwrap().state = 2;
        assert!(at(&keyed) == before && frozen.has(0));
        let frozen = keyed.freeze(2);
        keyed.entry(place).unwrap().state = 3;
        assert!(at(&keyed) != before && frozen.has(0));
    }
}
