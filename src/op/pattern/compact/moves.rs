//! What becomes of the sets with one event, however it was found.

use super::{
    node::Part,
    state::{Compact, Held, Set, Taking, Work},
};
use crate::{expr::Env, model::Value, op::pattern::program::Program};

/// One event at work on the sets: those of before are in `held.sets`, those of after it in `work.next`.
pub(super) struct Moves<'a> {
    program: &'a Program,
    input: usize,
    env: &'a Env<'a>,
    pub(super) held: &'a mut Compact,
    pub(super) work: &'a mut Work,
}

impl<'a> Moves<'a> {
    pub(super) fn new(
        program: &'a Program,
        (input, env): (usize, &'a Env<'a>),
        held: &'a mut Compact,
        work: &'a mut Work,
    ) -> Self {
        if work.places.len() < program.states.len() {
            work.places.resize(program.states.len(), 0);
        }
        work.next.clear();
        work.done.clear();
        work.takes.clear();
        Self { program, input, env, held, work }
    }

    /// The event is taken so; with what was to be taken alike.
    #[inline]
    pub(super) fn taking(&mut self, taking: Taking) {
        let begun = taking.before != Part::NONE;
        let mut alike = self.work.takes.iter_mut().filter(|_| begun);
        match alike.find(|other| other.is_like(&taking) && other.before != Part::NONE) {
            Some(other) => other.before = self.held.either(other.before, taking.before),
            None => self.work.takes.push(taking),
        }
    }

    /// Takes the event where it is to be taken; its number.
    pub(super) fn take(&mut self) -> Option<u32> {
        if self.work.takes.is_empty() {
            return None;
        }
        let event = self.hold();
        for at in 0..self.work.takes.len() {
            let Taking { target, var, done, goes_on, before, .. } = self.work.takes[at];
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
        let Self { program, env, input, .. } = *self;
        let held = &mut *self.held;
        let id = env.event.id(program.id_slots.get(input).copied().flatten());
        held.events.push(Held { time_ms: env.event.time_ms(), id });
        if held.width > 0 {
            let retained = program.retained.get(input).map(Vec::as_slice).unwrap_or_default();
            held.values.extend(retained.iter().take(program.layout.values).map(|expr| expr.value(env)));
            // Of another stream's events more may be kept.
            let all = (held.events.len() - 1) * held.width as usize + program.layout.values;
            (held.values.len()..all).for_each(|_| held.values.push(Value::Null));
            let aggregates = program.aggregates.iter().zip(&program.summand_slots).enumerate();
            for (ix, ((var, _), _)) in aggregates.filter(|(_, (_, slot))| slot.is_some()) {
                let taken = self.work.takes.iter().any(|taking| program.counts_for(*var, taking.var));
                held.values.push(if taken { program.summand(ix, input, env) } else { Value::Null });
            }
        }
        (held.events.len() - 1) as u32
    }

    /// Adds partial matches to a state.
    #[inline]
    pub(super) fn put(&mut self, state: u16, part: Part) {
        // What is left in it from the step before is no matter: the set says which state it is of.
        let place = &mut self.work.places[usize::from(state)];
        match self.work.next.get_mut(*place as usize).filter(|set| set.state == state) {
            Some(set) => set.part = self.held.either(set.part, part),
            None => {
                *place = self.work.next.len() as u32;
                self.work.next.push(Set { state, part });
            }
        }
    }
}
