//! Old versions of edited rules, in a core that runs: until when they go on, and when they are done.

use super::{
    machine::Engine,
    replan::{ReplaceError, Replaced},
};
use crate::{
    model::TimeMs,
    op::window::Owned,
    plan::{Body, ClockPolicy, Mode, Rule, WindowKind},
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
        Body::Window(window) => match window.kind {
            WindowKind::Session { max_ms, .. } => max_ms.is_some(),
            WindowKind::Count { expire_ms, .. } => expire_ms.is_some(),
            _ => true,
        },
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
        let now_ms = self.plan.rules.get(rule as usize).map_or(TimeMs::MAX, |rule| self.timer_now_of(rule));
        !waits && self.shards.iter().all(|shard| shard.is_drained(rule, now_ms))
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

    /// How far time has come for what only time brings about: all that was due by then has come out.
    fn timer_now_of(&self, rule: &Rule) -> TimeMs {
        if rule.by_arrival() {
            return self.wall_ms;
        }
        let timelines = rule.inputs.iter().filter_map(|input| {
            let timeline = self.timelines.get(*self.timeline_of_stream.get(input.stream.0 as usize)?)?;
            Some(if rule.clock == ClockPolicy::Event { timeline.event_ms } else { timeline.watermark_ms })
        });
        timelines.min().unwrap_or(TimeMs::MIN)
    }

    /// Tells the rules of a core that is to take over which windows are theirs: of an edited rule those that have begun by now are the old
    /// version's, and all others the new one's. For each rule the one here on whose windows its own follow.
    pub(super) fn divide_windows(
        &self,
        next: &mut Engine,
        (kept, edited): (&[Option<u32>], &[Option<u32>]),
        drained: &mut [Option<u32>],
        renumbered: bool,
    ) -> Vec<Option<u32>> {
        let plan = Arc::clone(&next.plan);
        let was_owned = |was: u32| self.owned.get(was as usize).copied().unwrap_or_default();
        let at = |all: &[Option<u32>], at: usize| all.get(at).copied().flatten();
        // Windows that go on whole leave nothing to end.
        let is_window = |rule: &Rule| matches!(rule.body, Body::Window(_)) && rule.mode != Mode::Off;
        for (rule, drained) in plan.rules.iter().zip(&mut *drained) {
            *drained = drained.filter(|was| !is_window(rule) || !edited.contains(&Some(*was)));
        }
        let mut followed = vec![None; plan.rules.len()];
        for (ix, rule) in plan.rules.iter().enumerate() {
            let is_old = plan.drain(ix as u32).is_some();
            let was = at(kept, ix).or(at(edited, ix));
            // Of an edited rule the one whose old version drains.
            let before = self.plan.find(&rule.name).map(|was| was as u32);
            let before = before.filter(|before| was.is_none() && !is_old && drained.contains(&Some(*before)));
            let follows = |before: &u32| !renumbered && plan.follows(rule, &self.plan, *before);
            followed.get_mut(ix).into_iter().for_each(|place| *place = before.filter(follows));
            let owned = match (was, at(drained, ix)) {
                (Some(was), _) => was_owned(was),
                _ if !is_window(rule) => Owned::ALL,
                (None, Some(was)) => Owned { to_ms: self.begun_until(was), ..was_owned(was) },
                (None, None) if is_old => Owned::NONE,
                (None, None) => {
                    let was = before.filter(|was| self.plan.rules.get(*was as usize).is_some_and(is_window));
                    was.map_or(Owned::ALL, |was| Owned { from_ms: self.begun_until(was), to_ms: TimeMs::MAX })
                }
            };
            next.own(ix as u32, owned);
        }
        followed
    }

    /// The first instant at which a rule has begun no window yet.
    fn begun_until(&self, rule: u32) -> TimeMs {
        let begun_ms = self.plan.rules.get(rule as usize).map_or(TimeMs::MIN, |rule| match rule.by_arrival() {
            true => self.wall_ms,
            false => self.now_of(rule),
        });
        begun_ms.saturating_add(1)
    }

    /// Which windows a rule puts out.
    pub(super) fn own(&mut self, rule: u32, owned: Owned) {
        if let Some(place) = self.owned.get_mut(rule as usize) {
            *place = owned;
            self.shards.iter_mut().for_each(|shard| shard.own(rule, owned));
        }
    }

    /// The instant from which on the windows of a rule are its own, where those before are an old version's.
    pub(super) fn windows_from_ms(&self, rule: u32) -> Option<TimeMs> {
        self.owned.get(rule as usize).map(|owned| owned.from_ms).filter(|from_ms| *from_ms != TimeMs::MIN)
    }

    /// The rules that don't put out all windows, and which they do.
    pub(super) fn owners(&self) -> impl Iterator<Item = (u32, Owned)> {
        (0..).zip(self.owned.iter().copied()).filter(|(_, owned)| *owned != Owned::ALL)
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
        for (rule, owned) in self.owners().collect::<Vec<_>>() {
            self.own(rule, owned);
        }
    }
}
