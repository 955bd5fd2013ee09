//! Looking ahead: what the next events need of a table is fetched for some keys at once.
//!
//! A key's state is reached over four or five places in memory, each known only when the one before has come; of many keys none is in
//! the processor's caches. Each pass here takes one step on all the ways, and its loop is so short that a processor has many of them under way
//! at the same time. Nothing depends on what is read.

use super::{Entry, Group, Keyed, Place, Slot, table_hash};
use crate::model::{Key, KeyGroup};
use smallvec::SmallVec;
use std::hint::black_box;

/// Of so many events the states are fetched at once.
pub(in crate::engine) const AHEAD: usize = 32;

/// The states of so many keys are in caches anyway.
const FEW: usize = 1_024;

/// What was seen of the events that come next, in the order in which they come.
#[derive(Debug, Default)]
pub(in crate::engine) struct Seen {
    places: Vec<Option<Place>>,
    kinds: Vec<Option<u32>>,
    next: usize,
}

impl Seen {
    /// Nothing is known of what comes next.
    pub(in crate::engine) fn forget(&mut self) {
        self.places.clear();
        self.kinds.clear();
        self.next = 0;
    }

    /// Of the next event: where its key's state seemed to be, which may not be so, as a key has to be asked; and its kind, where its
    /// kernel tells. It is asked of each.
    #[inline]
    pub(in crate::engine) fn next(&mut self) -> (Option<Place>, Option<u32>) {
        let place = self.places.get(self.next).copied().flatten();
        let kind = self.kinds.get(self.next).copied().flatten();
        self.next += 1;
        (place, kind)
    }
}

impl<S: Clone> Keyed<S> {
    /// Whether its keys are so few that nothing is gained by looking ahead.
    pub(in crate::engine) fn is_small(&self) -> bool {
        self.len < FEW
    }

    /// Fetches what these keys have, and says where that seems to be; `touch` looks at a state, of which the next event is of this kind,
    /// and then at what it leads to.
    pub(in crate::engine) fn look_ahead<'k>(
        &self,
        keys: impl Iterator<Item = (KeyGroup, &'k Key, Option<u32>)>,
        touch: impl Fn(&S, Option<u32>, bool) -> u64,
        seen: &mut Seen,
    ) {
        let mut sum = 0;
        seen.forget();
        let Seen { places, kinds, .. } = seen;
        let mut hashes: SmallVec<[(u32, u64); AHEAD]> = SmallVec::new();
        for (group, key, kind) in keys {
            hashes.push((group.0, table_hash(key)));
            kinds.push(kind);
        }
        let table = |group: u32| self.groups.get(group as usize).and_then(Slot::get);
        for &(group, _) in &hashes {
            sum ^= table(group).map_or(0, |table| u64::from(table.given));
        }
        for &(group, hash) in &hashes {
            // A key that isn't there comes to lie in the place that is given out next.
            let slot =
                |table: &Group<S>| table.slots.iter_hash(hash).next().copied().unwrap_or_else(|| table.next_given());
            places.push(table(group).map(|table| Place { group, slot: slot(table) }));
        }
        for &Place { group, slot } in places.iter().flatten() {
            sum ^= table(group).map_or(0, |table| table.touch_page(slot));
        }
        let mut entries: SmallVec<[(&Entry<S>, Option<u32>); AHEAD]> = SmallVec::new();
        for (place, &kind) in places.iter().zip(&*kinds) {
            if let Some(entry) = place.and_then(|place| self.peek(place)) {
                sum ^= entry.timer_ms as u64;
                entries.push((entry, kind));
            }
        }
        for further in [false, true] {
            for &(entry, kind) in &entries {
                sum ^= entry.key.hash64() ^ touch(&entry.state, kind, further);
            }
        }
        black_box(sum);
    }

    /// Fetches what it takes to end those that are due next; `touch` looks at a state.
    pub(super) fn look_at_ready(&self, touch: impl Fn(&S) -> u64) {
        if self.is_small() {
            return;
        }
        let mut sum = 0;
        let table = |place: Place| self.groups.get(place.group as usize).and_then(Slot::get);
        let places = || self.ready.iter().map(|(_, place)| *place);
        for place in places() {
            sum ^= table(place).map_or(0, |table| table.touch_page(place.slot));
        }
        let mut hashes: SmallVec<[(Place, u64); AHEAD]> = SmallVec::new();
        for place in places() {
            let Some(entry) = self.peek(place) else { continue };
            sum ^= entry.timer_ms as u64 ^ touch(&entry.state);
            hashes.push((place, table_hash(&entry.key)));
        }
        for (place, hash) in hashes {
            let slot = table(place).and_then(|table| table.slots.iter_hash(hash).next());
            sum ^= slot.map_or(0, |slot| u64::from(*slot));
        }
        black_box(sum);
    }
}
