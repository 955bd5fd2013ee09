//! The syntax tree of the whole language: what was written and where, nothing looked up yet.
//!
//! It holds the target language of the design, also what a version does not run: the check refuses those parts with
//! a place. Names are as written, units are raw text, durations are [`Quantity`]s whose unit nobody has judged.
//! What the parser guarantees (and the check need not look at again) is said at each node.

mod cluster;
mod expr;
mod pattern;
mod query;
mod window;

pub use cluster::{ClusterClause, Confirm, Density, Overlap, Ratio};
pub use expr::{BinaryOp, Call, Expr, ExprKind, Name, Number, Path, Quantity, Semantics, UnaryOp, WhenArm};
pub use pattern::{
    Connector, Contiguity, Definition, Group, GroupKind, PatternClause, Quantifier, RowsPerMatch, Sequence, Skip,
    SkipTarget, Step, StepBound, Term, Within,
};
pub use query::{
    AtEnd, Clock, Emit, EmitKind, InterpolateClause, JoinBounds, JoinClause, JoinKind, KeyPart, LatestClause,
    LookupClause, Measure, NearClause, Once, Operator, Query, Source, ThroughClause, UnnestClause,
};
pub use window::{Jitter, JitterKind, WindowClause, WindowKind};
