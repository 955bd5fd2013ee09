//! A record of latencies and the line that is printed of it.
//!
//! Values are microseconds in an HDR histogram (three significant digits, so within 0.1 %), 1 µs to one hour; what is
//! longer counts as an hour. The record takes some 200 KB and adding to it allocates nothing.
//!
//! **Coordinated omission.** A load that waits for an answer before it sends the next event measures only as often as the
//! system lets it, and so leaves out just the moments that were slow. `bench` is therefore open-loop: it records the time
//! from when an event was *meant* to be sent, on a fixed schedule, whether or not the sender was held up. This record
//! doesn't invent the missing values afterwards; it is right if, and only if, the caller measures from the intended time.
//! `replay` at full speed has no schedule: it records the processing time of a chunk, which says nothing of queueing.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that is told apart, in microseconds: one hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// Latencies of a run.
#[derive(Clone, Debug)]
pub struct LatencyRecord {
    histogram: Histogram<u64>,
}

impl LatencyRecord {
    /// An empty record.
    pub fn new() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("one microsecond to an hour are valid bounds");
        Self { histogram }
    }

    /// Adds a latency that `count` events share (those of one chunk, say).
    pub fn add(&mut self, latency: Duration, count: u64) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min(LATENCY_MAX_US);
        self.histogram.saturating_record_n(us, count);
    }

    /// Adds all that another record holds (a shard's, say).
    pub fn merge(&mut self, other: &LatencyRecord) {
        self.histogram.add(&other.histogram).expect("all records have the same bounds");
    }

    /// The figures so far; None when nothing was added.
    pub fn summary(&self) -> Option<LatencySummary> {
        let h = &self.histogram;
        (!h.is_empty()).then(|| LatencySummary {
            count: h.len(),
            p50_us: h.value_at_quantile(0.5),
            p90_us: h.value_at_quantile(0.9),
            p99_us: h.value_at_quantile(0.99),
            p999_us: h.value_at_quantile(0.999),
            p9999_us: h.value_at_quantile(0.9999),
            max_us: h.max(),
        })
    }
}

impl Default for LatencyRecord {
    fn default() -> Self {
        Self::new()
    }
}

/// Percentiles in microseconds, each within 0.1 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// How many latencies there were.
    pub count: u64,
    /// Half of them were at most this.
    pub p50_us: u64,
    /// 90 % were at most this.
    pub p90_us: u64,
    /// 99 % were at most this.
    pub p99_us: u64,
    /// 99.9 % were at most this.
    pub p999_us: u64,
    /// 99.99 % were at most this.
    pub p9999_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl fmt::Display for LatencySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {}, p99 {}, max {}", Us(self.p50_us), Us(self.p99_us), Us(self.max_us))
    }
}

/// Microseconds in the unit that reads best, three significant digits.
struct Us(u64);

impl fmt::Display for Us {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            us @ 0..1_000 => return write!(f, "{us} µs"),
            us @ 1_000..1_000_000 => (us as f64 / 1e3, "ms"),
            us => (us as f64 / 1e6, "s"),
        };
        let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        write!(f, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list_within_a_thousandth() {
        let mut record = LatencyRecord::new();
        assert_eq!(record.summary(), None);
        for us in 1..=100_000 {
            record.add(Duration::from_micros(us), 1);
        }
        let summary = record.summary().unwrap();
        for (found, true_value) in [(summary.p50_us, 50_000), (summary.p99_us, 99_000), (summary.max_us, 100_000)] {
            assert!(found.abs_diff(true_value) <= true_value / 1_000, "{found} is not {true_value}");
        }
    }

    #[test]
    fn shards_that_are_merged_give_the_figures_of_one() {
        let (mut a, mut b, mut all) = (LatencyRecord::new(), LatencyRecord::new(), LatencyRecord::new());
        for (us, count) in [(10, 5), (900, 1), (1_500_000, 2)] {
            a.add(Duration::from_micros(us), count);
            all.add(Duration::from_micros(us), count);
        }
        b.add(Duration::from_secs(90_000), 1);
        all.add(Duration::from_secs(90_000), 1);
        a.merge(&b);
        assert_eq!(a.summary(), all.summary());
        assert_eq!(a.summary().unwrap().count, 9);
        assert!(a.summary().unwrap().max_us.abs_diff(LATENCY_MAX_US) <= LATENCY_MAX_US / 1_000);
    }

    #[test]
    fn a_summary_reads_in_the_unit_that_fits() {
        let summary = LatencySummary {
            count: 1,
            p50_us: 12,
            p90_us: 0,
            p99_us: 1_234,
            p999_us: 0,
            p9999_us: 0,
            max_us: 12_345_678,
        };
        assert_eq!(summary.to_string(), "p50 12 µs, p99 1.23 ms, max 12.3 s");
    }
}
