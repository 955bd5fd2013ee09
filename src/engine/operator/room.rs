//! What a rule may hold in a group, and what makes room.

use super::{KeyedOperator, When};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::Place,
        limits::{Bounds, KEY_BYTES, OPEN_BYTES, Policy, Shed},
        output::Output,
        partition::{Before, Partition},
    },
    model::{Clock, Key, KeyGroup, TimeMs},
    plan::Rule,
};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Of what there is room for such a part goes at once, so that it needn't be looked for at each new key.
const PART: usize = 8;

/// The bounds of a rule's groups, and what they have cost.
pub(in crate::engine) struct Room {
    bounds: Bounds,
    /// What a group's keys hold open, of groups that were asked about; only where bytes are bounded.
    open: HashMap<u32, u64, FxBuildHasher>,
    shed: Shed,
}

impl Room {
    pub(in crate::engine) fn new(bounds: Bounds) -> Self {
        Self { bounds, open: HashMap::default(), shed: Shed::default() }
    }

    pub(in crate::engine) fn take(&mut self) -> Shed {
        std::mem::take(&mut self.shed)
    }

    /// A key of a group holds more or less open than it did.
    pub(super) fn note(&mut self, group: u32, was: usize, is: usize) {
        if was != is
            && let Some(open) = self.open.get_mut(&group)
        {
            *open = (*open + is as u64).saturating_sub(was as u64);
        }
    }
}

/// Which key goes first: the time at which its state ends, that of its last event, the key.
type Rank<'a> = (TimeMs, TimeMs, &'a Key, Place);

/// When time has to pass for a key: where open state is bounded also to count it down, so that how much there is room for depends on
/// the events alone.
pub(super) fn timer_ms<K: Kernel>(
    room: Option<&Room>,
    (kernel, rule): (&K, &Rule),
    partition: &Partition<K::State>,
) -> Option<TimeMs> {
    let deadline_ms = partition.deadline(kernel, rule);
    if room.is_none_or(|room| room.bounds.bytes.is_none()) {
        return deadline_ms;
    }
    deadline_ms.into_iter().chain(kernel.eases_ms(&partition.kernel)).min()
}

impl<K: Kernel> KeyedOperator<K> {
    #[inline]
    pub(super) fn note(&mut self, group: u32, was: usize, is: usize) {
        if let Some(room) = &mut self.room {
            room.note(group, was, is);
        }
    }

    /// Whether a group holds more than it may, with so many keys more.
    fn is_over(&mut self, group: u32, more: usize) -> bool {
        let Some(room) = &mut self.room else { return false };
        let keys = self.partitions.len_of(group) + more;
        if keys > room.bounds.keys {
            return true;
        }
        let Some(bytes_max) = room.bounds.bytes else { return false };
        let open = room.open.entry(group).or_insert_with(|| {
            let of_state = |entry: &crate::engine::keyed::Entry<_>| {
                let partition: &crate::engine::partition::Partition<K::State> = &entry.state;
                self.kernel.open(&partition.kernel) as u64
            };
            self.partitions.entries_of(group).map(|(_, entry)| of_state(entry)).sum()
        });
        keys as u64 * KEY_BYTES + *open * OPEN_BYTES > bytes_max
    }

    /// Lets go of what is over by now. What fires does so at its own time, as it would when the watermark came to it.
    fn let_pass(&mut self, (time_ms, when): (TimeMs, When), out: &mut Vec<Output>) {
        let (now_ms, clock) = match (self.wall_ms, when) {
            (Some(wall_ms), _) => (wall_ms, Clock::Wall),
            (None, When::Late(found_ms)) => (found_ms, Clock::Event),
            (None, When::OnTime | When::Numbered(_)) => (time_ms, Clock::Event),
        };
        while let Some(place) = self.partitions.due(now_ms, |_| 0) {
            self.advance_place(place, now_ms, clock, out);
        }
    }

    /// Whether an event may be taken at all: not where known keys hold too much already.
    pub(super) fn may_grow(&mut self, group: KeyGroup, at: (TimeMs, When), out: &mut Vec<Output>) -> bool {
        if self.room.as_ref().is_none_or(|room| room.bounds.bytes.is_none()) || !self.is_over(group.0, 0) {
            return true;
        }
        self.let_pass(at, out);
        if !self.is_over(group.0, 0) {
            return true;
        }
        match self.room.as_mut() {
            Some(room) if room.bounds.policy == Policy::Reject => {
                room.shed.dropped_events += 1;
                false
            }
            _ => {
                self.evict(group.0, 0);
                true
            }
        }
    }

    /// Whether a new key may have a state, which holds so much open that was noted; room is made where that is the policy.
    pub(super) fn has_room(
        &mut self,
        group: KeyGroup,
        at: (TimeMs, When),
        is_open: usize,
        out: &mut Vec<Output>,
    ) -> bool {
        if !self.is_over(group.0, 1) {
            return true;
        }
        self.let_pass(at, out);
        if !self.is_over(group.0, 1) {
            return true;
        }
        match self.room.as_mut() {
            Some(room) if room.bounds.policy == Policy::Reject => {
                room.shed.rejected_keys += 1;
                room.note(group.0, is_open, 0);
                self.open = self.open.saturating_sub(is_open);
                false
            }
            _ => {
                self.evict(group.0, 1);
                true
            }
        }
    }

    /// Whether a new entity of a rule with THROUGH may be followed; room is made where that is the policy.
    pub(super) fn may_enter(&mut self, group: KeyGroup, entity: &Key) -> bool {
        let (Some(room), Some(passing)) = (&mut self.room, &mut self.passing) else { return true };
        let is_full = passing.entities.len_of(group.0) >= room.bounds.keys;
        if !is_full || passing.entities.find(group, entity).is_some() {
            return true;
        }
        if room.bounds.policy == Policy::Reject {
            room.shed.rejected_keys += 1;
            return false;
        }
        // First those that are in no fence, then those that came into their last one the longest ago.
        let mut ranks: Vec<(Option<TimeMs>, &Key, Place)> = passing
            .entities
            .entries_of(group.0)
            .map(|(place, entry)| (entry.state.inside().map(|(_, entry_ms)| entry_ms).max(), &entry.key, place))
            .collect();
        ranks.sort_unstable();
        let many = (room.bounds.keys / PART).max(1);
        let places: Vec<Place> = ranks.into_iter().take(many).map(|(.., place)| place).collect();
        for place in places {
            passing.entities.remove(place);
            room.shed.evicted_keys += 1;
        }
        true
    }

    /// Whether a region may take over what others hold open, `is_open` at most: as for a new key that has a state, where it `is_new`,
    /// else as for an event of a known one.
    pub(super) fn may_inherit(&mut self, group: KeyGroup, is_new: bool, now_ms: TimeMs, out: &mut Vec<Output>) -> bool {
        let at = (now_ms, When::OnTime);
        self.room.is_none() || self.may_grow(group, at, out) && (!is_new || self.has_room(group, at, 0, out))
    }

    /// Makes room in a group for so many keys, and some.
    fn evict(&mut self, group: u32, more: usize) {
        let Some(bounds) = self.room.as_ref().map(|room| room.bounds) else { return };
        let rank = |(place, entry)| -> Rank<'_> {
            let entry: &crate::engine::keyed::Entry<crate::engine::partition::Partition<K::State>> = entry;
            let ends_ms = entry.state.deadline(&*self.kernel, &self.rule).unwrap_or(TimeMs::MAX);
            let last_ms = entry.state.previous.get().map_or(TimeMs::MIN, |past| past.time_ms);
            (ends_ms, last_ms, &entry.key, place)
        };
        let mut ranks: Vec<Rank<'_>> = self.partitions.entries_of(group).map(rank).collect();
        ranks.sort_unstable();
        let places: Vec<Place> = ranks.into_iter().map(|(.., place)| place).collect();
        let (keys, bytes) = (bounds.keys - bounds.keys / PART, bounds.bytes.map(|bytes| bytes - bytes / PART as u64));
        for place in places {
            let held = self.partitions.len_of(group);
            let open = self.room.as_ref().and_then(|room| room.open.get(&group)).copied().unwrap_or(0);
            let needs = (held + more) as u64 * KEY_BYTES + open * OPEN_BYTES;
            if held + more <= keys.max(1) && bytes.is_none_or(|bytes| needs <= bytes) {
                break;
            }
            let was_open = self.partitions.entry(place).map_or(0, |entry| self.kernel.open(&entry.state.kernel));
            self.partitions.remove(place);
            self.open = self.open.saturating_sub(was_open);
            if let Some(room) = &mut self.room {
                room.note(group, was_open, 0);
                room.shed.evicted_keys += 1;
            }
        }
        self.partitions.trim_timers();
    }
}
