//! THROUGH: positions of an entity become one event per fence concerned, so that overlapping fences never get mixed up.
//!
//! A fence that the entity was not in and is in now is entered; one that it was in and is not is exited, both at the time of the
//! position that shows it. Fences are independent of one another. With INTERPOLATE the way from the position before counts as
//! well: see `passage`.
//!
//! Against the jitter of receivers: with `BUFFER d` an entity has left a fence only where it is farther than d from it, and with
//! `AT LEAST n EVENTS` only n positions in a row make an entry or an exit, which then has the time of the last of them. Until
//! then the entity is where it was.
//!
//! A first position inside is an entry, unless `FIRST IGNORED` says that the entity was there before. An entity that is in no fence
//! has no state; with FIRST IGNORED it keeps a few bytes for ever, since it has been seen.

use crate::{
    expr::World,
    geo::{FenceIx, Position},
    model::{DecodeError, FenceMap, FenceRef, Reader, TimeMs, Value, Writer},
    plan,
};
use smallvec::SmallVec;

/// A THROUGH clause, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) plan: plan::Through,
    /// The three texts of `passage`, made once.
    pub(super) entered: Value,
    pub(super) inside: Value,
    pub(super) exited: Value,
}

/// A fence that an entity is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) fence: u32,
    pub(super) entry_ms: TimeMs,
    /// Positions in a row that say that it has left.
    pub(super) away: u32,
}

impl Stay {
    fn passage(self, kind: Kind) -> Passage {
        Passage { kind, fence: self.fence, entry_ms: self.entry_ms }
    }
}

/// What is between an entity and a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was inside and is not.
    Exited,
    /// It is inside and was not.
    Entered,
    /// It still is inside.
    Inside,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Exited, Self::Entered, Self::Inside];
}

/// Kinds of passages that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted([bool; 3]);

impl Wanted {
    /// The kinds that this says yes to.
    pub fn new(wants: impl Fn(Kind) -> bool) -> Self {
        Self(Kind::ALL.map(wants))
    }

    #[inline]
    fn wants(self, kind: Kind) -> bool {
        self.0[kind as usize]
    }
}

/// A fence concerned by a position, and how. What [`Program::values`] makes of it is what rules see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// What is between them.
    pub kind: Kind,
    /// The fence's number.
    pub fence: u32,
    /// When the entity entered it.
    pub entry_ms: TimeMs,
}

/// In a saved state: where the entity was last follows.
const LAST: u8 = 2;

/// The fences that one entity is in. Up to two are held in place.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// Ascending by fence.
    pub(super) inside: SmallVec<[Stay; 2]>,
    /// Fences that it isn't in yet, with the positions in a row that say that it is; ascending.
    coming: SmallVec<[(u32, u32); 1]>,
    /// It has been seen before; kept only where that matters.
    pub(super) seen: bool,
    /// Where and when it was last; kept only with INTERPOLATE.
    pub(super) last: Option<Box<(Position, TimeMs)>>,
}

impl Program {
    /// The program of a rule's THROUGH clause.
    pub fn new(through: &plan::Through) -> Self {
        Self {
            plan: through.clone(),
            entered: Value::text("entered"),
            inside: Value::text("inside"),
            exited: Value::text("exited"),
        }
    }

    /// A state of another edition of the fence set: the entity is in the same fences under their new numbers, and in those
    /// that are gone no more, without an exit.
    pub fn renumber(&self, mut state: KeyState, fences: &FenceMap) -> KeyState {
        let new = |fence: u32| fences.fence_now(self.plan.set, fence);
        let stays = state.inside.into_iter();
        state.inside = stays.filter_map(|stay| Some(Stay { fence: new(stay.fence)?, ..stay })).collect();
        state.coming = state.coming.into_iter().filter_map(|(fence, count)| Some((new(fence)?, count))).collect();
        state
    }

    /// Whether nothing is kept, and nothing said, of an unknown entity in no fence.
    pub fn passes_over(&self) -> bool {
        self.plan.first == plan::FirstPosition::Enters && self.plan.interpolate.is_none()
    }

    /// The fence set.
    pub fn set(&self) -> u16 {
        self.plan.set
    }

    /// INTERPOLATE, where it is asked for: then [`step_way`](Self::step_way) takes events, else [`step`](Self::step).
    pub fn interpolate(&self) -> Option<plan::Interpolate> {
        self.plan.interpolate
    }

    /// What THROUGH adds to an event of this time for a passage: passage (`'exited'`, `'entered'`, `'inside'`), fence, and dwell, the time
    /// since the entry, which is null at the entry.
    #[inline]
    pub fn values(&self, passage: Passage, now_ms: TimeMs) -> [Value; 3] {
        let dwell = || Value::Duration(now_ms.saturating_sub(passage.entry_ms));
        let (text, dwell) = match passage.kind {
            Kind::Exited => (&self.exited, dwell()),
            Kind::Entered => (&self.entered, Value::Null),
            Kind::Inside => (&self.inside, dwell()),
        };
        [text.clone(), Value::Fence(FenceRef { set: self.plan.set, fence: FenceIx(passage.fence) }), dwell]
    }

    /// Takes an event of the entity, of the time `now_ms`, at a position that these fences hold, ascending; its events come in order of time.
    /// Adds a passage for each fence concerned: exits first, then entries, then the fences it is still in, each by ascending fence. Passages of
    /// kinds that aren't `wanted` are left out.
    pub fn step(
        &self,
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        (position, now_in): (Position, &[FenceIx]),
        wanted: Wanted,
        passages: &mut Vec<Passage>,
    ) {
        let ignores_first = self.plan.first == plan::FirstPosition::Ignored;
        let is_first = ignores_first && !std::mem::replace(&mut state.seen, true);
        if now_in.is_empty() && state.inside.is_empty() {
            state.coming.clear();
            state.seen &= ignores_first;
            return;
        }
        let holds = |fence: u32| now_in.binary_search(&FenceIx(fence)).is_ok();
        // Most often it is where it was, and says nothing new.
        if !is_first && now_in.len() == state.inside.len() && state.inside.iter().all(|stay| holds(stay.fence)) {
            state.coming.clear();
            state.inside.iter_mut().for_each(|stay| stay.away = 0);
            if wanted.wants(Kind::Inside) {
                passages.extend(state.inside.iter().map(|stay| stay.passage(Kind::Inside)));
            }
            return;
        }
        state.inside.retain(|stay| {
            if holds(stay.fence) || self.is_near(world, stay.fence, position, now_ms) {
                stay.away = 0;
                return true;
            }
            stay.away = stay.away.saturating_add(1);
            let stays = stay.away < self.plan.at_least;
            if !stays && wanted.wants(Kind::Exited) {
                passages.push(stay.passage(Kind::Exited));
            }
            stays
        });
        // What is left was entered before; both lists ascend.
        let stayed: SmallVec<[Stay; 4]> =
            if wanted.wants(Kind::Inside) { SmallVec::from_slice(&state.inside) } else { SmallVec::new() };
        let before = std::mem::take(&mut state.coming);
        for &FenceIx(fence) in now_in {
            let Err(at) = state.inside.binary_search_by_key(&fence, |stay| stay.fence) else { continue };
            if self.plan.at_least > 1 {
                let known = before.binary_search_by_key(&fence, |&(fence, _)| fence).ok().and_then(|at| before.get(at));
                let count = known.map_or(0, |&(_, count)| count).saturating_add(1);
                if count < self.plan.at_least && !is_first {
                    state.coming.push((fence, count));
                    continue;
                }
            }
            let stay = Stay { fence, entry_ms: now_ms, away: 0 };
            state.inside.insert(at, stay);
            if !is_first && wanted.wants(Kind::Entered) {
                passages.push(stay.passage(Kind::Entered));
            }
        }
        passages.extend(stayed.iter().map(|stay| stay.passage(Kind::Inside)));
        if is_first && wanted.wants(Kind::Inside) {
            passages.extend(state.inside.iter().map(|stay| stay.passage(Kind::Inside)));
        }
    }

    /// Whether a fence that the entity is in, and its position is not, is so near that it hasn't left it.
    fn is_near(&self, world: &World, fence: u32, position: Position, now_ms: TimeMs) -> bool {
        let (buffer_m, fence) = (self.plan.buffer_m, FenceRef { set: self.plan.set, fence: FenceIx(fence) });
        buffer_m > 0.0 && world.distance_to(fence, position, now_ms).is_some_and(|metres| metres <= buffer_m)
    }
}

impl KeyState {
    /// Whether nothing is known of the entity that matters, so that the state may be dropped.
    pub fn is_idle(&self) -> bool {
        self.inside.is_empty() && self.coming.is_empty() && !self.seen && self.last.is_none()
    }

    /// The fences that the entity is in, ascending, each with the time of its entry.
    pub fn inside(&self) -> impl Iterator<Item = (FenceIx, TimeMs)> {
        self.inside.iter().map(|stay| (FenceIx(stay.fence), stay.entry_ms))
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        let inside = if self.inside.spilled() { self.inside.capacity() * size_of::<Stay>() } else { 0 };
        let coming = if self.coming.spilled() { self.coming.capacity() * size_of::<(u32, u32)>() } else { 0 };
        inside + coming + if self.last.is_some() { size_of::<(Position, TimeMs)>() } else { 0 }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.len(self.inside.len());
        for stay in &self.inside {
            writer.u64(u64::from(stay.fence));
            writer.i64(stay.entry_ms);
            writer.u64(u64::from(stay.away));
        }
        writer.len(self.coming.len());
        for &(fence, count) in &self.coming {
            writer.u64(u64::from(fence));
            writer.u64(u64::from(count));
        }
        writer.u8(u8::from(self.seen) | if self.last.is_some() { LAST } else { 0 });
        if let Some(last) = &self.last {
            writer.value(&Value::Point(last.0));
            writer.i64(last.1);
        }
    }

    /// Reads what [`save`](Self::save) wrote, fences by the numbers that they had then.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ascends = |last: Option<u32>, fence: u32| match last {
            Some(last) if last >= fence => {
                Err(DecodeError::Unexpected { found: fence.into(), expected: "an ascending fence" })
            }
            _ => Ok(()),
        };
        let mut state = Self::default();
        for _ in 0..reader.len()? {
            let stay = Stay { fence: reader.u32()?, entry_ms: reader.i64()?, away: reader.u32()? };
            ascends(state.inside.last().map(|last| last.fence), stay.fence)?;
            state.inside.push(stay);
        }
        for _ in 0..reader.len()? {
            let (fence, count) = (reader.u32()?, reader.u32()?);
            ascends(state.coming.last().map(|last| last.0), fence)?;
            state.coming.push((fence, count));
        }
        let flags = reader.u8()?;
        if flags > (LAST | 1) {
            return Err(DecodeError::Unexpected { found: flags.into(), expected: "what is known of an entity" });
        }
        state.seen = flags & 1 != 0;
        if flags & LAST != 0 {
            let Value::Point(position) = reader.value()? else {
                return Err(DecodeError::Unexpected { found: 0, expected: "a position" });
            };
            state.last = Some(Box::new((position, reader.i64()?)));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Fence, FenceSet, Shape, Validity};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Overlapping strips between longitudes: `a` 0 to 4, `b` 2 to 6, `c` 3 to 8, `d` 5 to 9.
    fn world() -> World {
        let strip = |(id, west, east): (&str, f64, f64)| {
            let ring = [[west, 0.0], [east, 0.0], [east, 1.0], [west, 1.0], [west, 0.0]];
            Fence {
                id: id.to_owned(),
                properties: vec![],
                shape: Shape::polygon(&[ring]).unwrap(),
                valid: Validity::ALWAYS,
            }
        };
        let strips = [("a", 0.0, 4.0), ("b", 2.0, 6.0), ("c", 3.0, 8.0), ("d", 5.0, 9.0)];
        let set = FenceSet::new(strips.map(strip).into()).unwrap();
        World::new(vec![("strips".to_owned(), Arc::new(set))])
    }

    fn at(lon: f64) -> Option<Position> {
        Some(Position::new(lon, 0.5).unwrap())
    }

    fn program() -> Program {
        Program::new(&plan())
    }

    fn plan() -> plan::Through {
        plan::Through { set: 0, first: plan::FirstPosition::Enters, buffer_m: 0.0, at_least: 1, interpolate: None }
    }

    /// What is added to each event of one step; the same whether or not there is somebody who wants only some of them.
    fn stepped(
        program: &Program,
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        position: Option<Position>,
    ) -> Vec<[Value; 3]> {
        let Some(position) = position else { return vec![] };
        let (mut now_in, mut passages) = (vec![], vec![]);
        world.locate_into(program.set(), position, now_ms, &mut now_in);
        for only in Kind::ALL {
            let (mut state, mut some) = (state.clone(), vec![]);
            program.step(&mut state, world, now_ms, (position, &now_in), Wanted::new(|kind| kind == only), &mut some);
            passages.extend(some);
        }
        let (each, mut all) = (std::mem::take(&mut passages), vec![]);
        program.step(state, world, now_ms, (position, &now_in), Wanted::new(|_| true), &mut all);
        assert_eq!(each, all);
        all.into_iter().map(|passage| program.values(passage, now_ms)).collect()
    }

    /// One step: passage, fence, dwell of each event.
    fn step(
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        position: Option<Position>,
    ) -> Vec<(String, u32, Value)> {
        let shown = |event: [Value; 3]| match event {
            [Value::Text(passage), Value::Fence(fence), dwell] => {
                assert_eq!(fence.set, 0);
                (passage.as_str().to_owned(), fence.fence.0, dwell)
            }
            other => panic!("{other:?}"),
        };
        stepped(&program(), state, world, now_ms, position).into_iter().map(shown).collect()
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

    /// What a program says at each of these longitudes, in short: `+a` entered, `-a` exited, `a` inside.
    fn says(plan: plan::Through, lons: &[f64]) -> Vec<String> {
        let (world, program, mut state) = (world(), Program::new(&plan), KeyState::default());
        let mut said = Vec::new();
        for (now_ms, &lon) in (0..).zip(lons) {
            let mut here = String::new();
            for event in stepped(&program, &mut state, &world, now_ms, at(lon)) {
                let [Value::Text(passage), Value::Fence(fence), _] = event else { panic!("{event:?}") };
                here.push_str(match passage.as_str() {
                    "entered" => "+",
                    "exited" => "-",
                    _ => "",
                });
                here.push(char::from(b'a' + fence.fence.0 as u8));
            }
            said.push(here);
            let mut writer = Writer::new();
            state.save(&mut writer);
            state = KeyState::load(&mut Reader::new(&writer.into_bytes())).unwrap();
        }
        said
    }

    #[test]
    fn within_the_buffer_an_entity_has_not_left() {
        // A degree of longitude is 111 km here.
        let buffered = plan::Through { buffer_m: 120_000.0, ..plan() };
        assert_eq!(says(buffered, &[-0.5, 1.0, -0.5, -1.05, -1.2, -0.5]), ["", "+a", "a", "a", "-a", ""]);
    }

    #[test]
    fn so_many_positions_in_a_row_make_an_entry_or_an_exit() {
        let three = plan::Through { at_least: 3, ..plan() };
        let lons = [1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0, -1.0];
        assert_eq!(says(three, &lons), ["", "", "", "", "", "+a", "a", "a", "a", "a", "a", "-a"]);
    }

    #[test]
    fn a_first_position_inside_may_be_no_entry() {
        let ignored = plan::Through { first: plan::FirstPosition::Ignored, at_least: 2, ..plan() };
        assert_eq!(says(ignored.clone(), &[1.0, 1.0, -1.0, -1.0, 1.0, 1.0]), ["a", "a", "a", "-a", "", "+a"]);
        assert_eq!(says(ignored, &[-1.0, 1.0, 1.0]), ["", "", "+a"]);
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
                    state = KeyState::load(&mut Reader::new(&bytes)).unwrap();
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
            let _ = KeyState::load(&mut Reader::new(&bytes));
        }
    }
}
