//! Deadlines and bounds where what stands before them may be left out, or is decided by an event.

use super::kit::{Partition, element, found, group, not, pattern, v};
use crate::{
    expr::{Pick, Var},
    plan::{Element, Loop, Skip, Term},
};

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_group_of_absences_at_the_end_is_decided_by_the_window_without_any_event() {
    let pattern = pattern([v('a'), group([not('b', None), not('c', None)])]).within(5);
    assert_eq!(found(&pattern, "a0 $"), ["a0 @5"]);
    assert_eq!(found(&pattern, "a0 x1 $"), ["a0 @5"]);
    for wrong in ["a0 b1 $", "a0 c1 $", "a0 x1 b2 $", "a0 x1 c2 $"] {
        assert_eq!(found(&pattern, wrong), none(), "{wrong}");
    }
}

#[test]
fn what_only_waited_for_a_deadline_is_gone_after_it() {
    let own = pattern([v('a'), group([not('b', Some(1)), v('c')])]);
    let mut partition = Partition::new(&own);
    partition.feed("a0 |1");
    assert_eq!(partition.state.partial_matches(), 1, "c is waited for, once");
    let first = Var { var: 0, pick: Pick::First(0) };
    let skip = Skip::ToFirst { var: first.var, or_fail: false };
    let blocked = pattern([v('a'), v('b'), group([not('c', None), not('d', Some(1))])]).skip(skip);
    assert_eq!(found(&blocked, "a0 a0 b0 |1"), ["a0 b2 @1", "a1 b2 @1"], "the first doesn't hold the second up");
    let twice = group([not('b', Some(1)), v('c').times(0, None)]).times(2, 2).mode(Loop::Each);
    assert_eq!(found(&pattern([v('a'), twice]), "a0 |9"), ["a0 @2"]);
}

/// `(a !b FOR first | c) -> (d* -> !e FOR second)`
fn decided(first: i64, second: i64) -> crate::plan::Pattern {
    let ways = vec![vec![v('a'), not('b', Some(first)).strict()], vec![v('c')]];
    let choice: Element = element(Term::Alternation(ways));
    pattern([choice, group([v('d').times(0, None), not('e', Some(second))])])
}

#[test]
fn a_deadline_after_a_deadline_counts_from_when_that_one_is_decided() {
    assert_eq!(found(&decided(2, 1), "a0 |9"), ["a0 @3"], "by time");
    assert_eq!(found(&decided(2, 1), "c0 |9"), ["c0 @1"]);
    assert_eq!(found(&decided(2, 1), "a0 x1 |9"), ["a0 @2"], "by an event");
    assert_eq!(found(&decided(2, 1), "a0 d0 |9"), ["a0 d1 @1"]);
    assert_eq!(found(&decided(4, 2), "a0 x3 |9"), ["a0 @5"]);
    for wrong in ["a0 e5 |9", "a0 x1 e2 |9", "a0 x3 e4 |9", "a0 b3 |9"] {
        assert_eq!(found(&decided(4, 2), wrong), none(), "{wrong}");
    }
}

#[test]
fn a_bounded_loop_begins_with_what_comes_first_of_what_may_be_left_out() {
    let pair = || group([v('b').times(0, 1), v('c')]).times(2, 2).loop_within(3);
    let once = pattern([v('a'), pair(), v('z')]);
    assert_eq!(found(&once, "a0 c1 c3 z9"), ["a0 c1 c2 z3 @9"]);
    assert_eq!(found(&once, "a0 c1 c4 z9"), none());
    assert_eq!(found(&once, "a0 b1 c2 c3 z9"), ["a0 b1 c2 c3 z4 @9"]);
    assert_eq!(found(&once, "a0 b1 c2 c4 z9"), none());
    let again = pattern([v('a'), group([pair(), v('e')]).times(2, None), v('z')]);
    assert_eq!(found(&again, "a0 c1 c2 e3 c7 c8 e9 z9"), ["a0 c1 c2 e3 c4 c5 e6 z7 @9"], "each time anew");
    assert_eq!(found(&again, "a0 c1 c2 e3 c7 c10 e11 z12"), none());
    let empty = group([group([v('b').times(0, 1)]).times(2, 2), v('c').times(2, 2)]).times(1, 2).loop_within(3);
    let nested = pattern([v('a'), empty, v('z')]);
    assert_eq!(found(&nested, "a0 c1 c4 z9"), none());
    assert_eq!(found(&nested, "a0 c1 c3 z9"), ["a0 c1 c2 z3 @9"]);
}

#[test]
fn a_stop_condition_looks_at_the_groups_own_elements() {
    let inner = group([v('b'), v('c')]).times(2, 2);
    let outer = group([v('a'), inner, v('d')]).times(1, None).mode(Loop::Each).until('u');
    let pattern = pattern([v('s'), outer, v('z')]);
    assert_eq!(
        found(&pattern, "s0 a1 u2 b3 u4 c5 b5 c5 d6 z7"),
        ["s0 a1 b3 c5 b6 c7 d8 z9 @7"],
        "in the inner group it isn't in force"
    );
    assert_eq!(found(&pattern, "s0 a1 b2 c3 b3 c3 u4 d5 z6"), none());
    assert_eq!(found(&pattern, "s0 u1 a2 b3 c3 b3 c4 d5 z6"), none());
}
