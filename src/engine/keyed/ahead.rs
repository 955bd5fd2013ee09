//! Looking ahead: what the next events need of a table is fetched for some keys at once.
//!
//! A key's state is reached over four or five places in memory, each known only when the one before has come; of many keys none is in
//! the processor's caches. Each pass here takes one step on all the ways, and its loop is so short that a processor has many of them under way
//! at the same time. Nothing depends on what is read.

use super::{Group, Keyed, PAGE, Place, Slot, table_hash};
use crate::model::{Key, KeyGroup};
use smallvec::SmallVec;
use std::{hint::black_box, sync::Arc};

/// Of so many events the states are fetched at once.
pub(in crate::engine) const AHEAD: usize = 32;

/// The states of so many keys are in caches anyway.
const FEW: usize = 1_024;

impl<S: Clone> Keyed<S> {
    /// Whether its keys are so few that nothing is gained by looking ahead.
    pub(in crate::engine) fn is_small(&self) -> bool {
        self.len < FEW
    }

    /// Fetches what these keys have; `touch` looks at a state, and then at what it leads to.
    pub(in crate::engine) fn look_ahead<'k>(
        &self,
        keys: impl Iterator<Item = (KeyGroup, &'k Key)>,
        touch: impl Fn(&S, bool) -> u64,
    ) {
        let mut sum = 0;
        let hashes: SmallVec<[(u32, u64); AHEAD]> = keys.map(|(group, key)| (group.0, table_hash(key))).collect();
        let table = |group: u32| self.groups.get(group as usize).and_then(Slot::get);
        for &(group, _) in &hashes {
            sum ^= table(group).map_or(0, |table| u64::from(table.given));
        }
        let mut places: SmallVec<[Place; AHEAD]> = SmallVec::new();
        for &(group, hash) in &hashes {
            let Some(table) = table(group) else { continue };
            // A key that isn't there comes to lie in the place that is given out next.
            let slot = table.slots.iter_hash(hash).next().copied().unwrap_or_else(|| table.next_given());
            places.push(Place { group, slot });
        }
        for &Place { group, slot } in &places {
            // Who changes an entry looks whether a checkpoint has its page.
            let page = table(group).and_then(|table| table.pages.get(slot as usize / PAGE));
            sum ^= page.map_or(0, |page| Arc::strong_count(page) as u64);
        }
        for &place in &places {
            sum ^= self.peek(place).map_or(0, |entry| entry.timer_ms as u64);
        }
        for further in [false, true] {
            for &place in &places {
                sum ^= self.peek(place).map_or(0, |entry| entry.key.hash64() ^ touch(&entry.state, further));
            }
        }
        black_box(sum);
    }

    /// Fetches what it takes to end those that are due next.
    pub(super) fn look_at_ready(&self) {
        if self.is_small() {
            return;
        }
        let mut sum = 0;
        let table = |place: Place| self.groups.get(place.group as usize).and_then(Slot::get);
        let places = || self.ready.iter().map(|(_, place)| *place);
        for place in places() {
            let page = table(place).and_then(|table| table.pages.get(place.slot as usize / PAGE));
            sum ^= page.map_or(0, |page| Arc::strong_count(page) as u64);
        }
        let mut hashes: SmallVec<[(Place, u64); AHEAD]> = SmallVec::new();
        for place in places() {
            let Some(entry) = self.peek(place) else { continue };
            sum ^= entry.timer_ms as u64;
            hashes.push((place, table_hash(&entry.key)));
        }
        for (place, hash) in hashes {
            let slot = table(place).and_then(|table| table.slots.iter_hash(hash).next());
            sum ^= slot.map_or(0, |slot| u64::from(*slot));
        }
        black_box(sum);
    }
}

impl<S> Group<S> {
    /// The slot that a new key is given.
    fn next_given(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.given)
    }
}
