//! What the events of each kind do to the sets of each state, worked out when the program is made: where a pattern's conditions are asked
//! once per event (`kinds`) an event's work is to carry that out. It is what `step` finds edge by edge, in the same order.

use super::{node::Part, state::Taking};
use crate::op::pattern::{
    decide::{Decisions, Way, is_met},
    flatten::{FlatState, What},
    graph::{Pred, PredIx},
    kinds::Kinds,
    state::is_end,
};

/// Of larger automata it isn't worked out: states are bits of a word.
const STATES_MAX: usize = 64;

/// The courses of all kinds of events.
#[derive(Debug)]
pub(in crate::op::pattern) struct Courses(Vec<Course>);

/// What an event of one kind does.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// The states whose sets stay as they are, by bits.
    stays: u64,
    /// The states of whose sets something comes to the end of the pattern, by bits.
    ends: u64,
    /// For what the event is taken, if for anything: first where it begins a match.
    takes: Vec<Taking>,
    begins: usize,
    /// By state which of `acts` are done to its set.
    of_state: Vec<(u16, u16)>,
    acts: Vec<Act>,
}

/// What is done to a set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Its partial matches are matches.
    End,
    /// They go to a state.
    Go(u16),
    /// They take the event, as one of the course's says.
    Take(u16),
}

impl Courses {
    /// None where the automaton is too large, or what the kinds know doesn't decide.
    pub(in crate::op::pattern) fn new(
        kinds: &Kinds,
        decisions: &Decisions,
        states: &[FlatState],
        preds: &[Pred],
    ) -> Option<Self> {
        if states.len() > STATES_MAX {
            return None;
        }
        let make = |kind| {
            let mut maker = Maker { known: kinds.known(kind), decisions, states, preds, course: Course::default() };
            maker.begin(decisions.way(kinds.start(kind)?))?;
            for state in 0..states.len() as u16 {
                maker.go_on(state, decisions.way(kinds.way(state, kind)?))?;
            }
            Some(maker.course)
        };
        (0..kinds.count()).map(make).collect::<Option<Vec<Course>>>().map(Self)
    }

    /// That of the events of a kind.
    #[inline]
    pub(super) fn of(&self, kind: u32) -> Option<&Course> {
        self.0.get(kind as usize)
    }
}

impl Course {
    /// What the event begins.
    #[inline]
    pub(super) fn begun(&self) -> &[Taking] {
        self.takes.get(..self.begins).unwrap_or_default()
    }

    /// Whether the sets of these states, given by bits, stay as they are.
    #[inline]
    pub(super) fn all_stay(&self, states: u64) -> bool {
        states & !self.stays == 0
    }

    /// Whether of some state's set something comes to the end of the pattern.
    #[inline]
    pub(super) fn may_end(&self) -> bool {
        self.ends != 0
    }

    /// Whether of a state's set something comes to the end of the pattern.
    #[inline]
    pub(super) fn ends(&self, state: u16) -> bool {
        self.ends >> state & 1 != 0
    }

    /// What is done to the set of a state.
    #[inline]
    pub(super) fn acts(&self, state: u16) -> &[Act] {
        let (from, to) = self.of_state.get(usize::from(state)).copied().unwrap_or_default();
        self.acts.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// How the event is taken, by the number in an act.
    #[inline]
    pub(super) fn taking(&self, at: u16) -> Option<Taking> {
        self.takes.get(usize::from(at)).copied()
    }
}

/// A course in the making.
struct Maker<'a> {
    known: Vec<(PredIx, bool)>,
    decisions: &'a Decisions,
    states: &'a [FlatState],
    preds: &'a [Pred],
    course: Course,
}

impl Maker<'_> {
    fn begin(&mut self, way: Way) -> Option<()> {
        if way.timed {
            return None;
        }
        for &edge in self.decisions.edges(way) {
            if let What::Take { var, target } = self.what(0, edge)? {
                let taking = self.taking(var, target, false)?;
                self.course.takes.extend(taking);
            }
        }
        self.course.begins = self.course.takes.len();
        Some(())
    }

    fn go_on(&mut self, state: u16, way: Way) -> Option<()> {
        if way.timed {
            return None;
        }
        let from = self.course.acts.len() as u16;
        for &edge in self.decisions.edges(way) {
            match self.what(state, edge)? {
                What::Ignore { target } if self.is_end(target) => self.course.acts.push(Act::End),
                What::Ignore { target } if !way.stops => self.course.acts.push(Act::Go(target)),
                What::Take { var, target } => {
                    if let Some(taking) = self.taking(var, target, way.stops)? {
                        let at = self.place(taking);
                        self.course.acts.push(Act::Take(at));
                    }
                }
                What::Ignore { .. } | What::Stop => {}
            }
        }
        self.course.of_state.push((from, self.course.acts.len() as u16));
        self.course.stays |= u64::from(way.stays) << state;
        self.course.ends |= u64::from(way.ends) << state;
        Some(())
    }

    fn what(&self, state: u16, edge: u16) -> Option<What> {
        Some(self.states.get(usize::from(state))?.edges.get(usize::from(edge))?.what)
    }

    fn is_end(&self, state: u16) -> bool {
        self.states.get(usize::from(state)).is_some_and(is_end)
    }

    /// How an event is taken on the way to a state; nothing where that leads nowhere.
    #[expect(clippy::option_option, reason = "what isn't known, and what is nothing")]
    fn taking(&self, var: u16, target: u16, stops: bool) -> Option<Option<Taking>> {
        let next = self.states.get(usize::from(target))?;
        let ends = is_end(next);
        let mut done = ends;
        for guard in &next.finals {
            done |= is_met(guard, self.preds, &self.known)?;
        }
        let goes_on = !ends && !stops;
        Some((done || goes_on).then_some(Taking { target, var, done, goes_on, ends, before: Part::NONE }))
    }

    /// The place of a taking among those that come after others.
    fn place(&mut self, taking: Taking) -> u16 {
        let takes = &mut self.course.takes;
        let own = takes.iter().skip(self.course.begins).position(|other| other.is_like(&taking));
        let at = own.map_or(takes.len(), |at| at + self.course.begins);
        if at == takes.len() {
            takes.push(taking);
        }
        at as u16
    }
}
