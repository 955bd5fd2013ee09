//! Keys over which time passes, and keys that go.

use super::{BLANKS_MAX, KeyedOperator, draining, room::timer_ms};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::Place,
        output::{Output, keep_back},
        partition::Partition,
    },
    expr::{Env, Nothing},
    model::{Clock, EventRef, Header, StreamId, TimeMs},
    plan::ClockPolicy,
};

impl<K: Kernel> KeyedOperator<K> {
    /// Forgets a key that is as good as blank, and keeps its memory for the next one.
    pub(super) fn forget(&mut self, place: Place) {
        let keeps = self.blanks.len() < BLANKS_MAX
            && self.partitions.entry(place).is_some_and(|entry| self.kernel.clear(&mut entry.state.kernel));
        if !keeps {
            self.partitions.discard(place);
        } else if let Some(entry) = self.partitions.remove(place) {
            self.blanks.push(Partition::new(entry.state.kernel));
        }
    }

    /// Lets time pass for a key: what is due comes out, and it goes if nothing is left.
    pub(super) fn advance_place(&mut self, place: Place, to_ms: TimeMs, clock: Clock, out: &mut Vec<Output>) {
        if self.is_early(place, to_ms) {
            return;
        }
        let Some(entry) = self.partitions.entry(place) else { return };
        let header = Header { time_ms: to_ms, partition: 0, offset: 0 };
        let env = Env {
            event: EventRef { stream: StreamId(u32::MAX), header, values: &[] },
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &entry.key,
            bound: &Nothing,
            world: &self.world,
        };
        let partition = &mut entry.state;
        let was_open = self.kernel.open(&partition.kernel);
        self.kernel.advance(&mut partition.kernel, &mut self.scratch, to_ms, clock, &env, &mut self.emissions);
        partition.histories.forget(&self.rule.baselines, to_ms);
        let deadline_ms = timer_ms(self.room.as_deref(), (&*self.kernel, &self.rule), partition);
        let idle = draining::is_over(&*self.kernel, partition, self.drains);
        let is_open = if idle { 0 } else { self.kernel.open(&partition.kernel) };
        self.open = (self.open + is_open).saturating_sub(was_open);
        if let Some(room) = &mut self.room {
            room.note(place.group, was_open, is_open);
        }
        let (rule, rank) = (self.ix, self.rank);
        let key = &entry.key;
        let outputs = self.emissions.drain(..);
        let outputs = outputs.map(|emission| Output { rule, rank, key: self.kernel.key(key, &emission), emission });
        match self.rule.clock {
            ClockPolicy::Wall if self.wall_ms.is_none() => keep_back(outputs, &mut self.waiting, out),
            _ => out.extend(outputs),
        }
        if idle {
            self.forget(place);
        } else {
            self.partitions.schedule(place, deadline_ms);
        }
    }
}
