//! Which finished matches are put out, when, and which others that ends: AFTER MATCH SKIP.

use super::{
    heap,
    program::Program,
    state::{KeyState, NONE, Run, Scratch},
    view::find,
};
use crate::{
    expr::{Env, Pick, Var},
    model::{Clock, Emission, EmissionKind, TimeMs},
    plan::Skip,
};
use std::cmp::Reverse;

impl Program {
    /// Puts out what `scratch.done` and the matches that wait allow; `scratch.next` are the partial matches that go on.
    /// `clock` is that of the timer that decides, if none is an event.
    pub(super) fn finish(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        now: TimeMs,
        clock: Option<Clock>,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let how = (EmissionKind::Match, now, clock);
        if self.skip == Skip::Eager {
            return self.finish_eagerly(state, scratch, how, env, out);
        }
        for &run in &scratch.done {
            heap::push(&mut state.finished, run);
        }
        scratch.done.clear();
        while let Some(first) = state.finished.first() {
            // A partial match that began earlier may still win.
            let waits = scratch.next.first().is_some_and(|run| !heap::not_after(first, run));
            if waits && self.skip != Skip::NoSkip {
                break;
            }
            let Some(run) = heap::pop(&mut state.finished) else { break };
            if let Some((limit, inclusive)) = self.skip_limit(state, scratch, &run) {
                let buffer = &mut state.buffer;
                let mut gone = |other: &Run| {
                    let start = (other.start_ms, other.start_seq);
                    let gone = other.node != NONE && (start < limit || inclusive && start == limit);
                    if gone {
                        buffer.release(other.node);
                    }
                    gone
                };
                heap::remove(&mut scratch.next, &mut gone);
                heap::remove(&mut state.finished, &mut gone);
            }
            self.emit(state, scratch, &run, how, env, out);
            state.buffer.release(run.node);
        }
    }

    /// Matches that start before the event with this time and number (or with it, if the flag says so) are over.
    fn skip_limit(&self, state: &KeyState, scratch: &mut Scratch, run: &Run) -> Option<((TimeMs, u64), bool)> {
        let (var, or_fail) = match self.skip {
            Skip::Eager | Skip::NoSkip => return None,
            Skip::ToNextRow => return Some(((run.start_ms, run.start_seq), true)),
            Skip::PastLastRow => (Var { var: Var::ANY, pick: Pick::Last(0) }, false),
            Skip::ToFirst { var, or_fail } => (Var { var, pick: Pick::First(0) }, or_fail),
            Skip::ToLast { var, or_fail } => (Var { var, pick: Pick::Last(0) }, or_fail),
        };
        let event = find(self, &state.buffer, run.node, var).and_then(|node| state.buffer.event_of(node));
        match event {
            Some(event) => {
                let to = (event.time_ms, event.seq);
                // Skipping to where the match began gets nowhere.
                scratch.counts.skip_misses += u64::from(or_fail && to == (run.start_ms, run.start_seq));
                Some((to, self.skip == Skip::PastLastRow))
            }
            None => {
                scratch.counts.skip_misses += u64::from(or_fail);
                None
            }
        }
    }

    /// Of matches that end at the same instant the earliest start counts, of those the longest; what shares an event with
    /// it is over.
    fn finish_eagerly(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        how: (EmissionKind, TimeMs, Option<Clock>),
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        if scratch.done.is_empty() {
            return;
        }
        let mut done = std::mem::take(&mut scratch.done);
        let len = |run: &Run| state.buffer.node(run.node).map_or(0, |node| node.len);
        done.sort_by_key(|run| (Reverse((run.start_ms, run.start_seq)), len(run)));
        while let Some(run) = done.pop() {
            state.buffer.stamp(run.node);
            let buffer = &mut state.buffer;
            let mut gone = |other: &Run| {
                let gone = other.node != NONE && buffer.shares(other.node);
                if gone {
                    buffer.release(other.node);
                }
                gone
            };
            heap::remove(&mut scratch.next, &mut gone);
            done.retain(|other| !gone(other));
            self.emit(state, scratch, &run, how, env, out);
            state.buffer.release(run.node);
        }
        scratch.done = done;
    }
}
