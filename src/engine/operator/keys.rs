//! Keys over which time passes, and keys that go.

use super::{BLANKS_MAX, KeyedOperator, draining, room::timer_ms};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::{Entry, Place},
        output::{Output, keep_back},
        partition::{Before, Partition},
    },
    expr::{Env, Nothing},
    model::{Clock, EventRef, Header, StreamId, TimeMs},
    plan::ClockPolicy,
};

impl<K: Kernel> KeyedOperator<K> {
    /// Forgets a key that is as good as blank, and keeps its memory for the next one where it has been cleared.
    pub(super) fn forget(&mut self, place: Place, cleared: bool) {
        if !cleared {
            self.partitions.discard(place);
        } else if let Some(entry) = self.partitions.remove(place) {
            self.blanks.push(Partition::new(entry.state.kernel));
        }
    }

    /// Forgets a key that goes without a word when time comes to this, as most with windows do; whether it did.
    fn let_fade(&mut self, place: Place, to_ms: TimeMs) -> bool {
        let Some(Entry { state: partition, .. }) = self.partitions.look(place) else { return false };
        let kernel = &partition.kernel;
        if partition.previous.get().is_some() || !partition.histories.is_empty() || !self.kernel.fades(kernel, to_ms) {
            return false;
        }
        let was_open = self.kernel.open(kernel);
        self.open = self.open.saturating_sub(was_open);
        self.note(place.group, was_open, 0);
        self.partitions.discard(place);
        true
    }

    /// Lets time pass for a key: what is due comes out, and it goes if nothing is left.
    pub(super) fn advance_place(&mut self, place: Place, to_ms: TimeMs, clock: Clock, out: &mut Vec<Output>) {
        if self.let_fade(place, to_ms) || self.is_early(place, to_ms) {
            return;
        }
        let Some(entry) = self.partitions.entry(place) else { return };
        entry.has_rung();
        let header = Header { time_ms: to_ms, partition: 0, offset: 0 };
        let env = Env {
            event: EventRef { stream: StreamId(u32::MAX), header: &header, values: &[] },
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
        let rest = self.drains.map(|_| (self.owned, self.opens_until));
        let idle = draining::is_over(&*self.kernel, partition, rest);
        let is_open = if idle { 0 } else { self.kernel.open(&partition.kernel) };
        self.open = (self.open + is_open).saturating_sub(was_open);
        if let Some(room) = &mut self.room {
            room.note(place.group, was_open, is_open);
        }
        let cleared = idle && self.blanks.len() < BLANKS_MAX && self.kernel.clear(&mut partition.kernel);
        let (rule, rank) = (self.ix, self.rank);
        let key = &entry.key;
        let outputs = self.emissions.drain(..);
        let outputs = outputs.map(|emission| Output { rule, rank, key: self.kernel.key(key, &emission), emission });
        match self.rule.clock {
            ClockPolicy::Wall if self.wall_ms.is_none() => keep_back(outputs, &mut self.waiting, out),
            _ => out.extend(outputs),
        }
        if idle {
            self.forget(place, cleared);
        } else {
            self.partitions.schedule(place, deadline_ms);
        }
    }
}
