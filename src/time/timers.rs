//! Deadlines in order. What a token stands for, and whether its deadline still holds, is the caller's business: nothing is
//! ever taken out but from the front.

use crate::model::TimeMs;
use std::{cmp::Reverse, collections::BinaryHeap};

/// A queue of deadlines with tokens. Adding and taking cost the logarithm of its length.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(TimeMs, u32)>>,
}

impl Timers {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a deadline for a token. A token may be in the queue more than once.
    pub fn push(&mut self, deadline_ms: TimeMs, token: u32) {
        self.heap.push(Reverse((deadline_ms, token)));
    }

    /// The first deadline.
    pub fn next_ms(&self) -> Option<TimeMs> {
        self.heap.peek().map(|Reverse((deadline_ms, _))| *deadline_ms)
    }

    /// Takes the first deadline and its token if it is at `to_ms` or before; by deadline, then token.
    pub fn pop_until(&mut self, to_ms: TimeMs) -> Option<(TimeMs, u32)> {
        if self.next_ms()? > to_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// How many entries there are, dead ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Removes all entries and keeps the memory.
    pub fn clear(&mut self) {
        self.heap.clear();
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Reverse<(TimeMs, u32)>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn deadlines_come_out_in_order_and_none_early(
            entries in prop::collection::vec((-50i64..50, 0u32..9), 0..100), to_ms in -60i64..60,
        ) {
            let mut timers = Timers::new();
            entries.iter().for_each(|&(deadline_ms, token)| timers.push(deadline_ms, token));
            let mut expected: Vec<_> = entries.iter().copied().filter(|entry| entry.0 <= to_ms).collect();
            expected.sort_unstable();
            let popped: Vec<_> = std::iter::from_fn(|| timers.pop_until(to_ms)).collect();
            prop_assert_eq!(&popped, &expected);
            prop_assert_eq!(timers.len(), entries.len() - popped.len());
            prop_assert!(timers.next_ms().is_none_or(|next_ms| next_ms > to_ms));
        }
    }
}
