//! The figures of outboxes.

use super::register::{Counters, Labels, Register};
use crate::{io::receiver::Trouble, runtime::clock::Clock};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        gauge::{ConstGauge, Gauge},
    },
    registry::Unit,
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Alerts.
    pub alerts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was put in, by the wall clock; none: nothing waits.
    pub oldest_ms: Option<i64>,
}

/// The figures of one outbox. Clones are the same figures.
#[derive(Clone, Debug)]
pub struct OutboxFigures {
    depth: Arc<Mutex<Depth>>,
    attempts: Counter,
    failures: Vec<(Trouble, Counter)>,
    dead: Counter,
    dropped: Counter,
    known: Counter,
}

impl OutboxFigures {
    /// Sets what waits.
    pub fn set_depth(&self, depth: Depth) {
        *self.depth.lock().unwrap_or_else(PoisonError::into_inner) = depth;
    }

    /// A request is made.
    pub fn attempt(&self) {
        self.attempts.inc();
    }

    /// It failed.
    pub fn failed(&self, trouble: Trouble) {
        if let Some((_, counter)) = self.failures.iter().find(|(known, _)| *known == trouble) {
            counter.inc();
        }
    }

    /// So many alerts went to the dead letters.
    pub fn add_dead(&self, count: u64) {
        self.dead.inc_by(count);
    }

    /// So many alerts made room for newer ones.
    pub fn add_dropped(&self, count: u64) {
        self.dropped.inc_by(count);
    }

    /// An alert was in the outbox already when a restart found it again.
    pub fn was_known(&self) {
        self.known.inc();
    }
}

/// The figures of all outboxes.
#[derive(Clone, Debug)]
pub(super) struct Outboxes {
    attempts: Counters,
    failures: Counters,
    dead: Counters,
    dropped: Counters,
    known: Counters,
    depths: Depths,
}

impl Outboxes {
    pub(super) fn new(register: &mut Register, clock: Arc<dyn Clock>) -> Self {
        let depths = Depths { clock, of: Arc::default() };
        register.collector(&NAMES, depths.clone());
        Self {
            attempts: register.counters("outbox_attempts", "Requests to the sink's receiver"),
            failures: register.counters("outbox_failures", "Requests that failed, by kind"),
            dead: register.counters("outbox_dead", "Alerts that went to the sink's dead letters"),
            dropped: register.counters("outbox_dropped", "Alerts that made room for newer ones"),
            known: register.counters("outbox_known", "Alerts found again by a restart that were in the outbox already"),
            depths,
        }
    }

    /// The figures of a sink's outbox; asking again gives the same ones.
    pub(super) fn of(&self, sink: &str) -> OutboxFigures {
        let labels: Labels = vec![("sink", sink.to_owned())];
        let failures = Trouble::ALL.iter().map(|&trouble| {
            let labels: Labels = vec![("sink", sink.to_owned()), ("kind", trouble.name().to_owned())];
            (trouble, self.failures.get_or_create_owned(&labels))
        });
        let mut depths = self.depths.of.lock().unwrap_or_else(PoisonError::into_inner);
        let depth = match depths.iter().find(|(name, _)| name == sink) {
            Some((_, depth)) => Arc::clone(depth),
            None => {
                let depth = Arc::default();
                depths.push((sink.to_owned(), Arc::clone(&depth)));
                depth
            }
        };
        OutboxFigures {
            depth,
            attempts: self.attempts.get_or_create_owned(&labels),
            failures: failures.collect(),
            dead: self.dead.get_or_create_owned(&labels),
            dropped: self.dropped.get_or_create_owned(&labels),
            known: self.known.get_or_create_owned(&labels),
        }
    }
}

/// The figures of those who watch alerts. Clones are the same figures.
#[derive(Clone, Debug)]
pub struct ReaderFigures {
    readers: Gauge,
    lagged: Counter,
}

impl ReaderFigures {
    pub(super) fn new(register: &mut Register) -> Self {
        let readers = register.metric("stream_readers", "Readers of the stream of alerts", Gauge::default());
        let lagged = register.counter("stream_lagged", "Readers that were too slow and were let go");
        Self { readers, lagged }
    }

    /// One came.
    pub fn came(&self) {
        self.readers.inc();
    }

    /// One went.
    pub fn went(&self) {
        self.readers.dec();
    }

    /// One was too slow.
    pub fn lagged(&self) {
        self.lagged.inc();
    }
}

/// The names of the samples that are worked out at the moment of a scrape.
const NAMES: [&str; 3] = ["outbox_alerts", "outbox_bytes", "outbox_oldest_seconds"];

type Named = (String, Arc<Mutex<Depth>>);
/// Name, help, unit, and what it is of an outbox.
type Figure<'a> = (&'a str, &'a str, Option<&'a Unit>, &'a dyn Fn(&Depth) -> f64);

/// What waits in each outbox, to be asked at any moment: the oldest grows older by itself.
#[derive(Clone, Debug)]
struct Depths {
    clock: Arc<dyn Clock>,
    of: Arc<Mutex<Vec<Named>>>,
}

impl Collector for Depths {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |(sink, depth): &Named| (sink.clone(), *depth.lock().unwrap_or_else(PoisonError::into_inner));
        let depths: Vec<(String, Depth)> = of.iter().map(read).collect();
        drop(of);
        if depths.is_empty() {
            return Ok(());
        }
        let now_ms = self.clock.wall_ms();
        let age = |depth: &Depth| depth.oldest_ms.map_or(0, |at| now_ms.saturating_sub(at).max(0)) as f64 / 1e3;
        let [alerts, bytes, _] = NAMES;
        let figures: [Figure<'_>; 3] = [
            (alerts, "Alerts that wait in the outbox.", None, &|depth| depth.alerts as f64),
            (bytes, "Their bytes.", None, &|depth| depth.bytes as f64),
            ("outbox_oldest", "How long the oldest has waited.", Some(&Unit::Seconds), &age),
        ];
        for (name, help, unit, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (sink, depth) in &depths {
                let labels: Labels = vec![("sink", sink.clone())];
                ConstGauge::new(figure(depth)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
