//! Regions end, and their ids never come again: what a rule keeps of one may be forgotten then.
//!
//! Only where a rule reads the stream of a CLUSTER rule itself, and a region is a partition of it.

use crate::{
    expr::Node,
    model::Value,
    plan::{Body, Plan, RegionEnd, RegionField, Rule, StreamOrigin},
};

/// How it is known that an event is the last of its partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending(RegionEnd);

impl Ending {
    /// Of a rule whose partitions are regions of the only stream that it reads: others could have events for one that ended.
    pub(super) fn of(plan: &Plan, rule: &Rule) -> Option<Self> {
        let [input] = rule.inputs.as_slice() else { return None };
        let StreamOrigin::Rule(origin) = plan.streams.get(input.stream.0 as usize)?.origin else { return None };
        let origin = plan.rules.get(origin as usize).filter(|origin| matches!(origin.body, Body::Cluster(_)))?;
        let has = |slot: u16| input.key.iter().any(|expr| matches!(expr.nodes(), [Node::Field(part)] if *part == slot));
        // An id is one of its key: another key may have the same. The key's parts are the first outputs.
        let whole = has(origin.region_slot(RegionField::Region)?) && (0..origin.key.len()).all(|part| has(part as u16));
        RegionEnd::of(origin).filter(|_| whole).map(Self)
    }

    /// Whether an event with these values is its region's last.
    pub(super) fn is_last(self, values: &[Value]) -> bool {
        self.0.is_last(values)
    }
}
