//! The events that partial matches have taken. Each event is kept once. A match is a chain of nodes, newest first, one per
//! event taken; matches with the same beginning share its nodes. What nobody refers to any more is freed and its place used
//! again.

use super::{fold::Fold, state::NONE};
use crate::model::{EventId, TimeMs, Value};

/// How many of what a node and an event hold; the same for all of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Kept values of an event.
    pub(super) values: usize,
    /// Shortcuts of a node to other nodes of its match.
    pub(super) links: usize,
    /// Aggregates over all events and of a node's variable, at most.
    pub(super) folds: usize,
    /// Loops that remember when they began.
    pub(super) marks: usize,
}

/// An event that was taken.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) seq: u64,
    pub(super) time_ms: TimeMs,
    pub(super) id: EventId,
    refs: u32,
    stamp: u32,
}

/// An event taken for a variable after the nodes before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) event: u32,
    pub(super) prev: u32,
    /// How many nodes the chain has.
    pub(super) len: u32,
    refs: u32,
    pub(super) var: u16,
}

/// A partition's events and chains. The flat vectors hold `layout` many entries for each event or node.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    pub(super) layout: Layout,
    events: Vec<Event>,
    values: Vec<Value>,
    free_events: Vec<u32>,
    nodes: Vec<Node>,
    links: Vec<u32>,
    folds: Vec<Fold>,
    marks: Vec<TimeMs>,
    free_nodes: Vec<u32>,
    stamp: u32,
}

/// A loop that has not begun.
pub(super) const UNMARKED: TimeMs = TimeMs::MIN;

/// Memory for so many events is kept when nothing is held.
const KEPT: usize = 16;

impl Buffer {
    /// An empty buffer.
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// Forgets everything; nothing is referred to any more.
    pub(super) fn reset(&mut self) {
        if self.nodes.capacity() > KEPT || self.events.capacity() > KEPT {
            *self = Self { layout: self.layout, ..Self::default() };
            return;
        }
        self.clear(self.layout);
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self, layout: Layout) {
        self.layout = layout;
        self.events.clear();
        self.values.clear();
        self.free_events.clear();
        self.nodes.clear();
        self.links.clear();
        self.folds.clear();
        self.marks.clear();
        self.free_nodes.clear();
    }

    /// Looks at what is used next.
    pub(super) fn touch(&self) -> u64 {
        let event = self.events.last().map_or(0, |event| event.seq);
        let node = self.nodes.last().map_or(0, |node| node.event);
        event ^ u64::from(node) ^ u64::from(self.links.last().copied().unwrap_or(0)) ^ self.values.len() as u64
    }

    /// How many nodes are in use.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free_nodes.len()
    }

    /// Keeps an event that nothing refers to yet.
    pub(super) fn add_event(
        &mut self,
        seq: u64,
        time_ms: TimeMs,
        id: EventId,
        values: impl Iterator<Item = Value>,
    ) -> u32 {
        let event = Event { seq, time_ms, id, refs: 0, stamp: 0 };
        match self.free_events.pop() {
            Some(at) => {
                self.events[at as usize] = event;
                let start = at as usize * self.layout.values;
                for (place, value) in self.values[start..start + self.layout.values].iter_mut().zip(values) {
                    *place = value;
                }
                at
            }
            None => {
                self.events.push(event);
                self.values.extend(values.take(self.layout.values));
                self.values.resize(self.events.len() * self.layout.values, Value::Null);
                (self.events.len() - 1) as u32
            }
        }
    }

    /// Frees an event if nothing refers to it.
    pub(super) fn drop_unused_event(&mut self, event: u32) {
        if self.events[event as usize].refs == 0 {
            let start = event as usize * self.layout.values;
            self.values[start..start + self.layout.values].fill(Value::Null);
            self.free_events.push(event);
        }
    }

    /// Adds a node, with one reference to it. Its shortcuts and marks are those of `prev`, its folds empty.
    pub(super) fn add_node(&mut self, prev: u32, event: u32, var: u16) -> u32 {
        let len = self.node(prev).map_or(1, |node| node.len.saturating_add(1));
        if let Some(node) = self.nodes.get_mut(prev as usize) {
            node.refs += 1;
        }
        self.events[event as usize].refs += 1;
        let node = Node { event, prev, len, refs: 1, var };
        let Layout { links, folds, marks, .. } = self.layout;
        let at = match self.free_nodes.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at as usize
            }
            None => {
                self.nodes.push(node);
                // Most programs have none of some of these.
                if links > 0 {
                    self.links.resize(self.nodes.len() * links, NONE);
                }
                if folds > 0 {
                    self.folds.resize(self.nodes.len() * folds, Fold::Empty);
                }
                if marks > 0 {
                    self.marks.resize(self.nodes.len() * marks, UNMARKED);
                }
                self.nodes.len() - 1
            }
        };
        if links + marks == 0 {
            return at as u32;
        }
        match prev {
            NONE => {
                self.links[at * links..(at + 1) * links].fill(NONE);
                self.marks[at * marks..(at + 1) * marks].fill(UNMARKED);
            }
            prev => {
                let prev = prev as usize;
                self.links.copy_within(prev * links..(prev + 1) * links, at * links);
                self.marks.copy_within(prev * marks..(prev + 1) * marks, at * marks);
            }
        }
        at as u32
    }

    /// One more reference to a node.
    pub(super) fn retain(&mut self, node: u32) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.refs += 1;
        }
    }

    /// One reference less; what nothing refers to any more is freed, back along the chain.
    pub(super) fn release(&mut self, mut at: u32) {
        while let Some(node) = self.nodes.get_mut(at as usize) {
            node.refs -= 1;
            if node.refs > 0 {
                return;
            }
            let (event, prev) = (node.event, node.prev);
            let folds = self.layout.folds;
            self.folds[at as usize * folds..(at as usize + 1) * folds].fill(Fold::Empty);
            self.free_nodes.push(at);
            self.events[event as usize].refs -= 1;
            self.drop_unused_event(event);
            at = prev;
        }
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    pub(super) fn event(&self, at: u32) -> Option<&Event> {
        self.events.get(at as usize)
    }

    /// The event of a node.
    pub(super) fn event_of(&self, node: u32) -> Option<&Event> {
        self.event(self.node(node)?.event)
    }

    /// A kept value of a node's event.
    pub(super) fn value(&self, node: u32, slot: u16) -> Option<&Value> {
        let event = self.node(node)?.event as usize;
        self.values_of(event).get(usize::from(slot))
    }

    fn values_of(&self, event: usize) -> &[Value] {
        self.values.get(event * self.layout.values..(event + 1) * self.layout.values).unwrap_or_default()
    }

    /// The kept values of an event.
    pub(super) fn event_values(&self, event: u32) -> &[Value] {
        self.values_of(event as usize)
    }

    pub(super) fn links(&self, node: u32) -> &[u32] {
        let (at, links) = (node as usize, self.layout.links);
        self.links.get(at * links..(at + 1) * links).unwrap_or_default()
    }

    pub(super) fn set_link(&mut self, node: u32, slot: u16, to: u32) {
        let at = node as usize * self.layout.links + usize::from(slot);
        if let Some(link) = self.links.get_mut(at) {
            *link = to;
        }
    }

    pub(super) fn folds(&self, node: u32) -> &[Fold] {
        let (at, folds) = (node as usize, self.layout.folds);
        self.folds.get(at * folds..(at + 1) * folds).unwrap_or_default()
    }

    pub(super) fn set_fold(&mut self, node: u32, slot: usize, fold: Fold) {
        if let Some(place) = self.folds.get_mut(node as usize * self.layout.folds + slot) {
            *place = fold;
        }
    }

    pub(super) fn marks(&self, node: u32) -> &[TimeMs] {
        let (at, marks) = (node as usize, self.layout.marks);
        self.marks.get(at * marks..(at + 1) * marks).unwrap_or_default()
    }

    pub(super) fn set_mark(&mut self, node: u32, slot: u16, to: TimeMs) {
        let at = node as usize * self.layout.marks + usize::from(slot);
        if let Some(mark) = self.marks.get_mut(at) {
            *mark = to;
        }
    }

    /// The chain that ends with a node, newest first.
    pub(super) fn chain(&self, node: u32) -> impl Iterator<Item = (u32, &Node)> {
        let mut at = node;
        std::iter::from_fn(move || {
            let here = at;
            let node = self.node(here)?;
            at = node.prev;
            Some((here, node))
        })
    }

    /// Stamps the events of a chain, so that [`Buffer::shares`] finds them.
    pub(super) fn stamp(&mut self, node: u32) {
        self.stamp = self.stamp.wrapping_add(1).max(1);
        let mut at = node;
        while let Some(node) = self.nodes.get(at as usize) {
            self.events[node.event as usize].stamp = self.stamp;
            at = node.prev;
        }
    }

    /// Whether a chain has an event of the chain stamped last.
    pub(super) fn shares(&self, node: u32) -> bool {
        self.chain(node).any(|(_, node)| self.events[node.event as usize].stamp == self.stamp)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let values: usize = self.values.iter().map(Value::heap_bytes).sum();
        let folds: usize = self.folds.iter().map(Fold::heap_bytes).sum();
        let ids: usize = self.events.iter().map(|event| id_bytes(&event.id)).sum();
        self.events.capacity() * size_of::<Event>()
            + self.values.capacity() * size_of::<Value>()
            + self.nodes.capacity() * size_of::<Node>()
            + self.folds.capacity() * size_of::<Fold>()
            + self.marks.capacity() * size_of::<TimeMs>()
            + (self.links.capacity() + self.free_events.capacity() + self.free_nodes.capacity()) * size_of::<u32>()
            + values
            + folds
            + ids
    }
}

pub(super) fn id_bytes(id: &EventId) -> usize {
    match id {
        EventId::Field(text) => text.heap_bytes(),
        EventId::Offset { .. } => 0,
    }
}
