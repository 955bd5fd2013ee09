//! The machine: the whole core behind a few calls.

use super::{
    arrivals::Arrivals,
    circle::{Circle, circles_of, give_levels},
    compile::{CompileError, Compiled, Setting, compile},
    drains::DRAIN_MS,
    exchange::SHARED_MIN,
    executor::{Executor, Inline},
    figures::RuleStats,
    inbox::Inbox,
    keyed::AHEAD,
    late::LateReaders,
    limits::Limits,
    output::{Moment, Output},
    relief::new_shards,
    route::{Find, Memo, Readers, Route, Router, Subscription},
    shard::{Routed, Shard},
    state::Spilling,
    timeline::{Timeline, first_readers, lay_out, timelines_of},
};
use crate::{
    expr::World,
    model::{Clock, StreamId, TimeMs},
    op::window::{Assigners, Owned},
    plan::{ClockPolicy, Mode, Plan, Rule, StreamOrigin},
    time::{PartitionIx, Released},
};
use smallvec::SmallVec;
use std::sync::Arc;

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

/// A rule's outputs as a stream.
#[derive(Clone, Debug)]
pub(super) struct Derived {
    /// Of an old version the new one's.
    pub(super) stream: StreamId,
    /// Of an old version what of its outputs the stream's fields are.
    pub(super) slots: Option<Vec<Option<u16>>>,
    /// The level that the rule runs at.
    level: u32,
    /// The levels with rules that read the stream.
    pub(super) readers: Vec<usize>,
}

/// The core. Feed it with `push`, let it work with `advance`, take the alerts with `take`.
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) compiled: Vec<Compiled>,
    pub(super) router: Router,
    /// Fences and tables.
    pub(super) world: Arc<World>,
    /// What the router knows of the event at hand.
    pub(super) memos: Vec<Vec<Memo>>,
    pub(super) indexed: bool,
    pub(super) shards: Vec<Shard>,
    pub(super) executor: Box<dyn Executor>,
    pub(super) options: Options,
    pub(super) limits: Limits,
    /// Sources that no rule reads together wait for nothing of one another.
    pub(super) timelines: Vec<Timeline>,
    pub(super) timeline_of_stream: Vec<usize>,
    /// Of each partition its timeline, and its number there.
    pub(super) partitions: Vec<(usize, PartitionIx)>,
    /// For each rule the level that it runs at; each timeline has levels of its own.
    pub(super) level_of: Vec<u32>,
    /// Rules that read each other, by their levels.
    pub(super) circles: Vec<Arc<Circle>>,
    /// For each level and stream the rules of that level that read the stream.
    pub(super) readers: Vec<Vec<Vec<Subscription>>>,
    /// Who takes late events.
    pub(super) late_readers: LateReaders,
    /// For each rule its stream, and the levels that read it.
    pub(super) derived: Vec<Derived>,
    /// The order of streams at one instant: sources, then derived ones, each by name.
    pub(super) stream_ranks: Vec<u32>,
    pub(super) inboxes: Vec<Inbox>,
    /// For each level the outputs whose instant isn't complete yet.
    pub(super) held: Vec<Vec<Output>>,
    pub(super) ready: Vec<Output>,
    /// Whether those are in their order.
    pub(super) is_in_order: bool,
    /// Rules of which every output is kept, and what was kept of them.
    pub(super) watched: Vec<u32>,
    pub(super) seen: Vec<Output>,
    /// Alerts whose instant isn't complete on all timelines, unless alerts leave at once.
    pub(super) ordered: Vec<Output>,
    pub(super) stats: Vec<RuleStats>,
    /// Whether a rule waits for the wall clock.
    pub(super) waits_for_wall: bool,
    /// Rules whose windows are over the time of arrival.
    pub(super) by_arrival: Vec<u32>,
    /// How far the wall clock has come, as it was last read.
    pub(super) wall_ms: TimeMs,
    /// How many cuts there were.
    pub(super) barrier: u64,
    /// For each rule that is an old version when what is open is dropped; and how long those go on that nothing else ends.
    pub(super) drain_until: Vec<TimeMs>,
    pub(super) drain_ms: TimeMs,
    /// For each rule the windows that it puts out: not all, where versions follow one another.
    pub(super) owned: Vec<Owned>,
    /// Where keys go that memory is too small for; else all stay.
    pub(super) spilling: Option<Spilling>,
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
        Self::with_assigners(plan, world, options, executor, &Assigners::default())
    }

    /// The same with windows of one's own beside the built-in ones.
    ///
    /// # Errors
    /// As [`new`](Self::new), and a rule whose windows are not among them or don't take what the rule gives them.
    pub fn with_assigners(
        plan: Arc<Plan>,
        world: Arc<World>,
        options: Options,
        executor: Box<dyn Executor>,
        assigners: &Assigners,
    ) -> Result<Self, CompileError> {
        let shards = options.shards.max(1);
        let groups = options.key_groups.max(shards);
        let options = Options { shards, key_groups: groups, ..options };
        let setting = Setting { world: Arc::clone(&world), groups, seed: options.seed, assigners: assigners.clone() };
        let compiled = compile(&plan, &setting)?;
        let derived =
            |stream: usize| Derived { stream: StreamId(stream as u32), slots: None, level: 0, readers: Vec::new() };
        let mut streams: Vec<Derived> = vec![derived(usize::MAX); plan.rules.len()];
        for (at, stream) in plan.streams.iter().enumerate() {
            if let StreamOrigin::Rule(rule) = stream.origin
                && let Some(of_rule) = streams.get_mut(rule as usize)
            {
                *of_rule = Derived { level: stream.level.saturating_sub(1), ..derived(at) };
            }
        }
        let mut level_of: Vec<u32> = streams.iter().map(|derived| derived.level).collect();
        let timeline_of_stream = timelines_of(&plan);
        let stream_of: Vec<StreamId> = streams.iter().map(|derived| derived.stream).collect();
        let found = plan.circles();
        let timeline = |rule: usize| {
            let stream = stream_of.get(rule).map_or(usize::MAX, |stream| stream.0 as usize);
            timeline_of_stream.get(stream).copied().unwrap_or(0)
        };
        give_levels(&found, &mut level_of, timeline);
        let timelines = lay_out(&timeline_of_stream, &mut level_of, &stream_of);
        let levels = timelines.last().map_or(1, |timeline| timeline.levels.end);
        let mut readers = vec![vec![Vec::new(); plan.streams.len()]; levels];
        let runs = |rule: &Rule| rule.mode != Mode::Off;
        for (ix, (rule, &level)) in plan.rules.iter().zip(&level_of).enumerate().filter(|(_, (rule, _))| runs(rule)) {
            // What a rule reads of itself never leaves its partition.
            for (input, reads) in rule.inputs.iter().enumerate().filter(|(input, _)| !rule.is_own(*input)) {
                let of_level = readers.get_mut(level as usize).and_then(|level| level.get_mut(reads.stream.0 as usize));
                if let Some(of_level) = of_level {
                    of_level.push(Subscription { rule: ix as u32, input: input as u32 });
                }
            }
        }
        for drain in &plan.drains {
            if let (Some(derived), Some((stream, slots))) =
                (streams.get_mut(drain.rule as usize), plan.feeds(drain.rule))
            {
                (derived.stream, derived.slots) = (stream, Some(slots));
            }
        }
        for derived in &mut streams {
            let reads = |readers: &Vec<Vec<Subscription>>| {
                readers.get(derived.stream.0 as usize).is_some_and(|readers| !readers.is_empty())
            };
            derived.readers = (0..levels).filter(|&level| readers.get(level).is_some_and(reads)).collect();
        }
        let circles: Vec<Arc<Circle>> = circles_of(&plan, &found, &level_of).into_iter().map(Arc::new).collect();
        for (rule, derived) in (0..).zip(&mut streams) {
            // What goes round within a circle doesn't wait on the way.
            let own = circles.iter().find(|circle| circle.has(rule));
            own.into_iter().for_each(|own| derived.readers.retain(|level| !own.levels.contains(level)));
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
        let router = Router::new(Arc::clone(&plan), Arc::clone(&world), &readers, groups, shards);
        Ok(Self {
            memos: router.memos(),
            router,
            world,
            indexed: true,
            shards: new_shards(&compiled, &level_of, shards),
            executor,
            partitions: Vec::new(),
            inboxes: (0..levels).map(|_| Inbox::default()).collect(),
            held: vec![Vec::new(); levels],
            ready: Vec::new(),
            is_in_order: true,
            watched: Vec::new(),
            seen: Vec::new(),
            ordered: Vec::new(),
            stats: vec![RuleStats::default(); plan.rules.len()],
            level_of,
            circles,
            late_readers: LateReaders::new(&plan, &compiled, &first_readers(&timeline_of_stream, &timelines, &readers)),
            timelines,
            timeline_of_stream,
            readers,
            derived: streams,
            stream_ranks,
            waits_for_wall: plan
                .rules
                .iter()
                .any(|rule| runs(rule) && rule.clock == ClockPolicy::Wall && !rule.by_arrival()),
            by_arrival: (0..).zip(&plan.rules).filter(|(_, rule)| rule.by_arrival()).map(|(ix, _)| ix).collect(),
            wall_ms: 0,
            barrier: 0,
            drain_until: vec![TimeMs::MAX; plan.rules.len()],
            drain_ms: DRAIN_MS,
            owned: vec![Owned::ALL; plan.rules.len()],
            spilling: None,
            compiled,
            options,
            limits: Limits::default(),
            plan,
        })
    }

    /// Whether rules are found through the index (the default), or each is asked of every event: to measure, and to test that
    /// outputs and states are the same.
    pub fn set_indexed(&mut self, indexed: bool) {
        self.indexed = indexed;
    }

    /// Other reference data: what is worked on from the next `advance` on sees it, events and timers alike. Sets and tables
    /// must be those of the plan, in its order; tables with the columns that the rules were checked with. What patterns and
    /// windows took from the data before stays as it was. A replay sees the same if it is told at the same place of its input.
    pub fn set_world(&mut self, world: Arc<World>) {
        self.router.set_world(&world);
        self.shards.iter_mut().for_each(|shard| shard.set_world(&world));
        self.world = world;
    }

    /// Moves the alerts that are ready to `out`.
    pub fn take(&mut self, out: &mut Vec<Output>) {
        if self.fault().is_some() {
            self.ready.clear();
        }
        if out.is_empty() {
            std::mem::swap(out, &mut self.ready);
        } else {
            out.append(&mut self.ready);
        }
    }

    /// From now on keeps every output of a rule for [`Engine::take_seen`], also where it is a stream.
    pub fn watch(&mut self, rule: u32) {
        if !self.watched.contains(&rule) {
            self.watched.push(rule);
        }
    }

    /// Moves what was kept of the watched rules to `out`: of each rule in the order of its outputs, instants complete.
    pub fn take_seen(&mut self, out: &mut Vec<Output>) {
        out.append(&mut self.seen);
    }

    /// How many shards it has.
    pub fn shards(&self) -> u32 {
        self.options.shards
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// One step of all levels of a timeline: source events, derived events with a time below the watermark, and timers up to it.
    pub(super) fn run(&mut self, timeline: usize, released: &Released, to: &Moment) {
        let Some(timeline) = self.timelines.get_mut(timeline) else { return };
        let (before_ms, watermark_ms) = (timeline.watermark_ms, to.watermark_ms);
        (timeline.watermark_ms, timeline.event_ms) = (watermark_ms, to.event_ms);
        let levels = timeline.levels.clone();
        self.shards.iter_mut().for_each(|shard| shard.floor_ms = before_ms);
        let mut skipped = levels.start;
        for level in levels.clone() {
            if level < skipped {
                continue;
            }
            if let Some(circle) = self.circles.iter().find(|circle| circle.levels.start == level).map(Arc::clone) {
                circle.levels.clone().for_each(|level| self.keep_for(level, released));
                self.go_round(&circle, to, before_ms);
                skipped = circle.levels.end;
                continue;
            }
            self.carry(level);
            if level == levels.start {
                self.step_level(level, to.clock, released.into());
            } else {
                self.keep_for(level, released);
                let events =
                    self.inboxes.get_mut(level).map(|inbox| inbox.take_before(watermark_ms)).unwrap_or_default();
                self.step_level(level, to.clock, Arrivals::Waited(&events));
            }
            self.advance_level(level, to);
            self.collect(level, watermark_ms);
        }
    }

    /// Source events that rules of a higher level read wait there for the derived events of their instant.
    fn keep_for(&mut self, level: usize, released: &Released) {
        let (Some(readers), Some(inbox)) = (self.readers.get(level), self.inboxes.get_mut(level)) else { return };
        let reads_source = |stream: &crate::plan::StreamPlan| stream.origin == StreamOrigin::Source;
        if !self.plan.streams.iter().zip(readers).any(|(stream, readers)| reads_source(stream) && !readers.is_empty()) {
            return;
        }
        // Late ones are for rules that read sources alone.
        let on_time = (0..released.len()).filter(|&at| released.late_ms(at).is_none());
        for event in on_time.filter_map(|at| released.event(at)) {
            let stream = event.stream.0 as usize;
            if readers.get(stream).is_some_and(|readers| !readers.is_empty()) {
                let rank = self.stream_ranks.get(stream).copied().unwrap_or(0);
                inbox.push(rank, event.into());
            }
        }
    }

    /// Routes the events of a level and lets the shards take them.
    pub(super) fn step_level(&mut self, level: usize, clock: Clock, events: Arrivals<'_>) {
        let count = events.len();
        let single = self.shards.len() == 1;
        let how = match (self.indexed, clock) {
            (false, _) => Find::All,
            (true, Clock::Event) => Find::Concerned,
            // Timers that the clock doesn't fire fire before the key's next event, even one that is passed over.
            (true, Clock::Wall) => Find::Passing,
        };
        let shares = !single && count >= SHARED_MIN;
        if shares && (0..count).all(|at| events.late_ms(at).is_none()) {
            return self.exchange((level, how), events);
        }
        let Self { router, memos, shards, stats, late_readers, .. } = self;
        let router = &*router;
        let mut readers = None;
        for at in 0..count {
            if at % AHEAD == 0 {
                router.look_ahead(level, (at..count.min(at + AHEAD)).filter_map(|at| events.event(at)));
            }
            let Some((event, late_ms)) = events.get(at) else { continue };
            let deliver = |to: Subscription, route: Route| match route {
                Route::NoKey => {
                    if let Some(stats) = stats.get_mut(to.rule as usize) {
                        stats.missing_key += 1;
                    }
                }
                Route::To(key) => {
                    let shard = if single { 0 } else { router.shard(&key) as usize };
                    if let Some(shard) = shards.get_mut(shard) {
                        shard.inbox.push(Routed { to, event: at as u32, key });
                    }
                }
            };
            if let Some(found_ms) = late_ms {
                let (mut deliver, mut taken): (_, SmallVec<[u32; 4]>) = (deliver, SmallVec::new());
                late_readers.route(router, event, found_ms, |to, key| {
                    taken.push(to.rule);
                    deliver(to, Route::To(key.clone()));
                });
                for rule in taken {
                    if let Some(stats) = stats.get_mut(rule as usize) {
                        stats.late += 1;
                    }
                }
            } else {
                if readers.as_ref().is_none_or(|readers: &Readers<'_>| readers.stream != event.stream) {
                    readers = router.readers(level, event.stream, how, memos);
                }
                if let Some(readers) = &mut readers {
                    readers.route(event, deliver);
                }
            }
            // What was written just now is still at hand.
            if single
                && let Some(shard) = shards.first_mut()
                && shard.inbox.len() >= AHEAD
            {
                shard.step_routed(events);
            }
        }
        let executor: &mut dyn Executor = if shares { &mut *self.executor } else { &mut Inline };
        executor.run(&mut self.shards, &|shard| shard.step_routed(events));
    }
}
