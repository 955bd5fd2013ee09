//! What a measurement found.

use crate::runtime::telemetry::LatencySummary;
use serde::Serialize;
use std::fmt;

/// Latencies and what they are worth.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyOutcome {
    /// The way of the events: `in-process`, `file`, `kafka`.
    pub path: &'static str,
    /// `rules`, or `empty`: rules that do next to nothing, on the same way.
    pub pipeline: &'static str,
    /// Of a sweep, the rate as a share of the most that goes through.
    pub share: Option<f64>,
    /// Events per second that were meant to be sent.
    pub rate: f64,
    /// Events per second that were, from the first's instant to when the last was done.
    pub achieved_rate: f64,
    /// Seconds of events that don't count.
    pub warmup_s: f64,
    /// Seconds of events that count.
    pub duration_s: f64,
    /// Events that rate and time ask for.
    pub wanted: u64,
    /// Events that the input has.
    #[serde(skip)]
    pub available: u64,
    /// Events that were sent.
    pub sent: u64,
    /// Of those, late ones.
    pub late: u64,
    /// Records of the input that are no events and were not sent.
    pub rejected: u64,
    /// How long after its instant the last event was done, milliseconds.
    pub behind_ms: f64,
    /// How long after its instant any event was done, at most, warm-up included, milliseconds.
    pub longest_lag_ms: f64,
    /// Alerts of the warm-up, which don't count.
    pub warmup_alerts: u64,
    /// From the intended instant of each event to when all that it caused was done, the wait for other partitions' time
    /// included. Those that still wait at the end don't count. Only `in-process` can tell.
    pub events: Option<LatencySummary>,
    /// From the intended instant of the event that decided an alert to when its line was encoded; other than `in-process` to when the
    /// sink's thread had it, and the event is the first at or after the alert's end.
    pub alerts: Option<LatencySummary>,
}

impl LatencyOutcome {
    /// Whether the schedule was kept: all was sent, and the end was not behind by a hundredth of the time, or 50 ms if
    /// that is more.
    pub fn kept(&self) -> bool {
        let bound_ms = ((self.warmup_s + self.duration_s) * 10.0).max(50.0);
        self.sent >= self.wanted.min(self.available) && self.behind_ms <= bound_ms
    }

    /// As one JSON object.
    pub fn json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("rate_kept".to_owned(), self.kept().into());
        }
        value.to_string()
    }
}

impl fmt::Display for LatencyOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, pipeline, sent, rate, warmup_s, .. } = self;
        write!(f, "{path}, {pipeline}: {sent} events at {rate:.0}/s")?;
        if let Some(share) = self.share {
            write!(f, " ({:.0} % of saturation)", share * 100.0)?;
        }
        writeln!(f, ", the first {warmup_s} s of them warm-up")?;
        write!(f, "{:8}", "µs")?;
        for name in ["count", "p50", "p90", "p99", "p99.9", "p99.99", "max"] {
            write!(f, " {name:>10}")?;
        }
        writeln!(f)?;
        for (name, summary) in [("events", &self.events), ("alerts", &self.alerts)] {
            match summary {
                Some(s) => writeln!(
                    f,
                    "{name:8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
                    s.count, s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.p9999_us, s.max_us
                )?,
                None => writeln!(f, "{name:8} {:>10}", 0)?,
            }
        }
        if self.sent < self.wanted && self.available < self.wanted {
            writeln!(
                f,
                "note: the input has {} events and can't be sent again (its time is no top-level field of JSON records): {} were asked for",
                self.available, self.wanted
            )?;
        }
        if !self.kept() {
            writeln!(
                f,
                "note: the rate was not kept: {:.0}/s were done, the end was {:.0} ms behind; latencies hold the growing queue",
                self.achieved_rate, self.behind_ms
            )?;
        }
        if self.late > 0 {
            writeln!(f, "note: {} events were late", self.late)?;
        }
        if self.rejected > 0 {
            writeln!(f, "note: {} records of the input are no events and were not sent", self.rejected)?;
        }
        Ok(())
    }
}
