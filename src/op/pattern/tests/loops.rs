//! Loops of every mode, and bounds on them.

use super::kit::{found, group, pattern, v};
use crate::plan::{Connect, Loop};

#[test]
fn a_greedy_loop_takes_what_it_can_and_the_rest_comes_after() {
    let up_to_three = pattern([v('a'), v('b').times(1, 3), v('c')]);
    assert_eq!(found(&up_to_three, "a1 b2 b3 c4"), ["a0 b1 b2 c3 @4"]);
    assert_eq!(found(&up_to_three, "a1 b2 b3 b4 b5 c6"), ["a0 b1 b2 b3 c5 @6"], "a full loop lets further events pass");
    let open = pattern([v('a'), v('b').times(1, None), v('c')]);
    assert_eq!(found(&open, "a1 b2 x3 b4 x5 b6 c7"), ["a0 b1 b3 b5 c6 @7"]);
}

#[test]
fn an_optional_element_is_taken_where_it_can_be() {
    let greedy = pattern([v('a'), v('b').times(0, 1), v('c')]);
    assert_eq!(found(&greedy, "a1 b2 c3"), ["a0 b1 c2 @3"]);
    assert_eq!(found(&greedy, "a1 x2 b3 c4"), ["a0 b2 c3 @4"]);
    assert_eq!(found(&greedy, "a1 c2"), ["a0 c1 @2"]);
    let mut each = greedy;
    each.elements[1].quantifier.mode = Loop::Each;
    assert_eq!(found(&each, "a1 b2 c3"), ["a0 b1 c2 @3", "a0 c2 @3"]);
}

#[test]
fn greedy_reaches_over_optional_elements_after_the_loop() {
    let pattern = pattern([v('a'), v('b').times(1, None), v('c').times(0, 1), v('d')]);
    assert_eq!(found(&pattern, "a1 b2 b3 d4"), ["a0 b1 b2 d3 @4"]);
    assert_eq!(found(&pattern, "a1 b2 x3 b4 c5 d6"), ["a0 b1 b3 c4 d5 @6"]);
}

#[test]
fn a_reluctant_loop_stops_as_soon_as_the_rest_can_go_on() {
    // The next element takes what both can take.
    let both = |mode| {
        let mut b_or_c = pattern([v('a'), v('b').times(1, None).mode(mode), v('c')]);
        let b = b_or_c.variables[1].conditions[0].clone();
        b_or_c.variables[2].conditions = vec![b];
        b_or_c
    };
    assert_eq!(found(&both(Loop::Reluctant), "a1 b2 b3 b4"), ["a0 b1 c2 @3"]);
    assert_eq!(found(&both(Loop::Greedy), "a1 b2 b3 b4"), Vec::<String>::new());
    let apart = pattern([v('a'), v('b').times(1, None).mode(Loop::Reluctant), v('c')]);
    assert_eq!(found(&apart, "a1 b2 b3 c4 c5"), ["a0 b1 b2 c3 @4"]);
    let last = pattern([v('a'), v('b').times(2, None).mode(Loop::Reluctant)]);
    assert_eq!(found(&last, "a1 b2 b3 b4"), ["a0 b1 b2 @3"]);
}

#[test]
fn a_loop_of_groups_repeats_them_whole() {
    let pairs = pattern([group([v('a'), v('b')]).times(2, 2), v('c')]);
    assert_eq!(found(&pairs, "a1 b2 a3 b4 c5"), ["a0 b1 a2 b3 c4 @5"]);
    assert_eq!(found(&pairs, "a1 b2 a3 c5"), Vec::<String>::new());
}

#[test]
fn strict_repetitions_at_the_head_of_a_group_stay_strict() {
    let runs = pattern([v('s'), group([v('a').times(2, 2).inner(Connect::Strict), v('b')])]);
    assert_eq!(found(&runs, "s1 a2 a3 b4"), ["s0 a1 a2 b3 @4"]);
    assert_eq!(found(&runs, "s1 a2 x3 a4 b5"), Vec::<String>::new());
}

#[test]
fn a_bound_on_a_loop_is_from_its_first_to_its_last_repetition() {
    let burst = pattern([v('a').times(3, 3).loop_within(5)]);
    assert_eq!(found(&burst, "a1 a3 a5"), ["a0 a1 a2 @5"]);
    assert_eq!(found(&burst, "a1 a3 a6 a7"), ["! a0 a1 @6", "a1 a2 a3 @7"]);
    let open = pattern([v('s'), v('a').times(1, None).loop_within(5), v('e')]);
    assert_eq!(found(&open, "s1 a10 a14 a15 e16"), ["s0 a1 a2 e4 @16"]);
    let groups = pattern([group([v('a'), v('b')]).times(2, 2).loop_within(4)]);
    assert_eq!(found(&groups, "a1 b2 a3 b4"), ["a0 b1 a2 b3 @4"]);
    assert_eq!(found(&groups, "a1 b2 a3 b5"), Vec::<String>::new());
}

#[test]
fn a_bound_on_a_step_is_from_the_event_before() {
    let step = pattern([v('a'), v('b').of_previous(3)]);
    assert_eq!(found(&step, "a1 b3"), ["a0 b1 @3"]);
    assert_eq!(found(&step, "a1 b4"), ["! a0 @4"]);
    let each = pattern([v('a'), v('b').times(2, None).of_previous(3), v('c')]);
    assert_eq!(found(&each, "a1 b3 b5 c20"), ["a0 b1 b2 c3 @20"]);
    assert_eq!(found(&each, "a1 b3 b6 c20"), ["! a0 b1 @6"]);
}

#[test]
fn an_optional_step_that_comes_too_late_is_left_out() {
    let step = pattern([v('a'), v('b').times(0, 1).of_previous(3), v('c')]);
    assert_eq!(found(&step, "a1 b3 c9"), ["a0 b1 c2 @9"]);
    assert_eq!(found(&step, "a1 b4 c9"), ["a0 c2 @9"]);
    assert_eq!(found(&step, "a1 x2 b4 c9"), ["a0 c3 @9"]);
}

#[test]
fn a_stop_condition_ends_a_loop_and_is_not_taken() {
    let stopped = pattern([v('a'), v('b').times(1, None).until('u'), v('c')]);
    assert_eq!(found(&stopped, "a1 b2 u3 b4 c5"), ["a0 b1 c4 @5"]);
}
