//! Many places that are due at one instant, as those of windows that end together: there is no need to sort them, as groups have an order already.

use super::{Place, timers::Timer};
use crate::model::TimeMs;

/// Places that are due at an instant, by group.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) at_ms: TimeMs,
    /// For each group the slots, as they came.
    groups: Vec<Vec<u32>>,
}

impl Crowd {
    /// A crowd of these; none: they aren't due at one instant.
    pub(super) fn of(timers: &[Timer]) -> Option<Self> {
        let at_ms = timers.first()?.at_ms();
        // What differs most often differs here already.
        if timers.last()?.at_ms() != at_ms || timers.iter().any(|timer| timer.at_ms() != at_ms) {
            return None;
        }
        let mut crowd = Self { at_ms, groups: Vec::new() };
        timers.iter().for_each(|timer| crowd.push(timer.place()));
        Some(crowd)
    }

    #[inline]
    pub(super) fn push(&mut self, place: Place) {
        let group = place.group as usize;
        if group >= self.groups.len() {
            self.groups.resize_with(group + 1, Vec::new);
        }
        if let Some(slots) = self.groups.get_mut(group) {
            slots.push(place.slot);
        }
    }

    /// Lets them go in order.
    pub(super) fn leave(self) -> Leaving {
        let mut leaving = Leaving { at_ms: self.at_ms, group: 0, slots: Vec::new(), rest: self.groups.into_iter() };
        leaving.next_group();
        leaving
    }
}

/// A crowd whose time has come: its places in order.
#[derive(Debug)]
pub(super) struct Leaving {
    at_ms: TimeMs,
    /// One more than the group whose slots these are.
    group: u32,
    /// Descending.
    slots: Vec<u32>,
    rest: std::vec::IntoIter<Vec<u32>>,
}

impl Leaving {
    #[inline]
    pub(super) fn first(&self) -> Option<Timer> {
        let slot = *self.slots.last()?;
        Some(Timer::new(self.at_ms, Place { group: self.group - 1, slot }))
    }

    /// Lets the first go; whether there are others.
    #[inline]
    pub(super) fn pop(&mut self) -> bool {
        self.slots.pop();
        !self.slots.is_empty() || self.next_group()
    }

    fn next_group(&mut self) -> bool {
        for mut slots in self.rest.by_ref() {
            self.group += 1;
            if !slots.is_empty() {
                slots.sort_unstable_by(|a, b| b.cmp(a));
                self.slots = slots;
                return true;
            }
        }
        false
    }
}

impl Iterator for Leaving {
    type Item = Timer;

    fn next(&mut self) -> Option<Timer> {
        let first = self.first()?;
        self.pop();
        Some(first)
    }
}
