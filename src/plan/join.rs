//! Pairs of events of two streams, by key and time.

use crate::{expr::Expr, model::TimeMs};

/// A join clause, resolved. The rule's first input is the left stream, its second the right one, and the key of each is what
/// ON makes equal.
///
/// Expressions on a pair name the left event as variable 0 and the right one as variable 1: a slot of
/// [`Node::Var`](crate::expr::Node::Var) is one of `kept` of that side.
#[derive(Clone, Debug)]
pub struct Join {
    /// LEFT: a left event that met no partner is an output as well.
    pub outer: bool,
    /// The least that the right event's time may be after the left one's; less than 0: before it. Inclusive.
    pub lower_ms: TimeMs,
    /// The most, inclusive; not less than `lower_ms`.
    pub upper_ms: TimeMs,
    /// What is kept of an event of each side, by slot: what expressions on pairs look at.
    pub kept: [Vec<Expr>; 2],
    /// Which side gives the output's place, and the slot of its position.
    pub position: Option<(u16, u16)>,
    /// What ON asks of a pair beside the key; all must hold.
    pub on: Vec<Expr>,
    /// What WHERE asks of an output; all must hold.
    pub conditions: Vec<Expr>,
}
