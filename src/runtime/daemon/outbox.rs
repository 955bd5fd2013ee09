//! The queue between the driver and a sink's thread: bounded by bytes, never lossy by itself.

use super::spool::Spool;
use crate::{io::sink::Lines, runtime::bulletin::Bulletin};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many bytes of lines wait for one sink before the driver waits, too.
pub(super) const OUTBOX_BYTES: usize = 64 << 20;

/// Batches of lines on their way to a sink.
#[derive(Debug)]
pub(super) struct Outbox {
    limit: usize,
    /// Who has the lines instead, where they are kept on disk or shown to readers.
    elsewhere: Option<Elsewhere>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Where lines go that don't wait here.
#[derive(Debug)]
enum Elsewhere {
    /// The durable queue of a receiver.
    Spool(Arc<Spool>),
    /// Those who watch: nobody waits for them.
    Shown(Arc<Bulletin>),
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<Lines>>,
    /// Batches that the sink was given and hasn't acknowledged.
    given: Vec<Arc<Lines>>,
    bytes: usize,
    /// Lines that were pushed, and those that the sink has for certain.
    pushed: u64,
    acknowledged: u64,
    /// No more is pushed.
    closed: bool,
    /// Nobody waits for the sink any longer.
    abandoned: bool,
    /// Nobody wants the lines any longer.
    unwanted: bool,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, elsewhere: None, state: Mutex::default(), changed: Condvar::new() }
    }

    /// One whose lines are in a durable queue.
    pub(super) fn spooled(spool: Arc<Spool>) -> Self {
        Self { elsewhere: Some(Elsewhere::Spool(spool)), ..Self::new(0) }
    }

    /// One whose lines are shown.
    pub(super) fn shown(bulletin: Arc<Bulletin>) -> Self {
        Self { elsewhere: Some(Elsewhere::Shown(bulletin)), ..Self::new(0) }
    }

    /// Adds a batch; waits while there is no room. A batch larger than the limit waits for an empty queue. Once abandoned, nothing is
    /// waited for: the lines are only kept as never acknowledged.
    pub(super) fn push(&self, lines: &Arc<Lines>) {
        match &self.elsewhere {
            Some(Elsewhere::Spool(spool)) => return spool.push(lines),
            Some(Elsewhere::Shown(bulletin)) => return bulletin.push(lines),
            None => {}
        }
        let size = lines.bytes().len();
        let full = |state: &mut State| {
            !state.abandoned && !state.queue.is_empty() && state.bytes.saturating_add(size) > self.limit
        };
        let mut state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        state.pushed += lines.len() as u64;
        if !state.unwanted {
            state.bytes += size;
            state.queue.push_back(Arc::clone(lines));
            self.changed.notify_all();
        }
    }

    /// The next batch; waits for one. None when there will be none.
    pub(super) fn next(&self) -> Option<Arc<Lines>> {
        let empty = |state: &mut State| state.queue.is_empty() && !state.closed && !state.abandoned;
        let mut state = self.changed.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        // What is left when nobody waits any longer stays here, for the last checkpoint.
        if state.abandoned {
            return None;
        }
        let lines = state.queue.pop_front()?;
        state.bytes -= lines.bytes().len();
        state.given.push(Arc::clone(&lines));
        self.changed.notify_all();
        Some(lines)
    }

    /// Whether the next batch has yet to come.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// The sink has so many more lines for certain, and is done with all batches that it was given.
    pub(super) fn acknowledge(&self, lines: u64) {
        let mut state = self.lock();
        state.acknowledged += lines;
        state.given.clear();
    }

    /// The batches that the sink doesn't have for certain, whole, in order; none that are on disk anyway.
    pub(super) fn unacknowledged_lines(&self) -> Vec<Arc<Lines>> {
        if let Some(Elsewhere::Spool(spool)) = &self.elsewhere {
            return spool.volatile();
        }
        let state = self.lock();
        if state.unwanted { Vec::new() } else { state.given.iter().chain(&state.queue).cloned().collect() }
    }

    /// Lines that the sink doesn't have for certain, and that are on no disk.
    pub(super) fn unacknowledged(&self) -> u64 {
        if let Some(Elsewhere::Spool(spool)) = &self.elsewhere {
            return spool.waiting().0;
        }
        let state = self.lock();
        if state.unwanted { 0 } else { state.pushed.saturating_sub(state.acknowledged) }
    }

    /// Lines that wait on disk: the next run sends them.
    pub(super) fn left(&self) -> u64 {
        match &self.elsewhere {
            Some(Elsewhere::Spool(spool)) => {
                let (volatile, all) = spool.waiting();
                all - volatile
            }
            _ => 0,
        }
    }

    /// Makes what is on disk durable: before a checkpoint counts it as delivered.
    ///
    /// # Errors
    /// The system says no.
    pub(super) fn sync(&self) -> io::Result<()> {
        match &self.elsewhere {
            Some(Elsewhere::Spool(spool)) => spool.sync(),
            _ => Ok(()),
        }
    }

    /// The run came to its end by itself, and all is delivered.
    pub(super) fn ended(&self) {
        if let Some(Elsewhere::Spool(spool)) = &self.elsewhere {
            spool.ended();
        }
    }

    /// No more is pushed: the sink's thread ends when it has written what is there.
    pub(super) fn close(&self) {
        if let Some(Elsewhere::Spool(spool)) = &self.elsewhere {
            spool.close();
        }
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Gives up: nobody waits any more, and the sink gets no more.
    pub(super) fn abandon(&self) {
        if let Some(Elsewhere::Spool(spool)) = &self.elsewhere {
            spool.abandon();
        }
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// Nobody reads the sink any more: what it didn't take is no loss.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.unwanted = true;
        state.queue.clear();
        state.given.clear();
        state.bytes = 0;
        drop(state);
        self.abandon();
    }

    /// Sleeps; false as soon as the outbox is abandoned.
    pub(super) fn nap(&self, span: Duration) -> bool {
        let waiting = |state: &mut State| !state.abandoned;
        let waited = self.changed.wait_timeout_while(self.lock(), span, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.abandoned
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn batch(text: &str) -> Arc<Lines> {
        let mut lines = Lines::new();
        lines.push_with("", |out| out.extend_from_slice(text.as_bytes()));
        Arc::new(lines)
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_and_then_the_end() {
        let outbox = Outbox::new(1_000);
        for text in ["a", "b", "c"] {
            outbox.push(&batch(text));
        }
        outbox.close();
        let found: Vec<u8> = std::iter::from_fn(|| outbox.next()).flat_map(|lines| lines.bytes().to_vec()).collect();
        assert_eq!(found, b"a\nb\nc\n");
        assert_eq!(outbox.unacknowledged(), 3);
        outbox.acknowledge(3);
        assert_eq!(outbox.unacknowledged(), 0);
    }

    #[test]
    fn a_full_outbox_holds_the_driver_back_until_there_is_room() {
        let outbox = Arc::new(Outbox::new(4));
        outbox.push(&batch("a batch larger than the limit"));
        let other = Arc::clone(&outbox);
        let pushing = thread::spawn(move || other.push(&batch("b")));
        thread::sleep(Duration::from_millis(50));
        assert!(!pushing.is_finished());
        assert!(outbox.next().is_some());
        pushing.join().unwrap();
        assert_eq!(outbox.next().unwrap().bytes(), b"b\n");
    }

    #[test]
    fn abandoned_nobody_waits_and_the_loss_is_known() {
        let outbox = Arc::new(Outbox::new(1));
        outbox.push(&batch("a"));
        let other = Arc::clone(&outbox);
        let pushing = thread::spawn(move || other.push(&batch("b")));
        outbox.abandon();
        pushing.join().unwrap();
        outbox.push(&batch("c"));
        assert!(!outbox.nap(Duration::from_secs(60)) && outbox.next().is_none());
        assert_eq!(outbox.unacknowledged(), 3);
        assert_eq!(outbox.unacknowledged_lines().len(), 3);
        outbox.retire();
        assert!(outbox.unacknowledged_lines().is_empty());
    }

    #[test]
    fn what_the_sink_was_given_stays_known_until_it_says_that_it_has_it() {
        let outbox = Outbox::new(1_000);
        let known = |outbox: &Outbox| {
            let lines = outbox.unacknowledged_lines();
            lines.iter().flat_map(|lines| lines.bytes().to_vec()).collect::<Vec<u8>>()
        };
        ["a", "b", "c"].iter().for_each(|text| outbox.push(&batch(text)));
        assert!(outbox.next().is_some() && outbox.next().is_some());
        assert_eq!(known(&outbox), b"a\nb\nc\n");
        outbox.acknowledge(2);
        assert_eq!(known(&outbox), b"c\n");
    }
}
