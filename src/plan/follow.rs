//! FOLLOW: what is open of a region goes on where the region does.

use super::{RegionField, Rule};
use crate::{
    expr::{Expr, Node},
    model::Value,
};

/// `PARTITION BY region FOLLOW parents`: partial matches of a region go on in those that it is a parent of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The component of the key that is followed.
    pub part: u16,
    /// For each input where its events name the parents; none: its events have none.
    pub inputs: Vec<Option<Lineage>>,
}

/// Where an event says which regions its own comes from, and whether its own ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The slot of the list of ids.
    pub parents: u16,
    /// Whether it is the region's last event.
    pub end: RegionEnd,
}

/// By which slots of a CLUSTER rule's event it is known that it is the last of its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionEnd {
    transition: u16,
    displacement: u16,
}

impl RegionEnd {
    /// Of the events of a CLUSTER rule, if it puts out what tells.
    pub fn of(origin: &Rule) -> Option<Self> {
        let slot = |field| origin.region_slot(field);
        Some(Self { transition: slot(RegionField::Transition)?, displacement: slot(RegionField::Displacement)? })
    }

    /// Whether an event with these values is its region's last.
    pub fn is_last(self, values: &[Value]) -> bool {
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

impl Rule {
    /// The slot in which a rule with CLUSTER puts out a field of its regions; a measure may have taken the name.
    pub fn region_slot(&self, field: RegionField) -> Option<u16> {
        let is = |expr: &Expr| matches!(expr.nodes(), [Node::Extra(slot)] if *slot == field.slot());
        let mut outputs = self.outputs.iter().zip(0u16..);
        outputs.find(|(output, _)| output.exprs.first().is_some_and(is)).map(|(_, slot)| slot)
    }
}
