//! How time goes on: by what events bring, by ticks of the wall clock, and where the inputs end.

use super::{
    machine::{AtEnd, Engine},
    output::Moment,
};
use crate::{
    model::{Clock, TimeMs},
    plan::{self, EndPolicy},
    time::Released,
};

impl Engine {
    /// Does all work that the inputs so far allow.
    pub fn advance(&mut self) {
        self.go_on(&[]);
    }

    /// Lets time go on on all timelines; `wall` says on which the wall clock has moved it, and how far.
    fn go_on(&mut self, wall: &[Option<TimeMs>]) {
        let released: Vec<Released> = self.timelines.iter_mut().map(|timeline| timeline.merge.release()).collect();
        // Where all partitions of a timeline have ended its time goes on with that of the others, so that their outputs are in one
        // order; where all have, how time goes on is for `finish` to say.
        let open = || self.timelines.iter().filter(|timeline| !timeline.is_over());
        let others_ms = open().map(|timeline| timeline.merge.watermark().max(timeline.watermark_ms)).min();
        let others_event_ms = open().map(|timeline| timeline.merge.event_watermark().max(timeline.event_ms)).min();
        let last_ms = self.last_event_ms();
        let any = wall.iter().any(Option::is_some);
        for (at, released) in released.into_iter().enumerate() {
            let Some(timeline) = self.timelines.get(at) else { continue };
            let after_ms = |others_ms: Option<TimeMs>| match others_ms {
                Some(others_ms) => timeline.last_event_ms.saturating_add(1).max(others_ms),
                None => last_ms.saturating_add(1),
            };
            let over = timeline.is_over() && (last_ms > TimeMs::MIN || timeline.merge.watermark() == TimeMs::MAX);
            // What is over goes on with others, by whatever moves them.
            let releases = wall.get(at).is_some_and(Option::is_some) || over && any;
            let clock = if releases { Clock::Wall } else { Clock::Event };
            let (watermark_ms, event_ms) = match over {
                true => (after_ms(others_ms), after_ms(others_event_ms)),
                false => (timeline.merge.watermark(), timeline.merge.event_watermark()),
            };
            let (watermark_ms, event_ms) = (watermark_ms.max(timeline.watermark_ms), event_ms.max(timeline.event_ms));
            let same = (watermark_ms, event_ms) == (timeline.watermark_ms, timeline.event_ms) && released.is_empty();
            if !same || releases || self.timelines.len() == 1 {
                self.run(at, &released, &Moment { watermark_ms, event_ms, clock, releases, fed_ms: TimeMs::MAX });
            }
            if let Some(timeline) = self.timelines.get_mut(at) {
                timeline.merge.recycle(released);
            }
        }
        self.settle();
    }

    /// The time of the last event of all; before the first `TimeMs::MIN`.
    fn last_event_ms(&self) -> TimeMs {
        self.timelines.iter().map(|timeline| timeline.last_event_ms).max().unwrap_or(TimeMs::MIN)
    }

    /// The wall clock says that event time has come at least so far, on streams that are quiet. What waits for the wall clock
    /// goes now: a driver that has read all there is calls this with the watermark too, where a rule
    /// [waits for it](Self::waits_for_wall).
    pub fn tick(&mut self, to_ms: TimeMs) {
        let all = vec![Some(to_ms); self.timelines.len()];
        self.tick_timelines(&all);
    }

    /// The same for each timeline by itself: how far event time has come on it, none if the wall clock says nothing about it.
    pub fn tick_timelines(&mut self, to_ms: &[Option<TimeMs>]) {
        // What events alone bring about is theirs, however late somebody looks.
        self.advance();
        for (timeline, to_ms) in self.timelines.iter_mut().zip(to_ms) {
            if let Some(to_ms) = to_ms.filter(|to_ms| *to_ms > timeline.watermark_ms) {
                timeline.merge.raise(to_ms);
            }
        }
        self.go_on(to_ms);
    }

    /// Whether a rule lets its timers be fired by the wall clock only.
    pub fn waits_for_wall(&self) -> bool {
        self.waits_for_wall
    }

    /// Whether a rule's windows are over the time of arrival, so that the core wants to be told the time.
    pub fn counts_arrivals(&self) -> bool {
        !self.by_arrival.is_empty()
    }

    /// The wall clock reads so much: what was pushed before has arrived before, and what is pushed from now on arrives now. Windows
    /// over the time of arrival close by it; a clock that was set back stands still. A driver of a plan that
    /// [counts arrivals](Self::counts_arrivals) calls this before the first event, and then again and again.
    pub fn read_wall(&mut self, wall_ms: TimeMs) {
        if !self.counts_arrivals() {
            return;
        }
        // Whatever came before is taken at the time at which it came.
        self.advance();
        self.arrive(wall_ms);
    }

    /// Tells the rules that count arrivals what time it is. For who reads them, their outputs are decided now in event time.
    pub(super) fn arrive(&mut self, wall_ms: TimeMs) {
        self.wall_ms = self.wall_ms.max(wall_ms);
        let wall_ms = self.wall_ms;
        let levels = self.timelines.iter().map(|timeline| (timeline.levels.clone(), timeline.watermark_ms));
        for (levels, decided_ms) in levels.collect::<Vec<_>>() {
            for level in levels {
                let Self { executor, shards, by_arrival, .. } = self;
                executor.run(shards, &|shard| shard.arrive(level, by_arrival, wall_ms, decided_ms));
                self.collect(level, decided_ms);
            }
        }
        self.settle();
    }

    /// After a state was read: what comes next arrives when the wall clock was last read there.
    pub(super) fn resume_arrivals(&mut self) {
        if self.counts_arrivals() {
            self.arrive(self.wall_ms);
        }
    }

    /// The inputs have ended.
    pub fn finish(&mut self, at_end: AtEnd) {
        if at_end == AtEnd::Hold {
            return;
        }
        // What events alone bring about is theirs, whenever somebody last looked.
        self.advance();
        let stays = |rule: &plan::Rule| match rule.at_end {
            Some(policy) => policy == EndPolicy::Drop,
            None => at_end == AtEnd::Last,
        };
        let stay: Vec<bool> = self.plan.rules.iter().map(stays).collect();
        let mut released: Vec<Released> = Vec::new();
        for timeline in &mut self.timelines {
            timeline.merge.end_all();
            released.push(timeline.merge.release());
        }
        let fed_ms = self.last_event_ms();
        let run = |engine: &mut Self, released: &[Released], to_ms: TimeMs, releases: bool| {
            let none = Released::default();
            for at in 0..engine.timelines.len() {
                let Some(timeline) = engine.timelines.get(at) else { continue };
                let (watermark_ms, event_ms) = (to_ms.max(timeline.watermark_ms), to_ms.max(timeline.event_ms));
                let moment = Moment { watermark_ms, event_ms, clock: Clock::Event, releases, fed_ms };
                engine.run(at, released.get(at).unwrap_or(&none), &moment);
            }
        };
        if stay.contains(&true) || self.counts_arrivals() {
            // All events up to and with the last instant are there, so none with a time below the next millisecond will come.
            let last_ms = self.last_event_ms().saturating_add(1);
            run(self, &released, last_ms, false);
            released.clear();
            for (rule, _) in stay.iter().enumerate().filter(|(_, stays)| **stays) {
                self.shards.iter_mut().for_each(|shard| shard.stop(rule as u32));
            }
        }
        if stay.contains(&false) {
            if self.counts_arrivals() {
                self.arrive(TimeMs::MAX);
            }
            run(self, &released, TimeMs::MAX, true);
        }
        self.release_held();
    }
}
