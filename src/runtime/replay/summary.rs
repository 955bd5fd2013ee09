//! What a replay says at its end.

use super::drive::Stopwatch;
use crate::runtime::{session::Session, telemetry::LatencyRecord};
use std::{fmt::Write, time::Duration};

/// Counts and times of a replay.
pub(in crate::runtime) struct Summary {
    clock: Stopwatch,
    records: u64,
    /// From having a batch of records to having written what it caused, once for each record.
    latency: LatencyRecord,
}

impl Summary {
    pub(in crate::runtime) fn start() -> Self {
        Self { clock: Stopwatch::start(), records: 0, latency: LatencyRecord::new() }
    }

    pub(in crate::runtime) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// A batch that was there at `began` is done.
    pub(in crate::runtime) fn worked(&mut self, began: Duration, records: u64) {
        self.records += records;
        self.latency.add(self.clock.elapsed() - began, records);
    }

    pub(in crate::runtime) fn text(&self, session: &Session, rules: &[String]) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text, session, rules);
        text
    }

    fn write(&self, text: &mut String, session: &Session, rules: &[String]) -> std::fmt::Result {
        let seconds = self.clock.elapsed().as_secs_f64();
        for source in session.sources() {
            write!(text, "{}: {} events", source.name, source.events)?;
            if source.late > 0 {
                write!(
                    text,
                    ", {} late (`disorder` of the source says how far events may be out of order)",
                    source.late
                )?;
            }
            if source.late_taken > 0 {
                write!(text, ", {} late but taken", source.late_taken)?;
            }
            for (reason, count) in &source.rejected {
                write!(text, ", {count} rejected as {}", reason.name())?;
            }
            writeln!(text)?;
        }
        for (at, (rule, [fired, timed_out])) in rules.iter().zip(session.alerts()).enumerate() {
            let stats = session.engine().rule_stats(at as u32);
            if fired + timed_out > 0 {
                write!(
                    text,
                    "{rule}: {} {}",
                    fired + timed_out,
                    if fired + timed_out == 1 { "alert" } else { "alerts" }
                )?;
                if *timed_out > 0 {
                    write!(text, " ({timed_out} timed out)")?;
                }
                writeln!(text)?;
            }
            if stats.shed > 0 {
                writeln!(text, "{rule}: {} partial matches or matches dropped, a limit was reached", stats.shed)?;
            }
            if stats.missing_key > 0 {
                writeln!(text, "{rule}: {} events without a key", stats.missing_key)?;
            }
        }
        let total: u64 = session.alerts().iter().flatten().sum();
        let per_second = if seconds > 0.0 { self.records as f64 / seconds } else { 0.0 };
        write!(
            text,
            "{} records in {seconds:.3} s, {per_second:.0}/s; {total} {}",
            self.records,
            if total == 1 { "alert" } else { "alerts" }
        )?;
        if let Some(latency) = self.latency.summary() {
            write!(text, "; processing latency of a batch {latency}")?;
        }
        writeln!(text)
    }
}
