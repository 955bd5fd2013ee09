//! Aggregates, over windows and over variables of patterns alike.

use crate::{
    expr::Expr,
    model::{TimeMs, Type},
};

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
    /// How far the last position is from the first, geodesic, in metres; under two positions 0.
    Displacement,
    /// Displacement by path length, 0 to 1; null where there is no path.
    Straightness,
    /// The standard deviation of a sample; under two values null.
    Stddev,
    /// About how many different ones, by a sketch: exact to 512, beyond with a standard error of 1.6 %; over no values 0.
    ApproxDistinct,
    /// The value below which so many are, by a sketch: at most 0.8 % off; over no values null.
    Quantile {
        /// So many millionths of the values, at most 1,000,000.
        millionths: u32,
    },
    /// The most frequent values, a list; exact up to 2,048 different ones.
    TopK {
        /// How many.
        k: u16,
    },
    /// The mean with weights that halve with the age of a value; over no values null.
    Ewma {
        /// The age that halves it, more than 0.
        half_life_ms: TimeMs,
    },
    /// The middle of positions on a sphere; over no values null.
    Centroid,
    /// West, south, east and north of positions, a list; over no values null.
    BoundingBox,
    /// The corners of the convex hull of positions, a list; over no values null.
    ConvexHull,
    /// The different values, a list in order.
    Collect,
    /// The values in the order in which they come, a list; of more than 1,000 the first.
    List,
}

impl AggregateKind {
    /// Every kind once, with parameters for an example. Tests and benchmarks go through it; the match tells who adds one.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::Count), |kind| {
            Some(match kind {
                Self::Count => Self::Sum,
                Self::Sum => Self::Avg,
                Self::Avg => Self::Min,
                Self::Min => Self::Max,
                Self::Max => Self::First,
                Self::First => Self::Last,
                Self::Last => Self::Stddev,
                Self::Stddev => Self::Ewma { half_life_ms: 100 },
                Self::Ewma { .. } => Self::Distinct,
                Self::Distinct => Self::ApproxDistinct,
                Self::ApproxDistinct => Self::Quantile { millionths: 300_000 },
                Self::Quantile { .. } => Self::TopK { k: 3 },
                Self::TopK { .. } => Self::Collect,
                Self::Collect => Self::List,
                Self::List => Self::PathLength,
                Self::PathLength => Self::Displacement,
                Self::Displacement => Self::Straightness,
                Self::Straightness => Self::Centroid,
                Self::Centroid => Self::BoundingBox,
                Self::BoundingBox => Self::ConvexHull,
                Self::ConvexHull => return None,
            })
        })
    }
}
