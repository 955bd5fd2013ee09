//! Circles: rules that read each other go from instant to instant, and within one round after round.
//!
//! An instant begins with timers and with all that comes from outside; each rule takes what is there for it, in the order of levels,
//! and what is fed back is the next round's. So a hop is a round, and an instant is over before the next one begins: between two
//! advances nothing is on its way, and no state knows of hops.

use super::{
    arrivals::Arrivals,
    inbox::OwnedEvent,
    machine::Engine,
    order::derived_event,
    output::{Moment, Output, sort},
    route::{Find, Route},
};
use crate::{
    model::{Key, TimeMs},
    plan::{Body, Feedback, Mode, Plan},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
};

/// Rules that read each other: each has a level of its own, one after the other.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) levels: Range<usize>,
    places: Vec<Place>,
}

impl Circle {
    /// Whether a rule is in it.
    pub(super) fn has(&self, rule: u32) -> bool {
        self.places.iter().any(|place| place.rule == rule)
    }
}

/// A rule of a circle.
#[derive(Debug)]
struct Place {
    rule: u32,
    /// What it says of an instant is known right after it only, and said then: regions.
    is_after: bool,
    /// Who of the circle reads it.
    readers: Vec<Reader>,
}

#[derive(Clone, Copy, Debug)]
struct Reader {
    place: usize,
    /// So often it may be fed back to at an instant; none: it comes later in the same round.
    hops: Option<u32>,
}

/// An event with the rank of its stream.
type Coming = (u32, OwnedEvent);

/// Of each rule what has been put out for a key at a time, to number it on.
type Numbers = Vec<BTreeMap<(TimeMs, Key), u64>>;

/// Gives rules of circles levels of their own, right after the others of their level.
pub(super) fn give_levels(circles: &[Vec<usize>], level_of: &mut [u32], timeline_of: impl Fn(usize) -> usize) {
    let mut of_timelines: BTreeMap<usize, Vec<(u32, &Vec<usize>)>> = BTreeMap::new();
    for circle in circles {
        if let Some(&first) = circle.first() {
            let level = level_of.get(first).copied().unwrap_or(0);
            of_timelines.entry(timeline_of(first)).or_default().push((level, circle));
        }
    }
    for (timeline, mut circles) in of_timelines {
        circles.sort();
        for (_, level) in level_of.iter_mut().enumerate().filter(|(rule, _)| timeline_of(*rule) == timeline) {
            let before = circles.iter().filter(|(at, _)| at < level).map(|(_, circle)| circle.len()).sum::<usize>();
            *level += before as u32;
        }
        let mut before = 0;
        for (at, circle) in circles {
            for &rule in circle {
                before += 1;
                level_of.get_mut(rule).into_iter().for_each(|level| *level = at + before);
            }
        }
    }
}

/// The circles of a plan whose rules run at these levels.
pub(super) fn circles_of(plan: &Plan, circles: &[Vec<usize>], level_of: &[u32]) -> Vec<Circle> {
    let circle = |rules: &Vec<usize>| {
        let mut places: Vec<Place> = rules
            .iter()
            .map(|&rule| {
                let body = plan.rules.get(rule).map(|rule| &rule.body);
                Place { rule: rule as u32, is_after: matches!(body, Some(Body::Cluster(_))), readers: Vec::new() }
            })
            .collect();
        for (place, rule) in rules.iter().enumerate().filter_map(|(at, rule)| Some((at, plan.rules.get(*rule)?))) {
            let inputs = rule.inputs.iter().enumerate();
            let reads = inputs.filter_map(|(input, reads)| {
                let read = rules.iter().position(|rule| Some(*rule) == plan.maker(reads.stream))?;
                let back = rule.back.as_ref().filter(|back| back.inputs.iter().any(|at| usize::from(*at) == input));
                Some((read, back.map(|back| back.hops)))
            });
            // Who reads a stream twice gets each event once, and asks twice what it is.
            let reads: BTreeMap<usize, Option<u32>> = reads.filter(|_| rule.mode != Mode::Off).collect();
            for (read, hops) in reads {
                places.get_mut(read).into_iter().for_each(|read| read.readers.push(Reader { place, hops }));
            }
        }
        let start = rules.first().and_then(|rule| level_of.get(*rule)).map_or(0, |level| *level as usize);
        Circle { levels: start..start + places.len(), places }
    };
    circles.iter().map(circle).collect()
}

impl Engine {
    /// The rules of a circle take all instants below the watermark, and timers up to it. `before_ms` is the watermark before.
    pub(super) fn go_round(&mut self, circle: &Circle, to: &Moment, before_ms: TimeMs) {
        let inboxes = self.inboxes.get_mut(circle.levels.clone()).unwrap_or_default();
        let mut outside: Vec<VecDeque<Coming>> =
            inboxes.iter_mut().map(|inbox| inbox.take_ranked(to.watermark_ms).into()).collect();
        // Where the inputs have ended nothing is fed back: timers could wake one another for ever.
        let until_ms = to.watermark_ms.min(to.fed_ms.saturating_add(1)).max(before_ms);
        let mut last_ms = None;
        while let Some(now_ms) = self.next_instant(circle, &outside, last_ms) {
            let now_ms = now_ms.max(before_ms);
            if now_ms >= until_ms {
                break;
            }
            let of_instant = |events: &mut VecDeque<Coming>| {
                let count = events.partition_point(|(_, event)| event.header.time_ms <= now_ms);
                events.drain(..count).collect()
            };
            let coming = outside.iter_mut().map(of_instant).collect();
            let moment = Moment { watermark_ms: now_ms, event_ms: to.event_ms.min(now_ms), ..*to };
            self.take_instant(circle, coming, &moment);
            last_ms = Some(now_ms);
        }
        self.go_through(circle, outside, to, until_ms);
        self.shards.iter_mut().for_each(|shard| shard.floor_ms = before_ms);
    }

    /// When something next happens to a rule of the circle, after the last instant.
    fn next_instant(
        &mut self,
        circle: &Circle,
        outside: &[VecDeque<Coming>],
        last_ms: Option<TimeMs>,
    ) -> Option<TimeMs> {
        let events = outside.iter().filter_map(|events| Some(events.front()?.1.header.time_ms));
        let held = self.held.get(circle.levels.clone()).into_iter().flatten();
        let held = held.filter_map(|held| held.iter().map(|output| output.emission.time_ms).min());
        let all: Vec<TimeMs> = events.chain(held).collect();
        let shards = &mut self.shards;
        let due = circle.levels.clone().flat_map(|level| {
            let due = shards.iter_mut().filter_map(|shard| shard.next_due(level));
            due.collect::<Vec<_>>()
        });
        all.into_iter().chain(due).filter(|at_ms| last_ms.is_none_or(|last_ms| *at_ms > last_ms)).min()
    }

    /// One instant, with what comes of it in the circle, round after round.
    fn take_instant(&mut self, circle: &Circle, mut coming: Vec<Vec<Coming>>, to: &Moment) {
        let now_ms = to.watermark_ms;
        let mut numbers: Numbers = vec![BTreeMap::new(); circle.places.len()];
        let mut found: Vec<Vec<Output>> = vec![Vec::new(); circle.places.len()];
        let (mut first, mut fed) = (0usize, 0usize);
        // Each round that feeds back is a hop, of which there are only so many.
        for round in 0u32.. {
            let mut back: Vec<Vec<Coming>> = vec![Vec::new(); circle.places.len()];
            for (at, (place, level)) in circle.places.iter().zip(circle.levels.clone()).enumerate() {
                let mut events = coming.get_mut(at).map(std::mem::take).unwrap_or_default();
                let is_due = round == 0 && self.is_due(level, now_ms);
                if events.is_empty() && !is_due {
                    continue;
                }
                // Stable: events of one stream stay in their order.
                events.sort_by_key(|(rank, _)| *rank);
                self.step_place(level, place, &events, to, now_ms);
                let outputs = self.complete(level, now_ms.saturating_add(1));
                let mut lost = Vec::new();
                self.hand_round(place, &outputs, numbers.get_mut(at), |reader, event| match reader.hops {
                    None => coming.get_mut(reader.place).into_iter().for_each(|coming| coming.push(event.clone())),
                    // As many may follow from one as FEEDBACK within one rule lets follow from an event.
                    Some(hops) if round < hops && (round == 0 || fed < first.saturating_mul(Feedback::FED_MAX)) => {
                        *(if round == 0 { &mut first } else { &mut fed }) += 1;
                        back.get_mut(reader.place).into_iter().for_each(|back| back.push(event.clone()));
                    }
                    Some(_) => lost.push((circle.levels.start + reader.place, event.clone())),
                });
                lost.iter().for_each(|(level, (_, event))| self.count_unfed(*level, event));
                found.get_mut(at).into_iter().for_each(|found| found.extend_from_slice(&outputs));
            }
            if back.iter().all(Vec::is_empty) {
                break;
            }
            coming = back;
        }
        for mut outputs in found {
            // Stable: of a key's outputs those of earlier rounds are first.
            sort(&mut outputs);
            let count = outputs.len();
            self.pass_on(&mut outputs, count);
        }
    }

    /// What is left once no instant has anything to feed back: the rules one after the other, as any others.
    fn go_through(&mut self, circle: &Circle, outside: Vec<VecDeque<Coming>>, to: &Moment, floor_ms: TimeMs) {
        let mut coming: Vec<Vec<Coming>> = outside.into_iter().map(Vec::from).collect();
        for (at, (place, level)) in circle.places.iter().zip(circle.levels.clone()).enumerate() {
            let mut events = coming.get_mut(at).map(std::mem::take).unwrap_or_default();
            events.sort_by_key(|(rank, event)| (event.header.time_ms, *rank));
            self.step_place(level, place, &events, to, floor_ms);
            let mut outputs = self.complete(level, to.watermark_ms);
            let mut numbers = BTreeMap::new();
            self.hand_round(place, &outputs, Some(&mut numbers), |reader, event| {
                if reader.hops.is_none() {
                    coming.get_mut(reader.place).into_iter().for_each(|coming| coming.push(event.clone()));
                }
            });
            let count = outputs.len();
            self.pass_on(&mut outputs, count);
        }
    }

    /// Whether time does something to a level's rule, or has.
    fn is_due(&mut self, level: usize, now_ms: TimeMs) -> bool {
        self.held.get(level).is_some_and(|held| !held.is_empty())
            || self.shards.iter_mut().any(|shard| shard.next_due(level).is_some_and(|due_ms| due_ms <= now_ms))
    }

    /// A rule takes events, and time passes for it. No output with a time below `floor_ms` may come any more.
    fn step_place(&mut self, level: usize, place: &Place, events: &[Coming], to: &Moment, floor_ms: TimeMs) {
        let after_ms = TimeMs::from(place.is_after);
        self.shards.iter_mut().for_each(|shard| shard.floor_ms = floor_ms.saturating_sub(after_ms));
        self.step_level(level, to.clock, Arrivals::Round(events));
        self.advance_level(level, to);
        self.gather(level, after_ms);
    }

    /// Takes a level's outputs with a time below this, in their order.
    fn complete(&mut self, level: usize, before_ms: TimeMs) -> Vec<Output> {
        let Some(held) = self.held.get_mut(level) else { return Vec::new() };
        sort(held);
        let complete = held.partition_point(|output| output.emission.time_ms < before_ms);
        held.drain(..complete).collect()
    }

    /// Makes outputs events for those of the circle that read them.
    fn hand_round(
        &self,
        place: &Place,
        outputs: &[Output],
        numbers: Option<&mut BTreeMap<(TimeMs, Key), u64>>,
        mut give: impl FnMut(&Reader, &Coming),
    ) {
        let (Some(rule), Some(derived), Some(numbers)) =
            (self.plan.rules.get(place.rule as usize), self.derived.get(place.rule as usize), numbers)
        else {
            return;
        };
        if place.readers.is_empty() {
            return;
        }
        let rank = self.stream_ranks.get(derived.stream.0 as usize).copied().unwrap_or(0);
        for output in outputs {
            let number = numbers.entry((output.emission.time_ms, output.key.clone())).or_default();
            let event = (rank, derived_event(&rule.name, derived.stream, output, *number));
            *number += 1;
            place.readers.iter().for_each(|reader| give(reader, &event));
        }
    }

    /// Counts an event that isn't fed back, as a bound was reached, for the rules that would have taken it.
    fn count_unfed(&mut self, level: usize, event: &OwnedEvent) {
        let mut rules = BTreeSet::new();
        let Self { router, memos, stats, .. } = self;
        if let Some(mut readers) = router.readers(level, event.stream, Find::Concerned, memos) {
            readers.route(event.as_ref(), |to, route| {
                if matches!(route, Route::To(_)) {
                    rules.insert(to.rule);
                }
            });
        }
        for rule in rules {
            stats.get_mut(rule as usize).into_iter().for_each(|stats| stats.shed += 1);
        }
    }
}
