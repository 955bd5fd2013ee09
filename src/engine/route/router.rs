//! Which key an event has for a rule, if it concerns it at all.

use super::{memo::Memo, readers::Readers, sights::Sights, stream::Stream};
use crate::{
    engine::operator::Operator,
    expr::{Env, Nothing, World},
    model::{EventRef, Key, KeyGroup, StreamId, Value},
    plan::Plan,
};
use smallvec::SmallVec;
use std::{cell::OnceCell, sync::Arc};

/// A rule that reads a stream, as one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Subscription {
    /// The rule's index in the plan.
    pub(in crate::engine) rule: u32,
    /// Which of the rule's inputs the stream is.
    pub(in crate::engine) input: u32,
}

/// Where an event goes for a rule that it concerns.
#[derive(Debug)]
pub(in crate::engine) enum Route {
    /// A component of its key is null: it is nobody's event.
    NoKey,
    /// To the partition with this routing key.
    To(Key),
}

/// Which rules get an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Find {
    /// Those that it can concern.
    Concerned,
    /// Those whose WHERE it passes, looked up.
    Passing,
    /// Those whose WHERE it passes, each asked by its own expressions.
    All,
}

/// Finds rules, evaluates `before` and the routing keys. Read-only, so that any number of threads may share it, each with a memo of
/// its own.
#[derive(Debug)]
pub(in crate::engine) struct Router {
    plan: Arc<Plan>,
    pub(super) world: Arc<World>,
    /// By level and stream.
    streams: Vec<Vec<Stream>>,
    /// By level.
    sights: Vec<Sights>,
    groups: u32,
    shards: u32,
}

impl Router {
    /// A router for the subscriptions of each level and stream.
    pub(in crate::engine) fn new(
        plan: Arc<Plan>,
        world: Arc<World>,
        readers: &[Vec<Vec<Subscription>>],
        groups: u32,
        shards: u32,
    ) -> Self {
        let of_level = |level: &Vec<Vec<Subscription>>| level.iter().map(|to| Stream::new(&plan, to)).collect();
        let sights = readers.iter().map(|level| Sights::of(&plan, level)).collect();
        Self { streams: readers.iter().map(of_level).collect(), sights, plan, world, groups, shards }
    }

    /// What is asked from now on sees this reference data.
    pub(in crate::engine) fn set_world(&mut self, world: &Arc<World>) {
        self.world = Arc::clone(world);
    }

    /// Memos for one thread, by level and stream.
    pub(in crate::engine) fn memos(&self) -> Vec<Vec<Memo>> {
        self.streams.iter().map(|level| level.iter().map(Stream::memo).collect()).collect()
    }

    /// These events of a level are routed next: fetches what conditions will look up for them.
    #[inline]
    pub(in crate::engine) fn look_ahead<'a>(&self, level: usize, events: impl Iterator<Item = EventRef<'a>> + Clone) {
        if let Some(sights) = self.sights.get(level).filter(|sights| !sights.is_empty()) {
            sights.fetch(&self.world, events);
        }
    }

    /// Who reads a stream at a level, if anybody does.
    pub(in crate::engine) fn readers<'r>(
        &'r self,
        level: usize,
        stream: StreamId,
        how: Find,
        memos: &'r mut [Vec<Memo>],
    ) -> Option<Readers<'r>> {
        let at = stream.0 as usize;
        let of = self.streams.get(level)?.get(at).filter(|of| !of.subs.is_empty())?;
        let memo = memos.get_mut(level)?.get_mut(at)?;
        Some(Readers { router: self, stream, of, only: of.only().filter(|_| how != Find::All), how, memo })
    }

    /// By the rule's own expressions.
    pub(super) fn route_alone(
        &self,
        to: Subscription,
        event: EventRef<'_>,
        found: &mut impl FnMut(Subscription, Route),
    ) {
        self.evaluate(to, event, |_, key| match key {
            None => found(to, Route::NoKey),
            Some(key) => found(to, Route::To(key)),
        });
    }

    /// Asks one rule of one event, by its own expressions: its key, and what the key's expressions may look at.
    pub(in crate::engine) fn alone(&self, to: Subscription, event: EventRef<'_>, found: impl FnOnce(&Env<'_>, &Key)) {
        self.evaluate(to, event, |env, key| {
            if let Some(key) = key {
                found(&Env { key: &key, ..*env }, &key);
            }
        });
    }

    /// The event's key, none if it is incomplete, of a rule whose WHERE it passes.
    fn evaluate(&self, to: Subscription, event: EventRef<'_>, found: impl FnOnce(&Env<'_>, Option<Key>)) {
        let Some(rule) = self.plan.rules.get(to.rule as usize) else { return };
        let Some(input) = rule.inputs.get(to.input as usize) else { return };
        let none = Key::default();
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
            return;
        }
        let parts = input.key.iter().zip(&rule.key).filter(|(_, part)| !part.through);
        let parts: SmallVec<[Value; 2]> = parts.map(|(expr, _)| expr.value(&env)).collect();
        let complete = !parts.iter().any(Value::is_null);
        found(&env, complete.then(|| Key::new(&parts)));
    }

    /// The shard that owns a key.
    pub(in crate::engine) fn shard(&self, key: &Key) -> u32 {
        shard_of(key.group(self.groups), self.groups, self.shards)
    }

    /// How a rule's input is found: the alternatives that the index looks up; an empty one stands for every event.
    pub(in crate::engine) fn reached(&self, rule: u32, input: u32) -> Option<&[String]> {
        let subs = self.streams.iter().flatten().flat_map(|stream| &stream.subs);
        let sub = subs.into_iter().find(|sub| sub.to == Subscription { rule, input })?;
        Some(&sub.reached)
    }
}

/// How often rules were asked whether an event concerns them.
pub(in crate::engine) fn asked(memos: &[Vec<Memo>]) -> u64 {
    memos.iter().flatten().map(|memo| memo.asked).sum()
}

/// The shard that owns a group: contiguous ranges of groups, of sizes that differ by at most one.
pub(in crate::engine) fn shard_of(group: KeyGroup, groups: u32, shards: u32) -> u32 {
    (u64::from(group.0) * u64::from(shards) / u64::from(groups)) as u32
}

/// Compile-time proof that an operator may be moved to a thread.
const _: fn(Box<dyn Operator>) = |operator| drop::<Box<dyn Send>>(Box::new(operator));
