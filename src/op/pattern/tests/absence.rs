//! Absence with a deadline of its own.

use super::kit::{found, group, not, pattern, v};

#[test]
fn absence_at_the_end_fires_at_its_deadline_before_events_of_that_instant() {
    let pattern = pattern([v('a'), not('b', Some(5))]);
    assert_eq!(found(&pattern, "a1 x3 |5"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 x3 |6"), ["a0 @6"]);
    assert_eq!(found(&pattern, "a1 b6"), ["a0 @6"], "forbidden in (1, 6)");
    assert_eq!(found(&pattern, "a1 b5 $"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 b1 $"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 a3 b7 $"), ["a0 @6"], "each start has its own deadline");
}

#[test]
fn absence_inside_lets_the_rest_go_on_from_its_deadline_only() {
    let pattern = pattern([v('a'), not('b', Some(5)), v('c')]);
    assert_eq!(found(&pattern, "a1 c3 c6"), ["a0 c2 @6"]);
    assert_eq!(found(&pattern, "a1 c5"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 b3 c8"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 b6 c8"), ["a0 c2 @8"]);
}

#[test]
fn absence_after_a_loop_counts_from_its_last_event() {
    let pattern = pattern([v('a').times(1, None), not('b', Some(5))]);
    assert_eq!(found(&pattern, "a1 a3 x4 |20"), ["a0 a1 @8", "a1 @8"]);
    assert_eq!(found(&pattern, "a1 a9 |20"), ["a0 @6", "a0 a1 @14", "a1 @14"]);
    assert_eq!(
        found(&pattern, "a1 b3 a4 |20"),
        ["a2 @9", "a0 a2 @9"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
    );
}

#[test]
fn two_absences_in_a_row_follow_one_another() {
    let pattern = pattern([v('a'), not('b', Some(5)), not('c', Some(3))]);
    assert_eq!(found(&pattern, "a1 c3 |20"), ["a0 @9"]);
    assert_eq!(found(&pattern, "a1 c7 |20"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 b7 |20"), ["a0 @9"]);
}

#[test]
fn a_missing_heartbeat_counts_from_the_last_one() {
    let alone = pattern([not('a', Some(10))]);
    assert_eq!(found(&alone, "a1 a5 a9 x12 |19"), ["a2 @19"]);
    assert_eq!(found(&alone, "x1 |100"), Vec::<String>::new(), "nothing was heard yet");
    assert_eq!(found(&alone, "a1 a50 |70"), ["a0 @11", "a1 @60"]);
    let then = pattern([not('a', Some(10)), v('b')]);
    assert_eq!(found(&then, "a1 b5 b11 a12"), ["a0 b2 @11"]);
}

#[test]
fn strict_absence_with_a_deadline_is_decided_by_the_next_event_or_by_time() {
    let pattern = pattern([v('a'), not('b', Some(5)).strict()]);
    assert_eq!(found(&pattern, "a1 x3"), ["a0 @3"]);
    assert_eq!(found(&pattern, "a1 b3 $"), Vec::<String>::new());
    assert_eq!(found(&pattern, "a1 $"), ["a0 @6"]);
}

#[test]
fn absence_at_the_end_of_a_group_holds_until_what_follows_the_group() {
    let pattern = pattern([group([v('a'), v('b'), not('n', None)]), v('d')]);
    assert_eq!(found(&pattern, "a1 b2 x3 d4"), ["a0 b1 d3 @4"]);
    assert_eq!(found(&pattern, "a1 b2 n3 d4"), Vec::<String>::new());
}

#[test]
fn absence_and_window_at_one_instant_is_a_match_and_no_timeout() {
    assert_eq!(found(&pattern([v('a'), not('b', Some(5))]).within(5), "a1 $"), ["a0 @6"]);
    assert_eq!(found(&pattern([v('a'), not('b', Some(9))]).within(5), "a1 $"), ["! a0 @6"]);
    assert_eq!(found(&pattern([v('a'), not('b', None)]).within(5), "a1 $"), ["a0 @6"]);
}

#[test]
fn absences_in_a_row_all_hold() {
    let end = pattern([v('a'), not('b', None), not('c', None)]).within(9);
    assert_eq!(found(&end, "a1 x2 $"), ["a0 @10"]);
    assert_eq!(found(&end, "a1 b2 $"), Vec::<String>::new());
    assert_eq!(found(&end, "a1 c2 $"), Vec::<String>::new());
    let inside = pattern([v('a'), not('b', None), not('c', None).strict(), v('d')]);
    assert_eq!(found(&inside, "a1 x2 d3"), ["a0 d2 @3"]);
    assert_eq!(found(&inside, "a1 x2 b3 d4"), Vec::<String>::new());
    assert_eq!(found(&inside, "a1 c2 d4"), Vec::<String>::new());
}

#[test]
fn absence_with_a_deadline_may_follow_an_optional_element() {
    let pattern = pattern([v('a'), v('b').times(0, 1), not('c', Some(5))]);
    assert_eq!(found(&pattern, "a1 b3 |20"), ["a0 b1 @8"]);
    assert_eq!(found(&pattern, "a1 |20"), ["a0 @6"]);
}
