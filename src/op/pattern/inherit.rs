//! Partial matches of one partition go on in another: FOLLOW.
//!
//! Events of both have numbers of one order, so that an event that both hold is found to be one, and a partial match that came on
//! two ways is there once.

use super::{
    buffer::Buffer,
    heap,
    program::Program,
    state::{KeyState, NONE, Run, Scratch, Single},
};
use crate::model::{EventId, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

impl Program {
    /// Adds the partial matches of other states to those of a state: its own come first among those of one start, then
    /// those of the others in their order. Matches that are finished and wait stay where they are.
    pub fn inherit(&self, state: &mut KeyState, scratch: &mut Scratch, from: &[&KeyState]) {
        // What goes on in another partition is kept one by one.
        let from: Vec<&Single> = from.iter().filter_map(|other| other.single()).collect();
        if from.iter().all(|other| other.runs.len() <= 1) {
            return;
        }
        let state = state.single_mut();
        state.buffer.layout = self.layout;
        let mut next = std::mem::take(&mut scratch.next);
        next.clear();
        next.extend_from_slice(&state.runs);
        // How often each is there: a pattern may have led to the same place in two ways.
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        next.iter().for_each(|run| *known.entry(identity(run)).or_default() += 1);
        let mut places = Places::of(&state.buffer, &state.runs);
        for other in from {
            let (mut moved, mut seen) = (BTreeMap::new(), BTreeMap::new());
            // The match that has not begun is there once, too.
            for run in &other.runs {
                let node = places.adopt(&mut state.buffer, &other.buffer, run.node, &mut moved);
                let run = Run { node, ..*run };
                let (known, seen) = (known.entry(identity(&run)).or_default(), seen.entry(identity(&run)).or_insert(0));
                *seen += 1;
                if *seen > *known {
                    *known = *seen;
                    state.buffer.retain(node);
                    heap::push(&mut next, run);
                }
            }
        }
        // A node is made with a reference of its maker; now the runs have theirs.
        places.made.iter().rev().for_each(|&node| state.buffer.release(node));
        scratch.next = next;
        self.shed(state, scratch);
        state.replace(&scratch.next);
    }
}

impl KeyState {
    /// The number of the next event.
    pub fn number(&mut self, number: u64) {
        self.single_mut().next_seq = number;
    }

    /// Drops the partial matches that took nothing at this instant: they go on elsewhere.
    pub fn retire(&mut self, now_ms: TimeMs) {
        let single = self.single_mut();
        Single::drop_runs(&mut single.runs, &mut single.buffer, |run, buffer| {
            buffer.event_of(run.node).is_none_or(|event| event.time_ms < now_ms)
        });
        single.settle();
    }
}

/// What makes two partial matches the same, their nodes being of one buffer.
fn identity(run: &Run) -> (TimeMs, u64, TimeMs, TimeMs, u32, u16) {
    let Run { start_ms, start_seq, since_ms, deadline, node, state } = *run;
    (start_ms, start_seq, since_ms, deadline, node, state)
}

/// What a buffer holds, by what it is.
#[derive(Default)]
struct Places {
    events: BTreeMap<(u64, TimeMs, EventId), u32>,
    /// By the node before, the event and the variable; of several with other marks.
    nodes: BTreeMap<(u32, u32, u16), Vec<u32>>,
    /// Nodes that were made, in order.
    made: Vec<u32>,
}

impl Places {
    fn of(buffer: &Buffer, runs: &[Run]) -> Self {
        let mut places = Self::default();
        let mut seen = BTreeSet::new();
        for (at, node) in runs.iter().flat_map(|run| buffer.chain(run.node)) {
            if !seen.insert(at) {
                continue;
            }
            places.nodes.entry((node.prev, node.event, node.var)).or_default().push(at);
            if let Some(event) = buffer.event(node.event) {
                places.events.insert((event.seq, event.time_ms, event.id.clone()), node.event);
            }
        }
        places
    }

    /// The node of another buffer's chain here, made where there is none; `moved` are those of that buffer that are known.
    fn adopt(&mut self, to: &mut Buffer, from: &Buffer, node: u32, moved: &mut BTreeMap<u32, u32>) -> u32 {
        let chain: Vec<u32> = from.chain(node).map(|(at, _)| at).take_while(|at| !moved.contains_key(at)).collect();
        for &at in chain.iter().rev() {
            let Some(node) = from.node(at).copied() else { continue };
            let Some(event) = self.event(to, from, node.event) else { continue };
            let prev = moved.get(&node.prev).copied().unwrap_or(NONE);
            let same = self.nodes.entry((prev, event, node.var)).or_default();
            let known = same.iter().copied().find(|&known| to.marks(known) == from.marks(at));
            let own = known.unwrap_or_else(|| {
                let own = to.add_node(prev, event, node.var);
                for (slot, link) in (0..).zip(from.links(at)) {
                    let link = if *link == at { own } else { moved.get(link).copied().unwrap_or(NONE) };
                    to.set_link(own, slot, link);
                }
                for (slot, mark) in (0..).zip(from.marks(at)) {
                    to.set_mark(own, slot, *mark);
                }
                for (slot, fold) in from.folds(at).iter().enumerate() {
                    to.set_fold(own, slot, fold.clone());
                }
                same.push(own);
                self.made.push(own);
                own
            });
            moved.insert(at, own);
        }
        moved.get(&node).copied().unwrap_or(NONE)
    }

    fn event(&mut self, to: &mut Buffer, from: &Buffer, at: u32) -> Option<u32> {
        let event = from.event(at)?;
        let identity = (event.seq, event.time_ms, event.id.clone());
        Some(*self.events.entry(identity).or_insert_with(|| {
            let values = from.event_values(at).iter().cloned();
            to.add_event(event.seq, event.time_ms, event.id.clone(), values)
        }))
    }
}
