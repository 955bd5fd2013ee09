//! The one thread that owns the core: takes what sources deliver, tells the core of silence and time, hands on what it says.

use super::{
    feed::{Feed, Silence},
    keeper::Keeper,
    outbox::Outbox,
    quiet::Quiet,
    report::Report,
    store::Store,
    tables::Tables,
};
use crate::{
    engine::{
        AtEnd, Cut,
        checkpoint::{Place, Position},
    },
    io::source::Delivery,
    runtime::{
        clock::Clock,
        reload::Swap,
        replay::Summary,
        session::{LaneIx, Letters, Lines, Session},
        shutdown::Shutdown,
        telemetry::Telemetry,
    },
    wire::Chunk,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::sync::mpsc::Receiver;

/// How often silence and time are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often figures are brought up to date.
const REPORT: Duration = Duration::from_millis(250);
/// With so many events in the reorder buffers only the partition that the others wait for is read.
const WAITING_MAX: usize = 200_000;
/// How long sources that were told to stop may take; those that wait in a read can't hear it.
const STOP_GRACE: Duration = Duration::from_secs(5);
const READ_GRACE: Duration = Duration::from_millis(300);

/// Where the driver's outputs go.
pub(super) struct Outlets {
    pub(super) alerts: Vec<Arc<Outbox>>,
    pub(super) shadow: Vec<Arc<Outbox>>,
    pub(super) late: Option<Arc<Outbox>>,
    pub(super) dead: Option<Arc<Outbox>>,
}

/// All that the thread owns.
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) tables: Tables,
    pub(super) feeds: Vec<Feed>,
    pub(super) quiet: Quiet,
    pub(super) outlets: Outlets,
    pub(super) report: Report,
    pub(super) summary: Summary,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: Shutdown,
    /// Tells the sources to stop.
    pub(super) stop: Arc<AtomicBool>,
    /// The rules' names: keys of alerts, and for the summary.
    pub(super) rules: Vec<String>,
    /// Which rules are in shadow mode.
    pub(super) shadows: Vec<bool>,
    /// Which rules depend on when events arrive.
    pub(super) by_arrival: Vec<bool>,
    /// Of each lane its source and partition.
    pub(super) lanes: Vec<(String, u32)>,
    pub(super) lines: Lines,
    pub(super) letters: Letters,
    /// Projects that are to take the place of the running one.
    pub(super) swaps: Receiver<Swap>,
    /// What went wrong for good.
    pub(super) failures: Vec<String>,
    /// Who writes checkpoints, if there are any.
    pub(super) keeper: Option<Keeper>,
    /// Where keys go that memory is too small for, if anywhere.
    pub(super) store: Option<Store>,
    /// Where everything that was pushed ends, by source and partition.
    pub(super) places: BTreeMap<(String, u32), Position>,
}

/// The core and how far sources were read, at the end.
pub(super) type Last = (Cut, Vec<Place>);

/// What a run comes to.
pub(super) struct Outcome {
    /// The summary for people.
    pub(super) summary: String,
    /// Sources that failed.
    pub(super) failures: Vec<String>,
    /// Who writes the last checkpoint, and what it has beside what sinks have not taken; without a cut nothing waits for one.
    pub(super) keeper: Option<(Keeper, Option<Last>)>,
    /// Whether the run has come to its end.
    pub(super) at_end: AtEnd,
}

/// What the driver wakes for.
enum Wake {
    /// A source has something, or its thread is gone.
    Delivery(usize, Option<Delivery>),
    Swap(Box<Swap>),
    Stop,
    Tick,
}

impl Driver {
    /// Adds a partition of a feed to the session.
    pub(super) fn add_lane(&mut self, at: usize, partition: u32) -> Option<LaneIx> {
        let feed = self.feeds.get_mut(at)?;
        let lane = self.session.add_partition(&feed.source, &feed.schema, feed.format, partition, feed.disorder_ms)?;
        feed.lanes.insert(partition, lane);
        self.quiet.add(lane, self.session.timeline_of(lane), feed.idle_timeout_ms, feed.silence == Silence::Untold);
        self.lanes.push((feed.source.clone(), partition));
        Some(lane)
    }

    /// Runs until all sources have ended or a stop is asked for, and brings everything to the sinks' outboxes.
    ///
    /// # Errors
    /// The system can't give the thread a timer.
    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (mut looked, mut reported) = (self.clock.monotonic(), self.clock.monotonic());
        self.publish();
        self.session.read_wall(self.clock.wall_ms(), &mut self.lines);
        let mut turn = 0;
        let mut all_open = false;
        let at_end = loop {
            if !all_open && !self.feeds.iter().any(Feed::holds_start) {
                all_open = true;
                for (source, partition) in self.session.end_unclaimed() {
                    tracing::warn!(
                        source,
                        partition,
                        "the checkpoint has this partition, and nothing reads it any more"
                    );
                }
            }
            if self.feeds.iter().all(|feed| feed.ended) {
                break AtEnd::Drain;
            }
            let is_full = self.keeper.as_ref().is_some_and(Keeper::is_full);
            let wanted = if is_full { Vec::new() } else { self.wanted(turn) };
            turn = turn.wrapping_add(1);
            let Self { feeds, swaps, shutdown, .. } = &mut self;
            match runtime.block_on(next_or_swap(swaps, next(feeds, &wanted, shutdown))) {
                Wake::Delivery(at, delivery) => self.take(at, delivery),
                Wake::Swap(swap) => self.change(*swap),
                Wake::Stop => break AtEnd::Hold,
                Wake::Tick => {}
            }
            let now = self.clock.monotonic();
            if now.saturating_sub(looked) >= TICK {
                looked = now;
                if let Some(world) = self.tables.changed() {
                    self.session.engine_mut().set_world(world);
                }
                self.look(&wanted);
            }
            if now.saturating_sub(reported) >= REPORT {
                reported = now;
                self.publish();
                self.end_drains();
            }
            if self.store.as_ref().is_some_and(Store::is_lost) {
                break AtEnd::Hold;
            }
            self.keep();
        };
        if at_end == AtEnd::Hold {
            self.stop(&runtime);
        }
        self.session.finish(at_end, &mut self.lines);
        self.failures.extend(self.store.as_mut().and_then(Store::fault));
        self.hand_on();
        if let Some(keeper) = &mut self.keeper {
            keeper.release_all();
        }
        self.publish();
        // Those that heard the stop leave their consumer groups and store their places.
        for feed in &mut self.feeds {
            if let Some(thread) = feed.thread.take().filter(|_| feed.ended) {
                let _ = thread.join();
            }
            if let Some(watched) = feed.watched.take() {
                watched.ended();
            }
        }
        let summary = self.summary.text(&self.session, &self.rules);
        // What is sent exactly once is first in a checkpoint, the last of a run that has come to its end, too.
        let is_asked = at_end == AtEnd::Hold || self.keeper.as_ref().is_some_and(Keeper::has_epochs);
        let last = is_asked.then(|| (self.session.cut(), self.all_places()));
        let keeper = self.keeper.take().map(|keeper| (keeper, last));
        Ok(Outcome { summary, failures: self.failures, keeper, at_end })
    }

    /// The feeds to read from, the best first: the one that the others wait for. Others only while little waits.
    fn wanted(&self, turn: usize) -> Vec<usize> {
        let open = |at: &usize| self.feeds.get(*at).is_some_and(|feed| !feed.ended);
        let starting: Vec<usize> =
            (0..self.feeds.len()).filter(|&at| self.feeds.get(at).is_some_and(Feed::holds_start)).collect();
        if !starting.is_empty() {
            return starting;
        }
        let full = self.session.engine().waiting() >= WAITING_MAX;
        let lane = if full { self.session.most_wait_for() } else { self.session.held_back_by() };
        let held = lane.and_then(|lane| self.feeds.iter().position(|feed| feed.lanes.values().any(|own| *own == lane)));
        let held = held.filter(open);
        if held.is_some() && full {
            return held.into_iter().collect();
        }
        let count = self.feeds.len().max(1);
        let others = (0..count).map(|at| (at + turn) % count).filter(open).filter(|at| Some(*at) != held);
        held.into_iter().chain(others).collect()
    }

    fn take(&mut self, at: usize, delivery: Option<Delivery>) {
        let now = self.clock.monotonic();
        let Some(feed) = self.feeds.get_mut(at) else { return };
        feed.taken_at = now;
        let lanes: Vec<(u32, LaneIx)> = feed.lanes.iter().map(|(partition, lane)| (*partition, *lane)).collect();
        match delivery {
            Some(Delivery::Opened(opened)) => {
                feed.opened = true;
                feed.format = opened.format;
                feed.tell(|watched| watched.ready());
                for (_, lane) in lanes {
                    self.session.set_format(lane, opened.format);
                }
                for partition in 0..opened.partitions.unwrap_or(0) {
                    self.add_lane(at, partition);
                }
            }
            Some(Delivery::Records(chunk, place)) => self.records(at, chunk, place),
            Some(Delivery::Idle) => {
                feed.tell(|watched| watched.ready());
                if feed.silence == Silence::Told {
                    lanes.iter().for_each(|(_, lane)| self.quiet.set_caught_up(*lane, true));
                }
            }
            Some(Delivery::CaughtUp(partitions)) => {
                for (partition, lane) in lanes {
                    self.quiet.set_caught_up(lane, partitions.contains(&partition));
                }
            }
            Some(Delivery::Trouble(error)) => {
                tracing::warn!(source = feed.source, %error, "trying again");
                feed.tell(|watched| watched.retrying(error.to_string()));
                lanes.iter().for_each(|(_, lane)| self.quiet.set_caught_up(*lane, false));
            }
            Some(Delivery::End) => self.end(at, None),
            Some(Delivery::Failed(error)) => self.end(at, Some(error.to_string())),
            None => self.end(at, Some("its thread stopped unexpectedly".to_owned())),
        }
    }

    fn end(&mut self, at: usize, failure: Option<String>) {
        let Some(feed) = self.feeds.get_mut(at) else { return };
        feed.ended = true;
        let stopping = self.stop.load(Ordering::Relaxed);
        match (failure, feed.watched.take()) {
            (Some(failure), watched) if !stopping => {
                tracing::error!(source = feed.source, error = failure, "it can't be read any further");
                self.failures.push(format!("the source `{}`: {failure}", feed.source));
                if let Some(watched) = watched {
                    watched.failed(failure);
                }
            }
            (_, Some(watched)) => watched.ended(),
            (_, None) => {}
        }
        // What a stopped source would still have brought is not known: only an end of its own moves time on.
        if !stopping {
            for lane in feed.lanes.values() {
                self.session.end(*lane);
                self.quiet.end(*lane);
            }
            self.session.advance(&mut self.lines);
            self.hand_on();
        }
    }

    fn records(&mut self, at: usize, chunk: Chunk, place: Option<Position>) {
        let arrived = self.clock.monotonic();
        let began = self.summary.now();
        let count = chunk.len() as u64;
        let Some(feed) = self.feeds.get(at) else { return };
        feed.tell(|watched| watched.ready());
        let (told, many) = (feed.silence == Silence::Told, feed.silence == Silence::ByPartition);
        let number = feed.number;
        let parts = match feed.silence {
            Silence::ByPartition => by_partition(chunk),
            _ => vec![(number, chunk)],
        };
        for (partition, chunk) in parts {
            let known = self.feeds.get(at).and_then(|feed| feed.lanes.get(&partition).copied());
            let Some(lane) = known.or_else(|| self.add_lane(at, partition)) else { continue };
            if self.quiet.record(lane) {
                self.session.set_idle(lane, false);
            }
            if told {
                self.quiet.set_caught_up(lane, false);
            }
            self.session.push(lane, &chunk, &mut self.letters);
            let next = chunk.records().last().map(|record| Position::Offset(record.offset.saturating_add(1)));
            let position = if many { next } else { place.clone() };
            if let (Some(position), Some(name)) = (position, self.lanes.get(lane.0)) {
                self.places.insert(name.clone(), position);
            }
        }
        self.session.advance(&mut self.lines);
        self.hand_on();
        self.summary.worked(began, count);
        self.telemetry.observe_processing(self.clock.monotonic().saturating_sub(arrived));
    }

    /// Looks who is silent, and what time it is if all are.
    fn look(&mut self, wanted: &[usize]) {
        self.session.read_wall(self.clock.wall_ms(), &mut self.lines);
        let now = self.clock.monotonic();
        for (at, feed) in self.feeds.iter().enumerate() {
            if !wanted.contains(&at) || feed.is_neglected(now) {
                feed.lanes.values().for_each(|lane| self.quiet.set_unasked(*lane));
            }
        }
        let idle = self.quiet.newly_idle();
        let mut by_wall = !idle.is_empty() || !self.lines.entries.is_empty();
        if !idle.is_empty() {
            idle.iter().for_each(|lane| self.session.set_idle(*lane, true));
            self.session.advance(&mut self.lines);
        }
        let engine = self.session.engine();
        // Where time comes from events, and it is the time of now, the wall clock has come as far.
        let live = engine.waits_for_wall() && self.quiet.is_live();
        let mut to_ms = Vec::with_capacity(engine.timelines());
        for timeline in 0..engine.timelines() {
            let watermark_ms = engine.timeline_watermark_ms(timeline);
            let quiet_ms = self.quiet.time_ms(timeline, watermark_ms);
            by_wall |= quiet_ms.is_some();
            to_ms.push(quiet_ms.or(live.then_some(watermark_ms)));
        }
        if to_ms.iter().any(Option::is_some) {
            self.session.tick_timelines(&to_ms, &mut self.lines);
        }
        // Another run that reads the same would not find when this was.
        self.hand_on_from(by_wall);
    }

    /// Stops the sources and takes what they had read.
    fn stop(&mut self, runtime: &tokio::runtime::Runtime) {
        self.stop.store(true, Ordering::Relaxed);
        self.feeds.iter().for_each(|feed| feed.tell(crate::runtime::telemetry::Watched::stopping));
        let began = self.clock.monotonic();
        let mut heard = began;
        loop {
            let now = self.clock.monotonic();
            let waits =
                |silence: &dyn Fn(Silence) -> bool| self.feeds.iter().any(|feed| !feed.ended && silence(feed.silence));
            let patient = waits(&|silence| silence != Silence::Untold) && now.saturating_sub(began) < STOP_GRACE;
            let reading = waits(&|silence| silence == Silence::Untold) && now.saturating_sub(heard) < READ_GRACE;
            if !patient && !reading {
                return;
            }
            let open: Vec<usize> =
                (0..self.feeds.len()).filter(|&at| self.feeds.get(at).is_some_and(|feed| !feed.ended)).collect();
            if let Wake::Delivery(at, delivery) = runtime.block_on(next(&mut self.feeds, &open, &Shutdown::new())) {
                heard = self.clock.monotonic();
                match delivery {
                    // Before all partitions are known there is no order to put them into.
                    Some(Delivery::Records(chunk, _)) if self.feeds.iter().any(Feed::holds_start) => {
                        let source = self.feeds.get(at).map_or("", |feed| feed.source.as_str());
                        let records = chunk.len();
                        tracing::warn!(source, records, "read but not used: another source was still to be opened");
                    }
                    delivery => self.take(at, delivery),
                }
            }
        }
    }

    pub(super) fn publish(&mut self) {
        let lane = self.session.held_back_by();
        let held =
            lane.and_then(|lane| self.lanes.get(lane.0)).map(|(source, partition)| (source.as_str(), *partition));
        self.report.publish(&mut self.session, held);
        self.store.iter_mut().for_each(Store::publish);
    }
}

/// A project that waits comes before everything else.
async fn next_or_swap(swaps: &mut Receiver<Swap>, next: impl Future<Output = Wake>) -> Wake {
    tokio::select! {
        biased;
        Some(swap) = swaps.recv() => Wake::Swap(Box::new(swap)),
        wake = next => wake,
    }
}

/// What comes first: a delivery of a wanted feed, a stop, or the next tick.
async fn next(feeds: &mut [Feed], wanted: &[usize], shutdown: &Shutdown) -> Wake {
    let delivery = std::future::poll_fn(|context| {
        for &at in wanted {
            let Some(feed) = feeds.get_mut(at) else { continue };
            if let Poll::Ready(delivery) = feed.deliveries.poll_recv(context) {
                return Poll::Ready(Wake::Delivery(at, delivery));
            }
        }
        Poll::Pending
    });
    tokio::select! {
        biased;
        () = shutdown.requested() => Wake::Stop,
        wake = delivery => wake,
        () = tokio::time::sleep(TICK) => Wake::Tick,
    }
}

/// A chunk's records by their partition, each in their order.
fn by_partition(chunk: Chunk) -> Vec<(u32, Chunk)> {
    let first = chunk.record(0).map(|record| record.partition);
    match first {
        Some(only) if chunk.records().all(|record| record.partition == only) => return vec![(only, chunk)],
        _ => {}
    }
    let mut parts: BTreeMap<u32, Chunk> = BTreeMap::new();
    for record in chunk.records() {
        parts.entry(record.partition).or_default().push_record(&record);
    }
    parts.into_iter().collect()
}
