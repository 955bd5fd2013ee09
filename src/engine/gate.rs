//! ONCE: a kernel of which, for each key, the first output counts, and those that come long enough after it.
//!
//! What counts is decided by the outputs' own times, so that it doesn't matter when somebody looks. A key that has put out and
//! never may again keeps a time and nothing of its kernel; with EVERY it is forgotten when that is over.

use super::{kernel::Kernel, partition::State};
use crate::{
    expr::Env,
    model::{Clock, DecodeError, Emission, EventRef, Key, Reader, TimeMs, Writer},
    op::window::Owned,
    plan::Once,
};
use std::sync::Arc;

/// A kernel behind a gate.
#[derive(Debug)]
pub(super) struct Gate<K> {
    inner: Arc<K>,
    once: Once,
}

/// The kernel's state, and when an output last passed.
#[derive(Clone, Debug)]
pub(super) struct GateState<S> {
    inner: S,
    passed_ms: Option<TimeMs>,
}

impl<S: State> State for GateState<S> {
    type Before = S::Before;
}

impl<K: Kernel> Gate<K> {
    pub(super) fn new(inner: Arc<K>, once: Once) -> Self {
        Self { inner, once }
    }

    /// Whether nothing passes any more, whatever comes.
    fn is_shut(&self, state: &GateState<K::State>) -> bool {
        self.once.every_ms.is_none() && state.passed_ms.is_some()
    }

    /// When what has passed is forgotten.
    fn opens_ms(&self, state: &GateState<K::State>) -> Option<TimeMs> {
        Some(state.passed_ms?.saturating_add(self.once.every_ms?))
    }

    /// Lets the kernel work, unless nothing passes any more; of what it puts out what counts stays.
    fn pass(
        &self,
        state: &mut GateState<K::State>,
        out: &mut Vec<Emission>,
        work: impl FnOnce(&mut K::State, &mut Vec<Emission>),
    ) {
        if self.is_shut(state) {
            return;
        }
        let from = out.len();
        work(&mut state.inner, out);
        if out.len() == from {
            return;
        }
        for emission in out.split_off(from) {
            let opens = match state.passed_ms {
                None => true,
                Some(_) => self.opens_ms(state).is_some_and(|opens_ms| emission.time_ms >= opens_ms),
            };
            if opens {
                state.passed_ms = Some(emission.time_ms);
                out.push(emission);
            }
        }
        if self.is_shut(state) {
            state.inner = self.inner.blank();
        }
    }
}

impl<K: Kernel> Kernel for Gate<K> {
    type State = GateState<K::State>;
    type Scratch = K::Scratch;

    fn blank(&self) -> Self::State {
        GateState { inner: self.inner.blank(), passed_ms: None }
    }

    fn step(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        self.pass(state, out, |inner, out| self.inner.step(inner, scratch, input, env, out));
    }

    fn step_late(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        input: usize,
        env: &Env<'_>,
        found_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        self.pass(state, out, |inner, out| self.inner.step_late(inner, scratch, input, env, found_ms, out));
    }

    fn step_arrived(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        input: usize,
        env: &Env<'_>,
        time_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        self.pass(state, out, |inner, out| self.inner.step_arrived(inner, scratch, input, env, time_ms, out));
    }

    fn advance(
        &self,
        state: &mut Self::State,
        scratch: &mut Self::Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        self.pass(state, out, |inner, out| self.inner.advance(inner, scratch, to_ms, clock, env, out));
        // Whatever comes now is of that time or later.
        if self.opens_ms(state).is_some_and(|opens_ms| opens_ms <= to_ms) {
            state.passed_ms = None;
        }
    }

    fn number(&self, state: &mut Self::State, number: u64) {
        self.inner.number(&mut state.inner, number);
    }

    fn inherit(&self, state: &mut Self::State, scratch: &mut Self::Scratch, from: &[&Self::State]) {
        if !self.is_shut(state) {
            let from: Vec<&K::State> = from.iter().map(|other| &other.inner).collect();
            self.inner.inherit(&mut state.inner, scratch, &from);
        }
    }

    fn retire(&self, state: &mut Self::State, now_ms: TimeMs) {
        self.inner.retire(&mut state.inner, now_ms);
    }

    fn migration(&self, old: &Self) -> Option<Vec<bool>> {
        self.inner.migration(&old.inner)
    }

    fn migrate(&self, old: &Self, migration: &[bool], state: &mut Self::State) {
        self.inner.migrate(&old.inner, migration, &mut state.inner);
    }

    fn leave(&self, migration: &[bool], state: &mut Self::State) {
        self.inner.leave(migration, &mut state.inner);
    }

    fn own(&self, scratch: &mut Self::Scratch, owned: Owned) {
        self.inner.own(scratch, owned);
    }

    fn opens_until(&self, owned: Owned) -> Option<TimeMs> {
        self.inner.opens_until(owned)
    }

    fn owes(&self, state: &Self::State, owned: Owned) -> bool {
        !self.is_shut(state) && self.inner.owes(&state.inner, owned)
    }

    fn follow(&self, old: &Self, state: &Self::State) -> Self::State {
        GateState { inner: self.inner.follow(&old.inner, &state.inner), passed_ms: None }
    }

    fn deadline(&self, state: &Self::State) -> Option<TimeMs> {
        let inner = self.inner.deadline(&state.inner);
        inner.into_iter().chain(self.opens_ms(state)).min()
    }

    fn is_idle(&self, state: &Self::State) -> bool {
        state.passed_ms.is_none() && self.inner.is_idle(&state.inner)
    }

    fn save(&self, state: &Self::State, writer: &mut Writer) {
        writer.time(state.passed_ms);
        self.inner.save(&state.inner, writer);
    }

    fn load(&self, reader: &mut Reader<'_>) -> Result<Self::State, DecodeError> {
        Ok(GateState { passed_ms: reader.time()?, inner: self.inner.load(reader)? })
    }

    fn take_shed(&self, scratch: &mut Self::Scratch) -> u64 {
        self.inner.take_shed(scratch)
    }

    fn kind(&self, input: usize, event: EventRef<'_>) -> Option<u32> {
        self.inner.kind(input, event)
    }

    fn tell(&self, scratch: &mut Self::Scratch, kind: Option<u32>) {
        self.inner.tell(scratch, kind);
    }

    fn touch(&self, state: &Self::State, kind: Option<u32>, further: bool) -> u64 {
        self.inner.touch(&state.inner, kind, further)
    }

    fn take_skip_misses(&self, scratch: &mut Self::Scratch) -> u64 {
        self.inner.take_skip_misses(scratch)
    }

    fn open(&self, state: &Self::State) -> usize {
        self.inner.open(&state.inner)
    }

    fn eases_ms(&self, state: &Self::State) -> Option<TimeMs> {
        self.inner.eases_ms(&state.inner)
    }

    fn key(&self, partition: &Key, emission: &Emission) -> Key {
        self.inner.key(partition, emission)
    }
}
