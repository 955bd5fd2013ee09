//! How a state is written: entities by side and id, then the pairs that are together by their places in that order.

use super::{Program, entity::Entity, grid::place, motion::Motion, program::after, state::KeyState};
use crate::{
    geo::Position,
    model::{DecodeError, Key, Reader, TimeMs, Writer},
};
use smallvec::SmallVec;

impl KeyState {
    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        let mut slots: Vec<u32> = (0..self.entities.len() as u32).filter(|slot| self.get(*slot).is_some()).collect();
        self.sort(&mut slots);
        let mut numbers = vec![0; self.entities.len()];
        for (number, slot) in slots.iter().enumerate() {
            if let Some(place) = numbers.get_mut(*slot as usize) {
                *place = number;
            }
        }
        writer.time(self.tick_ms);
        writer.len(slots.len());
        for entity in slots.iter().filter_map(|slot| self.get(*slot)) {
            writer.u8(entity.side as u8);
            writer.value(&entity.id);
            writer.i64(entity.time_ms);
            writer.f64(entity.position.lon());
            writer.f64(entity.position.lat());
            writer.event_id(&entity.event);
            entity.kept.iter().for_each(|value| writer.value(value));
            if self.align_ms.is_some() {
                writer.bool(entity.motion.is_some());
                if let Some(motion) = &entity.motion {
                    writer.i64(motion.from_ms);
                    writer.f64(motion.from.lon());
                    writer.f64(motion.from.lat());
                }
            }
        }
        writer.len(self.pairs);
        for (number, entity) in slots.iter().filter_map(|slot| self.get(*slot)).enumerate() {
            let partners = entity.partners.iter().filter_map(|partner| {
                Some((*numbers.get(partner.slot as usize)?, partner.since_ms)).filter(|(other, _)| *other > number)
            });
            let mut partners: SmallVec<[(usize, TimeMs); 4]> = partners.collect();
            partners.sort_unstable();
            for (other, since_ms) in partners {
                writer.len(number);
                writer.len(other);
                writer.i64(since_ms);
            }
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same program.
    ///
    /// # Errors
    /// When the bytes are no state of this program's.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let wrong = |found: u64, expected: &'static str| Err(DecodeError::Unexpected { found, expected });
        let mut state = program.blank();
        let near = &program.near;
        state.tick_ms = reader.time()?;
        if state.tick_ms.is_some_and(|tick_ms| tick_ms == TimeMs::MAX || near.every_ms.is_none()) {
            return wrong(0, "no tick");
        }
        for _ in 0..reader.len()? {
            let side = usize::from(reader.u8()?);
            if side >= near.ids.len() {
                return wrong(side as u64, "a side");
            }
            let id = reader.value()?;
            let time_ms = reader.i64()?;
            let Ok(position) = Position::new(reader.f64()?, reader.f64()?) else { return wrong(0, "a position") };
            let event = reader.event_id()?;
            let kept = near.retained.get(side).into_iter().flatten().map(|_| reader.value());
            let kept = kept.collect::<Result<_, _>>()?;
            let key = Key::new([&id]);
            if id.is_null() || state.find(side, &key).is_some() {
                return wrong(key.hash64(), "an entity that isn't there yet");
            }
            let place = place(position);
            let mut motion = None;
            if let Some(align_ms) = near.align_ms
                && reader.bool()?
            {
                let from_ms = reader.i64()?;
                let Ok(from) = Position::new(reader.f64()?, reader.f64()?) else { return wrong(0, "a position") };
                if from_ms >= time_ms {
                    return wrong(0, "a position before the last");
                }
                motion = Some(Box::new(Motion::new((from_ms, from), (time_ms, position), align_ms)));
            }
            let partners = SmallVec::new();
            let timer_ms = TimeMs::MAX;
            let entity = Entity { side, id, key, time_ms, position, place, event, kept, motion, partners, timer_ms };
            let slot = state.insert(entity);
            if near.every_ms.is_none() {
                state.schedule(slot, after(time_ms.saturating_add(near.valid_ms)));
            }
        }
        if near.every_ms.is_some() {
            // An entity is seen by the tick after it.
            let all = |tick_ms| state.entities.iter().flatten().all(|entity| entity.time_ms <= tick_ms);
            if !state.tick_ms.map_or(state.is_idle(), |tick_ms| !state.is_idle() && all(tick_ms)) {
                return wrong(state.known() as u64, "entities and their tick");
            }
        }
        for _ in 0..reader.len()? {
            // Slots were given out in order.
            let (x, y, since_ms) = (reader.u32()?, reader.u32()?, reader.i64()?);
            let known = match (state.get(x), state.get(y)) {
                (Some(a), Some(b)) => x < y && (near.same || a.side != b.side) && a.since(y).is_none(),
                _ => false,
            };
            if !known {
                return wrong(u64::from(y), "a pair of two entities");
            }
            state.pairs += 1;
            for (one, other) in [(x, y), (y, x)] {
                if let Some(entity) = state.get_mut(one) {
                    entity.join(other, since_ms);
                }
            }
        }
        Ok(state)
    }
}
