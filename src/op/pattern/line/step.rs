//! What an event does.

use super::{Line, Plan, plan::Beside, state::View};
use crate::{
    expr::{Env, Expr},
    model::{Emission, EmissionKind, Value},
    op::pattern::{
        flatten::What,
        heap,
        path::{self, Path},
        program::Program,
        state::{Form, KeyState, NONE, Run, START, Scratch, Single},
    },
    plan::Skip,
};
use smallvec::SmallVec;

impl Program {
    /// Runs an event against a partition whose partial matches are a line.
    pub(in crate::op::pattern) fn step_line(
        &self,
        plan: &Plan,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let now = env.event.time_ms();
        if !matches!(state.form, Form::Line(_)) {
            // Most events of keys without a match begin none.
            if !self.meets(plan, input, 0, env) {
                return;
            }
            state.form = Form::Line(Line::new(plan.kept(), self.layout.values));
        }
        let Form::Line(line) = &mut state.form else { return };
        if line.open != 0 {
            line.pass(self.within_ms, now);
        }
        // The places at which matches may take the event: after what they have taken, and the first.
        let mut open = line.open << 1 | 1;
        for question in &plan.questions {
            let asking = open & question;
            if asking != 0 && !self.is_met(plan, line, (input, asking.trailing_zeros() as usize), env) {
                open &= !question;
            }
        }
        let last = 1 << plan.kept();
        if open & last != 0 {
            open &= !last;
            self.put_out_line(plan, line, scratch, input, env, out);
            open &= self.skips(plan, scratch);
        }
        let was_open = std::mem::replace(&mut line.open, open) != 0;
        if open == 0 {
            if was_open {
                line.settle(self.within_ms);
            }
            return;
        }
        let retained = self.retained.get(input).map(Vec::as_slice).unwrap_or_default();
        let id = env.event.id(self.id_slots.get(input).copied().flatten());
        line.push(now, id, |places| keep(places, retained, env));
        line.settle(self.within_ms);
    }

    /// Whether the event meets the condition of a place, of no match.
    fn meets(&self, plan: &Plan, input: usize, place: usize, env: &Env<'_>) -> bool {
        let Some(step) = plan.steps.get(place) else { return false };
        let exprs = self.conditions.get(usize::from(step.var));
        let expr = exprs.and_then(|exprs| exprs.get(input)).and_then(Option::as_ref);
        !step.asks || expr.is_some_and(|expr| expr.is_true(env))
    }

    /// Whether the event meets the condition of the place that a match comes to which has taken so many.
    #[inline]
    fn is_met(&self, plan: &Plan, line: &Line, (input, taken): (usize, usize), env: &Env<'_>) -> bool {
        if let Some(beside) = plan.beside(taken, input) {
            return beside.is_true(line, env);
        }
        let exprs = plan.steps.get(taken).and_then(|step| self.conditions.get(usize::from(step.var)));
        let expr = exprs.and_then(|exprs| exprs.get(input)).and_then(Option::as_ref);
        expr.is_some_and(|expr| expr.is_true(&env.with_bound(&View { plan, line, taken })))
    }

    /// After a match was put out: which of the partial matches as they are after the event go on, by bits.
    fn skips(&self, plan: &Plan, scratch: &mut Scratch) -> u64 {
        let (var, or_fail) = match plan.skip {
            Skip::NoSkip | Skip::ToNextRow => return u64::MAX,
            Skip::Eager | Skip::PastLastRow => return 0,
            Skip::ToFirst { var, or_fail } | Skip::ToLast { var, or_fail } => (var, or_fail),
        };
        let place = plan.place_of.get(usize::from(var)).copied().flatten().map_or(0, usize::from);
        // Skipping to where the match began gets nowhere.
        scratch.counts.skip_misses += u64::from(or_fail && place == 0);
        // Of the match's events that one has so many after it.
        u64::MAX >> (u64::BITS as usize - (plan.len() - place))
    }

    /// Evaluates the measures over the match that the event ends.
    fn put_out_line(
        &self,
        plan: &Plan,
        line: &Line,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let mut lent = std::mem::take(&mut scratch.lent);
        let now = env.event.time_ms();
        let retained = self.retained.get(input).map(Vec::as_slice).unwrap_or_default();
        let id = env.event.id(self.id_slots.get(input).copied().flatten());
        if !self.all_rows {
            let mut own: SmallVec<[Value; 4]> = retained.iter().map(|expr| expr.value(env)).collect();
            own.resize(self.layout.values, Value::Null);
            let back = (1..plan.len()).rev().filter_map(|back| {
                let (time_ms, id) = line.head(back)?;
                Some((*time_ms, id, line.values_of(back)))
            });
            let all = plan.steps.iter().zip(back.chain([(now, &id, own.as_slice())]));
            let path: Path<'_> = all
                .map(|(step, (time_ms, id, values))| path::Step { var: step.var, time_ms, id, values, summands: &[] })
                .collect();
            self.emit_path(&path, &mut lent.dropped, env, out);
            scratch.lent = lent;
            return;
        }
        let mut node = self.chain(plan, line, plan.kept(), &mut lent);
        let values = retained.iter().map(|expr| expr.value(env));
        let event = lent.buffer.add_event(plan.kept() as u64, now, id, values);
        let var = plan.steps.last().map_or(0, |step| step.var);
        node = self.append(&mut lent.buffer, node, event, var, |_| Value::Null);
        let start_ms = line.head(plan.kept()).map_or(now, |(start_ms, _)| *start_ms);
        let run = Run { start_ms, since_ms: now, node, ..START };
        self.emit(&mut lent, scratch, &run, (EmissionKind::Match, now, None), env, out);
        lent.buffer.clear(self.layout);
        scratch.lent = lent;
    }

    /// The node of a match that has taken so many events.
    fn chain(&self, plan: &Plan, line: &Line, taken: usize, to: &mut Single) -> u32 {
        to.buffer.clear(self.layout);
        let mut node = NONE;
        for (step, back) in plan.steps.iter().zip((1..=taken).rev()) {
            let Some((time_ms, id)) = line.head(back) else { continue };
            let values = line.values_of(back).iter().cloned();
            let event = to.buffer.add_event((taken - back) as u64, *time_ms, id.clone(), values);
            node = self.append(&mut to.buffer, node, event, step.var, |_| Value::Null);
        }
        node
    }
}

/// Writes what is kept of the event into places that hold what was kept of an older one.
#[inline]
fn keep(places: &mut [Value], retained: &[Expr], env: &Env<'_>) {
    let mut retained = retained.iter();
    for place in places {
        match retained.next() {
            Some(expr) => match expr.in_place(env) {
                Some(value) => place.become_copy(value),
                None => *place = expr.value(env),
            },
            // Of another stream's events more may be kept.
            None => *place = Value::Null,
        }
    }
}

impl Beside {
    /// Whether it is true of the event; what is unknown is not.
    #[inline]
    fn is_true(&self, line: &Line, env: &Env<'_>) -> bool {
        let number = env.event.values.get(usize::from(self.slot)).and_then(Value::number);
        let kept = line.value(self.back, self.kept).and_then(Value::number);
        number.zip(kept).is_some_and(|(number, kept)| self.op.holds_of(number, kept))
    }
}

impl Program {
    /// The partial matches of a line in some states of the automaton one by one. States that a partial match can have come through
    /// are as they were for the program that it is of.
    pub(in crate::op::pattern) fn unlined(&self, mut line: Line, goes_on: impl Fn(u16) -> bool) -> Single {
        let all = line.longest();
        for taken in (1..=all).filter(|taken| !goes_on(*taken as u16)) {
            line.open &= !(1 << (taken - 1));
        }
        let mut single = Single::default();
        single.buffer.layout = self.layout;
        let longest = line.longest();
        let events: Vec<u32> = (1..=longest)
            .rev()
            .filter_map(|back| {
                let (time_ms, id) = line.head(back)?;
                let values = line.values_of(back).iter().cloned();
                Some(single.buffer.add_event((longest - back) as u64, *time_ms, id.clone(), values))
            })
            .collect();
        let vars = self.states.iter().zip(1..).map_while(|(state, next)| {
            state.edges.iter().find_map(|edge| match edge.what {
                What::Take { var, target } if target == next => Some(var),
                _ => None,
            })
        });
        let vars: Vec<u16> = vars.collect();
        let mut runs = vec![START];
        for taken in (1..=longest).rev().filter(|taken| line.open & 1 << (taken - 1) != 0) {
            let (Some((start_ms, _)), Some((since_ms, _))) = (line.head(taken), line.head(1)) else { continue };
            let mut node = NONE;
            for (&var, &event) in vars.iter().zip(events.iter().skip(longest - taken)) {
                let next = self.append(&mut single.buffer, node, event, var, |_| Value::Null);
                // A node is made with a reference of its maker.
                single.buffer.release(node);
                node = next;
            }
            let start_seq = (longest - taken) as u64;
            let run = Run { start_ms: *start_ms, start_seq, since_ms: *since_ms, node, state: taken as u16, ..START };
            let deadline = self.deadline(&single.buffer, &run, *since_ms);
            heap::push(&mut runs, Run { deadline, ..run });
        }
        single.next_seq = longest as u64;
        single.replace(&runs);
        single
    }
}
