//! THROUGH with INTERPOLATE: what lies on the way between an entity's consecutive positions.
//!
//! An entity went from the position before to this one at an even speed, along the geodesic (`geo::Way`). A fence that this way
//! goes into is entered and one that it goes out of is exited, as often as it does so, and also if no position is inside. The passages
//! have the time of the position that shows them, since they are known only then; `crossed_at` and `crossing` say when and where on the
//! way it was. An entry counts from then on.
//!
//! What follows from no way has neither: a first position inside, an entity of which nothing was heard for longer than MAX GAP, and a fence that
//! came, went or was moved meanwhile. So at each position an entity is in the fences that hold the position, as without INTERPOLATE.

use super::through::{KeyState, Program, Stay};
use crate::{
    expr::World,
    geo::{FenceIx, Position, Way},
    model::{FenceRef, TimeMs, Value},
    plan::{self, Interpolate},
};

/// Values that are added to an interpolated passage.
const ADDED: usize = plan::Through::CROSSED_AT as usize + 2;

/// An entry or an exit.
struct Crossing {
    fence: u32,
    entered: bool,
    /// Of the way; none if it is not known where on it.
    share: Option<f64>,
}

impl Program {
    /// Takes an event of the entity, of the time `now_ms`, at a position that these fences hold, ascending. `emit` gets what is added to it,
    /// once per passage: passage, fence and dwell; when and where it crossed the border in their slots. What lies on the way comes by its time, then
    /// the fences it is still in.
    pub fn step_way(
        &self,
        interpolate: Interpolate,
        state: &mut KeyState,
        world: &World,
        now_ms: TimeMs,
        (position, now_in): (Position, &[FenceIx]),
        emit: &mut dyn FnMut(&[Value]),
    ) {
        let set = self.plan.set;
        let before = state.last.as_deref().copied();
        let is_first = self.plan.first == plan::FirstPosition::Ignored && before.is_none();
        match &mut state.last {
            Some(last) => **last = (position, now_ms),
            last @ None => *last = Some(Box::new((position, now_ms))),
        }
        let way = before.filter(|&(from, at_ms)| from != position && interpolate.holds(at_ms, now_ms));
        let way = way.map(|(from, at_ms)| (Way::new(from, position), from, at_ms));
        let passed = way.as_ref().map(|(way, from, _)| world.passed(set, way, (*from, position), now_ms));
        let passed = passed.unwrap_or_default();
        let is_in = |state: &KeyState, fence: u32| state.inside.binary_search_by_key(&fence, |stay| stay.fence);

        let mut crossings: Vec<Crossing> = Vec::new();
        for passed in &passed {
            let fence = passed.fence.0;
            let mut inside = is_in(state, fence).is_ok();
            // If it wasn't where the way begins, the first turn leads to where it was.
            let skipped = usize::from(inside != passed.starts_inside);
            for &share in passed.turns.iter().skip(skipped) {
                inside = !inside;
                crossings.push(Crossing { fence, entered: inside, share: Some(share) });
            }
        }
        let turned = |fence: u32| passed.binary_search_by_key(&fence, |passed| passed.fence.0).is_ok();
        let gone = state.inside.iter().map(|stay| stay.fence);
        let gone = gone.filter(|&fence| now_in.binary_search(&FenceIx(fence)).is_err() && !turned(fence));
        let come = now_in.iter().map(|fence| fence.0).filter(|&fence| is_in(state, fence).is_err() && !turned(fence));
        let unknown = |entered: bool| move |fence: u32| Crossing { fence, entered, share: None };
        crossings.extend(gone.map(unknown(false)));
        crossings.extend(come.map(unknown(true)));
        crossings.sort_by(|a, b| {
            let of_way = |crossing: &Crossing| crossing.share.unwrap_or(1.0);
            of_way(a).total_cmp(&of_way(b)).then((a.entered, a.fence).cmp(&(b.entered, b.fence)))
        });

        let fence = |ix: u32| Value::Fence(FenceRef { set, fence: FenceIx(ix) });
        let since = |entry_ms: TimeMs, at_ms: TimeMs| Value::Duration(at_ms.saturating_sub(entry_ms).max(0));
        // What is left of these was entered before.
        let mut stayed: Vec<(u32, TimeMs)> = state.inside.iter().map(|stay| (stay.fence, stay.entry_ms)).collect();
        let mut added: [Value; ADDED] = Default::default();
        for crossing in &crossings {
            let known = crossing.share.zip(way.as_ref()).map(|(share, (way, _, from_ms))| {
                let after_ms = (now_ms.saturating_sub(*from_ms) as f64 * share).round() as TimeMs;
                (from_ms.saturating_add(after_ms).min(now_ms), way.at(share))
            });
            let at_ms = known.map_or(now_ms, |(at_ms, _)| at_ms);
            let dwell = match (is_in(state, crossing.fence), crossing.entered) {
                (Err(at), true) => {
                    state.inside.insert(at, Stay { fence: crossing.fence, entry_ms: at_ms, away: 0 });
                    Value::Null
                }
                (Ok(at), false) => {
                    stayed.retain(|&(fence, _)| fence != crossing.fence);
                    since(state.inside.remove(at).entry_ms, at_ms)
                }
                // Turns alternate, so there is no third.
                _ => continue,
            };
            if is_first {
                continue;
            }
            let passage = if crossing.entered { &self.entered } else { &self.exited };
            let (crossed_at, place) = match known {
                Some((at_ms, place)) => (Value::Time(at_ms), Value::Point(place)),
                None => (Value::Null, Value::Null),
            };
            let of_all = [passage.clone(), fence(crossing.fence), dwell];
            added.iter_mut().zip(of_all).for_each(|(slot, value)| *slot = value);
            added.iter_mut().rev().zip([place, crossed_at]).for_each(|(slot, value)| *slot = value);
            emit(&added);
        }
        if is_first {
            stayed.extend(state.inside.iter().map(|stay| (stay.fence, stay.entry_ms)));
        }
        for (ix, entry_ms) in stayed {
            emit(&[self.inside.clone(), fence(ix), since(entry_ms, now_ms)]);
        }
    }
}

#[cfg(test)]
#[path = "passage_test.rs"]
mod tests;
