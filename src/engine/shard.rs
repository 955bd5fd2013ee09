//! A shard: for each rule the keys that it owns. Single-threaded; shards know nothing of one another.

use super::{operator::Operator, output::Output, route::Subscription};
use crate::model::{Clock, DecodeError, EventRef, Key, KeyGroup, Reader, TimeMs, Writer};

/// The keys of one range of key groups, for every rule.
pub struct Shard {
    operators: Vec<Box<dyn Operator>>,
    /// Events routed here in the current step: in total order, with their keys.
    pub(super) inbox: Vec<Routed>,
    /// What the current step put out.
    pub(super) outbox: Vec<Output>,
}

/// An event on its way to a rule.
pub(super) struct Routed {
    pub(super) to: Subscription,
    /// The event's place in the step's list of events.
    pub(super) event: u32,
    pub(super) key: Key,
}

impl Shard {
    pub(super) fn new(operators: Vec<Box<dyn Operator>>) -> Self {
        Self { operators, inbox: Vec::new(), outbox: Vec::new() }
    }

    /// Takes one event for one rule.
    pub(super) fn step(&mut self, to: Subscription, event: EventRef<'_>, key: &Key) {
        if let Some(operator) = self.operators.get_mut(to.rule as usize) {
            operator.step(to.input as usize, event, key, &mut self.outbox);
        }
    }

    /// Takes what was routed here.
    pub(super) fn step_routed<'a>(&mut self, event: impl Fn(u32) -> Option<EventRef<'a>>) {
        let inbox = std::mem::take(&mut self.inbox);
        for routed in &inbox {
            if let Some(event) = event(routed.event) {
                self.step(routed.to, event, &routed.key);
            }
        }
        self.inbox = inbox;
        self.inbox.clear();
    }

    /// Lets time pass for these rules.
    pub(super) fn advance(&mut self, rules: &[u32], to_ms: TimeMs, clock: Clock) {
        for &rule in rules {
            if let Some(operator) = self.operators.get_mut(rule as usize) {
                operator.advance(to_ms, clock, &mut self.outbox);
            }
        }
    }

    /// For a rule, the keys with state and what they hold open (partial matches, windows).
    pub(super) fn load_figures(&self, rule: u32) -> (usize, usize) {
        self.operators.get(rule as usize).map_or((0, 0), |operator| operator.load_figures())
    }

    /// For a rule, what was dropped since it was last asked, because a bound was reached.
    pub(super) fn take_shed(&mut self, rule: u32) -> u64 {
        self.operators.get_mut(rule as usize).map_or(0, |operator| operator.take_shed())
    }

    /// Writes every rule's states, each with its length, so that a reader can leave a rule out.
    pub(super) fn save(&self, rule: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        if let Some(operator) = self.operators.get(rule as usize) {
            operator.save(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads a rule's states, those of the groups that are this shard's.
    pub(super) fn load(&mut self, rule: u32, bytes: &[u8], mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError> {
        match self.operators.get_mut(rule as usize) {
            Some(operator) => operator.load(&mut Reader::new(bytes), mine),
            None => Ok(()),
        }
    }
}
