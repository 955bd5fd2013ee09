//! THROUGH: positions of an entity become passages, each an event of the partition of the entity and a fence.

use super::{KeyedOperator, When, spilled};
use crate::{
    engine::{kernel::Kernel, keyed::Keyed, output::Output, spill::Spill},
    expr::{Env, Nothing},
    model::{EventId, EventRef, Header, Key, Value},
    op::through,
    plan,
};
use smallvec::SmallVec;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The entities of a rule with THROUGH, and the fences that they are in.
pub(in crate::engine) struct Passing {
    pub(super) program: through::Program,
    pub(in crate::engine) entities: Keyed<through::KeyState>,
    /// Entities that are in the store, where there is one.
    pub(in crate::engine) spill: Option<Box<Spill>>,
    scratch: Vec<SmallVec<[Value; 3]>>,
}

impl Passing {
    pub(super) fn new(through: &plan::Through, groups: u32) -> Self {
        Self { program: through::Program::new(through), entities: Keyed::new(groups), spill: None, scratch: Vec::new() }
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
        let Some(passing) = self.passing.as_mut() else { return };
        let place = match passing.find(group, entity) {
            Some(place) => place,
            None => match passing.entities.insert(group, entity.clone(), through::KeyState::default()) {
                Some(place) => {
                    spilled::mark(&mut passing.spill, place);
                    place
                }
                None => return,
            },
        };
        let mut passages = std::mem::take(&mut passing.scratch);
        if let Some(entry) = passing.entities.entry(place) {
            let passages = &mut passages;
            passing.program.step(&mut entry.state, &self.world, event.time_ms(), position, &mut |passage| {
                passages.push(passage.iter().cloned().collect());
            });
            if entry.state.is_idle() {
                passing.entities.remove(place);
            }
        }
        let rule = Arc::clone(&self.rule);
        let id_slot = plan.id_slot;
        for at in 0..passages.len() {
            let Some(passage) = passages.get(at) else { continue };
            let same = |other: &&SmallVec<[Value; 3]>| other.get(1) == passage.get(1);
            let event = match passages.iter().take(at).filter(same).count() {
                0 => event,
                before => EventRef { header: again(event, id_slot, before as u32), ..event },
            };
            self.computed.iter_mut().for_each(|cell| drop(cell.take()));
            let Some(plan) = rule.inputs.get(input) else { continue };
            let none = Key::default();
            let env = Env {
                event,
                extra: passage,
                previous: None,
                computed: (&plan.computed, &self.computed),
                key: &none,
                bound: &Nothing,
                world: &self.world,
            };
            let parts: SmallVec<[Value; 2]> = plan.key.iter().map(|expr| expr.value(&env)).collect();
            let key = Key::new(&parts);
            self.step_partition(input, (event, When::OnTime), passage, group, &key, out);
        }
        passages.clear();
        if let Some(passing) = self.passing.as_mut() {
            passing.scratch = passages;
        }
    }
}

/// The header of a passage of a fence after `before` others of that fence at one position: only INTERPOLATE finds so many. Outputs
/// and matches know events by their ids, so each but the first has a place of its own, made of the event's id.
fn again(event: EventRef<'_>, id_slot: Option<u16>, before: u32) -> Header {
    let mut bytes = b"geocep-passage-1".to_vec();
    match event.id(id_slot) {
        EventId::Field(text) => bytes.extend_from_slice(text.as_bytes()),
        EventId::Offset { partition, offset, .. } => {
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
    }
    let offset = xxh3_64_with_seed(&bytes, before.into());
    Header { partition: u32::MAX, offset, ..event.header }
}
