//! A pattern over the events of one partition.

use super::Aggregate;
use crate::{
    expr::Expr,
    model::{TimeMs, Type},
};

/// A pattern, resolved.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The variables; the index is the `var` of expressions.
    pub variables: Vec<Variable>,
    /// The elements in order. The first one's `connect` has no meaning: every event may start a match.
    pub elements: Vec<Element>,
    /// WITHIN: last − first of a match is less than this; none: UNBOUNDED.
    pub within_ms: Option<TimeMs>,
    /// AFTER MATCH SKIP.
    pub skip: Skip,
    /// ON TIMEOUT: partial matches that ran out of time are outputs as well.
    pub on_timeout: bool,
    /// ALL ROWS PER MATCH: every event of a match is an output, with the measures as of then.
    pub all_rows: bool,
    /// What is kept of an event that a match takes: for each input the expressions, evaluated when it is taken; the index
    /// is the slot of [`Node::Var`](crate::expr::Node::Var). All inputs have the same slots.
    pub retained: Vec<Vec<Expr>>,
    /// The types of the slots.
    pub retained_types: Vec<Type>,
    /// The slot that holds the position, where alerts draw a track.
    pub track: Option<u16>,
    /// Aggregates over variables, kept incrementally along each partial match; the index is that of
    /// [`Node::Aggregate`](crate::expr::Node::Aggregate). With each the variable that it runs over, or
    /// [`Var::ANY`](crate::expr::Var::ANY) for all events of the match.
    pub aggregates: Vec<(u16, Aggregate)>,
}

/// A variable of a pattern.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// For each input of the rule, what an event of it must meet; `None`: no event of that input can be bound to it.
    pub conditions: Vec<Option<Expr>>,
}

/// One element of a sequence.
#[derive(Clone, Debug)]
pub struct Element {
    /// How it follows the element before it.
    pub connect: Connect,
    /// What it is.
    pub term: Term,
    /// How often it occurs.
    pub quantifier: Quantifier,
    /// `WITHIN d OF PREVIOUS`: the time from the event taken before to this one is less than this.
    pub within_previous_ms: Option<TimeMs>,
}

impl Element {
    /// Calls `found` with this element and with each one inside it.
    pub fn each<'p>(&'p self, found: &mut dyn FnMut(&'p Element)) {
        found(self);
        self.term.each(found);
    }
}

impl Term {
    fn each<'p>(&'p self, found: &mut dyn FnMut(&'p Element)) {
        match self {
            Self::Variable(_) => {}
            Self::Not { term, .. } => term.each(found),
            Self::Group(elements) => elements.iter().for_each(|element| element.each(found)),
            Self::Alternation(ways) | Self::Permutation(ways) => {
                ways.iter().flatten().for_each(|element| element.each(found));
            }
        }
    }
}

/// What may stand between two events that are taken one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connect {
    /// Nothing: the very next event of the partition. Flink's next, consecutive.
    Strict,
    /// Events that do not match. Flink's followedBy.
    #[default]
    Relaxed,
    /// Any events, also ones that match. Flink's followedByAny, allowCombinations.
    Any,
}

/// What an element is.
#[derive(Clone, Debug)]
pub enum Term {
    /// An event that meets a variable's condition.
    Variable(u16),
    /// Absence of what is inside. `Strict`: it is not what comes next; `Relaxed`: it does not occur before the next
    /// element does.
    Not {
        /// What must not occur.
        term: Box<Term>,
        /// Its own deadline, counted from the element before it (at the start: from the partition's last such event).
        for_ms: Option<TimeMs>,
    },
    /// A sequence as one element.
    Group(Vec<Element>),
    /// One of several sequences.
    Alternation(Vec<Vec<Element>>),
    /// All of several sequences, in any order.
    Permutation(Vec<Vec<Element>>),
}

/// How often an element occurs.
#[derive(Clone, Debug)]
pub struct Quantifier {
    /// At least so often; 0 is optional.
    pub min: u32,
    /// At most so often; none: no bound.
    pub max: Option<u32>,
    /// What may stand between the repetitions.
    pub inner: Connect,
    /// Which ways on a loop has.
    pub mode: Loop,
    /// The loop stops, without taking it, at an event that meets this; for each input.
    pub until: Option<Vec<Option<Expr>>>,
    /// `a{3} WITHIN d`: last − first of the repetitions is less than this.
    pub within_ms: Option<TimeMs>,
}

impl Quantifier {
    /// Exactly once.
    pub fn once() -> Self {
        Self { min: 1, max: Some(1), inner: Connect::Relaxed, mode: Loop::Greedy, until: None, within_ms: None }
    }

    /// Whether it is exactly once.
    pub fn is_once(&self) -> bool {
        self.min == 1 && self.max == Some(1)
    }
}

/// Which ways on a loop has once it has its minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loop {
    /// It takes what it can; the rest of the pattern comes after. Flink's greedy.
    #[default]
    Greedy,
    /// It takes no more than it must before the rest of the pattern goes on. SQL's reluctant.
    Reluctant,
    /// Every prefix is a way on. Flink's loop that is not greedy.
    Each,
}

/// AFTER MATCH SKIP. Except for `Eager` and `NoSkip` a finished match waits while an earlier start is alive, as in Flink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skip {
    /// Emitted at once, and the partial matches that share an event with it are dropped.
    #[default]
    Eager,
    /// Every match.
    NoSkip,
    /// Matches that start with the same event as an emitted one are dropped.
    ToNextRow,
    /// Partial matches that started before the match's last event are dropped.
    PastLastRow,
    /// Partial matches that started before the first event of this variable are dropped.
    ToFirst {
        /// The variable.
        var: u16,
        /// Whether a match without the variable is an error.
        or_fail: bool,
    },
    /// Partial matches that started before the last event of this variable are dropped.
    ToLast {
        /// The variable.
        var: u16,
        /// Whether a match without the variable is an error.
        or_fail: bool,
    },
}
