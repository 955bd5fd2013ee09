//! All entities of a partition: a table by slot, found by id and by place, and the timers of their silence.

use super::{entity::Entity, grid::Grid};
use crate::{
    model::{Key, TimeMs},
    plan,
};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The entities of a partition and the pairs that are together.
#[derive(Clone, Debug)]
pub struct KeyState {
    pub(super) entities: Vec<Option<Entity>>,
    free: Vec<u32>,
    /// For each side.
    by_id: [HashMap<Key, u32, FxBuildHasher>; 2],
    grids: [Grid; 2],
    /// When positions stop being valid; an entry that isn't its entity's `timer_ms` is stale. Not with EVERY.
    timers: BinaryHeap<Reverse<(TimeMs, u32)>>,
    /// With EVERY: when pairs are looked at next.
    pub(super) tick_ms: Option<TimeMs>,
    pub(super) pairs: usize,
    /// ALIGN.
    pub(super) align_ms: Option<TimeMs>,
}

/// What a shard lends to every step; holds nothing between steps.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) found: Vec<u32>,
    pub(super) pairs: Vec<(u32, u32)>,
}

impl KeyState {
    pub(super) fn new(near: &plan::Near) -> Self {
        let grid = || Grid::new(near.within_m);
        Self {
            entities: Vec::new(),
            free: Vec::new(),
            by_id: [HashMap::default(), HashMap::default()],
            grids: [grid(), grid()],
            timers: BinaryHeap::new(),
            tick_ms: None,
            pairs: 0,
            align_ms: near.align_ms,
        }
    }

    /// Whether nobody reported lately, so that the state may be dropped.
    pub fn is_idle(&self) -> bool {
        self.known() == 0
    }

    /// How many entities reported lately.
    pub fn known(&self) -> usize {
        self.entities.len() - self.free.len()
    }

    /// How many pairs are together.
    pub fn open_pairs(&self) -> usize {
        self.pairs
    }

    pub(super) fn find(&self, side: usize, key: &Key) -> Option<u32> {
        self.by_id.get(side)?.get(key).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entity> {
        self.entities.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entity> {
        self.entities.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn grid(&self, side: usize) -> Option<&Grid> {
        self.grids.get(side)
    }

    /// Adds an entity that isn't there.
    pub(super) fn insert(&mut self, entity: Entity) -> u32 {
        let (side, key, place) = (entity.side, entity.key.clone(), (entity.place, entity.drift_m()));
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(free) = self.entities.get_mut(slot as usize) {
                    *free = Some(entity);
                }
                slot
            }
            None => {
                self.entities.push(Some(entity));
                self.entities.len() as u32 - 1
            }
        };
        if let (Some(by_id), Some(grid)) = (self.by_id.get_mut(side), self.grids.get_mut(side)) {
            by_id.insert(key, slot);
            grid.insert(place, slot);
        }
        slot
    }

    /// Puts an entity's new event in the place of the one before; who it is and is together with stays.
    pub(super) fn replace(&mut self, slot: u32, new: Entity) {
        let Some(entity) = self.entities.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if let Some(grid) = self.grids.get_mut(entity.side) {
            grid.shift((entity.place, entity.drift_m()), (new.place, new.drift_m()), slot);
        }
        let partners = std::mem::take(&mut entity.partners);
        *entity = Entity { partners, timer_ms: entity.timer_ms, ..new };
    }

    /// Forgets an entity that is together with nobody.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(entity) = self.entities.get_mut(slot as usize).and_then(Option::take) else { return };
        if let (Some(by_id), Some(grid)) = (self.by_id.get_mut(entity.side), self.grids.get_mut(entity.side)) {
            by_id.remove(&entity.key);
            grid.remove((entity.place, entity.drift_m()), slot);
        }
        self.free.push(slot);
    }

    /// Sees to it that an entity is looked at when its position stops being valid.
    pub(super) fn schedule(&mut self, slot: u32, deadline_ms: TimeMs) {
        let Some(entity) = self.entities.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        // Positions come in order of time: the entry that stands for it is no later.
        if entity.timer_ms == TimeMs::MAX {
            entity.timer_ms = deadline_ms;
            self.timers.push(Reverse((deadline_ms, slot)));
        }
    }

    /// When a timer may be due.
    pub(super) fn next_timer(&self) -> Option<TimeMs> {
        self.timers.peek().map(|Reverse((at_ms, _))| *at_ms)
    }

    /// The entities whose timer is the earliest one, if that is at or before `to_ms`, in the order of their ids.
    pub(super) fn due(&mut self, to_ms: TimeMs, found: &mut Vec<u32>) -> Option<TimeMs> {
        found.clear();
        let at_ms = self.next_timer().filter(|at_ms| *at_ms <= to_ms)?;
        while let Some(&Reverse((timer_ms, slot))) = self.timers.peek()
            && timer_ms == at_ms
        {
            self.timers.pop();
            if let Some(entity) = self.get_mut(slot)
                && entity.timer_ms == at_ms
            {
                entity.timer_ms = TimeMs::MAX;
                found.push(slot);
            }
        }
        self.sort(found);
        Some(at_ms)
    }

    /// Sorts slots by side and id, which doesn't depend on how slots were given out.
    pub(super) fn sort(&self, slots: &mut [u32]) {
        slots.sort_unstable_by(|a, b| self.order(*a).cmp(&self.order(*b)));
    }

    pub(super) fn order(&self, slot: u32) -> Option<(usize, &[u8])> {
        self.get(slot).map(|entity| (entity.side, entity.key.as_bytes()))
    }
}
