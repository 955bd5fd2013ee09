//! Outputs and their order.

use crate::model::{Clock, Emission, Key, TimeMs};
use std::cmp::Ordering;

/// How far time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// No event with a time below this will come.
    pub(super) watermark_ms: TimeMs,
    /// How far that is by what events brought, without the wall clock.
    pub(super) event_ms: TimeMs,
    /// Which clock moved the watermark here.
    pub(super) clock: Clock,
    /// Whether what waits for the wall clock may go.
    pub(super) releases: bool,
    /// Up to when rules of a circle are fed back what they put out.
    pub(super) fed_ms: TimeMs,
}

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

/// What events decided goes at once; what timers did waits for the wall clock.
pub(super) fn keep_back(outputs: impl Iterator<Item = Output>, waiting: &mut Vec<Output>, out: &mut Vec<Output>) {
    for output in outputs {
        let waits = output.emission.clock.is_some();
        if waits { waiting.push(output) } else { out.push(output) }
    }
}
