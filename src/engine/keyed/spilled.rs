//! What a table lets others do that keep some of its keys elsewhere: walk over the keys that are here, take one out, see what a group has.

use super::{Entry, Frozen, Keyed, PAGE, Place, Slot};
use crate::model::KeyGroup;

impl<S: Clone> Keyed<S> {
    /// The first key at this group and slot or behind them; none: the end.
    pub(in crate::engine) fn next_place(&self, (group, slot): (u32, u32)) -> Option<Place> {
        for at in group..self.groups.len() as u32 {
            let Some(table) = self.groups.get(at as usize).and_then(Slot::get) else { continue };
            let from = if at == group { slot } else { 0 };
            if let Some(slot) = (from..table.given).find(|&slot| table.get(slot).is_some()) {
                return Some(Place { group: at, slot });
            }
        }
        None
    }

    /// The entry at a place, to look at.
    pub(in crate::engine) fn look(&self, place: Place) -> Option<&Entry<S>> {
        self.peek(place)
    }

    /// Forgets timers of keys that aren't here any more, where these are the most.
    pub(in crate::engine) fn forget_stale_timers(&mut self) {
        if self.timers.len() > 2 * self.len + 4_096 {
            self.trim();
        }
    }

    /// Lets go of timers that stand for no key.
    pub(super) fn trim(&mut self) {
        let mut timers = std::mem::take(&mut self.timers);
        timers.retain(|at_ms, place| self.peek(place).is_some_and(|entry| entry.timer_ms == at_ms));
        self.timers = timers;
    }

    /// Gives back the memory of a group that has become small; its keys have other places from then on.
    pub(in crate::engine) fn tidy(&mut self, group: u32) {
        let Some(slot) = self.groups.get_mut(group as usize) else { return };
        let Some((here, given)) = slot.get().map(|table| (table.slots.len(), table.given as usize)) else { return };
        if here > 0 && (given <= 2 * PAGE || here * 4 >= given) {
            return;
        }
        let Some(old) = std::mem::take(slot).into_group() else { return };
        self.len -= here;
        for entry in old.into_entries() {
            self.insert_due(KeyGroup(group), entry.key, entry.state, Some(entry.timer_ms));
        }
    }

    /// A group's keys, in order.
    pub(in crate::engine) fn entries(&self, group: u32) -> Vec<&Entry<S>> {
        self.groups.get(group as usize).and_then(Slot::get).map(super::Group::sorted).unwrap_or_default()
    }
}

impl<S> Frozen<S> {
    /// A group's keys, in order.
    pub(in crate::engine) fn entries(&self, group: u32) -> Vec<&Entry<S>> {
        self.table(group).map(super::Group::sorted).unwrap_or_default()
    }
}

impl Place {
    /// The next slot.
    pub(in crate::engine) fn next(self) -> (u32, u32) {
        (self.group, self.slot + 1)
    }

    /// The slot within the group.
    pub(in crate::engine) fn slot(self) -> usize {
        self.slot as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Key, Value};

    #[test]
    fn a_group_that_has_become_small_takes_little_and_its_keys_are_found_and_due() {
        let mut keyed = Keyed::new(1);
        let key = |number: i64| Key::new(&[Value::Int(number)]);
        for number in 0..10_000 {
            let place = keyed.insert(KeyGroup(0), key(number), number).unwrap();
            keyed.schedule(place, Some(number));
        }
        let frozen = keyed.freeze(1);
        let mut at = (0, 0);
        let mut taken = 0;
        while let Some(place) = keyed.next_place(at) {
            at = place.next();
            if keyed.look(place).unwrap().state % 1_000 != 7 {
                taken += keyed.remove(place).map_or(0, |_| 1);
            }
        }
        keyed.tidy(0);
        keyed.forget_stale_timers();
        assert_eq!((taken, keyed.len(), keyed.entries(0).len(), frozen.entries(0).len()), (9_990, 10, 10, 10_000));
        assert!(keyed.groups[0].get().unwrap().places().count() <= PAGE && keyed.timers.len() <= 20);
        let mut due = Vec::new();
        while let Some(place) = keyed.due(i64::MAX - 1, |_| 0) {
            keyed.entry(place).unwrap().has_rung();
            due.push(keyed.entry(place).unwrap().state);
        }
        assert_eq!(due, [7, 1_007, 2_007, 3_007, 4_007, 5_007, 6_007, 7_007, 8_007, 9_007]);
        assert_eq!(keyed.find(KeyGroup(0), &key(8)), None);
        assert!(keyed.find(KeyGroup(0), &key(1_007)).is_some());
        drop(frozen);
        while let Some(place) = keyed.next_place((0, 0)) {
            keyed.remove(place);
        }
        keyed.tidy(0);
        assert!(keyed.groups[0].get().is_none());
    }
}
