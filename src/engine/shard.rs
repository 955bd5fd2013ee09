//! A shard: for each rule the keys that it owns. Single-threaded; shards know nothing of one another.

use super::{
    operator::Operator,
    output::{Moment, Output},
    route::Subscription,
};
use crate::model::{DecodeError, EventRef, Key, KeyGroup, Reader, TimeMs, Writer};

/// The keys of one range of key groups, for every rule.
pub struct Shard {
    operators: Vec<Box<dyn Operator>>,
    /// Events routed here in the current step: in total order, with their keys.
    pub(super) inbox: Vec<Routed>,
    /// What the current step put out.
    pub(super) outbox: Vec<Output>,
    /// Readers have been told that no output with a time below this will come.
    pub(super) floor_ms: TimeMs,
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
        Self { operators, inbox: Vec::new(), outbox: Vec::new(), floor_ms: TimeMs::MIN }
    }

    /// Takes one event for one rule.
    pub(super) fn step(&mut self, to: Subscription, event: EventRef<'_>, key: &Key) {
        let before = self.outbox.len();
        if let Some(operator) = self.operators.get_mut(to.rule as usize) {
            operator.step(to.input as usize, event, key, &mut self.outbox);
        }
        self.hold_floor(before);
    }

    /// A timer that fires after its deadline, as its rule listens to one clock only, decides when it fires: an output is never
    /// late for who reads it.
    fn hold_floor(&mut self, from: usize) {
        for output in self.outbox.get_mut(from..).unwrap_or_default() {
            output.emission.time_ms = output.emission.time_ms.max(self.floor_ms);
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
    pub(super) fn advance(&mut self, rules: &[u32], to: &Moment) {
        let before = self.outbox.len();
        for &rule in rules {
            if let Some(operator) = self.operators.get_mut(rule as usize) {
                operator.advance(to, &mut self.outbox);
            }
        }
        self.hold_floor(before);
    }

    /// Time has ended for a rule: what is open stays so.
    pub(super) fn stop(&mut self, rule: u32) {
        if let Some(operator) = self.operators.get_mut(rule as usize) {
            operator.stop();
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
