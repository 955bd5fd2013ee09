//! Positions whose fences conditions ask for, looked up for some events at once: one by one each would wait for memory alone.
//!
//! What is fetched decides nothing. Rules with THROUGH see to theirs on their own.

use super::Subscription;
use crate::{
    expr::{Expr, Node, World},
    geo::Position,
    model::{EventRef, Value},
    plan::{self, Body, Plan},
};
use smallvec::SmallVec;

/// Of a stream's events a field, and the fence set that its positions are looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sight {
    stream: u32,
    slot: u16,
    set: u16,
}

/// The positions of a level's events that are looked up.
#[derive(Debug, Default)]
pub(super) struct Sights(Vec<Sight>);

impl Sights {
    /// Those of a level's rules, by stream.
    pub(super) fn of(plan: &Plan, level: &[Vec<Subscription>]) -> Self {
        let mut sights = Self::default();
        for to in level.iter().flatten() {
            if let Some(rule) = plan.rules.get(to.rule as usize)
                && let Some(input) = rule.inputs.get(to.input as usize)
            {
                let stream = input.stream.0;
                each_expr(rule, input, to.input as usize, &mut |expr| sights.add(stream, input, expr));
            }
        }
        sights
    }

    fn add(&mut self, stream: u32, input: &plan::Input, expr: &Expr) {
        for node in expr.nodes() {
            if let Node::Locate(set, position) = node
                && let Some(Node::Field(slot)) = expr.at(*position)
                && input.position_slot == Some(*slot)
            {
                let sight = Sight { stream, slot: *slot, set: *set };
                if !self.0.contains(&sight) {
                    self.0.push(sight);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fetches what these events will ask for.
    pub(super) fn fetch<'a>(&self, world: &World, events: impl Iterator<Item = EventRef<'a>> + Clone) {
        for &Sight { stream, slot, set } in &self.0 {
            let Some(fences) = world.set(set) else { continue };
            let of_stream = events.clone().filter(|event| event.stream.0 == stream);
            let positions = of_stream.filter_map(|event| match event.values.get(usize::from(slot)) {
                Some(Value::Point(position)) => Some(*position),
                _ => None,
            });
            fences.fetch(&positions.collect::<SmallVec<[Position; 32]>>());
        }
    }
}

/// What is asked of an input's events before anything is kept of them, or when a pattern sees them.
fn each_expr(rule: &plan::Rule, input: &plan::Input, at: usize, look: &mut dyn FnMut(&Expr)) {
    let own = input.before.iter().chain(&input.after).chain(&input.computed);
    own.chain(&input.key).chain(&input.prev).for_each(&mut *look);
    if let Body::Pattern(pattern) = &rule.body {
        let conditions = pattern.variables.iter().filter_map(|variable| variable.conditions.get(at)?.as_ref());
        conditions.for_each(look);
    }
}
