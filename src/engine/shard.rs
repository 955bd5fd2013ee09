//! A shard: for each rule the keys that it owns. Single-threaded; shards know nothing of one another.

use super::{
    arrivals::Arrivals,
    exchange::Exchange,
    keyed::AHEAD,
    limits::{Bounds, Shed},
    operator::{Ahead, Operator, Room},
    output::{Moment, Output},
    partition::Frozen,
    relief::Relief,
    route::Subscription,
    state::Spilling,
};
use crate::{
    expr::World,
    model::{DecodeError, FenceMap, Key, KeyGroup, Reader, TimeMs, Writer},
    op::window::Owned,
};
use smallvec::SmallVec;
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

/// The keys of one range of key groups, for every rule.
pub struct Shard {
    pub(super) operators: Vec<Box<dyn Operator>>,
    /// The level that each rule runs at.
    level_of: Vec<u32>,
    /// Rules that did something in the current step, each once, and for each rule whether it is among them: the others cost nothing.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
    /// For each level when its rules are next due. An entry that isn't a rule's `next_ms` is stale.
    due: Vec<BinaryHeap<Reverse<(TimeMs, u32)>>>,
    next_ms: Vec<TimeMs>,
    /// Events routed here in the current step: in total order, with their keys.
    pub(super) inbox: Vec<Routed>,
    /// What goes between it and the others.
    pub(super) exchange: Exchange,
    /// What the current step put out, behind so many that wait for their instant since earlier ones.
    pub(super) outbox: Vec<Output>,
    pub(super) carried: usize,
    /// Readers have been told that no output with a time below this will come.
    pub(super) floor_ms: TimeMs,
    /// Where there is a store for keys.
    relief: Option<Box<Relief>>,
}

const NEVER: TimeMs = TimeMs::MAX;

/// Where events are for more rules than that each of them has but a few.
const RULES_AHEAD: usize = 4;

/// An event on its way to a rule.
pub(super) struct Routed {
    pub(super) to: Subscription,
    /// The event's place in the step's list of events.
    pub(super) event: u32,
    pub(super) key: Key,
}

impl Shard {
    pub(super) fn new(operators: Vec<Box<dyn Operator>>, level_of: Vec<u32>) -> Self {
        let levels = level_of.iter().max().map_or(1, |level| *level as usize + 1);
        Self {
            level_of,
            touched: Vec::new(),
            is_touched: vec![false; operators.len()],
            due: (0..levels).map(|_| BinaryHeap::new()).collect(),
            next_ms: vec![NEVER; operators.len()],
            operators,
            inbox: Vec::new(),
            exchange: Exchange::default(),
            outbox: Vec::new(),
            carried: 0,
            floor_ms: TimeMs::MIN,
            relief: None,
        }
    }

    /// From now on keys may be put into this store; there are none yet.
    pub(super) fn spill_to(&mut self, use_of: &Spilling, shards: u32) {
        self.operators.iter_mut().for_each(|operator| operator.spill_to(use_of));
        self.relief = Some(Box::new(Relief::new(use_of, shards, self.operators.len())));
    }

    /// Puts keys away where they are too many in memory.
    fn relieve(&mut self, touched: &[u32]) {
        if let Some(relief) = &mut self.relief {
            relief.relieve(&mut self.operators, touched);
        }
    }

    fn relieve_touched(&mut self) {
        if let Some(relief) = &mut self.relief {
            relief.relieve(&mut self.operators, &self.touched);
        }
    }

    /// Takes some events that are all for one rule.
    fn step(&mut self, rule: u32, routed: &[Routed], events: Arrivals<'_>) {
        let before = self.outbox.len();
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.step_each(routed, events, &mut self.outbox);
            self.touch(rule);
        }
        if self.relief.as_mut().is_some_and(|relief| relief.count(routed.len())) {
            self.relieve_touched();
        }
        self.hold_floor(before);
    }

    fn touch(&mut self, rule: u32) {
        if let Some(is_touched) = self.is_touched.get_mut(rule as usize)
            && !*is_touched
        {
            *is_touched = true;
            self.touched.push(rule);
        }
    }

    /// Sees to it that a rule is looked at when it is next due.
    fn schedule(&mut self, rule: u32) {
        let at = rule as usize;
        let due_ms = self.operators.get(at).and_then(|operator| operator.due()).unwrap_or(NEVER);
        let level = self.level_of.get(at).copied().unwrap_or(0);
        if let (Some(next_ms), Some(due)) = (self.next_ms.get_mut(at), self.due.get_mut(level as usize))
            && due_ms < *next_ms
        {
            *next_ms = due_ms;
            due.push(Reverse((due_ms, rule)));
        }
    }

    /// A timer that fires after its deadline, as its rule listens to one clock only, decides when it fires: an output is never
    /// late for who reads it.
    fn hold_floor(&mut self, from: usize) {
        for output in self.outbox.get_mut(from..).unwrap_or_default() {
            output.emission.time_ms = output.emission.time_ms.max(self.floor_ms);
        }
    }

    /// When a rule of this level is next due, at the earliest.
    pub(super) fn next_due(&mut self, level: usize) -> Option<TimeMs> {
        let due = self.due.get_mut(level)?;
        while let Some(&Reverse((due_ms, rule))) = due.peek() {
            if self.next_ms.get(rule as usize) == Some(&due_ms) {
                return Some(due_ms);
            }
            due.pop();
        }
        None
    }

    /// Takes what was routed here.
    pub(super) fn step_routed(&mut self, events: Arrivals<'_>) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for routed in inbox.chunks(AHEAD) {
            self.look_ahead(routed, events);
            for routed in routed.chunk_by(|one, next| one.to.rule == next.to.rule) {
                routed.first().into_iter().for_each(|first| self.step(first.to.rule, routed, events));
            }
        }
        inbox.clear();
        self.inbox = inbox;
    }

    /// Lets rules fetch what these events need.
    fn look_ahead(&mut self, routed: &[Routed], events: Arrivals<'_>) {
        let mut rules: SmallVec<[u32; RULES_AHEAD]> = SmallVec::new();
        for routed in routed {
            if !rules.contains(&routed.to.rule) {
                if rules.len() == RULES_AHEAD {
                    return;
                }
                rules.push(routed.to.rule);
            }
        }
        for rule in rules {
            if let Some(operator) = self.operators.get_mut(rule as usize) {
                operator.look_ahead(Ahead { rule, routed, events });
            }
        }
    }

    /// Whether time that passes may do something to a level's rules.
    pub(super) fn is_due(&mut self, level: usize, to: &Moment) -> bool {
        for at in 0..self.touched.len() {
            if let Some(&rule) = self.touched.get(at) {
                self.schedule(rule);
            }
        }
        self.next_due(level).is_some_and(|due_ms| due_ms <= to.watermark_ms)
    }

    /// Lets time pass for a level's rules, those that it does something to; after [`is_due`](Self::is_due).
    pub(super) fn advance(&mut self, level: usize, to: &Moment) {
        let before = self.outbox.len();
        let mut rules = Vec::new();
        while let Some(due) = self.due.get_mut(level)
            && let Some(&Reverse((due_ms, rule))) = due.peek()
            && due_ms <= to.watermark_ms
        {
            due.pop();
            if let Some(next_ms) = self.next_ms.get_mut(rule as usize)
                && *next_ms == due_ms
            {
                *next_ms = NEVER;
                rules.push(rule);
            }
        }
        rules.sort_unstable();
        for rule in rules {
            if let Some(operator) = self.operators.get_mut(rule as usize) {
                operator.advance(to, &mut self.outbox);
                self.touch(rule);
                self.schedule(rule);
            }
        }
        self.relieve_touched();
        self.hold_floor(before);
    }

    /// Hands all rules other reference data.
    pub(super) fn set_world(&mut self, world: &Arc<World>) {
        self.operators.iter_mut().for_each(|operator| operator.set_world(world));
    }

    /// The wall clock has come so far, for rules of this level whose windows are over the time of arrival.
    pub(super) fn arrive(&mut self, level: usize, rules: &[u32], wall_ms: TimeMs, decided_ms: TimeMs) {
        for &rule in rules {
            if self.level_of.get(rule as usize).is_some_and(|of_rule| *of_rule as usize == level)
                && let Some(operator) = self.operators.get_mut(rule as usize)
            {
                operator.arrive(wall_ms, decided_ms, &mut self.outbox);
            }
        }
        self.relieve(rules);
    }

    /// Time has ended for a rule: what is open stays so.
    pub(super) fn stop(&mut self, rule: u32) {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.stop();
        }
    }

    /// For a rule, the keys with state and what they hold open (partial matches, windows).
    pub(super) fn load_figures(&self, rule: u32) -> (usize, usize) {
        self.operators.get(rule as usize).map_or((0, 0), |operator| operator.load_figures())
    }

    /// A rule may hold so much in each group from now on.
    pub(super) fn set_bounds(&mut self, rule: u32, bounds: Option<Bounds>) {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            *operator.room() = bounds.map(|bounds| Box::new(Room::new(bounds)));
        }
    }

    /// A rule that only ends what it has begun drops what is open at this time.
    pub(super) fn drain_until(&mut self, rule: u32, until_ms: TimeMs) {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.drain_until(until_ms);
        }
        self.schedule(rule);
    }

    /// A rule puts out these windows only.
    pub(super) fn own(&mut self, rule: u32, owned: Owned) {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.own(owned);
        }
    }

    /// Whether a rule has nothing that it could still put out, when time has come so far.
    pub(super) fn is_drained(&self, rule: u32, now_ms: TimeMs) -> bool {
        self.operators.get(rule as usize).is_none_or(|operator| operator.is_drained(now_ms))
    }

    /// What a rule has left out for want of room since it was last asked.
    pub(super) fn take_left_out(&mut self, rule: u32) -> Shed {
        let room = self.operators.get_mut(rule as usize).and_then(|operator| operator.room().as_mut());
        room.map_or(Shed::default(), |room| room.take())
    }

    /// Ends a step: tells for the rules that did something in it what they dropped because a bound was reached, and how many matches
    /// missed what they skip to.
    pub(super) fn take_counts(&mut self, tell: &mut dyn FnMut(u32, (u64, u64))) {
        let mut touched = std::mem::take(&mut self.touched);
        for rule in touched.drain(..) {
            if let Some(is_touched) = self.is_touched.get_mut(rule as usize) {
                *is_touched = false;
            }
            if let Some(operator) = self.operators.get_mut(rule as usize) {
                tell(rule, operator.take_counts());
            }
        }
        self.touched = touched;
    }

    /// Goes on with the states of another plan's operators: `kept` says for each rule here which rule it was there, and is
    /// cleared where its state turns out not to fit.
    /// `edited` are rules whose states may go on in part, and `drained` those in which the rest does; `followed` say which rule's windows
    /// an old version ends before their own.
    pub(super) fn take_over(
        &mut self,
        old: &mut Shard,
        kept: &mut [Option<u32>],
        [edited, drained, followed]: [&[Option<u32>]; 3],
        fences: Option<&FenceMap>,
    ) {
        self.floor_ms = old.floor_ms;
        let mut olds: Vec<Option<Box<dyn Operator>>> =
            std::mem::take(&mut old.operators).into_iter().map(Some).collect();
        for (at, rule) in edited.iter().enumerate() {
            let Some(was) = rule.and_then(|rule| olds.get_mut(rule as usize)?.take()) else { continue };
            let rest = drained.iter().position(|drained| drained == rule).filter(|rest| *rest != at);
            let migrated = match rest.map(|rest| self.operators.get_disjoint_mut([at, rest])) {
                Some(Ok([operator, rest])) => operator.migrate(was, Some(&mut **rest)),
                _ => self.operators.get_mut(at).is_some_and(|operator| operator.migrate(was, None)),
            };
            if migrated {
                self.schedule(at as u32);
            }
            rest.into_iter().for_each(|rest| self.schedule(rest as u32));
        }
        for (at, rule) in drained.iter().enumerate() {
            let Some(mut was) = rule.and_then(|rule| olds.get_mut(rule as usize)?.take()) else { continue };
            for next in followed.iter().enumerate().filter(|(_, followed)| *followed == rule).map(|(next, _)| next) {
                self.operators.get_mut(next).into_iter().for_each(|operator| operator.follow(&mut *was));
                self.schedule(next as u32);
            }
            if self.operators.get_mut(at).is_some_and(|operator| operator.take_over(was, fences)) {
                self.schedule(at as u32);
            }
        }
        for (at, rule) in kept.iter_mut().enumerate() {
            let Some(was) = rule.and_then(|rule| olds.get_mut(rule as usize)?.take()) else { continue };
            if self.operators.get_mut(at).is_some_and(|operator| operator.take_over(was, fences)) {
                self.schedule(at as u32);
            } else {
                *rule = None;
            }
        }
        olds.iter_mut().flatten().for_each(|old| old.discard());
        let all: Vec<u32> = (0..self.operators.len() as u32).collect();
        self.relieve(&all);
    }

    /// Writes every rule's states, each with its length, so that a reader can leave a rule out.
    pub(super) fn save(&self, rule: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        if let Some(operator) = self.operators.get(rule as usize) {
            operator.save(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads a rule's states, those of the groups that are this shard's.
    pub(super) fn load(&mut self, rule: u32, bytes: &[u8], mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        match self.operators.get_mut(rule as usize) {
            Some(operator) => operator.load(&mut Reader::new(bytes), mine)?,
            None => return Ok(()),
        }
        self.relieve(&[rule]);
        self.schedule(rule);
        Ok(())
    }

    /// Lends a rule's states as they are now.
    pub(super) fn freeze(&mut self, rule: u32, barrier: u64) -> Option<Box<dyn Frozen>> {
        self.operators.get_mut(rule as usize).map(|operator| operator.freeze(barrier))
    }

    /// Reads the states of a rule's group, which is this shard's.
    pub(super) fn load_group(
        &mut self,
        rule: u32,
        group: KeyGroup,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.load_group(group, reader)?;
        }
        self.relieve(&[rule]);
        self.schedule(rule);
        Ok(())
    }

    /// Reads a rule's outputs that wait for the wall clock, those of this shard's groups.
    pub(super) fn load_waiting(
        &mut self,
        rule: u32,
        reader: &mut Reader<'_>,
        mine: &dyn Fn(KeyGroup) -> bool,
    ) -> Result<(), DecodeError> {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.load_waiting(reader, mine)?;
        }
        self.schedule(rule);
        Ok(())
    }
}
