//! Which partitions are quiet, and how far the wall clock moves event time when all of them are.
//!
//! A partition is *idle* when it has been read to its present end and brought nothing for its `idle_timeout`: it no longer
//! holds time back. When all partitions of a timeline (of sources that rules read together) are idle nothing holds
//! its time back and nothing moves it on, so the wall clock does: event
//! time is then the watermark at which all became quiet plus the time that has passed since the last record. It is never the
//! wall's own time, so that history that is read today isn't late tomorrow; and it counts on the monotonic scale, so that a
//! clock that is set doesn't move it.

use crate::{
    model::TimeMs,
    runtime::{clock::Clock, session::LaneIx},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Watches all partitions of a run.
#[derive(Debug)]
pub(super) struct Quiet {
    clock: Arc<dyn Clock>,
    lanes: Vec<Lane>,
    /// For each timeline the watermark at which all of it became quiet, while it is.
    base_ms: BTreeMap<usize, TimeMs>,
}

#[derive(Debug)]
struct Lane {
    ix: LaneIx,
    timeline: usize,
    /// After how much silence it is idle; none: never.
    timeout: Option<Duration>,
    /// When it last showed that it isn't silent.
    active_at: Duration,
    /// Whether it has been read to its present end.
    caught_up: bool,
    idle: bool,
    ended: bool,
}

impl Quiet {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lanes: Vec::new(), base_ms: BTreeMap::new() }
    }

    /// Adds a partition; `caught_up` for one that can't tell and counts as read to its end whenever nothing comes.
    pub(super) fn add(&mut self, ix: LaneIx, timeline: usize, timeout_ms: Option<TimeMs>, caught_up: bool) {
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        let active_at = self.clock.monotonic();
        self.lanes.push(Lane { ix, timeline, timeout, active_at, caught_up, idle: false, ended: false });
        self.base_ms.remove(&timeline);
    }

    /// A record came. True if the partition was idle, and isn't any more.
    pub(super) fn record(&mut self, ix: LaneIx) -> bool {
        let now = self.clock.monotonic();
        let Some(lane) = self.lane(ix) else { return false };
        lane.active_at = now;
        let (timeline, was_idle) = (lane.timeline, std::mem::take(&mut lane.idle));
        self.base_ms.remove(&timeline);
        was_idle
    }

    /// The partition has been read to its present end, or is known not to be. Its silence is counted from when it caught up: what was
    /// missed while a broker was away would otherwise be late.
    pub(super) fn set_caught_up(&mut self, ix: LaneIx, caught_up: bool) {
        let now = self.clock.monotonic();
        let Some(lane) = self.lane(ix) else { return };
        if caught_up && !lane.caught_up {
            lane.active_at = now;
        }
        lane.caught_up = caught_up;
    }

    /// Nobody has asked the partition for records, so that it can't be blamed for its silence.
    pub(super) fn set_unasked(&mut self, ix: LaneIx) {
        let now = self.clock.monotonic();
        if let Some(lane) = self.lane(ix) {
            lane.active_at = now;
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, ix: LaneIx) {
        if let Some(lane) = self.lane(ix) {
            lane.ended = true;
        }
    }

    /// The partitions that have become idle since the last look.
    pub(super) fn newly_idle(&mut self) -> Vec<LaneIx> {
        let now = self.clock.monotonic();
        let mut found = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.idle && !lane.ended && lane.caught_up) {
            if lane.timeout.is_some_and(|timeout| now.saturating_sub(lane.active_at) >= timeout) {
                lane.idle = true;
                found.push(lane.ix);
            }
        }
        found
    }

    /// How far event time has come on a timeline by the wall clock, if all its partitions are quiet. `watermark_ms` is its own, after
    /// the core was told who is idle; before the first event there is none, and so no time that could be moved on.
    pub(super) fn time_ms(&mut self, timeline: usize, watermark_ms: TimeMs) -> Option<TimeMs> {
        let open = || self.lanes.iter().filter(|lane| lane.timeline == timeline && !lane.ended);
        let all_idle = open().all(|lane| lane.idle);
        let since = open().map(|lane| lane.active_at).max()?;
        if !all_idle || watermark_ms == TimeMs::MIN || watermark_ms == TimeMs::MAX {
            self.base_ms.remove(&timeline);
            return None;
        }
        let base_ms = *self.base_ms.entry(timeline).or_insert(watermark_ms);
        let passed = self.clock.monotonic().saturating_sub(since);
        Some(base_ms.saturating_add(TimeMs::try_from(passed.as_millis()).unwrap_or(TimeMs::MAX)))
    }

    /// Whether all partitions have been read to their present end, so that what comes is what happens now.
    pub(super) fn is_live(&self) -> bool {
        let mut open = self.lanes.iter().filter(|lane| !lane.ended).peekable();
        open.peek().is_some() && open.all(|lane| lane.caught_up)
    }

    fn lane(&mut self, ix: LaneIx) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.ix == ix)
    }
}

#[cfg(test)]
#[path = "quiet_test.rs"]
mod tests;
