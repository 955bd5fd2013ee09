//! Whether the partial matches that one event began can become more and more.
//!
//! They can if some events lead a partial match from a state back to it and also to another state in which the same events
//! keep it: each time these events come there is one more (Weber and Seidl, "On the degree of ambiguity of finite automata",
//! 1991). Conditions are taken to be independent of each other, so that any set of them may be true of an event, and to say
//! the same to all partial matches of one start.

use super::{
    flatten::What,
    graph::{Guard, Pred, PredIx},
    program::Program,
    state::is_end,
};
use std::collections::BTreeSet;

/// So many steps the search makes before it answers that they can.
const STEPS_MAX: usize = 200_000;

/// A state whose partial matches multiply, if there is one.
pub(super) fn multiplies(program: &Program) -> Option<u16> {
    let moves = moves(program);
    let count = program.states.len();
    let circles = circles(&moves, count);
    let mut steps = 0;
    for start in 0..count {
        if circles[start] == 0 {
            continue;
        }
        for kind in &moves {
            let targets = &kind[start];
            for (at, &stays) in
                targets.iter().enumerate().filter(|(_, to)| circles[usize::from(**to)] == circles[start])
            {
                for (other, &leaves) in targets.iter().enumerate() {
                    if at == other {
                        continue;
                    }
                    // Two ways to the same place: twice as many each time round.
                    if stays == leaves || grows(&moves, &circles, (start, stays, leaves), kind, &mut steps) {
                        return Some(start as u16);
                    }
                }
            }
        }
    }
    None
}

/// A kind of event, or of passing time: where it leads the partial matches of each state.
type Kind = Vec<Vec<u16>>;

/// The kinds of events that differ in where they lead.
fn moves(program: &Program) -> Vec<Kind> {
    let mut atoms = BTreeSet::new();
    let guards = program.states.iter().flat_map(|state| state.edges.iter().map(|edge| &edge.guard));
    guards.for_each(|guard| collect(program, guard, &mut atoms));
    let atoms: Vec<PredIx> = atoms.into_iter().collect();
    let mut kinds: BTreeSet<Kind> = BTreeSet::new();
    for met in letters(&atoms, program.states.len()) {
        let mut kind: Kind = Vec::with_capacity(program.states.len());
        for state in &program.states {
            let passed = state.edges.iter().filter(|edge| holds(program, &edge.guard, &met));
            let mut targets = Vec::new();
            let mut stops = false;
            for edge in passed {
                match edge.what {
                    What::Stop => stops = true,
                    What::Take { target, .. } | What::Ignore { target } => targets.push(target),
                }
            }
            targets.retain(|target| !stops && !is_end(&program.states[usize::from(*target)]));
            kind.push(targets);
        }
        kinds.insert(kind);
    }
    if program.states.iter().any(|state| !state.timers.is_empty()) {
        let passing = program.states.iter().enumerate().map(|(at, state)| {
            let stays = (!state.leaves).then_some(at as u16);
            let timers = state.timers.iter().map(|(_, target)| *target);
            let targets = stays.into_iter().chain(timers);
            targets.filter(|target| !is_end(&program.states[usize::from(*target)])).collect()
        });
        kinds.insert(passing.collect());
    }
    kinds.into_iter().collect()
}

/// Sets of conditions that an event may meet: all of them where they are few, else those of at most two.
fn letters(atoms: &[PredIx], states: usize) -> Vec<BTreeSet<PredIx>> {
    if atoms.len() <= 8 && states << atoms.len() <= STEPS_MAX {
        let pick =
            |set: u32| atoms.iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0).map(|(_, atom)| *atom);
        return (0..1u32 << atoms.len()).map(|set| pick(set).collect()).collect();
    }
    let mut letters = vec![BTreeSet::new()];
    letters.extend(atoms.iter().map(|atom| BTreeSet::from([*atom])));
    if atoms.len() * atoms.len() * states <= STEPS_MAX {
        for (at, a) in atoms.iter().enumerate() {
            letters.extend(atoms[..at].iter().map(|b| BTreeSet::from([*a, *b])));
        }
    }
    letters
}

fn collect(program: &Program, guard: &Guard, atoms: &mut BTreeSet<PredIx>) {
    for lit in guard {
        match program.preds.get(usize::from(lit.pred)) {
            Some(Pred::All(guard)) => collect(program, guard, atoms),
            Some(Pred::Any(guards)) => guards.iter().for_each(|guard| collect(program, guard, atoms)),
            Some(_) => drop(atoms.insert(lit.pred)),
            None => {}
        }
    }
}

fn holds(program: &Program, guard: &Guard, met: &BTreeSet<PredIx>) -> bool {
    guard.iter().all(|lit| {
        let holds = match program.preds.get(usize::from(lit.pred)) {
            Some(Pred::All(guard)) => holds(program, guard, met),
            Some(Pred::Any(guards)) => guards.iter().any(|guard| holds(program, guard, met)),
            _ => met.contains(&lit.pred),
        };
        holds == lit.want
    })
}

/// For each state the number of the circle that it is on, 0 for none: states that lead to each other.
fn circles(moves: &[Kind], count: usize) -> Vec<u32> {
    let next: Vec<BTreeSet<u16>> =
        (0..count).map(|state| moves.iter().flat_map(|kind| kind[state].iter().copied()).collect()).collect();
    let mut before: Vec<Vec<u16>> = vec![Vec::new(); count];
    for (state, targets) in next.iter().enumerate() {
        targets.iter().for_each(|&target| before[usize::from(target)].push(state as u16));
    }
    // In the order in which all of a state's successors are done, and then backwards along the edges (Kosaraju).
    let (mut seen, mut order) = (vec![false; count], Vec::with_capacity(count));
    for start in 0..count {
        let mut path = vec![(start, next[start].iter())];
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some((state, targets)) = path.last_mut() {
            match targets.next() {
                Some(&target) if !seen[usize::from(target)] => {
                    seen[usize::from(target)] = true;
                    path.push((usize::from(target), next[usize::from(target)].iter()));
                }
                Some(_) => {}
                None => {
                    order.push(*state);
                    path.pop();
                }
            }
        }
    }
    let mut circle = vec![0; count];
    let mut number = 0;
    for &start in order.iter().rev() {
        if circle[start] != 0 {
            continue;
        }
        number += 1;
        let (mut members, mut to_do) = (0, vec![start]);
        circle[start] = number;
        while let Some(state) = to_do.pop() {
            members += 1;
            for &from in &before[state] {
                if circle[usize::from(from)] == 0 {
                    circle[usize::from(from)] = number;
                    to_do.push(usize::from(from));
                }
            }
        }
        if members == 1 && !next[start].contains(&(start as u16)) {
            circle[start] = u32::MAX;
        }
    }
    circle.iter_mut().filter(|circle| **circle == u32::MAX).for_each(|circle| *circle = 0);
    circle
}

/// Whether events that lead from `start` by `stays` back to `start` may lead by `leaves` to another state and keep it there.
fn grows(
    moves: &[Kind],
    circles: &[u32],
    (start, stays, leaves): (usize, u16, u16),
    first: &Kind,
    steps: &mut usize,
) -> bool {
    let waits = (0..circles.len()).filter(|&state| circles[state] != 0 && state != start);
    for keeps in waits {
        let own = circles[keeps];
        let mut seen = BTreeSet::new();
        let mut to_do: Vec<(u16, u16, u16)> = Vec::new();
        let after = |kind: &Kind, c: u16| -> Vec<u16> {
            kind[usize::from(c)].iter().copied().filter(|to| circles[usize::from(*to)] == own).collect()
        };
        to_do.extend(after(first, keeps as u16).into_iter().map(|c| (stays, leaves, c)));
        while let Some(at) = to_do.pop() {
            if !seen.insert(at) {
                continue;
            }
            *steps += 1;
            let (a, b, c) = at;
            if *steps > STEPS_MAX || (usize::from(a), usize::from(b), usize::from(c)) == (start, keeps, keeps) {
                return true;
            }
            for kind in moves {
                for &a in kind[usize::from(a)].iter().filter(|to| circles[usize::from(**to)] == circles[start]) {
                    for &b in &kind[usize::from(b)] {
                        to_do.extend(after(kind, c).into_iter().map(|c| (a, b, c)));
                    }
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::{
        op::pattern::{
            Program,
            tests::kit::{input, pattern, v},
        },
        plan::{Class, Connect, Loop, Pattern},
    };

    fn class(pattern: Pattern) -> Class {
        Program::new(&pattern, &[input()], &[], None).unwrap().one_by_one().class().0
    }

    #[test]
    fn what_can_multiply_is_told_from_what_can_not() {
        let greedy = || v('b').times(1, None);
        for (what, pattern, expected) in [
            ("a strict sequence", pattern([v('a'), v('b').strict(), v('c').strict()]), Class::Linear),
            ("a relaxed sequence", pattern([v('a'), v('b'), v('c')]), Class::Linear),
            ("one step by ->>", pattern([v('a'), v('b').any()]), Class::Linear),
            ("two steps by ->>", pattern([v('a'), v('b').any(), v('c').any()]), Class::NeedsLimit),
            ("a greedy loop", pattern([v('a'), greedy(), v('c')]), Class::Linear),
            ("a strict greedy loop", pattern([v('a'), greedy().inner(Connect::Strict), v('c')]), Class::Linear),
            ("a reluctant loop", pattern([v('a'), greedy().mode(Loop::Reluctant), v('c')]), Class::Linear),
            ("a loop with every way on", pattern([v('a'), greedy().mode(Loop::Each), v('c')]), Class::NeedsLimit),
            ("a loop that may skip", pattern([v('a'), greedy().inner(Connect::Any), v('c')]), Class::NeedsLimit),
            ("an optional step", pattern([v('a'), v('b').times(0, 1).mode(Loop::Each), v('c')]), Class::Linear),
            ("so many", pattern([v('a'), v('b').times(30, 30), v('c')]), Class::Linear),
        ] {
            assert_eq!(class(pattern), expected, "{what}");
        }
    }
}
