//! Sequences that are watched against sequences that are matched: an absence holds exactly where its inside, matched by
//! itself, finds nothing. And greedy and reluctant loops find nothing that a loop of every number doesn't.

use super::{
    fuzz::{elements, number},
    kit::{Partition, element, found, group, pattern_of, term, v},
};
use crate::{
    expr::Expr,
    op::pattern::Program,
    plan::{Element, Loop, Pattern, Quantifier, Term},
};
use proptest::prelude::*;

/// Without bounds, with every way on, and nothing optional where a choice is made.
fn plain(elements: &mut [Element], choice: bool) {
    for element in elements {
        element.within_previous_ms = None;
        let Quantifier { min, max, mode, until, within_ms, .. } = &mut element.quantifier;
        (*mode, *until, *within_ms) = (Loop::Each, None, None);
        if choice {
            *min = (*min).max(1);
            *max = max.map(|max| max.max(*min));
        }
        match &mut element.term {
            Term::Variable(_) => {}
            Term::Not { term, .. } => {
                element.term = match &**term {
                    Term::Variable(var) => Term::Variable(*var),
                    _ => Term::Variable(0),
                };
            }
            Term::Group(inner) => plain(inner, choice),
            Term::Alternation(all) | Term::Permutation(all) => all.iter_mut().for_each(|inner| plain(inner, true)),
        }
    }
}

/// A letter of b, c and d.
fn letter(kind: u8) -> Vec<Option<Expr>> {
    pattern_of(vec![v('a')]).variables[usize::from(1 + kind % 3)].conditions.clone()
}

fn matched_alone(inner: &[Element], kinds: &[u8], events: &[(char, usize)]) -> bool {
    let mut inner = inner.to_vec();
    let mut vars = 0;
    number(&mut inner, &mut vars);
    let mut pattern = pattern_of(inner);
    for (variable, kind) in pattern.variables.iter_mut().zip(kinds) {
        variable.conditions = letter(*kind);
    }
    let text: Vec<String> = events.iter().map(|(name, at)| format!("{name}{at}")).collect();
    !found(&pattern, &text.join(" ")).is_empty()
}

fn names() -> impl Strategy<Value = Vec<char>> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', 'b', 'c', 'c', 'd', 'x', 'z']), 0..14)
}

/// The pattern with a letter's condition for each variable of the group, which are numbered from 1.
fn around(before: char, inner: Element, kinds: &[u8], after: char) -> Pattern {
    let mut elements = vec![element(Term::Variable(0)), inner, element(Term::Variable(0))];
    let mut vars = 0;
    number(&mut elements, &mut vars);
    let mut pattern = pattern_of(elements);
    let named = |name: char| pattern_of(vec![v('a')]).variables[usize::from(name as u8 - b'a')].conditions.clone();
    for (variable, kind) in pattern.variables.iter_mut().skip(1).zip(kinds) {
        variable.conditions = letter(*kind);
    }
    pattern.variables[0].conditions = named(before);
    pattern.variables[usize::from(vars) - 1].conditions = named(after);
    pattern
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_sequence_is_absent_where_it_is_not_found(
        mut inner in elements(1),
        kinds in prop::collection::vec(0..3u8, 26),
        names in names(),
    ) {
        plain(&mut inner, false);
        let events: Vec<(char, usize)> = names.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
        let what = Box::new(Term::Group(inner.clone()));
        let pattern = around('a', element(Term::Not { term: what, for_ms: None }), &kinds, 'z');
        let Ok(program) = Program::new(&pattern, &[super::kit::input()], &[], None) else { return Ok(()) };
        let mut partition = Partition::of(program);
        let text: Vec<String> = events.iter().map(|(name, at)| format!("{name}{at}")).collect();
        partition.feed(&text.join(" "));
        let mut starts: Vec<usize> = partition.found().iter().map(|found| found[1..].split(' ').next().unwrap().parse().unwrap()).collect();
        starts.sort_unstable();
        let mut expected = Vec::new();
        for (at, _) in events.iter().filter(|(name, _)| *name == 'a').map(|(_, at)| (*at, ())) {
            let Some(end) = events.iter().skip(at + 1).find(|(name, _)| *name == 'z').map(|(_, end)| *end) else { continue };
            if !matched_alone(&inner, &kinds, &events[at + 1..end]) {
                expected.push(at);
            }
        }
        prop_assert_eq!(starts, expected, "{}", partition.program.explain());
    }

    #[test]
    fn a_loop_that_chooses_finds_nothing_new(
        mut inner in elements(1),
        kinds in prop::collection::vec(0..3u8, 26),
        (min, max) in (0..3u32, prop::option::of(3..5u32)),
        reluctant in any::<bool>(),
        names in names(),
    ) {
        plain(&mut inner, false);
        let text: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name}{at}")).collect();
        let of = |mode| {
            let group = element(Term::Group(inner.clone())).times(min, max).mode(mode);
            let pattern = around('a', group, &kinds, 'z');
            let program = Program::new(&pattern, &[super::kit::input()], &[], None).ok()?.with_limit(2_000);
            let mut partition = Partition::of(program);
            partition.feed(&text.join(" "));
            (partition.scratch.counts.shed == 0).then(|| partition.found())
        };
        if let (Some(each), Some(some)) = (of(Loop::Each), of(if reluctant { Loop::Reluctant } else { Loop::Greedy })) {
            for found in &some {
                prop_assert!(each.contains(found), "{found} is not in {each:?}");
            }
            prop_assert_eq!(each.is_empty(), some.is_empty(), "{:?} {:?}", each, some);
        }
    }

    #[test]
    fn loops_over_what_may_be_empty_end_in_every_nesting(
        nesting in prop::collection::vec((0..3u32, prop::option::of(1..3u32), 0..3u8, any::<bool>()), 1..5),
        names in names(),
    ) {
        let mut inner = v('b').times(0, None);
        let mut next = 'c';
        for &(min, more, mode, beside) in &nesting {
            let mode = [Loop::Greedy, Loop::Reluctant, Loop::Each][usize::from(mode)];
            let max = more.map(|more| min + more);
            inner = match beside {
                true => {
                    let other = element(term(next)).times(0, 1);
                    next = char::from(next as u8 + 1);
                    group([inner, other]).times(min, max).mode(mode)
                }
                false => group([inner]).times(min, max).mode(mode),
            };
        }
        let pattern = pattern_of(vec![v('a'), inner, v('z')]);
        let Ok(program) = Program::new(&pattern, &[super::kit::input()], &[], None) else { return Ok(()) };
        let mut partition = Partition::of(program.with_limit(50));
        let text: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name}{at}")).collect();
        partition.feed(&text.join(" "));
        partition.advance(i64::MAX);
        let begun = names.iter().position(|name| *name == 'a');
        let ends = begun.is_some_and(|begun| names.iter().skip(begun).any(|name| *name == 'z'));
        prop_assert!(partition.scratch.counts.shed > 0 || partition.found().is_empty() != ends);
    }
}
