//! When which places are due, in order of time, then place.
//!
//! Time is cut into spans of about a second. What is due in a later span lies there in runs as it came; a run that is full is sorted at once, the
//! last one when its span is reached. From then on the runs are merged. So a timer costs no walk through a heap of a million, a million that are due
//! in the same second never have to be sorted in one go, and windows of many keys that end together close in the order in which keys lie in memory.
//! Where a whole run is due at one instant, it and what is due then after it is a [`Crowd`], which is never sorted as a whole.
//!
//! ```text
//!  now: runs, a heap by their first │ leaving: a crowd │ soon: a heap, of what came since │ pile, later: runs and a crowd, by span
//! ```

use super::{
    Place,
    crowd::{Crowd, Leaving},
};
use crate::model::TimeMs;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap, binary_heap::PeekMut},
};

/// log₂ of a span's milliseconds.
const SPAN_BITS: u32 = 10;

/// A full run has so many: sorting it takes a small part of a millisecond.
const RUN: usize = if cfg!(test) { 8 } else { 8_192 };

/// A queue of places by time.
#[derive(Debug)]
pub(super) struct Timers {
    /// The span that `now` is of; what is due in it or before goes to `soon`.
    span: i64,
    now: BinaryHeap<Run>,
    leaving: Option<Leaving>,
    soon: BinaryHeap<Reverse<Timer>>,
    /// One later span, the one that was the last to get its first timer: most often the next one's, too.
    pile: Pile,
    later: BTreeMap<i64, Pile>,
    len: usize,
}

/// A time and a place, in one number that orders as they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer(u128);

/// Some timers. The greatest run is the one whose first is due first.
#[derive(Debug)]
struct Run {
    first: Timer,
    /// Descending.
    rest: Vec<Timer>,
}

/// What is due in a span.
#[derive(Debug, Default)]
struct Pile {
    span: i64,
    /// The earliest of its times.
    least_ms: TimeMs,
    full: Vec<Run>,
    /// Those of the instant at which the most seem to be due.
    crowd: Option<Crowd>,
    /// As they came.
    timers: Vec<Timer>,
}

const SIGN: u64 = 1 << 63;

impl Timer {
    #[inline]
    pub(super) fn new(at_ms: TimeMs, place: Place) -> Self {
        Self(u128::from(at_ms as u64 ^ SIGN) << 64 | u128::from(place.group) << 32 | u128::from(place.slot))
    }

    #[inline]
    pub(super) fn at_ms(self) -> TimeMs {
        ((self.0 >> 64) as u64 ^ SIGN) as TimeMs
    }

    #[inline]
    pub(super) fn place(self) -> Place {
        Place { group: (self.0 >> 32) as u32, slot: self.0 as u32 }
    }
}

impl Run {
    /// None: no timers.
    fn of(mut timers: Vec<Timer>) -> Option<Self> {
        timers.sort_unstable_by(|a, b| b.cmp(a));
        timers.pop().map(|first| Self { first, rest: timers })
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.first == other.first
    }
}

impl Eq for Run {}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Run {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        other.first.cmp(&self.first)
    }
}

impl Pile {
    fn of(span: i64) -> Self {
        Self { span, least_ms: TimeMs::MAX, full: Vec::new(), crowd: None, timers: Vec::new() }
    }

    #[inline]
    fn push(&mut self, timer: Timer) {
        let at_ms = timer.at_ms();
        if let Some(crowd) = self.crowd.as_mut().filter(|crowd| crowd.at_ms == at_ms) {
            return crowd.push(timer.place());
        }
        if self.timers.len() == RUN {
            self.fill();
            // Most likely it is of the crowd that there is now.
            return self.push(timer);
        }
        self.least_ms = self.least_ms.min(at_ms);
        self.timers.push(timer);
    }

    /// A run is full.
    fn fill(&mut self) {
        let timers = std::mem::take(&mut self.timers);
        match self.crowd.is_none().then(|| Crowd::of(&timers)).flatten() {
            Some(crowd) => self.crowd = Some(crowd),
            None => self.full.extend(Run::of(timers)),
        }
    }

    fn is_empty(&self) -> bool {
        self.timers.is_empty() && self.full.is_empty() && self.crowd.is_none()
    }

    fn into_parts(mut self) -> (Vec<Run>, Option<Leaving>) {
        self.full.extend(Run::of(self.timers));
        (self.full, self.crowd.map(Crowd::leave))
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            span: i64::MIN,
            now: BinaryHeap::new(),
            leaving: None,
            soon: BinaryHeap::new(),
            pile: Pile::of(i64::MIN),
            later: BTreeMap::new(),
            len: 0,
        }
    }
}

impl Timers {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn push(&mut self, at_ms: TimeMs, place: Place) {
        let (timer, span) = (Timer::new(at_ms, place), at_ms >> SPAN_BITS);
        self.len += 1;
        if span <= self.span {
            self.push_soon(timer);
        } else if span == self.pile.span {
            self.pile.push(timer);
        } else {
            self.push_later(span, timer);
        }
    }

    #[inline]
    fn push_soon(&mut self, timer: Timer) {
        // A heap that grows is copied: it stays small.
        if self.soon.len() == RUN {
            let timers = std::mem::take(&mut self.soon).into_iter().map(|Reverse(timer)| timer);
            self.now.extend(Run::of(timers.collect()));
        }
        self.soon.push(Reverse(timer));
    }

    fn push_later(&mut self, span: i64, timer: Timer) {
        // With jitter each timer is of another span than the one before.
        if let Some(pile) = self.later.get_mut(&span) {
            return pile.push(timer);
        }
        let pile = std::mem::replace(&mut self.pile, Pile::of(span));
        if !pile.is_empty() {
            self.later.insert(pile.span, pile);
        }
        self.pile.push(timer);
    }

    /// The earliest time, and its place if that is known yet.
    #[inline]
    pub(super) fn first_ms(&self) -> Option<TimeMs> {
        match self.first() {
            Some(timer) => Some(timer.at_ms()),
            None => self.first_pile().map(|pile| pile.least_ms),
        }
    }

    /// The first of the spans that have come.
    #[inline]
    fn first(&self) -> Option<Timer> {
        let now = self.now.peek().map(|run| run.first);
        let soon = self.soon.peek().map(|Reverse(timer)| *timer);
        let leaving = self.leaving.as_ref().and_then(Leaving::first);
        now.into_iter().chain(soon).chain(leaving).min()
    }

    fn first_pile(&self) -> Option<&Pile> {
        let later = self.later.first_key_value().map(|(_, pile)| pile);
        let pile = (!self.pile.is_empty()).then_some(&self.pile);
        pile.into_iter().chain(later).min_by_key(|pile| pile.span)
    }

    /// Takes the first, if it is due by then.
    #[inline]
    pub(super) fn pop(&mut self, to_ms: TimeMs) -> Option<(TimeMs, Place)> {
        let first = match self.first() {
            Some(first) => first,
            None if self.go_on(to_ms) => self.first()?,
            None => return None,
        };
        if first.at_ms() > to_ms {
            return None;
        }
        if self.leaving.as_ref().and_then(Leaving::first) == Some(first) {
            if self.leaving.as_mut().is_some_and(|leaving| !leaving.pop()) {
                self.leaving = None;
            }
        } else if self.now.peek().is_some_and(|run| run.first == first) {
            self.pop_now();
        } else {
            self.soon.pop();
        }
        self.len -= 1;
        Some((first.at_ms(), first.place()))
    }

    #[inline]
    fn pop_now(&mut self) {
        if let Some(mut run) = self.now.peek_mut() {
            match run.rest.pop() {
                Some(next) => run.first = next,
                None => drop(PeekMut::pop(run)),
            }
        }
    }

    /// Goes on to the next span with timers, if one of them is due by then.
    fn go_on(&mut self, to_ms: TimeMs) -> bool {
        let Some((span, least_ms)) = self.first_pile().map(|pile| (pile.span, pile.least_ms)) else {
            // A queue that is empty gives its memory back.
            if self.soon.capacity() > 0 {
                *self = Self { span: self.span, ..Self::default() };
            }
            return false;
        };
        if least_ms > to_ms {
            return false;
        }
        let next = if span == self.pile.span {
            std::mem::replace(&mut self.pile, Pile::of(i64::MIN))
        } else {
            self.later.remove(&span).unwrap_or_default()
        };
        let (runs, leaving) = next.into_parts();
        (self.span, self.now, self.leaving) = (span, runs.into(), leaving);
        true
    }

    /// Lets go of all others.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(TimeMs, Place) -> bool) {
        let now = std::mem::take(&mut self.now).into_iter();
        let soon = std::mem::take(&mut self.soon).into_iter().map(|Reverse(timer)| timer);
        let piles = std::mem::take(&mut self.later).into_values().chain([std::mem::take(&mut self.pile)]);
        let mut leaving: Vec<Leaving> = self.leaving.take().into_iter().collect();
        let piles = piles.flat_map(|pile| {
            let (runs, crowd) = pile.into_parts();
            leaving.extend(crowd);
            runs
        });
        let runs: Vec<Run> = now.chain(piles).collect();
        let mut kept = Self::default();
        runs.into_iter()
            .flat_map(|run| run.rest.into_iter().chain([run.first]))
            .chain(soon)
            .chain(leaving.into_iter().flatten())
            .filter(|timer| keep(timer.at_ms(), timer.place()))
            .for_each(|timer| kept.push(timer.at_ms(), timer.place()));
        *self = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Act {
        Push(TimeMs),
        Pop(TimeMs),
        Retain(u32),
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_order_of_time_and_place(
            acts in prop::collection::vec(prop_oneof![
                6 => (-3_000i64..9_000).prop_map(Act::Push),
                // Many at one instant.
                20 => prop::sample::select(vec![2_000, 2_001, 5_000]).prop_map(Act::Push),
                1 => prop::sample::select(vec![i64::MIN, i64::MAX]).prop_map(Act::Push),
                6 => (-3_000i64..9_000).prop_map(Act::Pop),
                1 => Just(Act::Pop(i64::MAX)),
                1 => (2u32..4).prop_map(Act::Retain),
            ], 0..300),
        ) {
            let (mut timers, mut model) = (Timers::default(), BTreeSet::new());
            for (at, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Push(at_ms) => {
                        let place = Place { group: (at % 3) as u32, slot: at as u32 };
                        timers.push(at_ms, place);
                        model.insert((at_ms, place));
                    }
                    Act::Pop(to_ms) => {
                        let first = model.first().copied().filter(|(at_ms, _)| *at_ms <= to_ms);
                        prop_assert_eq!(timers.pop(to_ms), first);
                        first.map(|first| model.remove(&first));
                    }
                    Act::Retain(of) => {
                        timers.retain(|_, place| !place.slot.is_multiple_of(of));
                        model.retain(|(_, place)| !place.slot.is_multiple_of(of));
                    }
                }
                prop_assert_eq!(timers.first_ms(), model.first().map(|(at_ms, _)| *at_ms));
                prop_assert_eq!(timers.len(), model.len());
            }
        }
    }
}
