//! Windows that take late events against their definition, and against the same events in order.

use super::{
    model_test::{grids, period, program_of, windows, with_env},
    *,
};
use crate::{
    model::{Clock, Emission, Key, Reader, TimeMs, Value, Writer},
    plan::{AggregateKind, Jitter, WindowKind},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// None of them depends on the order in which events come.
const KINDS: [AggregateKind; 5] = [
    AggregateKind::Count,
    AggregateKind::Sum,
    AggregateKind::Max,
    AggregateKind::Distinct,
    AggregateKind::Quantile { millionths: 300_000 },
];

/// An event at the time that it is when it comes: its own unless it is late.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    now_ms: TimeMs,
    time_ms: TimeMs,
    value: i64,
    late: bool,
}

/// A result: the count of those before, when it was put out, and its values.
type Told = (u32, TimeMs, Vec<Value>);

/// By window.
type Results = BTreeMap<(TimeMs, TimeMs), Vec<Told>>;

/// Events with delays, as a partition with this disorder brings them, in the order in which they are handled.
fn arrivals(events: &[(TimeMs, i64, TimeMs)], disorder_ms: TimeMs) -> Vec<Arrival> {
    let mut coming = events.to_vec();
    coming.sort_by_key(|event| event.0 + event.2);
    let mut most_ms = TimeMs::MIN;
    let mut all: Vec<Arrival> = Vec::new();
    for (time_ms, value, _) in coming {
        let watermark_ms = most_ms.saturating_sub(disorder_ms);
        let late = time_ms < watermark_ms;
        all.push(Arrival { now_ms: if late { watermark_ms } else { time_ms }, time_ms, value, late });
        most_ms = most_ms.max(time_ms);
    }
    all.sort_by_key(|arrival| arrival.now_ms);
    all
}

/// The results, and whether each event was taken.
fn run(program: &Program, arrivals: &[Arrival], cut: usize, timers: bool) -> (Results, Vec<bool>) {
    let key = Key::new(&[Value::Int(3)]);
    let (mut state, mut scratch, mut out) = (KeyState::default(), Scratch::default(), Vec::<Emission>::new());
    let advance = |state: &mut KeyState, to_ms, out: &mut Vec<Emission>| {
        with_env(&key, to_ms, &[], |env| {
            program.advance(state, &mut Scratch::default(), to_ms, Clock::Event, env, out);
        });
        assert!(program.deadline(state).is_none_or(|due_ms| due_ms > to_ms), "there is more to do");
    };
    let mut taken = Vec::new();
    for (at, arrival) in arrivals.iter().enumerate() {
        while timers && program.deadline(&state).is_some_and(|due_ms| due_ms <= arrival.now_ms) {
            let due_ms = program.deadline(&state).unwrap();
            advance(&mut state, due_ms, &mut out);
        }
        if at == cut || timers && state.is_idle() {
            let mut writer = Writer::new();
            state.save(&mut writer);
            state = KeyState::load(program, &mut Reader::new(&writer.into_bytes())).unwrap();
            if state.is_idle() {
                state = KeyState::default();
            }
        }
        let values = [Value::Int(arrival.value)];
        taken.push(with_env(&key, arrival.time_ms, &values, |env| match arrival.late {
            false => {
                program.step(&mut state, &mut scratch, 0, env, &mut out);
                true
            }
            true => {
                let takes = program.takes(0, env, arrival.now_ms);
                if takes {
                    program.step_late(&mut state, &mut scratch, 0, env, arrival.now_ms, &mut out);
                }
                takes
            }
        }));
    }
    advance(&mut state, TimeMs::MAX, &mut out);
    assert!(state.is_idle(), "something is kept for ever");
    assert!(out.is_sorted_by_key(|emission| emission.time_ms), "a result is decided before one that was put out");
    let mut results = Results::new();
    for it in out {
        results.entry((it.start_ms, it.end_ms)).or_default().push((it.revision, it.time_ms, it.values.into_vec()));
    }
    (results, taken)
}

/// The definition of the aggregates, over the list.
fn aggregates(program: &Program, values: &[i64]) -> Vec<Value> {
    let mut accumulators: Vec<_> = program.kinds().map(crate::op::aggregate::Accumulator::new).collect();
    for value in values {
        accumulators.iter_mut().for_each(|accumulator| accumulator.add(&Value::Int(*value), 0));
    }
    accumulators.iter().map(crate::op::aggregate::Accumulator::result).collect()
}

fn events(most_ms: TimeMs) -> impl Strategy<Value = Vec<(TimeMs, i64, TimeMs)>> {
    let delay = prop_oneof![Just(0), 0..most_ms];
    prop::collection::vec((-2_000i64..2_000, -50i64..50, delay), 0..60)
}

fn jitter(percent: f64) -> Jitter {
    if percent == 0.0 { Jitter::Aligned } else { Jitter::Drawn { percent, by: None } }
}

fn program(kind: &WindowKind, percent: f64, late_ms: Option<TimeMs>) -> Program {
    program_of(&KINDS, kind.clone(), jitter(percent), None, late_ms)
}

proptest! {
    #[test]
    fn the_last_results_are_those_of_the_events_in_order_where_none_comes_too_late(
        events in events(700), kind in grids(), percent in prop_oneof![Just(0.0), Just(60.0)],
        disorder_ms in 0i64..300, cut in 0usize..60, timers: bool,
    ) {
        // What is delayed by less than 700 ms is late by at most that.
        let (results, taken) = run(&program(&kind, percent, Some(701)), &arrivals(&events, disorder_ms), cut, timers);
        let of_no_window = |time_ms| program(&kind, percent, None).assigner.first(time_ms, 0).is_none();
        let all = taken.iter().zip(arrivals(&events, disorder_ms)).all(|(taken, it)| *taken || of_no_window(it.time_ms));
        prop_assert!(all || percent > 0.0);
        let mut sorted: Vec<_> = events.iter().map(|&(time_ms, value, _)| (time_ms, value, 0)).collect();
        sorted.sort_unstable();
        let (ordered, _) = run(&program(&kind, percent, None), &arrivals(&sorted, 0), usize::MAX, false);
        let last = |results: Results| -> Vec<_> {
            results.into_iter().map(|(span, all)| (span, all.last().unwrap().2.clone())).collect()
        };
        prop_assert_eq!(last(results), last(ordered));
    }

    #[test]
    fn a_window_holds_the_late_events_that_came_before_its_lateness_was_over(
        events in events(1_500), kind in grids(), percent in prop_oneof![Just(0.0), Just(60.0)],
        disorder_ms in 0i64..300, late_ms in 1i64..900, cut in 0usize..60, timers: bool,
    ) {
        let program = program(&kind, percent, Some(late_ms));
        let arrivals = arrivals(&events, disorder_ms);
        let (results, taken) = run(&program, &arrivals, cut, timers);
        let offset = program.offset_of(&Key::new(&[Value::Int(3)])).unwrap();
        prop_assert!((0..period(&kind)).contains(&offset));
        let mut times: Vec<(TimeMs, i64)> = arrivals.iter().map(|it| (it.time_ms, 0)).collect();
        times.sort_unstable();
        let mut expected = Vec::new();
        let mut before = false;
        let mut in_one = vec![false; arrivals.len()];
        for span in windows(&kind, offset, &times) {
            let mut values = Vec::new();
            for (at, it) in arrivals.iter().enumerate() {
                if span.contains(it.time_ms) && (!it.late || it.now_ms < span.end_ms + late_ms) {
                    values.push(it.value);
                    in_one[at] = true;
                }
            }
            if before || !values.is_empty() {
                expected.push(((span.start_ms, span.end_ms), aggregates(&program, &values)));
            }
            before = !values.is_empty();
        }
        expected.sort_by_key(|result| result.0);
        let found: Vec<_> = results.iter().map(|(span, all)| (*span, all.last().unwrap().2.clone())).collect();
        prop_assert_eq!(found, expected);
        for (it, (taken, in_one)) in arrivals.iter().zip(taken.into_iter().zip(in_one)) {
            prop_assert!(!it.late || taken == in_one, "taken: {}, in a window: {}, {:?}", taken, in_one, it);
        }
        for ((_, end), all) in results {
            for (number, (revision, time_ms, _)) in all.iter().enumerate() {
                prop_assert_eq!(*revision as usize, number);
                prop_assert!(*time_ms >= end && *time_ms < end + late_ms);
            }
        }
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in grids()) {
        let program = program(&kind, 0.0, Some(500));
        let mut begin = Writer::new();
        begin.time(None);
        begin.len(0);
        begin.u8(2);
        let whole: Vec<u8> = begin.into_bytes().into_iter().chain(bytes.iter().copied()).collect();
        for bytes in [&whole, &bytes] {
            if let Ok(mut state) = KeyState::load(&program, &mut Reader::new(bytes)) {
                with_env(&Key::default(), 5_000, &[Value::Int(1)], |env| {
                    program.step_late(&mut state, &mut Scratch::default(), 0, env, 5_400, &mut Vec::new());
                });
            }
        }
    }
}

fn said(results: &[(&str, i64)], found: &Results) {
    let text = |((start, end), all): (&(TimeMs, TimeMs), &Vec<Told>)| {
        let each = |(revision, time_ms, _): &Told| format!("{revision} at {time_ms}");
        format!("{start}..{end}: {}", all.iter().map(each).collect::<Vec<_>>().join(", "))
    };
    let counts = |all: &Vec<Told>| match all.last().unwrap().2[0] {
        Value::Int(count) => count,
        _ => unreachable!(),
    };
    let found: Vec<(String, i64)> = found.iter().map(|entry| (text(entry), counts(entry.1))).collect();
    let expected: Vec<(String, i64)> = results.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_late_event_puts_the_result_out_again_at_the_watermark_and_the_silent_key_is_told_anew() {
    let program = program(&WindowKind::Tumbling { size_ms: 100 }, 0.0, Some(250));
    let on_time = |time_ms| Arrival { now_ms: time_ms, time_ms, value: 1, late: false };
    let late = |time_ms, now_ms| Arrival { now_ms, time_ms, value: 1, late: true };
    // The window after the one that got its first event late is over as well, and tells that the key was silent.
    let found = run(&program, &[on_time(10), late(150, 340), late(20, 349), late(20, 350)], 2, false);
    said(
        &[("0..100: 0 at 100, 1 at 349", 2), ("100..200: 0 at 200, 1 at 340", 1), ("200..300: 0 at 340", 0)],
        &found.0,
    );
    assert_eq!(found.1, [true, true, true, false]);
    // Of a window without a result the late one gives the first; what is still open has it among the others.
    let found = run(&program, &[late(130, 210), late(205, 240), on_time(250)], 9, true);
    said(&[("100..200: 0 at 210", 1), ("200..300: 0 at 300", 2), ("300..400: 0 at 400", 0)], &found.0);
}

#[test]
fn results_so_far_hold_the_late_events_that_came_before_them() {
    let kind = WindowKind::Tumbling { size_ms: 100 };
    let program = program_of(&KINDS, kind, Jitter::Aligned, Some(30), Some(50));
    let on_time = |time_ms| Arrival { now_ms: time_ms, time_ms, value: 1, late: false };
    let late = |time_ms, now_ms| Arrival { now_ms, time_ms, value: 1, late: true };
    let found = run(&program, &[late(10, 40), on_time(70), late(20, 110)], 1, true);
    let expected =
        [("0..60: 0 at 60", 1), ("0..90: 0 at 90", 2), ("0..100: 0 at 100, 1 at 110", 3), ("100..200: 0 at 200", 0)];
    said(&expected, &found.0);
}

#[test]
fn an_event_in_no_window_leaves_nothing_for_the_next_key() {
    let gaps = WindowKind::Sliding { size_ms: 10, every_ms: 1_000 };
    for late_ms in [None, Some(50)] {
        let program = program(&gaps, 100.0, late_ms);
        let key = Key::new(&[Value::Int(1)]);
        let mut state = KeyState::default();
        let at = program.offset_of(&key).unwrap() + 500;
        with_env(&key, at, &[Value::Int(1)], |env| {
            program.step(&mut state, &mut Scratch::default(), 0, env, &mut Vec::new());
        });
        assert_eq!((state.is_idle(), state.offset_ms()), (true, None));
    }
}
