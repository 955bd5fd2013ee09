//! The durable queue between the driver and a sink's receiver.
//!
//! What is pushed is in the log on disk when `push` returns, so a checkpoint needn't have it; what the log doesn't take (a full disk) stays in memory
//! and is the checkpoint's to keep, as with sinks that have no outbox. Either way nothing is lost, whenever the process is killed. A restart finds
//! alerts again that were pushed after its checkpoint: those that the log knows aren't put in twice.

use crate::{
    io::{
        outbox::{Fate, OutboxLog, Recovered, Slot},
        receiver::Parcel,
        sink::Lines,
    },
    runtime::{
        clock::Clock,
        config::WhenFull,
        telemetry::{Depth, OutboxFigures},
    },
    wire::alert_id_of,
};
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// So much of what is on disk is in memory, too, so that it needn't be read again.
const CACHE_BYTES: u64 = 8 << 20;

/// How much a spool takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpoolLimits {
    /// Bytes that may wait in all.
    pub(super) bytes: u64,
    /// Bytes that may wait in memory because the disk doesn't take them.
    pub(super) memory_bytes: u64,
    /// What happens when there are more.
    pub(super) full: WhenFull,
}

/// A queue of alerts, on disk if it has a log.
#[derive(Debug)]
pub(super) struct Spool {
    name: String,
    limits: SpoolLimits,
    clock: Arc<dyn Clock>,
    figures: OutboxFigures,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while files are synced: who comes second must not think that nothing is left to do.
    syncing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    log: Option<OutboxLog>,
    queue: VecDeque<Entry>,
    /// How many at the front are under way.
    given: usize,
    /// Bytes of the queue, of those that are in memory alone, and of those that are there as well.
    bytes: u64,
    volatile: u64,
    cached: u64,
    /// The number of the next alert, where there is no log.
    next: u64,
    /// Ids that aren't put in again.
    known: BTreeSet<u128>,
    /// The disk takes nothing.
    troubled: bool,
    closed: bool,
    abandoned: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    put_ms: i64,
    bytes: u32,
    slot: Option<Slot>,
    parcel: Option<Box<Parcel>>,
}

/// What is next.
#[derive(Debug)]
pub(super) enum Next {
    /// These, in order; each has to be settled.
    Parcels(Vec<Parcel>),
    /// Nothing came for so long.
    Nothing,
    /// There will be no more, or nobody waits for them.
    End,
}

impl Spool {
    /// A queue that goes on with what was in the log, or one in memory.
    pub(super) fn new(
        name: &str,
        log: Option<(OutboxLog, Recovered)>,
        limits: SpoolLimits,
        figures: OutboxFigures,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (log, recovered) = log.map_or((None, Recovered::default()), |(log, recovered)| (Some(log), recovered));
        let queue: VecDeque<Entry> = recovered
            .waiting
            .iter()
            .map(|found| Entry {
                number: found.number,
                put_ms: found.wall_ms,
                bytes: found.bytes,
                slot: Some(found.slot),
                parcel: None,
            })
            .collect();
        let state = State {
            log,
            given: 0,
            bytes: queue.iter().map(|entry| u64::from(entry.bytes)).sum(),
            queue,
            volatile: 0,
            cached: 0,
            next: 0,
            known: recovered.known,
            troubled: false,
            closed: false,
            abandoned: false,
        };
        let spool = Self {
            name: name.to_owned(),
            limits,
            clock,
            figures,
            state: Mutex::new(state),
            changed: Condvar::new(),
            syncing: Mutex::new(()),
        };
        spool.show(&spool.lock());
        spool
    }

    /// Takes alerts. Waits while there is no room, where the policy is to wait.
    pub(super) fn push(&self, lines: &Lines) {
        for (rule, line) in lines.iter() {
            self.push_one(rule, line);
        }
    }

    fn push_one(&self, rule: &[u8], line: &[u8]) {
        let id = alert_id_of(line).0;
        let bytes = u32::try_from(line.len().saturating_add(rule.len()).saturating_add(64)).unwrap_or(u32::MAX);
        let size = u64::from(bytes);
        let SpoolLimits { bytes: limit, memory_bytes, full } = self.limits;
        let no_room = |state: &mut State| {
            let is_full = full == WhenFull::Wait && state.bytes.saturating_add(size) > limit;
            let is_heavy = state.volatile > 0 && state.volatile.saturating_add(size) > memory_bytes;
            !state.abandoned && !state.queue.is_empty() && (is_full || is_heavy)
        };
        let mut state = self.lock();
        if state.known.contains(&id) {
            self.figures.was_known();
            return;
        }
        state = self.changed.wait_while(state, no_room).unwrap_or_else(PoisonError::into_inner);
        while full == WhenFull::DropOldest && state.bytes.saturating_add(size) > limit {
            if !self.drop_oldest(&mut state) {
                break;
            }
        }
        let rule = String::from_utf8_lossy(rule).into_owned();
        let put_ms = self.clock.wall_ms();
        let put = state.log.as_mut().map(|log| log.put(put_ms, id, &rule, line));
        let (number, slot) = match put {
            Some(Ok((number, slot))) => {
                if std::mem::take(&mut state.troubled) {
                    tracing::info!(sink = self.name, "its outbox can be written again");
                }
                (number, Some(slot))
            }
            Some(Err(error)) => {
                if !std::mem::replace(&mut state.troubled, true) {
                    tracing::error!(sink = self.name, %error, "its outbox can't be written: alerts wait in memory");
                }
                (u64::MAX, None)
            }
            None => {
                state.next += 1;
                (state.next - 1, None)
            }
        };
        let cached = slot.is_some() && state.cached.saturating_add(size) <= CACHE_BYTES;
        let parcel = (cached || slot.is_none()).then(|| Box::new(Parcel { id, rule, line: line.to_vec(), put_ms }));
        state.bytes += size;
        state.cached += if cached { size } else { 0 };
        state.volatile += if slot.is_none() { size } else { 0 };
        state.queue.push_back(Entry { number, put_ms, bytes, slot, parcel });
        self.show(&state);
        self.changed.notify_all();
    }

    /// Drops the oldest that isn't under way; whether there was one.
    fn drop_oldest(&self, state: &mut State) -> bool {
        let given = state.given;
        let Some(entry) = state.queue.remove(given) else { return false };
        state.left(&entry);
        self.figures.add_dropped(1);
        self.note(state, &[entry], &Fate::Dropped);
        true
    }

    /// The next alerts, `count` at most; waits for one, `patience` at most.
    pub(super) fn next(&self, count: usize, patience: Option<Duration>) -> Next {
        let idle = |state: &mut State| state.queue.is_empty() && !state.closed && !state.abandoned;
        let mut state = match patience {
            None => self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(self.lock(), patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let state = &mut *state;
        if state.abandoned || (state.queue.is_empty() && state.closed) {
            return Next::End;
        }
        let mut parcels = Vec::new();
        let mut bytes = 0u64;
        while parcels.len() < count && bytes < CACHE_BYTES {
            let Some(entry) = state.queue.get_mut(parcels.len()) else { break };
            let read = match (&entry.parcel, entry.slot, state.log.as_mut()) {
                (Some(parcel), ..) => Ok((**parcel).clone()),
                (None, Some(slot), Some(log)) => {
                    let (put_ms, read) = (entry.put_ms, log.read(slot));
                    read.map(|(id, rule, line)| Parcel { id, rule, line, put_ms })
                }
                _ => break,
            };
            match read {
                Ok(parcel) => {
                    bytes += u64::from(entry.bytes);
                    parcels.push(parcel);
                }
                // What was read once and can't be any more is lost, and nobody is to wait for it.
                Err(error) => {
                    tracing::error!(sink = self.name, %error, "an alert of the outbox can't be read: it is lost");
                    if let Some(entry) = state.queue.remove(parcels.len()) {
                        state.left(&entry);
                        self.figures.add_dropped(1);
                        self.note(state, &[entry], &Fate::Dropped);
                    }
                }
            }
        }
        state.given = parcels.len();
        if parcels.is_empty() { Next::Nothing } else { Next::Parcels(parcels) }
    }

    /// What became of the first `count` of those that are under way.
    pub(super) fn settle(&self, count: usize, fate: &Fate) {
        let mut state = self.lock();
        let state = &mut *state;
        let count = count.min(state.given);
        state.given -= count;
        let entries: Vec<Entry> = state.queue.drain(..count).collect();
        entries.iter().for_each(|entry| state.left(entry));
        self.note(state, &entries, fate);
        self.show(state);
        self.changed.notify_all();
    }

    /// Writes down what became of entries that have left the queue.
    fn note(&self, state: &mut State, entries: &[Entry], fate: &Fate) {
        let mut numbers = entries.iter().filter(|entry| entry.slot.is_some()).map(|entry| entry.number);
        let Some(first) = numbers.next() else { return };
        let last = numbers.next_back().unwrap_or(first);
        let waiting = state.queue.iter().find(|entry| entry.slot.is_some()).map(|entry| entry.number);
        let Some(log) = &mut state.log else { return };
        let oldest = waiting.unwrap_or_else(|| log.next());
        if let Err(error) = log.settle(self.clock.wall_ms(), (first, last), fate.clone(), oldest) {
            tracing::warn!(sink = self.name, %error, "its outbox can't be written: a restart would send again what it has");
        }
    }

    /// Makes durable what was written to the log.
    ///
    /// # Errors
    /// The system says no.
    pub(super) fn sync(&self) -> io::Result<()> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unsynced) = self.lock().log.as_mut().map(OutboxLog::unsynced) else { return Ok(()) };
        // Nobody waits for the disk meanwhile.
        let synced = unsynced.sync();
        if synced.is_err()
            && let Some(log) = &mut self.lock().log
        {
            log.still_unsynced(unsynced);
        }
        synced
    }

    /// The alerts that only memory holds, in order.
    pub(super) fn volatile(&self) -> Vec<Arc<Lines>> {
        let state = self.lock();
        let mut lines = Lines::new();
        for parcel in state.queue.iter().filter(|entry| entry.slot.is_none()).filter_map(|entry| entry.parcel.as_ref())
        {
            lines.push_with(&parcel.rule, |out| out.extend_from_slice(&parcel.line));
        }
        if lines.is_empty() { Vec::new() } else { vec![Arc::new(lines)] }
    }

    /// How many only memory holds, and how many wait in all.
    pub(super) fn waiting(&self) -> (u64, u64) {
        let state = self.lock();
        let volatile = state.queue.iter().filter(|entry| entry.slot.is_none()).count();
        (volatile as u64, state.queue.len() as u64)
    }

    /// Whether no more is pushed and all of it is on disk.
    pub(super) fn is_safe(&self) -> bool {
        let state = self.lock();
        state.closed && state.queue.iter().all(|entry| entry.slot.is_some())
    }

    /// The run came to its end and all is delivered: the next one begins anew.
    pub(super) fn ended(&self) {
        let ended = self.lock().log.as_mut().map(OutboxLog::ended);
        if let Some(Err(error)) = ended {
            tracing::warn!(sink = self.name, %error, "its outbox can't be written");
        }
        let _ = self.sync();
    }

    /// No more is pushed.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody waits any more.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// Sleeps; false as soon as nobody waits any more.
    pub(super) fn nap(&self, span: Duration) -> bool {
        let waiting = |state: &mut State| !state.abandoned;
        let waited = self.changed.wait_timeout_while(self.lock(), span, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.abandoned
    }

    fn show(&self, state: &State) {
        let oldest_ms = state.queue.front().map(|entry| entry.put_ms);
        self.figures.set_depth(Depth { alerts: state.queue.len() as u64, bytes: state.bytes, oldest_ms });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An entry has left the queue.
    fn left(&mut self, entry: &Entry) {
        let bytes = u64::from(entry.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        if entry.slot.is_none() {
            self.volatile = self.volatile.saturating_sub(bytes);
        } else if entry.parcel.is_some() {
            self.cached = self.cached.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
#[path = "spool_test.rs"]
mod tests;
