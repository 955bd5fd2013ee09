//! Keys that are due.

use super::{AHEAD, Entry, Keyed, NO_TIMER, Place};
use crate::model::TimeMs;

impl<S> Entry<S> {
    /// No timer stands for the key any more; one that is still in the queue is stale.
    #[inline]
    pub(in crate::engine) fn has_rung(&mut self) {
        self.timer_ms = NO_TIMER;
    }
}

impl<S: Clone> Keyed<S> {
    /// Sees to it that the key is looked at when its state is next due.
    pub(in crate::engine) fn schedule(&mut self, place: Place, deadline_ms: Option<TimeMs>) {
        let Some(deadline_ms) = deadline_ms else { return };
        // A look first: most often the timer that there is comes sooner.
        if self.peek(place).is_some_and(|entry| deadline_ms < entry.timer_ms)
            && let Some(entry) = self.entry(place)
        {
            entry.timer_ms = deadline_ms;
            self.timers.push(deadline_ms, place);
        }
    }

    /// The earliest time at which a key may be due.
    pub(in crate::engine) fn next_timer(&self) -> Option<TimeMs> {
        let ready = self.ready.last().map(|(at_ms, _)| *at_ms);
        ready.into_iter().chain(self.timers.first_ms()).min()
    }

    /// A key that may be due at or before `to_ms`. The caller lets its time pass, where it says that its timer has [rung](Entry::has_rung),
    /// then schedules it again; `touch` looks at a state.
    pub(in crate::engine) fn due(&mut self, to_ms: TimeMs, touch: impl Fn(&S) -> u64) -> Option<Place> {
        loop {
            if self.ready.last().is_none_or(|(at_ms, _)| *at_ms > to_ms) {
                self.make_ready(to_ms, &touch);
            }
            let (at_ms, place) = self.ready.pop()?;
            // Only a look: a stale entry is no reason to copy a page.
            if self.peek(place).is_some_and(|entry| entry.timer_ms == at_ms) {
                return Some(place);
            }
        }
    }

    /// Takes some from the queue. What they do may put others into it that are due before the last of these: keys are independent, and
    /// of one key the order stays.
    fn make_ready(&mut self, to_ms: TimeMs, touch: impl Fn(&S) -> u64) {
        for (at_ms, place) in self.ready.drain(..) {
            self.timers.push(at_ms, place);
        }
        while self.ready.len() < AHEAD
            && let Some(due) = self.timers.pop(to_ms)
        {
            self.ready.push(due);
        }
        self.look_at_ready(touch);
        self.ready.reverse();
    }
}
