//! How far a sequence has come that nobody takes: one that must not occur, or the next repetition of a loop while what
//! follows the loop is waited for. It is a set of positions in the sequence, moved by each event that a partial match
//! skips; the sets are multiplied into the waiting states (see `wrap`), so a partial match needs no memory for it.
//!
//! A position that is followed relaxed stays until its event comes, one with any events in between stays for good, a strict
//! one is gone if the next event isn't its own. Every way counts: greedy and reluctant make no difference here.

use super::{
    BuildError,
    graph::{Action, Guard, Lit, PredIx, StateIx, both, lit},
    item::{Body, Item, Kind, heads},
};
use crate::plan::Connect;

/// A set of positions.
pub(super) type Set = u64;

const POSITIONS_MAX: usize = Set::BITS as usize;
/// Different conditions that the positions of one set may ask about.
const ASKED_MAX: usize = 8;

/// A position: the event that is waited for.
#[derive(Clone, Debug)]
struct Position {
    /// What the event must meet.
    pred: PredIx,
    /// What may be skipped before it.
    connect: Connect,
    /// Where skipping is relaxed: what can't be skipped.
    heads: Vec<PredIx>,
    /// Where it leads.
    next: Next,
    label: String,
}

/// What is waited for after something, and whether the sequence may be over there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Next {
    set: Set,
    over: bool,
}

impl Next {
    fn or(self, other: Self) -> Self {
        Self { set: self.set | other.set, over: self.over || other.over }
    }
}

/// A sequence that is watched.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    positions: Vec<Position>,
    start: Next,
    /// Whether any event may be the sequence's first; else only the one that the first position says.
    pub(super) anywhere: bool,
    /// At an event that meets this nothing is watched any more.
    pub(super) until: Option<PredIx>,
    /// Where a partial match goes once the sequence can't occur any more; none: it waits on, unwatched.
    pub(super) freed: Option<(Action, StateIx)>,
}

/// What positions ask about.
pub(super) struct Conditions<'a> {
    /// By variable.
    pub(super) variables: &'a [PredIx],
    pub(super) names: &'a [String],
    /// Asked of every event besides its own condition.
    pub(super) all: Guard,
    /// Asked of the first one besides.
    pub(super) first: Guard,
    /// The predicate that all of these hold.
    pub(super) join: &'a mut dyn FnMut(Guard) -> Result<PredIx, BuildError>,
}

/// Why the repetitions or absences in it can't be watched, if they can't.
pub(super) fn unwatchable(item: &Item) -> Option<&'static str> {
    if item.until.is_some() {
        return Some("UNTIL in what must not occur");
    }
    if item.loop_within.is_some() || item.within_previous.is_some() {
        return Some("WITHIN in what must not occur");
    }
    match &item.body {
        Body::Var(_) => None,
        Body::Not { .. } | Body::Never { .. } => Some("an absence in what must not occur"),
        Body::Sequence(items) => items.iter().find_map(unwatchable),
        Body::Choice(all) | Body::Permutation(all) => all.iter().flatten().find_map(unwatchable),
    }
}

impl Tracker {
    /// Watches for one repetition of an element; `connect`: how its first event follows.
    pub(super) fn new(item: &Item, connect: Connect, conditions: Conditions<'_>) -> Result<Self, BuildError> {
        let mut layout = Layout { positions: Vec::new(), conditions };
        let lead = Lead { connect, heads: Vec::new(), first: true };
        let end = Next { set: 0, over: true };
        let start = layout.once(item, &lead, end)?;
        Ok(Self { positions: layout.positions, start, anywhere: false, until: None, freed: None })
    }

    pub(super) fn start(&self) -> Set {
        self.start.set
    }

    /// Whether it occurs without any event.
    pub(super) fn can_be_empty(&self) -> bool {
        self.start.over
    }

    fn members(&self, set: Set) -> impl Iterator<Item = (Set, &Position)> {
        let at = |(at, position)| ((1 as Set) << at, position);
        self.positions.iter().enumerate().map(at).filter(move |(bit, _)| set & bit != 0)
    }

    /// What holds of an event that no position of the set waits for.
    pub(super) fn untouched(&self, set: Set) -> Guard {
        self.members(set).fold(Guard::new(), |guard, (_, position)| both(&guard, &lit(position.pred, false)))
    }

    /// What is waited for, for people.
    pub(super) fn label(&self, set: Set) -> String {
        let mut names: Vec<&str> = self.members(set).map(|(_, position)| position.label.as_str()).collect();
        names.dedup();
        names.join(",")
    }

    /// Where an event leads that meets what `met` says; none: the sequence has occurred.
    fn step(&self, set: Set, met: &dyn Fn(PredIx) -> bool) -> Option<Set> {
        if self.until.is_some_and(met) {
            return Some(0);
        }
        let mut next = if self.anywhere { self.start.set } else { 0 };
        for (bit, position) in self.members(set) {
            if met(position.pred) {
                if position.next.over {
                    return None;
                }
                next |= position.next.set;
            }
            let stays = match position.connect {
                Connect::Strict => false,
                Connect::Any => true,
                Connect::Relaxed => !position.heads.iter().any(|head| met(*head)),
            };
            if stays {
                next |= bit;
            }
        }
        Some(next)
    }

    /// All sets that an event may lead to, each with what it must meet, no two at once. Where the sequence would have
    /// occurred there is none.
    pub(super) fn ways(&self, set: Set) -> Result<Vec<(Guard, Set)>, BuildError> {
        let mut asked: Vec<PredIx> = self.until.into_iter().collect();
        let over = self.members(set).filter(|(_, position)| position.next.over);
        let all = over.chain(self.members(set)).flat_map(|(_, position)| {
            let heads = position.heads.iter().filter(|_| position.connect == Connect::Relaxed);
            std::iter::once(&position.pred).chain(heads)
        });
        for pred in all {
            if !asked.contains(pred) {
                asked.push(*pred);
            }
        }
        if asked.len() > ASKED_MAX {
            return Err(BuildError::TooLarge { what: "conditions to watch at once", limit: ASKED_MAX });
        }
        Ok(self.split(set, &asked, &mut Vec::new()))
    }

    fn split(&self, set: Set, asked: &[PredIx], known: &mut Vec<Lit>) -> Vec<(Guard, Set)> {
        let Some((&pred, rest)) = asked.split_first() else {
            let met = |pred: PredIx| known.contains(&Lit { pred, want: true });
            return self.step(set, &met).map(|next| (Guard::new(), next)).into_iter().collect();
        };
        let [yes, no] = [true, false].map(|want| {
            known.push(Lit { pred, want });
            let ways = self.split(set, rest, known);
            known.pop();
            ways
        });
        if yes == no {
            return yes;
        }
        let with = |ways: Vec<(Guard, Set)>, want| {
            ways.into_iter().map(move |(guard, next)| (both(&lit(pred, want), &guard), next))
        };
        with(yes, true).chain(with(no, false)).collect()
    }
}

/// How the first event of something follows.
struct Lead {
    connect: Connect,
    heads: Vec<PredIx>,
    first: bool,
}

struct Layout<'a> {
    positions: Vec<Position>,
    conditions: Conditions<'a>,
}

impl Layout<'_> {
    fn push(&mut self, position: Position) -> Result<Next, BuildError> {
        if self.positions.len() >= POSITIONS_MAX {
            return Err(BuildError::TooLarge { what: "events to watch for", limit: POSITIONS_MAX });
        }
        self.positions.push(position);
        Ok(Next { set: 1 << (self.positions.len() - 1), over: false })
    }

    fn sequence(&mut self, items: &[Item], lead: &Lead, after: Next) -> Result<Next, BuildError> {
        let mut next = after;
        for (at, item) in items.iter().enumerate().rev() {
            let own = Lead { connect: item.connect, heads: Vec::new(), first: false };
            next = self.item(item, if at == 0 { lead } else { &own }, next)?;
        }
        Ok(next)
    }

    fn item(&mut self, item: &Item, lead: &Lead, after: Next) -> Result<Next, BuildError> {
        let again = Lead { connect: item.inner, heads: Vec::new(), first: false };
        let (from, to) = item.times();
        let mut next = after;
        if let Kind::Looping(_) = item.kind {
            next = self.circle(item, &again, after)?;
        }
        for _ in from..to {
            next = self.once(item, &again, next)?.or(after);
        }
        for _ in 1..from {
            next = self.once(item, &again, next)?;
        }
        let next = self.once(item, lead, next)?;
        Ok(if item.optional { next.or(after) } else { next })
    }

    /// Any number of further repetitions, or what comes after.
    fn circle(&mut self, item: &Item, again: &Lead, after: Next) -> Result<Next, BuildError> {
        // A stand-in for the way back, which is not known before the repetition is laid out.
        let back = Position {
            pred: 0,
            connect: Connect::Strict,
            heads: Vec::new(),
            next: Next::default(),
            label: String::new(),
        };
        let (at, back) = (self.positions.len(), self.push(back)?);
        let head = self.once(item, again, back.or(after))?;
        let way = Next { set: head.set & !back.set, ..head }.or(after);
        for position in self.positions.iter_mut().skip(at) {
            if position.next.set & back.set != 0 {
                position.next.set &= !back.set;
                position.next = position.next.or(way);
            }
        }
        Ok(way)
    }

    fn once(&mut self, item: &Item, lead: &Lead, after: Next) -> Result<Next, BuildError> {
        match &item.body {
            Body::Var(var) => {
                let own = self.variable(*var);
                let mut guard = both(&lit(own, true), &self.conditions.all);
                if lead.first {
                    guard = both(&guard, &self.conditions.first);
                }
                let pred = if guard.len() == 1 { own } else { (self.conditions.join)(guard)? };
                let heads = lead.heads.iter().copied().chain([own]).collect();
                let label = self.conditions.names.get(usize::from(*var)).cloned().unwrap_or_default();
                self.push(Position { pred, connect: lead.connect, heads, next: after, label })
            }
            Body::Sequence(items) => self.sequence(items, lead, after),
            Body::Choice(all) => {
                let ways: Vec<_> = all.iter().map(|items| (items.as_slice(), after)).collect();
                self.choice(&ways, lead)
            }
            Body::Permutation(all) => {
                // Descending subsets of what is still to come; each part that came leaves a smaller one.
                let mut left = vec![after; 1 << all.len()];
                let everything = (1usize << all.len()) - 1;
                for set in 1..=everything {
                    let parts = (0..all.len()).filter(|part| set & (1 << part) != 0);
                    let ways: Vec<_> = parts.map(|part| (all[part].as_slice(), left[set & !(1 << part)])).collect();
                    let inner = Lead { connect: Connect::Relaxed, heads: Vec::new(), first: false };
                    left[set] = self.choice(&ways, if set == everything { lead } else { &inner })?;
                }
                Ok(left[everything])
            }
            Body::Not { .. } | Body::Never { .. } => Err(BuildError::unsupported("an absence in what must not occur")),
        }
    }

    fn choice(&mut self, ways: &[(&[Item], Next)], lead: &Lead) -> Result<Next, BuildError> {
        let own = ways.iter().flat_map(|(items, _)| heads(items)).map(|var| self.variable(var));
        let heads = lead.heads.iter().copied().chain(own).collect();
        let lead = Lead { connect: lead.connect, heads, first: lead.first };
        ways.iter().try_fold(Next::default(), |next, (items, after)| Ok(next.or(self.sequence(items, &lead, *after)?)))
    }

    fn variable(&self, var: u16) -> PredIx {
        self.conditions.variables.get(usize::from(var)).copied().unwrap_or_default()
    }
}
