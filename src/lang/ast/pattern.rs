//! The pattern clause: sequences of steps, their quantifiers and bounds, and the clauses that go with them.

use super::{Expr, Name, Quantity};
use crate::lang::span::{Span, Spanned};

/// `PATTERN …` with the clauses that only make sense beside it, wherever they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternClause {
    /// From the word `PATTERN` to the end of the pattern.
    pub span: Span,
    /// The pattern itself.
    pub pattern: Sequence,
    /// `WITHIN d`, `WITHIN UNBOUNDED`: the whole match.
    pub within: Option<Within>,
    /// `DEFINE`, in the order written; names are unique and each occurs in the pattern only if the check says so.
    pub define: Vec<Definition>,
    /// `AFTER MATCH …`; none means `EAGER`.
    pub skip: Option<Skip>,
    /// The flag `ON TIMEOUT`. Its place.
    pub on_timeout: Option<Span>,
    /// `ONE ROW PER MATCH`, `ALL ROWS PER MATCH`.
    pub rows: Option<Spanned<RowsPerMatch>>,
}

/// Steps one after another; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// The steps.
    pub steps: Vec<Step>,
    /// All of it.
    pub span: Span,
}

/// One step: how it follows the one before, what it is, how often, and within what.
///
/// A negated step has no quantifier and no loop word; a step that isn't negated has no `absent_for`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The step and what belongs to it, its connector left out.
    pub span: Span,
    /// How it follows the step before. None exactly at the first step of a sequence.
    pub connector: Option<Spanned<Connector>>,
    /// `!`: this must not occur. Its place.
    pub negated: Option<Span>,
    /// A variable or a group.
    pub term: Term,
    /// `FOR d` after a negated term: the absence's own deadline (a duration).
    pub absent_for: Option<Quantity>,
    /// `+ * ? {n,m}`.
    pub quantifier: Option<Quantifier>,
    /// `STRICT` or `ANY` between the repetitions; relaxed without.
    pub contiguity: Option<Spanned<Contiguity>>,
    /// `EACH`: every prefix of the loop is a way on. Its place.
    pub each: Option<Span>,
    /// `UNTIL condition`.
    pub until: Option<Expr>,
    /// `WITHIN d [OF PREVIOUS]` of this step.
    pub within: Option<StepBound>,
}

/// How a step follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connector {
    /// Side by side: the very next event.
    Strict,
    /// `->`: skip what does not match.
    Relaxed,
    /// `->>`: also skip what does match.
    Any,
}

/// What a step matches.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A variable of `DEFINE` (one without a definition matches every event).
    Variable(Name),
    /// A pattern in parentheses.
    Group(Group),
}

/// A pattern in parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What its members are to each other.
    pub kind: GroupKind,
    /// The members: exactly one for a sequence, at least two otherwise.
    pub members: Vec<Sequence>,
    /// Parentheses included.
    pub span: Span,
}

/// What the members of a group are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// `(a -> b)`
    Sequence,
    /// `(a | b)`: one of them.
    Alternation,
    /// `(a & b)`: all of them, in any order.
    Permutation,
}

/// How often a step occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantifier {
    /// At least so often.
    pub min: u32,
    /// At most so often; not below `min` and not 0; none has no bound.
    pub max: Option<u32>,
    /// A `?` after it: as few as possible.
    pub reluctant: bool,
    /// All of it.
    pub span: Span,
}

/// Contiguity between the repetitions of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contiguity {
    /// `STRICT`: in a row.
    Strict,
    /// `ANY`: also skip what matches.
    Any,
}

/// `WITHIN d [OF PREVIOUS]` on a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepBound {
    /// The bound (a duration).
    pub duration: Quantity,
    /// Counted from the step before, rather than over the step's own repetitions.
    pub of_previous: bool,
    /// All of it.
    pub span: Span,
}

/// The clause `WITHIN`.
#[derive(Debug, Clone, PartialEq)]
pub enum Within {
    /// `WITHIN d` (a duration).
    Duration(Quantity),
    /// `WITHIN UNBOUNDED`: no bound, on purpose. The place of the word.
    Unbounded(Span),
}

/// `wait AS speed < 5 km/h`, `burst FROM surge AS …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The variable.
    pub name: Name,
    /// The stream it reads, where the rule reads several.
    pub from: Option<Name>,
    /// When an event matches.
    pub condition: Expr,
    /// All of it.
    pub span: Span,
}

/// `AFTER MATCH …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip {
    /// Where matching goes on.
    pub target: SkipTarget,
    /// The whole clause.
    pub span: Span,
}

/// Where matching goes on after a match.
#[derive(Debug, Clone, PartialEq)]
pub enum SkipTarget {
    /// `EAGER` written out; the same as no clause.
    Eager,
    /// `NO SKIP`: every match is an output.
    NoSkip,
    /// `SKIP TO NEXT ROW`.
    ToNextRow,
    /// `SKIP PAST LAST ROW`.
    PastLastRow,
    /// `SKIP TO FIRST v [OR FAIL]`.
    ToFirst {
        /// The variable.
        variable: Name,
        /// A match without it is an error rather than `NO SKIP`.
        or_fail: bool,
    },
    /// `SKIP TO LAST v [OR FAIL]`.
    ToLast {
        /// The variable.
        variable: Name,
        /// A match without it is an error rather than `NO SKIP`.
        or_fail: bool,
    },
}

/// How many outputs a match gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsPerMatch {
    /// `ONE ROW PER MATCH`.
    One,
    /// `ALL ROWS PER MATCH`.
    All,
}
