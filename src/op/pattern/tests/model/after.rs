//! AFTER MATCH: which matches are put out, when, and which others that ends. Said of all matches and partial matches of a
//! case; where it is open which of several matches comes first, any of them may.

use super::{
    case::Case,
    condition::Taken,
    enumerate::{Answer, Match, Partial, When},
};
use crate::plan::Skip;
use std::collections::BTreeSet;

/// An output of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Output {
    pub(super) when: When,
    pub(super) timed_out: bool,
    pub(super) taken: Vec<Taken>,
}

/// What was dropped so far.
#[derive(Default)]
struct Dropped {
    /// Whatever starts before this event.
    before: usize,
    /// Whatever has one of these events. (A match has taken its events by the time at which it is put out; who takes
    /// one of them has done so by then as well.)
    shared: Vec<BTreeSet<usize>>,
}

impl Dropped {
    fn drops(&self, taken: &[Taken]) -> bool {
        taken[0].1 < self.before || self.shared.iter().any(|shared| taken.iter().any(|(_, at)| shared.contains(at)))
    }
}

/// Whether the outputs are what the definition allows; else what is wrong.
pub(super) fn check(case: &Case, answer: &Answer, outputs: &[Output], timeouts: bool) -> Result<(), String> {
    let mut moments: BTreeSet<(i64, When)> = BTreeSet::new();
    let mut add = |when: When| {
        let time_ms = match when {
            When::Time(time_ms) => time_ms,
            When::Event(at) => case.events[at].time_ms,
            When::Never => return,
        };
        moments.insert((time_ms, when));
    };
    (0..case.events.len()).for_each(|at| add(When::Event(at)));
    answer.matches.iter().for_each(|found| add(found.when));
    answer.partials.iter().for_each(|partial| add(partial.until));
    outputs.iter().for_each(|output| add(output.when));
    let mut dropped = Dropped::default();
    let mut waiting: Vec<&Match> = Vec::new();
    let order = Order { case };
    for (_, now) in moments {
        let mut put_out: Vec<&Output> =
            outputs.iter().filter(|output| output.when == now && !output.timed_out).collect();
        let late: BTreeSet<&[Taken]> =
            outputs.iter().filter(|output| output.when == now && output.timed_out).map(|o| &o.taken[..]).collect();
        let expired = |dropped: &Dropped| -> BTreeSet<&[Taken]> {
            let late = answer.partials.iter().filter(|partial| partial.timed_out && partial.until == now);
            late.filter(|partial| !dropped.drops(&partial.taken)).map(|partial| &partial.taken[..]).collect()
        };
        let due = expired(&dropped);
        waiting.extend(answer.matches.iter().filter(|found| found.when == now && !dropped.drops(&found.taken)));
        while let Some(best) = order.best(&waiting, &answer.partials, now, &dropped) {
            let Some(next) = put_out.first().copied() else {
                return Err(format!("at {now:?} there is a match of {:?}", best[0].taken));
            };
            let Some(found) = best.iter().find(|found| found.taken == next.taken).copied() else {
                return Err(format!("at {now:?} there is no match of {:?}, but {best:?}", next.taken));
            };
            put_out.remove(0);
            let at = waiting.iter().position(|other| std::ptr::eq(*other, found)).expect("the best are of the waiting");
            waiting.remove(at);
            drop_after(case, found, &mut dropped);
            waiting.retain(|found| !dropped.drops(&found.taken));
        }
        if let Some(more) = put_out.first() {
            return Err(format!("at {now:?} there is no match of {:?}", more.taken));
        }
        // What a match of the same instant ends may still run out of time, or not.
        if timeouts && !(late.is_subset(&due) && late.is_superset(&expired(&dropped))) {
            return Err(format!("at {now:?} these time out: {due:?}, not {late:?}"));
        }
    }
    Ok(())
}

/// What a match ends.
fn drop_after(case: &Case, found: &Match, dropped: &mut Dropped) {
    let of = |var: u16| found.taken.iter().filter(move |(of, _)| *of == var).map(|&(_, at)| at);
    let (first, last) = (found.taken[0].1, found.taken[found.taken.len() - 1].1);
    let before = match case.skip {
        Skip::NoSkip => None,
        Skip::Eager => {
            dropped.shared.push(found.taken.iter().map(|&(_, at)| at).collect());
            None
        }
        Skip::ToNextRow => Some(first + 1),
        Skip::PastLastRow => Some(last + 1),
        Skip::ToFirst { var, .. } => of(var).next(),
        Skip::ToLast { var, .. } => of(var).next_back(),
    };
    dropped.before = dropped.before.max(before.unwrap_or_default());
}

struct Order<'a> {
    case: &'a Case,
}

impl Order<'_> {
    /// The matches of which one is put out next; none: there is none, or they wait.
    ///
    /// * NO SKIP: any that is there.
    /// * EAGER: the earliest start, of those the longest.
    /// * Else as in Flink: the earliest start, and it waits while a partial match lives that began earlier.
    fn best<'m>(
        &self,
        waiting: &[&'m Match],
        partials: &[Partial],
        now: When,
        dropped: &Dropped,
    ) -> Option<Vec<&'m Match>> {
        let start = waiting.iter().map(|found| found.taken[0].1).min()?;
        let firsts = waiting.iter().copied().filter(|found| found.taken[0].1 == start);
        match self.case.skip {
            Skip::NoSkip => Some(waiting.to_vec()),
            Skip::Eager => {
                let longest = firsts.clone().map(|found| found.taken.len()).max()?;
                Some(firsts.filter(|found| found.taken.len() == longest).collect())
            }
            _ => {
                let lives = |partial: &Partial| {
                    partial.taken[0].1 < start && self.alive(partial, now) && !dropped.drops(&partial.taken)
                };
                (!partials.iter().any(lives)).then(|| firsts.collect())
            }
        }
    }

    /// Whether a partial match waits on after a moment.
    fn alive(&self, partial: &Partial, now: When) -> bool {
        let last = partial.taken[partial.taken.len() - 1].1;
        let key = |when: When| match when {
            When::Time(time_ms) => (time_ms, when),
            When::Event(at) => (self.case.events[at].time_ms, when),
            When::Never => (i64::MAX, when),
        };
        key(When::Event(last)) <= key(now) && key(now) < key(partial.until)
    }
}
