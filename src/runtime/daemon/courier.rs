//! A receiver on a thread of its own: delivers what its spool holds in order, and tries again until it is taken or given up.

use super::spool::{Next, Spool};
use crate::{
    io::{
        outbox::Fate,
        receiver::{Answer, Parcel, Receiver, Trouble},
        sink::{FileSink, Lines, Sink},
    },
    runtime::{
        clock::Clock,
        config::RetryConfig,
        shutdown::Shutdown,
        telemetry::{OutboxFigures, SinkFigures, Watched},
    },
    wire::AlertId,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The first pause; doubled with each attempt up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How often the log is made durable while alerts are delivered.
const SYNC: Duration = Duration::from_secs(1);

/// What a courier reports to.
pub(super) struct CourierReports {
    pub(super) figures: SinkFigures,
    pub(super) outbox: OutboxFigures,
    pub(super) watched: Watched,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: Shutdown,
}

/// Who brings alerts to a receiver.
pub(super) struct Courier {
    name: String,
    spool: Arc<Spool>,
    receiver: Box<dyn Receiver>,
    retry: RetryConfig,
    /// Where alerts go that are given up; none: to the log.
    dead: Option<FileSink>,
    reports: CourierReports,
    random: u64,
    synced: Duration,
    reminded: Duration,
    troubled: bool,
}

/// Nobody waits any more.
struct Abandoned;

impl Courier {
    pub(super) fn new(
        name: &str,
        spool: Arc<Spool>,
        receiver: Box<dyn Receiver>,
        retry: RetryConfig,
        dead: Option<FileSink>,
        reports: CourierReports,
    ) -> Self {
        // Two daemons whose receiver comes back aren't to call at the same moments.
        let random = xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), reports.clock.wall_ms().unsigned_abs());
        let now = reports.clock.monotonic();
        Self {
            name: name.to_owned(),
            spool,
            receiver,
            retry,
            dead,
            reports,
            random,
            synced: now,
            reminded: now,
            troubled: false,
        }
    }

    pub(super) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    pub(super) fn work(mut self) {
        self.reports.watched.ready();
        let ended = self.deliver_all();
        if let Err(error) = self.spool.sync() {
            tracing::warn!(sink = self.name, %error, "its outbox can't be made durable");
        }
        match (ended, self.spool.waiting()) {
            (Ok(()), _) | (Err(Abandoned), (0, 0)) => self.reports.watched.ended(),
            (Err(Abandoned), (0, left)) => {
                tracing::warn!(sink = self.name, left, "these alerts stay in its outbox, for the next run");
                self.reports.watched.failed("it did not take its alerts in time");
            }
            (Err(Abandoned), _) => self.reports.watched.failed("it did not take its alerts in time"),
        }
    }

    fn deliver_all(&mut self) -> Result<(), Abandoned> {
        loop {
            self.keep_up();
            match self.spool.next(self.receiver.batch(), self.patience()) {
                Next::Parcels(parcels) => self.deliver(parcels)?,
                Next::Nothing => {}
                Next::End if self.spool.nap(Duration::ZERO) => return Ok(()),
                Next::End => return Err(Abandoned),
            }
        }
    }

    /// How long to wait for alerts before there is something else to do.
    fn patience(&self) -> Option<Duration> {
        let remind = self
            .receiver
            .reminds_every()
            .map(|every| every.saturating_sub(self.reports.clock.monotonic().saturating_sub(self.reminded)));
        // Acknowledgements of the last second, too, are to be durable in the end.
        Some(remind.map_or(SYNC, |remind| remind.min(SYNC)))
    }

    /// What is to be done from time to time.
    fn keep_up(&mut self) {
        let now = self.reports.clock.monotonic();
        if now.saturating_sub(self.synced) >= SYNC {
            self.synced = now;
            if let Err(error) = self.spool.sync() {
                tracing::warn!(sink = self.name, %error, "its outbox can't be made durable");
            }
        }
        if let Some(every) = self.receiver.reminds_every()
            && now.saturating_sub(self.reminded) >= every
        {
            self.reminded = now;
            self.receiver.remind(self.reports.clock.wall_ms());
        }
    }

    /// Delivers alerts until all are taken or given up.
    fn deliver(&mut self, mut parcels: Vec<Parcel>) -> Result<(), Abandoned> {
        let mut attempts = 0u64;
        let mut pause = PAUSE_MIN;
        while !parcels.is_empty() {
            attempts += 1;
            self.reports.outbox.attempt();
            let (trouble, why, after) = match self.receiver.deliver(&parcels, self.reports.clock.wall_ms()) {
                Answer::Taken => {
                    self.works();
                    self.reports.figures.add_written(parcels.len() as u64);
                    self.spool.settle(parcels.len(), &Fate::Acknowledged);
                    return Ok(());
                }
                Answer::Refused { why } => {
                    self.works();
                    self.failed(Trouble::Refused);
                    if parcels.len() == 1 {
                        return self.give_up(&parcels, attempts, &why);
                    }
                    // Which one it is isn't told.
                    for parcel in parcels {
                        self.deliver(vec![parcel])?;
                    }
                    return Ok(());
                }
                Answer::Later { trouble, why, after } => (trouble, why, after),
            };
            self.failed(trouble);
            let spent = self.spent(&parcels, attempts);
            let given_up: Vec<Parcel> = parcels.drain(..spent).collect();
            if !given_up.is_empty() {
                self.give_up(&given_up, attempts, &why)?;
                continue;
            }
            let wait = self.jittered(pause).max(after.unwrap_or_default());
            self.retries(&why, wait);
            // What is on disk needs no grace: the next run goes on with it.
            if (self.reports.shutdown.is_requested() && self.spool.is_safe()) || !self.spool.nap(wait) {
                return Err(Abandoned);
            }
            pause = (pause * 2).min(Duration::from_millis(self.retry.longest_ms).max(PAUSE_MIN));
        }
        Ok(())
    }

    /// How many at the front have been tried for as often or long as they are to be.
    fn spent(&self, parcels: &[Parcel], attempts: u64) -> usize {
        if self.retry.attempts.is_some_and(|most| attempts >= most) {
            return parcels.len();
        }
        let Some(age_ms) = self.retry.age_ms else { return 0 };
        let now_ms = self.reports.clock.wall_ms();
        // Where the clock was set back, an alert is younger than it was.
        parcels.iter().take_while(|parcel| now_ms.saturating_sub(parcel.put_ms) >= age_ms).count()
    }

    /// Puts alerts into the dead letters.
    fn give_up(&mut self, parcels: &[Parcel], attempts: u64, why: &str) -> Result<(), Abandoned> {
        let mut lines = Lines::new();
        for parcel in parcels {
            let letter = self.letter(parcel, attempts, why);
            lines.push_with("", |out| out.extend_from_slice(letter.as_bytes()));
        }
        let mut pause = PAUSE_MIN;
        while let Some(dead) = &mut self.dead {
            let Err(error) = dead.write(&lines) else { break };
            self.retries(&format!("its dead letters: {error}"), pause);
            if !self.spool.nap(pause) {
                return Err(Abandoned);
            }
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        for (_, line) in lines.iter() {
            if self.dead.is_none() {
                let line = String::from_utf8_lossy(line);
                tracing::error!(sink = self.name, %line, "an alert can't be delivered, ever");
            }
        }
        if self.dead.is_some() {
            let first = AlertId(parcels.first().map_or(0, |parcel| parcel.id));
            tracing::error!(sink = self.name, %first, count = parcels.len(), why, "alerts go to the dead letters");
        }
        self.reports.outbox.add_dead(parcels.len() as u64);
        self.spool.settle(parcels.len(), &Fate::Dead(why.to_owned()));
        Ok(())
    }

    /// A line of the dead letters.
    fn letter(&self, parcel: &Parcel, attempts: u64, why: &str) -> String {
        let alert = serde_json::from_slice(&parcel.line)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&parcel.line).into_owned()));
        json!({
            "sink": self.name,
            "reason": why,
            "attempts": attempts,
            "put": crate::model::format_time(parcel.put_ms),
            "given_up": crate::model::format_time(self.reports.clock.wall_ms()),
            "alert": alert,
        })
        .to_string()
    }

    fn failed(&self, trouble: Trouble) {
        self.reports.figures.add_errors(1);
        self.reports.outbox.failed(trouble);
    }

    fn retries(&mut self, why: &str, wait: Duration) {
        tracing::warn!(sink = self.name, why, "trying again in {} ms", wait.as_millis());
        self.reports.watched.retrying(why.to_owned());
        self.troubled = true;
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.troubled) {
            tracing::info!(sink = self.name, "it works again");
            self.reports.watched.ready();
        }
    }

    /// Between half of the pause and all of it.
    fn jittered(&mut self, pause: Duration) -> Duration {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (self.random >> 40) as f64 / (1u64 << 24) as f64;
        pause.mul_f64(0.5 + share / 2.0)
    }
}

#[cfg(test)]
#[path = "courier_test.rs"]
mod tests;
