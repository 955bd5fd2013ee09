//! Who sees to checkpoints: says when one is due, has it written on a thread of its own, and tells what became of it.

use super::{
    epochs::{Epochs, HeldEpochs},
    hand::Aside,
    outbox::{OUTBOX_BYTES, Outbox},
};
use crate::{
    engine::{
        Cut,
        checkpoint::{Head, Place, Position, SinkEpochs, Undelivered},
    },
    io::{
        sink::Lines,
        source::Durable,
        state::{CheckpointWriter, Contents, StateDir, Written},
    },
    runtime::{
        clock::Clock,
        telemetry::{CheckpointFigures, Watched},
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A sink's outbox by the sink's name.
pub(super) type Outboxes = Vec<(String, Arc<Outbox>)>;

/// With so many bytes held for sinks that are written exactly once a checkpoint is due before its time, so often at most.
const EPOCH_BYTES: usize = 8 << 20;
const EARLY: Duration = Duration::from_secs(1);

/// What a thread is asked to write.
struct Job {
    cut: Cut,
    /// The names behind its numbers, encoded.
    names: Arc<[u8]>,
    wall_ms: i64,
    places: Vec<Place>,
    /// Batches that sinks have not acknowledged.
    undelivered: Vec<(String, Vec<Arc<Lines>>)>,
    /// What sinks that are written exactly once have not committed.
    epochs: Vec<HeldEpochs>,
}

/// What became of it.
struct Done {
    result: io::Result<Written>,
    took: Duration,
    /// Offsets of the next messages, by source and partition.
    offsets: BTreeMap<String, BTreeMap<u32, u64>>,
}

/// What stays the same for all checkpoints of a process.
pub(super) struct Setting {
    /// The directory, taken.
    pub(super) dir: StateDir,
    pub(super) writer: CheckpointWriter,
    /// The head, but for the time.
    pub(super) head: Head,
    /// The names behind the numbers of the rules that run, encoded.
    pub(super) names: Vec<u8>,
    pub(super) interval: Duration,
    /// Files that sinks write, made durable before a checkpoint is.
    pub(super) files: Vec<PathBuf>,
    /// Of each source what is told of its durable offsets.
    pub(super) durable: BTreeMap<String, Durable>,
    pub(super) figures: CheckpointFigures,
}

/// A batch of alerts on its way to the sinks.
struct Held {
    batch: Arc<Lines>,
    aside: Aside,
    until: Until,
}

/// What a held batch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The batches before it.
    Turn,
    /// A checkpoint that has it.
    Cut,
    /// The checkpoint that is being written.
    Written,
}

/// Checkpoints of a running daemon.
///
/// What the wall clock brought about can't be found again by a restart that reads the same events: such alerts leave when a checkpoint is
/// durable that has them, and those that come after them wait behind them.
pub(super) struct Keeper {
    dir: StateDir,
    interval: Duration,
    outboxes: Outboxes,
    /// Those of alerts among them, and those of alerts of rules in shadow mode.
    alerts: Vec<Arc<Outbox>>,
    shadow: Vec<Arc<Outbox>>,
    /// Sinks that are written exactly once: all that they get waits for a checkpoint.
    epochs: Vec<Epochs>,
    names: Arc<[u8]>,
    /// Whether other rules run than at the last cut: under these a restart would make nothing of what the old ones still have to end.
    renamed: bool,
    held: VecDeque<Held>,
    jobs: Option<mpsc::SyncSender<Job>>,
    done: mpsc::Receiver<Done>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
    /// When the last one was begun.
    begun: Duration,
    durable: BTreeMap<String, Durable>,
    figures: CheckpointFigures,
    watched: Option<Watched>,
    clock: Arc<dyn Clock>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(
        setting: Setting,
        outboxes: Outboxes,
        (alerts, shadow): (Vec<Arc<Outbox>>, Vec<Arc<Outbox>>),
        epochs: Vec<Epochs>,
        watched: Watched,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let Setting { dir, mut writer, head, names, interval, files, durable, figures } = setting;
        let (jobs, todo) = mpsc::sync_channel::<Job>(1);
        let (sender, done) = mpsc::channel();
        let timer = Arc::clone(&clock);
        let synced: Vec<Arc<Outbox>> = outboxes.iter().map(|(_, outbox)| Arc::clone(outbox)).collect();
        let thread = thread::Builder::new().name("checkpoints".to_owned()).spawn(move || {
            for job in todo {
                let began = timer.monotonic();
                let offsets = offsets(&job.places);
                let head = Head { wall_ms: job.wall_ms, ..head.clone() };
                // What it counts as delivered has to be on disk before it is.
                let result = synced.iter().try_for_each(|outbox| outbox.sync());
                let result = result.and_then(|()| write(&mut writer, &head, &files, job));
                let took = timer.monotonic().saturating_sub(began);
                if sender.send(Done { result, took, offsets }).is_err() {
                    return;
                }
            }
        })?;
        watched.ready();
        Ok(Self {
            dir,
            interval,
            outboxes,
            alerts,
            shadow,
            epochs,
            names: names.into(),
            renamed: false,
            held: VecDeque::new(),
            jobs: Some(jobs),
            done,
            thread: Some(thread),
            busy: false,
            begun: clock.monotonic(),
            durable,
            figures,
            watched: Some(watched),
            clock,
        })
    }

    /// Hears what became of the last one. Whether the next is due.
    pub(super) fn is_due(&mut self) -> bool {
        while let Ok(done) = self.done.try_recv() {
            self.heard(done);
        }
        if self.busy {
            return false;
        }
        let since = self.clock.monotonic().saturating_sub(self.begun);
        let asked = self.held.iter().any(|held| held.until == Until::Cut);
        let early = || since >= EARLY && self.epochs.iter().any(|sink| sink.bytes().0 >= EPOCH_BYTES);
        asked || self.renamed || since >= self.interval || early()
    }

    /// Whether a sink that is written exactly once holds as much as it may: nothing more is read until some of it has left.
    pub(super) fn is_full(&self) -> bool {
        self.epochs.iter().any(|sink| sink.bytes().1 >= OUTBOX_BYTES)
    }

    /// Whether there are sinks that are written exactly once.
    pub(super) fn has_epochs(&self) -> bool {
        !self.epochs.is_empty()
    }

    /// Takes alerts on their way to the sinks, which the wall clock brought about or not.
    pub(super) fn hand_on(&mut self, batch: Arc<Lines>, aside: Aside, by_wall: bool) {
        self.epochs.iter_mut().for_each(|sink| sink.take(&batch, aside));
        if self.outboxes_of(aside).is_empty() {
            return;
        }
        let until = if by_wall { Until::Cut } else { Until::Turn };
        self.held.push_back(Held { batch, aside, until });
        self.release();
    }

    /// What waited for the checkpoint at hand may go, written or not: alerts are worth more than that a restart finds the same.
    fn let_go(&mut self) {
        for held in self.held.iter_mut().filter(|held| held.until == Until::Written) {
            held.until = Until::Turn;
        }
        self.release();
    }

    fn outboxes_of(&self, aside: Aside) -> &[Arc<Outbox>] {
        match aside {
            Aside::No => &self.alerts,
            Aside::Yes => &self.shadow,
        }
    }

    /// Other rules run from now on, with these names behind their numbers, encoded: a checkpoint is due.
    pub(super) fn rename(&mut self, names: Vec<u8>) {
        (self.names, self.renamed) = (names.into(), true);
    }

    /// Lets go of what waits for nothing any more.
    fn release(&mut self) {
        while self.held.front().is_some_and(|held| held.until == Until::Turn) {
            if let Some(held) = self.held.pop_front() {
                self.outboxes_of(held.aside).iter().for_each(|outbox| outbox.push(&held.batch));
            }
        }
    }

    /// The stream has ended or stops: what is held goes to the sinks.
    pub(super) fn release_all(&mut self) {
        self.wait();
        self.held.iter_mut().for_each(|held| held.until = Until::Turn);
        self.release();
    }

    /// Has a cut written; `pause` is how long the stream stood still for it.
    pub(super) fn keep(&mut self, cut: Cut, places: Vec<Place>, pause: Duration) {
        (self.begun, self.renamed) = (self.clock.monotonic(), false);
        self.figures.paused(pause);
        let of_sink = |(name, outbox): &(String, Arc<Outbox>)| {
            let mut batches = outbox.unacknowledged_lines();
            let goes = |held: &&Held| self.outboxes_of(held.aside).iter().any(|own| Arc::ptr_eq(own, outbox));
            batches.extend(self.held.iter().filter(goes).map(|held| Arc::clone(&held.batch)));
            (name.clone(), batches)
        };
        let undelivered = self.outboxes.iter().map(of_sink).collect();
        for held in self.held.iter_mut().filter(|held| held.until == Until::Cut) {
            held.until = Until::Written;
        }
        self.epochs.iter_mut().for_each(Epochs::cut);
        let epochs = self.epochs.iter().map(Epochs::held).collect();
        let (names, wall_ms) = (Arc::clone(&self.names), self.clock.wall_ms());
        let job = Job { cut, names, wall_ms, places, undelivered, epochs };
        // The thread takes one at a time, and is only asked when it has nothing to do.
        self.busy = self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok());
        if !self.busy {
            tracing::error!("the thread that writes checkpoints is gone: please report this");
            self.let_go();
        }
    }

    fn heard(&mut self, done: Done) {
        self.busy = false;
        self.let_go();
        match done.result {
            Ok(written) => {
                let Written { number, bytes, blocks } = written;
                tracing::debug!(number, bytes, wrote = blocks.0, kept = blocks.1, took = ?done.took, "checkpoint");
                self.figures.written(bytes, done.took);
                self.epochs.iter_mut().for_each(Epochs::durable);
                if let Some(watched) = &self.watched {
                    watched.ready();
                }
                for (source, offsets) in done.offsets {
                    if let Some(durable) = self.durable.get(&source) {
                        durable.set(offsets);
                    }
                }
            }
            Err(error) => {
                let dir = self.dir.path().display();
                tracing::error!(%error, "no checkpoint could be written to `{dir}`: the run goes on, and a restart would begin with the last one that could");
                self.figures.failed();
                if let Some(watched) = &self.watched {
                    watched.retrying(format!("no checkpoint can be written: {error}"));
                }
            }
        }
    }

    fn wait(&mut self) {
        if self.busy
            && let Ok(done) = self.done.recv()
        {
            self.heard(done);
        }
    }

    /// The last checkpoint: waits for the one that is being written, and for this one. Whether it is durable.
    pub(super) fn keep_last(&mut self, cut: Cut, places: Vec<Place>) -> bool {
        self.wait();
        let before = self.figures.count();
        self.keep(cut, places, Duration::ZERO);
        self.wait();
        self.figures.count() > before
    }

    /// The run has come to its end: nothing is left to go on from.
    pub(super) fn forget(mut self) {
        self.wait();
        self.end();
        if let Err(error) = self.dir.clear() {
            tracing::warn!(%error, "checkpoints of a run that has ended could not be removed");
        }
    }

    /// Lets go of what is there.
    pub(super) fn leave(mut self) {
        self.wait();
        self.end();
    }

    fn end(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(watched) = self.watched.take() {
            watched.ended();
        }
    }
}

fn write(writer: &mut CheckpointWriter, head: &Head, files: &[PathBuf], job: Job) -> io::Result<Written> {
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    let of_sink = |(sink, batches): (String, Vec<Arc<Lines>>)| Undelivered {
        sink,
        lines: batches.iter().flat_map(|batch| batch.iter()).map(|(key, line)| (text(key), line.to_vec())).collect(),
    };
    let undelivered: Vec<Undelivered> = job.undelivered.into_iter().map(of_sink).collect();
    let epochs: Vec<SinkEpochs> = job.epochs.into_iter().map(HeldEpochs::saved).collect();
    let (names, places) = (&*job.names, &*job.places);
    let contents = Contents { head, names, places, undelivered: &undelivered, epochs: &epochs };
    writer.write(&contents, job.cut, files)
}

fn offsets(places: &[Place]) -> BTreeMap<String, BTreeMap<u32, u64>> {
    let mut offsets: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
    for place in places {
        if let Some(Position::Offset(next)) = place.position {
            offsets.entry(place.source.clone()).or_default().insert(place.partition, next);
        }
    }
    offsets
}
