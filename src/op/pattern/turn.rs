//! Whether matches end in the order in which they began, one for each first event at most: then a finished match never waits for
//! one that began earlier, and none ends another.
//!
//! Conditions are taken to be independent of each other, so that any set of them may be true of an event.

use super::{
    decide::{Decisions, Way},
    flatten::{FlatState, What},
    graph::PredIx,
    state::is_end,
};
use std::collections::BTreeSet;

/// Larger automata are not looked at.
const STATES_MAX: usize = 32;

/// Where an event leads a partial match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    To(u16),
    Ends,
    /// It is over without a match.
    Over,
}

/// What must be true of an event, and what not, for a partial match to make a move.
type Case = (Vec<(PredIx, bool)>, Move);

/// Whether they do. Every event is taken to lead a partial match one way at most, by conditions that look at the event alone.
pub(super) fn end_in_turn(states: &[FlatState], decisions: &Decisions) -> bool {
    cases(states, decisions).is_some_and(|(begins, moves)| never_overtaken(&begins, &moves))
}

/// How matches begin, and for each state how they go on; none where an event may make two of one.
fn cases(states: &[FlatState], decisions: &Decisions) -> Option<(Vec<Case>, Vec<Vec<Case>>)> {
    if states.len() > STATES_MAX || states.iter().any(|state| !state.finals.is_empty()) {
        return None;
    }
    let begins = of_state(states, decisions, 0, decisions.start()?, true)?;
    let moves = (0..states.len() as u16).map(|at| match states.get(usize::from(at)) {
        Some(state) if is_end(state) => Some(Vec::new()),
        _ => of_state(states, decisions, at, decisions.root(at)?, false),
    });
    Some((begins, moves.collect::<Option<_>>()?))
}

fn of_state(states: &[FlatState], decisions: &Decisions, at: u16, root: u32, begins: bool) -> Option<Vec<Case>> {
    let edges = &states.get(usize::from(at))?.edges;
    let mut cases = Vec::new();
    for (known, way) in decisions.leaves(root) {
        let way: Way = decisions.way(way);
        if way.stops || way.timed {
            return None;
        }
        let to = match decisions.edges(way) {
            [] => Move::Over,
            [only] => match edges.get(usize::from(*only))?.what {
                What::Take { target, .. } | What::Ignore { target } => {
                    let ends = is_end(states.get(usize::from(target))?);
                    // A match that an event begins and ends is over before anything could wait for it.
                    if begins && ends {
                        return None;
                    }
                    if ends { Move::Ends } else { Move::To(target) }
                }
                What::Stop => return None,
            },
            _ => return None,
        };
        cases.push((known, to));
    }
    Some(cases)
}

/// Whether no partial match ends while one that began earlier goes on: all pairs of states in which an earlier and a later one can be.
fn never_overtaken(begins: &[Case], moves: &[Vec<Case>]) -> bool {
    let mut pairs: BTreeSet<(u16, u16)> = BTreeSet::new();
    let mut to_do: Vec<(u16, u16)> = Vec::new();
    // Any state that isn't the end may be that of an earlier one when a later one begins.
    for earlier in moves {
        for (a, to) in earlier {
            let Move::To(before) = to else { continue };
            for (_, begun) in begins.iter().filter(|(b, _)| agree(a, b)) {
                if let Move::To(after) = begun
                    && pairs.insert((*before, *after))
                {
                    to_do.push((*before, *after));
                }
            }
        }
    }
    while let Some((earlier, later)) = to_do.pop() {
        let (Some(of_earlier), Some(of_later)) = (moves.get(usize::from(earlier)), moves.get(usize::from(later))) else {
            return false;
        };
        for (a, one) in of_earlier {
            for (_, other) in of_later.iter().filter(|(b, _)| agree(a, b)) {
                match (*one, *other) {
                    (Move::To(_), Move::Ends) => return false,
                    (Move::To(one), Move::To(other)) if pairs.insert((one, other)) => to_do.push((one, other)),
                    _ => {}
                }
            }
        }
    }
    true
}

/// Whether an event may meet both.
fn agree(a: &[(PredIx, bool)], b: &[(PredIx, bool)]) -> bool {
    a.iter().all(|(pred, met)| b.iter().all(|(other, also)| pred != other || met == also))
}
