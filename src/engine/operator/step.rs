//! An event of a key: its partition is found, the kernel steps, and what is kept of the key is kept.

use super::{BLANKS_MAX, KeyedOperator, draining, room::timer_ms, spilled};
use crate::{
    engine::{
        kernel::Kernel,
        operator::PartitionCodec,
        output::{Output, hand_on, keep_back},
        partition::{Before, Partition},
    },
    expr::{Env, Nothing, Past, Previous},
    model::{Emission, EventRef, Key, KeyGroup, TimeMs, Value},
    plan::ClockPolicy,
};

/// When an event is, for a kernel.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// At its own time.
    OnTime,
    /// The same, as the event with this number.
    Numbered(u64),
    /// As of when it was found to be late.
    Late(TimeMs),
}

impl<K: Kernel> KeyedOperator<K> {
    /// Work on an event in its partition: what the previous event is, `after`, the kernel, and what is kept.
    pub(super) fn step_partition(
        &mut self,
        input: usize,
        (event, when): (EventRef<'_>, When),
        extra: &[Value],
        group: KeyGroup,
        key: &Key,
        out: &mut Vec<Output>,
    ) {
        if self.room.is_some() && !self.may_grow(group, (event.time_ms(), when), out) {
            return;
        }
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        let place = spilled::find((&mut self.partitions, &mut self.spill), &codec, group, key);
        let begins_nothing = self.drains.is_some() && self.opens_until.is_none();
        if place.is_none() && begins_nothing {
            return;
        }
        if place.is_none() && self.blanks.is_empty() {
            self.blanks.push(Partition::new(self.kernel.blank()));
        }
        let keeps_blanks = place.is_some() && self.blanks.len() < BLANKS_MAX;
        let partition = match place {
            Some(place) => match self.partitions.entry(place) {
                Some(entry) => &mut entry.state,
                None => return,
            },
            // Most events of keys without state leave none: the blank stays where it is.
            None => match self.blanks.last_mut() {
                Some(blank) => blank,
                None => return,
            },
        };
        let was_open = self.kernel.open(&partition.kernel);
        if was_open == 0 && begins_nothing {
            return;
        }
        let previous = partition.previous.take();
        let env = Env {
            event,
            extra,
            previous: previous.as_ref().map(|Past { time_ms, values }| Previous {
                time_ms: *time_ms,
                values,
                older: partition.older.as_deref().map(|older| &older.0),
            }),
            computed: (&plan.computed, &self.computed),
            key,
            bound: &Nothing,
            world: &self.world,
        };
        let usual;
        let env = if self.rule.baselines.is_empty() {
            env
        } else {
            usual = partition.histories.usual(&self.rule.baselines, input, &env);
            Env { extra: &usual, ..env }
        };
        if plan.after.as_ref().is_none_or(|after| after.is_true(&env)) {
            let (state, scratch, emissions) = (&mut partition.kernel, &mut self.scratch, &mut self.emissions);
            match (when, self.wall_ms) {
                (When::OnTime, None) => self.kernel.step(state, scratch, input, &env, emissions),
                (When::Numbered(number), None) => {
                    self.kernel.number(state, number);
                    self.kernel.step(state, scratch, input, &env, emissions);
                }
                (_, Some(wall_ms)) => self.kernel.step_arrived(state, scratch, input, &env, wall_ms, emissions),
                (When::Late(found_ms), None) => {
                    self.kernel.step_late(state, scratch, input, &env, found_ms, emissions);
                }
            }
        }
        let is_last = self.ending.is_some_and(|ending| ending.is_last(event.values));
        if self.depth > 0 && !is_last {
            let values = plan.prev.iter().map(|expr| expr.value(&env)).collect();
            partition.previous = Some(Past { time_ms: event.time_ms(), values }).into();
        }
        if let (2.., Some(previous), false) = (self.depth, previous, is_last) {
            let older = &mut partition.older.get_or_insert_default().0;
            older.truncate(self.depth.saturating_sub(2));
            older.push_front(previous);
        }
        let (rule, rank) = (self.ix, self.rank);
        if !self.emissions.is_empty() {
            let key = |emission: &Emission| self.kernel.key(key, emission);
            match self.rule.clock {
                ClockPolicy::Wall if self.wall_ms.is_none() => {
                    let outputs = self.emissions.drain(..);
                    let outputs = outputs.map(|emission| Output { rule, rank, key: key(&emission), emission });
                    keep_back(outputs, &mut self.waiting, out);
                }
                _ => hand_on(&mut self.emissions, (rule, rank), key, out),
            }
        }

        let deadline_ms = timer_ms(self.room.as_deref(), (&*self.kernel, &self.rule), partition);
        let rest = self.drains.map(|_| (self.owned, self.opens_until));
        let idle = draining::is_over(&*self.kernel, partition, rest);
        let is_open = if idle { 0 } else { self.kernel.open(&partition.kernel) };
        let cleared = idle && keeps_blanks && self.kernel.clear(&mut partition.kernel);
        self.open = (self.open + is_open).saturating_sub(was_open);
        self.note(group.0, was_open, is_open);
        match place {
            Some(place) if idle => self.forget(place, cleared),
            Some(place) => self.partitions.schedule(place, deadline_ms),
            // Of an old version it may not be blank.
            None if idle && rest.is_some() => drop(self.blanks.pop()),
            None if idle => {}
            None => {
                if let Some(partition) = self.blanks.pop()
                    && (self.room.is_none() || self.has_room(group, (event.time_ms(), when), is_open, out))
                    && let Some(place) = self.partitions.insert_due(group, key.clone(), partition, deadline_ms)
                {
                    spilled::mark(&mut self.spill, place);
                }
            }
        }
    }
}
