//! HAVING. Of most windows that close a count is too low; and what it says of a window that no event came to can be known beforehand.

use super::{Span, state::WindowBound};
use crate::{
    expr::{Compare, Env, Expr, Node, NodeId, Nothing, World},
    model::{EventRef, Header, Key, StreamId, Value},
    op::aggregate::Accumulator,
    plan::AggregateKind,
};

/// The condition of results.
#[derive(Clone, Debug)]
pub(super) struct Having {
    condition: Expr,
    /// A count, by its index, that has to be at least so large.
    least: Option<(usize, u64)>,
    /// Whether it is known to drop the results of windows that no event came to.
    drops_empty: bool,
}

impl Having {
    pub(super) fn new(condition: &Expr, kinds: &[AggregateKind]) -> Self {
        Self {
            least: least(condition, condition.root(), kinds),
            drops_empty: drops_empty(condition, kinds),
            condition: condition.clone(),
        }
    }

    pub(super) fn drops_empty(&self) -> bool {
        self.drops_empty
    }

    /// Whether a window with these aggregates can hold; a look at a number, as that is asked of each.
    #[inline]
    pub(super) fn may_hold(&self, accumulators: &[Accumulator]) -> bool {
        let Some((at, least)) = self.least else { return true };
        accumulators.get(at).and_then(Accumulator::count).is_none_or(|count| count >= least)
    }

    pub(super) fn holds(&self, env: &Env<'_>) -> bool {
        self.condition.is_true(env)
    }
}

/// The count that has to be so large for a condition to be true, if it is one that says so.
fn least(condition: &Expr, id: NodeId, kinds: &[AggregateKind]) -> Option<(usize, u64)> {
    match condition.at(id)? {
        Node::And(all) => all.iter().find_map(|&id| least(condition, id, kinds)),
        Node::CompareInt(compare, count, bound) => {
            let (Node::Aggregate(ix), Node::Const(Value::Int(bound))) = (condition.at(*count)?, condition.at(*bound)?)
            else {
                return None;
            };
            let least = match compare {
                Compare::Ge | Compare::Eq => *bound,
                Compare::Gt => bound.checked_add(1)?,
                Compare::Ne | Compare::Lt | Compare::Le => return None,
            };
            let at = usize::from(*ix);
            let counts = kinds.get(at) == Some(&AggregateKind::Count);
            counts.then_some((at, u64::try_from(least).ok()?))
        }
        _ => None,
    }
}

/// Whether a condition that looks at aggregates alone isn't true of those of no event.
fn drops_empty(condition: &Expr, kinds: &[AggregateKind]) -> bool {
    let looks_at_aggregates = |node: &Node| {
        matches!(
            node,
            Node::Const(_)
                | Node::Aggregate(_)
                | Node::Not(_)
                | Node::And(_)
                | Node::Or(_)
                | Node::CompareFloat(..)
                | Node::CompareInt(..)
                | Node::CompareValue(..)
                | Node::Arith(..)
                | Node::Neg(_)
                | Node::Scale(..)
                | Node::IsNull(_)
                | Node::In(..)
                | Node::Case(..)
        )
    };
    if !condition.nodes().iter().all(looks_at_aggregates) {
        return false;
    }
    let blank: Vec<Accumulator> = kinds.iter().map(|kind| Accumulator::new(*kind)).collect();
    let span = Span { start_ms: 0, end_ms: 0 };
    let bound = WindowBound { span, accumulators: &blank, running: &[], revision: 0 };
    let header = Header { time_ms: 0, partition: 0, offset: 0 };
    let env = Env {
        event: EventRef { stream: StreamId(u32::MAX), header: &header, values: &[] },
        extra: &[],
        previous: None,
        computed: (&[], &[]),
        key: &Key::default(),
        bound: &Nothing,
        world: &World::default(),
    };
    !condition.is_true(&env.with_bound(&bound))
}
