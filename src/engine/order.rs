//! The one order of outputs: they wait until their instant is complete, and become alerts, events of their stream, or both.

use super::{
    inbox::OwnedEvent,
    machine::Engine,
    output::{Output, sort},
};
use crate::{
    model::{Header, StreamId, TimeMs},
    plan::{Plan, RuleKind},
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

impl Engine {
    /// What a timer put out at the very last instant has no reader that could still act, but it is an alert.
    pub(super) fn release_held(&mut self) {
        if !self.options.eager {
            let held = self.held.iter_mut().flat_map(|held| held.drain(..));
            let plan = &self.plan;
            self.ready.extend(held.filter(|output| is_alert(plan, output)));
            self.ready.append(&mut self.ordered);
            self.is_in_order = false;
        }
        self.settle();
    }

    /// Alerts that were found on one timeline after the other become one order; of several timelines those leave that no timeline
    /// can put out anything before.
    pub(super) fn settle(&mut self) {
        if !self.ordered.is_empty() {
            let least_ms = self.watermark_ms();
            sort(&mut self.ordered);
            let complete = self.ordered.partition_point(|output| output.emission.time_ms < least_ms);
            self.ready.extend(self.ordered.drain(..complete));
            self.is_in_order = false;
        }
        if !self.is_in_order {
            sort(&mut self.ready);
            self.is_in_order = true;
        }
    }

    /// Orders a level's outputs and passes on those whose instant is complete.
    pub(super) fn collect(&mut self, level: usize, before_ms: TimeMs) {
        self.gather(level, 0);
        let Some(mut held) = self.held.get_mut(level).map(std::mem::take) else { return };
        // Stable, and a key's outputs come from one shard in their order, so that order is the sequence within the key.
        sort(&mut held);
        let complete = held.partition_point(|output| output.emission.time_ms < before_ms);
        let is_watched = |rule: u32| self.watched.contains(&rule);
        let is_read = |rule: u32| self.derived.get(rule as usize).is_some_and(|derived| !derived.readers.is_empty());
        // Alerts that nobody reads are handed on as they are.
        let whole = held.get(..complete).unwrap_or_default();
        let goes_on =
            |output: &Output| is_watched(output.rule) || is_read(output.rule) || !is_alert(&self.plan, output);
        if !self.options.eager && !whole.iter().any(goes_on) {
            let mut rest = held.split_off(complete);
            // What is alone is in order already.
            self.is_in_order = self.ready.is_empty();
            let ready = if self.timelines.len() == 1 { &mut self.ready } else { &mut self.ordered };
            if ready.is_empty() {
                std::mem::swap(ready, &mut held);
            } else {
                ready.append(&mut held);
            }
            held.append(&mut rest);
        } else {
            self.pass_on(&mut held, complete);
        }
        if let Some(place) = self.held.get_mut(level) {
            *place = held;
        }
    }

    /// Where there is one shard, gives it what waits for its instant: what it puts out comes to lie behind that, and isn't moved once more.
    pub(super) fn carry(&mut self, level: usize) {
        if let ([shard], Some(held)) = (self.shards.as_mut_slice(), self.held.get_mut(level))
            && shard.outbox.is_empty()
        {
            std::mem::swap(held, &mut shard.outbox);
            shard.carried = shard.outbox.len();
        }
    }

    /// Takes what the shards put out for a level, with times so much later, to where it waits for its instant.
    pub(super) fn gather(&mut self, level: usize, later_ms: TimeMs) {
        let Self { shards, stats, .. } = self;
        for shard in shards {
            shard.take_counts(&mut |rule, (shed, skip_misses)| {
                if let Some(stats) = stats.get_mut(rule as usize) {
                    stats.shed += shed;
                    stats.skip_misses += skip_misses;
                }
            });
        }
        let Some(held) = self.held.get_mut(level) else { return };
        let mut fresh = held.len();
        for shard in &mut self.shards {
            fresh += std::mem::take(&mut shard.carried);
            if held.is_empty() {
                std::mem::swap(held, &mut shard.outbox);
            } else {
                held.append(&mut shard.outbox);
            }
        }
        for output in held.get_mut(fresh..).unwrap_or_default() {
            output.emission.time_ms = output.emission.time_ms.saturating_add(later_ms);
            if let Some(stats) = self.stats.get_mut(output.rule as usize) {
                stats.outputs += 1;
            }
        }
        if self.options.eager {
            let fresh = held.get(fresh..).unwrap_or_default().iter();
            self.ready.extend(fresh.filter(|output| is_alert(&self.plan, output)).cloned());
            self.is_in_order = false;
        }
    }

    /// Passes on the first outputs of those that wait, whose instants are complete, in their order.
    pub(super) fn pass_on(&mut self, held: &mut Vec<Output>, complete: usize) {
        let mut sequence = 0;
        let mut before: Option<Output> = None;
        self.is_in_order = self.ready.is_empty();
        let ready = if self.timelines.len() == 1 { &mut self.ready } else { &mut self.ordered };
        for output in held.drain(..complete) {
            let wanted = !self.options.eager && is_alert(&self.plan, &output);
            if self.watched.contains(&output.rule) {
                self.seen.push(output.clone());
            }
            let derived = self.derived.get(output.rule as usize).filter(|derived| !derived.readers.is_empty());
            let Some(derived) = derived else {
                // Nobody asks for its place among equals.
                if wanted {
                    ready.push(output);
                }
                continue;
            };
            let same = before.as_ref().is_some_and(|before| before.order(&output).is_eq());
            sequence = if same { sequence + 1 } else { 0 };
            let event = match &derived.slots {
                None => {
                    let name = self.plan.rules.get(output.rule as usize).map_or("", |rule| rule.name.as_str());
                    derived_event(name, derived.stream, &output, sequence)
                }
                // Unlike one that the new version puts out for the same key at the same time.
                Some(slots) => {
                    let event = derived_event(&self.plan.known_as(output.rule), derived.stream, &output, sequence);
                    let value = |slot: &Option<u16>| event.values.get(usize::from((*slot)?)).cloned();
                    OwnedEvent { values: slots.iter().map(|slot| value(slot).unwrap_or_default()).collect(), ..event }
                }
            };
            let rank = self.stream_ranks.get(derived.stream.0 as usize).copied().unwrap_or(0);
            for &level in &derived.readers {
                if let Some(inbox) = self.inboxes.get_mut(level) {
                    inbox.push(rank, event.clone());
                }
            }
            if wanted {
                ready.push(output.clone());
            }
            before = Some(output);
        }
    }
}

fn is_alert(plan: &Plan, output: &Output) -> bool {
    plan.rules.get(output.rule as usize).is_some_and(|rule| rule.kind == RuleKind::Alert)
}

/// An output as an event of its rule's stream. Its offset is xxh3-64, seeded with the sequence, of the stream's name, 0x00, the
/// key's canonical bytes and the time (little-endian).
pub(super) fn derived_event(name: &str, stream: StreamId, output: &Output, sequence: u64) -> OwnedEvent {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(output.key.as_bytes());
    bytes.extend_from_slice(&output.emission.time_ms.to_le_bytes());
    let offset = xxh3_64_with_seed(&bytes, sequence);
    let header = Header { time_ms: output.emission.time_ms, partition: u32::MAX, offset };
    OwnedEvent { stream, header, values: output.emission.values.to_vec() }
}
