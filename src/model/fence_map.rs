//! New numbers for fences: they count by place in their set, which another edition of the set changes.

use super::{FenceRef, Fences, Value};
use crate::geo::FenceIx;
use std::sync::Arc;

/// For each set of a world the number that each of its fences has in another edition of that world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceMap {
    /// None: all keep their numbers. A fence without a new number is gone.
    sets: Vec<Option<Vec<Option<u32>>>>,
}

impl FenceMap {
    /// A map of these sets, in the order of their numbers; a set that is none keeps its numbers.
    pub fn new(sets: Vec<Option<Vec<Option<u32>>>>) -> Self {
        Self { sets }
    }

    /// Whether nothing changes.
    pub fn is_identity(&self) -> bool {
        self.sets.iter().all(Option::is_none)
    }

    /// A fence's new number; none where it is gone.
    pub fn fence(&self, set: u16, fence: u32) -> Option<u32> {
        match self.sets.get(usize::from(set)) {
            Some(Some(numbers)) => numbers.get(fence as usize).copied().flatten(),
            _ => Some(fence),
        }
    }

    /// A value with new numbers: a fence that is gone becomes null, and is no longer among several.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::Fence(FenceRef { set, fence }) => match self.fence(set, fence.0) {
                Some(fence) => Value::Fence(FenceRef { set, fence: FenceIx(fence) }),
                None => Value::Null,
            },
            Value::Fences(fences) => {
                let set = fences.set();
                // Numbers ascend with ids in every edition, so the order stays.
                let kept = fences.as_slice().iter().filter_map(|&fence| self.fence(set, fence)).map(FenceIx);
                Value::Fences(Fences::new(set, &kept.collect::<Vec<_>>()))
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
        let map = FenceMap::new(vec![None, Some(vec![Some(0), None, Some(3)])]);
        let fence = |set, fence| Value::Fence(FenceRef { set, fence: FenceIx(fence) });
        let several =
            |set, all: &[u32]| Value::Fences(Fences::new(set, &all.iter().copied().map(FenceIx).collect::<Vec<_>>()));
        assert_eq!(map.value(fence(0, 7)), fence(0, 7));
        assert_eq!(map.value(fence(1, 2)), fence(1, 3));
        assert_eq!(map.value(fence(1, 1)), Value::Null);
        assert_eq!(map.value(fence(1, 9)), Value::Null);
        assert_eq!(map.value(several(1, &[0, 1, 2])), several(1, &[0, 3]));
        assert_eq!(map.value(Value::Int(1)), Value::Int(1));
        assert!(!map.is_identity() && FenceMap::new(vec![None]).is_identity());
    }
}
