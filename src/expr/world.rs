//! What expressions and kernels look up beside the events: geofence sets.

use crate::{
    geo::{FenceSet, Position},
    model::{FenceMap, FenceRef, Fences, Value},
};
use std::sync::Arc;

/// The reference data of a running program: immutable, shared by all shards, replaced as a whole when fences change.
#[derive(Clone, Debug, Default)]
pub struct World {
    sets: Vec<(String, Arc<FenceSet>)>,
}

impl World {
    /// A world of these named fence sets; the index of a set is its place here.
    pub fn new(sets: Vec<(String, Arc<FenceSet>)>) -> Self {
        Self { sets }
    }

    /// The named sets, in index order.
    pub fn sets(&self) -> &[(String, Arc<FenceSet>)] {
        &self.sets
    }

    /// The index of a named set.
    pub fn set_named(&self, name: &str) -> Option<u16> {
        self.sets.iter().position(|(set, _)| set == name).map(|at| at as u16)
    }

    /// The set at an index.
    pub fn set(&self, set: u16) -> Option<&FenceSet> {
        self.sets.get(usize::from(set)).map(|(_, fences)| &**fences)
    }

    /// The numbers in `next` of the fences of this world, whose sets are there in the same places.
    pub fn renumbered(&self, next: &World) -> FenceMap {
        let map = |(at, (_, old)): (usize, &(String, Arc<FenceSet>))| {
            let new = |id: &str| next.set(at as u16)?.find(id).map(|fence| fence.0);
            let numbers: Vec<Option<u32>> = old.iter().map(|(_, fence)| new(&fence.id)).collect();
            let same = numbers.iter().zip(0..).all(|(new, old)| *new == Some(old));
            (!same).then_some(numbers)
        };
        FenceMap::new(self.sets.iter().enumerate().map(map).collect())
    }

    /// All fences of a set that contain the position.
    pub fn locate(&self, set: u16, position: Position) -> Fences {
        match self.set(set) {
            Some(fences) => {
                let mut found = Vec::new();
                fences.locate(position, &mut found);
                Fences::new(set, &found)
            }
            None => Fences::new(set, &[]),
        }
    }

    /// A fence's id.
    pub fn fence_id(&self, fence: FenceRef) -> Option<&str> {
        Some(self.set(fence.set)?.get(fence.fence)?.id.as_str())
    }

    /// A fence's property; `id` is its id. Null where it has none of that name.
    pub fn fence_property(&self, fence: FenceRef, name: &str) -> Value {
        let Some(found) = self.set(fence.set).and_then(|set| set.get(fence.fence)) else { return Value::Null };
        match found.property(name) {
            Some(property) => property.into(),
            None if name == "id" => Value::text(&found.id),
            None => Value::Null,
        }
    }
}
