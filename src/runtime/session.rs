//! A core with its decoders and its encoder: bytes in, bytes out, and everything counted. No file, clock or thread of its own, so that
//! `replay`, `run`, `test` and `bench` are the same machine behind different doors.

mod successor;

use super::{
    config::StreamSchema,
    project::{Project, record_schema},
    refusal::{SAMPLES_MAX, decoder, end, refuse},
};
use crate::{
    engine::{
        AlertEncoder, AtEnd, Blocks, CompileError, Cut, Engine, Executor, Fates, Options, Output,
        checkpoint::{CheckpointError, Names},
    },
    expr::World,
    model::{Batch, EmissionKind, Reject, RejectReason, StreamId, TimeMs},
    plan::{Plan, StreamOrigin},
    time::{Late, PartitionIx},
    wire::{Chunk, Decoder, Format, LateEvent, RecordSchema, late_event},
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// With one shard, so much is pushed at once: with its events it leaves most of a core's own cache to the states of keys, and steps are few
/// enough not to count.
const STRIDE_BYTES: usize = 128 << 10;
/// With several, so much: a step has to be worth waking the others for it.
const SHARED_STRIDE_BYTES: usize = 512 << 10;

/// One partition of a source on its way into the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneIx(pub usize);

struct Lane {
    source: usize,
    stream: StreamId,
    partition: PartitionIx,
    /// The partition's number among those of its source.
    number: u32,
    schema: StreamSchema,
    format: Format,
    records: RecordSchema,
    decoder: Decoder,
    width: usize,
}

/// What came in on one source, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// The source.
    pub name: String,
    /// Records that became events, late ones included.
    pub events: u64,
    /// Records that became none, by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Events that came too late for every rule; they are in the `late` output.
    pub late: u64,
    /// Events that came late and that some rule took all the same.
    pub late_taken: u64,
}

/// Alert lines, each a GeoJSON Feature with its newline.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// All lines, one after the other.
    pub bytes: Vec<u8>,
    /// Of each line the rule's index in the plan, and its place.
    pub entries: Vec<(u32, Range<usize>)>,
    /// Of each line when it was decided: the time of the event, window's end or deadline.
    pub times_ms: Vec<TimeMs>,
}

impl Lines {
    /// Removes all lines and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.times_ms.clear();
    }
}

/// What became no event, and what came too late: a JSON object a line.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    /// Rejected records.
    pub dead: Vec<u8>,
    /// Late events.
    pub late: Vec<u8>,
    /// A few of them in words, for the log.
    pub samples: Vec<String>,
}

/// A running core with its doors.
pub struct Session {
    plan: Arc<Plan>,
    world: Arc<World>,
    engine: Engine,
    encoder: AlertEncoder,
    lanes: Vec<Lane>,
    /// Sources and numbers of the engine's partitions, in their order there.
    partitions: Vec<(String, u32)>,
    /// Of those of the last run that had read parts of records what they were.
    open: BTreeMap<(String, u32), Vec<u8>>,
    /// Those of the last run that nobody has added again.
    unclaimed: BTreeMap<(String, u32), PartitionIx>,
    sources: Vec<SourceCounts>,
    alerts: Vec<[u64; 2]>,
    outputs: Vec<Output>,
    late: Vec<Late>,
}

impl Session {
    /// A session for a project.
    ///
    /// # Errors
    /// A rule that no program can be built from.
    pub fn new(project: &Project, options: Options, executor: Box<dyn Executor>) -> Result<Self, CompileError> {
        let mut engine = Engine::new(Arc::clone(&project.plan), Arc::clone(&project.world), options, executor)?;
        engine.set_limits(project.config.limits);
        engine.set_drain_limit(project.config.reload.drain_ms);
        Ok(Self {
            plan: Arc::clone(&project.plan),
            world: Arc::clone(&project.world),
            engine,
            encoder: AlertEncoder::new(Arc::clone(&project.plan), Arc::clone(&project.world)),
            lanes: Vec::new(),
            partitions: Vec::new(),
            open: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            sources: Vec::new(),
            alerts: vec![[0; 2]; project.plan.rules.len()],
            outputs: Vec::new(),
            late: Vec::new(),
        })
    }

    /// The core.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The core, to tell it of idleness and time.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// How much of a file is pushed at once, bytes, where there is no hurry: there is a step of the core for each.
    pub fn stride_bytes(&self) -> usize {
        if self.engine.shards() == 1 { STRIDE_BYTES } else { SHARED_STRIDE_BYTES }
    }

    /// Adds a partition of a source; none if no rule reads the source. Partitions are added before the first record.
    pub fn add_partition(
        &mut self,
        source: &str,
        schema: &StreamSchema,
        format: Format,
        partition: u32,
        disorder_ms: TimeMs,
    ) -> Option<LaneIx> {
        let is_source =
            |stream: &crate::plan::StreamPlan| stream.name == source && stream.origin == StreamOrigin::Source;
        let stream = self.plan.streams.iter().position(is_source)?;
        let records = record_schema(&self.plan, stream, schema)?;
        let at = match self.sources.iter().position(|counts| counts.name == source) {
            Some(at) => at,
            None => {
                self.sources.push(SourceCounts { name: source.to_owned(), ..SourceCounts::default() });
                self.sources.len() - 1
            }
        };
        let id = StreamId(stream as u32);
        let number = partition;
        let partition = match self.unclaimed.remove(&(source.to_owned(), partition)) {
            Some(known) => {
                self.engine.wake_partition(known, disorder_ms);
                known
            }
            None => {
                self.partitions.push((source.to_owned(), partition));
                self.engine.add_partition(id, partition, disorder_ms)
            }
        };
        self.lanes.push(Lane {
            source: at,
            stream: id,
            partition,
            schema: schema.clone(),
            format,
            decoder: decoder(&records, format, self.open.get(&(source.to_owned(), number))),
            number,
            width: records.slots.len(),
            records,
        });
        Some(LaneIx(self.lanes.len() - 1))
    }

    /// The names behind the numbers in this session's state.
    pub fn names(&self) -> Names {
        Names::of(&self.plan, &self.world).with_drains(&self.engine)
    }

    /// Cuts the core, between two advances.
    pub fn cut(&mut self) -> Cut {
        self.engine.cut()
    }

    /// The source and number of each partition, in the order in which a cut has them.
    pub fn partitions(&self) -> &[(String, u32)] {
        &self.partitions
    }

    /// Goes on from a cut of a run with these partitions and names; before the first partition is added. One that is added and was there
    /// goes on, too.
    ///
    /// # Errors
    /// A block that can't be read.
    pub fn resume(
        &mut self,
        blocks: &dyn Blocks,
        partitions: &[(String, u32)],
        saved: &Names,
    ) -> Result<Fates, CheckpointError> {
        let names = self.names();
        let fates = self.engine.resume(blocks, saved, &names)?;
        let is_there = |name: &str| names.streams.iter().any(|stream| stream.is_source && stream.name == *name);
        self.partitions = partitions.iter().filter(|(source, _)| is_there(source)).cloned().collect();
        self.unclaimed = self.partitions.iter().cloned().zip((0..).map(PartitionIx)).collect();
        Ok(fates)
    }

    /// What partitions of the last run had read of records that weren't whole; before the first partition is added.
    pub fn go_on_with(&mut self, open: BTreeMap<(String, u32), Vec<u8>>) {
        self.open = open;
    }

    /// What a partition has read of records that aren't whole yet.
    pub fn open_of(&self, source: &str, partition: u32) -> Vec<u8> {
        let of = |lane: &&Lane| self.sources.get(lane.source).is_some_and(|counts| counts.name == source);
        let lane = self.lanes.iter().filter(of).find(|lane| lane.number == partition);
        lane.map(|lane| lane.decoder.open()).unwrap_or_default()
    }

    /// All partitions have been added: those of the last run that weren't hold nothing back any more. Which they are.
    pub fn end_unclaimed(&mut self) -> Vec<(String, u32)> {
        let unclaimed = std::mem::take(&mut self.unclaimed);
        unclaimed.values().for_each(|partition| self.engine.end_partition(*partition));
        unclaimed.into_keys().collect()
    }

    /// How a partition's records are written, where that was known only after it was added; before its first record.
    pub fn set_format(&mut self, lane: LaneIx, format: Format) {
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            lane.format = format;
            let source = self.sources.get(lane.source).map(|counts| counts.name.clone()).unwrap_or_default();
            lane.decoder = decoder(&lane.records, format, self.open.get(&(source, lane.number)));
        }
    }

    /// Decodes a chunk of one partition's records and gives the events to the core. Nothing is matched yet.
    pub fn push(&mut self, lane: LaneIx, chunk: &Chunk, letters: &mut Letters) {
        let Some(lane) = self.lanes.get_mut(lane.0) else { return };
        let Some(counts) = self.sources.get_mut(lane.source) else { return };
        let mut batch = self.engine.spare(lane.width).unwrap_or_else(|| Batch::new(lane.width));
        let refused = |reject: &Reject, record: (u32, u64, &[u8])| refuse(counts, reject, record, letters);
        let events = lane.decoder.decode_all(chunk, &mut batch, refused);
        counts.events += events;
        counts.late_taken += self.engine.push(lane.partition, batch, &mut self.late);
        for late in self.late.drain(..) {
            let header = late.header;
            let at = chunk.records().position(|record| record.offset == header.offset);
            let event = LateEvent {
                source: &counts.name,
                partition: header.partition,
                offset: header.offset,
                time_ms: header.time_ms,
                watermark_ms: header.time_ms.saturating_add(late.by_ms),
                record: at.and_then(|at| chunk.record(at)).map(|record| record.bytes),
            };
            late_event(&event, &mut letters.late);
            if counts.late < SAMPLES_MAX {
                let (partition, number) = (header.partition, header.offset + 1);
                let text =
                    format!("{} (partition {partition}, record {number}): late by {} ms", counts.name, late.by_ms);
                letters.samples.push(text);
            }
            counts.late += 1;
        }
    }

    /// Gives an already decoded batch to the core.
    pub fn push_batch(&mut self, lane: LaneIx, batch: Batch) {
        let Some(lane) = self.lanes.get(lane.0) else { return };
        if let Some(counts) = self.sources.get_mut(lane.source) {
            counts.events += batch.len() as u64;
            counts.late_taken += self.engine.push(lane.partition, batch, &mut self.late);
            counts.late += self.late.len() as u64;
            self.late.clear();
        }
    }

    /// Decodes a chunk into a batch of its own, for those who want the two steps apart; rejected records are only counted.
    pub fn decode(&mut self, lane: LaneIx, chunk: &Chunk) -> Batch {
        let Some(lane) = self.lanes.get_mut(lane.0) else { return Batch::new(0) };
        let mut batch = Batch::new(lane.width);
        let counts = self.sources.get_mut(lane.source);
        let mut rejected = counts.map(|counts| &mut counts.rejected);
        lane.decoder.decode_all(chunk, &mut batch, |reject, _| {
            if let Some(rejected) = &mut rejected {
                *rejected.entry(reject.reason).or_default() += 1;
            }
        });
        batch
    }

    /// Does all work that the inputs so far allow, and writes the alerts.
    pub fn advance(&mut self, lines: &mut Lines) {
        self.engine.advance();
        self.write(lines);
    }

    /// The wall clock says that on quiet streams event time has come so far.
    pub fn tick(&mut self, to_ms: TimeMs, lines: &mut Lines) {
        self.engine.tick(to_ms);
        self.write(lines);
    }

    /// The same for each timeline by itself, where the wall clock says anything about it.
    pub fn tick_timelines(&mut self, to_ms: &[Option<TimeMs>], lines: &mut Lines) {
        self.engine.tick_timelines(to_ms);
        self.write(lines);
    }

    /// The timeline that a lane is on.
    pub fn timeline_of(&self, lane: LaneIx) -> usize {
        self.lanes.get(lane.0).and_then(|lane| self.engine.timeline_of(lane.partition)).unwrap_or(0)
    }

    /// The wall clock reads so much, for rules that count arrivals; nothing where there is none.
    pub fn read_wall(&mut self, wall_ms: TimeMs, lines: &mut Lines) {
        self.engine.read_wall(wall_ms);
        self.write(lines);
    }

    /// For those who play events that were recorded, so that there is no time at which they arrive.
    ///
    /// # Errors
    /// A rule counts arrivals: which, in words.
    pub fn has_no_arrivals(&self) -> Result<(), String> {
        match self.plan.rules.iter().find(|rule| rule.by_arrival()) {
            None => Ok(()),
            Some(rule) => Err(format!(
                "rule `{}`: windows with CLOCK WALL are over the time at which events arrive, and recorded events don't arrive: \
                 leave out CLOCK WALL, or let `geocep run` read them as they come",
                rule.name
            )),
        }
    }

    /// A partition has ended.
    pub fn end(&mut self, lane: LaneIx) {
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            if let Some(counts) = self.sources.get_mut(lane.source) {
                end(&mut lane.decoder, counts);
            }
            self.engine.end_partition(lane.partition);
        }
    }

    /// A partition is idle, or no longer.
    pub fn set_idle(&mut self, lane: LaneIx, idle: bool) {
        if let Some(lane) = self.lanes.get(lane.0) {
            self.engine.set_idle(lane.partition, idle);
        }
    }

    /// The inputs have ended.
    pub fn finish(&mut self, at_end: AtEnd, lines: &mut Lines) {
        self.engine.finish(at_end);
        self.write(lines);
    }

    /// The lane that the others wait for.
    pub fn held_back_by(&self) -> Option<LaneIx> {
        self.lane_of(self.engine.held_back_by()?)
    }

    /// The lane that most of the events that wait are waiting for.
    pub fn most_wait_for(&self) -> Option<LaneIx> {
        self.lane_of(self.engine.most_wait_for()?)
    }

    fn lane_of(&self, partition: PartitionIx) -> Option<LaneIx> {
        self.lanes.iter().position(|lane| lane.partition == partition).map(LaneIx)
    }

    /// The stream of a lane.
    pub fn stream_of(&self, lane: LaneIx) -> Option<StreamId> {
        self.lanes.get(lane.0).map(|lane| lane.stream)
    }

    /// What came in.
    pub fn sources(&self) -> &[SourceCounts] {
        &self.sources
    }

    /// For each rule of the plan the alerts that fired and those that timed out.
    pub fn alerts(&self) -> &[[u64; 2]] {
        &self.alerts
    }

    fn write(&mut self, lines: &mut Lines) {
        self.engine.take(&mut self.outputs);
        self.encode(lines);
    }

    fn encode(&mut self, lines: &mut Lines) {
        for output in self.outputs.drain(..) {
            let start = lines.bytes.len();
            if self.encoder.encode(&output, &mut lines.bytes).is_some() {
                lines.entries.push((output.rule, start..lines.bytes.len()));
                lines.times_ms.push(output.emission.time_ms);
            }
            let timed_out = usize::from(output.emission.kind == EmissionKind::TimedOut);
            let counts = self.alerts.get_mut(output.rule as usize);
            counts.and_then(|counts| counts.get_mut(timed_out)).into_iter().for_each(|count| *count += 1);
        }
    }
}
