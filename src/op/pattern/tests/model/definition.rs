//! When an event may be taken, and when it may be skipped. This is what a pattern means.
//!
//! A partial match has taken some events for the first steps of a reading; the next step waits. For each event after the last
//! one taken these two questions are asked, and nothing else decides.

use super::{
    condition::{Condition, Event, Taken},
    reading::{Absence, Absent, Gap, Head, Left, Reading, Step},
};
use crate::plan::Connect;

/// Events, and the conditions of the variables.
pub(super) struct World<'a> {
    pub(super) events: &'a [Event],
    pub(super) conditions: &'a [Condition],
}

/// How far the absences of a gap are decided when an event comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'g> {
    /// The time from which is counted: that of the event before, or the last deadline.
    pub(super) since: i64,
    /// What must not occur now. Within a quiet span the last of them is the one with the deadline.
    pub(super) absences: &'g [Absence],
    /// A deadline is still to come: nothing may be taken yet.
    pub(super) quiet: Option<i64>,
    /// No deadline has passed.
    pub(super) first: bool,
    /// Absences that deadlines have decided.
    passed: usize,
    /// The first event that comes at this stage.
    begins: usize,
}

impl<'a> World<'a> {
    fn meets(&self, var: u16, taken: &[Taken], at: usize) -> bool {
        self.conditions[usize::from(var)].holds(self.events, taken, at)
    }

    fn meets_any(&self, conditions: &[Condition], taken: &[Taken], at: usize) -> bool {
        conditions.iter().any(|condition| condition.holds(self.events, taken, at))
    }

    fn could_begin(&self, head: &Head, taken: &[Taken], at: usize) -> bool {
        self.meets(head.var, taken, at) && !self.meets_any(&head.unless, taken, at)
    }

    /// Deadlines pass one after the other: `!b FOR 5 -> !c FOR 3` is decided eight after the event before, if no b came in the first five
    /// and no c in the next three. The deadline's own instant is no longer part of the span. A strict absence is
    /// decided by the next event already, if that comes before the deadline.
    pub(super) fn stage<'g>(&self, gap: &'g Gap, taken: &[Taken], time_ms: i64) -> Stage<'g> {
        let last = taken.last().map_or(0, |&(_, at)| at);
        let mut stage = Stage {
            since: self.events[last].time_ms,
            absences: &gap.absences,
            quiet: None,
            first: true,
            passed: 0,
            begins: last + 1,
        };
        let mut from = 0;
        while let Some(at) = stage.absences[from..].iter().position(|absence| absence.for_ms.is_some()) {
            let absence = &stage.absences[from + at];
            let deadline = stage.since + absence.for_ms.unwrap_or_default();
            let next = self.events.get(stage.begins);
            if absence.strict && next.is_some_and(|next| next.time_ms < deadline && next.time_ms <= time_ms) {
                from += at + 1;
                continue;
            }
            if time_ms < deadline {
                stage.absences = &stage.absences[..=from + at];
                stage.quiet = Some(deadline);
                return stage;
            }
            let begins = (stage.begins..self.events.len()).find(|&at| self.events[at].time_ms >= deadline);
            stage = Stage {
                since: deadline,
                absences: &stage.absences[from + at + 1..],
                quiet: None,
                first: false,
                passed: stage.passed + from + at + 1,
                begins: begins.unwrap_or(self.events.len()),
            };
            from = 0;
        }
        stage
    }

    /// Whether the event violates an absence that would not let it pass even if it were taken, or one that would.
    /// `!n` right after an element looks at the very next event, whatever becomes of it; any other absence lets an event
    /// pass that ends the match: an event that both completes the match and is forbidden completes it.
    fn forbidden(&self, stage: &Stage<'_>, taken: &[Taken], at: usize, takes: bool, ends: bool) -> bool {
        stage.absences.iter().any(|absence| {
            let counts = !takes || !absence.alone;
            let sequence = matches!(absence.what, Absent::Sequence(_));
            let looks = if sequence {
                !takes
            } else if absence.strict {
                at == stage.begins && !(takes && absence.spares)
            } else {
                !ends
            };
            counts
                && looks
                && match &absence.what {
                    Absent::Event(var) => self.meets(*var, taken, at),
                    Absent::Sequence(readings) => {
                        let connect = if absence.strict { Connect::Strict } else { Connect::Relaxed };
                        self.occurs(readings, connect, stage, taken, at, false)
                    }
                }
        })
    }

    /// Whether a sequence occurs among the events since the stage began, this one being its last (or, `begun`, at least one
    /// of its events). What the match has taken is known to its conditions.
    fn occurs(
        &self,
        readings: &[Reading],
        connect: Connect,
        stage: &Stage<'_>,
        taken: &[Taken],
        at: usize,
        begun: bool,
    ) -> bool {
        let last = if connect == Connect::Strict { stage.begins } else { at };
        readings.iter().any(|reading| {
            (stage.begins..=last.min(at)).any(|first| {
                let head = &reading.steps[0];
                let mut all = taken.to_vec();
                all.push((head.var, first));
                let meets = self.meets(head.var, taken, first) && !self.meets_any(&head.until, taken, first);
                meets && self.goes_on(reading, &mut all, taken.len(), at, begun)
            })
        })
    }

    fn goes_on(&self, reading: &Reading, all: &mut Vec<Taken>, before: usize, at: usize, begun: bool) -> bool {
        let last = all[all.len() - 1].1;
        let Some(step) = reading.steps.get(all.len() - before) else { return last == at };
        if begun && last == at {
            return true;
        }
        for next in last + 1..=at {
            if self.may_take(step, all, next, false) {
                all.push((step.var, next));
                let goes_on = self.goes_on(reading, all, before, at, begun);
                all.pop();
                if goes_on {
                    return true;
                }
            }
            if !self.may_skip(&step.gap, all, next, true) {
                return false;
            }
        }
        false
    }

    /// Whether a loop that was left could have taken the event: it meets its condition and not its stop condition, it is in time, and no
    /// event since the last one taken has met the stop condition, which ends a loop for good.
    /// Where a deadline stands between the loop and the event this is over, or not yet so.
    ///
    /// A loop of groups: it takes what begins or continues a repetition; skipped (`takes` is false) may be what was only
    /// begun, and not a whole one.
    fn left_takes(&self, left: &Left, taken: &[Taken], at: usize, stage: &Stage<'_>, takes: bool) -> bool {
        let before = stage.quiet.is_some() && left.after >= stage.passed + stage.absences.len();
        if left.after < stage.passed || before {
            return false;
        }
        let time_ms = self.events[at].time_ms;
        let over = left.until.iter().any(|until| (stage.begins..at).any(|at| until.holds(self.events, taken, at)));
        let late = left.of_previous.is_some_and(|ms| !taken.is_empty() && time_ms - stage.since >= ms)
            || left.bound.is_some_and(|(from, ms)| {
                taken.get(from).is_some_and(|&(_, from)| time_ms - self.events[from].time_ms >= ms)
            });
        if let Some((readings, connect)) = &left.repetition {
            return !over && !late && self.occurs(readings, *connect, stage, taken, at, takes);
        }
        !over && !late && left.heads.iter().any(|head| self.could_begin(head, taken, at))
    }

    /// Whether the next event of a match may be this one. `ends`: the match is complete with it.
    ///
    /// It meets its variable's condition and no stop condition in force; it is in time; no absence forbids it; no greedy loop before it would
    /// rather have it; and where a reluctant loop goes on with it, nothing that follows the loop could have had it.
    pub(super) fn may_take(&self, step: &Step, taken: &[Taken], at: usize, ends: bool) -> bool {
        if !self.meets(step.var, taken, at) || self.meets_any(&step.until, taken, at) {
            return false;
        }
        if taken.is_empty() {
            // Any event may begin a match, unless a loop that was left out at the head would rather have it.
            let stage = Stage { since: 0, absences: &[], quiet: None, first: true, passed: 0, begins: at };
            let left = step.gap.left.iter().any(|left| left.greedy && self.left_takes(left, taken, at, &stage, true));
            let held = step.gap.held.iter().any(|head| self.could_begin(head, taken, at));
            return !left && !held;
        }
        let time_ms = self.events[at].time_ms;
        let stage = self.stage(&step.gap, taken, time_ms);
        let since_first = |from: usize| taken.get(from).map_or(0, |&(_, from)| time_ms - self.events[from].time_ms);
        let late = step.of_previous.is_some_and(|ms| time_ms - stage.since >= ms)
            || step.bounds.iter().any(|&(from, ms)| since_first(from) >= ms);
        let loops = step.gap.left.iter().any(|left| left.greedy && self.left_takes(left, taken, at, &stage, true));
        let held = step.gap.held.iter().any(|head| self.could_begin(head, taken, at));
        stage.quiet.is_none() && !late && !loops && !held && !self.forbidden(&stage, taken, at, true, ends)
    }

    /// Whether an event may lie in the gap before the next event of a match (or after the last one).
    ///
    /// * No absence forbids it.
    /// * No loop that was left could have taken it, be it greedy or reluctant: what both the loop and nobody else can take, the loop takes.
    /// * Strict: nothing may. Relaxed: not what is awaited. Any: everything.
    /// * No stop condition in force is met.
    /// * Where a reluctant loop waits to go on: nothing that follows the loop could have had it.
    ///
    /// Within the span of an absence with a deadline only the first two hold.
    pub(super) fn may_skip(&self, gap: &Gap, taken: &[Taken], at: usize, waiting: bool) -> bool {
        let stage = self.stage(gap, taken, self.events[at].time_ms);
        // After the last event, an absence that looks at the next one is decided by it.
        let decides = !waiting && stage.quiet.is_none() && stage.absences.last().is_some_and(|absence| absence.strict);
        let loops = gap.left.iter().any(|left| self.left_takes(left, taken, at, &stage, false));
        if loops || self.forbidden(&stage, taken, at, false, decides) {
            return false;
        }
        if stage.quiet.is_some() || !waiting {
            return true;
        }
        let connects = match gap.connect {
            Connect::Strict => false,
            Connect::Relaxed => !gap.awaited.iter().any(|&var| self.meets(var, taken, at)),
            Connect::Any => true,
        };
        let held = gap.held.iter().any(|head| self.could_begin(head, taken, at));
        connects && !held && !self.meets_any(&gap.until, taken, at)
    }
}
