//! The most frequent values of a sliding window: the counts of all of its panes, and their order.
//!
//! Nothing is dropped here to make room: the panes did that, and each count is too low by no more than what its panes lost,
//! n / 1,025 of n values in all.

use super::top_k::TopK;
use crate::model::{Key, Value};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Counts that can be taken back.
#[derive(Clone, Debug)]
pub(super) struct RunningTop {
    k: u16,
    counts: BTreeMap<Key, u64>,
    /// The most frequent first, of equally frequent ones the lower first.
    ranked: BTreeSet<(Reverse<u64>, Key)>,
}

impl RunningTop {
    pub(super) fn new(k: u16) -> Self {
        Self { k, counts: BTreeMap::new(), ranked: BTreeSet::new() }
    }

    pub(super) fn push(&mut self, key: &Key, count: u64) {
        let before = self.counts.get(key).copied().unwrap_or(0);
        self.put(key, before, before.saturating_add(count));
    }

    pub(super) fn pop(&mut self, key: &Key, count: u64) {
        let before = self.counts.get(key).copied().unwrap_or(0);
        self.put(key, before, before.saturating_sub(count));
    }

    fn put(&mut self, key: &Key, before: u64, after: u64) {
        let rank = (Reverse(before), key.clone());
        self.ranked.remove(&rank);
        if after == 0 {
            self.counts.remove(key);
        } else {
            self.counts.insert(key.clone(), after);
            self.ranked.insert((Reverse(after), rank.1));
        }
    }

    /// A list; of no values an empty one.
    pub(super) fn result(&self) -> Value {
        let first = self.ranked.iter().take(usize::from(self.k));
        Value::List(Arc::new(first.flat_map(|(_, key)| key.values()).collect()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.counts.len() * 2 * (size_of::<(Key, u64)>() + size_of::<usize>())
    }
}

impl TopK {
    /// Calls with every value that is counted, and its count.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Key, u64)) {
        self.counts().iter().for_each(|(key, count)| visit(key, *count));
    }
}
