//! Every built-in assigner, with every aggregate, against its definition over the whole list of events.

use super::*;
use crate::{
    expr::{Builder, Env, Expr, Node, Nothing, World},
    geo::Position,
    model::{Clock, Emission, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer, Zone, parse_time},
    op::aggregate::definition_test::{cases, definition, is_near, of_positions},
    plan::{self, Aggregate, AggregateKind, Jitter, OutputField, Role, WindowKind},
};
use proptest::prelude::*;

/// Start, end, when it was put out, and one value per aggregate.
type Outcome = (TimeMs, TimeMs, TimeMs, Vec<Value>);

fn expr(node: Node) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, Type::Int)
}

fn program(kind: WindowKind, jitter: Jitter, early_ms: Option<TimeMs>) -> Program {
    let kinds: Vec<AggregateKind> = AggregateKind::all().collect();
    program_of(&kinds, kind, jitter, early_ms, None)
}

pub(super) fn program_of(
    kinds: &[AggregateKind],
    kind: WindowKind,
    jitter: Jitter,
    early_ms: Option<TimeMs>,
    late_ms: Option<TimeMs>,
) -> Program {
    let aggregate = |kind| {
        let field = expr(Node::Field(of_positions(kind).into()));
        Aggregate { kind, args: vec![Some(field)], filter: vec![None], ty: Type::Int }
    };
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
    let event = EventRef { stream: StreamId(0), header: &Header { time_ms, partition: 0, offset: 0 }, values };
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
        let values = [Value::Int(value), place(value)];
        with_env(key, time_ms, &values, |env| program.step(&mut state, &mut scratch, 0, env, &mut out));
    }
    advance(&mut state, TimeMs::MAX, &mut out);
    out.into_iter().map(|it| (it.start_ms, it.end_ms, it.time_ms, it.values.into_vec())).collect()
}

/// Where an event of this value is.
fn place(value: i64) -> Value {
    Value::Point(Position::new((value % 100) as f64 / 10.0, (value * 7 % 50) as f64 / 10.0).unwrap())
}

/// The definition of every aggregate, over the list.
fn aggregates(events: &[(TimeMs, i64)]) -> Vec<Value> {
    let numbers: Vec<(TimeMs, Value)> = events.iter().map(|(at, x)| (*at, Value::Int(*x))).collect();
    let places: Vec<(TimeMs, Value)> = events.iter().map(|(at, x)| (*at, place(*x))).collect();
    AggregateKind::all().map(|kind| definition(kind, if of_positions(kind) { &places } else { &numbers })).collect()
}

/// Same windows, and results as near as they have to be.
fn compare(found: &[Outcome], expected: &[Outcome]) -> Result<(), TestCaseError> {
    let spans = |outcomes: &[Outcome]| outcomes.iter().map(|it| (it.0, it.1, it.2)).collect::<Vec<_>>();
    prop_assert_eq!(spans(found), spans(expected));
    for (found, expected) in found.iter().zip(expected) {
        prop_assert_eq!(found.3.len(), expected.3.len());
        for ((kind, a), b) in AggregateKind::all().zip(&found.3).zip(&expected.3) {
            prop_assert!(is_near(kind, a, b), "{kind:?} from {} to {}: {a:?}, not {b:?}", found.0, found.1);
        }
    }
    Ok(())
}

fn within(events: &[(TimeMs, i64)], span: Span) -> Vec<(TimeMs, i64)> {
    events.iter().filter(|event| span.contains(event.0)).copied().collect()
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

fn gridded(kind: &WindowKind, offset: TimeMs, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    of_spans(&windows(kind, offset, events), events)
}

/// The windows that hold an event, and each window after one of them.
fn of_spans(windows: &[Span], events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut before = false;
    for &span in windows {
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

const HOUR_MS: TimeMs = 3_600_000;

/// Put forward and back by an hour, in either hemisphere by another, and by half an hour.
const ZONES: [&str; 3] = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"];

/// Days on which the clocks of one of them change, a leap day, one that isn't, and one before 1970.
const DAYS: [&str; 9] = [
    "2025-03-30T01:00:00Z",
    "2025-10-26T01:00:00Z",
    "2025-03-09T07:00:00Z",
    "2025-11-02T06:00:00Z",
    "2025-04-05T15:00:00Z",
    "2025-10-04T15:30:00Z",
    "2024-02-29T12:00:00Z",
    "2100-03-01T00:00:00Z",
    "1967-04-30T07:00:00Z",
];

/// Each half hour for some weeks: a window begins where the clocks show more whole sizes than ever before.
fn by_clocks(zone: &Zone, size_ms: TimeMs, offset_ms: TimeMs, drawn_ms: TimeMs, around_ms: TimeMs) -> Vec<Span> {
    let step = HOUR_MS / 2;
    let first = around_ms.div_euclid(step) * step - 21 * 48 * step;
    let mut most = None;
    let mut starts = Vec::new();
    for at in (0..42 * 48).map(|k| first + k * step) {
        let number = (zone.clock_ms(at).unwrap() - offset_ms).div_euclid(size_ms);
        if most.is_some_and(|most| most < number) {
            starts.push(at + drawn_ms);
        }
        most = most.max(Some(number));
    }
    starts.windows(2).map(|pair| Span { start_ms: pair[0], end_ms: pair[1] }).collect()
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
        (first, end, end + offset, aggregates(&session))
    };
    all.into_iter().map(outcome).collect()
}

fn counted(size: usize, every: usize, events: &[(TimeMs, i64)]) -> Vec<Outcome> {
    let full = (0..events.len()).step_by(every).filter_map(|start| events.get(start..start + size));
    let outcome = |events: &[(TimeMs, i64)]| {
        let (first, last) = (events[0].0, events[size - 1].0);
        (first, last, last, aggregates(events))
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
    #![proptest_config(cases(192))]

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
        compare(&run(&program, &key, &events, handling), &gridded(&kind, offset, &events))?;
    }

    #[test]
    fn natural_windows_begin_with_a_keys_first_event(events in events(), kind in grids(), handling in handling()) {
        let program = program(kind.clone(), Jitter::Natural, None);
        let key = Key::new(&[Value::Int(1)]);
        compare(&run(&program, &key, &events, handling), &natural(&kind, period(&kind), &events))?;
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
        compare(&run(&program, &key, &events, handling), &sessions(gap_ms, max_ms, offset, &events))?;
    }

    #[test]
    fn windows_of_so_many_events_equal_their_definition(
        events in events(), size in 1u64..20, every in 1u64..20, expire_ms in prop::option::of(20i64..1_000),
        handling in handling(),
    ) {
        let program = program(WindowKind::Count { size, every, expire_ms }, Jitter::Aligned, None);
        // After a silence a key is as if it had never been.
        let lives = events.chunk_by(|a, b| expire_ms.is_none_or(|expire_ms| b.0 - a.0 < expire_ms));
        let expected: Vec<Outcome> = lives.flat_map(|life| counted(size as usize, every as usize, life)).collect();
        compare(&run(&program, &Key::new(&[Value::Int(1)]), &events, handling), &expected)?;
    }

    #[test]
    fn a_running_window_is_at_each_event_of_all_events_so_far(
        events in events(), expire_ms in prop::option::of(20i64..1_000), handling in handling(),
    ) {
        let program = program(WindowKind::Running { expire_ms }, Jitter::Aligned, None);
        let lives = events.chunk_by(|a, b| expire_ms.is_none_or(|expire_ms| b.0 - a.0 < expire_ms));
        let so_far = |life: &[(TimeMs, i64)]| -> Vec<Outcome> {
            (1..=life.len()).map(|n| (life[0].0, life[n - 1].0, life[n - 1].0, aggregates(&life[..n]))).collect()
        };
        let expected: Vec<Outcome> = lives.flat_map(so_far).collect();
        compare(&run(&program, &Key::new(&[Value::Int(1)]), &events, handling), &expected)?;
    }

    #[test]
    fn windows_by_the_clocks_of_a_place_equal_their_definition(
        // Minutes around the day, and values.
        events in prop::collection::vec((-4 * 1_440i64..4 * 1_440, -50i64..50), 0..60), day in 0..DAYS.len(),
        zone in 0..ZONES.len(), hours in prop_oneof![Just(1i64), Just(3), Just(6), Just(24), Just(168)],
        shift in 0i64..24, handling in handling(), key in 0i64..50, jitter: bool,
    ) {
        let zone = Zone::new(ZONES[zone]).unwrap();
        let base = parse_time(DAYS[day]).unwrap();
        let mut events: Vec<(TimeMs, i64)> = events.into_iter().map(|(at, x)| (base + at * 60_000, x)).collect();
        events.sort_by_key(|event| event.0);
        let (size_ms, offset_ms) = (hours * HOUR_MS, (shift * HOUR_MS) % (hours * HOUR_MS));
        let drawn = if jitter { Jitter::Drawn { percent: 30.0, by: None } } else { Jitter::Aligned };
        let program = program(WindowKind::Calendar { size_ms, offset_ms, zone: zone.clone() }, drawn, None);
        let key = Key::new(&[Value::Int(key)]);
        let drawn_ms = program.offset_of(&key).unwrap();
        let expected = of_spans(&by_clocks(&zone, size_ms, offset_ms, drawn_ms, base), &events);
        compare(&run(&program, &key, &events, handling), &expected)?;
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
        compare(&run(&program(kind, Jitter::Aligned, Some(early_ms)), &key, &events, handling), &expected)?;
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
fn sets_and_sketches_of_ten_thousand_slides_are_no_work_to_speak_of() {
    // Merging each pane into each result would be 10^8 mergers of each.
    let large = |kind: &AggregateKind| crate::op::aggregate::Running::new(*kind).is_some();
    // A list of all values is as long as it is.
    let lists = |kind: &AggregateKind| matches!(kind, AggregateKind::Collect | AggregateKind::List);
    let kinds: Vec<AggregateKind> = AggregateKind::all().filter(large).filter(|kind| !lists(kind)).collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    let program = program_of(&kinds, WindowKind::Sliding { size_ms: 10_000, every_ms: 1 }, Jitter::Aligned, None, None);
    let all: Vec<(TimeMs, i64)> = (0..10_000).map(|at| (at, at % 1_000)).collect();
    let results = run(&program, &Key::default(), &all, Handling { cut: 5_000, timers: false });
    assert_eq!(results.len(), 20_000);
    let expected = kinds.iter().map(|kind| {
        let values: Vec<(TimeMs, Value)> = (5_000..10_000).map(|at| (at, Value::Int(at % 1_000))).collect();
        definition(*kind, &values)
    });
    for ((kind, found), expected) in kinds.iter().zip(&results[14_999].3).zip(expected) {
        let near = *kind == AggregateKind::ApproxDistinct || is_near(*kind, found, &expected);
        assert!(near, "{kind:?}: {found:?}, not {expected:?}");
    }
}

#[test]
fn a_silent_key_costs_nothing_in_the_end_whatever_its_windows_and_aggregates() {
    let zone = Zone::new("Europe/Paris").unwrap();
    let minute = 60_000;
    for kind in [
        WindowKind::Tumbling { size_ms: minute },
        WindowKind::Sliding { size_ms: 10 * minute, every_ms: minute },
        WindowKind::Sliding { size_ms: minute, every_ms: 10 * minute },
        WindowKind::Cumulative { size_ms: 10 * minute, every_ms: minute },
        WindowKind::Session { gap_ms: minute, max_ms: None },
        WindowKind::Session { gap_ms: minute, max_ms: Some(5 * minute) },
        WindowKind::Count { size: 100, every: 100, expire_ms: Some(minute) },
        WindowKind::Count { size: 2, every: 100, expire_ms: Some(minute) },
        WindowKind::Running { expire_ms: Some(minute) },
        WindowKind::Calendar { size_ms: HOUR_MS, offset_ms: 0, zone },
    ] {
        for jitter in [Jitter::Aligned, Jitter::Natural] {
            let fixed =
                matches!(kind, WindowKind::Count { .. } | WindowKind::Running { .. } | WindowKind::Calendar { .. });
            if fixed && matches!(jitter, Jitter::Natural) {
                continue;
            }
            let program = program(kind.clone(), jitter, None);
            let (mut state, mut scratch, mut out) = (KeyState::default(), Scratch::default(), Vec::new());
            for (at, time_ms) in [0, 10, 5_000].into_iter().enumerate() {
                let values = [Value::Int(at as i64), place(at as i64)];
                with_env(&Key::default(), time_ms, &values, |env| {
                    program.step(&mut state, &mut scratch, 0, env, &mut out);
                });
            }
            let mut timers = 0;
            while let Some(due_ms) = program.deadline(&state) {
                with_env(&Key::default(), due_ms, &[], |env| {
                    program.advance(&mut state, &mut scratch, due_ms, Clock::Event, env, &mut out);
                });
                timers += 1;
                assert!(timers < 100 && due_ms < 100 * HOUR_MS, "{kind:?} goes on and on");
            }
            assert!(state.is_idle(), "{kind:?}: the machine drops what is idle, and this isn't");
        }
    }
}

#[test]
fn a_key_of_counted_windows_is_forgotten_where_the_next_event_begins_a_window() {
    let program = program(WindowKind::Count { size: 2, every: 2, expire_ms: None }, Jitter::Aligned, None);
    let mut state = KeyState::default();
    for (at, idle) in [(0, false), (1, true), (2, false), (3, true)] {
        with_env(&Key::default(), at, &[Value::Int(1)], |env| {
            program.step(&mut state, &mut Scratch::default(), 0, env, &mut Vec::new());
        });
        assert_eq!(state.is_idle(), idle);
    }
}
