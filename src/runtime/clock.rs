//! What time it is, for the shell. The core is told the time; nothing below the border asks.
//!
//! Two scales, never mixed: wall time says when something happened and may jump (NTP, a person); monotonic time says how
//! long something took and only goes forward.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use crate::model::TimeMs;

/// A source of time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall time in milliseconds since the Unix epoch; it may jump in either direction.
    fn wall_ms(&self) -> TimeMs;

    /// Time since an origin of the clock's own choice; never goes back. Only differences mean something.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::disallowed_types,
    reason = "this is the one place above the border where the machine's clocks are read"
)]
pub struct SystemClock {
    origin: std::time::Instant,
}

#[allow(
    clippy::disallowed_types,
    reason = "this is the one place above the border where the machine's clocks are read"
)]
impl SystemClock {
    /// A clock whose monotonic scale starts now.
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(
    clippy::disallowed_types,
    reason = "this is the one place above the border where the machine's clocks are read"
)]
impl Clock for SystemClock {
    fn wall_ms(&self) -> TimeMs {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => TimeMs::try_from(since.as_millis()).unwrap_or(TimeMs::MAX),
            Err(before) => TimeMs::try_from(before.duration().as_millis()).map_or(TimeMs::MIN, |ms| -ms),
        }
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at this wall time; its monotonic scale stands at zero.
    pub fn new(wall_ms: TimeMs) -> Self {
        Self { wall_ms: AtomicI64::new(wall_ms), monotonic_ns: AtomicU64::new(0) }
    }

    /// Moves both scales on by `span`; at the end of a scale they stay there.
    pub fn advance(&self, span: Duration) {
        let ms = TimeMs::try_from(span.as_millis()).unwrap_or(TimeMs::MAX);
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.wall_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| Some(at.saturating_add(ms)));
        let _ = self.monotonic_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| Some(at.saturating_add(ns)));
    }

    /// Makes the wall jump, as NTP or a person does; the monotonic scale doesn't notice.
    pub fn set_wall_ms(&self, wall_ms: TimeMs) {
        self.wall_ms.store(wall_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> TimeMs {
        self.wall_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_lives_after_2020_and_its_monotonic_scale_only_rises() {
        let clock = SystemClock::new();
        assert!(clock.wall_ms() > 1_577_836_800_000);
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
    }

    #[test]
    fn a_jump_of_the_wall_leaves_the_monotonic_scale_alone() {
        let clock = ManualClock::new(1_000);
        clock.advance(Duration::from_millis(250));
        clock.set_wall_ms(-5);
        assert_eq!((clock.wall_ms(), clock.monotonic()), (-5, Duration::from_millis(250)));
        clock.advance(Duration::MAX);
        assert_eq!(clock.wall_ms(), TimeMs::MAX - 5);
    }
}
