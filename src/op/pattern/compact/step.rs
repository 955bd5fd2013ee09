//! An event moves the sets.

use super::{
    course::{Act, Course},
    moves::Moves,
    node::Part,
    sets::Sets,
    state::{Compact, Set, Taking},
};
use crate::{
    expr::Env,
    model::{Emission, EventRef, TimeMs},
    op::pattern::{
        flatten::What,
        program::{EVENTS_PER_MATCH, Program},
        state::{Form, KeyState, Run, START, Scratch, is_end},
        step::Step,
        turn::Turns,
    },
};

impl Program {
    /// When time alone makes partial matches fewer, of those that otherwise go when all of a key are over.
    pub fn eases_ms(&self, state: &KeyState) -> Option<TimeMs> {
        match &state.form {
            Form::Sets(sets) => sets.held().eases_ms(self.within_ms),
            Form::Line(line) => line.eases_ms(self.within_ms),
            Form::Blank | Form::Single(_) => None,
        }
    }

    /// The kind of an event of an input, where it follows from which texts its fields are, and partial matches are kept as sets.
    #[inline]
    pub fn kind(&self, input: usize, event: EventRef<'_>) -> Option<u32> {
        self.courses.as_ref()?;
        self.kinds.as_ref()?.of_texts(input, event)
    }

    /// Looks at the memory that an event, of this kind if that is known, will need, so that it is at hand by then: first what is next to
    /// the state, then, `further`, what that leads to. What it gives says nothing.
    #[inline]
    pub fn touch(&self, state: &KeyState, kind: Option<u32>, further: bool) -> u64 {
        match (&state.form, kind.and_then(|kind| self.courses.as_ref()?.of(kind))) {
            (Form::Sets(sets), Some(course)) if course.begun().is_empty() && course.all_stay(sets.states()) => 0,
            _ => state.touch(further),
        }
    }

    /// Runs an event against a partition whose partial matches are kept as sets.
    pub(in crate::op::pattern) fn step_compact(
        &self,
        (state, kind): (&mut KeyState, Option<u32>),
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        if let Form::Sets(sets) = &mut state.form {
            sets.pass(self.within_ms, env.event.time_ms());
        }
        let course = self.kinds.as_ref().zip(self.courses.as_ref());
        let course = course.and_then(|(kinds, courses)| {
            debug_assert!(kind.is_none_or(|kind| kind == kinds.of(input, env)), "it is this event's kind");
            courses.of(kind.unwrap_or_else(|| kinds.of(input, env)))
        });
        match course {
            Some(course) => {
                let states = if let Form::Sets(sets) = &state.form { sets.states() } else { 0 };
                if course.begun().is_empty() && course.all_stay(states) {
                    return;
                }
                self.sets(state).change(|held| {
                    let mut moves = Moves::new(self, (input, env), held, &mut scratch.work);
                    moves.follow(course, self.turns.as_ref());
                    let event = moves.take();
                    self.end(held, event, scratch, env, out);
                });
            }
            None => {
                let step = Step::new(self, env, input, scratch);
                step.collect(&self.nothing, scratch, &START);
                if scratch.passed.is_empty() {
                    let mut stays = |set: &Set| {
                        let way = step.way(&self.nothing, scratch, &Run { state: set.state, node: 0, ..START });
                        way.is_some_and(|way| self.decisions.way(way).stays)
                    };
                    match &state.form {
                        Form::Sets(sets) if !sets.held().sets.iter().all(&mut stays) => {}
                        _ => return,
                    }
                }
                self.sets(state).change(|held| {
                    let mut work = std::mem::take(&mut scratch.work);
                    let moves = Moves::new(self, (input, env), held, &mut work);
                    let mut asking = Asking { step: &step, scratch, moves };
                    asking.begin();
                    asking.go_on();
                    let event = asking.moves.take();
                    scratch.work = work;
                    self.end(held, event, scratch, env, out);
                });
            }
        }
    }

    /// The sets of a partition, which may not have had any.
    fn sets<'s>(&self, state: &'s mut KeyState) -> &'s mut Sets {
        if !matches!(state.form, Form::Sets(_)) {
            let dropped = state.single().map_or(0, |single| single.dropped);
            state.form = Form::Sets(Sets::new(Compact { dropped, ..Compact::new(self) }));
        }
        match &mut state.form {
            Form::Sets(sets) => sets,
            // INVARIANT: it has just been made so.
            _ => unreachable!("the form was set above"),
        }
    }

    /// After all was moved, and the event was kept under this number if it was taken: matches are put out.
    fn end(
        &self,
        held: &mut Compact,
        event: Option<u32>,
        scratch: &mut Scratch,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        held.sets.clear();
        held.sets.extend_from_slice(&scratch.work.next);
        if !scratch.work.done.is_empty() {
            self.put_out(held, scratch, env, out);
        }
        if let Some(event) = event
            && held.sets.iter().any(|set| set.part.newest == event)
        {
            held.starts.push(event);
        }
        held.settle(self.within_ms);
        self.tidy(held, scratch);
    }

    /// Frees memory where half of it may be garbage, and sees to the bounds on what a partition holds. What is dropped
    /// doesn't depend on when the state was saved.
    fn tidy(&self, held: &mut Compact, scratch: &mut Scratch) {
        let mut shed = |held: &mut Compact, keep: usize| {
            let gone = held.shed(keep, self.within_ms);
            scratch.counts.shed += gone;
            held.dropped += gone;
        };
        if held.starts.as_slice().len() > self.limit {
            held.count_starts();
            if held.starts.as_slice().len() > self.limit {
                shed(held, self.limit - self.limit / 8);
            }
        }
        if held.is_due() {
            held.collect();
            if held.nodes.len() > self.limit.saturating_mul(EVENTS_PER_MATCH) {
                shed(held, held.starts.as_slice().len() / 2);
                held.collect();
            }
        }
    }
}
impl Moves<'_> {
    /// Does what an event of this course does.
    fn follow(&mut self, course: &Course, turns: Option<&Turns>) {
        for taking in course.begun() {
            self.taking(*taking);
        }
        let over = match turns {
            Some(turns) if course.may_end() => {
                let ended = self.held.sets.iter().filter(|set| course.ends(set.state));
                ended.fold(0, |over, set| over | turns.group(set.state))
            }
            _ => 0,
        };
        for at in 0..self.held.sets.len() {
            let Set { state, part } = self.held.sets[at];
            // Of first events that have their match nothing else goes on.
            let is_over = over != 0 && turns.is_some_and(|turns| turns.group(state) & over != 0);
            for act in course.acts(state) {
                match *act {
                    Act::End => self.work.done.push(part),
                    Act::Go(target) if !is_over => self.put(target, part),
                    Act::Go(_) => {}
                    Act::Take(how) => match course.taking(how) {
                        Some(taking) if taking.ends || !is_over => self.taking(Taking { before: part, ..taking }),
                        _ => {}
                    },
                }
            }
        }
    }
}

/// An event whose conditions are asked as they come up, edge by edge.
struct Asking<'a, 's, 'e> {
    step: &'a Step<'s, 'e>,
    scratch: &'a mut Scratch,
    moves: Moves<'a>,
}

impl Asking<'_, '_, '_> {
    /// What the event begins; its edges are in `scratch.passed`.
    fn begin(&mut self) {
        let program = self.step.program;
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
        for at in 0..self.moves.held.sets.len() {
            let Set { state, part } = self.moves.held.sets[at];
            // Of first events that have their match nothing else goes on.
            let is_over = over != 0 && program.turns.as_ref().is_some_and(|turns| turns.group(state) & over != 0);
            // Any partial match of the set stands for all.
            let run = Run { state, node: 0, ..START };
            let stops = self.step.collect(&program.nothing, self.scratch, &run);
            let passed = std::mem::take(&mut self.scratch.passed);
            for &at in &passed {
                match program.states[usize::from(state)].edges[usize::from(at)].what {
                    What::Ignore { target } if is_end(&program.states[usize::from(target)]) => {
                        self.moves.work.done.push(part)
                    }
                    What::Ignore { .. } if is_over => {}
                    What::Take { target, .. } if is_over && !is_end(&program.states[usize::from(target)]) => {}
                    What::Ignore { target } if !stops => self.moves.put(target, part),
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
        for set in &self.moves.held.sets {
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
        if done || goes_on {
            self.moves.taking(Taking { target, var, done, goes_on, ends, before });
        }
    }
}
