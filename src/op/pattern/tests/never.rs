//! Absence of what is more than one event, and of one event where it is not certain what stands before.

use super::{
    super::BuildError,
    kit::{element, found, group, not, pattern, refusal, v},
};
use crate::plan::{Connect, Element, Pattern, Term};

fn never(what: Element) -> Element {
    element(Term::Not { term: Box::new(what.term), for_ms: None })
}

fn never_for(what: Element, ms: i64) -> Element {
    element(Term::Not { term: Box::new(what.term), for_ms: Some(ms) })
}

fn either<const N: usize>(elements: [Element; N]) -> Element {
    element(Term::Alternation(elements.into_iter().map(|element| vec![element]).collect()))
}

fn both<const N: usize>(elements: [Element; N]) -> Element {
    element(Term::Permutation(elements.into_iter().map(|element| vec![element]).collect()))
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_sequence_must_not_occur_between_two_elements() {
    let pattern = pattern([v('a'), never(group([v('b'), v('c')])), v('d')]);
    assert_eq!(found(&pattern, "a1 b2 x3 d4"), ["a0 d3 @4"], "a part of it may");
    assert_eq!(found(&pattern, "a1 c2 b3 d4"), ["a0 d3 @4"], "in another order, too");
    assert_eq!(found(&pattern, "a1 b2 x3 c4 d5"), none());
    assert_eq!(found(&pattern, "a1 c2 b3 b4 x5 c6 d7"), none());
    assert_eq!(found(&pattern, "b1 a2 c3 d4"), ["a1 d3 @4"], "what was before does not count");
    assert_eq!(found(&pattern, "a1 b2 a3 c4 d5"), ["a2 d4 @5"], "of one start but not of the other");
}

#[test]
fn strict_parts_of_what_must_not_occur_are_next_to_each_other() {
    let pattern = pattern([v('a'), never(group([v('b'), v('c').strict()])), v('d')]);
    assert_eq!(found(&pattern, "a1 b2 x3 c4 d5"), ["a0 d4 @5"]);
    assert_eq!(found(&pattern, "a1 b2 b3 c4 d5"), none());
}

#[test]
fn repetitions_in_what_must_not_occur_are_counted() {
    let three = pattern([v('a'), never(group([v('b').times(3, 3)])), v('d')]);
    assert_eq!(found(&three, "a1 b2 x3 b4 d5"), ["a0 d4 @5"]);
    assert_eq!(found(&three, "a1 b2 x3 b4 b5 d6"), none());
    let row = pattern([v('a'), never(group([v('b').times(2, None).inner(Connect::Strict), v('c')])), v('d')]);
    assert_eq!(found(&row, "a1 b2 x3 b4 c5 d6"), ["a0 d5 @6"]);
    assert_eq!(found(&row, "a1 b2 b3 b4 x5 c6 d7"), none());
    let pairs = pattern([v('a'), never(group([group([v('b'), v('c')]).times(2, None)])), v('d')]);
    assert_eq!(found(&pairs, "a1 b2 c3 b4 d5"), ["a0 d4 @5"]);
    assert_eq!(found(&pairs, "a1 b2 c3 b4 c5 d6"), none());
}

#[test]
fn of_several_things_none_must_occur() {
    let one = pattern([v('a'), never(either([v('b'), v('c')])), v('d')]);
    assert_eq!(found(&one, "a1 x2 d3"), ["a0 d2 @3"]);
    assert_eq!(found(&one, "a1 b2 d3"), none());
    assert_eq!(found(&one, "a1 c2 d3"), none());
    let all = pattern([v('a'), never(both([v('b'), v('c')])), v('d')]);
    assert_eq!(found(&all, "a1 b2 b3 d4"), ["a0 d3 @4"]);
    assert_eq!(found(&all, "a1 c2 x3 b4 d5"), none());
}

#[test]
fn the_event_that_is_taken_is_not_between() {
    let same = |pattern: &mut Pattern| {
        let c = pattern.variables[2].conditions[0].clone();
        pattern.variables[3].conditions = vec![c];
    };
    let mut pattern = pattern([v('a'), never(group([v('b'), v('c')])), v('d'), v('e')]);
    same(&mut pattern);
    assert_eq!(found(&pattern, "a1 b2 c3 e4"), ["a0 d2 e3 @4"], "c and d are the same here");
}

#[test]
fn absence_of_a_sequence_at_the_end_is_decided_by_the_window_or_its_own_deadline() {
    let window = pattern([v('a'), never(group([v('b'), v('c')]))]).within(9);
    assert_eq!(found(&window, "a1 b2 x3 $"), ["a0 @10"]);
    assert_eq!(found(&window, "a1 b2 c3 $"), none());
    assert_eq!(found(&window, "a1 b2 c10"), ["a0 @10"]);
    let own = pattern([v('a'), never_for(group([v('b'), v('c')]), 5)]);
    assert_eq!(found(&own, "a1 b3 |6"), ["a0 @6"]);
    assert_eq!(found(&own, "a1 b3 c5 $"), none());
    assert_eq!(found(&own, "a1 b3 c6"), ["a0 @6"], "forbidden in (1, 6)");
    let inside = pattern([v('a'), never_for(group([v('b'), v('c')]), 5), v('d')]);
    assert_eq!(found(&inside, "a1 b3 d5 d7"), ["a0 d3 @7"]);
    assert_eq!(found(&inside, "a1 b3 c5 d7"), none());
    assert_eq!(found(&inside, "a1 b3 c7 d8"), ["a0 d3 @8"]);
}

#[test]
fn a_strict_absence_of_a_sequence_is_over_when_it_can_not_come_any_more() {
    let strict = pattern([v('a'), never(group([v('b'), v('c').strict()])).strict(), v('d')]);
    assert_eq!(found(&strict, "a1 x2 b3 c4 d5"), ["a0 d4 @5"]);
    assert_eq!(found(&strict, "a1 b2 c3 d4"), none());
    assert_eq!(found(&strict, "a1 b2 x3 c4 d5"), ["a0 d4 @5"]);
    let end = pattern([v('a'), never(group([v('b'), v('c').strict()])).strict()]).within(9);
    assert_eq!(found(&end, "a1 b2 x3"), ["a0 @3"]);
    assert_eq!(found(&end, "a1 x2"), ["a0 @2"]);
    assert_eq!(found(&end, "a1 b2 c3 $"), none());
    assert_eq!(found(&end, "a1 b2 $"), ["! a0 @10"], "as with `a !b`: an event has to decide");
    let own = pattern([v('a'), never_for(group([v('b'), v('c').strict()]), 5).strict(), v('d')]);
    assert_eq!(found(&own, "a1 x2 d3"), ["a0 d2 @3"]);
    assert_eq!(found(&own, "a1 d2"), ["a0 d1 @2"], "the event that decides may be the next one");
    assert_eq!(found(&own, "a1 b2 |6 d7"), ["a0 d2 @7"]);
}

#[test]
fn a_loop_before_what_must_not_occur_goes_on_and_begins_anew() {
    let pattern =
        pattern([v('a').times(1, None), never(group([v('b'), v('c')])), v('d')]).skip(crate::plan::Skip::Eager);
    assert_eq!(found(&pattern, "a1 b2 c3 a4 d5"), ["a0 a3 d4 @5"]);
    assert_eq!(found(&pattern, "a1 b2 a3 c4 d5"), ["a0 a2 d4 @5"]);
    assert_eq!(found(&pattern, "a1 b2 c3 d4"), none());
}

#[test]
fn absences_in_a_row_hold_all_and_may_be_followed_by_what_can_be_left_out() {
    let row = pattern([v('a'), never(group([v('b'), v('c')])), not('n', None), never(group([v('x'), v('y')])), v('d')]);
    assert_eq!(found(&row, "a1 b2 x3 d4"), ["a0 d3 @4"]);
    for wrong in ["a1 b2 x3 c4 d5", "a1 n2 d4", "a1 x2 b3 y4 d5"] {
        assert_eq!(found(&row, wrong), none(), "{wrong}");
    }
    let optional = pattern([v('a'), never(group([v('b'), v('c')])), v('o').times(0, 1), v('d')]);
    assert_eq!(found(&optional, "a1 b2 o3 c4 d5"), ["a0 o2 d4 @5"], "what is taken ends the absence");
    assert_eq!(found(&optional, "a1 b2 c3 d4"), none());
}

#[test]
fn an_absence_after_what_may_be_left_out_concerns_each_way_by_itself() {
    let pattern = pattern([v('a'), v('b').times(0, 1), not('n', None), v('d')]);
    assert_eq!(found(&pattern, "a1 x2 d3"), ["a0 d2 @3"]);
    assert_eq!(found(&pattern, "a1 n2 d3"), none());
    assert_eq!(found(&pattern, "a1 n2 b3 d4"), ["a0 b2 d3 @4"], "n was not between b and d");
    assert_eq!(found(&pattern, "a1 b2 n3 d4"), none());
    let strict = super::kit::pattern([v('a'), v('b').times(0, 1), not('n', None).strict(), v('d')]);
    assert_eq!(found(&strict, "a1 n2 b3 x4 d5"), ["a0 b2 d4 @5"]);
    assert_eq!(found(&strict, "a1 n2 d3"), none());
    let two = super::kit::pattern([v('a'), v('b').times(0, 1), not('n', None), not('m', None), v('d')]);
    assert_eq!(found(&two, "a1 m2 n3 b4 d5"), ["a0 b3 d4 @5"]);
    assert_eq!(found(&two, "a1 b2 m3 d4"), none());
}

#[test]
fn a_missing_heartbeat_may_be_any_of_several() {
    let beats = pattern([never_for(either([v('a'), v('b')]), 10)]);
    assert_eq!(found(&beats, "a1 b5 x9 |15"), ["b1 @15"]);
    assert_eq!(found(&beats, "a1 b5 a9 |19"), ["a2 @19"]);
}

#[test]
fn what_has_no_meaning_is_refused() {
    let meaningless = |pattern: Pattern| matches!(refusal(&pattern), Some(BuildError::Meaningless { .. }));
    assert!(meaningless(pattern([v('a'), never(group([v('b').times(0, 1)])), v('d')])), "it always occurs");
    assert!(meaningless(pattern([never_for(group([v('a'), v('b')]), 5)])));
    assert!(meaningless(pattern([v('a'), never(group([v('b'), v('c')]))])), "no end");
    for inner in
        [v('b').loop_within(3).times(2, 2), v('b').of_previous(3), not('b', None), v('b').times(1, None).until('u')]
    {
        let pattern = pattern([v('a'), never(group([v('c'), inner])), v('d')]);
        assert!(matches!(refusal(&pattern), Some(BuildError::NotSupported { .. })), "{:?}", refusal(&pattern));
    }
    let long = pattern([v('a'), never(group([v('b').times(100, 100)])), v('d')]);
    assert!(matches!(refusal(&long), Some(BuildError::TooLarge { .. })));
}

#[test]
fn what_is_watched_shows_in_the_description() {
    let pattern = pattern([v('a'), never(group([v('b'), v('c')])), v('d')]);
    let program = super::super::Program::new(&pattern, &[super::kit::input()], &[], None).unwrap();
    let text = program.explain();
    assert!(text.contains("d !b\n") && text.contains("d !c,b\n"), "{text}");
    assert!(program.dot().contains("d !c,b"));
}
