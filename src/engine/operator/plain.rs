//! The short way of an event: where the rule asks for nothing but its kernel and the previous event, as most rules do.

use super::{BLANKS_MAX, KeyedOperator};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::Place,
        output::{Output, hand_on},
        partition::{Before, Partition},
    },
    expr::{Env, Nothing, Past, Previous},
    model::{EventRef, Key, TimeMs},
    plan::{ClockPolicy, Rule},
};
use smallvec::SmallVec;

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
    #[inline]
    pub(super) fn step_plain(
        &mut self,
        input: usize,
        event: EventRef<'_>,
        (key, (near, kind)): (&Key, (Option<Place>, Option<u32>)),
        out: &mut Vec<Output>,
    ) {
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let kernel = &*self.kernel;
        let group = key.group(self.groups);
        let found = self.partitions.find_near(near, group, key);
        let mut hand = found.and_then(|place| self.partitions.at_hand(place));
        let partition = match &mut hand {
            Some(hand) => &mut hand.entry.state,
            None => {
                if self.blanks.is_empty() {
                    self.blanks.push(Partition::new(kernel.blank()));
                }
                // Most events of keys without state leave none: the blank stays where it is.
                let Some(blank) = self.blanks.last_mut() else { return };
                blank
            }
        };
        let was_open = kernel.open(&partition.kernel);
        let previous = std::mem::take(&mut partition.previous);
        let env = Env {
            event,
            extra: &[],
            previous: previous.get().map(|Past { time_ms, values }| Previous {
                time_ms: *time_ms,
                values,
                older: None,
            }),
            computed: (&plan.computed, &self.computed),
            key,
            bound: &Nothing,
            world: &self.world,
        };
        if plan.after.as_ref().is_none_or(|after| after.is_true(&env)) {
            kernel.tell(&mut self.scratch, kind);
            kernel.step(&mut partition.kernel, &mut self.scratch, input, &env, &mut self.emissions);
        }
        if self.depth > 0 {
            let mut values = SmallVec::new();
            plan.prev.iter().for_each(|expr| values.push(expr.value(&env)));
            partition.previous = previous.followed_by(Past { time_ms: event.time_ms(), values });
        }
        let idle = partition.is_idle(kernel);
        match (found, hand) {
            (Some(place), Some(hand)) if idle => {
                let cleared = self.blanks.len() < BLANKS_MAX && kernel.clear(&mut hand.entry.state.kernel);
                self.open = self.open.saturating_sub(was_open);
                self.forget(place, cleared);
            }
            (_, Some(hand)) => {
                let state = &hand.entry.state.kernel;
                self.open = (self.open + kernel.open(state)).saturating_sub(was_open);
                let deadline_ms = kernel.deadline(state);
                hand.schedule(deadline_ms);
            }
            (_, None) if idle => {}
            (_, None) => {
                if let Some(state) = self.blanks.pop() {
                    self.open += kernel.open(&state.kernel);
                    let deadline_ms = kernel.deadline(&state.kernel);
                    self.partitions.insert_due(group, key.clone(), state, deadline_ms);
                }
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
