//! Regions end, and their ids never come again: what a rule keeps of one may be forgotten then.
//!
//! Only where a rule reads the stream of a CLUSTER rule itself, and a region is a partition of it.

use crate::{
    expr::{Expr, Node},
    model::Value,
    plan::{Body, Plan, RegionField, Rule, StreamOrigin},
};

/// By which slots of an event it is known that it is the last of its partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    transition: u16,
    displacement: u16,
}

impl Ending {
    /// Of a rule whose partitions are regions of the only stream that it reads: others could have events for one that ended.
    pub(super) fn of(plan: &Plan, rule: &Rule) -> Option<Self> {
        let [input] = rule.inputs.as_slice() else { return None };
        let StreamOrigin::Rule(origin) = plan.streams.get(input.stream.0 as usize)?.origin else { return None };
        let origin = plan.rules.get(origin as usize).filter(|origin| matches!(origin.body, Body::Cluster(_)))?;
        let slot = |field: RegionField| {
            let is = |expr: &Expr| matches!(expr.nodes(), [Node::Extra(slot)] if *slot == field.slot());
            let mut outputs = origin.outputs.iter().zip(0u16..);
            outputs.find(|(output, _)| output.exprs.first().is_some_and(is)).map(|(_, slot)| slot)
        };
        let has = |slot: u16| input.key.iter().any(|expr| matches!(expr.nodes(), [Node::Field(part)] if *part == slot));
        // An id is one of its key: another key may have the same. The key's parts are the first outputs.
        let whole = has(slot(RegionField::Region)?) && (0..origin.key.len()).all(|part| has(part as u16));
        let (transition, displacement) = (slot(RegionField::Transition)?, slot(RegionField::Displacement)?);
        whole.then_some(Self { transition, displacement })
    }

    /// Whether an event with these values is its region's last.
    pub(super) fn is_last(self, values: &[Value]) -> bool {
        let value = |slot: u16| values.get(usize::from(slot)).unwrap_or(&Value::Null);
        match value(self.transition) {
            Value::Text(word) => match &**word {
                "absorbed" | "dissolved" => true,
                // The part that keeps the id says how far it is from where the whole was.
                "split" => value(self.displacement).is_null(),
                _ => false,
            },
            _ => false,
        }
    }
}
