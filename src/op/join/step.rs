//! The steps of a join: an event, and time that passes.

use super::{
    KeyState, Program, Scratch,
    state::{Pair, Row},
};
use crate::{
    expr::Env,
    model::{Clock, Emission, EmissionKind, Measures, Taken, TakenEvents, TimeMs, Value},
};

impl Program {
    /// When [`advance`](Self::advance) would next do something: where a left event that met nobody is put out, or where
    /// the last event of the key is forgotten.
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        if self.outer
            && let Some(row) = state.left.get(state.open)
        {
            return Some(self.left_ends_ms(row.time_ms));
        }
        let left = state.left.back().map(|row| self.left_ends_ms(row.time_ms));
        let right = state.right.back().map(|row| self.right_ends_ms(row.time_ms));
        left.max(right)
    }

    /// Takes an event of the key: first lets time pass to it, then pairs it with the events of the other side. The events
    /// of a key come in order of time; `input` is 0 for the left stream and 1 for the right one.
    pub fn step(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let Some(side) = self.sides.get(input) else { return };
        let time_ms = env.event.time_ms();
        self.advance(state, scratch, time_ms, Clock::Event, env, out);
        self.forget(state, time_ms);
        let values = side.kept.iter().map(|expr| expr.value(env)).collect();
        let mut row = Row { time_ms, id: env.event.id(side.id_slot), met: false, values };
        let is_left = input == 0;
        self.pair(state, scratch, &mut row, is_left, env, out);
        let ends_ms = if is_left { self.left_ends_ms(time_ms) } else { self.right_ends_ms(time_ms) };
        if ends_ms <= time_ms {
            if is_left && self.outer && !row.met && !self.closed {
                self.alone(&mut state.dropped, &row, time_ms, None, env, out);
            }
            return;
        }
        if self.closed {
            return;
        }
        if state.events() >= self.events_max {
            self.shed_oldest(state, scratch);
        }
        let queue = if is_left { &mut state.left } else { &mut state.right };
        queue.push_back(row);
        state.settle();
    }

    /// Puts out what is decided at `to_ms` or before because no partner came. `env` needs no event: outputs look at the
    /// events that waited and at the key.
    pub fn advance(
        &self,
        state: &mut KeyState,
        _scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        while let Some(due_ms) = self.deadline(state).filter(|due_ms| *due_ms <= to_ms) {
            if self.outer
                && let Some(row) = state.left.get_mut(state.open)
            {
                row.met = true;
                let dropped = &mut state.dropped;
                self.alone(dropped, row, due_ms, Some(clock), env, out);
                state.settle();
            }
            // Not up to `to_ms`: then what is kept would depend on how far time goes at once.
            self.forget(state, due_ms);
        }
    }

    /// Drops the events that no partner can come for at `now_ms` or later.
    fn forget(&self, state: &mut KeyState, now_ms: TimeMs) {
        let waits = |state: &KeyState| self.outer && state.open == 0;
        while let Some(row) = state.left.front()
            && self.left_ends_ms(row.time_ms) <= now_ms
            && !waits(state)
        {
            state.forget_left();
        }
        while let Some(row) = state.right.front()
            && self.right_ends_ms(row.time_ms) <= now_ms
        {
            state.forget_right();
        }
    }

    /// Puts out the pairs of a new event with the events of the other side that are near in time, in their order.
    fn pair(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        row: &mut Row,
        is_left: bool,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let time_ms = row.time_ms;
        let (from_ms, to_ms) = match is_left {
            true => (time_ms.saturating_add(self.lower_ms), time_ms.saturating_add(self.upper_ms)),
            false => (time_ms.saturating_sub(self.upper_ms), time_ms.saturating_sub(self.lower_ms)),
        };
        let others = if is_left { &mut state.right } else { &mut state.left };
        let from = others.partition_point(|other| other.time_ms < from_ms);
        let to = others.partition_point(|other| other.time_ms <= to_ms);
        let found = &mut scratch.found;
        found.clear();
        for at in from..to {
            let Some(other) = others.get_mut(at) else { break };
            let bound =
                if is_left { Pair { left: row, right: Some(other) } } else { Pair { left: other, right: Some(row) } };
            let env = env.with_bound(&bound);
            if !self.on.iter().all(|condition| condition.is_true(&env)) {
                continue;
            }
            let is_shared = is_left && at < state.shared;
            if !is_shared && self.conditions.iter().all(|condition| condition.is_true(&env)) {
                found.push(at);
            }
            row.met = true;
            other.met = true;
        }
        let shed = found.len().saturating_sub(self.pairs_max);
        scratch.shed += shed as u64;
        state.dropped = state.dropped.saturating_add(shed as u64);
        let others = if is_left { &state.right } else { &state.left };
        for other in found.iter().skip(shed).filter_map(|&at| others.get(at)) {
            let (left, right) = if is_left { (&*row, other) } else { (other, &*row) };
            let pair = Pair { left, right: Some(right) };
            let mut taken = TakenEvents::from_iter([self.taken(0, left), self.taken(1, right)]);
            if right.time_ms < left.time_ms {
                taken.reverse();
            }
            out.push(Emission {
                kind: EmissionKind::Match,
                time_ms,
                start_ms: left.time_ms.min(right.time_ms),
                end_ms: time_ms,
                clock: None,
                values: self.values(&pair, env),
                taken,
                row: None,
                revision: 0,
                dropped: std::mem::take(&mut state.dropped),
            });
        }
        state.settle();
    }

    /// Puts out a left event without a partner, if WHERE wants it.
    fn alone(
        &self,
        dropped: &mut u64,
        left: &Row,
        time_ms: TimeMs,
        clock: Option<Clock>,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let pair = Pair { left, right: None };
        let with_pair = env.with_bound(&pair);
        if !self.conditions.iter().all(|condition| condition.is_true(&with_pair)) {
            return;
        }
        out.push(Emission {
            kind: EmissionKind::Match,
            time_ms,
            start_ms: left.time_ms,
            end_ms: time_ms,
            clock,
            values: self.values(&pair, env),
            taken: TakenEvents::from_iter([self.taken(0, left)]),
            row: None,
            revision: 0,
            dropped: std::mem::take(dropped),
        });
    }

    fn values(&self, pair: &Pair<'_>, env: &Env<'_>) -> Measures {
        let env = env.with_bound(pair);
        self.outputs.iter().map(|expr| expr.value(&env)).collect()
    }

    fn taken(&self, side: u16, row: &Row) -> Taken {
        let slot = self.position.filter(|(of, _)| *of == side).map(|(_, slot)| usize::from(slot));
        let position = slot.and_then(|slot| match row.values.get(slot) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        Taken { var: side, id: row.id.clone(), position }
    }

    /// Makes room for one event.
    fn shed_oldest(&self, state: &mut KeyState, scratch: &mut Scratch) {
        let older = match (state.left.front(), state.right.front()) {
            (Some(left), Some(right)) => left.time_ms <= right.time_ms,
            (left, _) => left.is_some(),
        };
        if older {
            state.forget_left();
        } else {
            state.forget_right();
        }
        scratch.shed += 1;
        state.dropped = state.dropped.saturating_add(1);
    }
}
