//! The short way of an event: where the rule asks for nothing but its kernel and the previous event, as most rules do.

use super::{BLANKS_MAX, KeyedOperator};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::Place,
        output::{Output, hand_on},
        partition::{Before, Partition},
    },
    expr::{Env, Nothing, Past, Previous, World},
    model::{Emission, EventRef, Key, TimeMs, Value},
    plan::{ClockPolicy, Input, Rule},
};
use smallvec::SmallVec;
use std::cell::OnceCell;

/// Whether a rule may go the short way.
pub(super) fn is_plain(rule: &Rule) -> bool {
    rule.baselines.is_empty()
        && rule.order.is_empty()
        && rule.follow.is_none()
        && rule.through.is_none()
        && rule.feedback.is_none()
        && rule.clock != ClockPolicy::Wall
        && !rule.by_arrival()
        && rule.looks_back() <= 1
}

/// What an event comes with.
struct At<'a> {
    plan: &'a Input,
    input: usize,
    event: EventRef<'a>,
    key: &'a Key,
    world: &'a World,
    computed: &'a [OnceCell<Value>],
    /// Whether it is kept as the next one's previous event.
    keeps: bool,
}

impl At<'_> {
    /// Lets the kernel take the event.
    #[inline]
    fn step<K: Kernel>(
        &self,
        kernel: &K,
        partition: &mut Partition<K::State>,
        scratch: &mut K::Scratch,
        out: &mut Vec<Emission>,
    ) {
        let Self { plan, input, event, key, world, computed, keeps } = *self;
        let previous = partition.previous.take();
        let env = Env {
            event,
            extra: &[],
            previous: previous.as_ref().map(|Past { time_ms, values }| Previous {
                time_ms: *time_ms,
                values,
                older: None,
            }),
            computed: (&plan.computed, computed),
            key,
            bound: &Nothing,
            world,
        };
        if plan.after.as_ref().is_none_or(|after| after.is_true(&env)) {
            kernel.step(&mut partition.kernel, scratch, input, &env, out);
        }
        if keeps {
            let mut values = SmallVec::new();
            plan.prev.iter().for_each(|expr| values.push(expr.value(&env)));
            partition.previous = Some(Past { time_ms: event.time_ms(), values }).into();
        }
    }
}

impl<K: Kernel> KeyedOperator<K> {
    /// Whether events go the short way now.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.plain
            && !self.stopped
            && self.room.is_none()
            && self.drains.is_none()
            && self.spill.is_none()
            && self.ending.is_none()
    }

    /// Takes an event on the short way.
    pub(super) fn step_plain(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        let near = self.seen.next();
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let (world, computed, keeps) = (&*self.world, self.computed.as_slice(), self.depth > 0);
        let at = At { plan, input, event, key, world, computed, keeps };
        let kernel = &*self.kernel;
        let group = key.group(self.groups);
        if let Some(place) = self.partitions.find_near(near, group, key) {
            let Some(hand) = self.partitions.at_hand(place) else { return };
            let partition = &mut hand.entry.state;
            let was_open = kernel.open(&partition.kernel);
            at.step(kernel, partition, &mut self.scratch, &mut self.emissions);
            if partition.is_idle(kernel) {
                let cleared = self.blanks.len() < BLANKS_MAX && kernel.clear(&mut partition.kernel);
                self.open = self.open.saturating_sub(was_open);
                self.forget(place, cleared);
            } else {
                self.open = (self.open + kernel.open(&partition.kernel)).saturating_sub(was_open);
                let deadline_ms = kernel.deadline(&partition.kernel);
                hand.schedule(deadline_ms);
            }
        } else {
            if self.blanks.is_empty() {
                self.blanks.push(Partition::new(kernel.blank()));
            }
            // Most events of keys without state leave none: the blank stays where it is.
            let Some(blank) = self.blanks.last_mut() else { return };
            at.step(kernel, blank, &mut self.scratch, &mut self.emissions);
            if !blank.is_idle(kernel)
                && let Some(state) = self.blanks.pop()
            {
                self.open += kernel.open(&state.kernel);
                let deadline_ms = kernel.deadline(&state.kernel);
                self.partitions.insert_due(group, key.clone(), state, deadline_ms);
            }
        }
        if !self.emissions.is_empty() {
            hand_on(&mut self.emissions, (self.ix, self.rank), |emission| self.kernel.key(key, emission), out);
        }
    }

    /// Whether a timer came up for a key that by now has nothing to do before a later one, which is set.
    pub(super) fn is_early(&mut self, place: Place, to_ms: TimeMs) -> bool {
        if !self.is_plain() {
            return false;
        }
        let Some(hand) = self.partitions.at_hand(place) else { return true };
        let deadline_ms = self.kernel.deadline(&hand.entry.state.kernel);
        let is_early = deadline_ms.is_some_and(|deadline_ms| deadline_ms > to_ms);
        if is_early {
            hand.entry.has_rung();
            hand.schedule(deadline_ms);
        }
        is_early
    }
}
