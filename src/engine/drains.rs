//! Old versions of edited rules, in a core that runs: until when they go on, and when they are done.

use super::{
    machine::Engine,
    replan::{ReplaceError, Replaced},
};
use crate::{
    model::TimeMs,
    plan::{Body, Rule},
};
use std::sync::Arc;

/// How long an old version goes on whose matches no bound of its own ends, unless the core is told otherwise: a day of event time.
pub const DRAIN_MS: TimeMs = 86_400_000;

/// An old version of a rule that goes on beside the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draining {
    /// Its index in the plan.
    pub rule: u32,
    /// Its name, which is the new version's as well.
    pub name: String,
    /// Which of the name's old versions it is.
    pub number: u32,
    /// Its version, as its alerts carry it.
    pub version: String,
    /// When what is still open is dropped, by event time; none: it ends by itself before.
    pub until_ms: Option<TimeMs>,
    /// Keys with partial matches.
    pub keys: usize,
    /// Partial matches.
    pub open: usize,
}

/// Whether what is open of a rule ends by itself, as time goes on.
fn ends(rule: &Rule) -> bool {
    match &rule.body {
        Body::Pattern(pattern) => pattern.within_ms.is_some(),
        _ => true,
    }
}

impl Engine {
    /// How long, in ms of event time, old versions of rules go on from now on whose matches no bound of their own ends.
    pub fn set_drain_limit(&mut self, drain_ms: TimeMs) {
        self.drain_ms = drain_ms;
    }

    /// Old versions of rules that still have something to end, in the order of the plan.
    pub fn draining(&self) -> Vec<Draining> {
        let drains = self.plan.drains.iter().filter(|drain| !self.is_drained(drain.rule));
        let draining = drains.filter_map(|drain| {
            let rule = self.plan.rules.get(drain.rule as usize)?;
            let stats = self.rule_stats(drain.rule);
            Some(Draining {
                rule: drain.rule,
                name: rule.name.clone(),
                number: drain.number,
                version: rule.version.clone(),
                until_ms: self.until_ms(drain.rule),
                keys: stats.keys,
                open: stats.open,
            })
        });
        draining.collect()
    }

    /// When what is open of an old version is dropped.
    pub(super) fn until_ms(&self, rule: u32) -> Option<TimeMs> {
        self.drain_until.get(rule as usize).copied().filter(|until_ms| *until_ms != TimeMs::MAX)
    }

    fn is_drained(&self, rule: u32) -> bool {
        let waits = self.held.iter().flatten().chain(&self.ordered).any(|output| output.rule == rule);
        !waits && self.shards.iter().all(|shard| shard.is_drained(rule))
    }

    /// Lets old versions go that have ended all that they had begun, between two advances and with all alerts taken. None where there are
    /// none such.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn end_drains(&mut self) -> Result<Option<Replaced>, ReplaceError> {
        let drains = self.plan.drains.iter().map(|drain| drain.rule);
        let over: Vec<u32> = drains.filter(|&rule| self.is_drained(rule)).collect();
        if over.is_empty() {
            return Ok(None);
        }
        let (plan, world) = (self.plan.without(&over), Arc::clone(&self.world));
        self.replace(Arc::new(plan), world).map(Some)
    }

    /// Tells a core that is to take over until when its old versions go on: those that drain already as they were told, others from
    /// the time that has come on their timeline.
    pub(super) fn time_drains(&self, next: &mut Engine, kept: &[Option<u32>]) {
        for drain in next.plan.drains.clone() {
            let was = kept.get(drain.rule as usize).copied().flatten();
            let rule = next.plan.rules.get(drain.rule as usize);
            let until_ms = match (was, rule) {
                (Some(was), _) => self.drain_until.get(was as usize).copied().unwrap_or(TimeMs::MAX),
                (None, Some(rule)) if !ends(rule) => self.now_of(rule).saturating_add(self.drain_ms),
                (None, _) => TimeMs::MAX,
            };
            next.set_drain(drain.rule, until_ms);
        }
    }

    /// How far time has come for a rule: whatever came before is done.
    fn now_of(&self, rule: &Rule) -> TimeMs {
        let timelines = rule.inputs.iter().filter_map(|input| {
            let timeline = self.timeline_of_stream.get(input.stream.0 as usize)?;
            self.timelines.get(*timeline).map(|timeline| timeline.watermark_ms)
        });
        timelines.max().unwrap_or(TimeMs::MIN)
    }

    /// Tells an old version when what is open is dropped.
    pub(super) fn set_drain(&mut self, rule: u32, until_ms: TimeMs) {
        if let Some(place) = self.drain_until.get_mut(rule as usize) {
            *place = until_ms;
            self.shards.iter_mut().for_each(|shard| shard.drain_until(rule, until_ms));
        }
    }

    /// The same for all, in shards that were made anew.
    pub(super) fn set_drains(&mut self) {
        for rule in self.plan.drains.iter().map(|drain| drain.rule).collect::<Vec<_>>() {
            let until_ms = self.drain_until.get(rule as usize).copied().unwrap_or(TimeMs::MAX);
            self.set_drain(rule, until_ms);
        }
    }
}
