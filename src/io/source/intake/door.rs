//! Where records are handed in, and the thread that makes them durable.

use super::{JournalError, Records, journal::Journal, segment::RECORD_MAX};
use crate::io::source::Durable;
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How often the thread looks what checkpoints have, and whether a log that couldn't be written can be.
const LOOK: Duration = Duration::from_millis(200);
/// In how many looks a log that couldn't be written is tried.
const PROBE_EVERY: u32 = 5;
/// How many batches may wait for the thread; they are made durable together.
const ORDERS: usize = 256;
/// How large a segment of the log becomes.
const SEGMENT_BYTES: u64 = 16 << 20;

/// How an intake holds what it takes.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// The directory of the log; none: in memory.
    pub dir: Option<PathBuf>,
    /// The number of the next record that a checkpoint waits for.
    pub from: u64,
    /// How many bytes of records may wait for the engine.
    pub waiting_bytes_max: u64,
    /// How large the log may become, bytes.
    pub log_bytes_max: u64,
    /// What durable checkpoints have, and how many of them are kept: the log holds what the oldest still needs.
    pub durable: Durable,
    /// How many checkpoints are kept.
    pub retain: usize,
}

/// Why records were not taken: none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too much waits for the engine.
    #[error("{bytes} bytes of records wait for the engine: there is no room for more")]
    Full {
        /// How much waits.
        bytes: u64,
    },
    /// The log is as large as it may become, as no checkpoint has what is in it.
    #[error("the log holds {bytes} bytes that no checkpoint has yet: there is no room for more")]
    LogFull {
        /// How large it is.
        bytes: u64,
    },
    /// The process stops.
    #[error("geocep is shutting down")]
    Closed,
    /// The log can't be written.
    #[error("the log of what came in can't be written: {0}")]
    Log(String),
    /// A record is longer than any may be.
    #[error("a record is longer than 1 GiB")]
    TooLong,
}

/// Told what became of records.
pub type Answer = Box<dyn FnOnce(Result<(), NotTaken>) + Send>;

pub(super) struct Order {
    records: Records,
    answer: Answer,
}

/// What the door, its thread and the source share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Records below this number are durable, and may be read.
    pub(super) end: u64,
    /// Bytes of records that were taken by this process and not read yet.
    pub(super) waiting_bytes: u64,
    /// The size of the log.
    pub(super) log_bytes: u64,
    /// Without a log: the records.
    pub(super) memory: VecDeque<Box<[u8]>>,
    /// Nothing is taken any more.
    pub(super) closed: bool,
    /// Why the log can't be written just now.
    pub(super) trouble: Option<String>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to read from `next` on, or news.
    pub(super) fn wait(&self, next: u64, patience: Duration) -> MutexGuard<'_, State> {
        let nothing = |state: &mut State| state.end <= next && !state.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, nothing);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Takes records for one source. Clones are the same intake.
#[derive(Clone, Debug)]
pub struct Intake {
    shared: Arc<Shared>,
    orders: Option<mpsc::SyncSender<Order>>,
    waiting_bytes_max: u64,
    log_bytes_max: u64,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

impl Intake {
    /// Opens the log, if there is one, and starts its thread.
    pub(super) fn open(name: &str, options: &IntakeOptions) -> Result<(Self, Arc<Shared>), JournalError> {
        let shared = Arc::new(Shared::default());
        let mut orders = None;
        if let Some(dir) = &options.dir {
            let journal = Journal::open(dir, options.from, SEGMENT_BYTES)?;
            {
                let mut state = shared.lock();
                (state.end, state.log_bytes) = (journal.next(), journal.bytes());
            }
            let (sender, todo) = mpsc::sync_channel(ORDERS);
            let writer = Writer {
                journal,
                shared: Arc::clone(&shared),
                durable: options.durable.clone(),
                checkpoints: VecDeque::new(),
                retain: options.retain.max(1),
                looks: 0,
            };
            let failed = |error| JournalError::File { path: dir.clone(), error };
            thread::Builder::new().name(format!("log {name}")).spawn(move || writer.work(&todo)).map_err(failed)?;
            orders = Some(sender);
        }
        let IntakeOptions { waiting_bytes_max, log_bytes_max, .. } = *options;
        let intake = Self { shared: Arc::clone(&shared), orders, waiting_bytes_max, log_bytes_max };
        Ok((intake, shared))
    }

    /// Whether what is taken survives the process.
    pub fn is_durable(&self) -> bool {
        self.orders.is_some()
    }

    /// How many bytes of records wait for the engine, and the size of the log.
    pub fn load(&self) -> (u64, u64) {
        let state = self.shared.lock();
        (state.waiting_bytes, state.log_bytes)
    }

    /// Hands in records: all of them or none. Never waits; `answer` is called when they are durable (without a log: taken), or turn out not to be.
    ///
    /// # Errors
    /// They aren't taken, and `answer` isn't called.
    pub fn submit(&self, records: Records, answer: Answer) -> Result<(), NotTaken> {
        if records.iter().any(|record| record.len() > RECORD_MAX) {
            return Err(NotTaken::TooLong);
        }
        let bytes = records.byte_len() as u64;
        let mut state = self.shared.lock();
        if state.closed {
            return Err(NotTaken::Closed);
        }
        // A batch that is larger than the bound is taken when nothing else waits.
        if state.waiting_bytes > 0 && state.waiting_bytes.saturating_add(bytes) > self.waiting_bytes_max {
            return Err(NotTaken::Full { bytes: state.waiting_bytes });
        }
        let Some(orders) = &self.orders else {
            state.waiting_bytes += bytes;
            state.memory.extend(records.iter().map(Box::from));
            state.end += records.len() as u64;
            drop(state);
            self.shared.changed.notify_all();
            answer(Ok(()));
            return Ok(());
        };
        if state.log_bytes.saturating_add(bytes) > self.log_bytes_max {
            return Err(NotTaken::LogFull { bytes: state.log_bytes });
        }
        match orders.try_send(Order { records, answer }) {
            Ok(()) => {
                state.waiting_bytes += bytes;
                Ok(())
            }
            Err(mpsc::TrySendError::Full(_)) => Err(NotTaken::Full { bytes: state.waiting_bytes }),
            Err(mpsc::TrySendError::Disconnected(_)) => Err(NotTaken::Closed),
        }
    }
}

/// The thread that owns the log.
struct Writer {
    journal: Journal,
    shared: Arc<Shared>,
    durable: Durable,
    /// Offsets of the last checkpoints, the oldest first.
    checkpoints: VecDeque<u64>,
    retain: usize,
    looks: u32,
}

impl Writer {
    /// Works until nobody can hand in anything any more.
    fn work(mut self, todo: &mpsc::Receiver<Order>) {
        loop {
            match todo.recv_timeout(LOOK) {
                Ok(first) => {
                    let mut orders = vec![first];
                    orders.extend(todo.try_iter().take(ORDERS));
                    self.append(orders);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.probe(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.release();
        }
    }

    fn append(&mut self, orders: Vec<Order>) {
        let result = self.journal.append(orders.iter().map(|order| &order.records));
        let bytes: u64 = orders.iter().map(|order| order.records.byte_len() as u64).sum();
        {
            let mut state = self.shared.lock();
            (state.end, state.log_bytes) = (self.journal.next(), self.journal.bytes());
            match &result {
                Ok(()) => state.trouble = None,
                Err(error) => {
                    state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
                    state.trouble = Some(error.to_string());
                }
            }
        }
        self.shared.changed.notify_all();
        if let Err(error) = &result {
            tracing::error!(%error, "the log of what came in can't be written: nothing is taken");
        }
        for Order { answer, .. } in orders {
            answer(result.as_ref().copied().map_err(|error| NotTaken::Log(error.to_string())));
        }
    }

    /// Nobody may try again: the log finds out by itself whether it can be written.
    fn probe(&mut self) {
        if self.shared.lock().trouble.is_none() {
            return;
        }
        self.looks += 1;
        if self.looks.is_multiple_of(PROBE_EVERY) && self.journal.probe().is_ok() {
            self.shared.lock().trouble = None;
        }
    }

    /// Lets go of what no checkpoint needs that may be gone back to.
    fn release(&mut self) {
        if let Some(&next) = self.durable.take().get(&0) {
            self.checkpoints.push_back(next);
            // Those of the process before aren't known: the first ones are only waited for.
            if self.checkpoints.len() > self.retain {
                self.checkpoints.pop_front();
                if let Some(&oldest) = self.checkpoints.front() {
                    self.journal.release(oldest);
                    self.shared.lock().log_bytes = self.journal.bytes();
                }
            }
        }
    }
}

/// For errors that are no journal's own.
impl From<JournalError> for io::Error {
    fn from(error: JournalError) -> Self {
        Self::other(error)
    }
}
