//! An entry at hand: found once, for all that an event does to it.

use super::{Entry, Keyed, Place, timers::Timers};
use crate::model::{Key, KeyGroup, TimeMs};

/// An entry, and the queue in which its next time stands.
pub(in crate::engine) struct AtHand<'a, S> {
    pub(in crate::engine) entry: &'a mut Entry<S>,
    timers: &'a mut Timers,
    place: Place,
}

impl<S> AtHand<'_, S> {
    /// Sees to it that the key is looked at when its state is next due.
    #[inline]
    pub(in crate::engine) fn schedule(self, deadline_ms: Option<TimeMs>) {
        if let Some(deadline_ms) = deadline_ms
            && deadline_ms < self.entry.timer_ms
        {
            self.entry.timer_ms = deadline_ms;
            self.timers.push(deadline_ms, self.place);
        }
    }
}

impl<S: Clone> Keyed<S> {
    /// Where the key's state is, if it has one; most likely here.
    #[inline]
    pub(in crate::engine) fn find_near(&self, near: Option<Place>, group: KeyGroup, key: &Key) -> Option<Place> {
        match near {
            Some(place) if self.peek(place).is_some_and(|entry| entry.key == *key) => Some(place),
            _ => self.find(group, key),
        }
    }

    /// The entry at a place.
    #[inline]
    pub(in crate::engine) fn at_hand(&mut self, place: Place) -> Option<AtHand<'_, S>> {
        let entry = self.groups.get_mut(place.group as usize)?.get_mut()?.get_mut(place.slot)?.as_mut()?;
        Some(AtHand { entry, timers: &mut self.timers, place })
    }
}
