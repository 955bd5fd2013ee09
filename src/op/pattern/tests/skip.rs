//! What a match ends.

use super::kit::{Partition, found, pattern, v};
use crate::plan::{Loop, Skip};

#[test]
fn eager_emits_at_once_and_drops_what_shares_an_event() {
    let pairs = pattern([v('a'), v('b')]).skip(Skip::Eager);
    // The second a waits for the same b: it shares nothing with the match that took it, but both match there.
    assert_eq!(found(&pairs, "a1 a2 b3 b4"), ["a0 b2 @3"]);
    let loops = pattern([v('a').times(1, None), v('b')]).skip(Skip::Eager);
    assert_eq!(found(&loops, "a1 a2 a3 b4 a5 b6"), ["a0 a1 a2 b3 @4", "a4 b5 @6"]);
}

#[test]
fn eager_keeps_partial_matches_that_share_nothing() {
    let pattern = pattern([v('a'), v('b'), v('c')]).skip(Skip::Eager);
    assert_eq!(found(&pattern, "a1 b2 a3 c4 b5 c6"), ["a0 b1 c3 @4", "a2 b4 c5 @6"]);
}

#[test]
fn eager_is_not_held_back_by_an_earlier_start() {
    let pattern = |skip| pattern([v('a'), v('b').strict()]).skip(skip);
    assert_eq!(found(&pattern(Skip::Eager), "a1 a2 b3"), ["a1 b2 @3"]);
}

#[test]
fn a_partition_that_holds_nothing_costs_nothing() {
    let mut partition = Partition::new(&pattern([v('a'), v('b')]).skip(Skip::Eager));
    partition.feed("x1 x2 b3");
    assert!(partition.state.is_idle());
    assert_eq!(partition.state.heap_bytes(), 0);
    partition.feed("a4");
    assert!(!partition.state.is_idle());
    assert_eq!(partition.state.partial_matches(), 1);
    partition.feed("b5");
    assert!(partition.state.is_idle());
}

#[test]
fn beyond_the_limit_the_oldest_partial_matches_are_dropped_and_counted() {
    let mut partition = Partition::new(&pattern([v('a'), v('b').any(), v('c')]));
    partition.program = partition.program.with_limits(100, 1_000);
    for at in 0..1_000 {
        partition.event('a', at, crate::model::Value::Null);
        assert!(partition.state.partial_matches() <= 100);
    }
    let shed = partition.scratch.counts.shed;
    assert!(shed >= 900);
    assert_eq!(shed + partition.state.partial_matches() as u64, 1_000);
    partition.feed("b1000 c1001");
    assert!(partition.found().iter().all(|found| found.starts_with("a9")), "{:?}", partition.found());
    let mut explosive =
        Partition::new(&pattern([v('a'), v('b').times(1, None).mode(Loop::Each).inner(crate::plan::Connect::Any)]));
    explosive.program = explosive.program.with_limits(50, 1_000);
    explosive.feed("a0");
    for at in 1..40 {
        explosive.event('b', at, crate::model::Value::Null);
        assert!(explosive.state.partial_matches() <= 50);
    }
    let mut long =
        Partition::new(&pattern([v('a').times(1, None).inner(crate::plan::Connect::Strict), v('b')]).skip(Skip::Eager));
    long.program = long.program.with_limits(20, 1_000);
    for at in 0..10_000 {
        long.event('a', at, crate::model::Value::Null);
        assert!(long.state.heap_bytes() < 100_000);
    }
}

#[test]
fn a_skip_to_a_variable_that_a_match_lacks_is_counted() {
    let skip = Skip::ToFirst { var: 1, or_fail: true };
    let mut partition = Partition::new(&pattern([v('a'), v('b').times(0, 1), v('c')]).skip(skip));
    partition.feed("a1 c2");
    assert_eq!(partition.found(), ["a0 c1 @2"]);
    assert_eq!(partition.scratch.counts.skip_misses, 1);
}

#[test]
fn a_skip_to_where_the_match_began_is_counted_as_it_gets_nowhere() {
    let skip = Skip::ToFirst { var: 0, or_fail: true };
    let mut partition = Partition::new(&pattern([v('a'), v('c')]).skip(skip));
    partition.feed("a1 c2");
    assert_eq!(partition.found(), ["a0 c1 @2"]);
    assert_eq!(partition.scratch.counts.skip_misses, 1);
}
