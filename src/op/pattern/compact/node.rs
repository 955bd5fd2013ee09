//! The graph: sets of partial matches, made in constant time from smaller ones.

use super::state::Compact;

/// No node: what comes before the first event of a match.
pub(super) const NOTHING: u32 = u32::MAX;

/// A set of partial matches. Events and nodes are numbered by their place in [`Compact`]; a node's parts have lower numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Those of `before`, each with an event more, taken for a variable.
    Take { event: u32, before: u32, var: u16 },
    /// Those of two sets. The newest start of all is on the left; `newest` is that of the right.
    Either { left: u32, right: u32, newest: u32 },
}

/// A set and its newest start, the number of an event. What began before [`Compact::floor`] doesn't count any more, so a set
/// is over when its newest start is; that is known without looking at its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::op::pattern) struct Part {
    pub(super) node: u32,
    pub(super) newest: u32,
}

impl Part {
    /// No set.
    pub(super) const NONE: Part = Part { node: NOTHING, newest: 0 };
}

impl Compact {
    /// Whether a set holds anything that counts.
    pub(super) fn counts(&self, part: Part) -> bool {
        part.node != NOTHING && part.newest >= self.floor
    }

    fn add(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    /// The matches of a set with one more event each; of no set: the match of that event.
    pub(super) fn take(&mut self, before: Part, event: u32, var: u16) -> Part {
        let newest = if before.node == NOTHING { event } else { before.newest };
        Part { node: self.add(Node::Take { event, before: before.node, var }), newest }
    }

    /// All matches of both sets; what both have is there twice.
    pub(super) fn either(&mut self, a: Part, b: Part) -> Part {
        let (a, b) = (self.passed_by(a), self.passed_by(b));
        if !self.counts(a) || !self.counts(b) {
            return if self.counts(a) { a } else { b };
        }
        // Of equal ones a single event stands left, so that ways to the left stay short.
        let single = |part: Part| matches!(self.nodes.get(part.node as usize), Some(Node::Take { .. }));
        let swap = a.newest < b.newest || a.newest == b.newest && single(b) && !single(a);
        let (left, right) = if swap { (b, a) } else { (a, b) };
        let node = Node::Either { left: left.node, right: right.node, newest: right.newest };
        Part { node: self.add(node), newest: left.newest }
    }

    /// The same set, its root no union of which one side is over. Such unions are cut out of the ways that were walked, so
    /// that each is passed by about once.
    pub(super) fn passed_by(&mut self, part: Part) -> Part {
        let mut at = part.node;
        while let Some(next) = self.only_left(at) {
            if let (Some(after), Some(Node::Either { left, .. })) =
                (self.only_left(next), self.nodes.get_mut(at as usize))
            {
                *left = after;
            }
            at = next;
        }
        Part { node: at, ..part }
    }

    /// The left of a union whose right is over.
    fn only_left(&self, at: u32) -> Option<u32> {
        match self.nodes.get(at as usize) {
            Some(&Node::Either { left, newest, .. }) if newest < self.floor => Some(left),
            _ => None,
        }
    }

    /// What a taken event comes after, `NONE` where it is the first; passed by what is over.
    pub(super) fn before(&mut self, at: u32, newest: u32) -> Part {
        let Some(&Node::Take { before, .. }) = self.nodes.get(at as usize) else { return Part::NONE };
        if before == NOTHING {
            return Part::NONE;
        }
        let found = self.passed_by(Part { node: before, newest });
        if let Some(Node::Take { before, .. }) = self.nodes.get_mut(at as usize) {
            *before = found.node;
        }
        found
    }

    /// Both sides of a union that is not over, passed by what is over; the right may be over.
    pub(super) fn sides(&mut self, at: u32, of: u32) -> Option<(Part, Part)> {
        let Some(&Node::Either { left, right, newest }) = self.nodes.get(at as usize) else { return None };
        let (found, other) = (self.passed_by(Part { node: left, newest: of }), Part { node: right, newest });
        let other = if self.counts(other) { self.passed_by(other) } else { other };
        if let Some(Node::Either { left, right, .. }) = self.nodes.get_mut(at as usize) {
            (*left, *right) = (found.node, other.node);
        }
        Some((found, other))
    }
}
