//! The one match that AFTER MATCH SKIP EAGER puts out, found without listing the others.

use super::{
    node::{NOTHING, Node},
    state::{Compact, Work},
};
use std::cmp::{Ordering, Reverse};

/// The best way down from a node.
#[derive(Clone, Copy)]
struct Best {
    /// Its first event and how many it has.
    start: u32,
    len: u32,
    /// Its last event's node.
    top: u32,
    /// For that node: the last event's node of the way before it.
    before: u32,
}

const NO_WAY: Best = Best { start: NOTHING, len: 0, top: NOTHING, before: NOTHING };

impl Compact {
    /// The place in `work.ways` where the best match of `work.done` begins: the earliest start, of those the longest, of
    /// those the one whose last event is the earliest, and so on backwards.
    pub(super) fn choose(&self, work: &mut Work) -> Option<u32> {
        let roots = work.done.iter().filter(|part| self.counts(**part)).map(|part| part.node);
        let reached = self.reached(roots.clone());
        let mut best = vec![NO_WAY; reached.len()];
        for at in 0..reached.len() {
            if !reached[at] {
                continue;
            }
            best[at] = match self.nodes[at] {
                Node::Take { event, before: NOTHING, .. } if event < self.floor => NO_WAY,
                Node::Take { event, before: NOTHING, .. } => {
                    Best { start: event, len: 1, top: at as u32, before: NOTHING }
                }
                Node::Take { before, .. } => match best[before as usize] {
                    Best { top: NOTHING, .. } => NO_WAY,
                    Best { start, len, top, .. } => Best { start, len: len + 1, top: at as u32, before: top },
                },
                Node::Either { left, right, .. } => self.better(&best, best[left as usize], best[right as usize]),
            };
        }
        let ways = roots.map(|root| best[root as usize]);
        let way = ways.reduce(|a, b| self.better(&best, a, b)).filter(|way| way.top != NOTHING)?;
        work.ways.clear();
        let (mut at, mut after) = (way.top, NOTHING);
        while at != NOTHING {
            work.ways.push((at, after));
            after = (work.ways.len() - 1) as u32;
            at = best[at as usize].before;
        }
        Some(after)
    }

    fn better(&self, best: &[Best], a: Best, b: Best) -> Best {
        let key = |way: Best| (way.start, Reverse(way.len));
        match key(a).cmp(&key(b)).then_with(|| self.backwards(best, a.top, b.top)) {
            Ordering::Greater => b,
            Ordering::Less | Ordering::Equal => a,
        }
    }

    /// Compares two ways from their last events on.
    fn backwards(&self, best: &[Best], mut a: u32, mut b: u32) -> Ordering {
        while a != b {
            match self.event_at(a).cmp(&self.event_at(b)) {
                Ordering::Equal => (a, b) = (best[a as usize].before, best[b as usize].before),
                other => return other,
            }
            if a == NOTHING || b == NOTHING {
                break;
            }
        }
        Ordering::Equal
    }
}
