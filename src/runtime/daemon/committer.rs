//! A sink that is written exactly once, on a thread of its own: one transaction for each epoch that a durable checkpoint has.

use super::{
    epochs::{Opened, Queue},
    outlet::Reports,
};
use crate::{
    engine::checkpoint::{Epoch, SinkEpochs},
    io::sink::{KafkaTransactions, TransactionError},
    runtime::shutdown::Shutdown,
};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long to wait before what failed is tried again; doubled with each up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether a stop was asked for while the broker is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// A sink that runs.
pub(super) struct Committer {
    pub(super) sink: String,
    pub(super) id: String,
    pub(super) queue: Arc<Queue>,
    opened: mpsc::Receiver<Opened>,
    done: mpsc::Receiver<()>,
    /// Why it can't go on, for good.
    failure: Arc<Mutex<Option<String>>>,
}

/// What a checkpoint has of a sink.
#[derive(Debug, Default)]
pub(super) struct SavedSink {
    pub(super) epochs: Option<SinkEpochs>,
    /// What it had not acknowledged, where it was not yet written exactly once.
    pub(super) undelivered: Vec<(String, Vec<u8>)>,
}

impl Committer {
    /// Starts the thread, which asks first what was committed by an earlier run.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(
        name: &str,
        transactions: KafkaTransactions,
        saved: SavedSink,
        reports: Reports,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let failure = Arc::new(Mutex::new(None));
        let (tell, opened) = mpsc::channel();
        let (sender, done) = mpsc::channel();
        let id = transactions.id().to_owned();
        let (own, failed) = (Arc::clone(&queue), Arc::clone(&failure));
        thread::Builder::new().name(format!("sink {name}")).spawn(move || {
            let mut worker = Worker { transactions, queue: own, reports };
            let ended = worker.work(&saved, &tell);
            let Worker { reports, .. } = worker;
            match ended {
                Ok(()) => reports.watched.ended(),
                Err(GivenUp::Abandoned) => reports.watched.failed("it did not take its lines in time"),
                Err(GivenUp::For(error)) => {
                    tracing::error!(%error, "stopping");
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    reports.shutdown.request();
                    reports.watched.failed(error.to_string());
                }
            }
            drop((sender, tell));
        })?;
        Ok(Self { sink: name.to_owned(), id, queue, opened, done, failure })
    }

    /// Waits until it is known what the topic has. None if a stop was asked for before, or it will never be.
    pub(super) fn open(&self, shutdown: &Shutdown) -> Option<Opened> {
        loop {
            match self.opened.recv_timeout(LOOK) {
                Ok(opened) => return Some(opened),
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) if shutdown.is_requested() => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Waits until everything is committed, `patience` at most, and then gives up. What is to be said of it, if that is not so.
    pub(super) fn finish(&self, patience: Duration) -> Option<String> {
        self.queue.close();
        // The thread never sends: the channel ends with it.
        if self.done.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.queue.abandon();
            let _ = self.done.recv_timeout(RETRY_MIN);
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unsent = self.queue.unsent();
        failure.or_else(|| {
            (unsent > 0).then(|| {
                format!(
                    "the sink `{}` did not commit {unsent} lines: a restart does, if their transaction hasn't been",
                    self.sink
                )
            })
        })
    }
}

struct Worker {
    transactions: KafkaTransactions,
    queue: Arc<Queue>,
    reports: Reports,
}

/// Why a sink's thread ends early.
enum GivenUp {
    /// Nobody waits for it any more.
    Abandoned,
    /// No patience helps.
    For(TransactionError),
}

impl Worker {
    fn work(&mut self, saved: &SavedSink, tell: &mpsc::Sender<Opened>) -> Result<(), GivenUp> {
        let mut marker = None;
        let opened = self.again(|sink, queue| {
            // Once this process has signed the marker it has one.
            let found = sink.begin()?;
            let marker = *marker.get_or_insert(found);
            open(sink, queue, saved, marker)
        })?;
        self.reports.watched.ready();
        let _ = tell.send(opened);
        while let Some(next) = self.queue.next() {
            let lines: usize = next.batches.iter().map(|batch| batch.len()).sum();
            let done = self.again(|sink, _| sink.commit(next.number, &next.batches))?;
            for (_, line) in next
                .batches
                .iter()
                .flat_map(|batch| batch.iter())
                .enumerate()
                .filter_map(|(at, line)| done.refused.contains(&at).then_some(line))
            {
                self.reports.figures.add_errors(1);
                let text = String::from_utf8_lossy(line).into_owned();
                tracing::error!(sink = self.transactions.topic(), line = text, "a line can't be delivered, ever");
            }
            tracing::debug!(sink = self.transactions.topic(), epoch = next.number, lines, "committed");
            self.reports.figures.add_written(lines.saturating_sub(done.refused.len()) as u64);
            self.queue.committed(next.number, done.ends);
        }
        Ok(())
    }

    /// Does something until it succeeds.
    fn again<T>(
        &mut self,
        mut what: impl FnMut(&mut KafkaTransactions, &Queue) -> Result<T, TransactionError>,
    ) -> Result<T, GivenUp> {
        let mut retry = RETRY_MIN;
        let mut troubled = false;
        loop {
            let error = match what(&mut self.transactions, &self.queue) {
                Ok(found) => {
                    if troubled {
                        tracing::info!(sink = self.transactions.topic(), "it works again");
                        self.reports.watched.ready();
                    }
                    return Ok(found);
                }
                Err(error @ TransactionError::Away { .. }) => error,
                Err(error) => return Err(GivenUp::For(error)),
            };
            self.reports.figures.add_errors(1);
            tracing::warn!(sink = self.transactions.topic(), %error, "trying again in {} ms", retry.as_millis());
            self.reports.watched.retrying(error.to_string());
            troubled = true;
            if !self.queue.nap(retry) {
                return Err(GivenUp::Abandoned);
            }
            retry = (retry * 2).min(RETRY_MAX);
        }
    }
}

/// Finds out what of a checkpoint's lines is in the topic.
fn open(
    sink: &mut KafkaTransactions,
    queue: &Queue,
    saved: &SavedSink,
    marker: Option<u64>,
) -> Result<Opened, TransactionError> {
    let SavedSink { epochs, undelivered } = saved;
    let id = sink.id().to_owned();
    let mut ids = None;
    match epochs {
        Some(epochs) => {
            let ends = epochs.ends.iter().copied().collect();
            if Opened::must_search(Some(epochs), marker) {
                tracing::info!(
                    id,
                    marker = marker.unwrap_or(0),
                    checkpoint = epochs.number,
                    "the marker isn't of this checkpoint: searching the topic for what was committed since"
                );
                ids = Some(sink.committed_ids(&ends)?);
            }
            sink.set_ends(&ends);
            queue.set_ends(ends);
        }
        None => {
            if let Some(marker) = marker.filter(|marker| *marker > 0) {
                tracing::warn!(
                    id,
                    marker,
                    "there is no checkpoint of what an earlier run has sent: what is read again is found and sent again"
                );
            }
            queue.set_ends(sink.topic_ends()?);
        }
    }
    let searched = ids.as_ref().map(Vec::len);
    let opened = Opened::decide(epochs.as_ref(), marker.unwrap_or(0), ids, undelivered);
    let lines = |epochs: &[Epoch]| epochs.iter().map(|epoch| epoch.lines.len()).sum::<usize>();
    let (had, to_send) = (epochs.as_ref().map_or(0, |epochs| lines(&epochs.waiting)), lines(&opened.waiting));
    tracing::info!(
        id,
        marker = marker.unwrap_or(0),
        epoch = opened.number,
        to_send,
        committed = (had + undelivered.len()).saturating_sub(to_send),
        searched,
        "exactly once: what the checkpoint had waiting was compared with what was committed"
    );
    Ok(opened)
}
