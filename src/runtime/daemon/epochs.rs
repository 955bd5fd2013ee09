//! Alerts on their way to a sink that is written exactly once: they wait for the checkpoint that has them, and leave epoch by epoch.

use super::hand::Aside;
use crate::{
    engine::checkpoint::{Epoch, SinkEpochs},
    io::sink::{Ends, Lines, alert_id},
};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// So many lines go into one transaction at least, if they are there; an epoch is never divided.
const LINES_TOGETHER: usize = 10_000;

/// Batches that were handed on between two checkpoints.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    pub(super) number: u64,
    pub(super) batches: Vec<Arc<Lines>>,
}

impl Batches {
    fn lines(&self) -> usize {
        self.batches.iter().map(|batch| batch.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes().len()).sum()
    }

    fn saved(&self) -> Epoch {
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        let lines = self.batches.iter().flat_map(|batch| batch.iter());
        Epoch { number: self.number, lines: lines.map(|(key, line)| (text(key), line.to_vec())).collect() }
    }

    pub(super) fn of(epoch: Epoch) -> Self {
        let Epoch { number, lines } = epoch;
        let mut batch = Lines::new();
        for (key, line) in &lines {
            batch.push_with(key, |out| out.extend_from_slice(line));
        }
        Self { number, batches: vec![Arc::new(batch)] }
    }
}

/// What a restart has found out about a sink, from its marker and the topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    /// The last epoch that was used.
    pub(super) number: u64,
    /// Ids of alerts that are in the topic and may be found again.
    pub(super) known: BTreeSet<String>,
    /// Epochs that were not committed.
    pub(super) waiting: Vec<Epoch>,
}

impl Opened {
    /// Compares a checkpoint with the marker. `ids` are those that the topic has of later epochs than the checkpoint's, where it had to be
    /// searched; `undelivered` what the sink had not acknowledged when it was not yet written exactly once.
    pub(super) fn decide(
        saved: Option<&SinkEpochs>,
        marker: u64,
        ids: Option<Vec<String>>,
        undelivered: &[(String, Vec<u8>)],
    ) -> Self {
        let mut number = marker;
        let (mut known, mut waiting) = (BTreeSet::new(), Vec::new());
        if let Some(saved) = saved {
            number = number.max(saved.number);
            known.extend(saved.known.iter().cloned());
            match ids {
                None => waiting = saved.waiting.iter().filter(|epoch| epoch.number > marker).cloned().collect(),
                Some(ids) => {
                    known.extend(ids);
                    number += 1;
                    let mut lines: Vec<(String, Vec<u8>)> =
                        saved.waiting.iter().flat_map(|epoch| epoch.lines.iter().cloned()).collect();
                    lines.retain(|(_, line)| !alert_id(line).is_some_and(|id| known.remove(&id)));
                    waiting = vec![Epoch { number, lines }];
                }
            }
        }
        if !undelivered.is_empty() {
            number += 1;
            waiting.push(Epoch { number, lines: undelivered.to_vec() });
        }
        waiting.retain(|epoch| !epoch.lines.is_empty());
        Self { number, known, waiting }
    }

    /// Whether the marker alone doesn't tell what of a checkpoint's lines is in the topic: it is of a later epoch, so that an earlier
    /// checkpoint than the last was gone back to, or it is gone.
    pub(super) fn must_search(saved: Option<&SinkEpochs>, marker: Option<u64>) -> bool {
        saved.is_some_and(|saved| marker.is_none_or(|marker| marker == 0 || marker > saved.number))
    }
}

/// Epochs that a durable checkpoint has, on their way to the sink's thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batches>,
    /// Of what waits.
    bytes: usize,
    ends: Ends,
    closed: bool,
    abandoned: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, epoch: Batches) {
        if epoch.lines() > 0 {
            let mut state = self.lock();
            state.bytes += epoch.bytes();
            state.waiting.push_back(epoch);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next epochs, as one with the number of the last; they stay here until they are committed. Waits for some; none when there will be none.
    pub(super) fn next(&self) -> Option<Batches> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed && !state.abandoned;
        let state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.abandoned {
            return None;
        }
        let mut next = state.waiting.front()?.clone();
        for epoch in state.waiting.iter().skip(1) {
            if next.lines() >= LINES_TOGETHER {
                break;
            }
            next.number = epoch.number;
            next.batches.extend(epoch.batches.iter().cloned());
        }
        Some(next)
    }

    /// Everything up to this epoch is in the topic.
    pub(super) fn committed(&self, number: u64, ends: Ends) {
        let mut state = self.lock();
        state.waiting.retain(|epoch| epoch.number > number);
        state.bytes = state.waiting.iter().map(Batches::bytes).sum();
        state.ends = ends;
    }

    pub(super) fn set_ends(&self, ends: Ends) {
        self.lock().ends = ends;
    }

    pub(super) fn unsent(&self) -> u64 {
        self.lock().waiting.iter().map(|epoch| epoch.lines() as u64).sum()
    }

    fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// No more is pushed.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody waits for the sink any longer.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// Sleeps; false as soon as it is abandoned.
    pub(super) fn nap(&self, span: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), span, |state| !state.abandoned);
        !waited.unwrap_or_else(PoisonError::into_inner).0.abandoned
    }
}

/// What the keeper holds of a sink that is written exactly once.
#[derive(Debug)]
pub(super) struct Epochs {
    sink: String,
    id: String,
    aside: Aside,
    queue: Arc<Queue>,
    /// The epoch of the last cut.
    number: u64,
    /// Handed on since.
    current: Vec<Arc<Lines>>,
    current_bytes: usize,
    /// In a cut that isn't known to be durable.
    sealed: Vec<Batches>,
    sealed_bytes: usize,
    known: BTreeSet<String>,
}

impl Epochs {
    /// Goes on from what was found; what was not committed goes to the queue at once, since the checkpoint that has it is durable.
    pub(super) fn new(sink: &str, id: &str, aside: Aside, queue: Arc<Queue>, opened: Opened) -> Self {
        let Opened { number, known, waiting } = opened;
        waiting.into_iter().for_each(|epoch| queue.push(Batches::of(epoch)));
        let (sink, id) = (sink.to_owned(), id.to_owned());
        let (current, sealed) = (Vec::new(), Vec::new());
        Self { sink, id, aside, queue, number, current, current_bytes: 0, sealed, sealed_bytes: 0, known }
    }

    /// Takes lines of this kind, but those that are in the topic already.
    pub(super) fn take(&mut self, batch: &Arc<Lines>, aside: Aside) {
        if self.aside != aside {
            return;
        }
        if self.known.is_empty() {
            self.push(Arc::clone(batch));
            return;
        }
        let mut rest = Lines::new();
        for (key, line) in batch.iter() {
            if !alert_id(line).is_some_and(|id| self.known.remove(&id)) {
                rest.push_with(&String::from_utf8_lossy(key), |out| out.extend_from_slice(line));
            }
        }
        if !rest.is_empty() {
            self.push(Arc::new(rest));
        }
    }

    fn push(&mut self, batch: Arc<Lines>) {
        self.current_bytes += batch.bytes().len();
        self.current.push(batch);
    }

    /// A checkpoint is taken: an epoch ends with it.
    pub(super) fn cut(&mut self) {
        self.number += 1;
        let batches = std::mem::take(&mut self.current);
        self.sealed_bytes += std::mem::take(&mut self.current_bytes);
        if !batches.is_empty() {
            self.sealed.push(Batches { number: self.number, batches });
        }
    }

    /// What the checkpoint has to have, after [`cut`](Self::cut): batches, to be put into words on the thread that writes.
    pub(super) fn held(&self) -> HeldEpochs {
        let state = self.queue.lock();
        HeldEpochs {
            sink: self.sink.clone(),
            id: self.id.clone(),
            number: self.number,
            ends: state.ends.clone(),
            known: self.known.iter().cloned().collect(),
            waiting: state.waiting.iter().chain(&self.sealed).cloned().collect(),
        }
    }

    /// The last cut is durable: what it has may leave.
    pub(super) fn durable(&mut self) {
        self.sealed_bytes = 0;
        self.sealed.drain(..).for_each(|epoch| self.queue.push(epoch));
    }

    /// Bytes that wait for the next cut, and all that wait.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.current_bytes, self.current_bytes + self.sealed_bytes + self.queue.bytes())
    }
}

/// What a checkpoint has of a sink.
#[derive(Debug)]
pub(super) struct HeldEpochs {
    sink: String,
    id: String,
    number: u64,
    ends: Ends,
    known: Vec<String>,
    waiting: Vec<Batches>,
}

impl HeldEpochs {
    pub(super) fn saved(self) -> SinkEpochs {
        let Self { sink, id, number, ends, known, waiting } = self;
        let waiting = waiting.iter().map(Batches::saved).collect();
        SinkEpochs { sink, id, number, ends: ends.into_iter().collect(), known, waiting }
    }
}

#[cfg(test)]
#[path = "epochs_test.rs"]
mod tests;
