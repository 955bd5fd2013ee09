//! Back-test: two editions of rules over the same input, and which alerts one has and the other hasn't.
//!
//! Both engines run side by side over one reading of the input. An alert that both put out is forgotten at once, so that memory
//! grows with the differences only.

mod compare;
mod drive;
mod report;

pub use compare::{Comparison, Difference, RuleCounts};
pub use drive::{Diff, DiffOptions};
