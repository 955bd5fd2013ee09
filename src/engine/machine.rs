//! The machine: the whole core behind a few calls.

use super::{
    compile::{CompileError, Compiled, Setting, compile},
    executor::Executor,
    inbox::{Inbox, OwnedEvent},
    output::Output,
    route::{Route, Router, Subscription, shard_of},
    shard::{Routed, Shard},
};
use crate::{
    expr::World,
    model::{Batch, Clock, DecodeError, EventRef, Header, KeyGroup, StreamId, TimeMs, Writer},
    plan::{Class, Plan, RuleKind, StreamOrigin},
    time::{Late, Merge, PartitionIx, Released},
};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How a core is laid out.
#[derive(Clone, Debug)]
pub struct Options {
    /// Shards, at least 1. The result does not depend on it.
    pub shards: u32,
    /// Key groups, at least `shards`; fixed for the life of a state.
    pub key_groups: u32,
    /// The seed of jitter; fixed for the life of a state.
    pub seed: u64,
    /// Alerts are given at once, in the order in which they are found, rather than when their instant is complete. What rules
    /// read of one another is not touched by this.
    pub eager: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { shards: 1, key_groups: 1024, seed: 0, eager: false }
    }
}

/// Where the inputs end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// The watermark goes to +∞: everything that waits fires.
    Drain,
    /// The watermark stops at the last event's time.
    Last,
    /// Nothing more happens.
    Hold,
}

/// Figures of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleStats {
    /// Outputs so far.
    pub outputs: u64,
    /// Events that WHERE let pass but whose key has a null component: they are nobody's.
    pub missing_key: u64,
    /// Partial matches dropped because a key had too many, and matches because one event ended too many.
    pub shed: u64,
    /// Keys with state.
    pub keys: usize,
    /// Partial matches or windows that are open.
    pub open: usize,
}

/// The core. Feed it with `push`, let it work with `advance`, take the alerts with `take`.
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) compiled: Vec<Compiled>,
    router: Router,
    pub(super) shards: Vec<Shard>,
    executor: Box<dyn Executor>,
    pub(super) options: Options,
    pub(super) merge: Merge,
    /// For each level the rules that run at it.
    rules: Vec<Vec<u32>>,
    /// For each level and stream the rules of that level that read the stream.
    readers: Vec<Vec<Vec<Subscription>>>,
    /// The order of streams at one instant: sources, then derived ones, each by name.
    stream_ranks: Vec<u32>,
    pub(super) inboxes: Vec<Inbox>,
    /// For each level the outputs whose instant isn't complete yet.
    pub(super) held: Vec<Vec<Output>>,
    pub(super) ready: Vec<Output>,
    pub(super) stats: Vec<RuleStats>,
    pub(super) watermark_ms: TimeMs,
    pub(super) last_event_ms: TimeMs,
    clock: Clock,
}

impl Engine {
    /// A core for a plan.
    ///
    /// # Errors
    /// A rule that no program can be built from.
    pub fn new(
        plan: Arc<Plan>,
        world: Arc<World>,
        options: Options,
        executor: Box<dyn Executor>,
    ) -> Result<Self, CompileError> {
        let shards = options.shards.max(1);
        let groups = options.key_groups.max(shards);
        let options = Options { shards, key_groups: groups, ..options };
        let setting = Setting { world: Arc::clone(&world), groups, seed: options.seed };
        let compiled = compile(&plan, &setting)?;
        let level_of = |rule: usize| {
            let stream = plan.streams.iter().find(|stream| stream.origin == StreamOrigin::Rule(rule as u32));
            stream.map_or(0, |stream| stream.level.saturating_sub(1) as usize)
        };
        let levels = (0..plan.rules.len()).map(|rule| level_of(rule) + 1).max().unwrap_or(1);
        let mut rules = vec![Vec::new(); levels];
        let mut readers = vec![vec![Vec::new(); plan.streams.len()]; levels];
        for (ix, rule) in plan.rules.iter().enumerate() {
            let level = level_of(ix);
            if let Some(rules) = rules.get_mut(level) {
                rules.push(ix as u32);
            }
            for (input, reads) in rule.inputs.iter().enumerate() {
                let of_level = readers.get_mut(level).and_then(|level| level.get_mut(reads.stream.0 as usize));
                if let Some(of_level) = of_level {
                    of_level.push(Subscription { rule: ix as u32, input: input as u32 });
                }
            }
        }
        let mut order: Vec<usize> = (0..plan.streams.len()).collect();
        order.sort_by_key(|&at| {
            plan.streams.get(at).map(|stream| (stream.origin != StreamOrigin::Source, stream.name.as_str()))
        });
        let mut stream_ranks = vec![0; plan.streams.len()];
        for (rank, at) in order.into_iter().enumerate() {
            if let Some(place) = stream_ranks.get_mut(at) {
                *place = rank as u32;
            }
        }
        let of_shard = |_| Shard::new(compiled.iter().map(Compiled::operator).collect());
        Ok(Self {
            router: Router::new(plan.rules.iter().cloned().map(Arc::new).collect(), world, groups, shards),
            shards: (0..shards).map(of_shard).collect(),
            executor,
            merge: Merge::new(),
            inboxes: (0..levels).map(|_| Inbox::default()).collect(),
            held: vec![Vec::new(); levels],
            ready: Vec::new(),
            stats: vec![RuleStats::default(); plan.rules.len()],
            rules,
            readers,
            stream_ranks,
            watermark_ms: TimeMs::MIN,
            last_event_ms: TimeMs::MIN,
            clock: Clock::Event,
            compiled,
            options,
            plan,
        })
    }

    /// Adds a partition of a source. Partitions of a run are added before its first event, in the order of their numbers.
    pub fn add_partition(&mut self, stream: StreamId, partition: u32, disorder_ms: TimeMs) -> PartitionIx {
        self.merge.add_partition(stream, partition, disorder_ms)
    }

    /// Takes a batch of one partition, in the order of its offsets. What is late is left out and given back.
    pub fn push(&mut self, partition: PartitionIx, batch: Batch, late: &mut Vec<Late>) {
        for header in batch.headers() {
            self.last_event_ms = self.last_event_ms.max(header.time_ms);
        }
        self.merge.push(partition, batch, late);
    }

    /// An empty batch of this width with memory that was used before, if there is one.
    pub fn spare(&mut self, width: usize) -> Option<Batch> {
        self.merge.spare(width)
    }

    /// Does all work that the inputs so far allow.
    pub fn advance(&mut self) {
        let released = self.merge.release();
        // Where all partitions have ended, how time goes on is for `finish` to say.
        let known_ms = match self.merge.watermark() {
            TimeMs::MAX => self.last_event_ms.saturating_add(1),
            known_ms => known_ms,
        };
        let watermark_ms = known_ms.max(self.watermark_ms);
        self.watermark_ms = watermark_ms;
        self.run(&released, watermark_ms);
        self.merge.recycle(released);
    }

    /// A partition has ended: it holds nothing back any more.
    pub fn end_partition(&mut self, partition: PartitionIx) {
        self.merge.end(partition);
    }

    /// A partition is idle (caught up and silent), or no longer: an idle one doesn't hold the watermark back.
    pub fn set_idle(&mut self, partition: PartitionIx, idle: bool) {
        self.merge.set_idle(partition, idle);
    }

    /// The wall clock says that event time has come at least so far, on streams that are quiet.
    pub fn tick(&mut self, to_ms: TimeMs) {
        self.clock = Clock::Wall;
        self.merge.raise(to_ms);
        self.advance();
        self.clock = Clock::Event;
    }

    /// The inputs have ended.
    pub fn finish(&mut self, at_end: AtEnd) {
        if at_end == AtEnd::Hold {
            return;
        }
        self.merge.end_all();
        let released = self.merge.release();
        let watermark_ms = match at_end {
            // All events up to and with the last instant are there, so none with a time below the next millisecond will come.
            AtEnd::Last => self.last_event_ms.saturating_add(1),
            AtEnd::Drain | AtEnd::Hold => TimeMs::MAX,
        };
        self.watermark_ms = self.watermark_ms.max(watermark_ms);
        self.run(&released, self.watermark_ms);
        self.release_held();
    }

    /// What a timer put out at the very last instant has no reader that could still act, but it is an alert.
    fn release_held(&mut self) {
        if !self.options.eager {
            let held = self.held.iter_mut().flat_map(|held| held.drain(..));
            let plan = &self.plan;
            self.ready.extend(held.filter(|output| is_alert(plan, output)));
            self.ready.sort_by(Output::order);
        }
    }

    /// Moves the alerts that are ready to `out`.
    pub fn take(&mut self, out: &mut Vec<Output>) {
        out.append(&mut self.ready);
    }

    /// No event with a time below this will come.
    pub fn watermark_ms(&self) -> TimeMs {
        self.watermark_ms
    }

    /// The partition that holds the watermark back, if one does.
    pub fn held_back_by(&self) -> Option<PartitionIx> {
        self.merge.held_back_by()
    }

    /// Events that wait for others to come before them, and derived events that wait for their instant to be complete.
    pub fn waiting(&self) -> usize {
        self.merge.waiting()
            + self.inboxes.iter().map(Inbox::len).sum::<usize>()
            + self.held.iter().map(Vec::len).sum::<usize>()
    }

    /// Figures of a rule.
    pub fn rule_stats(&self, rule: u32) -> RuleStats {
        let counted = self.stats.get(rule as usize).copied().unwrap_or_default();
        let figures = self.shards.iter().map(|shard| shard.load_figures(rule));
        let (keys, open) = figures.fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1));
        RuleStats { keys, open, ..counted }
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How much work an event is for a rule, and why.
    pub fn class(&self, rule: u32) -> Option<(Class, &str)> {
        self.compiled.get(rule as usize).map(|compiled| (compiled.class.0, compiled.class.1.as_str()))
    }

    /// A rule's kernel in words, and its automaton as a Graphviz graph if it has one.
    pub fn explain(&self, rule: u32) -> Option<(&str, Option<&str>)> {
        self.compiled.get(rule as usize).map(|compiled| (compiled.explain.as_str(), compiled.dot.as_deref()))
    }

    /// Writes the states of a rule's keys: per shard, in order.
    pub fn save_rule(&self, rule: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(self.shards.len());
        for shard in &self.shards {
            writer.bytes(&shard.save(rule));
        }
        writer.into_bytes()
    }

    /// Reads what `save_rule` wrote, whatever the number of shards was then.
    ///
    /// # Errors
    /// Bytes that are no state of this rule.
    pub fn load_rule(&mut self, rule: u32, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = crate::model::Reader::new(bytes);
        let (groups, shards) = (self.options.key_groups, self.options.shards);
        for _ in 0..reader.len()? {
            let bytes = reader.bytes()?;
            for (at, shard) in self.shards.iter_mut().enumerate() {
                let mine = |group: KeyGroup| shard_of(group, groups, shards) as usize == at;
                shard.load(rule, bytes, &mine)?;
            }
        }
        Ok(())
    }

    /// One step of all levels: source events, derived events with a time below the watermark, and timers up to it.
    fn run(&mut self, released: &Released, watermark_ms: TimeMs) {
        for level in 0..self.rules.len() {
            if level == 0 {
                self.step_level(level, released.len(), |at| released.event(at));
            } else {
                self.keep_for(level, released);
                let events =
                    self.inboxes.get_mut(level).map(|inbox| inbox.take_before(watermark_ms)).unwrap_or_default();
                self.step_level(level, events.len(), |at| events.get(at).map(OwnedEvent::as_ref));
            }
            if let Some(rules) = self.rules.get(level) {
                let clock = self.clock;
                self.executor.run(&mut self.shards, &|shard| shard.advance(rules, watermark_ms, clock));
            }
            self.collect(level, watermark_ms);
        }
        // Levels run one after the other; an instant's outputs are ordered over all of them.
        self.ready.sort_by(Output::order);
    }

    /// Source events that rules of a higher level read wait there for the derived events of their instant.
    fn keep_for(&mut self, level: usize, released: &Released) {
        let (Some(readers), Some(inbox)) = (self.readers.get(level), self.inboxes.get_mut(level)) else { return };
        let reads_source = |stream: &crate::plan::StreamPlan| stream.origin == StreamOrigin::Source;
        if !self.plan.streams.iter().zip(readers).any(|(stream, readers)| reads_source(stream) && !readers.is_empty()) {
            return;
        }
        for event in (0..released.len()).filter_map(|at| released.event(at)) {
            let stream = event.stream.0 as usize;
            if readers.get(stream).is_some_and(|readers| !readers.is_empty()) {
                let rank = self.stream_ranks.get(stream).copied().unwrap_or(0);
                let values = event.values.to_vec();
                inbox.push(rank, OwnedEvent { stream: event.stream, header: event.header, values });
            }
        }
    }

    /// Routes the events of a level and lets the shards take them.
    fn step_level<'a>(&mut self, level: usize, count: usize, event: impl Fn(usize) -> Option<EventRef<'a>> + Sync) {
        let Some(readers) = self.readers.get(level) else { return };
        let single = self.shards.len() == 1;
        for at in 0..count {
            let Some(found) = event(at) else { continue };
            let Some(readers) = readers.get(found.stream.0 as usize) else { continue };
            for &to in readers {
                let key = match self.router.route(to, found) {
                    Route::To(key) => key,
                    Route::Nowhere => continue,
                    Route::NoKey => {
                        if let Some(stats) = self.stats.get_mut(to.rule as usize) {
                            stats.missing_key += 1;
                        }
                        continue;
                    }
                };
                if single {
                    if let Some(shard) = self.shards.first_mut() {
                        shard.step(to, found, &key);
                    }
                } else if let Some(shard) = self.shards.get_mut(self.router.shard(&key) as usize) {
                    shard.inbox.push(Routed { to, event: at as u32, key });
                }
            }
        }
        if !single {
            self.executor.run(&mut self.shards, &|shard| shard.step_routed(|at| event(at as usize)));
        }
    }

    /// Orders a level's outputs and passes on those whose instant is complete.
    fn collect(&mut self, level: usize, before_ms: TimeMs) {
        for &rule in self.rules.get(level).into_iter().flatten() {
            let shed: u64 = self.shards.iter_mut().map(|shard| shard.take_shed(rule)).sum();
            if let Some(stats) = self.stats.get_mut(rule as usize) {
                stats.shed += shed;
            }
        }
        let Some(held) = self.held.get_mut(level) else { return };
        let fresh = held.len();
        for shard in &mut self.shards {
            held.append(&mut shard.outbox);
        }
        for output in held.get(fresh..).unwrap_or_default() {
            if let Some(stats) = self.stats.get_mut(output.rule as usize) {
                stats.outputs += 1;
            }
        }
        let is_alert = |output: &Output| is_alert(&self.plan, output);
        if self.options.eager {
            self.ready.extend(held.get(fresh..).unwrap_or_default().iter().filter(|output| is_alert(output)).cloned());
        }
        // Stable, and a key's outputs come from one shard in their order, so that order is the sequence within the key.
        held.sort_by(Output::order);
        let complete = held.partition_point(|output| output.emission.time_ms < before_ms);
        let mut sequence = 0;
        let mut before: Option<Output> = None;
        for output in held.drain(..complete) {
            let same = before.as_ref().is_some_and(|before| before.order(&output).is_eq());
            sequence = if same { sequence + 1 } else { 0 };
            if let Some(rule) = self.plan.rules.get(output.rule as usize) {
                let stream =
                    self.plan.streams.iter().position(|stream| stream.origin == StreamOrigin::Rule(output.rule));
                if let Some(stream) = stream {
                    let event = derived_event(&rule.name, StreamId(stream as u32), &output, sequence);
                    for (level, readers) in self.readers.iter().enumerate() {
                        if readers.get(stream).is_some_and(|readers| !readers.is_empty())
                            && let Some(inbox) = self.inboxes.get_mut(level)
                        {
                            inbox.push(self.stream_ranks.get(stream).copied().unwrap_or(0), event.clone());
                        }
                    }
                }
            }
            if !self.options.eager && is_alert(&output) {
                self.ready.push(output.clone());
            }
            before = Some(output);
        }
    }
}

fn is_alert(plan: &Plan, output: &Output) -> bool {
    plan.rules.get(output.rule as usize).is_some_and(|rule| rule.kind == RuleKind::Alert)
}

/// An output as an event of its rule's stream. Its offset is xxh3-64, seeded with the sequence, of the stream's name, 0x00, the
/// key's canonical bytes and the time (little-endian).
fn derived_event(name: &str, stream: StreamId, output: &Output, sequence: u64) -> OwnedEvent {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(output.key.as_bytes());
    bytes.extend_from_slice(&output.emission.time_ms.to_le_bytes());
    let offset = xxh3_64_with_seed(&bytes, sequence);
    let header = Header { time_ms: output.emission.time_ms, partition: u32::MAX, offset };
    OwnedEvent { stream, header, values: output.emission.values.clone() }
}
