//! An event is appended to a partial match: with the shortcuts and the aggregates of the node that stands for it.

use super::{
    buffer::Buffer,
    program::{Program, looks_at},
    state::NONE,
    view::last_of,
};
use crate::{expr::Var, model::Value};

impl Program {
    /// The node of an event after `prev`. `summand`: what the aggregate with an index takes of the event, null for nothing.
    pub(super) fn append(
        &self,
        buffer: &mut Buffer,
        prev: u32,
        event: u32,
        var: u16,
        summand: impl Fn(usize) -> Value,
    ) -> u32 {
        let before = last_of(self, buffer, prev, var);
        let node = buffer.add_node(prev, event, var);
        if let Some(Some(slot)) = self.last_links.get(usize::from(var)) {
            buffer.set_link(node, *slot, node);
        }
        let first = self.first_links.get(usize::from(var)).copied().flatten();
        for slot in first.into_iter().chain(self.first_any) {
            if buffer.links(node).get(usize::from(slot)) == Some(&NONE) {
                buffer.set_link(node, slot, node);
            }
        }
        if self.layout.folds > 0 {
            self.fold(buffer, node, before, var, summand);
        }
        node
    }

    /// Whether an aggregate over `of` looks at the events of `var`.
    pub(super) fn counts_for(&self, of: u16, var: u16) -> bool {
        looks_at(of, var)
    }

    fn fold(&self, buffer: &mut Buffer, node: u32, before: Option<u32>, var: u16, summand: impl Fn(usize) -> Value) {
        let places = self.fold_slots.iter().zip(&self.new_links);
        for (ix, ((of, aggregate), (&slot, &link))) in self.aggregates.iter().zip(places).enumerate() {
            // Over all events of the match every node goes on from the one before it.
            let before = match *of {
                Var::ANY => buffer.node(node).map(|node| node.prev).filter(|&prev| prev != NONE),
                of if of == var => before,
                _ => continue,
            };
            let value = summand(ix);
            let old = before.and_then(|node| buffer.folds(node).get(slot)).cloned().unwrap_or_default();
            if value.is_null() {
                buffer.set_fold(node, slot, old);
                continue;
            }
            let mut is_new = false;
            let new = old.with(aggregate.kind, value, |value| {
                // Only events that brought a new value are looked at, each of which leads to the one before.
                let at = |node: u32| buffer.links(node).get(usize::from(link?)).copied().filter(|at| *at != NONE);
                let chain = std::iter::successors(at(node), |last| at(buffer.node(*last)?.prev));
                is_new =
                    !chain.into_iter().any(|node| buffer.folds(node).get(slot).is_some_and(|fold| fold.met(value)));
                !is_new
            });
            if let (true, Some(link)) = (is_new, link) {
                buffer.set_link(node, link, node);
            }
            buffer.set_fold(node, slot, new);
        }
    }
}
