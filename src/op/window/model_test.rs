//! Every built-in assigner against its definition over the whole list of events.

use super::*;
use crate::{
    expr::{Builder, Env, Expr, Node, Nothing, World},
    model::{Clock, Emission, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer},
    op::aggregate::Accumulator,
    plan::{self, Aggregate, AggregateKind, Jitter, OutputField, Role, WindowKind},
};
use proptest::prelude::*;

const KINDS: [AggregateKind; 12] = [
    AggregateKind::Count,
    AggregateKind::Sum,
    AggregateKind::Avg,
    AggregateKind::Min,
    AggregateKind::Max,
    AggregateKind::Distinct,
    AggregateKind::First,
    AggregateKind::Last,
    SKETCHES[0],
    SKETCHES[1],
    SKETCHES[2],
    SKETCHES[3],
];

/// Their definitions stand in their own files; what is looked at here is which events they get.
const SKETCHES: [AggregateKind; 4] = [
    AggregateKind::ApproxDistinct,
    AggregateKind::Quantile { millionths: 300_000 },
    AggregateKind::TopK { k: 3 },
    AggregateKind::Collect,
];

/// Start, end, when it was put out, and one value per aggregate.
type Outcome = (TimeMs, TimeMs, TimeMs, Vec<Value>);

fn expr(node: Node) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, Type::Int)
}

fn program(kind: WindowKind, jitter: Jitter, early_ms: Option<TimeMs>) -> Program {
    program_of(&KINDS, kind, jitter, early_ms, None)
}

pub(super) fn program_of(
    kinds: &[AggregateKind],
    kind: WindowKind,
    jitter: Jitter,
    early_ms: Option<TimeMs>,
    late_ms: Option<TimeMs>,
) -> Program {
    let aggregate =
        |kind| Aggregate { kind, args: vec![Some(expr(Node::Field(0)))], filter: vec![None], ty: Type::Int };
    let output = |at| OutputField {
        name: format!("a{at}"),
        ty: Type::Int,
        role: Role::Measure,
        exprs: vec![expr(Node::Aggregate(at))],
    };
    let aggregates = kinds.iter().copied().map(aggregate).collect();
    let window = plan::Window { kind, jitter, early_ms, late_ms, aggregates };
    let outputs: Vec<OutputField> = (0..kinds.len() as u16).map(output).collect();
    let input = plan::Input {
        stream: StreamId(0),
        name: "e".into(),
        id_slot: None,
        position_slot: None,
        before: None,
        key: vec![],
        prev: vec![],
        computed: vec![],
        after: None,
    };
    Program::new(&window, "w", 7, &[input], &outputs, None).unwrap()
}

pub(super) fn with_env<R>(key: &Key, time_ms: TimeMs, values: &[Value], run: impl FnOnce(&Env<'_>) -> R) -> R {
    let event = EventRef { stream: StreamId(0), header: Header { time_ms, partition: 0, offset: 0 }, values };
    let world = World::default();
    run(&Env { event, extra: &[], previous: None, computed: (&[], &[]), key, bound: &Nothing, world: &world })
}

/// How the events are handed over: where the state is saved and read back, and whether timers fire before events.
#[derive(Clone, Copy, Debug)]
struct Handling {
    cut: usize,
    timers: bool,
}

fn run(program: &Program, key: &Key, events: &[(TimeMs, i64)], handling: Handling) -> Vec<Outcome> {
    let (mut state, mut scratch, mut out) = (KeyState::default(), Scratch::default(), Vec::new());
    let advance = |state: &mut KeyState, to_ms, out: &mut Vec<Emission>| {
        with_env(key, to_ms, &[], |env| {
            program.advance(state, &mut Scratch::default(), to_ms, Clock::Event, env, out);
        });
    };
    for (at, &(time_ms, value)) in events.iter().enumerate() {
        while handling.timers && program.deadline(&state).is_some_and(|due_ms| due_ms <= time_ms) {
            let due_ms = program.deadline(&state).unwrap();
            advance(&mut state, due_ms, &mut out);
        }
        if at == handling.cut || handling.timers && state.is_idle() {
            let mut writer = Writer::new();
            state.save(&mut writer);
            let bytes = writer.into_bytes();
            state = KeyState::load(program, &mut Reader::new(&bytes)).unwrap();
            if state.is_idle() {
                // What the machine does with it.
                state = KeyState::default();
            }
        }
        let values = [Value::Int(value)];
        with_env(key, time_ms, &values, |env| program.step(&mut state, &mut scratch, 0, env, &mut out));
    }
    advance(&mut state, TimeMs::MAX, &mut out);
    out.into_iter().map(|it| (it.start_ms, it.end_ms, it.time_ms, it.values)).collect()
}

/// The definition of every aggregate, over the list.
fn aggregates(values: &[i64]) -> Vec<Value> {
    let over = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
    let mut different = values.to_vec();
    different.sort_unstable();
    different.dedup();
    let sum = (!values.is_empty()).then(|| values.iter().sum::<i64>());
    let sketch = |kind| {
        let mut sketch = Accumulator::new(kind);
        values.iter().for_each(|x| sketch.add(&Value::Int(*x), 0));
        sketch.result()
    };
    let mut results = vec![
        Value::Int(values.len() as i64),
        over(sum),
        sum.map_or(Value::Null, |sum| Value::Float(sum as f64 / values.len() as f64)),
        over(values.iter().min().copied()),
        over(values.iter().max().copied()),
        Value::Int(different.len() as i64),
        over(values.first().copied()),
        over(values.last().copied()),
    ];
    results.extend(SKETCHES.map(sketch));
    results
}

fn within(events: &[(TimeMs, i64)], span: Span) -> Vec<i64> {
    events.iter().filter(|event| span.contains(event.0)).map(|event| event.1).collect()
}

/// All windows around the events, by their end.
pub(super) fn windows(kind: &WindowKind, offset: TimeMs, events: &[(TimeMs, i64)]) -> Vec<Span> {
    let (first, last) = (events.first().map_or(0, |event| event.0), events.last().map_or(0, |event| event.0));
    let (size, every, step) = match *kind {
        WindowKind::Tumbling { size_ms } => (size_ms, size_ms, size_ms),
        WindowKind::Sliding { size_ms, every_ms } => (size_ms, every_ms, size_ms),
        WindowKind::Cumulative { size_ms, every_ms } => (size_ms, size_ms, every_ms),
        _ => unreachable!(),
    };
    let index = |at: TimeMs| (at - offset).div_euclid(every);
    let mut all = Vec::new();
    for k in index(first - size) - 2..=index(last + size) + 2 {
        let start_ms = k * every + offset;
        all.extend((1..=size / step).map(|steps| Span { start_ms, end_ms: start_ms + steps * step }));
    }
    all.sort_by_key(|span| (span.end_ms, span.start_ms));
    all
}

/// The windows that hold an event, and each window after one of them.
fn gridded(kind: &WindowKind, offset: TimeMs, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut before = false;
    for span in windows(kind, offset, events) {
        let values = within(events, span);
        if before || !values.is_empty() {
            outcomes.push((span.start_ms, span.end_ms, span.end_ms, aggregates(&values)));
        }
        before = !values.is_empty();
    }
    outcomes
}

/// A key's life ends with the empty window after its last one: the next event has an offset of its own.
fn natural(kind: &WindowKind, period: TimeMs, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut rest = events;
    while let Some(&(first, _)) = rest.first() {
        let offset = first.rem_euclid(period);
        let life = (1..=rest.len()).find(|&len| {
            let all = windows(kind, offset, &rest[..len]);
            // Where windows leave gaps, the last event may be in none.
            let last = all.iter().rposition(|span| !within(&rest[..len], *span).is_empty());
            let over = last.map_or(first, |last| all[last + 1].end_ms);
            rest.get(len).is_none_or(|next| over <= next.0)
        });
        let (now, later) = rest.split_at(life.unwrap());
        outcomes.extend(gridded(kind, offset, now));
        rest = later;
    }
    outcomes
}

fn sessions(gap: TimeMs, max: Option<TimeMs>, offset: TimeMs, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let mut all: Vec<Vec<(TimeMs, i64)>> = Vec::new();
    for &event in events {
        let end = |session: &Vec<(TimeMs, i64)>| {
            let (first, last) = (session[0].0, session[session.len() - 1].0);
            max.map_or(last + gap, |max| (last + gap).min(first + max))
        };
        match all.last_mut() {
            Some(session) if event.0 < end(session) => session.push(event),
            _ => all.push(vec![event]),
        }
    }
    let outcome = |session: Vec<(TimeMs, i64)>| {
        let (first, last) = (session[0].0, session[session.len() - 1].0);
        let end = max.map_or(last + gap, |max| (last + gap).min(first + max));
        let values: Vec<i64> = session.iter().map(|event| event.1).collect();
        (first, end, end + offset, aggregates(&values))
    };
    all.into_iter().map(outcome).collect()
}

fn counted(size: usize, every: usize, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let full = (0..events.len()).step_by(every).filter_map(|start| events.get(start..start + size));
    let outcome = |events: &[(TimeMs, i64)]| {
        let (first, last) = (events[0].0, events[size - 1].0);
        let values: Vec<i64> = events.iter().map(|event| event.1).collect();
        (first, last, last, aggregates(&values))
    };
    full.map(outcome).collect()
}

fn events() -> impl Strategy<Value = Vec<(TimeMs, i64)>> {
    prop::collection::vec((-3_000i64..3_000, -50i64..50), 0..60).prop_map(|mut events| {
        events.sort_by_key(|event| event.0);
        events
    })
}

pub(super) fn grids() -> impl Strategy<Value = WindowKind> {
    prop_oneof![
        (1i64..900).prop_map(|size_ms| WindowKind::Tumbling { size_ms }),
        (1i64..900, 7i64..900).prop_map(|(size_ms, every_ms)| WindowKind::Sliding { size_ms, every_ms }),
        (1i64..90, 7i64..300).prop_map(|(steps, every_ms)| {
            WindowKind::Cumulative { size_ms: (steps % 20 + 1) * every_ms, every_ms }
        }),
    ]
}

fn handling() -> impl Strategy<Value = Handling> {
    (0usize..60, any::<bool>()).prop_map(|(cut, timers)| Handling { cut, timers })
}

pub(super) fn period(kind: &WindowKind) -> TimeMs {
    match *kind {
        WindowKind::Tumbling { size_ms } | WindowKind::Cumulative { size_ms, .. } => size_ms,
        WindowKind::Sliding { every_ms, .. } => every_ms,
        WindowKind::Session { gap_ms, .. } => gap_ms,
        _ => unreachable!(),
    }
}

proptest! {
    #[test]
    fn windows_on_a_grid_equal_their_definition(
        events in events(), kind in grids(), handling in handling(), key in 0i64..50, percent in prop_oneof![Just(0.0), 1.0f64..100.0],
    ) {
        let jitter = if percent == 0.0 { Jitter::Aligned } else { Jitter::Drawn { percent, by: None } };
        let program = program(kind.clone(), jitter, None);
        let key = Key::new(&[Value::Int(key)]);
        let offset = program.offset_of(&key).unwrap();
        let places = if percent == 0.0 { 1 } else { (percent * period(&kind) as f64 / 100.0).ceil() as i64 };
        prop_assert!((0..places).contains(&offset));
        prop_assert_eq!(run(&program, &key, &events, handling), gridded(&kind, offset, &events));
    }

    #[test]
    fn natural_windows_begin_with_a_keys_first_event(events in events(), kind in grids(), handling in handling()) {
        let program = program(kind.clone(), Jitter::Natural, None);
        let key = Key::new(&[Value::Int(1)]);
        prop_assert_eq!(run(&program, &key, &events, handling), natural(&kind, period(&kind), &events));
    }

    #[test]
    fn sessions_equal_their_definition_and_jitter_only_delays_their_results(
        events in events(), gap_ms in 1i64..400, max_ms in prop::option::of(1i64..900), handling in handling(),
        key in 0i64..50, jitter: bool,
    ) {
        let drawn = if jitter { Jitter::Drawn { percent: 100.0, by: None } } else { Jitter::Aligned };
        let program = program(WindowKind::Session { gap_ms, max_ms }, drawn, None);
        let key = Key::new(&[Value::Int(key)]);
        let offset = program.offset_of(&key).unwrap();
        prop_assert!((0..gap_ms).contains(&offset) && (jitter || offset == 0));
        prop_assert_eq!(run(&program, &key, &events, handling), sessions(gap_ms, max_ms, offset, &events));
    }

    #[test]
    fn windows_of_so_many_events_equal_their_definition(
        events in events(), size in 1u64..20, every in 1u64..20, handling in handling(),
    ) {
        let program = program(WindowKind::Count { size, every }, Jitter::Aligned, None);
        let expected = counted(size as usize, every as usize, &events);
        prop_assert_eq!(run(&program, &Key::new(&[Value::Int(1)]), &events, handling), expected);
    }

    #[test]
    fn early_results_are_those_of_the_events_so_far(
        events in events(), size_ms in 1i64..900, early_ms in 20i64..500, session: bool, handling in handling(),
    ) {
        let kind = match session {
            true => WindowKind::Session { gap_ms: size_ms.min(300), max_ms: Some(1_500) },
            false => WindowKind::Tumbling { size_ms },
        };
        let key = Key::new(&[Value::Int(1)]);
        let last = run(&program(kind.clone(), Jitter::Aligned, None), &key, &events, handling);
        let mut expected = Vec::new();
        for outcome in last {
            let (start, end) = (outcome.0, outcome.1);
            for at in (1..).map(|k| start + k * early_ms).take_while(|at| *at < end) {
                let values = within(&events, Span { start_ms: start, end_ms: at });
                if !values.is_empty() {
                    expected.push((start, at, at, aggregates(&values)));
                }
            }
            expected.push(outcome);
        }
        prop_assert_eq!(run(&program(kind, Jitter::Aligned, Some(early_ms)), &key, &events, handling), expected);
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in grids()) {
        if let Ok(mut state) = KeyState::load(&program(kind.clone(), Jitter::Aligned, None), &mut Reader::new(&bytes)) {
            let program = program(kind, Jitter::Aligned, None);
            with_env(&Key::default(), 5_000, &[Value::Int(1)], |env| {
                program.step(&mut state, &mut Scratch::default(), 0, env, &mut Vec::new());
            });
        }
    }
}

#[test]
fn a_window_of_a_hundred_thousand_slides_is_no_work_to_speak_of() {
    // Adding each event to each of its windows, or each pane to each result, would be 10^10 additions.
    let kinds = [AggregateKind::Count, AggregateKind::Max];
    let program =
        program_of(&kinds, WindowKind::Sliding { size_ms: 100_000, every_ms: 1 }, Jitter::Aligned, None, None);
    let all: Vec<(TimeMs, i64)> = (0..100_000).map(|at| (at, -at)).collect();
    let results = run(&program, &Key::default(), &all, Handling { cut: usize::MAX, timers: false });
    assert_eq!(results.len(), 200_000);
    assert_eq!(results[150_000].3, [Value::Int(49_999), Value::Int(-50_001)]);
}

#[test]
fn a_key_of_counted_windows_is_forgotten_where_the_next_event_begins_a_window() {
    let program = program(WindowKind::Count { size: 2, every: 2 }, Jitter::Aligned, None);
    let mut state = KeyState::default();
    for (at, idle) in [(0, false), (1, true), (2, false), (3, true)] {
        with_env(&Key::default(), at, &[Value::Int(1)], |env| {
            program.step(&mut state, &mut Scratch::default(), 0, env, &mut Vec::new());
        });
        assert_eq!(state.is_idle(), idle);
    }
}
