//! Bounds on what all rules hold, kept so that what is left out is a function of the inputs.
//!
//! A bound for the process is divided evenly among the rules and, of each rule, among the key groups. What one group of one rule holds depends on
//! the events of its keys alone, whatever the number of shards, how events are batched, and what other rules do; so does what is left
//! out of it. Before anything is, what is over by the event's time is let go.

use super::machine::Engine;
use crate::plan::{Mode, Rule};

/// What a key is taken to need beside what it holds open, bytes: its entry, its place in the table, its timer, a small state.
pub(super) const KEY_BYTES: u64 = 320;
/// What a partial match, a window or a waiting event is taken to need, bytes.
pub(super) const OPEN_BYTES: u64 = 480;

/// What happens where there is no room for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// New keys get no state, and events of known keys are dropped while they hold too much.
    #[default]
    Reject,
    /// Keys go whose state would end first, and of those that don't end the ones that were silent the longest.
    Evict,
}

/// How much all rules may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Keys with state.
    pub keys: Option<u64>,
    /// Bytes of state, estimated: 320 for a key, 480 for each partial match, open window or waiting event.
    pub bytes: Option<u64>,
    /// What happens at a bound.
    pub policy: Policy,
}

/// How much a rule may hold in one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) keys: usize,
    /// None: not bounded.
    pub(super) bytes: Option<u64>,
    pub(super) policy: Policy,
}

/// What was left out for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// New keys that got no state: as often as it happened.
    pub rejected_keys: u64,
    /// Keys that went, and their state with them.
    pub evicted_keys: u64,
    /// Events of known keys that were not taken.
    pub dropped_events: u64,
}

impl Shed {
    /// With what another part left out.
    pub fn and(self, other: Self) -> Self {
        Self {
            rejected_keys: self.rejected_keys + other.rejected_keys,
            evicted_keys: self.evicted_keys + other.evicted_keys,
            dropped_events: self.dropped_events + other.dropped_events,
        }
    }
}

impl Limits {
    /// The share of one rule's group.
    fn bounds(&self, rules: u64, groups: u64) -> Option<Bounds> {
        let share = |total: u64| (total / rules.max(1) / groups.max(1)).max(1);
        let bounds = Bounds {
            keys: self.keys.map_or(usize::MAX, |keys| usize::try_from(share(keys)).unwrap_or(usize::MAX)),
            bytes: self.bytes.map(|bytes| share(bytes).max(KEY_BYTES + OPEN_BYTES)),
            policy: self.policy,
        };
        (self.keys.is_some() || self.bytes.is_some()).then_some(bounds)
    }
}

impl Engine {
    /// All rules together may hold so much from now on. What is there stays until it is over or has to make room.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        // Old versions take no part: what a rule may hold mustn't change because another one was edited.
        let counts = |(rule, at): &(&Rule, u32)| rule.mode != Mode::Off && self.plan.drain(*at).is_none();
        let rules = self.plan.rules.iter().zip(0..).filter(counts).count() as u64;
        let bounds = limits.bounds(rules, u64::from(self.options.key_groups));
        for at in 0..self.plan.rules.len() as u32 {
            self.shards.iter_mut().for_each(|shard| shard.set_bounds(at, bounds));
        }
    }

    /// What a rule has left out for want of room since this was last asked.
    pub fn take_left_out(&mut self, rule: u32) -> Shed {
        self.shards.iter_mut().fold(Shed::default(), |sum, shard| sum.and(shard.take_left_out(rule)))
    }
}
