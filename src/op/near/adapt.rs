//! States of an edited rule: who reported lately and who is together with whom goes on under other bounds.

use super::{Program, entity::Entity, motion::Motion, program::after, state::KeyState, step::grid_at_or_after};
use crate::model::{TimeMs, Value};
use smallvec::SmallVec;

impl Program {
    /// For each input and slot the place of what another program keeps in the same words.
    fn places_in(&self, old: &Self) -> Option<Vec<Vec<usize>>> {
        let words = |all: &[crate::expr::Expr]| all.iter().map(|expr| format!("{expr:?}")).collect::<Vec<_>>();
        let place = |(own, was): (&Vec<_>, &Vec<_>)| {
            let was = words(was);
            words(own).iter().map(|own| was.iter().position(|was| was == own)).collect::<Option<Vec<usize>>>()
        };
        self.near.retained.iter().zip(&old.near.retained).map(place).collect()
    }

    /// Whether another program, over the same streams, keeps all that this one looks at.
    pub fn knows_all_of(&self, old: &Self) -> bool {
        self.near.retained.len() == old.near.retained.len() && self.places_in(old).is_some()
    }

    /// Makes a state of the other program one of this one. Nothing is looked at now: other bounds hold from the next look on.
    pub fn adapt(&self, old: &Self, state: &mut KeyState) {
        let was = std::mem::replace(state, self.blank());
        let Some(places) = self.places_in(old) else { return };
        let mut slots: Vec<u32> = (0..was.entities.len() as u32).filter(|slot| was.get(*slot).is_some()).collect();
        was.sort(&mut slots);
        let mut went = vec![u32::MAX; was.entities.len()];
        for &slot in &slots {
            let Some(entity) = was.get(slot) else { continue };
            let kept = places.get(entity.side).into_iter().flatten();
            let kept = kept.map(|&at| entity.kept.get(at).cloned().unwrap_or(Value::Null)).collect();
            let last = (entity.time_ms, entity.position);
            let motion = self.near.align_ms.zip(entity.motion.as_ref());
            let motion =
                motion.map(|(bound_ms, motion)| Box::new(Motion::new((motion.from_ms, motion.from), last, bound_ms)));
            let new = Entity { kept, motion, partners: SmallVec::new(), timer_ms: TimeMs::MAX, ..entity.clone() };
            let own = state.insert(new);
            if let Some(place) = went.get_mut(slot as usize) {
                *place = own;
            }
            if self.near.every_ms.is_none() {
                state.schedule(own, after(entity.time_ms.saturating_add(self.near.valid_ms)));
            }
        }
        for (&slot, entity) in slots.iter().filter_map(|slot| Some((slot, was.get(*slot)?))) {
            let own = |slot: u32| went.get(slot as usize).copied().unwrap_or(u32::MAX);
            for partner in &entity.partners {
                if let Some(new) = state.get_mut(own(slot)) {
                    new.join(own(partner.slot), partner.since_ms);
                }
            }
        }
        state.pairs = was.pairs;
        // The next look on the new grid, and not before the one that was next.
        state.tick_ms =
            was.tick_ms.zip(self.near.every_ms).map(|(tick_ms, every_ms)| grid_at_or_after(tick_ms, every_ms));
    }
}
