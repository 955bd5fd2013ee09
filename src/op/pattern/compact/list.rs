//! The matches of sets, one after the other.

use super::{
    node::{NOTHING, Node, Part},
    state::{Compact, ToDo, Work},
};

/// So many events the matches of one step hold at most, whatever their number.
const EVENTS_MAX: usize = 1_000_000;

impl Compact {
    /// Puts the matches of `work.done` into `work.found`, the latest start first, at most so many; how many more there are,
    /// at least.
    ///
    /// Each round takes what holds the newest start that is left, and goes down to a first event always on the side of the
    /// newest start; other sides are put aside. No way is in vain, so the time is linear in the events of the matches (but for
    /// the order among what is put aside).
    pub(super) fn list(&mut self, work: &mut Work, limit: usize) -> u64 {
        work.to_do.clear();
        work.ways.clear();
        work.found.clear();
        let mut rank = 0;
        for &part in work.done.iter().filter(|part| self.counts(**part)) {
            work.to_do.push(ToDo { newest: part.newest, rank, node: part.node, after: NOTHING });
            rank += 1;
        }
        while work.found.len() < limit && work.ways.len() < EVENTS_MAX {
            let Some(ToDo { newest, node, mut after, .. }) = work.to_do.pop() else { return 0 };
            let mut at = self.passed_by(Part { node, newest });
            while at.node != NOTHING {
                if let Some((left, right)) = self.sides(at.node, newest) {
                    if self.counts(right) {
                        work.to_do.push(ToDo { newest: right.newest, rank, node: right.node, after });
                        rank += 1;
                    }
                    at = left;
                } else {
                    work.ways.push((at.node, after));
                    after = (work.ways.len() - 1) as u32;
                    at = self.before(at.node, newest);
                }
            }
            work.found.push(after);
        }
        work.to_do.len() as u64
    }

    /// The event of a taken node.
    pub(super) fn event_at(&self, at: u32) -> Option<(u32, u16)> {
        match self.nodes.get(at as usize) {
            Some(&Node::Take { event, var, .. }) => Some((event, var)),
            _ => None,
        }
    }
}
