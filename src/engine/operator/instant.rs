//! ORDER BY: events of one instant wait for one another.

use super::{KeyedOperator, When};
use crate::{
    engine::{inbox::OwnedEvent, kernel::Kernel, output::Output},
    expr::{Env, Nothing},
    model::{EventRef, Key, Value},
};
use smallvec::SmallVec;

/// An event that waits for the others of its instant.
#[derive(Clone)]
pub(in crate::engine) struct Unordered {
    order: Key,
    pub(super) input: usize,
    pub(in crate::engine) event: OwnedEvent,
    pub(super) key: Key,
}

impl<K: Kernel> KeyedOperator<K> {
    /// Takes an event that nothing of its instant comes before any more.
    pub(super) fn take(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        if let Some(feedback) = self.rule.feedback {
            self.step_feeding((feedback, input), event, key, out);
        } else if self.passing.is_some() {
            self.step_through(input, event, key, out);
        } else {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            self.step_partition(input, (event, When::OnTime), &[], key.group(self.groups), key, out);
        }
    }

    /// Keeps an event until its instant is complete.
    pub(super) fn keep(&mut self, input: usize, event: EventRef<'_>, key: &Key, out: &mut Vec<Output>) {
        if self.instant.first().is_some_and(|first| first.event.header.time_ms != event.time_ms()) {
            self.take_instant(out);
        }
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let computed = self.rule.inputs.get(input).map_or(&[][..], |plan| &plan.computed);
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (computed, &self.computed),
            key,
            bound: &Nothing,
            world: &self.world,
        };
        let parts: SmallVec<[Value; 2]> =
            self.rule.order.get(input).into_iter().flatten().map(|expr| expr.value(&env)).collect();
        self.instant.push(Unordered { order: Key::new(&parts), input, event: event.into(), key: key.clone() });
    }

    /// Takes the events of an instant in their order; what that leaves open is as they came.
    pub(super) fn take_instant(&mut self, out: &mut Vec<Output>) {
        let mut instant = std::mem::take(&mut self.instant);
        if self.rule.follow.is_some() {
            self.take_followed(&instant, out);
            instant.clear();
        }
        instant.sort_by(|a, b| a.order.cmp(&b.order));
        for Unordered { input, event, key, .. } in instant.drain(..) {
            self.take(input, event.as_ref(), &key, out);
        }
        self.instant = instant;
    }
}
