//! The kernel without an operator clause: each event is an output.

use super::kernel::Kernel;
use crate::{
    expr::{Env, Expr, Node},
    geo::FenceIx,
    model::{
        Clock, DecodeError, Emission, EmissionKind, FenceRef, Measures, Reader, Row, Taken, TakenEvents, TimeMs, Type,
        Value, Writer,
    },
    plan::{self, Unnest},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// Turns events into outputs.
#[derive(Debug)]
pub(super) struct Filter {
    inputs: Vec<Reads>,
    having: Option<Expr>,
    unnest: Option<Unnest>,
}

/// What is read of an input's events.
#[derive(Debug)]
struct Reads {
    id_slot: Option<u16>,
    position_slot: Option<u16>,
    outputs: Vec<Expr>,
}

impl Filter {
    pub(super) fn new(rule: &plan::Rule) -> Self {
        let inputs = rule.inputs.iter().enumerate().map(|(at, input)| {
            let outputs = rule.outputs.iter().filter_map(|field| field.exprs.get(at).or(field.exprs.first()));
            let outputs = outputs.map(|expr| of_event(rule, input, expr).unwrap_or(expr).clone());
            Reads { id_slot: input.id_slot, position_slot: input.position_slot, outputs: outputs.collect() }
        });
        Self { inputs: inputs.collect(), having: rule.having.clone(), unnest: rule.unnest.clone() }
    }

    /// One output for each element of the event's list, in its order.
    fn unnest(&self, unnest: &Unnest, input: usize, reads: &Reads, env: &Env<'_>, out: &mut Vec<Emission>) {
        let elements: SmallVec<[Value; 4]> = match unnest.lists.get(input).map(|list| list.value(env)) {
            Some(Value::List(list)) => list.iter().cloned().collect(),
            Some(Value::Fences(fences)) => {
                let fence = |&ix: &u32| Value::Fence(FenceRef { set: fences.set(), fence: FenceIx(ix) });
                fences.as_slice().iter().map(fence).collect()
            }
            _ => return,
        };
        let keep = unnest.keep.get(input).and_then(Option::as_ref);
        let mut extra: SmallVec<[Value; 4]> = env.extra.iter().cloned().collect();
        extra.resize(extra.len().max(usize::from(Unnest::EXTRA) + 1), Value::Null);
        let taken = reads.taken(env);
        let of: Arc<[Taken]> = Arc::from([taken.clone()]);
        for (at, element) in elements.into_iter().enumerate() {
            if let Some(place) = extra.get_mut(usize::from(Unnest::EXTRA)) {
                *place = element;
            }
            let env = Env { extra: &extra, ..*env };
            if keep.is_none_or(|keep| keep.is_true(&env)) {
                let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
                reads.put_out(&env, taken.clone(), Some(Row { number, of: Arc::clone(&of) }), out);
            }
        }
    }
}

/// A component of the key that is a text of the event, or of its fence: as such it needn't be read from the key's bytes.
fn of_event<'a>(rule: &plan::Rule, input: &'a plan::Input, expr: &Expr) -> Option<&'a Expr> {
    let Some(Node::KeyPart(part)) = expr.at(expr.root()) else { return None };
    let of_event = input.key.get(usize::from(*part))?;
    let is_text = rule.key.get(usize::from(*part))?.ty == Type::Text;
    let is_whole = matches!(of_event.at(of_event.root())?, Node::Field(_) | Node::FenceId(_));
    (is_text && is_whole).then_some(of_event)
}

impl Reads {
    fn taken(&self, env: &Env<'_>) -> Taken {
        let position = self.position_slot.and_then(|slot| match env.event.values.get(usize::from(slot)) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        Taken { var: 0, id: env.event.id(self.id_slot), position }
    }

    /// Adds an output and fills it where it lies.
    fn put_out(&self, env: &Env<'_>, taken: Taken, row: Option<Row>, out: &mut Vec<Emission>) {
        let time_ms = env.event.time_ms();
        out.push(Emission {
            kind: EmissionKind::Event,
            time_ms,
            start_ms: time_ms,
            end_ms: time_ms,
            clock: None,
            values: Measures::new(),
            taken: TakenEvents::new(),
            row,
            revision: 0,
            dropped: 0,
        });
        if let Some(emission) = out.last_mut() {
            emission.values.reserve(self.outputs.len());
            self.outputs.iter().for_each(|expr| emission.values.push(expr.value(env)));
            emission.taken.push(taken);
        }
    }
}

impl Kernel for Filter {
    type State = ();
    type Scratch = ();

    fn blank(&self) {}

    fn keeps_nothing(&self) -> bool {
        true
    }

    fn step(&self, (): &mut (), (): &mut (), input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        let Some(reads) = self.inputs.get(input) else { return };
        if self.having.as_ref().is_some_and(|having| !having.is_true(env)) {
            return;
        }
        match &self.unnest {
            Some(unnest) => self.unnest(unnest, input, reads, env, out),
            None => reads.put_out(env, reads.taken(env), None, out),
        }
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

    fn migrate(&self, _: &Self, _: &[bool], (): &mut ()) {}

    fn open(&self, (): &()) -> usize {
        0
    }
}
