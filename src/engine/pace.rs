//! How time goes on: by what events bring, by ticks of the wall clock, and where the inputs end.

use super::{
    machine::{AtEnd, Engine},
    output::{Moment, Output},
};
use crate::{
    model::{Clock, TimeMs},
    plan::{self, EndPolicy},
    time::Released,
};

impl Engine {
    /// Does all work that the inputs so far allow.
    pub fn advance(&mut self) {
        self.go_on(Clock::Event, false);
    }

    fn go_on(&mut self, clock: Clock, releases: bool) {
        let released = self.merge.release();
        // Where all partitions have ended, how time goes on is for `finish` to say.
        let last_ms = self.last_event_ms.saturating_add(1);
        let known = |ms: TimeMs| if ms == TimeMs::MAX { last_ms } else { ms };
        let watermark_ms = known(self.merge.watermark()).max(self.watermark_ms);
        let event_ms = known(self.merge.event_watermark()).max(self.event_ms);
        self.run(&released, &Moment { watermark_ms, event_ms, clock, releases });
        self.merge.recycle(released);
    }

    /// The wall clock says that event time has come at least so far, on streams that are quiet. What waits for the wall clock
    /// goes now: a driver that has read all there is calls this with the watermark too, where a rule
    /// [waits for it](Self::waits_for_wall).
    pub fn tick(&mut self, to_ms: TimeMs) {
        // What events alone bring about is theirs, however late somebody looks.
        self.advance();
        if to_ms > self.watermark_ms {
            self.merge.raise(to_ms);
        }
        self.go_on(Clock::Wall, true);
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
        let (wall_ms, decided_ms) = (self.wall_ms, self.watermark_ms);
        for level in 0..self.readers.len() {
            let Self { executor, shards, by_arrival, .. } = self;
            executor.run(shards, &|shard| shard.arrive(level, by_arrival, wall_ms, decided_ms));
            self.collect(level, decided_ms);
        }
        self.ready.sort_by(Output::order);
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
        self.merge.end_all();
        let mut released = self.merge.release();
        if stay.contains(&true) || self.counts_arrivals() {
            // All events up to and with the last instant are there, so none with a time below the next millisecond will come.
            let watermark_ms = self.last_event_ms.saturating_add(1).max(self.watermark_ms);
            let event_ms = self.last_event_ms.saturating_add(1).max(self.event_ms);
            self.run(&released, &Moment { watermark_ms, event_ms, clock: Clock::Event, releases: false });
            released = Released::default();
            for (rule, _) in stay.iter().enumerate().filter(|(_, stays)| **stays) {
                self.shards.iter_mut().for_each(|shard| shard.stop(rule as u32));
            }
        }
        if stay.contains(&false) {
            if self.counts_arrivals() {
                self.arrive(TimeMs::MAX);
            }
            let (watermark_ms, event_ms) = (TimeMs::MAX, TimeMs::MAX);
            self.run(&released, &Moment { watermark_ms, event_ms, clock: Clock::Event, releases: true });
        }
        self.release_held();
    }
}
