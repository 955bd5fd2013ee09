//! Time alone moves the partial matches: windows end, absences are decided. What is due is worked off in the order of its
//! deadlines, so that the outputs don't depend on how often somebody looks.

use super::{
    flatten::FlatState,
    graph::{Guard, Kind, Pred},
    heap,
    program::Program,
    state::{Form, KeyState, NEVER, Run, Scratch, Single, is_end},
};
use crate::{
    expr::Env,
    model::{Clock, Emission, EmissionKind, TimeMs},
};

impl Program {
    /// Fires what is due at `to_ms` or before; `TimeMs::MAX` at the end of the input. `clock` is the one that came so far.
    /// `env` serves the measures, which look at the match only.
    pub fn advance(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        match &mut state.form {
            Form::Blank => {}
            Form::Single(single) => self.advance_runs(single, scratch, to_ms, clock, env, out),
            Form::Sets(sets) => sets.pass(self.within_ms, to_ms),
            Form::Line(line) => line.pass(self.within_ms, to_ms),
        }
    }

    pub(super) fn advance_runs(
        &self,
        state: &mut Single,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        while state.deadline <= to_ms && state.deadline != NEVER {
            let at = state.deadline;
            self.fire(state, scratch, at, clock, env, out);
        }
    }

    fn fire(
        &self,
        state: &mut Single,
        scratch: &mut Scratch,
        at: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        scratch.next.clear();
        scratch.done.clear();
        scratch.late.clear();
        for ix in 0..state.runs.len() {
            let run = state.runs[ix];
            match run.deadline > at {
                true => heap::push(&mut scratch.next, run),
                false => self.fire_run(state, scratch, run, at),
            }
        }
        self.finish(state, scratch, at, Some(clock), env, out);
        let late = std::mem::take(&mut scratch.late);
        for run in &late {
            if self.on_timeout {
                self.emit(state, scratch, run, (EmissionKind::TimedOut, at, Some(clock)), env, out);
            }
            state.buffer.release(run.node);
        }
        scratch.late = late;
        state.replace(&scratch.next);
    }

    fn fire_run(&self, state: &mut Single, scratch: &mut Scratch, run: Run, at: TimeMs) {
        let here = &self.states[usize::from(run.state)];
        let expired = self.expires(&state.buffer, &run) <= at;
        if expired && here.kind == Kind::Pending {
            heap::push(&mut scratch.done, Run { since_ms: at, ..run });
            return;
        }
        let due = |ms: TimeMs| run.since_ms.saturating_add(ms).min(NEVER - 1);
        for &(ms, target) in &here.timers {
            if due(ms) != at {
                continue;
            }
            let next = &self.states[usize::from(target)];
            let moved = Run { since_ms: at, state: target, ..run };
            if is_end(next) || self.may_end(next) {
                state.buffer.retain(run.node);
                heap::push(&mut scratch.done, moved);
            }
            if !is_end(next) {
                state.buffer.retain(run.node);
                let deadline = self.deadline(&state.buffer, &moved, at);
                heap::push(&mut scratch.next, Run { deadline, ..moved });
            }
        }
        if here.leaves && here.timers.last().is_some_and(|&(last, _)| due(last) <= at) {
            state.buffer.release(run.node);
            return;
        }
        if expired {
            scratch.late.push(Run { since_ms: at, ..run });
            return;
        }
        let deadline = self.deadline(&state.buffer, &run, at);
        heap::push(&mut scratch.next, Run { deadline, ..run });
    }

    /// Whether the pattern may end in a state that was reached without an event.
    fn may_end(&self, state: &FlatState) -> bool {
        state.finals.iter().any(|guard| self.quiet(guard))
    }

    /// Whether a guard holds where there is no event: none meets a condition.
    fn quiet(&self, guard: &Guard) -> bool {
        guard.iter().all(|lit| {
            let met = match &self.preds[usize::from(lit.pred)] {
                Pred::Variable(_) | Pred::Until(_) | Pred::InTime(_) => false,
                Pred::All(guard) => self.quiet(guard),
                Pred::Any(guards) => guards.iter().any(|guard| self.quiet(guard)),
            };
            met == lit.want
        })
    }
}
