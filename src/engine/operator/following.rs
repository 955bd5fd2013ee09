//! FOLLOW: at each instant regions first take over what is open of their parents, as it was before the instant, then each event is
//! taken by its own region.
//!
//! Regions that take over from one another lie in one group, that of the key without the region, as the fences of an entity do with
//! THROUGH.

use super::{KeyedOperator, When, instant::Unordered, room::timer_ms, spilled};
use crate::{
    engine::{kernel::Kernel, keyed::Place, output::Output, partition::Partition},
    expr::{Env, Nothing},
    model::{Clock, Key, KeyGroup, TimeMs, Value},
    plan::{Follow, Rule},
};
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A partition: its group, which is that of its routing key, and its whole key.
type Home = (KeyGroup, Key);

/// An event of the instant with its region.
struct Said {
    home: Home,
    /// Those that it takes over from.
    parents: Vec<Key>,
    /// Its place among the events of the instant with its routing key.
    number: usize,
    is_last: bool,
}

impl<K: Kernel> KeyedOperator<K> {
    /// Takes all events of an instant.
    pub(super) fn take_followed(&mut self, instant: &[Unordered], out: &mut Vec<Output>) {
        let rule = Arc::clone(&self.rule);
        let (Some(follow), Some(first)) = (&rule.follow, instant.first()) else { return };
        let now_ms = first.event.header.time_ms;
        let mut counts: BTreeMap<&Key, usize> = BTreeMap::new();
        let said: Vec<Said> = instant
            .iter()
            .map(|unordered| {
                let count = counts.entry(&unordered.key).or_default();
                *count += 1;
                self.said(&rule, follow, unordered, *count - 1)
            })
            .collect();
        let mut heirs: BTreeMap<&Home, BTreeSet<Home>> = BTreeMap::new();
        for Said { home, parents, .. } in said.iter().filter(|said| !said.parents.is_empty()) {
            let parents = parents.iter().filter(|parent| **parent != home.1);
            heirs.entry(home).or_default().extend(parents.map(|parent| (home.0, parent.clone())));
        }
        let mut states: BTreeMap<&Home, K::State> = BTreeMap::new();
        for parent in heirs.values().flatten() {
            if states.contains_key(parent) {
                continue;
            }
            if let Some(place) = self.settle(parent, now_ms, out)
                && let Some(entry) = self.partitions.entry(place)
            {
                states.insert(parent, entry.state.kernel.clone());
            }
        }
        for (heir, parents) in &heirs {
            let parents: Vec<&K::State> = parents.iter().filter_map(|parent| states.get(parent)).collect();
            if !parents.is_empty() {
                self.inherit(heir, &parents, now_ms, out);
            }
        }
        for (unordered, said) in instant.iter().zip(&said) {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            let when = When::Numbered(number(now_ms, said.number));
            let event = (unordered.event.as_ref(), when);
            self.step_partition(unordered.input, event, &[], said.home.0, &said.home.1, out);
        }
        for Said { home, .. } in said.iter().filter(|said| said.is_last && states.contains_key(&said.home)) {
            self.retire(home, now_ms);
        }
    }

    fn said(&mut self, rule: &Rule, follow: &Follow, unordered: &Unordered, number: usize) -> Said {
        let group = unordered.key.group(self.groups);
        let Some(plan) = rule.inputs.get(unordered.input) else {
            return Said { home: (group, unordered.key.clone()), parents: Vec::new(), number, is_last: false };
        };
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let event = unordered.event.as_ref();
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (&plan.computed, &self.computed),
            key: &unordered.key,
            bound: &Nothing,
            world: &self.world,
        };
        let mut parts: SmallVec<[Value; 2]> = plan.key.iter().map(|expr| expr.value(&env)).collect();
        let home = (group, Key::new(&parts));
        let lineage = follow.inputs.get(unordered.input).copied().flatten();
        let ids = lineage.and_then(|lineage| match event.values.get(usize::from(lineage.parents)) {
            Some(Value::List(ids)) => Some(Arc::clone(ids)),
            _ => None,
        });
        let mut parents = Vec::new();
        for id in ids.iter().flat_map(|ids| ids.iter()) {
            if let Some(part) = parts.get_mut(usize::from(follow.part)) {
                part.clone_from(id);
                parents.push(Key::new(&parts));
            }
        }
        let is_last = lineage.is_some_and(|lineage| lineage.end.is_last(event.values));
        Said { home, parents, number, is_last }
    }

    /// Lets a partition's timers fire up to an instant, as its next event would; where it is, if it has state then.
    fn settle(&mut self, (group, key): &Home, now_ms: TimeMs, out: &mut Vec<Output>) -> Option<Place> {
        let place = self.place(*group, key)?;
        self.advance_place(place, now_ms, Clock::Event, out);
        self.place(*group, key)
    }

    /// Hands a region what is open of its parents.
    fn inherit(&mut self, heir: &Home, parents: &[&K::State], now_ms: TimeMs, out: &mut Vec<Output>) {
        let place = self.settle(heir, now_ms, out);
        if !self.may_inherit(heir.0, place.is_none(), now_ms, out) {
            return;
        }
        // To make room keys may have gone, this one among them.
        if let Some(place) = place.and_then(|_| self.place(heir.0, &heir.1)) {
            let Some(entry) = self.partitions.entry(place) else { return };
            let state = &mut entry.state.kernel;
            let was_open = self.kernel.open(state);
            self.kernel.inherit(state, &mut self.scratch, parents);
            let is_open = self.kernel.open(state);
            let deadline_ms = timer_ms(self.room.as_deref(), (&*self.kernel, &self.rule), &entry.state);
            self.open = (self.open + is_open).saturating_sub(was_open);
            self.note(heir.0.0, was_open, is_open);
            self.partitions.schedule(place, deadline_ms);
            return;
        }
        let mut state = self.kernel.blank();
        self.kernel.inherit(&mut state, &mut self.scratch, parents);
        if self.kernel.is_idle(&state) {
            return;
        }
        let is_open = self.kernel.open(&state);
        self.open += is_open;
        self.note(heir.0.0, 0, is_open);
        let partition = Partition::new(state);
        let deadline_ms = timer_ms(self.room.as_deref(), (&*self.kernel, &self.rule), &partition);
        if let Some(place) = self.partitions.insert_due(heir.0, heir.1.clone(), partition, deadline_ms) {
            spilled::mark(&mut self.spill, place);
        }
    }

    /// A region has ended, and what was open of it goes on elsewhere.
    fn retire(&mut self, (group, key): &Home, now_ms: TimeMs) {
        let Some(place) = self.place(*group, key) else { return };
        let Some(entry) = self.partitions.entry(place) else { return };
        let was_open = self.kernel.open(&entry.state.kernel);
        self.kernel.retire(&mut entry.state.kernel, now_ms);
        let idle = entry.state.is_idle(&*self.kernel);
        let is_open = if idle { 0 } else { self.kernel.open(&entry.state.kernel) };
        let deadline_ms = timer_ms(self.room.as_deref(), (&*self.kernel, &self.rule), &entry.state);
        self.open = (self.open + is_open).saturating_sub(was_open);
        self.note(group.0, was_open, is_open);
        if idle {
            self.partitions.remove(place);
        } else {
            self.partitions.schedule(place, deadline_ms);
        }
    }
}

/// The number of an event among all of its routing key, in their order: of its time and its place within the instant, so that nobody
/// has to remember how many there were.
fn number(time_ms: TimeMs, place: usize) -> u64 {
    // 278 years before and after 1970, and a million events of an instant; beyond, only the order among them is lost.
    const YEARS: TimeMs = 1 << 43;
    let time = time_ms.clamp(-YEARS, YEARS - 1) + YEARS;
    (time as u64) << 20 | (place as u64).min((1 << 20) - 1)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_go_up_with_time_and_place_and_nothing_overflows() {
        let events = [(i64::MIN, 0), (-5, 0), (-5, 1), (0, 0), (0, 7), (1, 0), (1, usize::MAX), (2, 0), (i64::MAX, 9)];
        assert!(events.windows(2).all(|pair| number(pair[0].0, pair[0].1) < number(pair[1].0, pair[1].1)));
    }
}
