//! Meaning: what a checked rule says, in types. The language ends here and the kernels begin here, so neither sees the other:
//! the checker writes plans, `op` builds its programs from them, `engine` wires those, and tests make plans without text.
//!
//! Everything in a plan is resolved: names are slots, units are converted, conditions are [`Expr`](crate::expr::Expr)s,
//! one for each stream that the rule reads, because a field has another slot in each.

mod aggregate;
mod baseline;
mod circle;
mod class;
mod cluster;
mod drain;
mod feedback;
mod follow;
mod interest;
mod join;
mod latest;
mod near;
mod once;
mod pattern;
pub mod regions;
mod rule;
mod successor;
mod table;
mod window;

pub use aggregate::{Aggregate, AggregateKind};
pub use baseline::Baseline;
pub use circle::{Back, circles};
pub use class::Class;
pub use cluster::{Cluster, ClusterInput, RegionField};
pub use drain::{Drain, drain_name};
pub use feedback::Feedback;
pub use follow::{Follow, Lineage, RegionEnd};
pub use interest::Interest;
pub use join::Join;
pub use latest::Latest;
pub use near::Near;
pub use once::{Once, Unnest};
pub use pattern::{Connect, Element, Loop, Pattern, Quantifier, Skip, Term, Variable};
pub use rule::{
    Body, ClockPolicy, EndPolicy, FirstPosition, Input, Interpolate, KeyPart, Limits, Mode, OutputField, Plan, Role,
    Rule, RuleKind, StreamOrigin, StreamPlan, Template, TemplatePart, Through,
};
pub use table::TablePlan;
pub use window::{Jitter, JitterBy, Window, WindowKind};
