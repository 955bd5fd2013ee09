//! What the answers of Flink don't cover: the constructs of our own, bounds, state, and that nothing panics.

mod absence;
mod choice;
mod edge;
pub(super) mod fuzz;
mod groups;
pub(super) mod kit;
mod loops;
mod model;
mod never;
mod output;
mod skip;
mod watched;
