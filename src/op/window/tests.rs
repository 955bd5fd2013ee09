//! Properties of windows against a slow obvious model, and of jitter over a million keys.

use super::*;
use crate::{
    expr::{Arith, ArithKind, Builder, Compare, Env, Expr, Node, Nothing, World},
    model::{Clock, Emission, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer},
    plan::{self, Aggregate, AggregateKind, Jitter, JitterBy, OutputField, Role, WindowKind},
};
use proptest::prelude::*;
use std::sync::Arc;

fn expr(node: Node, ty: Type) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, ty)
}

fn input() -> plan::Input {
    plan::Input {
        stream: StreamId(0),
        name: "orders".into(),
        id_slot: None,
        position_slot: None,
        before: None,
        key: vec![],
        prev: vec![],
        computed: vec![],
        after: None,
    }
}

fn output(name: &str, node: Node, ty: Type) -> OutputField {
    OutputField { name: name.into(), ty, role: Role::Measure, exprs: vec![expr(node, ty)] }
}

/// `MEASURES count(*) AS n, sum(field 0) AS total, window_start`.
fn window(jitter: Jitter, size_ms: TimeMs) -> (plan::Window, Vec<OutputField>) {
    let aggregate = |kind, arg| Aggregate { kind, args: vec![Some(arg)], filter: vec![None], ty: Type::Int };
    let aggregates = vec![
        aggregate(AggregateKind::Count, Expr::constant(Value::Bool(true), Type::Bool)),
        aggregate(AggregateKind::Sum, expr(Node::Field(0), Type::Int)),
    ];
    let outputs = vec![
        output("n", Node::Aggregate(0), Type::Int),
        output("total", Node::Aggregate(1), Type::Int),
        output("window_start", Node::SpanStart, Type::Time),
    ];
    (
        plan::Window { kind: WindowKind::Tumbling { size_ms }, jitter, early_ms: None, late_ms: None, aggregates },
        outputs,
    )
}

fn program(jitter: Jitter, size_ms: TimeMs) -> Program {
    let (window, outputs) = window(jitter, size_ms);
    Program::new(&window, "cells", 7, &[input()], &outputs, None).unwrap()
}

fn drawn() -> Jitter {
    Jitter::Drawn { percent: 100.0, by: None }
}

/// One key under a program.
struct Run<'p> {
    program: &'p Program,
    key: Key,
    state: KeyState,
    world: World,
    out: Vec<Emission>,
}

impl<'p> Run<'p> {
    fn new(program: &'p Program, key: i64) -> Self {
        let key = Key::new(&[Value::Int(key)]);
        Self { program, key, state: KeyState::default(), world: World::default(), out: vec![] }
    }

    fn env<'a>(key: &'a Key, world: &'a World, header: &'a Header, values: &'a [Value]) -> Env<'a> {
        let event = EventRef { stream: StreamId(0), header, values };
        Env { event, extra: &[], previous: None, computed: (&[], &[]), key, bound: &Nothing, world }
    }

    fn event(&mut self, time_ms: TimeMs, value: i64) {
        let values = [Value::Int(value)];
        let header = Header { time_ms, partition: 0, offset: 0 };
        let env = Self::env(&self.key, &self.world, &header, &values);
        self.program.step(&mut self.state, &mut Scratch::default(), 0, &env, &mut self.out);
    }

    fn advance(&mut self, to_ms: TimeMs) {
        let header = Header { time_ms: to_ms, partition: 0, offset: 0 };
        let env = Self::env(&self.key, &self.world, &header, &[]);
        self.program.advance(&mut self.state, &mut Scratch::default(), to_ms, Clock::Event, &env, &mut self.out);
    }

    /// Start, end, count, sum of each result.
    fn results(&self) -> Vec<(TimeMs, TimeMs, i64, Option<i64>)> {
        let int = |value: Option<&Value>| match value {
            Some(Value::Int(x)) => Some(*x),
            _ => None,
        };
        let one = |emission: &Emission| {
            assert_eq!(emission.time_ms, emission.end_ms);
            assert_eq!(emission.values.get(2), Some(&Value::Time(emission.start_ms)));
            (emission.start_ms, emission.end_ms, int(emission.values.first()).unwrap(), int(emission.values.get(1)))
        };
        self.out.iter().map(one).collect()
    }
}

fn events() -> impl Strategy<Value = Vec<(TimeMs, i64)>> {
    prop::collection::vec((-3_000i64..3_000, -50i64..50), 0..60).prop_map(|mut events| {
        events.sort_by_key(|event| event.0);
        events
    })
}

/// The definition: the windows that hold an event, each followed by an empty one unless the next one holds an event too.
fn model(events: &[(TimeMs, i64)], size: TimeMs, offset: TimeMs) -> Vec<(TimeMs, TimeMs, i64, Option<i64>)> {
    let start = |time: TimeMs| (time - offset).div_euclid(size) * size + offset;
    let mut results = vec![];
    let mut starts: Vec<TimeMs> = events.iter().map(|event| start(event.0)).collect();
    starts.dedup();
    for &at in &starts {
        let values: Vec<i64> = events.iter().filter(|event| start(event.0) == at).map(|event| event.1).collect();
        results.push((at, at + size, values.len() as i64, Some(values.iter().sum())));
        if !starts.contains(&(at + size)) {
            results.push((at + size, at + 2 * size, 0, None));
        }
    }
    results
}

proptest! {
    #[test]
    fn a_tumbling_window_equals_its_definition(events in events(), size in 1i64..900, key in 0i64..50, jitter: bool) {
        let program = program(if jitter { drawn() } else { Jitter::Aligned }, size);
        let mut run = Run::new(&program, key);
        for &(time_ms, value) in &events {
            run.event(time_ms, value);
        }
        run.advance(i64::MAX);
        let offset = program.offset_of(&run.key).unwrap();
        prop_assert!((0..size).contains(&offset) && (jitter || offset == 0));
        prop_assert_eq!(run.results(), model(&events, size, offset));
        prop_assert!(run.state.is_idle());
    }

    #[test]
    fn the_totals_of_jittered_windows_are_those_of_aligned_ones(events in events(), size in 1i64..900, key in 0i64..50) {
        let total = |jitter| {
            let program = program(jitter, size);
            let mut run = Run::new(&program, key);
            events.iter().for_each(|&(time_ms, value)| run.event(time_ms, value));
            run.advance(i64::MAX);
            run.results().iter().fold((0, 0), |sum, result| (sum.0 + result.2, sum.1 + result.3.unwrap_or(0)))
        };
        let expected = (events.len() as i64, events.iter().map(|event| event.1).sum());
        prop_assert_eq!(total(Jitter::Aligned), expected);
        prop_assert_eq!(total(drawn()), expected);
    }

    #[test]
    fn when_timers_fire_changes_no_result(events in events(), size in 1i64..900, key in 0i64..50) {
        let program = program(drawn(), size);
        let (mut lazy, mut eager) = (Run::new(&program, key), Run::new(&program, key));
        for &(time_ms, value) in &events {
            lazy.event(time_ms, value);
            while program.deadline(&eager.state).is_some_and(|end_ms| end_ms <= time_ms) {
                eager.advance(program.deadline(&eager.state).unwrap());
            }
            eager.event(time_ms, value);
        }
        lazy.advance(i64::MAX);
        eager.advance(i64::MAX);
        prop_assert_eq!(lazy.out, eager.out);
    }

    #[test]
    fn saving_and_loading_in_the_middle_changes_nothing(
        events in events(), size in 1i64..900, cut in 0usize..60, overlapping: bool,
    ) {
        let program = if overlapping { sliding() } else { program(drawn(), size) };
        let (mut whole, mut cut_up) = (Run::new(&program, 3), Run::new(&program, 3));
        for (at, &(time_ms, value)) in events.iter().enumerate() {
            if at == cut {
                let mut writer = Writer::new();
                cut_up.state.save(&mut writer);
                let bytes = writer.into_bytes();
                let mut reader = Reader::new(&bytes);
                cut_up.state = KeyState::load(&program, &mut reader).unwrap();
                prop_assert!(reader.is_done());
            }
            whole.event(time_ms, value);
            cut_up.event(time_ms, value);
        }
        whole.advance(i64::MAX);
        cut_up.advance(i64::MAX);
        prop_assert_eq!(whole.out, cut_up.out);
    }

    #[test]
    fn overlapping_windows_of_ones_own_hold_every_event_as_often_as_they_overlap(events in events()) {
        let program = sliding();
        let mut run = Run::new(&program, 0);
        events.iter().for_each(|&(time_ms, value)| run.event(time_ms, value));
        run.advance(i64::MAX);
        let results = run.results();
        prop_assert!(results.is_sorted_by_key(|result| result.1));
        for result in results.iter().filter(|result| result.2 > 0) {
            let inside = events.iter().filter(|event| result.0 <= event.0 && event.0 < result.1);
            prop_assert_eq!(inside.count() as i64, result.2);
        }
        prop_assert_eq!(results.iter().map(|result| result.2).sum::<i64>(), 3 * events.len() as i64);
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let program = program(drawn(), 10);
        let _ = KeyState::load(&program, &mut Reader::new(&bytes));
    }
}

/// Windows of 300 ms every 100 ms.
#[derive(Debug)]
struct Sliding;

impl WindowAssigner for Sliding {
    fn assign(&self, time_ms: TimeMs, _: TimeMs, windows: &mut Vec<Span>) {
        let last = time_ms.div_euclid(100) * 100;
        windows.extend([0, 100, 200].map(|back| Span { start_ms: last - back, end_ms: last - back + 300 }));
        // One that does not contain the instant, and one twice: the machine ignores both.
        windows.push(Span { start_ms: last + 100, end_ms: last + 400 });
        windows.push(Span { start_ms: last, end_ms: last + 300 });
    }
}

fn sliding() -> Program {
    let (window, outputs) = window(Jitter::Aligned, 1);
    Program::with_assigner(Arc::new(Sliding), &window, "cells", 7, &[input()], &outputs, None).unwrap()
}

#[test]
fn a_silent_key_gives_one_last_empty_result_and_is_forgotten() {
    let program = program(Jitter::Aligned, 100);
    let mut run = Run::new(&program, 0);
    run.event(250, 4);
    assert_eq!(run.program.deadline(&run.state), Some(300));
    run.advance(299);
    assert!(run.out.is_empty());
    run.advance(300);
    assert_eq!(run.results(), [(200, 300, 1, Some(4))]);
    assert_eq!((run.program.deadline(&run.state), run.state.is_idle()), (Some(400), false));
    run.advance(1_000_000);
    assert_eq!(run.results(), [(200, 300, 1, Some(4)), (300, 400, 0, None)]);
    assert_eq!((run.program.deadline(&run.state), run.state.is_idle()), (None, true));
}

#[test]
fn an_event_at_a_windows_end_closes_it_and_opens_the_next() {
    let program = program(Jitter::Aligned, 100);
    let mut run = Run::new(&program, 0);
    run.event(200, 1);
    run.event(300, 2);
    run.event(399, 3);
    assert_eq!(run.results(), [(200, 300, 1, Some(1))]);
    run.event(500, 5);
    assert_eq!(run.results()[1..], [(300, 400, 2, Some(5)), (400, 500, 0, None)]);
}

proptest! {
    #[test]
    fn having_drops_some_of_the_results_that_there_are_without_it(
        events in events(), size_ms in 1i64..900, jittered: bool, sum: bool, compare in 0usize..6, bound in -1i64..4,
    ) {
        const COMPARES: [Compare; 6] = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];
        let (window, outputs) = window(if jittered { drawn() } else { Jitter::Aligned }, size_ms);
        let mut builder = Builder::new();
        let (left, right) = (builder.push(Node::Aggregate(u16::from(sum))), builder.push(Node::Const(Value::Int(bound))));
        let root = builder.push(Node::CompareInt(COMPARES[compare], left, right));
        let having = builder.finish(root, Type::Bool);
        let some = Program::new(&window, "cells", 7, &[input()], &outputs, Some(&having)).unwrap();
        let all = Program::new(&window, "cells", 7, &[input()], &outputs, None).unwrap();
        let (mut some, mut all) = (Run::new(&some, 1), Run::new(&all, 1));
        for run in [&mut some, &mut all] {
            events.iter().for_each(|&(time_ms, value)| run.event(time_ms, value));
            run.advance(i64::MAX);
        }
        let holds = |result: &(TimeMs, TimeMs, i64, Option<i64>)| {
            let Some(value) = (if sum { result.3 } else { Some(result.2) }) else { return false };
            [value == bound, value != bound, value < bound, value <= bound, value > bound, value >= bound][compare]
        };
        let expected: Vec<_> = all.results().into_iter().filter(holds).collect();
        prop_assert_eq!(some.results(), expected);
    }
}

#[test]
fn having_drops_results_and_also_the_empty_one() {
    let (window, outputs) = window(Jitter::Aligned, 100);
    let mut builder = Builder::new();
    let (total, least) = (builder.push(Node::Aggregate(1)), builder.push(Node::Const(Value::Int(3))));
    let root = builder.push(Node::CompareInt(Compare::Ge, total, least));
    let having = builder.finish(root, Type::Bool);
    let program = Program::new(&window, "cells", 7, &[input()], &outputs, Some(&having)).unwrap();
    let mut run = Run::new(&program, 0);
    for (time_ms, value) in [(0, 2), (100, 3), (300, 1)] {
        run.event(time_ms, value);
    }
    run.advance(i64::MAX);
    assert_eq!(run.results(), [(100, 200, 1, Some(3))]);
}

#[test]
fn a_filter_and_an_input_that_does_not_count_leave_the_window_open_with_less_in_it() {
    let (mut window, outputs) = window(Jitter::Aligned, 100);
    let mut builder = Builder::new();
    let (field, zero) = (builder.push(Node::Field(0)), builder.push(Node::Const(Value::Int(0))));
    let root = builder.push(Node::CompareInt(Compare::Gt, field, zero));
    window.aggregates[1].filter = vec![Some(builder.finish(root, Type::Bool))];
    window.aggregates[0].args = vec![None];
    let program = Program::new(&window, "cells", 7, &[input()], &outputs, None).unwrap();
    let mut run = Run::new(&program, 0);
    run.event(0, 5);
    run.event(1, -5);
    run.event(2, 7);
    run.event(150, -1);
    run.advance(i64::MAX);
    assert_eq!(run.results(), [(0, 100, 0, Some(12)), (100, 200, 0, None), (200, 300, 0, None)]);
}

#[test]
fn an_argument_is_evaluated_on_each_event_and_a_null_one_never_counts() {
    let (mut window, outputs) = window(Jitter::Aligned, 100);
    let mut builder = Builder::new();
    let (field, ten) = (builder.push(Node::Field(0)), builder.push(Node::Const(Value::Int(10))));
    let root = builder.push(Node::Arith(Arith::Mul, ArithKind::Int, field, ten));
    window.aggregates[1].args = vec![Some(builder.finish(root, Type::Int))];
    window.aggregates[0].args = vec![Some(Expr::constant(Value::Null, Type::Any))];
    let program = Program::new(&window, "cells", 7, &[input()], &outputs, None).unwrap();
    let mut run = Run::new(&program, 0);
    run.event(0, 5);
    run.event(1, 7);
    run.advance(100);
    assert_eq!(run.results(), [(0, 100, 0, Some(120))]);
}

#[test]
fn extreme_times_neither_overflow_nor_loop() {
    let program = program(Jitter::Offset { offset_ms: 30 }, 100);
    let mut run = Run::new(&program, 0);
    for time_ms in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        run.event(time_ms, 1);
    }
    run.advance(i64::MAX);
    assert_eq!(run.results().iter().map(|result| result.2).sum::<i64>(), 5);
    assert!(run.state.is_idle());
}

#[test]
fn the_state_of_a_count_is_all_in_place() {
    let (mut window, outputs) = window(drawn(), 300_000);
    window.aggregates.truncate(1);
    let program = Program::new(&window, "cells", 7, &[input()], &outputs[..1], None).unwrap();
    let mut run = Run::new(&program, 0);
    run.event(5, 1);
    assert_eq!(run.state.heap_bytes(), 0);
    assert!(size_of::<KeyState>() <= 96, "{}", size_of::<KeyState>());
}

#[test]
fn a_jitter_by_value_is_that_of_the_key_with_this_value() {
    let by = JitterBy { exprs: vec![expr(Node::Field(0), Type::Int)] };
    let (window, outputs) = window(Jitter::Drawn { percent: 100.0, by: Some(by) }, 300_000);
    let by_value = Program::new(&window, "cells", 7, &[input()], &outputs, None).unwrap();
    let mut run = Run::new(&by_value, 1);
    run.event(1_000_000, 42);
    let expected = program(drawn(), 300_000).offset_of(&Key::new(&[Value::Int(42)])).unwrap();
    assert_eq!(run.state.offset_ms(), Some(expected));
    assert_eq!(run.program.deadline(&run.state).unwrap().rem_euclid(300_000), expected);
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    let (window, outputs) = window(Jitter::Aligned, 0);
    let refused = Program::new(&window, "cells", 7, &[input()], &outputs, None);
    assert_eq!(refused.unwrap_err(), BuildError::Kind { kind: WindowKind::Tumbling { size_ms: 0 } });
    let (window, outputs) = self::window(drawn(), 10);
    let refused = Program::with_assigner(Arc::new(Sliding), &window, "cells", 7, &[input()], &outputs, None);
    assert!(matches!(refused, Err(BuildError::NoStagger { .. })));
    let refused = Program::new(&window, "cells", 7, &[input(), input()], &outputs, None);
    assert!(matches!(refused, Err(BuildError::Inputs { found: 1, inputs: 2, .. })));
}

#[test]
fn explain_says_size_shift_and_aggregates() {
    assert_eq!(program(Jitter::Aligned, 300_000).explain(), "tumbling 5 min; count, sum\n");
    assert_eq!(program(drawn(), 300_000).explain(), "tumbling 5 min, each key shifted by up to 5 min; count, sum\n");
}

/// A million keys of two shapes, and their offsets in five-minute windows.
fn million_offsets() -> Vec<TimeMs> {
    let program = program(drawn(), 300_000);
    let key = |i: i64| match i % 2 {
        0 => Key::new(&[Value::Int(i)]),
        _ => Key::new(&[Value::Text(format!("vehicle-{i}").into())]),
    };
    (0..1_000_000).map(|i| program.offset_of(&key(i)).unwrap()).collect()
}

#[test]
fn offsets_of_a_million_keys_are_uniform_and_their_closings_flat() {
    let offsets = million_offsets();
    // Chi-square over 100 bins has 99 degrees of freedom: 148.2 is passed by chance once in a thousand draws; the seed and
    // the keys are fixed.
    let mut bins = [0u32; 100];
    offsets.iter().for_each(|&offset| bins[usize::try_from(offset / 3_000).unwrap()] += 1);
    let chi_square: f64 = bins.iter().map(|&found| (f64::from(found) - 10_000.0).powi(2) / 10_000.0).sum();
    assert!(chi_square < 148.2, "chi-square {chi_square}");

    // The window that holds the instant 0 closes at its offset, or with offset 0 at the size.
    let mut closings = vec![0u32; 3_000];
    offsets.iter().for_each(|&offset| closings[usize::try_from(offset / 100).unwrap()] += 1);
    let mean = 1_000_000.0 / 3_000.0;
    let peak = f64::from(*closings.iter().max().unwrap());
    assert!(peak / mean < 1.3, "peak to mean {}", peak / mean);

    let aligned = program(Jitter::Aligned, 300_000);
    let same = (0..1_000).all(|i| aligned.offset_of(&Key::new(&[Value::Int(i)])) == Some(0));
    assert!(same, "aligned, all of a million keys close in one bucket of 3,000: peak to mean 3,000");
}
