//! The figures of the whole daemon, and their text.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    checkpoint::CheckpointFigures,
    figures::{RuleFigures, SinkFigures, StreamFigures},
    health::Health,
    outbox::{OutboxFigures, Outboxes, ReaderFigures},
    pulse::{self, Pulse},
    register::{Counters, Gauges, Labels, Register},
    rules::RuleStatus,
    store::StoreFigures,
};
use crate::{io::source::KafkaLag, model::TimeMs, runtime::clock::Clock};

/// Upper bounds of the buckets of `geocep_processing_seconds`: 10 µs to 10 s.
const PROCESSING_BUCKETS_S: [f64; 19] = [
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What can come of a reload.
const RELOADED: [&str; 2] = ["ok", "refused"];

/// All figures; shared by the threads that count and the API that shows them. See the [module](super) for their meaning.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    names: Vec<String>,
    events: Counters,
    rejected: Counters,
    late: Counters,
    late_taken: Counters,
    alerts: Counters,
    missing_key: Counters,
    dropped: Counters,
    shed: Counters,
    intake: Gauges,
    keys: Gauges,
    open: Gauges,
    draining: Gauges,
    skip_misses: Counters,
    waiting_events: Gauge,
    source_lag: Gauges,
    lags: RwLock<Vec<(String, KafkaLag)>>,
    sink_written: Counters,
    sink_errors: Counters,
    outboxes: Outboxes,
    readers: ReaderFigures,
    processing: Histogram,
    checkpoints: CheckpointFigures,
    store: StoreFigures,
    reloads: Counters,
    reload_ok: Gauge,
    rules_info: Gauges,
    pulse: Arc<Pulse>,
    rules: RwLock<Arc<[RuleStatus]>>,
}

impl Telemetry {
    /// Figures that start at zero; `clock` gives uptime and the watermark's lag.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let mut register = Register::new();
        let checkpoints = CheckpointFigures::new(&mut register, Arc::clone(&clock));
        let store = StoreFigures::new(&mut register);
        let pulse = Arc::new(Pulse::new(Arc::clone(&clock), Arc::new(Health::new()), checkpoints.clone()));
        register.collector(pulse::NAMES, Arc::clone(&pulse));
        let events = register.counters("events", "Events decoded and accepted, late ones included");
        let rejected = register.counters("rejected", "Records that are no event, by reason");
        let late = register.counters("late", "Events that came below the watermark and that no rule took");
        let late_taken = register.counters("late_taken", "Late events that a rule with ALLOWED LATENESS took");
        let alerts = register.counters("alerts", "Alerts by status");
        let missing_key = register.counters("missing_key", "Events left out because a part of their key was null");
        let dropped = register.counters("dropped", "Partial matches and matches that a limit dropped");
        let shed = register.counters("shed", "What was left out where limits were reached");
        let intake = register.gauges("intake_bytes", "Pushed records that wait for the engine, and the log of them");
        let keys = register.gauges("keys", "Keys with state");
        let open = register.gauges("open", "Partial matches or open windows");
        let draining =
            register.gauges("draining", "Partial matches that old versions of edited rules still have to end");
        let help = "Matches without the variable that AFTER MATCH SKIP OR FAIL names, or that begin with it";
        let skip_misses = register.counters("skip_misses", help);
        let waiting_events = register.metric("waiting_events", "Events in the reorder buffers", Gauge::default());
        let source_lag = register.gauges("source_lag", "Messages of a topic that are yet to be read");
        let sink_written = register.counters("sink_written", "Outputs that the sink has acknowledged");
        let sink_errors = register.counters("sink_errors", "Attempts to write that failed");
        let outboxes = Outboxes::new(&mut register, clock);
        let readers = ReaderFigures::new(&mut register);
        let help = "Time from the arrival of a chunk until its outputs are with the sinks";
        let processing = register.seconds("processing", help, Histogram::new(PROCESSING_BUCKETS_S));
        let reloads = register.counters("reloads", "Reloads of rules and fences, by result");
        for result in RELOADED {
            reloads.get_or_create_owned(&vec![("result", result.to_owned())]);
        }
        let help = "Whether the last reload was taken; 1 before the first";
        let reload_ok = register.metric("reload_ok", help, Gauge::default());
        reload_ok.set(1);
        let rules_info = register.gauges("rules_info", "The fingerprint of the rule files and fences that run");
        let (registry, names) = register.close();
        Self {
            registry,
            names,
            events,
            rejected,
            late,
            late_taken,
            alerts,
            missing_key,
            dropped,
            shed,
            intake,
            keys,
            open,
            draining,
            skip_misses,
            waiting_events,
            source_lag,
            lags: RwLock::default(),
            sink_written,
            sink_errors,
            outboxes,
            readers,
            processing,
            checkpoints,
            store,
            reloads,
            reload_ok,
            rules_info,
            pulse,
            rules: RwLock::new(Arc::from([])),
        }
    }

    /// The figures of a source stream; asking again gives the same ones.
    pub fn stream(&self, stream: &str) -> StreamFigures {
        StreamFigures::new(stream, &self.events, [&self.late, &self.late_taken], &self.rejected)
    }

    /// What a source tells how much it has yet to read.
    pub fn lag_of(&self, stream: &str) -> KafkaLag {
        let lag = KafkaLag::default();
        self.lags.write().unwrap_or_else(PoisonError::into_inner).push((stream.to_owned(), lag.clone()));
        lag
    }

    /// The figures of a rule; asking again gives the same ones.
    pub fn rule(&self, rule: &str) -> RuleFigures {
        RuleFigures::new(rule, &self.alerts, [&self.missing_key, &self.dropped, &self.skip_misses], &self.shed)
    }

    /// The figures of a sink; asking again gives the same ones.
    pub fn sink(&self, sink: &str) -> SinkFigures {
        SinkFigures::new(sink, &self.sink_written, &self.sink_errors)
    }

    /// The figures of the store of states.
    pub fn store(&self) -> &StoreFigures {
        &self.store
    }

    /// The figures of a sink's outbox; asking again gives the same ones.
    pub fn outbox(&self, sink: &str) -> OutboxFigures {
        self.outboxes.of(sink)
    }

    /// The figures of those who watch alerts.
    pub fn readers(&self) -> ReaderFigures {
        self.readers.clone()
    }

    /// The figures of checkpoints.
    pub fn checkpoints(&self) -> &CheckpointFigures {
        &self.checkpoints
    }

    /// Sets the global watermark; None before the first event. At the end of input (the greatest time) the figure goes away.
    pub fn set_watermark(&self, watermark: Option<TimeMs>) {
        self.pulse.set_watermark(watermark);
    }

    /// Sets which partition of which stream has the lowest watermark; None when none has one or all are idle.
    pub fn set_held_back(&self, by: Option<(&str, &str)>) {
        self.pulse.set_held_back(by);
    }

    /// Sets how many bytes of pushed records of a source wait for the engine, and how large its log is.
    pub fn set_intake(&self, source: &str, waiting: u64, log: u64) {
        for (what, bytes) in [("waiting", waiting), ("log", log)] {
            let labels = vec![("source", source.to_owned()), ("what", what.to_owned())];
            self.intake.get_or_create_owned(&labels).set(gauge(bytes));
        }
    }

    /// Sets how many events wait in the reorder buffers.
    pub fn set_waiting_events(&self, count: u64) {
        self.waiting_events.set(gauge(count));
    }

    /// Notes how long a chunk took, from its arrival until its outputs were handed to the sinks.
    pub fn observe_processing(&self, took: Duration) {
        self.processing.observe(took.as_secs_f64());
    }

    /// Counts a reload, which was taken or refused.
    pub fn count_reload(&self, taken: bool) {
        let [ok, refused] = RELOADED;
        let result = if taken { ok } else { refused };
        self.reloads.get_or_create_owned(&vec![("result", result.to_owned())]).inc();
        self.reload_ok.set(i64::from(taken));
    }

    /// Sets the fingerprint of the rule files and fences that run.
    pub fn set_rules_hash(&self, hash: &str) {
        self.rules_info.clear();
        self.rules_info.get_or_create_owned(&vec![("hash", hash.to_owned())]).set(1);
    }

    /// Replaces the picture of the running rules, `geocep_keys` and `geocep_open` included. Meant for a few times per second.
    pub fn set_rules(&self, rules: Vec<RuleStatus>) {
        let rules: Arc<[RuleStatus]> = Arc::from(rules);
        for rule in rules.iter().filter(|rule| rule.draining.is_some()) {
            self.draining.get_or_create_owned(&version_labels(rule)).set(gauge(rule.open));
        }
        for rule in rules.iter().filter(|rule| rule.draining.is_none()) {
            self.keys.get_or_create_owned(&rule_labels(rule)).set(gauge(rule.keys));
            self.open.get_or_create_owned(&rule_labels(rule)).set(gauge(rule.open));
        }
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let is_there = |old: &RuleStatus| rules.iter().any(|new| version_labels(new) == version_labels(old));
        for gone in current.iter().filter(|old| old.draining.is_some() && !is_there(old)) {
            self.draining.remove(&version_labels(gone));
        }
        for gone in current.iter().filter(|old| !rules.iter().any(|new| new.name == old.name)) {
            self.keys.remove(&rule_labels(gone));
            self.open.remove(&rule_labels(gone));
        }
        *current = rules;
    }

    /// The rules as they were last set.
    pub fn rules(&self) -> Arc<[RuleStatus]> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The health of the daemon's parts.
    pub fn health(&self) -> &Arc<Health> {
        self.pulse.health()
    }

    /// The names of all samples that there can be, with prefix and suffix (a histogram's without `_bucket` and the like).
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All figures as OpenMetrics text.
    pub fn render(&self) -> String {
        for (stream, lag) in self.lags.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(lag) = lag.get() {
                let labels = vec![("stream", stream.clone())];
                self.source_lag.get_or_create_owned(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX));
            }
        }
        let mut out = String::with_capacity(8 << 10);
        text::encode(&mut out, &self.registry).expect("writing to a string doesn't fail");
        out
    }
}

fn rule_labels(rule: &RuleStatus) -> Labels {
    vec![("rule", rule.name.clone())]
}

fn version_labels(rule: &RuleStatus) -> Labels {
    // An edit that was taken back may be edited again: then two old versions are alike but for their number.
    let number = rule.draining.unwrap_or(0).to_string();
    vec![("rule", rule.name.clone()), ("version", rule.version.clone()), ("number", number)]
}

/// A count as a gauge holds it.
fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
