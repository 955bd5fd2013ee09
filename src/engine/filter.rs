//! The kernel without an operator clause: each event is an output.

use super::kernel::Kernel;
use crate::{
    expr::{Env, Expr},
    model::{Clock, DecodeError, Emission, EmissionKind, Reader, Taken, TimeMs, Value, Writer},
    plan,
};

/// Turns events into outputs.
#[derive(Debug)]
pub(super) struct Filter {
    /// For each input: its id slot, its position slot and the outputs.
    inputs: Vec<(Option<u16>, Option<u16>, Vec<Expr>)>,
    having: Option<Expr>,
}

impl Filter {
    pub(super) fn new(rule: &plan::Rule) -> Self {
        let inputs = rule.inputs.iter().enumerate().map(|(at, input)| {
            let outputs = rule.outputs.iter().filter_map(|field| field.exprs.get(at).or(field.exprs.first()).cloned());
            (input.id_slot, input.position_slot, outputs.collect())
        });
        Self { inputs: inputs.collect(), having: rule.having.clone() }
    }
}

impl Kernel for Filter {
    type State = ();
    type Scratch = ();

    fn blank(&self) {}

    fn step(&self, (): &mut (), (): &mut (), input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        let Some((id_slot, position_slot, outputs)) = self.inputs.get(input) else { return };
        if self.having.as_ref().is_some_and(|having| !having.is_true(env)) {
            return;
        }
        let time_ms = env.event.time_ms();
        let position = position_slot.and_then(|slot| match env.event.values.get(usize::from(slot)) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        out.push(Emission {
            kind: EmissionKind::Event,
            time_ms,
            start_ms: time_ms,
            end_ms: time_ms,
            clock: None,
            values: outputs.iter().map(|expr| expr.value(env)).collect(),
            taken: vec![Taken { var: 0, id: env.event.id(*id_slot), position }],
            row: None,
            dropped: 0,
        });
    }

    fn advance(&self, (): &mut (), (): &mut (), _: TimeMs, _: Clock, _: &Env<'_>, _: &mut Vec<Emission>) {}

    fn deadline(&self, (): &()) -> Option<TimeMs> {
        None
    }

    fn is_idle(&self, (): &()) -> bool {
        true
    }

    fn save(&self, (): &(), _: &mut Writer) {}

    fn load(&self, _: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn take_shed(&self, (): &mut ()) -> u64 {
        0
    }

    fn migration(&self, _: &Self) -> Option<Vec<bool>> {
        Some(Vec::new())
    }

    fn migrate(&self, _: &[bool], (): &mut ()) {}

    fn open(&self, (): &()) -> usize {
        0
    }
}
