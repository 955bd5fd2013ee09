//! THROUGH: positions of an entity become one event per fence concerned, so that overlapping fences never get mixed up.
//!
//! A fence that the entity was not in and is in now is entered, also by its first position; one that it was in and is not
//! is exited, both at the time of the position that shows it. Nothing is interpolated, no minimum dwell is asked for, and
//! fences are independent of one another. An entity that is in no fence has no state.

use crate::{
    expr::World,
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
    /// The number of the fence set that positions are located in.
    pub fn set(&self) -> u16 {
        self.set
    }

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

    /// Takes an event of the entity, of the time `now_ms`; its events come in order of time. `emit` gets what THROUGH adds to it, once per fence
    /// concerned: passage (`'exited'`, `'entered'`, `'inside'`), fence, and dwell, the time since the entry, which is null
    /// at the entry. Exits come first, then entries, then the fences it is still in, each by ascending fence. Without a
    /// position nothing is known, so nothing happens.
    pub fn step(
        &self,
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        position: Option<Position>,
        emit: &mut dyn FnMut(&[Value; 3]),
    ) {
        let Some(position) = position else { return };
        let located = world.locate(self.set, position);
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

    /// Reads what [`save`](Self::save) wrote, of a fence set that now has this number; fences that are gone are left.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(set: u16, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut inside: SmallVec<[(u32, TimeMs); 2]> = SmallVec::new();
        for _ in 0..reader.len()? {
            let (ix, entry_ms) = (reader.fence_of(set)?, reader.i64()?);
            let Some(ix) = ix else { continue };
            if inside.last().is_some_and(|&(last, _)| last >= ix) {
                return Err(DecodeError::Unexpected { found: ix.into(), expected: "an ascending fence" });
            }
            inside.push((ix, entry_ms));
        }
        Ok(Self { inside })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Fence, FenceSet, Shape};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Overlapping strips between longitudes: `a` 0 to 4, `b` 2 to 6, `c` 3 to 8, `d` 5 to 9.
    fn world() -> World {
        let strip = |(id, west, east): (&str, f64, f64)| {
            let ring = [[west, 0.0], [east, 0.0], [east, 1.0], [west, 1.0], [west, 0.0]];
            Fence { id: id.to_owned(), properties: vec![], shape: Shape::polygon(&[ring]).unwrap() }
        };
        let strips = [("a", 0.0, 4.0), ("b", 2.0, 6.0), ("c", 3.0, 8.0), ("d", 5.0, 9.0)];
        let set = FenceSet::new(strips.map(strip).into()).unwrap();
        World::new(vec![("strips".to_owned(), Arc::new(set))])
    }

    fn at(lon: f64) -> Option<Position> {
        Some(Position::new(lon, 0.5).unwrap())
    }

    fn program() -> Program {
        Program::new(&plan::Through { set: 0, first: plan::FirstPosition::Enters })
    }

    /// One step: passage, fence, dwell of each event.
    fn step(
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        position: Option<Position>,
    ) -> Vec<(String, u32, Value)> {
        let mut events = vec![];
        program().step(state, world, now_ms, position, &mut |event| match event {
            [Value::Text(passage), Value::Fence(fence), dwell] => {
                assert_eq!(fence.set, 0);
                events.push((passage.as_str().to_owned(), fence.fence.0, dwell.clone()));
            }
            other => panic!("{other:?}"),
        });
        events
    }

    fn event(passage: &str, fence: u32, dwell: Value) -> (String, u32, Value) {
        (passage.to_owned(), fence, dwell)
    }

    #[test]
    fn exits_come_first_then_entries_then_what_it_is_still_in() {
        let (world, mut state) = (world(), KeyState::default());
        assert_eq!(step(&mut state, &world, 100, None), []);
        let first = step(&mut state, &world, 100, at(3.5));
        assert_eq!(first, [0, 1, 2].map(|fence| event("entered", fence, Value::Null)));
        let second = step(&mut state, &world, 130, at(5.5));
        assert_eq!(
            second,
            [
                event("exited", 0, Value::Duration(30)),
                event("entered", 3, Value::Null),
                event("inside", 1, Value::Duration(30)),
                event("inside", 2, Value::Duration(30)),
            ]
        );
        assert_eq!(step(&mut state, &world, 140, None), []);
        let inside: Vec<_> = state.inside().collect();
        assert_eq!(inside, [(FenceIx(1), 100), (FenceIx(2), 100), (FenceIx(3), 130)]);
        let last = step(&mut state, &world, 150, at(20.0));
        assert_eq!(last.len(), 3);
        assert!(last.iter().all(|event| event.0 == "exited") && state.is_idle());
    }

    proptest! {
        #[test]
        fn each_fence_alone_says_the_same(track in prop::collection::vec((0i64..50, -1.0f64..10.0, any::<bool>()), 0..60), cut in 0usize..60) {
            let world = world();
            let set = world.set(0).unwrap();
            let mut state = KeyState::default();
            let mut entries = [None::<TimeMs>; 4];
            let mut now_ms = 0;
            for (ix, (wait_ms, lon, known)) in track.into_iter().enumerate() {
                now_ms += wait_ms;
                let position = if known { at(lon) } else { None };
                if ix == cut {
                    let mut writer = Writer::new();
                    state.save(&mut writer);
                    let bytes = writer.into_bytes();
                    state = KeyState::load(0, &mut Reader::new(&bytes)).unwrap();
                }
                let mut expected = vec![];
                for (fence, entry) in entries.iter_mut().enumerate() {
                    let Some(position) = position else { continue };
                    let fence = fence as u32;
                    match (*entry, set.contains(FenceIx(fence), position)) {
                        (None, true) => {
                            *entry = Some(now_ms);
                            expected.push(event("entered", fence, Value::Null));
                        }
                        (Some(since), true) => expected.push(event("inside", fence, Value::Duration(now_ms - since))),
                        (Some(since), false) => {
                            *entry = None;
                            expected.push(event("exited", fence, Value::Duration(now_ms - since)));
                        }
                        (None, false) => {}
                    }
                }
                let rank = |passage: &str| ["exited", "entered", "inside"].iter().position(|known| *known == passage);
                expected.sort_by_key(|event| (rank(&event.0), event.1));
                prop_assert_eq!(step(&mut state, &world, now_ms, position), expected);
                prop_assert_eq!(state.is_idle(), entries.iter().all(Option::is_none));
            }
        }

        #[test]
        fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = KeyState::load(0, &mut Reader::new(&bytes));
        }
    }
}
