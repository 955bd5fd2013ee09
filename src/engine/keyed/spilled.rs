//! What a table lets others do that keep some of its keys elsewhere: walk over the keys that are here, take one out, see what a group has.

use super::{Entry, Frozen, Keyed, Place, Slot, table_hash};
use std::cmp::Reverse;

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

    /// Takes a key out.
    pub(in crate::engine) fn take(&mut self, place: Place) -> Option<Entry<S>> {
        let table = self.groups.get_mut(place.group as usize)?.get_mut()?;
        let entry = table.get_mut(place.slot)?.take()?;
        if let Ok(found) = table.slots.find_entry(table_hash(&entry.key), |&slot| slot == place.slot) {
            found.remove();
        }
        table.free.push(place.slot);
        self.len -= 1;
        Some(entry)
    }

    /// Forgets timers of keys that aren't here any more, where these are the most.
    pub(in crate::engine) fn forget_stale_timers(&mut self) {
        if self.timers.len() > 2 * self.len + 4_096 {
            let mut timers = std::mem::take(&mut self.timers);
            timers.retain(|Reverse((at_ms, place))| self.peek(*place).is_some_and(|entry| entry.timer_ms == *at_ms));
            timers.shrink_to(2 * self.len);
            self.timers = timers;
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
