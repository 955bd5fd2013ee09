//! The loop of a measurement.

use super::{BenchInput, LatencyOutcome, schedule::Schedule};
use crate::{
    engine::{Executor, Inline, Options},
    runtime::{
        clock::{Clock, SystemClock},
        executor::Threads,
        project::Project,
        session::{LaneIx, Letters, Lines, Session},
        telemetry::LatencyRecord,
    },
    wire::Chunk,
};
use std::time::Duration;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct LatencyOptions {
    /// Events per second, greater than 0.
    pub rate: f64,
    /// How long events are sent that count.
    pub duration: Duration,
    /// How long events are sent before, which don't count.
    pub warmup: Duration,
    /// How many shards; none: the configuration's, else 1.
    pub shards: Option<u32>,
}

impl LatencyOptions {
    /// Events that rate and time ask for.
    pub(super) fn wanted(&self) -> u64 {
        ((self.warmup + self.duration).as_secs_f64() * self.rate) as u64
    }
}

/// A machine that can't keep up is given this many times as long, and a second, before the rest is left unsent.
const PATIENCE: u32 = 2;

/// Sends events on a schedule and measures.
///
/// # Errors
/// A rule that no program can be built from, in words.
pub fn measure(project: &Project, input: &BenchInput, options: &LatencyOptions) -> Result<LatencyOutcome, String> {
    let engine = project.config.engine;
    let shards = options.shards.or(engine.shards).unwrap_or(1).max(1);
    // Alerts leave at once, as in the daemon.
    let core = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: true };
    let executor: Box<dyn Executor> = if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
    let mut session = Session::new(project, core, executor).map_err(|error| error.to_string())?;
    session.has_no_arrivals()?;
    let mut lanes: Vec<Option<LaneIx>> = Vec::new();
    for (at, (bound, number)) in input.partitions.iter().enumerate() {
        lanes.push(session.add_partition(&bound.source, &bound.schema, input.format(at), *number, bound.disorder_ms));
    }
    let wanted = options.wanted();
    let schedule = Schedule { rate: options.rate, total: wanted.min(input.available()) };
    let mut run = Run {
        session,
        lanes,
        input,
        schedule,
        warmup: options.warmup,
        clock: SystemClock::new(),
        chunks: input.partitions.iter().map(|_| Chunk::new()).collect(),
        events: LatencyRecord::new(),
        alerts: LatencyRecord::new(),
        warm_alerts: 0,
        longest_lag: Duration::ZERO,
    };
    let sent = run.send_all((options.warmup + options.duration) * PATIENCE + Duration::from_secs(1));
    Ok(run.outcome(options, wanted, sent))
}

struct Run<'a> {
    session: Session,
    lanes: Vec<Option<LaneIx>>,
    input: &'a BenchInput,
    schedule: Schedule,
    warmup: Duration,
    clock: SystemClock,
    chunks: Vec<Chunk>,
    events: LatencyRecord,
    alerts: LatencyRecord,
    warm_alerts: u64,
    longest_lag: Duration,
}

impl Run<'_> {
    /// Sends all events, or as many as there is time for; how many, and when the last was done.
    fn send_all(&mut self, patience: Duration) -> (u64, Duration) {
        let (mut lines, mut letters, mut scratch) = (Lines::default(), Letters::default(), Vec::new());
        let began = self.clock.monotonic();
        let (mut sent, mut done) = (0, 0);
        let mut now = Duration::ZERO;
        while sent < self.schedule.total && now < patience {
            let upto = self.schedule.wait(sent, &self.clock, began);
            for number in sent..upto {
                self.input.send(number, &mut self.chunks, &mut scratch);
            }
            for (chunk, lane) in self.chunks.iter_mut().zip(&self.lanes) {
                if let (Some(lane), false) = (lane, chunk.is_empty()) {
                    self.session.push(*lane, chunk, &mut letters);
                    chunk.clear();
                }
            }
            self.session.advance(&mut lines);
            now = self.clock.monotonic().saturating_sub(began);
            // They go in and come out of the reorder buffers in order of time: what waits are the last ones.
            let out = upto.saturating_sub(self.session.engine().waiting() as u64).max(done);
            self.record(done..out, now, &lines);
            done = out;
            lines.clear();
            letters = Letters::default();
            sent = upto;
        }
        (sent, now)
    }

    fn record(&mut self, events: std::ops::Range<u64>, now: Duration, lines: &Lines) {
        for number in events {
            let intended = self.schedule.intended(number);
            self.longest_lag = self.longest_lag.max(now.saturating_sub(intended));
            if intended >= self.warmup {
                self.events.add(now.saturating_sub(intended), 1);
            }
        }
        for time_ms in &lines.times_ms {
            let intended = self.schedule.intended(self.input.decider(*time_ms));
            if intended >= self.warmup {
                self.alerts.add(now.saturating_sub(intended), 1);
            } else {
                self.warm_alerts += 1;
            }
        }
    }

    fn outcome(self, options: &LatencyOptions, wanted: u64, (sent, took): (u64, Duration)) -> LatencyOutcome {
        let late = self.session.sources().iter().map(|source| source.late).sum();
        LatencyOutcome {
            path: "in-process",
            pipeline: "rules",
            share: None,
            rate: options.rate,
            achieved_rate: sent as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
            warmup_s: options.warmup.as_secs_f64(),
            duration_s: options.duration.as_secs_f64(),
            wanted,
            available: self.input.available(),
            sent,
            late,
            rejected: self.input.rejected,
            behind_ms: took.saturating_sub(self.schedule.intended(sent.saturating_sub(1))).as_secs_f64() * 1_000.0,
            longest_lag_ms: self.longest_lag.as_secs_f64() * 1_000.0,
            warmup_alerts: self.warm_alerts,
            events: self.events.summary(),
            alerts: self.alerts.summary(),
        }
    }
}
