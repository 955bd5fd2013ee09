//! All matches and partial matches: every reading of the pattern held against every subsequence of the events.

#![allow(clippy::needless_range_loop, reason = "events are named by their places")]

use super::{
    case::Case,
    condition::Taken,
    definition::World,
    reading::{Reading, readings},
};

/// When something is decided: by an event, or by time before the events of that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// At a deadline: its time.
    Time(i64),
    /// With an event: its place.
    Event(usize),
    /// Never.
    Never,
}

/// A match, and when it is decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    pub(super) when: When,
    pub(super) taken: Vec<Taken>,
}

/// A partial match: from the event that it took last until this moment it waits for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partial {
    pub(super) taken: Vec<Taken>,
    pub(super) until: When,
    /// Whether it then ran out of time.
    pub(super) timed_out: bool,
}

/// What the definition says of a case; no skipping yet.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) matches: Vec<Match>,
    pub(super) partials: Vec<Partial>,
}

/// All of a case, or nothing where its readings are too many.
pub(super) fn answer(case: &Case, limit: usize) -> Option<Answer> {
    let mut answer = Answer::default();
    let world = World { events: &case.events, conditions: &case.conditions };
    for reading in readings(case, case.events.len(), limit)? {
        let mut search = Search { case, world: &world, reading: &reading, answer: &mut answer };
        for at in 0..case.events.len() {
            search.take(&mut Vec::new(), at);
        }
    }
    answer.partials.sort();
    answer.partials.dedup();
    Some(answer)
}

struct Search<'a> {
    case: &'a Case,
    world: &'a World<'a>,
    reading: &'a Reading,
    answer: &'a mut Answer,
}

impl Search<'_> {
    /// Takes an event, if it may be taken, and goes on.
    fn take(&mut self, taken: &mut Vec<Taken>, at: usize) {
        let (reading, events) = (self.reading, &self.case.events);
        let Some(step) = reading.steps.get(taken.len()) else { return };
        let last = taken.len() + 1 == reading.steps.len() && !reading.cut;
        let ends = last && reading.end.absences.is_empty();
        if !self.world.may_take(step, taken, at, ends) {
            return;
        }
        taken.push((step.var, at));
        match (last, ends) {
            (_, true) => self.answer.matches.push(Match { when: When::Event(at), taken: taken.clone() }),
            (true, false) => self.end(taken),
            (false, false) => self.wait(taken),
        }
        taken.pop();
        debug_assert!(at < events.len());
    }

    /// When a partial match runs out of time.
    fn expires(&self, taken: &[Taken]) -> Option<i64> {
        let first = taken.first().map(|&(_, at)| self.case.events[at].time_ms)?;
        self.case.within_ms.map(|within| first + within)
    }

    /// Waits for the next event of the reading.
    fn wait(&mut self, taken: &mut Vec<Taken>) {
        let (reading, events) = (self.reading, &self.case.events);
        let Some(step) = reading.steps.get(taken.len()) else {
            return;
        };
        let from = taken.last().map_or(0, |&(_, at)| at + 1);
        let expires = self.expires(taken);
        let mut until = None;
        for at in from..events.len() {
            if expires.is_some_and(|expires| events[at].time_ms >= expires) {
                break;
            }
            self.take(taken, at);
            if !self.world.may_skip(&step.gap, taken, at, true) {
                until = Some(When::Event(at));
                break;
            }
        }
        self.partial(taken, until, expires);
    }

    fn partial(&mut self, taken: &[Taken], until: Option<When>, expires: Option<i64>) {
        let at_end = expires.map_or(When::Never, When::Time);
        let partial = Partial {
            taken: taken.to_vec(),
            until: until.unwrap_or(at_end),
            timed_out: until.is_none() && expires.is_some(),
        };
        self.answer.partials.push(partial);
    }

    /// Waits for the absences after the last event to be decided.
    fn end(&mut self, taken: &[Taken]) {
        let (gap, events) = (&self.reading.end, &self.case.events);
        let from = taken.last().map_or(0, |&(_, at)| at + 1);
        let expires = self.expires(taken);
        let strict = gap.absences.last().is_some_and(|absence| absence.strict);
        let pending = gap.absences.last().is_some_and(|absence| absence.for_ms.is_none() && !absence.strict);
        let mut decided = None;
        let mut until = None;
        for at in from..events.len() {
            let time_ms = events[at].time_ms;
            let stage = self.world.stage(gap, taken, time_ms);
            if !stage.first && stage.absences.is_empty() && stage.quiet.is_none() {
                break;
            }
            if expires.is_some_and(|expires| time_ms >= expires) {
                break;
            }
            if !self.world.may_skip(gap, taken, at, false) {
                until = Some(When::Event(at));
                break;
            }
            if strict && stage.quiet.is_none() {
                decided = Some(When::Event(at));
                break;
            }
        }
        // As in Flink: a loop that could still go on, or an absence that looks at the next event, waits for an event before the
        // absence at the end of the pattern is waited for.
        let waits = gap.open || gap.absences.iter().any(|absence| absence.strict);
        let heard = |before: i64| events.get(from).is_some_and(|event| event.time_ms < before);
        if (decided, until) == (None, None) {
            // Time alone: all deadlines, or the end of the window where the last absence has none.
            let stage = self.world.stage(gap, taken, i64::MAX);
            let by_time = stage.absences.iter().all(|absence| absence.for_ms.is_some()) && !stage.first;
            decided = match (by_time, pending, expires) {
                (true, _, expires) if expires.is_none_or(|expires| stage.since <= expires) => {
                    Some(When::Time(stage.since))
                }
                (false, true, Some(expires)) if !stage.first && stage.since > expires => None,
                (false, true, Some(expires)) if stage.first && waits && !heard(expires) => None,
                (false, true, Some(expires)) => Some(When::Time(expires)),
                _ => None,
            };
        }
        if let Some(when) = decided {
            self.answer.matches.push(Match { when, taken: taken.to_vec() });
        }
        self.partial(taken, until.or(decided), expires);
    }
}
