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
        path::{self, Path},
        program::{EVENTS_PER_MATCH, Program},
        state::{Form, KeyState, NONE, Run, START, Scratch, Single, is_end},
        step::Step,
        turn::Turns,
    },
    plan::Skip,
};
use std::cmp::Reverse;

impl Program {
    /// When time alone makes partial matches fewer, of those that otherwise go when all of a key are over.
    pub fn eases_ms(&self, state: &KeyState) -> Option<TimeMs> {
        match &state.form {
            Form::Sets(sets) => sets.eases_ms(self.within_ms),
            Form::Line(line) => line.eases_ms(self.within_ms),
            Form::Blank | Form::Single(_) => None,
        }
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
        if let Form::Sets(held) = &mut state.form
            && held.is_due_at(now)
        {
            held.pass(self.within_ms, now);
        }
        let step = Step::new(self, env, input, scratch);
        step.collect(&self.nothing, scratch, &START);
        if scratch.passed.is_empty() {
            let mut stays = |set: &Set| {
                let way = step.way(&self.nothing, scratch, &Run { state: set.state, node: 0, ..START });
                way.is_some_and(|way| self.decisions.way(way).stays)
            };
            match &state.form {
                Form::Sets(held) if !held.sets.iter().all(&mut stays) => {}
                _ => return,
            }
        }
        let held = match &mut state.form {
            Form::Sets(held) => held,
            form => {
                let dropped = if let Form::Single(single) = form { single.dropped } else { 0 };
                *form = Form::Sets(Box::new(Compact { dropped, ..Compact::new(self) }));
                let Form::Sets(held) = form else { return };
                held
            }
        };
        let mut work = std::mem::take(&mut scratch.work);
        let mut moves = Moves { step: &step, held, work: &mut work, scratch };
        moves.begin();
        moves.go_on();
        let event = moves.take();
        std::mem::swap(&mut held.sets, &mut work.next);
        if !work.done.is_empty() {
            self.put_out(held, &mut work, scratch, (now, env), out);
        }
        let began = held.sets.iter().any(|set| Some(set.part.newest) == event);
        held.starts.extend(event.filter(|_| began));
        held.settle(self.within_ms);
        self.tidy(held, scratch);
        scratch.work = work;
    }

    /// Puts out what ended with an event.
    fn put_out(
        &self,
        held: &mut Compact,
        work: &mut Work,
        scratch: &mut Scratch,
        (now, env): (TimeMs, &Env<'_>),
        out: &mut Vec<Emission>,
    ) {
        // Where the measures look for a match is lent for as long as it takes.
        let mut lent = std::mem::take(&mut scratch.lent);
        lent.dropped = std::mem::take(&mut held.dropped);
        if self.skip == Skip::Eager {
            while let Some(first) = held.choose(work) {
                self.put_out_one(held, &work.ways, first, &mut lent, scratch, (now, env), out);
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
        } else {
            // Where each start has one match at most the first ones count, else the last ones.
            let (most, limit) = match self.skip {
                Skip::NoSkip => (self.matches_limit, usize::MAX),
                _ => (usize::MAX, self.matches_limit),
            };
            let left = held.list(work, most) + work.found.len().saturating_sub(limit) as u64;
            scratch.counts.shed += left;
            lent.dropped += left;
            let mut put_out = 0;
            // The earliest start first, of one start the longest.
            let start =
                |first: &u32| work.ways.get(*first as usize).and_then(|way| held.event_at(way.0)).map(|at| at.0);
            let mut same: Vec<u32> = Vec::new();
            for found in work.found.chunk_by(|a, b| start(a) == start(b)).rev() {
                if let [first] = found {
                    if put_out < limit {
                        self.put_out_one(held, &work.ways, *first, &mut lent, scratch, (now, env), out);
                    }
                    put_out += 1;
                    continue;
                }
                same.clear();
                same.extend(found);
                same.sort_by_cached_key(|first| Reverse(work.len(*first)));
                for &first in &same {
                    self.put_out_one(held, &work.ways, first, &mut lent, scratch, (now, env), out);
                }
            }
        }
        held.dropped = lent.dropped;
        lent.buffer.clear(self.layout);
        scratch.lent = lent;
    }

    /// Evaluates the measures over the match whose events begin at a place in `ways`.
    #[expect(clippy::too_many_arguments, reason = "a match with all that is lent to putting it out")]
    fn put_out_one(
        &self,
        held: &Compact,
        ways: &[(u32, u32)],
        first: u32,
        lent: &mut Single,
        scratch: &mut Scratch,
        (now, env): (TimeMs, &Env<'_>),
        out: &mut Vec<Emission>,
    ) {
        let kept = self.layout.values;
        if !self.all_rows {
            let mut path = Path::new();
            let mut at = first;
            while let Some(&(take, after)) = ways.get(at as usize) {
                at = after;
                let Some(&Node::Take { event, var, .. }) = held.nodes.get(take as usize) else { continue };
                let Some(Held { time_ms, id }) = held.events.get(event as usize) else { continue };
                let values = held.values_of(event);
                let (values, summands) = values.split_at(kept.min(values.len()));
                path.push(path::Step { var, time_ms: *time_ms, id, values, summands });
            }
            return self.emit_path(&path, &mut lent.dropped, env, out);
        }
        lent.buffer.clear(self.layout);
        let (mut node, mut at, mut span) = (NONE, first, None);
        while let Some(&(take, after)) = ways.get(at as usize) {
            at = after;
            let Some(&Node::Take { event, var, .. }) = held.nodes.get(take as usize) else { continue };
            let Some(Held { time_ms, id }) = held.events.get(event as usize) else { continue };
            let values = held.values_of(event);
            let (own, taken) = values.split_at(kept.min(values.len()));
            let event = lent.buffer.add_event(u64::from(event), *time_ms, id.clone(), own.iter().cloned());
            let value = |ix: usize| taken.get(ix).cloned().unwrap_or_default();
            node = self.append(&mut lent.buffer, node, event, var, value);
            span = Some((span.map_or(*time_ms, |(start, _)| start), *time_ms));
        }
        let (start_ms, since_ms) = span.unwrap_or((now, now));
        let run = Run { start_ms, since_ms, node, ..START };
        self.emit(lent, scratch, &run, (EmissionKind::Match, now, None), env, out);
    }

    /// Frees memory where half of it may be garbage, and sees to the bounds on what a partition holds. What is dropped
    /// doesn't depend on when the state was saved.
    fn tidy(&self, held: &mut Compact, scratch: &mut Scratch) {
        let mut shed = |held: &mut Compact, keep: usize| {
            let gone = held.shed(keep, self.within_ms);
            scratch.counts.shed += gone;
            held.dropped += gone;
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
        let over = program.turns.as_ref().map_or(0, |turns| self.ended(turns));
        for at in 0..self.held.sets.len() {
            let Set { state, part } = self.held.sets[at];
            // Of first events that have their match nothing else goes on.
            let is_over = over != 0 && program.turns.as_ref().is_some_and(|turns| turns.group(state) & over != 0);
            // Any partial match of the set stands for all.
            let run = Run { state, node: 0, ..START };
            let stops = self.step.collect(&program.nothing, self.scratch, &run);
            let passed = std::mem::take(&mut self.scratch.passed);
            for &at in &passed {
                match program.states[usize::from(state)].edges[usize::from(at)].what {
                    What::Ignore { target } if is_end(&program.states[usize::from(target)]) => {
                        self.work.done.push(part)
                    }
                    What::Ignore { .. } if is_over => {}
                    What::Take { target, .. } if is_over && !is_end(&program.states[usize::from(target)]) => {}
                    What::Ignore { target } if !stops => self.put(target, part),
                    What::Take { var, target } => self.taking(var, target, stops, part),
                    What::Ignore { .. } | What::Stop => {}
                }
            }
            self.scratch.passed = passed;
        }
    }

    /// The groups of states of which the event leads some to the end of the pattern, by bits.
    fn ended(&mut self, turns: &Turns) -> u32 {
        let program = self.step.program;
        let mut ended = 0;
        for set in &self.held.sets {
            let run = Run { state: set.state, node: 0, ..START };
            let way = self.step.way(&program.nothing, self.scratch, &run);
            let ends = way.is_some_and(|way| program.decisions.way(way).ends);
            ended |= if ends { turns.group(set.state) } else { 0 };
        }
        ended
    }

    fn taking(&mut self, var: u16, target: u16, stops: bool, before: Part) {
        let program = self.step.program;
        let next = &program.states[usize::from(target)];
        let ends = is_end(next);
        let finals = &next.finals;
        let done = ends || finals.iter().any(|guard| self.step.holds(&program.nothing, self.scratch, &START, guard));
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
