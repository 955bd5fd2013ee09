//! The figures of checkpoints.

use super::register::{Counters, Labels, Register};
use crate::runtime::clock::Clock;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

type Seconds = Gauge<f64, AtomicU64>;

/// What is told of checkpoints. Clones are the same figures.
#[derive(Clone, Debug)]
pub struct CheckpointFigures {
    clock: Arc<dyn Clock>,
    checkpoints: Counters,
    bytes: Gauge,
    duration: Seconds,
    pause: Seconds,
    last: Arc<AtomicU64>,
}

impl CheckpointFigures {
    pub(super) fn new(register: &mut Register, clock: Arc<dyn Clock>) -> Self {
        let checkpoints = register.counters("checkpoints", "Checkpoints by result");
        let bytes = register.metric("checkpoint_bytes", "Size of the last checkpoint's file", Gauge::default());
        let duration =
            register.seconds("checkpoint_duration", "How long the last one took to write", Seconds::default());
        let pause = register.seconds("checkpoint_pause", "How long the stream stood still for it", Seconds::default());
        let figures = Self { clock, checkpoints, bytes, duration, pause, last: Arc::default() };
        // All results exist from the start, at zero.
        ["written", "failed", "refused"].iter().for_each(|result| drop(figures.counter(result)));
        figures
    }

    fn counter(&self, result: &'static str) -> Counter {
        let labels: Labels = vec![("result", result.to_owned())];
        self.checkpoints.get_or_create_owned(&labels)
    }

    /// One is durable.
    pub fn written(&self, bytes: u64, took: Duration) {
        self.counter("written").inc();
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.duration.set(took.as_secs_f64());
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now.saturating_add(1), Ordering::Relaxed);
    }

    /// One could not be written.
    pub fn failed(&self) {
        self.counter("failed").inc();
    }

    /// One that was found at the start is corrupt.
    pub fn refused(&self) {
        self.counter("refused").inc();
    }

    /// The stream stood still for so long.
    pub fn paused(&self, pause: Duration) {
        self.pause.set(pause.as_secs_f64());
    }

    /// How many have been written.
    pub fn count(&self) -> u64 {
        self.counter("written").get()
    }

    /// How long ago the last one was written; none: none has been yet.
    pub(super) fn age(&self) -> Option<Duration> {
        let at = Duration::from_millis(self.last.load(Ordering::Relaxed).checked_sub(1)?);
        Some(self.clock.monotonic().saturating_sub(at))
    }
}
