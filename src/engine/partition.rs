//! What a rule keeps of one partition.

use super::{histories::Histories, kernel::Kernel};
use crate::{expr::Past, model::TimeMs, plan};
use std::collections::VecDeque;

/// What is kept of a partition beside the kernel's state.
#[derive(Debug)]
pub(super) struct Partition<S> {
    pub(super) previous: Option<Past>,
    /// Those before it, the latest first; only for rules that look back so far.
    pub(super) older: Option<Box<Older>>,
    /// What values were, for rules that compare with what is usual.
    pub(super) histories: Histories,
    pub(super) kernel: S,
}

impl<S> Partition<S> {
    /// When time next does something to it.
    pub(super) fn deadline<K: Kernel<State = S>>(&self, kernel: &K, rule: &plan::Rule) -> Option<TimeMs> {
        let over_ms = self.histories.over_ms(&rule.baselines);
        kernel.deadline(&self.kernel).into_iter().chain(over_ms).min()
    }

    /// Whether it is as good as blank.
    pub(super) fn is_idle<K: Kernel<State = S>>(&self, kernel: &K) -> bool {
        self.previous.is_none() && self.histories.is_empty() && kernel.is_idle(&self.kernel)
    }
}

/// One allocation for what few rules have.
#[derive(Debug, Default)]
pub(super) struct Older(pub(super) VecDeque<Past>);
