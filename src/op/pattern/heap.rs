//! Partial matches in a binary heap, the earliest start first. The order of equal starts is the heap's: it is what decides
//! which of several matches of one start an AFTER MATCH SKIP keeps, and it is the same as in Flink, whose queue of partial
//! matches is such a heap, filled in the same order.

use super::state::Run;
use std::cmp::Ordering;

fn earlier(a: &Run, b: &Run) -> Ordering {
    (a.start_ms, a.start_seq).cmp(&(b.start_ms, b.start_seq))
}

/// Whether a finished match need not wait for a partial one.
pub(super) fn not_after(a: &Run, b: &Run) -> bool {
    earlier(a, b) != Ordering::Greater
}

/// Adds a run.
pub(super) fn push(heap: &mut Vec<Run>, run: Run) {
    let mut at = heap.len();
    heap.push(run);
    while at > 0 {
        let parent = (at - 1) / 2;
        if earlier(&heap[at], &heap[parent]) != Ordering::Less {
            break;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

/// Removes the earliest run.
pub(super) fn pop(heap: &mut Vec<Run>) -> Option<Run> {
    let last = heap.pop()?;
    let Some(first) = heap.first_mut() else { return Some(last) };
    let popped = std::mem::replace(first, last);
    sink(heap, 0);
    Some(popped)
}

/// Removes runs and restores the order.
pub(super) fn remove(heap: &mut Vec<Run>, mut gone: impl FnMut(&Run) -> bool) {
    let before = heap.len();
    heap.retain(|run| !gone(run));
    if heap.len() < before {
        for at in (0..heap.len() / 2).rev() {
            sink(heap, at);
        }
    }
}

fn sink(heap: &mut [Run], mut at: usize) {
    loop {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        if left >= heap.len() {
            return;
        }
        let mut child = left;
        if right < heap.len() && earlier(&heap[left], &heap[right]) == Ordering::Greater {
            child = right;
        }
        if earlier(&heap[at], &heap[child]) != Ordering::Greater {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}
