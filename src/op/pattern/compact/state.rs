//! What a partition holds of partial matches in compact form, and the memory that is lent to each step.

use super::{
    node::{Node, Part},
    starts::Starts,
};
use crate::{
    model::{EventId, TimeMs, Value},
    op::pattern::{buffer::id_bytes, program::Program, state::NEVER},
};
use smallvec::SmallVec;

/// An event that was taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) time_ms: TimeMs,
    pub(super) id: EventId,
}

/// The partial matches in one state of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::op::pattern) struct Set {
    pub(super) state: u16,
    pub(super) part: Part,
}

/// All partial matches of a partition. Three lines of memory: keys are many, and what each event needs of them is waited for.
#[derive(Clone, Debug, Default)]
pub(in crate::op::pattern) struct Compact {
    /// In the order in which they came.
    pub(super) events: Vec<Held>,
    /// Of each event its kept values, then what aggregates take of it, where that is kept.
    pub(super) values: Vec<Value>,
    /// How many values an event has.
    pub(super) width: u32,
    pub(super) nodes: Vec<Node>,
    /// By state of the automaton, each once; none is over.
    pub(super) sets: SmallVec<[Set; 3]>,
    /// Events that began a match which may still be open, in their order.
    pub(super) starts: Starts,
    /// What began with an earlier event doesn't count any more.
    pub(super) floor: u32,
    /// How many nodes were left after the last collection.
    pub(super) kept: u32,
    /// Nodes that were left out when the state was saved and would be here if it had not been.
    pub(super) spared: u32,
    pub(super) deadline: TimeMs,
    /// When the first of it is over, or sooner.
    pub(super) first_ms: TimeMs,
    /// What a bound dropped since an output last told of it.
    pub(in crate::op::pattern) dropped: u64,
}

const _: () = assert!(size_of::<Compact>() <= 192);

impl Compact {
    /// Nothing yet.
    pub(super) fn new(program: &Program) -> Self {
        let width = program.layout.values + program.summand_slots.iter().flatten().count();
        Self { width: width as u32, deadline: NEVER, first_ms: NEVER, ..Self::default() }
    }

    /// Whether it holds no partial match.
    pub(in crate::op::pattern) fn is_idle(&self) -> bool {
        self.sets.is_empty()
    }

    /// When the earliest start that counts is out of time.
    pub(in crate::op::pattern) fn eases_ms(&self, within_ms: Option<TimeMs>) -> Option<TimeMs> {
        let first = self.events.get(*self.starts.as_slice().first()? as usize)?;
        Some(ends(first.time_ms, within_ms?))
    }

    /// Bytes on the heap.
    pub(in crate::op::pattern) fn heap_bytes(&self) -> usize {
        let ids = self.events.iter().map(|event| id_bytes(&event.id));
        let values = self.values.iter().map(Value::heap_bytes);
        self.events.capacity() * size_of::<Held>()
            + self.values.capacity() * size_of::<Value>()
            + self.nodes.capacity() * size_of::<Node>()
            + if self.sets.spilled() { self.sets.capacity() * size_of::<Set>() } else { 0 }
            + self.starts.heap_bytes()
            + ids.sum::<usize>()
            + values.sum::<usize>()
    }

    /// Looks at the memory that the next event needs.
    pub(super) fn touch(&self) -> u64 {
        self.deadline as u64 ^ self.nodes.len() as u64 ^ self.sets.len() as u64 ^ self.floor as u64
    }

    /// Looks at where the next event comes to lie.
    pub(super) fn touch_ends(&self) -> u64 {
        let event = self.events.last().map_or(0, |event| event.time_ms as u64);
        let node = self.nodes.last().map_or(0, |node| u64::from(matches!(node, Node::Take { .. })));
        event ^ node
    }

    /// The values of an event.
    pub(super) fn values_of(&self, event: u32) -> &[Value] {
        let width = self.width as usize;
        let start = event as usize * width;
        self.values.get(start..start + width).unwrap_or_default()
    }

    /// Keeps the partial matches in some states of the automaton only.
    pub(in crate::op::pattern) fn keep_states(&mut self, within_ms: Option<TimeMs>, keeps: impl Fn(u16) -> bool) {
        self.sets.retain(|set| keeps(set.state));
        self.settle(within_ms);
        if !self.sets.is_empty() {
            self.count_starts();
        }
    }

    /// Lets go of what is out of time at an instant.
    pub(super) fn pass(&mut self, within_ms: Option<TimeMs>, now: TimeMs) {
        let Some(within) = within_ms else { return };
        let over = |event: &Held| ends(event.time_ms, within) <= now;
        let from = self.floor as usize;
        self.floor += self.events.iter().skip(from).take_while(|event| over(event)).count() as u32;
        self.settle(within_ms);
    }

    /// Drops what is over after the floor rose or the sets changed.
    pub(super) fn settle(&mut self, within_ms: Option<TimeMs>) {
        let floor = self.floor;
        if self.sets.iter().any(|set| set.part.newest < floor) {
            self.sets.retain(|set| set.part.newest >= floor);
        }
        if self.sets.is_empty() {
            self.reset();
            return;
        }
        self.starts.drop_before(floor);
        let newest = self.sets.iter().map(|set| set.part.newest).max();
        let newest = newest.and_then(|newest| self.events.get(newest as usize));
        self.deadline = match (within_ms, newest) {
            (Some(within), Some(event)) => ends(event.time_ms, within),
            _ => NEVER,
        };
        self.first_ms = match (within_ms, self.events.get(floor as usize)) {
            (Some(within), Some(event)) => ends(event.time_ms, within),
            _ => NEVER,
        };
    }

    /// Forgets everything, memory included where it is much.
    fn reset(&mut self) {
        let width = self.width;
        if self.nodes.capacity() > 64 {
            *self = Self { width, deadline: NEVER, first_ms: NEVER, dropped: self.dropped, ..Self::default() };
            return;
        }
        self.events.clear();
        self.values.clear();
        self.nodes.clear();
        self.starts.clear();
        (self.floor, self.kept, self.spared) = (0, 0, 0);
        (self.deadline, self.first_ms) = (NEVER, NEVER);
    }
}

/// When a match that began at an instant is out of time.
fn ends(start_ms: TimeMs, within_ms: TimeMs) -> TimeMs {
    start_ms.saturating_add(within_ms).min(NEVER - 1)
}

/// An event about to be taken: for which variable, to which state, and after which partial matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    pub(super) target: u16,
    pub(super) var: u16,
    pub(super) done: bool,
    pub(super) goes_on: bool,
    /// Whether the state is the end of the pattern.
    pub(super) ends: bool,
    pub(super) before: Part,
}

impl Taking {
    /// Whether the event is taken alike, whatever it comes after.
    #[inline]
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.target, self.var, self.goes_on) == (other.target, other.var, other.goes_on)
    }
}

/// Part of a list that is still to be made: the ways down from a node, each followed by what was walked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ToDo {
    pub(super) newest: u32,
    /// The later it came up the sooner it is worked on, among equals.
    pub(super) rank: u32,
    pub(super) node: u32,
    pub(super) after: u32,
}

/// Memory that is reused from step to step.
#[derive(Debug, Default)]
pub(in crate::op::pattern) struct Work {
    pub(super) takes: Vec<Taking>,
    pub(super) next: Vec<Set>,
    pub(super) done: Vec<Part>,
    /// For each state of the automaton the place of its set in `next`, if it has one there.
    pub(super) places: Vec<u32>,
    pub(super) to_do: std::collections::BinaryHeap<ToDo>,
    /// Events taken, and which of these comes next in the match.
    pub(super) ways: Vec<(u32, u32)>,
    /// The matches found, by their first events in `ways`.
    pub(super) found: Vec<u32>,
}

impl Work {
    /// How many events the match has whose first is at a place in `ways`.
    pub(super) fn len(&self, first: u32) -> usize {
        std::iter::successors(self.ways.get(first as usize), |way| self.ways.get(way.1 as usize)).count()
    }
}
