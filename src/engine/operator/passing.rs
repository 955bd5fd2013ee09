//! THROUGH: positions of an entity become passages, each an event of the partition of the entity and a fence.

use super::{KeyedOperator, When};
use crate::{
    engine::{kernel::Kernel, keyed::Keyed, output::Output},
    expr::{Env, Nothing},
    model::{EventRef, Key, Value},
    op::through,
    plan,
};
use smallvec::SmallVec;
use std::sync::Arc;

/// The entities of a rule with THROUGH, and the fences that they are in.
pub(in crate::engine) struct Passing {
    pub(super) program: through::Program,
    pub(in crate::engine) entities: Keyed<through::KeyState>,
    scratch: Vec<[Value; 3]>,
}

impl Passing {
    pub(super) fn new(through: &plan::Through, groups: u32) -> Self {
        Self { program: through::Program::new(through), entities: Keyed::new(groups), scratch: Vec::new() }
    }
}

impl<K: Kernel> KeyedOperator<K> {
    /// Positions become passages, each an event of its own partition.
    pub(super) fn step_through(&mut self, input: usize, event: EventRef<'_>, entity: &Key, out: &mut Vec<Output>) {
        let group = entity.group(self.groups);
        let Some(plan) = self.rule.inputs.get(input) else { return };
        let position = plan.position_slot.and_then(|slot| match event.values.get(usize::from(slot)) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        if self.room.is_some() && !self.may_enter(group, entity) {
            return;
        }
        let Some(passing) = self.passing.as_mut() else { return };
        let place = match passing.entities.find(group, entity) {
            Some(place) => place,
            None => match passing.entities.insert(group, entity.clone(), through::KeyState::default()) {
                Some(place) => place,
                None => return,
            },
        };
        let mut passages = std::mem::take(&mut passing.scratch);
        if let Some(entry) = passing.entities.entry(place) {
            let passages = &mut passages;
            passing.program.step(&mut entry.state, &self.world, event.time_ms(), position, &mut |passage| {
                passages.push(passage.clone());
            });
            if entry.state.is_idle() {
                passing.entities.remove(place);
            }
        }
        let rule = Arc::clone(&self.rule);
        for passage in passages.drain(..) {
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            let Some(plan) = rule.inputs.get(input) else { continue };
            let none = Key::default();
            let env = Env {
                event,
                extra: &passage,
                previous: None,
                computed: (&plan.computed, &self.computed),
                key: &none,
                bound: &Nothing,
                world: &self.world,
            };
            let parts: SmallVec<[Value; 2]> = plan.key.iter().map(|expr| expr.value(&env)).collect();
            let key = Key::new(&parts);
            self.step_partition(input, (event, When::OnTime), &passage, group, &key, out);
        }
        if let Some(passing) = self.passing.as_mut() {
            passing.scratch = passages;
        }
    }
}
