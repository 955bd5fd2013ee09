//! One rule on one shard: its kernel, the state of its keys, and the order of work on an event.

mod draining;
mod duties;
mod feeding;
mod following;
mod instant;
mod keys;
mod passing;
mod plain;
mod room;
mod spilled;
mod step;

pub(super) use self::{
    duties::{Ahead, Operator},
    room::Room,
    spilled::{EntityCodec, PartitionCodec, Spills},
};
use self::{instant::Unordered, passing::Passing, step::When};
use super::{
    arrivals::Arrivals,
    ended::Ending,
    kernel::Kernel,
    keyed::{Keyed, Seen},
    output::{Moment, Output},
    partition::{Frozen, FrozenOperator, Partition},
    shard::Routed,
    snapshot::{load_outputs, save_outputs},
    spill::Spill,
};
use crate::{
    expr::World,
    model::{Clock, DecodeError, Emission, EventRef, FenceMap, Key, KeyGroup, Reader, TimeMs, Value, Writer},
    op::{through, window::Owned},
    plan::{self, ClockPolicy},
};
use std::{any::Any, cell::OnceCell, sync::Arc};

pub(super) struct KeyedOperator<K: Kernel> {
    pub(super) rule: Arc<plan::Rule>,
    pub(super) ix: u32,
    pub(super) rank: u32,
    pub(super) kernel: Arc<K>,
    world: Arc<World>,
    pub(super) groups: u32,
    /// How many previous events are kept.
    depth: usize,
    /// How the last event of a partition is known.
    ending: Option<Ending>,
    pub(super) partitions: Keyed<Partition<K::State>>,
    /// Where the keys of the events that come next seemed to be.
    seen: Seen,
    /// Whether the rule as such asks for nothing but its kernel and the previous event.
    plain: bool,
    pub(super) passing: Option<Passing>,
    /// Keys that are in the store, where there is one.
    pub(super) spill: Option<Box<Spill>>,
    /// Keys that came back since others went for them.
    brought_back: usize,
    /// Partitions that hold nothing, with memory that was used before.
    blanks: Vec<Partition<K::State>>,
    scratch: K::Scratch,
    computed: Vec<OnceCell<Value>>,
    emissions: Vec<Emission>,
    /// What timers put out by event time and the wall clock hasn't confirmed: only where the rule waits for it.
    pub(super) waiting: Vec<Output>,
    /// Events of the instant at hand: only where the rule orders or follows them.
    pub(super) instant: Vec<Unordered>,
    /// What all keys hold open. Kept up, as nobody may look at a million keys a few times per second.
    pub(super) open: usize,
    /// Of windows over the time of arrival, when events arrive that come now.
    pub(super) wall_ms: Option<TimeMs>,
    stopped: bool,
    /// Where what it holds is bounded.
    room: Option<Box<Room>>,
    /// Where it only ends what it has begun, when that is dropped.
    drains: Option<TimeMs>,
    /// Windows that are its own, where others are those of other versions; and until when keys that are new may have one, where it drains.
    owned: Owned,
    opens_until: Option<TimeMs>,
    /// Partial matches that were dropped at that time, and outputs that were not fed back, because a bound was reached, since that was last asked.
    unfed: u64,
}

/// So many blank partitions are kept.
const BLANKS_MAX: usize = 64;

impl<K: Kernel> KeyedOperator<K> {
    pub(super) fn new(
        rule: Arc<plan::Rule>,
        ix: u32,
        rank: u32,
        kernel: Arc<K>,
        world: Arc<World>,
        groups: u32,
        ending: Option<Ending>,
    ) -> Self {
        let passing = rule.through.as_ref();
        let passing = passing.map(|through| Passing::new(through, groups, &rule, kernel.keeps_nothing()));
        let computed = rule.inputs.iter().map(|input| input.computed.len()).max().unwrap_or(0);
        Self {
            depth: usize::from(rule.looks_back()),
            ending,
            ix,
            rank,
            kernel,
            world,
            groups,
            partitions: Keyed::new(groups),
            seen: Seen::default(),
            plain: plain::is_plain(&rule),
            passing,
            spill: None,
            brought_back: 0,
            blanks: Vec::new(),
            scratch: K::Scratch::default(),
            computed: (0..computed).map(|_| OnceCell::new()).collect(),
            emissions: Vec::new(),
            waiting: Vec::new(),
            instant: Vec::new(),
            open: 0,
            // Until a driver says what time it is.
            wall_ms: rule.by_arrival().then_some(0),
            stopped: false,
            room: None,
            unfed: 0,
            drains: None,
            owned: Owned::ALL,
            opens_until: None,
            rule,
        }
    }
}

impl<K: Kernel> KeyedOperator<K> {
    /// Takes an event of a rule that isn't plain.
    fn step_fully(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        let over = self.stopped || self.drains.is_some_and(|until_ms| event.time_ms() >= until_ms);
        match (over, self.rule.order.is_empty() && self.rule.follow.is_none()) {
            (true, _) => {}
            (false, true) => self.take(input, event, key, out),
            (false, false) => self.keep(input, event, key, out),
        }
    }

    /// Takes a late event as of the time at which it was found to be late.
    fn step_late(&mut self, input: usize, event: EventRef<'_>, key: &Key, found_ms: TimeMs, out: &mut Vec<Output>) {
        // Rules with THROUGH or ORDER BY, and those that look back, take no late events.
        if !self.stopped && self.passing.is_none() && self.depth == 0 {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            self.step_partition(input, (event, When::Late(found_ms)), &[], key.group(self.groups), key, out);
        }
    }
}

impl<K: Kernel + 'static> Operator for KeyedOperator<K> {
    fn step_each(&mut self, routed: &[Routed], events: Arrivals<'_>, out: &mut Vec<Output>) {
        let plain = self.is_plain();
        for Routed { to, event, key } in routed {
            let (input, seen) = (to.input as usize, self.seen.next());
            match events.get(*event as usize) {
                // What makes a rule plain doesn't change with an event.
                Some((event, None)) if plain => self.step_plain(input, event, (key, seen), out),
                Some((event, None)) => self.step_fully(input, event, key, out),
                Some((event, Some(found_ms))) => self.step_late(input, event, key, found_ms, out),
                None => {}
            }
        }
    }

    fn look_ahead(&mut self, ahead: Ahead<'_>) {
        // With THROUGH keys are those of entities.
        if self.passing.is_some() {
            self.foresee(ahead);
        } else if !self.partitions.is_small() {
            let kernel = &*self.kernel;
            let touch = |partition: &Partition<K::State>, kind, further| partition.touch(kernel, kind, further);
            let keys = ahead.keys(self.groups, |input, event| kernel.kind(input, event));
            self.partitions.look_ahead(keys, touch, &mut self.seen);
        }
    }

    fn advance(&mut self, to: &Moment, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        // Rules that order events see whole instants only, so that this one is complete.
        if !self.instant.is_empty() {
            self.take_instant(out);
        }
        if self.wall_ms.is_some() {
            return;
        }
        let (come_ms, clock) = match self.rule.clock {
            ClockPolicy::Event => (to.event_ms, Clock::Event),
            ClockPolicy::EventOrWall | ClockPolicy::Wall => (to.watermark_ms, to.clock),
        };
        let to_ms = self.drains.map_or(come_ms, |until_ms| come_ms.min(until_ms.saturating_sub(1)));
        while let Some(place) = self.next_due(to_ms) {
            self.advance_place(place, to_ms, clock, out);
            self.make_room();
        }
        if to_ms < come_ms {
            self.drop_rest();
        }
        if to.releases {
            out.extend(self.waiting.drain(..).map(|mut output| {
                output.emission.clock = Some(to.clock);
                output
            }));
        }
    }

    fn set_world(&mut self, world: &Arc<World>) {
        self.world = Arc::clone(world);
        if let Some(passing) = &mut self.passing {
            passing.forget_foreseen();
        }
    }

    fn arrive(&mut self, wall_ms: TimeMs, decided_ms: TimeMs, out: &mut Vec<Output>) {
        if self.wall_ms.is_none() || self.stopped {
            return;
        }
        self.wall_ms = Some(wall_ms);
        let before = out.len();
        while let Some(place) = self.next_due(wall_ms) {
            self.advance_place(place, wall_ms, Clock::Wall, out);
            self.make_room();
        }
        for output in out.get_mut(before..).unwrap_or_default() {
            output.emission.time_ms = decided_ms;
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn due(&self) -> Option<TimeMs> {
        match (self.stopped, self.waiting.is_empty() && self.instant.is_empty()) {
            (true, _) => None,
            (false, false) => Some(TimeMs::MIN),
            // Timers of the time of arrival are another clock's.
            (false, true) if self.wall_ms.is_some() => None,
            (false, true) => self.next_timer().into_iter().chain(self.drains.filter(|_| self.open > 0)).min(),
        }
    }

    fn load_figures(&self) -> (usize, usize) {
        (self.partitions.len() + self.keys_away(), self.open)
    }

    fn take_counts(&mut self) -> (u64, u64) {
        let shed = self.kernel.take_shed(&mut self.scratch) + std::mem::take(&mut self.unfed);
        (shed, self.kernel.take_skip_misses(&mut self.scratch))
    }

    fn room(&mut self) -> &mut Option<Box<Room>> {
        &mut self.room
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn take_over(&mut self, old: Box<dyn Operator>, fences: Option<&FenceMap>) -> bool {
        old.into_any().downcast::<Self>().is_ok_and(|old| match (old.drains, self.drains) {
            (None, Some(_)) => self.drain_from(*old, fences),
            _ => self.go_on_from(*old, fences),
        })
    }

    fn migrate(&mut self, old: Box<dyn Operator>, rest: Option<&mut dyn Operator>) -> bool {
        let rest = rest.and_then(|rest| rest.as_any().downcast_mut::<Self>());
        old.into_any().downcast::<Self>().is_ok_and(|old| self.migrate_from(*old, rest))
    }

    fn drain_until(&mut self, until_ms: TimeMs) {
        self.drains = Some(until_ms);
    }

    fn own(&mut self, owned: Owned) {
        self.own_windows(owned);
    }

    fn follow(&mut self, old: &mut dyn Operator) {
        if let Some(old) = old.as_any().downcast_mut::<Self>() {
            self.follow_windows(old);
        }
    }

    fn is_drained(&self, now_ms: TimeMs) -> bool {
        let is_over = self.opens_until.map_or(self.open == 0, |until_ms| until_ms <= now_ms);
        is_over && self.waiting.is_empty() && self.instant.is_empty()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn save(&self, writer: &mut Writer) {
        if let Some(spill) = &self.spill {
            self.save_spilled(spill, writer);
            return save_outputs(&self.waiting, writer);
        }
        self.partitions.save(writer, |partition, writer| partition.save(&*self.kernel, &self.rule, writer));
        if let Some(passing) = &self.passing {
            passing.entities.save(writer, through::KeyState::save);
        }
        save_outputs(&self.waiting, writer);
    }

    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        let (rule, groups) = (Arc::clone(&self.rule), self.groups);
        let home = |key: &Key| Some(rule.routing_key(key).group(groups)).filter(|&group| mine(group));
        self.load_keys(reader, &home, &|key| Some(key.group(groups)).filter(|&group| mine(group)))?;
        self.load_waiting(reader, mine)
    }

    fn freeze(&mut self, barrier: u64) -> Box<dyn Frozen> {
        Box::new(FrozenOperator {
            kernel: Arc::clone(&self.kernel),
            rule: Arc::clone(&self.rule),
            partitions: (self.partitions.freeze(barrier), self.spill.as_mut().map(|spill| spill.freeze(barrier))),
            entities: self.passing.as_mut().map(|passing| {
                (passing.entities.freeze(barrier), passing.spill.as_mut().map(|spill| spill.freeze(barrier)))
            }),
            waiting: self.waiting.clone(),
        })
    }

    fn load_group(&mut self, group: KeyGroup, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.load_keys(reader, &|_| Some(group), &|_| Some(group))
    }

    fn load_waiting(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        let (rule, ix, rank) = (Arc::clone(&self.rule), self.ix, self.rank);
        let waiting = load_outputs(reader)?.into_iter();
        let own = waiting.filter(|output| mine(rule.routing_key(&output.key).group(self.groups)));
        self.waiting.extend(own.map(|output| Output { rule: ix, rank, ..output }));
        Ok(())
    }
}
