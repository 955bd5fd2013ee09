//! A sink on a thread of its own: writes what its outbox holds, and tries again until it is written.

use super::{courier::Courier, outbox::Outbox};
use crate::{
    io::sink::{Lines, Sink, SinkError},
    runtime::{
        shutdown::Shutdown,
        telemetry::{SinkFigures, Watched},
    },
};
use std::{
    io,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// How long to wait before a failed write is tried again; doubled with each up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// After so many lines acknowledgements are waited for even if more lines are there.
const UNFLUSHED_MAX: u64 = 10_000;

/// A sink that runs.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) name: String,
    pub(super) outbox: Arc<Outbox>,
    done: mpsc::Receiver<()>,
}

/// What a sink's thread reports to.
pub(super) struct Reports {
    pub(super) figures: SinkFigures,
    pub(super) watched: Watched,
    /// Tripped when nobody reads the process's output any more.
    pub(super) shutdown: Shutdown,
}

impl Outlet {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(name: &str, sink: Box<dyn Sink>, limit: usize, reports: Reports) -> io::Result<Self> {
        let outbox = Arc::new(Outbox::new(limit));
        let (sender, done) = mpsc::channel();
        let worker = Worker { sink, outbox: Arc::clone(&outbox), reports, unflushed: 0 };
        thread::Builder::new().name(format!("sink {name}")).spawn(move || {
            worker.work();
            drop(sender);
        })?;
        Ok(Self { name: name.to_owned(), outbox, done })
    }

    /// Starts the thread of a receiver that has a durable queue.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start_courier(name: &str, courier: Courier) -> io::Result<Self> {
        let outbox = Arc::new(Outbox::spooled(Arc::clone(courier.spool())));
        let (sender, done) = mpsc::channel();
        thread::Builder::new().name(format!("sink {name}")).spawn(move || {
            courier.work();
            drop(sender);
        })?;
        Ok(Self { name: name.to_owned(), outbox, done })
    }

    /// Waits until everything is written, `patience` at most, and then gives up. The lines that the sink doesn't have for certain.
    pub(super) fn finish(&self, patience: Duration) -> u64 {
        self.outbox.close();
        // The thread never sends: the channel ends with it.
        if self.done.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.outbox.abandon();
            let _ = self.done.recv_timeout(RETRY_MIN);
        }
        self.outbox.unacknowledged()
    }
}

struct Worker {
    sink: Box<dyn Sink>,
    outbox: Arc<Outbox>,
    reports: Reports,
    /// Lines that the sink has taken but may not have acknowledged.
    unflushed: u64,
}

/// Why a sink's thread ends early.
enum GivenUp {
    /// Nobody reads it any more.
    Closed,
    /// Nobody waits for it any more.
    Abandoned,
}

impl Worker {
    fn work(mut self) {
        self.reports.watched.ready();
        match self.write_all() {
            Ok(()) => self.reports.watched.ended(),
            Err(GivenUp::Closed) => {
                tracing::info!(sink = self.sink.name(), "nobody reads it any more: stopping");
                self.outbox.retire();
                self.reports.shutdown.request();
                self.reports.watched.ended();
            }
            Err(GivenUp::Abandoned) => self.reports.watched.failed("it did not take its lines in time"),
        }
    }

    fn write_all(&mut self) -> Result<(), GivenUp> {
        while let Some(lines) = self.outbox.next() {
            self.write(&lines)?;
            if self.outbox.is_empty() || self.unflushed >= UNFLUSHED_MAX {
                self.again(|sink| sink.flush())?;
                self.acknowledge();
            }
        }
        self.again(|sink| sink.close())?;
        self.acknowledge();
        Ok(())
    }

    fn acknowledge(&mut self) {
        let lines = std::mem::take(&mut self.unflushed);
        self.reports.figures.add_written(lines);
        self.outbox.acknowledge(lines);
    }

    /// Writes a batch whole; a line that a sink refuses for good goes to the log, so that the others don't wait for it.
    fn write(&mut self, lines: &Lines) -> Result<(), GivenUp> {
        // Lines that were taken of a batch that failed further on.
        let mut taken = 0;
        let mut rest = None;
        let refused = self.again(|sink| {
            let left = rest.get_or_insert_with(|| part(lines, taken, usize::MAX));
            match sink.write(if taken == 0 { lines } else { left }) {
                Err(SinkError::Kafka { name, error }) => Ok(Some(SinkError::Kafka { name, error })),
                Err(error) => {
                    if let SinkError::Away { taken: more, .. } = &error {
                        taken += *more;
                        rest = None;
                    }
                    Err(error)
                }
                Ok(()) => Ok(None),
            }
        })?;
        match refused {
            None => self.unflushed += lines.len() as u64,
            Some(error) if lines.len() == 1 => {
                self.reports.figures.add_errors(1);
                let text = String::from_utf8_lossy(lines.bytes()).trim_end().to_owned();
                tracing::error!(sink = self.sink.name(), %error, line = text, "a line can't be delivered, ever");
            }
            // Which line it is isn't told. Those before it are sent twice, with the same ids.
            Some(_) => {
                for at in taken..lines.len() {
                    self.write(&part(lines, at, 1))?;
                }
                self.unflushed += taken as u64;
            }
        }
        Ok(())
    }

    /// Does something until it succeeds.
    fn again<T>(&mut self, mut what: impl FnMut(&mut dyn Sink) -> Result<T, SinkError>) -> Result<T, GivenUp> {
        let mut retry = RETRY_MIN;
        let mut troubled = false;
        loop {
            let error = match what(self.sink.as_mut()) {
                Ok(found) => {
                    if troubled {
                        tracing::info!(sink = self.sink.name(), "it works again");
                        self.reports.watched.ready();
                    }
                    return Ok(found);
                }
                Err(SinkError::Closed { .. }) => return Err(GivenUp::Closed),
                Err(error) => error,
            };
            self.reports.figures.add_errors(1);
            tracing::warn!(sink = self.sink.name(), %error, "trying again in {} ms", retry.as_millis());
            self.reports.watched.retrying(error.to_string());
            troubled = true;
            if !self.outbox.nap(retry) {
                return Err(GivenUp::Abandoned);
            }
            retry = (retry * 2).min(RETRY_MAX);
        }
    }
}

/// Some of the lines.
fn part(lines: &Lines, first: usize, count: usize) -> Lines {
    let mut part = Lines::new();
    for (key, line) in lines.iter().skip(first).take(count) {
        part.push_with(&String::from_utf8_lossy(key), |out| out.extend_from_slice(line));
    }
    part
}

#[cfg(test)]
#[path = "outlet_test.rs"]
mod tests;
