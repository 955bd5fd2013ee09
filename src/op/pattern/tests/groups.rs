//! Loops over groups: which repetitions a greedy and a reluctant one take, and groups that begin or end with an absence.

use super::{
    super::BuildError,
    kit::{found, group, not, pattern, refusal, v},
};
use crate::plan::{Connect, Element, Loop, Pattern};

fn pairs() -> Element {
    group([v('a'), v('b')]).times(1, None)
}

fn between(group: Element) -> Pattern {
    pattern([v('s'), group, v('c')])
}

/// Lets `c` take the events of another name.
fn with_c_as(mut pattern: Pattern, name: char) -> Pattern {
    pattern.variables[2].conditions = pattern.variables[usize::from(name as u8 - b'a')].conditions.clone();
    pattern
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_greedy_group_leaves_no_whole_repetition_out() {
    let greedy = between(pairs());
    assert_eq!(found(&greedy, "s1 a2 b3 c4"), ["s0 a1 b2 c3 @4"]);
    assert_eq!(found(&greedy, "s1 a2 b3 a4 x5 b6 c7"), ["s0 a1 b2 a3 b5 c6 @7"]);
    assert_eq!(found(&greedy, "s1 a2 b3 a4 c5"), ["s0 a1 b2 c4 @5"], "what was begun only is no repetition");
    assert_eq!(found(&greedy, "s1 a2 b3 b4 a5 c6"), ["s0 a1 b2 c5 @6"]);
}

#[test]
fn what_begins_or_continues_a_repetition_is_the_greedy_groups() {
    let begins = with_c_as(between(pairs()), 'a');
    assert_eq!(found(&begins, "s1 a2 b3 a4 b5 a6"), none());
    let continues = with_c_as(between(pairs()), 'b');
    assert_eq!(found(&continues, "s1 a2 b3 b4"), ["s0 a1 b2 c3 @4"], "nothing was begun");
    assert_eq!(found(&continues, "s1 a2 b3 a4 b5"), none());
    assert_eq!(found(&continues, "s1 a2 b3 a4 b5 b6"), ["s0 a1 b2 a3 b4 c5 @6"]);
}

#[test]
fn each_number_of_repetitions_is_a_way_on_if_that_is_asked_for() {
    let mut all = found(&between(pairs().mode(Loop::Each)), "s1 a2 b3 a4 b5 c6");
    all.sort();
    assert_eq!(all, ["s0 a1 b2 a3 b4 c5 @6", "s0 a1 b2 c5 @6"]);
}

#[test]
fn a_reluctant_group_ends_as_soon_as_the_rest_can_go_on() {
    let reluctant = between(pairs().mode(Loop::Reluctant));
    assert_eq!(found(&reluctant, "s1 a2 b3 a4 b5 c6 c7"), ["s0 a1 b2 a3 b4 c5 @6"]);
    assert_eq!(found(&reluctant, "s1 a2 b3 a4 c5 b6 c7"), ["s0 a1 b2 c4 @5"], "what was begun is given up");
    let both = with_c_as(between(pairs().mode(Loop::Reluctant)), 'a');
    assert_eq!(found(&both, "s1 a2 b3 a4 b5 a6"), ["s0 a1 b2 c3 @4"]);
    let needed = between(group([v('a'), v('b')]).times(2, None).mode(Loop::Reluctant));
    assert_eq!(found(&needed, "s1 a2 b3 a4 c5 b6 c7"), ["s0 a1 b2 a3 b5 c6 @7"], "what is needed is not");
}

#[test]
fn a_full_group_lets_further_repetitions_pass() {
    let two = between(group([v('a'), v('b')]).times(1, 2));
    assert_eq!(found(&two, "s1 a2 b3 a4 b5 a6 b7 c8"), ["s0 a1 b2 a3 b4 c7 @8"]);
    assert_eq!(found(&two, "s1 a2 b3 c4"), ["s0 a1 b2 c3 @4"]);
}

#[test]
fn an_optional_group_is_taken_where_it_can_be() {
    let greedy = between(group([v('a'), v('b')]).times(0, 1));
    assert_eq!(found(&greedy, "s1 a2 b3 c4"), ["s0 a1 b2 c3 @4"]);
    assert_eq!(found(&greedy, "s1 a2 c3 b4"), ["s0 c2 @3"]);
    assert_eq!(found(&greedy, "s1 x2 c3"), ["s0 c2 @3"]);
    let reluctant = between(group([v('a'), v('b')]).times(0, 1).mode(Loop::Reluctant));
    assert_eq!(found(&reluctant, "s1 a2 c3 b4 c5"), ["s0 c2 @3"]);
}

#[test]
fn what_the_group_can_take_no_more_is_not_withheld() {
    let strict = between(pairs().inner(Connect::Strict));
    assert_eq!(found(&strict, "s1 a2 b3 x4 a5 b6 c7"), ["s0 a1 b2 c6 @7"]);
    let stopped = between(pairs().until('u'));
    assert_eq!(found(&stopped, "s1 a2 b3 u4 a5 b6 c7"), ["s0 a1 b2 c6 @7"]);
    let late = between(pairs().loop_within(5));
    assert_eq!(found(&late, "s1 a2 b3 a8 b9 c10"), ["s0 a1 b2 c5 @10"]);
    assert_eq!(found(&late, "s1 a2 b3 a4 b5 c10"), ["s0 a1 b2 a3 b4 c5 @10"]);
}

#[test]
fn greedy_groups_within_greedy_groups_take_all_they_can() {
    let inner = group([v('a'), v('b')]).times(1, None);
    let outer = between(group([inner, v('d')]).times(1, None));
    assert_eq!(found(&outer, "s1 a2 b3 a4 b5 d6 c7"), ["s0 a1 b2 a3 b4 d5 c6 @7"]);
    let mut two = found(&outer, "s1 a2 b3 d4 a5 b6 d7 c8");
    two.sort();
    // The inner loop may also skip the first d, as any loop that waits skips what it doesn't take.
    assert_eq!(two, ["s0 a1 b2 a4 b5 d6 c7 @8", "s0 a1 b2 d3 a4 b5 d6 c7 @8"]);
    let optional = between(group([v('a').times(0, 1), v('b').times(0, 1)]).times(0, None));
    assert!(found(&optional, "s1 a2 b3 b4 a5 c6").contains(&"s0 a1 b2 b3 a4 c5 @6".to_owned()));
}

#[test]
fn until_ends_a_counted_loop_too() {
    let counted = between(v('a').times(1, 3).until('u'));
    assert_eq!(found(&counted, "s1 a2 u3 a4 c5"), ["s0 a1 c4 @5"]);
    assert_eq!(found(&counted, "s1 a2 a3 a4 u5 c6"), ["s0 a1 a2 a3 c5 @6"], "a full loop has nothing to stop");
    let two = between(v('a').times(2, 3).until('u'));
    assert_eq!(found(&two, "s1 a2 u3 a4 c5"), none(), "stopped before it had its two");
    assert_eq!(found(&two, "s1 a2 a3 u4 a5 c6"), ["s0 a1 a2 c5 @6"]);
    let groups = between(group([v('a'), v('b')]).times(1, 3).until('u'));
    assert_eq!(found(&groups, "s1 a2 b3 u4 a5 b6 c7"), ["s0 a1 b2 c6 @7"]);
}

#[test]
fn a_group_may_begin_with_an_absence() {
    let twice = pattern([v('a'), group([not('n', None), v('c')]).times(2, 2), v('d')]);
    assert_eq!(found(&twice, "a1 c2 x3 c4 d5"), ["a0 c1 c3 d4 @5"]);
    assert_eq!(found(&twice, "a1 n2 c3 c4 d5"), none());
    assert_eq!(found(&twice, "a1 c2 n3 c4 d5"), none());
    assert_eq!(found(&twice, "a1 c2 c3 n4 d5"), ["a0 c1 c2 d4 @5"]);
    let open = pattern([v('a'), group([not('n', None), v('c')]).times(1, None), v('d')]);
    assert_eq!(found(&open, "a1 c2 n3 c4 d5"), ["a0 c1 d4 @5"], "it ends another repetition, and not what follows");
    let optional = pattern([v('a'), group([not('n', None), v('c')]).times(0, 1), v('d')]);
    assert_eq!(found(&optional, "a1 n2 c3 d4"), ["a0 d3 @4"]);
    let timed = pattern([v('a'), group([not('n', Some(5)), v('c')]).times(2, 2)]);
    assert_eq!(found(&timed, "a1 c7 c13"), ["a0 c1 c2 @13"]);
    assert_eq!(found(&timed, "a1 c7 c9 c13"), ["a0 c1 c3 @13"]);
    assert_eq!(found(&timed, "a1 n3 c7 c13"), none());
    assert_eq!(found(&timed, "a1 c7 n9 c13"), none());
}

#[test]
fn a_group_may_end_with_an_absence_where_something_follows() {
    let open = pattern([v('s'), group([v('a'), not('n', None)]).times(1, None).mode(Loop::Each), v('d')]);
    let mut all = found(&open, "s1 a2 a3 d4");
    all.sort();
    assert_eq!(all, ["s0 a1 a2 d3 @4", "s0 a1 d3 @4"]);
    assert_eq!(found(&open, "s1 a2 n3 d4"), none());
    let last = pattern([v('s'), group([v('a'), not('n', None)]).times(1, None)]).within(9);
    assert!(matches!(refusal(&last), Some(BuildError::NotSupported { .. })));
    let once = pattern([v('s'), group([v('a'), not('n', None)])]).within(9);
    assert_eq!(found(&once, "s1 a2 x3 $"), ["s0 a1 @10"]);
}

#[test]
fn what_is_left_out_ends_the_absences_before_it_for_all_that_follows() {
    let pattern = pattern([v('a'), not('n', None), v('b').times(0, 1), v('c').times(0, None), v('d')]);
    assert_eq!(found(&pattern, "a1 b2 n3 d4"), ["a0 b1 d3 @4"]);
    assert_eq!(found(&pattern, "a1 b2 x3 n4 c5 d6"), ["a0 b1 c4 d5 @6"]);
    assert_eq!(found(&pattern, "a1 n2 d3"), none());
}
