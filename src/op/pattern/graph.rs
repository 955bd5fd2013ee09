//! The automaton while it is built: states with take, ignore and proceed edges, and the predicates on them.

use super::BuildError;
use crate::model::TimeMs;
use smallvec::SmallVec;

/// The place of a state.
pub(super) type StateIx = usize;

/// The place of a predicate.
pub(super) type PredIx = u16;

/// A predicate that must hold, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lit {
    pub(super) pred: PredIx,
    pub(super) want: bool,
}

/// Literals that all must hold; none: always.
pub(super) type Guard = SmallVec<[Lit; 3]>;

/// What an edge may ask about an event.
#[derive(Clone, Debug)]
pub(super) enum Pred {
    /// It meets this variable's condition.
    Variable(u16),
    /// It meets this stop condition, an index into the program's.
    Until(u16),
    /// It comes within this span.
    InTime(Bound),
    /// It meets all of these.
    All(Guard),
    /// It meets one of these.
    Any(Vec<Guard>),
}

/// What happens to the event on an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The partial match takes it for this variable.
    Take(u16),
    /// The partial match waits on.
    Ignore,
    /// Nothing yet: the target's edges count as well.
    Proceed,
}

/// From when a span is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    /// The element before: its last event, or the instant at which an absence was decided.
    Before,
    /// The first repetition of a loop, remembered under this number.
    Mark(u16),
}

/// A span that must not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound {
    pub(super) from: From,
    pub(super) ms: TimeMs,
}

/// An edge.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) action: Action,
    pub(super) target: StateIx,
    /// What the event must meet.
    pub(super) guard: Guard,
    /// What it must meet for a loop to be left; does not count where a match ends with the event just taken.
    pub(super) exit: Guard,
    /// Spans that bound it.
    pub(super) within: SmallVec<[Bound; 1]>,
    /// Takes: what becomes of the times at which these loops began.
    pub(super) marks: Marks,
}

/// Loops by number, and what a take does with the time at which each began.
pub(super) type Marks = SmallVec<[(u16, Mark); 1]>;

/// What a take does with the time at which a loop began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The loop begins here.
    Begin,
    /// It begins here, unless it has begun with what may be left out before.
    BeginIfNone,
    /// This is outside the loop.
    Forget,
}

/// What a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A partial match waits here.
    Normal,
    /// The whole pattern is met.
    Final,
    /// An absence is violated: the variable is what occurred.
    Stop(u16),
    /// Only the window's end is waited for: then it is a match.
    Pending,
}

/// A state.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// The variable that it waits for, for people.
    pub(super) label: String,
    pub(super) edges: Vec<Edge>,
    /// A partial match that is still here by then runs out of time.
    pub(super) expiry: Option<Bound>,
    /// So long after the element before, the partial match goes to this state.
    pub(super) timer: Option<(TimeMs, StateIx)>,
}

/// States and predicates.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) states: Vec<State>,
    pub(super) preds: Vec<Pred>,
    pub(super) start: StateIx,
    /// Of each variable the place in the text of the pattern.
    pub(super) places: Vec<usize>,
    /// Whether a loop over a group chooses among its ways, as Flink's can't.
    pub(super) chooses: bool,
}

/// More states than this and the pattern is refused: repetitions are states.
pub(super) const STATES_MAX: usize = 4_096;

impl Graph {
    pub(super) fn state(&mut self, kind: Kind, label: &str) -> Result<StateIx, BuildError> {
        if self.states.len() >= STATES_MAX {
            return Err(BuildError::TooLarge { what: "states", limit: STATES_MAX });
        }
        self.states.push(State { kind, label: label.to_owned(), edges: Vec::new(), expiry: None, timer: None });
        Ok(self.states.len() - 1)
    }

    pub(super) fn edge(&mut self, from: StateIx, action: Action, target: StateIx, guard: Guard) -> &mut Edge {
        let edges = &mut self.states[from].edges;
        let (exit, within, marks) = (Guard::new(), SmallVec::new(), SmallVec::new());
        edges.push(Edge { action, target, guard, exit, within, marks });
        edges.last_mut().expect("an edge was just pushed")
    }

    pub(super) fn pred(&mut self, pred: Pred) -> Result<PredIx, BuildError> {
        let limit = usize::from(u16::MAX);
        if self.preds.len() >= limit {
            return Err(BuildError::TooLarge { what: "conditions", limit });
        }
        self.preds.push(pred);
        Ok((self.preds.len() - 1) as PredIx)
    }

    /// A guard that holds where this one doesn't.
    pub(super) fn not(&mut self, guard: &Guard) -> Result<Guard, BuildError> {
        Ok(match guard.as_slice() {
            [] => Guard::from_slice(&[Lit { pred: self.pred(Pred::Any(Vec::new()))?, want: true }]),
            [lit] => Guard::from_slice(&[Lit { want: !lit.want, ..*lit }]),
            _ => Guard::from_slice(&[Lit { pred: self.pred(Pred::All(guard.clone()))?, want: false }]),
        })
    }
}

/// All of both.
pub(super) fn both(a: &Guard, b: &Guard) -> Guard {
    let mut guard = a.clone();
    for lit in b {
        if !guard.contains(lit) {
            guard.push(*lit);
        }
    }
    guard
}

/// Whether it asks for a predicate and for its opposite.
pub(super) fn contradicts(guard: &Guard) -> bool {
    guard.iter().any(|lit| guard.contains(&Lit { want: !lit.want, ..*lit }))
}

/// One literal.
pub(super) fn lit(pred: PredIx, want: bool) -> Guard {
    Guard::from_slice(&[Lit { pred, want }])
}
