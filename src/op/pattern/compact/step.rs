//! An event moves the sets.

use super::{
    node::{Node, Part},
    state::{Compact, Held, Set, Taking, Work},
};
use crate::{
    expr::Env,
    model::{Emission, EmissionKind, TimeMs, Value},
    op::pattern::{
        flatten::What,
        program::{EVENTS_PER_MATCH, Program},
        state::{KeyState, NONE, Run, START, Scratch, is_end},
        step::Step,
    },
    plan::Skip,
};
use std::cmp::Reverse;

impl Program {
    /// When time alone makes partial matches fewer, of those that are kept as sets: these otherwise go when all of a key are over.
    pub fn eases_ms(&self, state: &KeyState) -> Option<TimeMs> {
        state.compact.as_ref()?.eases_ms(self.within_ms)
    }

    /// Runs an event against a partition whose partial matches are kept as sets.
    pub(in crate::op::pattern) fn step_compact(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let now = env.event.time_ms();
        if let Some(held) = &mut state.compact {
            held.pass(self.within_ms, now);
        }
        if scratch.cache.len() != self.preds.len() {
            scratch.cache.resize(self.preds.len(), (0, false));
        }
        scratch.stamp += 1;
        let step = Step { program: self, env, input, now, stamp: scratch.stamp, event: NONE };
        step.collect(&state.buffer, scratch, &START);
        if scratch.passed.is_empty() {
            let sets = state.compact.as_ref().map(|held| held.sets.as_slice()).unwrap_or_default();
            let mut stays = |set: &Set| {
                let way = step.way(&state.buffer, scratch, &Run { state: set.state, node: 0, ..START });
                way.is_some_and(|way| self.decisions.way(way).stays)
            };
            if sets.iter().all(&mut stays) {
                return;
            }
        }
        let mut held = state.compact.take().unwrap_or_else(|| Box::new(Compact::new(self)));
        let mut work = std::mem::take(&mut scratch.work);
        let mut moves = Moves { step: &step, held: &mut held, work: &mut work, scratch, buffer: state };
        moves.begin();
        moves.go_on();
        let event = moves.take();
        std::mem::swap(&mut held.sets, &mut work.next);
        if !work.done.is_empty() {
            // Where the measures look for a match is lent for as long as it takes.
            std::mem::swap(&mut state.buffer, &mut work.buffer);
            self.put_out(&mut held, &mut work, state, scratch, (now, env), out);
            state.buffer.clear(self.layout);
            std::mem::swap(&mut state.buffer, &mut work.buffer);
        }
        let began = held.sets.iter().any(|set| Some(set.part.newest) == event);
        held.starts.extend(event.filter(|_| began));
        held.settle(self.within_ms);
        self.tidy(&mut held, scratch, &mut state.dropped);
        scratch.work = work;
        state.compact = Some(held);
    }

    /// Puts out what ended with an event.
    fn put_out(
        &self,
        held: &mut Compact,
        work: &mut Work,
        state: &mut KeyState,
        scratch: &mut Scratch,
        (now, env): (TimeMs, &Env<'_>),
        out: &mut Vec<Emission>,
    ) {
        if self.skip != Skip::Eager {
            let left = held.list(work, self.matches_limit);
            scratch.counts.shed += left;
            state.dropped += left;
            // The earliest start first, of one start the longest.
            let start =
                |first: &u32| work.ways.get(*first as usize).and_then(|way| held.event_at(way.0)).map(|at| at.0);
            let mut same: Vec<u32> = Vec::new();
            for found in work.found.chunk_by(|a, b| start(a) == start(b)).rev() {
                same.clear();
                same.extend(found);
                same.sort_by_cached_key(|first| Reverse(work.len(*first)));
                for &first in &same {
                    self.put_out_one(held, &work.ways, first, state, scratch, (now, env), out);
                }
            }
            return;
        }
        while let Some(first) = held.choose(work) {
            self.put_out_one(held, &work.ways, first, state, scratch, (now, env), out);
            let mut dead = vec![false; held.events.len()];
            let mut at = first;
            while let Some(&(node, after)) = work.ways.get(at as usize) {
                if let Some(&Node::Take { event, .. }) = held.nodes.get(node as usize) {
                    dead[event as usize] = true;
                }
                at = after;
            }
            held.forget(&dead, &mut work.done);
        }
    }

    /// Evaluates the measures over the match whose events begin at a place in `ways`.
    #[expect(clippy::too_many_arguments, reason = "a match with all that is lent to putting it out")]
    fn put_out_one(
        &self,
        held: &Compact,
        ways: &[(u32, u32)],
        first: u32,
        state: &mut KeyState,
        scratch: &mut Scratch,
        (now, env): (TimeMs, &Env<'_>),
        out: &mut Vec<Emission>,
    ) {
        state.buffer.clear(self.layout);
        let kept = self.layout.values;
        let (mut node, mut at, mut span) = (NONE, first, None);
        while let Some(&(take, after)) = ways.get(at as usize) {
            at = after;
            let Some(&Node::Take { event, var, .. }) = held.nodes.get(take as usize) else { continue };
            let Some(Held { time_ms, id }) = held.events.get(event as usize) else { continue };
            let values = held.values_of(event);
            let (own, taken) = values.split_at(kept.min(values.len()));
            let event = state.buffer.add_event(u64::from(event), *time_ms, id.clone(), own.iter().cloned());
            let value = |ix: usize| taken.get(ix).cloned().unwrap_or_default();
            node = self.append(&mut state.buffer, node, event, var, value);
            span = Some((span.map_or(*time_ms, |(start, _)| start), *time_ms));
        }
        let (start_ms, since_ms) = span.unwrap_or((now, now));
        let run = Run { start_ms, since_ms, node, ..START };
        self.emit(state, scratch, &run, (EmissionKind::Match, now, None), env, out);
    }

    /// Frees memory where half of it may be garbage, and sees to the bounds on what a partition holds. What is dropped
    /// doesn't depend on when the state was saved.
    fn tidy(&self, held: &mut Compact, scratch: &mut Scratch, dropped: &mut u64) {
        let mut shed = |held: &mut Compact, keep: usize| {
            let gone = held.shed(keep, self.within_ms);
            scratch.counts.shed += gone;
            *dropped += gone;
        };
        if held.starts.len() > self.limit {
            held.count_starts();
            if held.starts.len() > self.limit {
                shed(held, self.limit - self.limit / 8);
            }
        }
        if held.is_due() {
            held.collect();
            if held.nodes.len() > self.limit.saturating_mul(EVENTS_PER_MATCH) {
                shed(held, held.starts.len() / 2);
                held.collect();
            }
        }
    }
}

/// One event at work on the sets.
struct Moves<'a, 's, 'e> {
    step: &'a Step<'s, 'e>,
    held: &'a mut Compact,
    work: &'a mut Work,
    scratch: &'a mut Scratch,
    /// Has no partial matches of its own; conditions that look at none are evaluated beside it.
    buffer: &'a KeyState,
}

impl Moves<'_, '_, '_> {
    /// What the event begins; its edges are in `scratch.passed`.
    fn begin(&mut self) {
        let program = self.step.program;
        self.work.places.resize(program.states.len(), (0, 0));
        self.work.next.clear();
        self.work.done.clear();
        self.work.takes.clear();
        let passed = std::mem::take(&mut self.scratch.passed);
        for &at in &passed {
            if let What::Take { var, target } = program.states[0].edges[usize::from(at)].what {
                self.taking(var, target, false, Part::NONE);
            }
        }
        self.scratch.passed = passed;
    }

    /// What the partial matches do with it.
    fn go_on(&mut self) {
        let program = self.step.program;
        for at in 0..self.held.sets.len() {
            let Set { state, part } = self.held.sets[at];
            // Any partial match of the set stands for all.
            let run = Run { state, node: 0, ..START };
            let stops = self.step.collect(&self.buffer.buffer, self.scratch, &run);
            let passed = std::mem::take(&mut self.scratch.passed);
            for &at in &passed {
                match program.states[usize::from(state)].edges[usize::from(at)].what {
                    What::Ignore { target } if is_end(&program.states[usize::from(target)]) => {
                        self.work.done.push(part)
                    }
                    What::Ignore { target } if !stops => self.put(target, part),
                    What::Take { var, target } => self.taking(var, target, stops, part),
                    What::Ignore { .. } | What::Stop => {}
                }
            }
            self.scratch.passed = passed;
        }
    }

    fn taking(&mut self, var: u16, target: u16, stops: bool, before: Part) {
        let program = self.step.program;
        let next = &program.states[usize::from(target)];
        let ends = is_end(next);
        let finals = &next.finals;
        let done = ends || finals.iter().any(|guard| self.step.holds(&self.buffer.buffer, self.scratch, &START, guard));
        let goes_on = !ends && !stops;
        if !done && !goes_on {
            return;
        }
        let begun = before != Part::NONE;
        let same = |other: &&mut Taking| {
            (other.target, other.var, other.goes_on) == (target, var, goes_on) && (other.before != Part::NONE) == begun
        };
        match self.work.takes.iter_mut().find(same).filter(|_| begun) {
            Some(taking) => taking.before = self.held.either(taking.before, before),
            None => self.work.takes.push(Taking { target, var, done, goes_on, before }),
        }
    }

    /// Takes the event where it is to be taken; its number.
    fn take(&mut self) -> Option<u32> {
        if self.work.takes.is_empty() {
            return None;
        }
        let event = self.hold();
        for at in 0..self.work.takes.len() {
            let Taking { target, var, done, goes_on, before } = self.work.takes[at];
            let part = self.held.take(before, event, var);
            if done {
                self.work.done.push(part);
            }
            if goes_on {
                self.put(target, part);
            }
        }
        Some(event)
    }

    /// Keeps the event.
    fn hold(&mut self) -> u32 {
        let Step { program, env, input, now, .. } = *self.step;
        let held = &mut *self.held;
        let id = env.event.id(program.id_slots.get(input).copied().flatten());
        held.events.push(Held { time_ms: now, id });
        let retained = program.retained.get(input).map(Vec::as_slice).unwrap_or_default();
        held.values.extend(retained.iter().take(program.layout.values).map(|expr| expr.value(env)));
        held.values.resize((held.events.len() - 1) * held.width + program.layout.values, Value::Null);
        for (ix, (var, _)) in program.aggregates.iter().enumerate() {
            let taken = self.work.takes.iter().any(|taking| program.counts_for(*var, taking.var));
            held.values.push(if taken { self.step.summand(ix) } else { Value::Null });
        }
        (held.events.len() - 1) as u32
    }

    /// Adds partial matches to a state.
    fn put(&mut self, state: u16, part: Part) {
        let (stamp, place) = self.work.places[usize::from(state)];
        if stamp == self.step.stamp
            && let Some(set) = self.work.next.get_mut(place as usize)
        {
            set.part = self.held.either(set.part, part);
            return;
        }
        self.work.places[usize::from(state)] = (self.step.stamp, self.work.next.len() as u32);
        self.work.next.push(Set { state, part });
    }
}
