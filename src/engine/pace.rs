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
        if stay.contains(&true) {
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
            let (watermark_ms, event_ms) = (TimeMs::MAX, TimeMs::MAX);
            self.run(&released, &Moment { watermark_ms, event_ms, clock: Clock::Event, releases: true });
        }
        self.release_held();
    }
}
