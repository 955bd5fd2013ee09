//! The kernel against all pairs of all events.

use super::tests::{Run, not_three, plan, program, rising};
use crate::{
    model::{TimeMs, Value},
    plan::{Join, Limits},
};
use proptest::prelude::*;

/// An event: input, time, value.
type Event = (usize, TimeMs, i64);

/// An output: time, start, whether a timer decided it, left and right value.
type Told = (TimeMs, TimeMs, bool, Value, Value);

/// All pairs, and what met nobody; in the order in which they are decided.
fn model(join: &Join, asks: (bool, bool), events: &[Event]) -> Vec<Told> {
    let (on, where_) = asks;
    // Time, timers before events, the deciding event, its partner.
    let mut all: Vec<((TimeMs, bool, usize, usize), Told)> = Vec::new();
    for (at, &(_, left_ms, left)) in events.iter().enumerate().filter(|(_, event)| event.0 == 0) {
        let mut met = false;
        for (other, &(_, right_ms, right)) in events.iter().enumerate().filter(|(_, event)| event.0 == 1) {
            let apart = right_ms - left_ms;
            if apart < join.lower_ms || apart > join.upper_ms || (on && left >= right) {
                continue;
            }
            met = true;
            if !where_ || left != 3 {
                let (time_ms, start_ms) = (left_ms.max(right_ms), left_ms.min(right_ms));
                let told = (time_ms, start_ms, false, Value::Int(left), Value::Int(right));
                all.push(((time_ms, true, at.max(other), at.min(other)), told));
            }
        }
        if join.outer && !met {
            let by_timer = join.upper_ms >= 0;
            let time_ms = if by_timer { left_ms + join.upper_ms + 1 } else { left_ms };
            all.push(((time_ms, !by_timer, at, at), (time_ms, left_ms, by_timer, Value::Int(left), Value::Null)));
        }
    }
    all.sort_by_key(|one| one.0);
    all.into_iter().map(|(_, told)| told).collect()
}

fn told(run: &Run) -> Vec<Told> {
    let one = |one: &crate::model::Emission| {
        (one.time_ms, one.start_ms, one.clock.is_some(), one.values[0].clone(), one.values[1].clone())
    };
    run.out.iter().map(one).collect()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..2usize, 0..60i64, 0..6i64);
    prop::collection::vec(event, 0..40).prop_map(|mut events| {
        events.sort_by_key(|event| event.1);
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_join_is_all_pairs_that_meet_its_conditions(
        events in events(),
        outer in any::<bool>(),
        bounds in (-15..15i64, 0..20i64),
        asks in (any::<bool>(), any::<bool>()),
        reloads in prop::collection::vec(0..40usize, 0..3),
        ticks in prop::collection::vec(0..40usize, 0..10),
    ) {
        let mut join = plan(outer, bounds.0, bounds.0 + bounds.1);
        join.on.extend(asks.0.then(rising));
        join.conditions.extend(asks.1.then(not_three));
        let mut run = Run::new(program(&join, Limits::default()));
        for (at, &(input, time_ms, n)) in events.iter().enumerate() {
            if ticks.contains(&at) {
                run.time(time_ms);
            }
            run.event(input, time_ms, n);
            if reloads.contains(&at) {
                run.reload();
            }
        }
        run.time(1_000);
        prop_assert_eq!(told(&run), model(&join, asks, &events));
        prop_assert!(run.state.is_idle(), "a silent key keeps nothing");
    }

    #[test]
    fn the_order_within_an_instant_changes_no_pair(events in events(), outer in any::<bool>(), seed in any::<u64>()) {
        let join = plan(outer, -7, 4);
        let play = |events: &[Event]| {
            let mut run = Run::new(program(&join, Limits::default()));
            events.iter().for_each(|&(input, time_ms, n)| run.event(input, time_ms, n));
            run.time(1_000);
            let mut all: Vec<String> = told(&run).iter().map(|one| format!("{one:?}")).collect();
            all.sort();
            all
        };
        let mut other = events.clone();
        other.sort_by_key(|&(input, time_ms, n)| (time_ms, (input as u64 ^ n as u64).wrapping_mul(seed | 1)));
        prop_assert_eq!(play(&events), play(&other));
    }
}
