//! The different values of a sliding window: in how many panes each is.

use crate::model::{Key, Value};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;

/// A set that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningSet(HashMap<Key, u32, FxBuildHasher>);

impl RunningSet {
    pub(super) fn push(&mut self, key: &Key) {
        match self.0.get_mut(key) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.0.insert(key.clone(), 1)),
        }
    }

    pub(super) fn pop(&mut self, key: &Key) {
        if let Some(count) = self.0.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The values as a list, in the order of their canonical bytes.
    pub(super) fn sorted(&self) -> Value {
        let mut keys: Vec<&Key> = self.0.keys().collect();
        keys.sort_unstable();
        Value::List(Arc::new(keys.into_iter().flat_map(Key::values).collect()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * (size_of::<(Key, u32)>() + 1)
    }
}
