//! The most frequent values, most frequent first; of equally frequent ones the lower first.
//!
//! Exact as long as there are at most [`ROOM`] different values. Beyond that the least frequent half is dropped: the count of
//! the first that is dropped is taken off all others, as Misra & Gries do (*Finding repeated elements*, 1982; mergeable by
//! Agarwal and others, *Mergeable summaries*, 2012). Each count is then too low, by the same for all and by at most
//! n / 1,025 of n values; so a value that is more than twice that ahead of the next is in its place.

use super::distinct::key_of;
use crate::model::{DecodeError, Key, Reader, Value, Writer};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// The most different values that are counted.
const ROOM: usize = 2_048;
/// How many of them stay when that is passed.
const KEPT: usize = ROOM / 2;

/// Counts of values.
#[derive(Clone, Debug)]
pub(super) struct TopK {
    /// How many are asked for.
    pub(super) k: u16,
    counts: BTreeMap<Key, u64>,
}

impl TopK {
    pub(super) fn new(k: u16) -> Self {
        Self { k, counts: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, value: &Value) {
        self.put(key_of(value), 1);
    }

    fn put(&mut self, key: Key, count: u64) {
        let there = self.counts.entry(key).or_insert(0);
        *there = there.saturating_add(count);
        if self.counts.len() > ROOM {
            self.make_room();
        }
    }

    pub(super) fn counts(&self) -> &BTreeMap<Key, u64> {
        &self.counts
    }

    fn make_room(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        counts.sort_unstable_by_key(|count| Reverse(*count));
        let taken = counts.get(KEPT).copied().unwrap_or(0);
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(taken);
            *count > 0
        });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(key, count)| self.put(key.clone(), *count));
    }

    /// A list; of no values an empty one.
    pub(super) fn result(&self) -> Value {
        let mut ranked: Vec<(&Key, u64)> = self.counts.iter().map(|(key, count)| (key, *count)).collect();
        ranked.sort_by_key(|(_, count)| Reverse(*count));
        let values = ranked.into_iter().take(usize::from(self.k)).flat_map(|(key, _)| key.values());
        Value::List(Arc::new(values.collect()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.counts.len() * (size_of::<(Key, u64)>() + size_of::<usize>())
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.len(self.counts.len());
        for (key, count) in &self.counts {
            writer.key(key);
            writer.u64(*count);
        }
    }

    pub(super) fn load(k: u16, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut top = Self::new(k);
        for _ in 0..reader.len()? {
            let key = reader.key()?;
            let count = super::count::load_count(reader)?;
            top.put(key, count);
        }
        Ok(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(k: u16, values: impl IntoIterator<Item = i64>) -> TopK {
        let mut top = TopK::new(k);
        values.into_iter().for_each(|value| top.add(&Value::Int(value)));
        top
    }

    fn ints(values: &[i64]) -> Value {
        Value::List(Arc::new(values.iter().copied().map(Value::Int).collect()))
    }

    proptest! {
        #[test]
        fn of_a_few_different_values_the_order_is_exact(
            values in prop::collection::vec(-9i64..9, 0..120), k in 1u16..6, cut in 0usize..120,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = of(k, left.iter().copied());
            merged.merge(&of(k, right.iter().copied()));
            let mut ranked: Vec<(Reverse<usize>, i64)> =
                (-9..9).map(|x| (Reverse(values.iter().filter(|value| **value == x).count()), x)).collect();
            ranked.retain(|(count, _)| count.0 > 0);
            ranked.sort_unstable();
            let expected: Vec<i64> = ranked.into_iter().take(usize::from(k)).map(|(_, x)| x).collect();
            prop_assert_eq!(merged.result(), ints(&expected));
        }
    }

    #[test]
    fn the_most_frequent_are_found_among_very_many() {
        // 40,000 values once or twice, and three that come more often than the error of n / 1,025 = 60.
        let noise = (0..60_000).map(|i| 1_000 + i % 40_000);
        let often =
            [(1, 900), (2, 700), (3, 500)].into_iter().flat_map(|(value, times)| std::iter::repeat_n(value, times));
        let mut first = of(3, noise.clone().chain(often.clone()));
        assert_eq!(first.result(), ints(&[1, 2, 3]));
        first.merge(&of(3, noise.map(|value| value + 100_000)));
        assert_eq!(first.result(), ints(&[1, 2, 3]));
        assert!(first.counts.len() <= ROOM);
        let least = first.counts.get(&key_of(&Value::Int(3))).copied().unwrap();
        assert!((500 - 121_200 / 1_025..=500).contains(&least), "{least}");
    }
}
