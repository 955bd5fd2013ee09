//! Alternation and permutation.

use super::kit::{element, found, group, pattern, term, v};
use crate::plan::{Loop, Skip, Term};

fn either() -> Term {
    Term::Alternation(vec![vec![v('a'), v('b')], vec![v('c')]])
}

#[test]
fn one_of_the_alternatives_is_taken() {
    let pattern = pattern([v('s'), element(either()), v('e')]);
    assert_eq!(found(&pattern, "s1 a2 b3 e4"), ["s0 a1 b2 e3 @4"]);
    assert_eq!(found(&pattern, "s1 x2 c3 e4"), ["s0 c2 e3 @4"]);
    assert_eq!(found(&pattern, "s1 a2 e3"), Vec::<String>::new());
    // The a was an a: waiting on for the other alternative would skip what matches.
    assert_eq!(found(&pattern, "s1 a2 c3 e4"), Vec::<String>::new());
}

#[test]
fn a_loop_over_alternatives_takes_what_it_can() {
    let either = Term::Alternation(vec![vec![v('a')], vec![v('b')]]);
    let pattern = pattern([v('s'), element(either).times(1, None), v('e')]);
    assert_eq!(found(&pattern, "s1 a2 x3 b4 a5 e6"), ["s0 a1 b3 a4 e5 @6"]);
}

#[test]
fn a_pattern_may_begin_with_alternatives() {
    assert_eq!(found(&pattern([element(either()), v('e')]), "x1 c2 a3 b4 e5"), ["c1 e4 @5", "a2 b3 e4 @5"]);
}

#[test]
fn all_parts_of_a_permutation_come_in_any_order() {
    let parts = vec![vec![v('a')], vec![v('b')], vec![v('c')]];
    let pattern = pattern([v('s'), element(Term::Permutation(parts)), v('e')]);
    for (events, taken) in [("s1 a2 b3 c4 e5", "a1 b2 c3"), ("s1 c2 a3 b4 e5", "c1 a2 b3"), ("s1 b2 x3 a4 c5 e6", "")] {
        let found = found(&pattern, events);
        assert_eq!(found.len(), 1, "{events}");
        assert!(found[0].contains(taken));
    }
    assert_eq!(found(&pattern, "s1 a2 a3 b4 e5"), Vec::<String>::new());
}

#[test]
fn loops_over_what_may_be_empty_end() {
    let maybe = || group([v('b').times(0, 1).mode(Loop::Each), v('c').times(0, None)]).times(0, None);
    for skip in [Skip::NoSkip, Skip::Eager] {
        let pattern = pattern([v('a'), maybe(), v('d')]).skip(skip);
        let found = found(&pattern, "a1 b2 c3 b4 d5");
        assert!(found.contains(&"a0 b1 c2 b3 d4 @5".to_owned()), "{found:?}");
    }
    let inner = group([group([v('b').times(0, None)]).times(0, None)]).times(1, None);
    assert!(!found(&pattern([v('a'), inner, v('d')]), "a1 b2 d3").is_empty());
}

#[test]
fn what_has_no_meaning_is_refused_in_words() {
    let refused = |elements: Vec<_>| super::kit::refusal(&super::kit::pattern_of(elements)).unwrap().to_string();
    assert_eq!(
        refused(vec![v('a'), super::kit::not('b', None)]),
        "an absence at the end of a pattern needs FOR or WITHIN"
    );
    assert_eq!(refused(vec![super::kit::not('b', None), v('a')]), "an absence at the start of a pattern needs FOR");
    assert_eq!(refused(vec![v('a'), v('a')]), "the variable `a` occurs twice");
    assert_eq!(refused(vec![v('a').times(900, 1_000).times(3, 2)]), "a quantifier from 3 to 2 is empty");
    let many = element(Term::Group(vec![v('b').times(1, 1_000)])).times(1, 1_000);
    assert!(refused(vec![v('a'), many]).starts_with("the pattern needs more than"));
    let _ = term('a');
}
