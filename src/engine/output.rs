//! Outputs and their order.

use crate::model::{Emission, Key};
use std::cmp::Ordering;

/// An output of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The rule's index in the plan.
    pub rule: u32,
    /// The rule's place among the rules in order of name; set from the plan.
    pub rank: u32,
    /// The partition that it is of.
    pub key: Key,
    /// What was put out.
    pub emission: Emission,
}

impl Output {
    /// The order of outputs: time, stream name, key bytes; what the kernel put out first stays first where these are equal,
    /// if the sort is stable.
    pub(super) fn order(&self, other: &Output) -> Ordering {
        (self.emission.time_ms, self.rank)
            .cmp(&(other.emission.time_ms, other.rank))
            .then_with(|| self.key.as_bytes().cmp(other.key.as_bytes()))
    }
}
