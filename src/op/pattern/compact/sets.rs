//! The sets of a partition, and beside them what each event looks at first. That lies in the entry of the key, so an event that changes
//! nothing goes no further: of many keys what lies behind is in no cache.

use super::state::Compact;
use crate::model::TimeMs;

/// All partial matches of a partition, as sets.
#[derive(Clone, Debug)]
pub(in crate::op::pattern) struct Sets {
    glance: Glance,
    held: Box<Compact>,
}

/// What is seen of the sets at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Glance {
    /// When the first of it is over, or sooner.
    first_ms: TimeMs,
    /// When all of it is over.
    deadline: TimeMs,
    /// The states that have a set, by bits; of an automaton with more than 64 a bit stands for several.
    states: u64,
    /// How many events have begun a match that may still be open.
    starts: u32,
}

impl Glance {
    #[inline]
    fn of(held: &Compact) -> Self {
        let states = held.sets.iter().fold(0, |states, set| states | 1 << (set.state % 64));
        let starts = held.starts.as_slice().len() as u32;
        Self { first_ms: held.first_ms, deadline: held.deadline, states, starts }
    }
}

impl Sets {
    /// These.
    pub(in crate::op::pattern) fn new(held: Compact) -> Self {
        Self { glance: Glance::of(&held), held: Box::new(held) }
    }

    pub(in crate::op::pattern) fn held(&self) -> &Compact {
        debug_assert!(self.glance == Glance::of(&self.held), "every change is by `change`");
        &self.held
    }

    /// Changes the sets, and what is seen of them.
    #[inline]
    pub(in crate::op::pattern) fn change(&mut self, change: impl FnOnce(&mut Compact)) {
        change(&mut self.held);
        self.glance = Glance::of(&self.held);
    }

    /// Lets go of what is out of time at an instant.
    #[inline]
    pub(in crate::op::pattern) fn pass(&mut self, within_ms: Option<TimeMs>, now: TimeMs) {
        if self.glance.first_ms <= now {
            self.change(|held| held.pass(within_ms, now));
        }
    }

    /// Whether it holds no partial match.
    #[inline]
    pub(in crate::op::pattern) fn is_idle(&self) -> bool {
        self.glance.states == 0
    }

    /// When all of it is over.
    #[inline]
    pub(in crate::op::pattern) fn deadline(&self) -> TimeMs {
        self.glance.deadline
    }

    /// The states of the automaton that have a set, by bits, where there are at most 64.
    #[inline]
    pub(super) fn states(&self) -> u64 {
        self.glance.states
    }

    /// How many events have begun a match that may still be open; some that can't are counted until the next collection.
    #[inline]
    pub(in crate::op::pattern) fn starts(&self) -> usize {
        self.glance.starts as usize
    }

    /// Bytes on the heap.
    pub(in crate::op::pattern) fn heap_bytes(&self) -> usize {
        size_of::<Compact>() + self.held.heap_bytes()
    }

    /// Looks at the memory that the next event needs.
    #[inline]
    pub(in crate::op::pattern) fn touch(&self, further: bool) -> u64 {
        match further {
            false if self.is_idle() => 0,
            false => self.held.touch(),
            true => self.held.touch_ends(),
        }
    }
}
