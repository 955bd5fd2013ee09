//! THROUGH: positions of an entity become one event per fence concerned, so that overlapping fences never get mixed up.
//!
//! A fence that the entity was not in and is in now is entered, also by its first position; one that it was in and is not
//! is exited, both at the time of the position that shows it. Nothing is interpolated, no minimum dwell is asked for, and
//! fences are independent of one another. An entity that is in no fence has no state.

use crate::{
    expr::Env,
    geo::{FenceIx, Position},
    model::{DecodeError, FenceRef, Reader, TimeMs, Value, Writer},
    plan,
};
use smallvec::SmallVec;

/// A THROUGH clause, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    set: u16,
    first: plan::FirstPosition,
    /// The three texts of `passage`, made once.
    entered: Value,
    inside: Value,
    exited: Value,
}

/// The fences that one entity is in. Up to two are held in place.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// Ascending by fence, each with the time of its entry.
    inside: SmallVec<[(u32, TimeMs); 2]>,
}

impl Program {
    /// The program of a rule's THROUGH clause.
    pub fn new(through: &plan::Through) -> Self {
        Self {
            set: through.set,
            first: through.first,
            entered: Value::text("entered"),
            inside: Value::text("inside"),
            exited: Value::text("exited"),
        }
    }

    /// Takes an event of the entity; its events come in order of time. `emit` gets what THROUGH adds to it, once per fence
    /// concerned: passage (`'exited'`, `'entered'`, `'inside'`), fence, and dwell, the time since the entry, which is null
    /// at the entry. Exits come first, then entries, then the fences it is still in, each by ascending fence. Without a
    /// position nothing is known, so nothing happens.
    pub fn step(
        &self,
        state: &mut KeyState,
        env: &Env<'_>,
        position: Option<Position>,
        emit: &mut dyn FnMut(&[Value; 3]),
    ) {
        let Some(position) = position else { return };
        let now_ms = env.event.header.time_ms;
        let located = env.world.locate(self.set, position);
        let now_in = located.as_slice();
        if now_in.is_empty() && state.inside.is_empty() {
            return;
        }
        let fence = |ix: u32| Value::Fence(FenceRef { set: self.set, fence: FenceIx(ix) });
        let dwell = |entry_ms: TimeMs| Value::Duration(now_ms.saturating_sub(entry_ms));
        state.inside.retain(|&mut (ix, entry_ms)| {
            let stays = now_in.binary_search(&ix).is_ok();
            if !stays {
                emit(&[self.exited.clone(), fence(ix), dwell(entry_ms)]);
            }
            stays
        });
        // What is left was entered before; both lists ascend.
        let stayed = state.inside.clone();
        let plan::FirstPosition::Enters = self.first;
        for &ix in now_in {
            if let Err(at) = state.inside.binary_search_by_key(&ix, |&(inside, _)| inside) {
                state.inside.insert(at, (ix, now_ms));
                emit(&[self.entered.clone(), fence(ix), Value::Null]);
            }
        }
        for (ix, entry_ms) in stayed {
            emit(&[self.inside.clone(), fence(ix), dwell(entry_ms)]);
        }
    }
}

impl KeyState {
    /// Whether the entity is in no fence, so that the state may be dropped.
    pub fn is_idle(&self) -> bool {
        self.inside.is_empty()
    }

    /// The fences that the entity is in, ascending, each with the time of its entry.
    pub fn inside(&self) -> impl Iterator<Item = (FenceIx, TimeMs)> {
        self.inside.iter().map(|&(ix, entry_ms)| (FenceIx(ix), entry_ms))
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        if self.inside.spilled() { self.inside.capacity() * size_of::<(u32, TimeMs)>() } else { 0 }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.len(self.inside.len());
        for &(ix, entry_ms) in &self.inside {
            writer.u64(u64::from(ix));
            writer.i64(entry_ms);
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same fence set.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut inside: SmallVec<[(u32, TimeMs); 2]> = SmallVec::new();
        for _ in 0..reader.len()? {
            let (ix, entry_ms) = (reader.u32()?, reader.i64()?);
            if inside.last().is_some_and(|&(last, _)| last >= ix) {
                return Err(DecodeError::Unexpected { found: ix.into(), expected: "an ascending fence" });
            }
            inside.push((ix, entry_ms));
        }
        Ok(Self { inside })
    }
}
