//! Deadlines and bounds where what stands before them may be left out, or is decided by an event.

use super::kit::{found, group, not, pattern, v};

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
