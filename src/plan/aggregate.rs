//! Aggregates, over windows and over variables of patterns alike.

use crate::{expr::Expr, model::Type};

/// An aggregate, resolved.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// What is computed.
    pub kind: AggregateKind,
    /// For each input the value that counts (null does not); `None`: events of that input do not.
    pub args: Vec<Option<Expr>>,
    /// FILTER (WHERE …), for each input.
    pub filter: Vec<Option<Expr>>,
    /// The type of the result.
    pub ty: Type,
}

/// What an aggregate computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// How many values; over no values 0.
    Count,
    /// Their sum: exact for ints and durations (null past 64 bits), compensated for floats; over no values null in windows
    /// and 0 over a variable's events, as in Flink.
    Sum,
    /// Their mean; over no values null.
    Avg,
    /// The smallest; over no values null.
    Min,
    /// The largest; over no values null.
    Max,
    /// How many different ones, exactly; over no values 0.
    Distinct,
    /// The first; over no values null.
    First,
    /// The last; over no values null.
    Last,
    /// The length of the path through positions, geodesic, in metres; under two positions 0.
    PathLength,
}
