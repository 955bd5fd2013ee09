//! Whether matches end in the order in which they began, where of each first event the first match counts: then a finished match never
//! waits for one that began earlier, and which partial matches it ends is known by the states that they are in.
//!
//! An event may make several partial matches of one, so those of one first event are in a set of states at a time, a group. If each state
//! is in one group only, the partial matches in a state are those of the first events that are in its group, which all fare alike.
//!
//! Conditions are taken to be independent of each other, so that any set of them may be true of an event.

use super::{
    decide::Decisions,
    flatten::{FlatState, What},
    graph::PredIx,
    state::is_end,
};
use std::collections::{BTreeMap, BTreeSet};

/// Larger automata are not looked at.
const STATES_MAX: usize = 64;
const CONDITIONS_MAX: usize = 8;
const GROUPS_MAX: usize = 32;

/// For each state the number of its group.
#[derive(Debug)]
pub(super) struct Turns {
    group_of: Vec<u8>,
}

/// Where an event leads the partial matches of a first event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Into these states, by bits.
    To(u64),
    /// To a match.
    Ends,
    /// They are over without one.
    Over,
}

/// For each kind of event what it begins, and where it leads a group.
struct Kinds<'a> {
    states: &'a [FlatState],
    decisions: &'a Decisions,
    /// Conditions that are asked about.
    atoms: Vec<PredIx>,
}

impl Turns {
    /// The groups of an automaton whose conditions look at the event alone, if its matches end in turn.
    pub(super) fn new(states: &[FlatState], decisions: &Decisions) -> Option<Self> {
        if states.len() > STATES_MAX || states.iter().any(|state| !state.finals.is_empty()) {
            return None;
        }
        let roots = (1..states.len() as u16).filter(|&at| !states.get(usize::from(at)).is_some_and(is_end));
        let roots = roots.map(|at| decisions.root(at)).chain([decisions.start()]).collect::<Option<Vec<u32>>>()?;
        let atoms: BTreeSet<PredIx> = roots.into_iter().flat_map(|root| decisions.asked(root)).collect();
        if atoms.len() > CONDITIONS_MAX {
            return None;
        }
        let kinds = Kinds { states, decisions, atoms: atoms.into_iter().collect() };
        let (groups, moves) = kinds.groups()?;
        let mut group_of = vec![None; states.len()];
        for (number, group) in (0..).zip(&groups) {
            for at in members(*group) {
                let place = group_of.get_mut(usize::from(at)).filter(|place| place.is_none())?;
                *place = Some(number);
            }
        }
        kinds.never_overtaken(&groups, &moves)?;
        Some(Self { group_of: group_of.into_iter().map(|group| group.unwrap_or(u8::MAX)).collect() })
    }

    /// The group of a state, as a bit.
    pub(super) fn group(&self, state: u16) -> u32 {
        self.group_of.get(usize::from(state)).and_then(|group| 1u32.checked_shl((*group).into())).unwrap_or(0)
    }
}

fn members(group: u64) -> impl Iterator<Item = u16> {
    (0..STATES_MAX as u16).filter(move |at| group & 1 << at != 0)
}

impl Kinds<'_> {
    fn count(&self) -> u32 {
        1 << self.atoms.len()
    }

    /// Where an event of a kind leads what is in a state; none where that isn't as simple.
    fn of_state(&self, at: u16, root: u32, kind: u32, to: &mut Move) -> Option<()> {
        let met = |pred| self.atoms.iter().position(|atom| *atom == pred).is_some_and(|bit| kind & 1 << bit != 0);
        let way = self.decisions.way(self.decisions.decide(root, met));
        if way.stops || way.timed {
            return None;
        }
        for edge in self.decisions.edges(way) {
            let (What::Take { target, .. } | What::Ignore { target }) =
                self.states.get(usize::from(at))?.edges.get(usize::from(*edge))?.what
            else {
                return None;
            };
            let ends = is_end(self.states.get(usize::from(target))?);
            *to = match *to {
                // Two matches, of which one would have to be chosen.
                Move::Ends if ends => return None,
                _ if ends => Move::Ends,
                Move::Ends => Move::Ends,
                // Two partial matches in one state.
                Move::To(group) if group & 1 << target != 0 => return None,
                Move::To(group) => Move::To(group | 1 << target),
                Move::Over => Move::To(1 << target),
            };
        }
        Some(())
    }

    fn begun(&self, kind: u32) -> Option<Move> {
        let mut to = Move::Over;
        self.of_state(0, self.decisions.start()?, kind, &mut to)?;
        // What begins and ends with one event would be a case of its own.
        (to != Move::Ends).then_some(to)
    }

    fn moved(&self, group: u64, kind: u32) -> Option<Move> {
        let mut to = Move::Over;
        for at in members(group) {
            self.of_state(at, self.decisions.root(at)?, kind, &mut to)?;
        }
        Some(to)
    }

    /// All groups, and for each where each kind of event leads it.
    #[expect(clippy::type_complexity, reason = "two lists of the same order")]
    fn groups(&self) -> Option<(Vec<u64>, BTreeMap<u64, Vec<Move>>)> {
        let mut groups: Vec<u64> = Vec::new();
        for kind in 0..self.count() {
            if let Move::To(group) = self.begun(kind)?
                && !groups.contains(&group)
            {
                groups.push(group);
            }
        }
        let mut moves = BTreeMap::new();
        let mut at = 0;
        while let Some(&group) = groups.get(at) {
            at += 1;
            let of_group = (0..self.count()).map(|kind| self.moved(group, kind)).collect::<Option<Vec<Move>>>()?;
            for to in &of_group {
                if let Move::To(group) = to
                    && !groups.contains(group)
                {
                    groups.push(*group);
                }
            }
            if groups.len() > GROUPS_MAX {
                return None;
            }
            moves.insert(group, of_group);
        }
        Some((groups, moves))
    }

    /// That nothing ends while something that began earlier goes on: all pairs of groups in which an earlier and a later one can be.
    fn never_overtaken(&self, groups: &[u64], moves: &BTreeMap<u64, Vec<Move>>) -> Option<()> {
        let mut pairs: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut to_do: Vec<(u64, u64)> = Vec::new();
        for kind in 0..self.count() {
            let Move::To(begun) = self.begun(kind)? else { continue };
            for group in groups {
                if let Move::To(earlier) = *moves.get(group)?.get(kind as usize)?
                    && pairs.insert((earlier, begun))
                {
                    to_do.push((earlier, begun));
                }
            }
        }
        while let Some((earlier, later)) = to_do.pop() {
            for (one, other) in moves.get(&earlier)?.iter().zip(moves.get(&later)?) {
                match (*one, *other) {
                    (Move::To(_), Move::Ends) => return None,
                    (Move::To(one), Move::To(other)) if pairs.insert((one, other)) => to_do.push((one, other)),
                    _ => {}
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        op::pattern::{
            Program,
            tests::kit::{Partition, element, input, pattern, pattern_of, v},
        },
        plan::{Pattern, Skip, Term},
    };

    fn program(pattern: Pattern) -> Program {
        let pattern = Pattern { on_timeout: false, ..pattern.skip(Skip::ToNextRow) };
        Program::new(&pattern, &[input()], &[], None).unwrap()
    }

    #[test]
    fn a_greedy_loop_between_two_events_ends_in_turn_and_is_kept_as_sets() {
        let sets = program(pattern([v('a'), v('b').times(1, None), v('c')]).within(100));
        assert!(sets.turns.is_some() && sets.compact);
        let events = "a1 x2 b3 a4 b5 x6 b7 a8 c9 b10 c11 c12 a13 b14 |120 c121";
        let mut found = Partition::of(sets);
        found.feed(events);
        let mut single =
            Partition::of(program(pattern([v('a'), v('b').times(1, None), v('c')]).within(100)).one_by_one());
        single.feed(events);
        assert_eq!(found.found(), single.found());
        assert_eq!(found.found().len(), 3);
        assert!(found.state.is_idle());
    }

    #[test]
    fn what_may_be_overtaken_by_a_later_start_is_not_kept_as_sets() {
        let ways = vec![vec![v('b'), v('x'), v('y')], vec![v('d'), v('e')]];
        let overtaken = program(pattern_of(vec![v('a'), element(Term::Alternation(ways))]));
        assert!(overtaken.turns.is_none() && !overtaken.compact);
    }
}
