//! An event moves the partial matches.

use super::{
    buffer::{Buffer, UNMARKED},
    flatten::{FlatEdge, What},
    graph::{Bound, From, Guard, Lit, Mark, Pred, PredIx},
    heap,
    program::{EVENTS_PER_MATCH, Program},
    state::{Form, KeyState, NEVER, NONE, Run, START, Scratch, Single, is_end},
    view::View,
};
use crate::{
    expr::Env,
    model::{Clock, Emission, TimeMs, Value},
};

impl Program {
    /// Runs an event of an input (an index into the rule's inputs) against a partition. What is due at its time or before
    /// fires first. `env.event` is the event; outputs are added to `out`.
    pub fn step(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let kind = scratch.kind.take();
        // What was read of an earlier form goes on in it until nothing of it is left.
        let single = matches!(&state.form, Form::Single(single) if !single.is_idle());
        match &self.line {
            _ if single => self.step_runs(state.single_mut(), scratch, input, env, out),
            _ if self.compact => self.step_compact((state, kind), scratch, input, env, out),
            Some(plan) => self.step_line(plan, state, scratch, input, env, out),
            None if matches!(state.form, Form::Blank) && !self.may_begin(scratch, input, env) => {}
            None => self.step_runs(state.single_mut(), scratch, input, env, out),
        }
    }

    /// Whether an event may begin a match.
    fn may_begin(&self, scratch: &mut Scratch, input: usize, env: &Env<'_>) -> bool {
        let step = Step::new(self, env, input, scratch);
        step.way(&self.nothing, scratch, &START).is_none_or(|way| !step.leads_nowhere(way))
    }

    fn step_runs(
        &self,
        state: &mut Single,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let now = env.event.time_ms();
        if state.deadline <= now {
            self.advance_runs(state, scratch, now, Clock::Event, env, out);
        }
        let mut step = Step::new(self, env, input, scratch);
        if state.runs.is_empty() {
            let way = step.way(&state.buffer, scratch, &START);
            if way.is_some_and(|way| step.leads_nowhere(way)) && state.finished.is_empty() {
                return;
            }
            state.buffer.layout = self.layout;
            state.runs.push(START);
            scratch.ways.clear();
            scratch.ways.push(way);
        } else if step.changes_nothing(state, scratch) {
            return;
        }
        scratch.next.clear();
        scratch.done.clear();
        for at in 0..state.runs.len() {
            let (run, way) = (state.runs[at], scratch.ways[at]);
            step.run(state, scratch, run, way);
        }
        if step.event != NONE {
            state.next_seq += 1;
            state.buffer.drop_unused_event(step.event);
        }
        self.finish(state, scratch, now, None, env, out);
        self.shed(state, scratch);
        state.replace(&scratch.next);
    }

    /// Where there are too many partial matches, drops those that began first, an eighth more than needed so that it is not
    /// due again with the next event.
    pub(super) fn shed(&self, state: &mut Single, scratch: &mut Scratch) {
        let many = scratch.next.len() + state.finished.len() > self.limit + 1;
        let large = state.buffer.len() > self.limit.saturating_mul(EVENTS_PER_MATCH);
        if !many && !large {
            return;
        }
        let held = scratch.next.len() + state.finished.len();
        let keep = if many { self.limit - self.limit / 8 } else { held / 2 };
        for _ in 0..held.saturating_sub(keep) {
            let from_next = match (scratch.next.first(), state.finished.first()) {
                (Some(run), Some(finished)) => !heap::not_after(finished, run),
                (run, _) => run.is_some(),
            };
            let gone = if from_next { heap::pop(&mut scratch.next) } else { heap::pop(&mut state.finished) };
            match gone {
                Some(run) if run.node == NONE => {
                    heap::push(&mut scratch.next, run);
                    break;
                }
                Some(run) => {
                    state.buffer.release(run.node);
                    scratch.counts.shed += 1;
                    state.dropped += 1;
                }
                None => break,
            }
        }
    }

    /// When time alone next changes something for a run, timers up to `after` having fired.
    pub(super) fn deadline(&self, buffer: &Buffer, run: &Run, after: TimeMs) -> TimeMs {
        let state = &self.states[usize::from(run.state)];
        let mut deadline = self.expires(buffer, run);
        for (ms, _) in &state.timers {
            let due = run.since_ms.saturating_add(*ms).min(NEVER - 1);
            if due > after {
                deadline = deadline.min(due);
            }
        }
        deadline
    }

    /// When a run is out of time.
    pub(super) fn expires(&self, buffer: &Buffer, run: &Run) -> TimeMs {
        let due = |from: TimeMs, ms: TimeMs| from.saturating_add(ms).min(NEVER - 1);
        let window = self.within_ms.map_or(NEVER, |within| due(run.start_ms, within));
        let own = match self.states[usize::from(run.state)].expiry {
            None => NEVER,
            Some(Bound { from: From::Before, ms }) => due(run.since_ms, ms),
            Some(Bound { from: From::Mark(slot), ms }) => match buffer.marks(run.node).get(usize::from(slot)) {
                Some(&mark) if mark != UNMARKED => due(mark, ms),
                _ => NEVER,
            },
        };
        window.min(own)
    }
}

/// One event at work.
pub(super) struct Step<'a, 'e> {
    pub(super) program: &'a Program,
    pub(super) env: &'a Env<'e>,
    pub(super) input: usize,
    pub(super) now: TimeMs,
    pub(super) stamp: u64,
    /// What kind of event it is, where that says which ways there are.
    kind: Option<u32>,
    /// Where the event is kept, once something took it.
    pub(super) event: u32,
}

impl<'a, 'e> Step<'a, 'e> {
    pub(super) fn new(program: &'a Program, env: &'a Env<'e>, input: usize, scratch: &mut Scratch) -> Self {
        if scratch.cache.len() != program.preds.len() {
            scratch.cache.resize(program.preds.len(), (0, false));
        }
        scratch.stamp += 1;
        let kind = program.kinds.as_ref().map(|kinds| kinds.of(input, env));
        Self { program, env, input, now: env.event.time_ms(), stamp: scratch.stamp, kind, event: NONE }
    }

    /// The way that a partial match goes, where there is a tree for it.
    #[inline]
    pub(super) fn way(&self, buffer: &Buffer, scratch: &mut Scratch, run: &Run) -> Option<u32> {
        if let (Some(kinds), Some(kind)) = (&self.program.kinds, self.kind) {
            return if run.node == NONE { kinds.start(kind) } else { kinds.way(run.state, kind) };
        }
        let decisions = &self.program.decisions;
        let root = if run.node == NONE { decisions.start() } else { decisions.root(run.state) }?;
        scratch.stamp += 1;
        Some(decisions.decide(root, |pred| self.test(buffer, scratch, run, pred)))
    }

    /// Whether a way of the match that has not begun begins none.
    pub(super) fn leads_nowhere(&self, way: u32) -> bool {
        let decisions = &self.program.decisions;
        decisions.edges(decisions.way(way)).is_empty()
    }

    /// Whether all partial matches wait on as they are, and none begins; if not, the ways that they go are in `scratch.ways`.
    fn changes_nothing(&self, state: &Single, scratch: &mut Scratch) -> bool {
        let decisions = &self.program.decisions;
        let mut nothing = true;
        let mut ways = std::mem::take(&mut scratch.ways);
        ways.clear();
        for run in &state.runs {
            let way = self.way(&state.buffer, scratch, run);
            nothing &= match way {
                Some(way) if run.node == NONE => self.leads_nowhere(way),
                Some(way) => decisions.way(way).stays,
                None => false,
            };
            ways.push(way);
        }
        scratch.ways = ways;
        nothing
    }

    /// Puts the edges that the event may go on into `scratch.passed`; whether an absence is violated.
    pub(super) fn collect(&self, buffer: &Buffer, scratch: &mut Scratch, run: &Run) -> bool {
        let way = self.way(buffer, scratch, run);
        self.collect_by(way, buffer, scratch, run)
    }

    /// The same where the way is known already, if there is one.
    fn collect_by(&self, way: Option<u32>, buffer: &Buffer, scratch: &mut Scratch, run: &Run) -> bool {
        let program = self.program;
        scratch.passed.clear();
        scratch.stamp += 1;
        let state_edges = &program.states[usize::from(run.state)].edges;
        let in_time = |edge: &FlatEdge| edge.within.iter().all(|bound| self.in_time(buffer, run, bound));
        if let Some(way) = way {
            let way = program.decisions.way(way);
            let edges = program.decisions.edges(way);
            if !way.timed {
                scratch.passed.extend_from_slice(edges);
                return way.stops;
            }
            let mut stops = false;
            for &at in edges {
                let edge = &state_edges[usize::from(at)];
                match edge.what {
                    _ if !in_time(edge) => {}
                    What::Stop => stops = true,
                    _ => scratch.passed.push(at),
                }
            }
            return stops;
        }
        let mut stops = false;
        for (at, edge) in state_edges.iter().enumerate() {
            // The match that has not begun skips everything anyway.
            if run.node == NONE && !matches!(edge.what, What::Take { .. }) {
                continue;
            }
            if !in_time(edge) || !self.holds(buffer, scratch, run, &edge.guard) {
                continue;
            }
            match edge.what {
                What::Stop => stops = true,
                _ => scratch.passed.push(at as u16),
            }
        }
        stops
    }

    fn in_time(&self, buffer: &Buffer, run: &Run, bound: &Bound) -> bool {
        let from = match bound.from {
            From::Before if run.node == NONE => return true,
            From::Before => run.since_ms,
            From::Mark(slot) => match buffer.marks(run.node).get(usize::from(slot)) {
                Some(&mark) if mark != UNMARKED => mark,
                _ => return true,
            },
        };
        self.now.saturating_sub(from) < bound.ms
    }

    pub(super) fn holds(&self, buffer: &Buffer, scratch: &mut Scratch, run: &Run, guard: &Guard) -> bool {
        guard.iter().all(|&Lit { pred, want }| self.test(buffer, scratch, run, pred) == want)
    }

    /// A predicate; of what looks at the event alone the result is kept for all partial matches, else for this one.
    fn test(&self, buffer: &Buffer, scratch: &mut Scratch, run: &Run, pred: PredIx) -> bool {
        let (program, at) = (self.program, usize::from(pred));
        let dynamic = program.dynamic[at];
        let (stamp, known) = scratch.cache[at];
        if stamp == if dynamic { scratch.stamp } else { self.stamp } {
            return known;
        }
        let exprs = match &program.preds[at] {
            Pred::Variable(var) => &program.conditions[usize::from(*var)],
            Pred::Until(until) => &program.untils[usize::from(*until)],
            Pred::InTime(bound) => return self.in_time(buffer, run, bound),
            Pred::All(guard) => {
                let result = self.holds(buffer, scratch, run, guard);
                return self.keep(scratch, at, dynamic, result);
            }
            Pred::Any(guards) => {
                let result = guards.iter().any(|guard| self.holds(buffer, scratch, run, guard));
                return self.keep(scratch, at, dynamic, result);
            }
        };
        let result = match exprs.get(self.input) {
            Some(Some(expr)) if dynamic => expr.is_true(&self.env.with_bound(&View::new(program, buffer, run))),
            Some(Some(expr)) => expr.is_true(self.env),
            _ => false,
        };
        self.keep(scratch, at, dynamic, result)
    }

    fn keep(&self, scratch: &mut Scratch, at: usize, dynamic: bool, result: bool) -> bool {
        scratch.cache[at] = (if dynamic { scratch.stamp } else { self.stamp }, result);
        result
    }

    /// Moves one partial match.
    fn run(&mut self, state: &mut Single, scratch: &mut Scratch, run: Run, way: Option<u32>) {
        let program = self.program;
        if way.is_some_and(|way| program.decisions.way(way).stays) && run.node != NONE {
            heap::push(&mut scratch.next, run);
            return;
        }
        let stops = self.collect_by(way, &state.buffer, scratch, &run);
        let edges = &program.states[usize::from(run.state)].edges;
        // Most often a partial match waits on as it is.
        if let ([only], false) = (scratch.passed.as_slice(), stops)
            && let What::Ignore { target } = edges[usize::from(*only)].what
            && target == run.state
        {
            heap::push(&mut scratch.next, run);
            return;
        }
        let passed = std::mem::take(&mut scratch.passed);
        for &at in &passed {
            let edge = &edges[usize::from(at)];
            match edge.what {
                What::Ignore { target } => {
                    let since_ms = if edge.decides { self.now } else { run.since_ms };
                    let moved = Run { since_ms, state: target, ..run };
                    if is_end(&program.states[usize::from(target)]) {
                        state.buffer.retain(run.node);
                        heap::push(&mut scratch.done, moved);
                    } else if !stops {
                        state.buffer.retain(run.node);
                        let deadline = program.deadline(&state.buffer, &moved, self.now);
                        heap::push(&mut scratch.next, Run { deadline, ..moved });
                    }
                }
                What::Take { var, target } => self.take(state, scratch, &run, edge, var, target, stops),
                What::Stop => {}
            }
        }
        scratch.passed = passed;
        if run.node == NONE {
            heap::push(&mut scratch.next, START);
        } else {
            state.buffer.release(run.node);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an edge with its ends and what is done on it")]
    fn take(
        &mut self,
        state: &mut Single,
        scratch: &mut Scratch,
        run: &Run,
        edge: &FlatEdge,
        var: u16,
        target: u16,
        stops: bool,
    ) {
        let program = self.program;
        let next = &program.states[usize::from(target)];
        let ends = is_end(next);
        // Whether the pattern may end here is asked of the match before the event, as the conditions are.
        let done = ends || next.finals.iter().any(|guard| self.holds(&state.buffer, scratch, run, guard));
        if stops && !done {
            return;
        }
        let node = self.add(state, run, edge, var);
        let (start_ms, start_seq) = match run.node {
            NONE => (self.now, state.next_seq),
            _ => (run.start_ms, run.start_seq),
        };
        let taken = Run { start_ms, start_seq, since_ms: self.now, deadline: NEVER, node, state: target };
        let goes_on = !ends && !stops;
        if done {
            if goes_on {
                state.buffer.retain(node);
            }
            heap::push(&mut scratch.done, taken);
        }
        if goes_on {
            let deadline = program.deadline(&state.buffer, &taken, self.now);
            heap::push(&mut scratch.next, Run { deadline, ..taken });
        }
    }

    /// The node of the event after a partial match.
    fn add(&mut self, state: &mut Single, run: &Run, edge: &FlatEdge, var: u16) -> u32 {
        let program = self.program;
        if self.event == NONE {
            let retained = program.retained.get(self.input).map(Vec::as_slice).unwrap_or_default();
            let id = self.env.event.id(program.id_slots.get(self.input).copied().flatten());
            let values = retained.iter().map(|expr| expr.value(self.env));
            self.event = state.buffer.add_event(state.next_seq, self.now, id, values);
        }
        let node = program
            .append(&mut state.buffer, run.node, self.event, var, |ix| program.summand(ix, self.input, self.env));
        for &(slot, mark) in &edge.marks {
            let begun = state.buffer.marks(node).get(usize::from(slot)).is_some_and(|mark| *mark != UNMARKED);
            match mark {
                Mark::BeginIfNone if begun => {}
                Mark::Begin | Mark::BeginIfNone => state.buffer.set_mark(node, slot, self.now),
                Mark::Forget => state.buffer.set_mark(node, slot, UNMARKED),
            }
        }
        node
    }
}

impl Program {
    /// What an aggregate takes of an event; null: nothing.
    pub(super) fn summand(&self, ix: usize, input: usize, env: &Env<'_>) -> Value {
        let Some((_, aggregate)) = self.aggregates.get(ix) else { return Value::Null };
        let filter = aggregate.filter.get(input).and_then(Option::as_ref);
        match aggregate.args.get(input) {
            Some(Some(arg)) if filter.is_none_or(|filter| filter.is_true(env)) => arg.value(env),
            _ => Value::Null,
        }
    }
}
