//! What a core says of itself and of its rules.

use super::{inbox::Inbox, machine::Engine, route::asked};
use crate::plan::Class;

/// Figures of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleStats {
    /// Outputs so far.
    pub outputs: u64,
    /// Events that WHERE let pass but whose key has a null component: they are nobody's.
    pub missing_key: u64,
    /// Late events that the rule took.
    pub late: u64,
    /// Partial matches dropped because a key had too many, and matches because one event ended too many.
    pub shed: u64,
    /// Matches of AFTER MATCH SKIP … OR FAIL without the variable that it names, or that begin with it.
    pub skip_misses: u64,
    /// Keys with state.
    pub keys: usize,
    /// Partial matches or windows that are open; of patterns kept as sets the events that began one, some that are over among them.
    pub open: usize,
}

impl Engine {
    /// Events that wait for others to come before them, and derived events that wait for their instant to be complete.
    pub fn waiting(&self) -> usize {
        self.timelines.iter().map(|timeline| timeline.merge.waiting()).sum::<usize>()
            + self.inboxes.iter().map(Inbox::len).sum::<usize>()
            + self.held.iter().map(Vec::len).sum::<usize>()
    }

    /// Figures of a rule.
    pub fn rule_stats(&self, rule: u32) -> RuleStats {
        let counted = self.stats.get(rule as usize).copied().unwrap_or_default();
        let figures = self.shards.iter().map(|shard| shard.load_figures(rule));
        let (keys, open) = figures.fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1));
        RuleStats { keys, open, ..counted }
    }

    /// How much work an event is for a rule, and why.
    pub fn class(&self, rule: u32) -> Option<(Class, &str)> {
        self.compiled.get(rule as usize).map(|compiled| (compiled.class.0, compiled.class.1.as_str()))
    }

    /// A rule's kernel in words, and its automaton as a Graphviz graph if it has one.
    pub fn explain(&self, rule: u32) -> Option<(&str, Option<&str>)> {
        self.compiled.get(rule as usize).map(|compiled| (compiled.explain.as_str(), compiled.dot.as_deref()))
    }

    /// How often a rule was asked whether an event concerns it; what the index leaves out doesn't count.
    pub fn asked(&self) -> u64 {
        asked(&self.memos) + self.shards.iter().map(|shard| asked(shard.exchange.memos())).sum::<u64>()
    }

    /// How events of a rule's input are found for it: the alternatives that are looked up. One without text stands for every event,
    /// and no alternative for none.
    pub fn reached(&self, rule: u32, input: u32) -> Option<&[String]> {
        self.router.reached(rule, input)
    }
}
