//! What can't be part of a match any more is freed.

use super::{
    node::{NOTHING, Node, Part},
    state::{Compact, Set},
};
use crate::model::TimeMs;
use smallvec::{SmallVec, smallvec};

/// The nodes of most partitions are no more.
pub(super) const FEW: usize = 64;

/// What is known of an event while garbage is collected.
#[derive(Clone, Copy)]
struct Mark {
    used: bool,
    begins: bool,
    counted: bool,
    place: u32,
}

impl Default for Mark {
    fn default() -> Self {
        Self { used: false, begins: false, counted: false, place: NOTHING }
    }
}

impl Compact {
    /// The nodes that count and can be reached.
    pub(super) fn reached(&self, roots: impl Iterator<Item = u32>) -> SmallVec<[bool; FEW]> {
        let mut reached: SmallVec<[bool; FEW]> = smallvec![false; self.nodes.len()];
        let mut last = 0;
        for root in roots {
            if let Some(place) = reached.get_mut(root as usize) {
                *place = true;
                last = last.max(root as usize + 1);
            }
        }
        reached.truncate(last);
        // Parts have lower numbers.
        for at in (0..last).rev() {
            if !reached[at] {
                continue;
            }
            match self.nodes[at] {
                Node::Take { before: NOTHING, .. } => {}
                Node::Take { before, .. } => reached[before as usize] = true,
                Node::Either { left, right, newest } => {
                    reached[left as usize] = true;
                    reached[right as usize] |= newest >= self.floor;
                }
            }
        }
        reached
    }

    /// Whether there may be as much to free as to keep.
    pub(super) fn is_due(&self) -> bool {
        self.nodes.len().saturating_add(self.spared as usize)
            >= (self.kept as usize).saturating_mul(2).saturating_add(8)
    }

    /// Keeps of the events that began something those whose partial matches are still open.
    pub(super) fn count_starts(&mut self) {
        let reached = self.reached(self.sets.iter().map(|set| set.part.node));
        let mut begins = vec![false; self.events.len()];
        for (node, _) in self.nodes.iter().zip(&reached).filter(|(_, reached)| **reached) {
            if let Node::Take { event, before: NOTHING, .. } = *node {
                begins[event as usize] = true;
            }
        }
        self.starts.retain(|start| begins[start as usize]);
    }

    /// Ends the partial matches that began first, but for those that began with so many events; with how many the others did.
    pub(super) fn shed(&mut self, keep: usize, within_ms: Option<TimeMs>) -> u64 {
        let gone = self.starts.as_slice().len().saturating_sub(keep);
        self.floor = match self.starts.as_slice().get(gone) {
            Some(&start) => start,
            None => self.events.len() as u32,
        };
        self.settle(within_ms);
        gone as u64
    }

    /// Keeps the nodes and events that the sets lead to; unions of which one side is over are no more.
    pub(super) fn collect(&mut self) {
        self.keep_reached(|begins, _| begins);
    }

    /// As [`Self::collect`], but what counts as begun goes on to: how much is open bounds what is taken in, and that must not depend on when
    /// a state was saved.
    pub(super) fn collect_for_save(&mut self) {
        self.keep_reached(|_, counted| counted);
    }

    /// Keeps what the sets lead to, where it lies, and as starts the events that `is_start` picks, by whether they begin an open match and
    /// whether they were counted so far.
    fn keep_reached(&mut self, is_start: impl Fn(bool, bool) -> bool) {
        let reached = self.reached(self.sets.iter().map(|set| set.part.node));
        let mut marks: SmallVec<[Mark; FEW]> = smallvec![Mark::default(); self.events.len()];
        for (node, _) in self.nodes.iter().zip(&reached).filter(|(_, reached)| **reached) {
            if let Node::Take { event, before, .. } = *node {
                marks[event as usize].used = true;
                marks[event as usize].begins |= before == NOTHING;
            }
        }
        self.starts.as_slice().iter().for_each(|start| marks[*start as usize].counted = true);
        self.starts.clear();
        let (mut kept, mut floor, width) = (0, None, self.width as usize);
        for (at, mark) in marks.iter_mut().enumerate() {
            let starts = is_start(mark.begins, mark.counted);
            if !mark.used && !starts {
                continue;
            }
            mark.place = kept as u32;
            self.events.swap(kept, at);
            for value in 0..width {
                self.values.swap(kept * width + value, at * width + value);
            }
            if starts {
                self.starts.push(mark.place);
            }
            if at >= self.floor as usize {
                floor = floor.or(Some(mark.place));
            }
            kept += 1;
        }
        self.events.truncate(kept);
        self.values.truncate(kept * width);
        self.floor = floor.unwrap_or(kept as u32);
        let mut places: SmallVec<[u32; FEW]> = smallvec![NOTHING; reached.len()];
        let place = |places: &[u32], at: u32| places.get(at as usize).copied().unwrap_or(NOTHING);
        let mut kept = 0;
        for at in 0..reached.len() {
            if !reached[at] {
                continue;
            }
            let node = match self.nodes[at] {
                Node::Take { event, before, var } => {
                    Node::Take { event: marks[event as usize].place, before: place(&places, before), var }
                }
                Node::Either { left, right, newest } => match place(&places, right) {
                    NOTHING => {
                        places[at] = place(&places, left);
                        continue;
                    }
                    right => {
                        let newest = marks[newest as usize].place;
                        Node::Either { left: place(&places, left), right, newest }
                    }
                },
            };
            places[at] = kept as u32;
            self.nodes[kept] = node;
            kept += 1;
        }
        self.nodes.truncate(kept);
        for set in &mut self.sets {
            let Part { node, newest } = set.part;
            set.part = Part { node: place(&places, node), newest: marks[newest as usize].place };
        }
        (self.kept, self.spared) = (self.nodes.len() as u32, 0);
        // What was much once need not stay so.
        if self.nodes.capacity() > FEW.max(4 * kept) {
            self.nodes.shrink_to(2 * kept);
            self.events.shrink_to(2 * self.events.len());
            self.values.shrink_to(2 * self.values.len());
        }
    }

    /// Ends all partial matches, and all of `done`, that hold one of these events.
    pub(super) fn forget(&mut self, dead: &[bool], done: &mut Vec<Part>) {
        done.retain(|part| part.newest >= self.floor);
        let roots = self.sets.iter().map(|set| set.part).chain(done.iter().copied()).map(|part| part.node);
        let reached = self.reached(roots);
        let mut nodes: Vec<Node> = Vec::new();
        let mut places = vec![Part::NONE; reached.len()];
        for at in 0..reached.len() {
            if !reached[at] {
                continue;
            }
            let part = match self.nodes[at] {
                Node::Take { event, .. } if dead[event as usize] => continue,
                Node::Take { event, before: NOTHING, var } => {
                    if event < self.floor {
                        continue;
                    }
                    nodes.push(Node::Take { event, before: NOTHING, var });
                    Part { node: (nodes.len() - 1) as u32, newest: event }
                }
                Node::Take { event, before, var } => {
                    let Part { node, newest } = places[before as usize];
                    if node == NOTHING {
                        continue;
                    }
                    nodes.push(Node::Take { event, before: node, var });
                    Part { node: (nodes.len() - 1) as u32, newest }
                }
                Node::Either { left, right, .. } => match (places[left as usize], places[right as usize]) {
                    (only, Part { node: NOTHING, .. }) | (Part { node: NOTHING, .. }, only) => only,
                    (left, right) => {
                        let (left, right) = if left.newest < right.newest { (right, left) } else { (left, right) };
                        nodes.push(Node::Either { left: left.node, right: right.node, newest: right.newest });
                        Part { node: (nodes.len() - 1) as u32, newest: left.newest }
                    }
                },
            };
            places[at] = part;
        }
        let moved = |part: Part| places.get(part.node as usize).copied().unwrap_or(Part::NONE);
        let sets = self.sets.iter().map(|set| Set { part: moved(set.part), ..*set });
        self.sets = sets.filter(|set| set.part.node != NOTHING).collect();
        let left = done.iter().map(|part| moved(*part)).filter(|part| part.node != NOTHING);
        *done = left.collect();
        (self.nodes, self.spared) = (nodes, 0);
    }
}
