//! Outputs to alert lines: what a rule's alerts share is taken from the plan once, names are looked up in the world.

use super::Output;
use crate::{
    expr::World,
    model::{FenceRef, StreamId},
    plan::{Body, Plan, Role, Rule, TemplatePart},
    wire::{AlertEncoder as RuleEncoder, AlertField, AlertId, AlertShape, FieldRole, Names, Output as Line, Piece},
};
use std::sync::Arc;

/// Writes the alerts of all rules of a plan.
#[derive(Debug)]
pub struct AlertEncoder {
    rules: Vec<RuleEncoder>,
    names: PlanNames,
}

#[derive(Debug)]
struct PlanNames {
    plan: Arc<Plan>,
    world: Arc<World>,
}

impl Names for PlanNames {
    fn fence_id(&self, fence: FenceRef) -> Option<&str> {
        self.world.fence_id(fence)
    }

    fn stream_name(&self, stream: StreamId) -> Option<&str> {
        self.plan.streams.get(stream.0 as usize).map(|stream| stream.name.as_str())
    }
}

impl AlertEncoder {
    /// An encoder for the outputs of an engine that runs this plan in this world.
    pub fn new(plan: Arc<Plan>, world: Arc<World>) -> Self {
        let rules = plan.rules.iter().map(|rule| RuleEncoder::new(shape(rule))).collect();
        Self { rules, names: PlanNames { plan, world } }
    }

    /// Appends an output's line, newline included; its id, unless the output is of no rule of the plan.
    pub fn encode(&mut self, output: &Output, line: &mut Vec<u8>) -> Option<AlertId> {
        let encoder = self.rules.get_mut(output.rule as usize)?;
        let emission = &output.emission;
        let view = Line {
            kind: emission.kind,
            start_ms: emission.start_ms,
            end_ms: emission.end_ms,
            key: &output.key,
            values: &emission.values,
            taken: &emission.taken,
            row: emission.row.as_ref(),
            clock: emission.clock,
            revision: emission.revision,
            dropped: emission.dropped,
        };
        Some(encoder.encode(&view, &self.names, line))
    }
}

fn shape(rule: &Rule) -> AlertShape {
    let role = |role| match role {
        Role::Key => FieldRole::Key,
        Role::Measure => FieldRole::Measure,
        Role::Implicit => FieldRole::Implicit,
    };
    let fields = rule.outputs.iter();
    let piece = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => Piece::Text(text.clone()),
        TemplatePart::Field(slot) => Piece::Field(*slot),
        TemplatePart::Key => Piece::Key,
        TemplatePart::Rule => Piece::Text(rule.name.clone()),
        TemplatePart::Start => Piece::Start,
        TemplatePart::End => Piece::End,
        TemplatePart::Label(name) => {
            let label = rule.labels.iter().find(|(label, _)| label == name);
            Piece::Text(label.map(|(_, text)| text.clone()).unwrap_or_default())
        }
    };
    let annotations = rule.annotations.iter();
    AlertShape {
        rule: rule.name.clone(),
        version: rule.version.clone(),
        labels: rule.labels.clone(),
        annotations: annotations.map(|(name, text)| (name.clone(), text.parts.iter().map(piece).collect())).collect(),
        fields: fields
            .map(|field| AlertField { name: field.name.clone(), ty: field.ty, role: role(field.role) })
            .collect(),
        variables: match &rule.body {
            Body::Pattern(pattern) => pattern.variables.iter().map(|variable| variable.name.clone()).collect(),
            Body::Near(near) => near.names.to_vec(),
            Body::Join(_) => rule.inputs.iter().map(|input| input.name.clone()).collect(),
            Body::Filter | Body::Latest(_) | Body::Window(_) | Body::Cluster(_) => Vec::new(),
        },
    }
}
