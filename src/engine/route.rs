//! Which key an event has for a rule, if it concerns it at all.

use super::operator::Operator;
use crate::{
    expr::{Env, Nothing, World},
    model::{EventRef, Key, KeyGroup, Value},
    plan,
};
use smallvec::SmallVec;
use std::{cell::OnceCell, sync::Arc};

/// A rule that reads a stream, as one of its inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    /// The rule's index in the plan.
    pub(super) rule: u32,
    /// Which of the rule's inputs the stream is.
    pub(super) input: u32,
}

/// Where an event goes for a rule.
#[derive(Debug)]
pub(super) enum Route {
    /// WHERE keeps it out.
    Nowhere,
    /// A component of its key is null: it is nobody's event.
    NoKey,
    /// To the partition with this routing key.
    To(Key),
}

/// Evaluates `before` and the routing key. Read-only, so that any number of threads may share it.
#[derive(Debug)]
pub(super) struct Router {
    rules: Vec<Arc<plan::Rule>>,
    world: Arc<World>,
    groups: u32,
    shards: u32,
}

impl Router {
    pub(super) fn new(rules: Vec<Arc<plan::Rule>>, world: Arc<World>, groups: u32, shards: u32) -> Self {
        Self { rules, world, groups, shards }
    }

    /// Where the event goes for this rule.
    pub(super) fn route(&self, to: Subscription, event: EventRef<'_>) -> Route {
        let Some(rule) = self.rules.get(to.rule as usize) else { return Route::Nowhere };
        let Some(input) = rule.inputs.get(to.input as usize) else { return Route::Nowhere };
        let none = Key::default();
        // Shared subexpressions are worth keeping only between conditions; here most rules have one look at most.
        let cells: SmallVec<[OnceCell<Value>; 2]> = input.computed.iter().map(|_| OnceCell::new()).collect();
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (&input.computed, &cells),
            key: &none,
            bound: &Nothing,
            world: &self.world,
        };
        if input.before.as_ref().is_some_and(|before| !before.is_true(&env)) {
            return Route::Nowhere;
        }
        let parts = input.key.iter().zip(&rule.key).filter(|(_, part)| !part.through);
        let parts: SmallVec<[Value; 2]> = parts.map(|(expr, _)| expr.value(&env)).collect();
        if parts.iter().any(Value::is_null) { Route::NoKey } else { Route::To(Key::new(&parts)) }
    }

    /// The shard that owns a key.
    pub(super) fn shard(&self, key: &Key) -> u32 {
        shard_of(key.group(self.groups), self.groups, self.shards)
    }
}

/// The shard that owns a group: contiguous ranges of groups, of sizes that differ by at most one.
pub(super) fn shard_of(group: KeyGroup, groups: u32, shards: u32) -> u32 {
    (u64::from(group.0) * u64::from(shards) / u64::from(groups)) as u32
}

/// Compile-time proof that an operator may be moved to a thread.
const _: fn(Box<dyn Operator>) = |operator| drop::<Box<dyn Send>>(Box::new(operator));
