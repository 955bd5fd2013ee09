//! Timelines: sources that no rule reads together, directly or through other rules, have nothing to wait for of one another. Each such
//! group has its own order, watermark and levels, so that a source that lags delays only the rules that need it.
//!
//! Rules of one timeline read no stream of another's. What is put out of all of them is ordered by the least of the watermarks,
//! unless alerts leave at once.

use super::{machine::Engine, route::Subscription};
use crate::{
    model::{Batch, DecodeError, EventRef, Reader, StreamId, TimeMs, Writer},
    plan::{Plan, StreamOrigin},
    time::{Late, Merge, PartitionIx},
};
use std::ops::Range;

/// The order of the events of some sources, and how far time has come in it.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) merge: Merge,
    /// The levels of its rules, among those of all rules.
    pub(super) levels: Range<usize>,
    pub(super) watermark_ms: TimeMs,
    /// How far events alone brought it.
    pub(super) event_ms: TimeMs,
    pub(super) last_event_ms: TimeMs,
}

impl Timeline {
    pub(super) fn new(levels: Range<usize>) -> Self {
        let never = TimeMs::MIN;
        Self { merge: Merge::new(), levels, watermark_ms: never, event_ms: never, last_event_ms: never }
    }

    /// Whether nothing more comes on it.
    pub(super) fn is_over(&self) -> bool {
        self.merge.is_over()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        [self.watermark_ms, self.event_ms, self.last_event_ms].into_iter().for_each(|time_ms| writer.i64(time_ms));
        self.merge.save(writer);
    }

    pub(super) fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        (self.watermark_ms, self.event_ms, self.last_event_ms) = (reader.i64()?, reader.i64()?, reader.i64()?);
        self.merge = Merge::load(reader)?;
        Ok(())
    }
}

/// For each stream of a plan the timeline that it is on; timelines are numbered in the order of their first streams.
pub(super) fn timelines_of(plan: &Plan) -> Vec<usize> {
    // Each points to one before it that it belongs together with, or to itself.
    let mut with: Vec<usize> = (0..plan.streams.len()).collect();
    let first = |with: &[usize], mut at: usize| {
        while let Some(&before) = with.get(at).filter(|before| **before != at) {
            at = before;
        }
        at
    };
    let mut of_rule = vec![None; plan.rules.len()];
    for (at, stream) in plan.streams.iter().enumerate() {
        if let StreamOrigin::Rule(rule) = stream.origin
            && let Some(own) = of_rule.get_mut(rule as usize)
        {
            *own = Some(at);
        }
    }
    for ((rule, own), ix) in plan.rules.iter().zip(of_rule).zip(0..) {
        let read = rule.inputs.iter().map(|input| input.stream.0 as usize);
        let mut before = None;
        // An old version's outputs are events of the new one's stream.
        let feeds = plan.feeds(ix).map(|(stream, _)| stream.0 as usize);
        for at in own.into_iter().chain(read).chain(feeds) {
            let (a, b) = (first(&with, at), first(&with, before.unwrap_or(at)));
            if let Some(place) = with.get_mut(a.max(b)) {
                *place = a.min(b);
            }
            before = Some(at);
        }
    }
    let mut numbers = vec![None; with.len()];
    let mut count = 0;
    (0..with.len())
        .map(|at| {
            let first = first(&with, at);
            let number = numbers.get(first).copied().flatten().unwrap_or(count);
            count = count.max(number + 1);
            if let Some(place) = numbers.get_mut(first) {
                *place = Some(number);
            }
            number
        })
        .collect()
}

/// Gives each timeline levels of its own: what is added to a rule's level, and the timelines.
pub(super) fn lay_out(of_stream: &[usize], level_of: &mut [u32], stream_of: &[StreamId]) -> Vec<Timeline> {
    let count = of_stream.iter().max().map_or(1, |last| last + 1);
    let mut levels = vec![1; count];
    let timeline = |rule: usize| {
        let stream = stream_of.get(rule).map_or(usize::MAX, |stream| stream.0 as usize);
        of_stream.get(stream).copied().unwrap_or(0)
    };
    for (rule, level) in level_of.iter().enumerate() {
        if let Some(levels) = levels.get_mut(timeline(rule)) {
            *levels = (*levels).max(*level as usize + 1);
        }
    }
    let mut timelines = Vec::with_capacity(count);
    let mut start = 0;
    for levels in levels {
        timelines.push(Timeline::new(start..start + levels));
        start += levels;
    }
    for (rule, level) in level_of.iter_mut().enumerate() {
        *level += timelines.get(timeline(rule)).map_or(0, |timeline| timeline.levels.start) as u32;
    }
    timelines
}

/// Of each source its readers on the first level of its timeline.
pub(super) fn first_readers(
    of_stream: &[usize],
    timelines: &[Timeline],
    readers: &[Vec<Vec<Subscription>>],
) -> Vec<Vec<Subscription>> {
    let of = |(stream, timeline): (usize, &usize)| {
        let level = timelines.get(*timeline).map_or(0, |timeline| timeline.levels.start);
        readers.get(level).and_then(|readers| readers.get(stream)).cloned().unwrap_or_default()
    };
    of_stream.iter().enumerate().map(of).collect()
}

/// Puts the partitions of timelines, with what waits of them, onto those of another plan: sources that are read together
/// now share one, and those that no longer are go apart. `partitions` are told anew. Time goes on from where the one that is
/// furthest behind has come; rules that were further stay where they are.
pub(super) fn move_on(
    old: Vec<Timeline>,
    next: &mut [Timeline],
    of_stream: &[usize],
    partitions: &mut [(usize, PartitionIx)],
) {
    let to = |stream: StreamId| of_stream.get(stream.0 as usize).copied().unwrap_or(0);
    let times: Vec<[TimeMs; 3]> =
        old.iter().map(|timeline| [timeline.watermark_ms, timeline.event_ms, timeline.last_event_ms]).collect();
    let (merges, went) = Merge::deal(old.into_iter().map(|timeline| timeline.merge).collect(), next.len(), to);
    let mut touched = vec![false; next.len()];
    for (went, [watermark_ms, event_ms, last_event_ms]) in went.iter().zip(times) {
        for &(at, _) in went {
            let (Some(timeline), Some(touched)) = (next.get_mut(at), touched.get_mut(at)) else { continue };
            let is_first = !std::mem::replace(touched, true);
            let least = |own: TimeMs, other: TimeMs| if is_first { other } else { own.min(other) };
            timeline.watermark_ms = least(timeline.watermark_ms, watermark_ms);
            timeline.event_ms = least(timeline.event_ms, event_ms);
            timeline.last_event_ms = timeline.last_event_ms.max(last_event_ms);
        }
    }
    for (timeline, merge) in next.iter_mut().zip(merges) {
        timeline.merge = merge;
    }
    for (at, own) in partitions {
        if let Some(&place) = went.get(*at).and_then(|went| went.get(own.0 as usize)) {
            (*at, *own) = place;
        }
    }
}

impl Engine {
    /// Adds a partition of a source. Partitions of a run are added before its first event, in the order of their numbers.
    pub fn add_partition(&mut self, stream: StreamId, partition: u32, disorder_ms: TimeMs) -> PartitionIx {
        let at = self.timeline_of_stream.get(stream.0 as usize).copied().unwrap_or(0);
        let Some(timeline) = self.timelines.get_mut(at) else { return PartitionIx(u32::MAX) };
        self.partitions.push((at, timeline.merge.add_partition(stream, partition, disorder_ms)));
        PartitionIx(self.partitions.len() as u32 - 1)
    }

    /// Takes a batch of one partition, in the order of its offsets. What is late is left out and given back, unless some rule
    /// takes it all the same: how many events those are.
    pub fn push(&mut self, partition: PartitionIx, batch: Batch, late: &mut Vec<Late>) -> u64 {
        let Self { timelines, partitions, late_readers, router, .. } = self;
        let Some(&(at, own)) = partitions.get(partition.0 as usize) else { return 0 };
        let Some(timeline) = timelines.get_mut(at) else { return 0 };
        for header in batch.headers() {
            timeline.last_event_ms = timeline.last_event_ms.max(header.time_ms);
        }
        let mut takes = |event: EventRef<'_>, found_ms| {
            let mut taken = false;
            late_readers.route(router, event, found_ms, |_, _| taken = true);
            taken
        };
        let before = late.len();
        let taken = timeline.merge.push_unless(own, batch, &mut takes, late);
        late.iter_mut().skip(before).for_each(|late| late.partition = partition);
        taken
    }

    /// An empty batch of this width with memory that was used before, if there is one.
    pub fn spare(&mut self, width: usize) -> Option<Batch> {
        self.timelines.iter_mut().find_map(|timeline| timeline.merge.spare(width))
    }

    /// A partition of an earlier run comes again: it has neither ended nor is it idle, and its disorder may be another.
    pub fn wake_partition(&mut self, partition: PartitionIx, disorder_ms: TimeMs) {
        self.on_partition(partition, |merge, own| merge.wake(own, disorder_ms));
    }

    /// A partition has ended: it holds nothing back any more.
    pub fn end_partition(&mut self, partition: PartitionIx) {
        self.on_partition(partition, |merge, own| merge.end(own));
    }

    /// A partition is idle (caught up and silent), or no longer: an idle one doesn't hold the watermark back.
    pub fn set_idle(&mut self, partition: PartitionIx, idle: bool) {
        self.on_partition(partition, |merge, own| merge.set_idle(own, idle));
    }

    fn on_partition(&mut self, partition: PartitionIx, act: impl FnOnce(&mut Merge, PartitionIx)) {
        if let Some(&(at, own)) = self.partitions.get(partition.0 as usize)
            && let Some(timeline) = self.timelines.get_mut(at)
        {
            act(&mut timeline.merge, own);
        }
    }

    /// No event with a time below this will come, of whatever source: the least of the timelines' watermarks.
    pub fn watermark_ms(&self) -> TimeMs {
        self.timelines.iter().map(|timeline| timeline.watermark_ms).min().unwrap_or(TimeMs::MIN)
    }

    /// How many timelines there are: groups of sources that no rule reads together. They are numbered from 0.
    pub fn timelines(&self) -> usize {
        self.timelines.len()
    }

    /// The watermark of a timeline.
    pub fn timeline_watermark_ms(&self, timeline: usize) -> TimeMs {
        self.timelines.get(timeline).map_or(TimeMs::MIN, |timeline| timeline.watermark_ms)
    }

    /// The timeline that a partition is on.
    pub fn timeline_of(&self, partition: PartitionIx) -> Option<usize> {
        self.partitions.get(partition.0 as usize).map(|(timeline, _)| *timeline)
    }

    /// The partition that holds the least watermark back, if one does.
    pub fn held_back_by(&self) -> Option<PartitionIx> {
        let held = self.timelines.iter().enumerate().filter_map(|(at, timeline)| {
            let own = timeline.merge.held_back_by()?;
            Some((timeline.merge.partition_watermark(own)?.time_ms(), at, own))
        });
        let (_, at, own) = held.min_by_key(|(time_ms, at, _)| (*time_ms, *at))?;
        self.partition_of(at, own)
    }

    /// The partition that most of the events that wait are waiting for, if they do.
    pub fn most_wait_for(&self) -> Option<PartitionIx> {
        let timelines = self.timelines.iter().enumerate();
        let (at, timeline) = timelines.max_by_key(|(at, timeline)| (timeline.merge.waiting(), usize::MAX - at))?;
        self.partition_of(at, timeline.merge.held_back_by()?)
    }

    fn partition_of(&self, timeline: usize, own: PartitionIx) -> Option<PartitionIx> {
        self.partitions.iter().position(|partition| *partition == (timeline, own)).map(|at| PartitionIx(at as u32))
    }
}
