//! New numbers for fences: they count by place in their set, which another edition of the set changes.

use super::{FenceRef, Fences, Value};
use crate::geo::FenceIx;
use std::sync::Arc;

/// The numbers that a set and its fences have in another edition of their world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetNumbers {
    /// The same.
    Same,
    /// Others. A fence without one is gone.
    New {
        /// The set's.
        set: u16,
        /// For each old number of a fence its new one.
        fences: Vec<Option<u32>>,
    },
    /// None: the whole set is gone.
    Gone,
}

/// For each set of a world the numbers in another edition of that world, of the same run or a later one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceMap {
    sets: Vec<SetNumbers>,
}

impl FenceMap {
    /// A map of these sets, in the order of their numbers; a set that isn't among them keeps its numbers.
    pub fn new(sets: Vec<SetNumbers>) -> Self {
        Self { sets }
    }

    /// Whether nothing changes.
    pub fn is_identity(&self) -> bool {
        self.sets.iter().all(|numbers| *numbers == SetNumbers::Same)
    }

    /// A set's new number; none where it is gone.
    pub fn set(&self, set: u16) -> Option<u16> {
        match self.sets.get(usize::from(set)) {
            Some(SetNumbers::New { set, .. }) => Some(*set),
            Some(SetNumbers::Gone) => None,
            Some(SetNumbers::Same) | None => Some(set),
        }
    }

    /// A fence's new number within its set; none where it is gone.
    pub fn fence(&self, set: u16, fence: u32) -> Option<u32> {
        match self.sets.get(usize::from(set)) {
            Some(SetNumbers::New { fences, .. }) => fences.get(fence as usize).copied().flatten(),
            Some(SetNumbers::Gone) => None,
            Some(SetNumbers::Same) | None => Some(fence),
        }
    }

    /// The new number of a fence of the set that now has this number, whatever the set's was; none where it is gone.
    pub fn fence_now(&self, set: u16, fence: u32) -> Option<u32> {
        let old = (0..).zip(&self.sets).find(|(old, _)| self.set(*old) == Some(set)).map(|(old, _)| old);
        self.fence(old.unwrap_or(set), fence)
    }

    /// A value with new numbers: a fence that is gone becomes null, and is no longer among several.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::Fence(FenceRef { set, fence }) => match (self.set(set), self.fence(set, fence.0)) {
                (Some(set), Some(fence)) => Value::Fence(FenceRef { set, fence: FenceIx(fence) }),
                _ => Value::Null,
            },
            Value::Fences(fences) => {
                let set = fences.set();
                // Numbers ascend with ids in every edition, so the order stays.
                let kept = fences.as_slice().iter().filter_map(|&fence| self.fence(set, fence)).map(FenceIx);
                Value::Fences(Fences::new(self.set(set).unwrap_or(set), &kept.collect::<Vec<_>>()))
            }
            Value::List(list) => Value::List(Arc::new(list.iter().map(|value| self.value(value.clone())).collect())),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_get_their_new_numbers_and_those_that_are_gone_are_nowhere() {
        let moved = |set| SetNumbers::New { set, fences: vec![Some(0), None, Some(3)] };
        let map = FenceMap::new(vec![SetNumbers::Same, moved(1)]);
        let fence = |set, fence| Value::Fence(FenceRef { set, fence: FenceIx(fence) });
        let several =
            |set, all: &[u32]| Value::Fences(Fences::new(set, &all.iter().copied().map(FenceIx).collect::<Vec<_>>()));
        assert_eq!(map.value(fence(0, 7)), fence(0, 7));
        assert_eq!(map.value(fence(1, 2)), fence(1, 3));
        assert_eq!(map.value(fence(1, 1)), Value::Null);
        assert_eq!(map.value(fence(1, 9)), Value::Null);
        assert_eq!(map.value(several(1, &[0, 1, 2])), several(1, &[0, 3]));
        assert_eq!(map.value(Value::Int(1)), Value::Int(1));
        assert!(!map.is_identity() && FenceMap::new(vec![SetNumbers::Same]).is_identity());
        let moved = FenceMap::new(vec![moved(1), SetNumbers::Gone]);
        assert_eq!(moved.value(fence(0, 2)), fence(1, 3));
        assert_eq!((moved.value(fence(1, 2)), moved.value(several(1, &[2]))), (Value::Null, several(1, &[])));
        assert_eq!((moved.fence_now(1, 2), moved.fence_now(1, 1)), (Some(3), None));
    }
}
