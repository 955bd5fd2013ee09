//! Fences of positions to come, looked up side by side: one by one each look-up would wait for memory alone.
//!
//! It is a help and decides nothing: who asks for a position gets its fences whether they were looked up before or not.

use crate::{
    expr::World,
    geo::{FenceIx, Position},
    model::{FenceRef, TimeMs},
};
use std::hint::black_box;

/// A position that was looked up is sought among so many; those that nobody asked for are passed over.
const LOOK: usize = 32;

/// Positions of one set that were looked up, in the order in which they will be asked for.
#[derive(Debug, Default)]
pub struct Foreseen {
    positions: Vec<Position>,
    /// Where each position's fences end.
    ends: Vec<u32>,
    fences: Vec<FenceIx>,
    /// The first that may still be asked for.
    next: usize,
    found: Vec<FenceIx>,
}

impl Foreseen {
    /// Looks these up, in place of those that were before.
    pub fn look_up(&mut self, world: &World, set: u16, positions: impl Iterator<Item = Position>) {
        self.forget();
        let Some(set_fences) = world.set(set) else { return };
        self.positions.extend(positions);
        let Self { positions, ends, fences, found, .. } = self;
        set_fences.locate_each(positions, found, |_, found| {
            fences.extend_from_slice(found);
            ends.push(fences.len() as u32);
        });
        // Who enters one will ask for its id.
        let ids = fences.iter().map(|&fence| world.fence_text(FenceRef { set, fence }).is_null());
        black_box(ids.fold(false, |any, is_null| any | is_null));
    }

    /// What was looked up holds no longer.
    pub fn forget(&mut self) {
        self.next = 0;
        self.positions.clear();
        self.ends.clear();
        self.fences.clear();
    }

    /// The fences of a set that hold a position and are there at a time, ascending. It is the set that was looked up.
    pub fn at(&mut self, world: &World, set: u16, position: Position, time_ms: TimeMs) -> &[FenceIx] {
        let ahead = self.positions.get(self.next..).unwrap_or_default();
        match ahead.iter().take(LOOK).position(|ahead| *ahead == position) {
            Some(passed_over) => {
                let at = self.next + passed_over;
                self.next = at + 1;
                let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
                let start = at.checked_sub(1).map_or(0, end);
                let fences = self.fences.get(start..end(at)).unwrap_or_default();
                match world.set(set) {
                    Some(set) if set.comes_and_goes() => {
                        self.found.clear();
                        self.found.extend_from_slice(fences);
                        set.retain_at(time_ms, &mut self.found);
                    }
                    _ => return fences,
                }
            }
            None => world.locate_into(set, position, time_ms, &mut self.found),
        }
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Fence, FenceSet, Shape, Validity};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Strips of a degree that overlap by half of one; every third is there from 50 on.
    fn world() -> World {
        let strip = |number: i64| {
            let (west, east) = (number as f64 / 2.0, number as f64 / 2.0 + 1.0);
            let ring = [[west, 0.0], [east, 0.0], [east, 1.0], [west, 1.0], [west, 0.0]];
            let from_ms = if number % 3 == 0 { 50 } else { i64::MIN };
            Fence {
                id: number.to_string(),
                properties: vec![],
                shape: Shape::polygon(&[ring]).unwrap(),
                valid: Validity { from_ms, ..Validity::ALWAYS },
            }
        };
        let set = FenceSet::new((0..9).map(strip).collect()).unwrap();
        World::new(vec![("strips".to_owned(), Arc::new(set))])
    }

    proptest! {
        #[test]
        fn whatever_was_looked_up_a_position_has_its_fences(
            ahead in prop::collection::vec(0u8..12, 0..80),
            asked in prop::collection::vec((0usize..80, any::<bool>(), 0i64..100), 0..80),
        ) {
            let world = world();
            let position = |at: u8| Position::new(f64::from(at) * 0.4, 0.5).unwrap();
            let mut foreseen = Foreseen::default();
            foreseen.look_up(&world, 0, ahead.iter().map(|&at| position(at)));
            for (order, (at, jumps, now_ms)) in asked.into_iter().enumerate() {
                let place = if jumps { at } else { order };
                let position = position(ahead.get(place).copied().unwrap_or(at as u8 % 12));
                let mut expected = Vec::new();
                world.locate_into(0, position, now_ms, &mut expected);
                prop_assert_eq!(foreseen.at(&world, 0, position, now_ms), &expected[..]);
            }
        }
    }
}
