//! From the session's counts to the daemon's figures, a few times per second.

use crate::{
    engine::Shed,
    io::source::Intake,
    model::{RejectReason, TimeMs, format_time},
    plan::{Mode, Plan, RuleKind as PlannedKind},
    runtime::{
        clock::Clock,
        session::{Session, SourceCounts},
        telemetry::{RuleFigures, RuleKind, RuleMode, RuleStatus, StreamFigures, Telemetry},
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What was told so far, and to whom.
pub(super) struct Report {
    telemetry: Arc<Telemetry>,
    plan: Arc<Plan>,
    streams: BTreeMap<String, (StreamFigures, SourceCounts)>,
    /// Of each rule its alerts by status, events without a key, what a limit dropped, and matches that missed what they skip to.
    rules: Vec<(RuleFigures, [u64; 2], [u64; 3])>,
    clock: Arc<dyn Clock>,
    intakes: Vec<(String, Intake)>,
    /// What was left out and not told yet, and when something was told.
    left_out: Shed,
    told_at: Option<Duration>,
}

/// How often the log says at most that something was left out.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Report {
    /// Figures of these streams and of the plan's rules, at zero.
    pub(super) fn new<'a>(
        telemetry: Arc<Telemetry>,
        clock: Arc<dyn Clock>,
        plan: Arc<Plan>,
        session: &Session,
        streams: impl Iterator<Item = &'a str>,
    ) -> Self {
        let streams =
            streams.map(|name| (name.to_owned(), (telemetry.stream(name), SourceCounts::default()))).collect();
        // What an earlier run counted isn't this process's.
        let before = |rule: u32| {
            let stats = session.engine().rule_stats(rule);
            [stats.missing_key, stats.shed, 0]
        };
        let rules = plan.rules.iter().zip(0..).map(|(rule, at)| (telemetry.rule(&rule.name), [0; 2], before(at)));
        let rules = rules.collect();
        Self { telemetry, plan, streams, rules, clock, intakes: Vec::new(), left_out: Shed::default(), told_at: None }
    }

    /// The same with intakes that are watched.
    pub(super) fn with_intakes(self, intakes: Vec<(String, Intake)>) -> Self {
        Self { intakes, ..self }
    }

    /// Other rules run from now on; what was told of those that stay stays told.
    pub(super) fn replace(&mut self, plan: Arc<Plan>) {
        let old = std::mem::replace(&mut self.plan, plan);
        // Old versions count for the name, each from zero.
        let known = (0..old.rules.len() as u32).map(|rule| old.known_as(rule));
        let mut told: BTreeMap<String, _> = known.zip(std::mem::take(&mut self.rules)).collect();
        let (plan, telemetry) = (&self.plan, &self.telemetry);
        let rules = plan.rules.iter().zip(0..).map(|(rule, at)| {
            told.remove(&plan.known_as(at)).unwrap_or_else(|| (telemetry.rule(&rule.name), [0; 2], [0; 3]))
        });
        self.rules = rules.collect();
    }

    /// Counts what was left out for want of room, and says so, once a minute at most.
    fn tell_left_out(&mut self, session: &mut Session) {
        for ((figures, ..), at) in self.rules.iter().zip(0..) {
            let shed = session.engine_mut().take_left_out(at);
            figures.add_shed(&shed);
            self.left_out = self.left_out.and(shed);
        }
        let now = self.clock.monotonic();
        let rests = self.told_at.is_some_and(|told| now.saturating_sub(told) < TELL_EVERY);
        if self.left_out == Shed::default() || rests {
            return;
        }
        let Shed { rejected_keys, evicted_keys, dropped_events } = std::mem::take(&mut self.left_out);
        self.told_at = Some(now);
        tracing::warn!(
            rejected_keys,
            evicted_keys,
            dropped_events,
            "rules hold as much as `limits` allows: geocep_shed_total says which; this is said once a minute at most"
        );
    }

    /// Brings the figures up to date. `held_back` is the source and partition that the others wait for.
    pub(super) fn publish(&mut self, session: &mut Session, held_back: Option<(&str, u32)>) {
        for counts in session.sources() {
            let Some((figures, told)) = self.streams.get_mut(&counts.name) else { continue };
            figures.add_events(counts.events - told.events);
            figures.add_late(counts.late - told.late);
            figures.add_late_taken(counts.late_taken - told.late_taken);
            for (&reason, &count) in &counts.rejected {
                figures.add_rejected(reason, count - rejected(told, reason));
            }
            *told = counts.clone();
        }
        self.tell_left_out(session);
        for (source, intake) in &self.intakes {
            let (waiting, log) = intake.load();
            self.telemetry.set_intake(source, waiting, log);
        }
        let mut statuses = Vec::with_capacity(self.rules.len());
        let draining = session.engine().draining();
        for (at, ((figures, told, [missing, dropped, skipped]), rule)) in
            self.rules.iter_mut().zip(&self.plan.rules).enumerate()
        {
            let stats = session.engine().rule_stats(at as u32);
            let alerts = session.alerts().get(at).copied().unwrap_or_default();
            for (status, (now, before)) in ["firing", "timed_out"].into_iter().zip(alerts.iter().zip(told.iter())) {
                if now > before {
                    figures.add_alerts(status, now - before);
                }
            }
            figures.add_missing_key(stats.missing_key - *missing);
            figures.add_dropped(stats.shed - *dropped);
            figures.add_skip_misses(stats.skip_misses - *skipped);
            (*told, *missing, *dropped, *skipped) = (alerts, stats.missing_key, stats.shed, stats.skip_misses);
            let old = draining.iter().find(|draining| draining.rule == at as u32);
            if old.is_none() && self.plan.drain(at as u32).is_some() {
                continue;
            }
            statuses.push(RuleStatus {
                name: rule.name.clone(),
                group: rule.group.clone(),
                kind: if rule.kind == PlannedKind::Alert { RuleKind::Alert } else { RuleKind::Stream },
                mode: match rule.mode {
                    Mode::Active => RuleMode::Active,
                    Mode::Shadow => RuleMode::Shadow,
                    Mode::Off => RuleMode::Off,
                },
                version: rule.version.clone(),
                outputs: stats.outputs,
                keys: stats.keys as u64,
                open: stats.open as u64,
                draining: old.map(|old| old.number),
                until: old.and_then(|old| old.until_ms).map(format_time),
            });
        }
        self.telemetry.set_rules(statuses);
        let watermark_ms = session.engine().watermark_ms();
        self.telemetry.set_watermark((watermark_ms != TimeMs::MIN).then_some(watermark_ms));
        let partition = held_back.map(|(source, partition)| (source, partition.to_string()));
        self.telemetry.set_held_back(partition.as_ref().map(|(source, partition)| (*source, partition.as_str())));
        self.telemetry.set_waiting_events(session.engine().waiting() as u64);
    }
}

fn rejected(counts: &SourceCounts, reason: RejectReason) -> u64 {
    counts.rejected.get(&reason).copied().unwrap_or(0)
}
