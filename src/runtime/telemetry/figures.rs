//! Handles for those who count: one per stream, rule and sink, fetched once.

use prometheus_client::metrics::counter::Counter;

use super::register::{Counters, Labels};
use crate::{engine::Shed, model::RejectReason};

/// The figures of one source stream. Clones count into the same figures.
#[derive(Clone, Debug)]
pub struct StreamFigures {
    events: Counter,
    late: Counter,
    late_taken: Counter,
    rejected: Vec<(RejectReason, Counter)>,
}

impl StreamFigures {
    pub(super) fn new(stream: &str, events: &Counters, late: [&Counters; 2], rejected: &Counters) -> Self {
        let [late, late_taken] = late;
        let labels: Labels = vec![("stream", stream.to_owned())];
        let with_reason = |reason: RejectReason| -> Labels {
            vec![("stream", stream.to_owned()), ("reason", reason.name().to_owned())]
        };
        // All reasons exist from the start, at zero: a rate over a series that appears with its first error misses it.
        Self {
            events: events.get_or_create_owned(&labels),
            late: late.get_or_create_owned(&labels),
            late_taken: late_taken.get_or_create_owned(&labels),
            rejected: RejectReason::ALL
                .iter()
                .map(|&reason| (reason, rejected.get_or_create_owned(&with_reason(reason))))
                .collect(),
        }
    }

    /// Adds events that were decoded and accepted, late ones included.
    pub fn add_events(&self, count: u64) {
        self.events.inc_by(count);
    }

    /// Adds events that came below the watermark, and that no rule took.
    pub fn add_late(&self, count: u64) {
        self.late.inc_by(count);
    }

    /// Adds events that came below the watermark, and that a rule with ALLOWED LATENESS took.
    pub fn add_late_taken(&self, count: u64) {
        self.late_taken.inc_by(count);
    }

    /// Adds records that were rejected for this reason.
    pub fn add_rejected(&self, reason: RejectReason, count: u64) {
        if let Some((_, counter)) = self.rejected.iter().find(|(known, _)| *known == reason) {
            counter.inc_by(count);
        }
    }
}

/// The counters of one rule; its keys and open matches come with [`Telemetry::set_rules`](super::Telemetry::set_rules). Clones count into the same figures.
#[derive(Clone, Debug)]
pub struct RuleFigures {
    rule: String,
    firing: Counter,
    alerts: Counters,
    missing_key: Counter,
    dropped: Counter,
    skip_misses: Counter,
    shed: [Counter; 3],
}

impl RuleFigures {
    pub(super) fn new(
        rule: &str,
        alerts: &Counters,
        [missing_key, dropped, skip_misses]: [&Counters; 3],
        shed: &Counters,
    ) -> Self {
        let what = |what: &str| shed.get_or_create_owned(&vec![("rule", rule.to_owned()), ("what", what.to_owned())]);
        let labels: Labels = vec![("rule", rule.to_owned())];
        Self {
            rule: rule.to_owned(),
            firing: alerts.get_or_create_owned(&alert_labels(rule, FIRING)),
            alerts: alerts.clone(),
            missing_key: missing_key.get_or_create_owned(&labels),
            dropped: dropped.get_or_create_owned(&labels),
            skip_misses: skip_misses.get_or_create_owned(&labels),
            shed: ["rejected_key", "evicted_key", "dropped_event"].map(what),
        }
    }

    /// Adds alerts of this status: a word from the closed list of the alert format (`firing`, `timed_out`, `resolved`).
    pub fn add_alerts(&self, status: &str, count: u64) {
        if status == FIRING {
            self.firing.inc_by(count);
        } else {
            self.alerts.get_or_create_owned(&alert_labels(&self.rule, status)).inc_by(count);
        }
    }

    /// Adds events that the rule left out because a part of their key was null.
    pub fn add_missing_key(&self, count: u64) {
        self.missing_key.inc_by(count);
    }

    /// Adds what was left out because all rules together hold as much as they may.
    pub fn add_shed(&self, shed: &Shed) {
        let counts = [shed.rejected_keys, shed.evicted_keys, shed.dropped_events];
        for (counter, count) in self.shed.iter().zip(counts) {
            counter.inc_by(count);
        }
    }

    /// Adds partial matches and matches that a limit dropped.
    pub fn add_dropped(&self, count: u64) {
        self.dropped.inc_by(count);
    }

    /// Adds matches without what AFTER MATCH SKIP names.
    pub fn add_skip_misses(&self, count: u64) {
        self.skip_misses.inc_by(count);
    }
}

/// The figures of one sink. Clones count into the same figures.
#[derive(Clone, Debug)]
pub struct SinkFigures {
    written: Counter,
    errors: Counter,
}

impl SinkFigures {
    pub(super) fn new(sink: &str, written: &Counters, errors: &Counters) -> Self {
        let labels: Labels = vec![("sink", sink.to_owned())];
        Self { written: written.get_or_create_owned(&labels), errors: errors.get_or_create_owned(&labels) }
    }

    /// Adds outputs that the sink has acknowledged.
    pub fn add_written(&self, count: u64) {
        self.written.inc_by(count);
    }

    /// Adds attempts to write that failed, tried again or not.
    pub fn add_errors(&self, count: u64) {
        self.errors.inc_by(count);
    }
}

/// The status of an alert that nobody has touched yet.
const FIRING: &str = "firing";

fn alert_labels(rule: &str, status: &str) -> Labels {
    vec![("rule", rule.to_owned()), ("status", status.to_owned())]
}
