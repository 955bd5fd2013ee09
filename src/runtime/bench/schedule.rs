//! When each event is meant to be sent.

use crate::runtime::clock::{Clock, SystemClock};
use std::{thread, time::Duration};

/// Events of a step, at most: what is due beyond that waits for the next.
const STEP_EVENTS: u64 = 1_024;
/// A wait shorter than this is spent looking at the clock: sleeping is not that exact.
const SPIN: Duration = Duration::from_micros(200);

/// So many events, evenly apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Events per second, greater than 0.
    pub(super) rate: f64,
    /// How many there are.
    pub(super) total: u64,
}

impl Schedule {
    /// When an event is meant to be sent, from the beginning.
    pub(super) fn intended(&self, number: u64) -> Duration {
        Duration::try_from_secs_f64(number as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// How many events are due at an instant.
    fn due(&self, at: Duration) -> u64 {
        // An event is due from its instant on, that of event 0 being 0.
        ((at.as_secs_f64() * self.rate) as u64).saturating_add(1).min(self.total)
    }

    /// Waits until more than `sent` events are due; how many then, at most a step more.
    pub(super) fn wait(&self, sent: u64, clock: &SystemClock, began: Duration) -> u64 {
        loop {
            let now = clock.monotonic().saturating_sub(began);
            let due = self.due(now);
            if due > sent {
                return due.min(sent + STEP_EVENTS);
            }
            match self.intended(sent).saturating_sub(now) {
                wait if wait > SPIN => thread::sleep(wait - SPIN),
                _ => std::hint::spin_loop(),
            }
        }
    }
}
