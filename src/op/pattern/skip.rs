//! Which finished matches are put out, when, and which others that ends: AFTER MATCH SKIP.

use super::{
    buffer::Buffer,
    heap,
    program::Program,
    state::{NONE, Run, Scratch, Single},
    view::find,
};
use crate::{
    expr::{Env, Pick, Var},
    model::{Clock, Emission, EmissionKind, TimeMs},
    plan::Skip,
};
use std::cmp::{Ordering, Reverse};

impl Program {
    /// Puts out what `scratch.done` and the matches that wait allow; `scratch.next` are the partial matches that go on.
    /// `clock` is that of the timer that decides, if none is an event.
    pub(super) fn finish(
        &self,
        state: &mut Single,
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
        if self.skip == Skip::NoSkip {
            while state.finished.len() > self.matches_limit
                && let Some(run) = heap::pop(&mut state.finished)
            {
                state.drop_match(scratch, &run);
            }
        }
        let mut put_out = 0;
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
            if put_out == self.matches_limit {
                state.drop_match(scratch, &run);
                continue;
            }
            put_out += 1;
            self.emit(state, scratch, &run, how, env, out);
            state.buffer.release(run.node);
        }
    }

    /// Matches that start before the event with this time and number (or with it, if the flag says so) are over.
    fn skip_limit(&self, state: &Single, scratch: &mut Scratch, run: &Run) -> Option<((TimeMs, u64), bool)> {
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

    /// Of matches that end at the same instant the earliest start counts, of those the longest, of those the one whose last
    /// event is the earliest, and so on backwards; what shares an event with it is over.
    fn finish_eagerly(
        &self,
        state: &mut Single,
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
        let key = |run: &Run| (Reverse((run.start_ms, run.start_seq)), len(run));
        done.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| backwards(&state.buffer, b.node, a.node)));
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

impl Single {
    /// Lets go of a match that is one too many.
    fn drop_match(&mut self, scratch: &mut Scratch, run: &Run) {
        self.buffer.release(run.node);
        scratch.counts.shed += 1;
        self.dropped += 1;
    }
}

/// Compares two chains from their last events on.
fn backwards(buffer: &Buffer, a: u32, b: u32) -> Ordering {
    let events = |node| buffer.chain(node).map(|(_, node)| (buffer.event(node.event).map(|event| event.seq), node.var));
    events(a).cmp(events(b))
}
