//! What a bound on keys needs to know of one group.

use super::{Entry, Keyed, Place, Slot};

impl<S: Clone> Keyed<S> {
    /// How many keys of a group have state.
    pub(in crate::engine) fn len_of(&self, group: u32) -> usize {
        self.groups.get(group as usize).and_then(Slot::get).map_or(0, |table| table.slots.len())
    }

    /// All entries of a group and their places.
    pub(in crate::engine) fn entries_of(&self, group: u32) -> impl Iterator<Item = (Place, &Entry<S>)> {
        let table = self.groups.get(group as usize).and_then(Slot::get);
        let entries = table.into_iter().flat_map(|table| table.places());
        // Pages are full, but for the last: an entry's place among all is its slot.
        entries.zip(0..).filter_map(move |(entry, slot)| Some((Place { group, slot }, entry?)))
    }

    /// Lets go of timers of keys that are gone, once they are most of them: keys that are made to go leave theirs behind.
    pub(in crate::engine) fn trim_timers(&mut self) {
        if self.timers.len() <= 2 * self.len + 1_024 {
            return;
        }
        self.trim();
    }
}
