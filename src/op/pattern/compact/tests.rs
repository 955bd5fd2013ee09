//! Sets against the same partial matches kept one by one: the same matches, whatever the pattern, the events, the window, and
//! the moments at which the state was saved.

use crate::{
    expr::{Builder, Compare, Expr, Node},
    model::Type,
    op::pattern::tests::kit::node,
};
use crate::{
    model::{Emission, Reader, Value},
    op::pattern::{
        KeyState, Program,
        state::Form,
        tests::{
            fuzz::{elements, events, number},
            kit::{Partition, input, output, pattern, pattern_of, v},
        },
    },
    plan::{Aggregate, AggregateKind, Loop, Pattern, Skip},
};
use proptest::prelude::*;

/// Conditions that look at one event.
fn condition(kind: u8) -> Expr {
    let mut builder = Builder::new();
    let root = match kind {
        0..=5 => {
            let letter = builder.push(Node::Const(Value::text(["a", "b", "c"][usize::from(kind % 3)])));
            let name = builder.push(Node::Field(0));
            builder.push(Node::CompareValue(Compare::Eq, name, letter))
        }
        6 | 7 => {
            let (value, two) = (builder.push(Node::Field(1)), builder.push(Node::Const(Value::Int(2))));
            builder.push(Node::CompareInt(Compare::Ge, value, two))
        }
        _ => builder.push(Node::Const(Value::Bool(true))),
    };
    builder.finish(root, Type::Bool)
}

/// How many events there are; with a filter that lets all pass it is kept as if it were any other aggregate.
fn count(filter: Option<Expr>) -> Aggregate {
    let one = node(Node::Const(Value::Bool(true)), Type::Bool);
    Aggregate { kind: AggregateKind::Count, args: vec![Some(one)], filter: vec![filter], ty: Type::Int }
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let kinds = prop::collection::vec(0..9u8, 26);
    let skip = prop_oneof![Just(Skip::Eager), Just(Skip::NoSkip), Just(Skip::ToNextRow)];
    (elements(2, false), kinds, prop::option::weighted(0.8, 1..14i64), skip, prop::option::of(0..9u8)).prop_map(
        |(mut elements, kinds, within_ms, skip, until)| {
            number(&mut elements, &mut 0);
            if let (Some(kind), Some(element)) = (until, elements.last_mut())
                && element.quantifier.max.is_none()
            {
                element.quantifier.until = Some(vec![Some(condition(kind))]);
            }
            let mut pattern = pattern_of(elements).skip(skip);
            (pattern.within_ms, pattern.on_timeout) = (within_ms, false);
            let value = node(Node::Field(1), Type::Int);
            let sum =
                Aggregate { kind: AggregateKind::Distinct, args: vec![Some(value)], filter: vec![None], ty: Type::Int };
            pattern = pattern.aggregate('a', sum).aggregate('b', count(None));
            for (variable, kind) in pattern.variables.iter_mut().zip(kinds) {
                variable.conditions = vec![Some(condition(kind))];
            }
            pattern
        },
    )
}

fn program(pattern: &Pattern, compact: bool) -> Option<Program> {
    let measures = [0, 1].map(|aggregate| output(node(Node::Aggregate(aggregate), Type::Int)));
    let program = Program::new(pattern, &[input()], &measures, None).ok()?.with_limits(3_000, 100_000);
    Some(if compact { program } else { program.one_by_one() })
}

/// What comes out at each event, in the order of starts; matches that only differ in which partial matches they came by are
/// the same.
fn run(program: Program, events: &[(char, i64, i64)], saves: &[bool]) -> (Vec<Emission>, Partition) {
    let mut partition = Partition::of(program);
    let mut all = Vec::new();
    partition.play(events, saves, |partition| {
        let starts: Vec<i64> = partition.out.iter().map(|output| output.start_ms).collect();
        assert!(partition.program.skip == Skip::Eager || starts.is_sorted());
        partition.out.sort_by_key(|output| format!("{output:?}"));
        all.append(&mut partition.out);
    });
    partition.advance(i64::MAX);
    all.append(&mut partition.out);
    (all, partition)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn sets_and_single_partial_matches_find_the_same(
        pattern in patterns(),
        events in events(24),
        saves in prop::collection::vec(any::<bool>(), 24),
    ) {
        let (Some(sets), Some(single)) = (program(&pattern, true), program(&pattern, false)) else { return Ok(()) };
        if !sets.compact {
            return Ok(());
        }
        let (expected, one_by_one) = run(single, &events, &[]);
        // Where there are too many the two drop others.
        if one_by_one.scratch.counts.shed > 0 {
            return Ok(());
        }
        let (found, partition) = run(sets, &events, &[]);
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(partition.state.deadline(), None);
        prop_assert_eq!(partition.state.is_idle(), one_by_one.state.is_idle());
        if partition.state.is_idle() {
            prop_assert_eq!(partition.state.partial_matches(), 0);
        }
        let again = run(program(&pattern, true).unwrap(), &events, &saves);
        prop_assert_eq!(&again.0, &expected);
        prop_assert_eq!(bytes(&again.1), bytes(&partition));
    }

    #[test]
    fn what_is_worked_out_beforehand_is_what_is_found_edge_by_edge(
        pattern in patterns(),
        events in events(30),
        limit in 2..9usize,
    ) {
        let limited = || Some(program(&pattern, true)?.with_limits(limit, 6));
        let Some(ready) = limited().filter(|program| program.courses.is_some()) else { return Ok(()) };
        let asking = Program { kinds: None, courses: None, ..limited().unwrap() };
        let (mut ready, mut asking) = (Partition::of(ready), Partition::of(asking));
        for (now, &(name, _, value)) in events.iter().enumerate() {
            ready.event(name, now as i64, Value::Int(value));
            asking.event(name, now as i64, Value::Int(value));
            prop_assert_eq!(&ready.out, &asking.out);
            prop_assert_eq!(bytes(&ready), bytes(&asking));
        }
    }

    #[test]
    fn what_a_limit_drops_does_not_depend_on_when_the_state_was_saved(
        pattern in patterns(),
        events in events(40),
        saves in prop::collection::vec(any::<bool>(), 40),
        limit in 1..6usize,
    ) {
        let limited = || Some(program(&pattern, true)?.with_limits(limit, 4));
        let Some(sets) = limited().filter(|program| program.compact) else { return Ok(()) };
        let (expected, plain) = run(sets, &events, &[]);
        let (found, saved) = run(limited().unwrap(), &events, &saves);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(saved.scratch.counts, plain.scratch.counts);
    }

    #[test]
    fn broken_bytes_are_an_error_or_a_state_and_never_a_panic(
        pattern in patterns(),
        events in events(24),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let Some(program) = program(&pattern, true).filter(|program| program.compact) else { return Ok(()) };
        let mut partition = Partition::of(program.with_limits(200, 50));
        for (now, &(name, _, value)) in events.iter().enumerate() {
            partition.event(name, now as i64, Value::Int(value));
        }
        let mut bytes = bytes(&partition);
        let at = at.index(bytes.len());
        bytes[at] ^= byte;
        if let Ok(state) = KeyState::load(&partition.program, &mut Reader::new(&bytes)) {
            partition.state = state;
            for (now, &(name, _, value)) in events.iter().enumerate() {
                partition.event(name, 20 + now as i64, Value::Int(value));
            }
            partition.advance(i64::MAX);
        }
    }
}

#[test]
fn the_patterns_tried_are_worth_it() {
    use proptest::{
        strategy::{Strategy as _, ValueTree as _},
        test_runner::TestRunner,
    };
    let mut runner = TestRunner::deterministic();
    let mut tried = [0; 4];
    for _ in 0..400 {
        let pattern = patterns().new_tree(&mut runner).unwrap().current();
        let events = events(24).new_tree(&mut runner).unwrap().current();
        let Some(program) = program(&pattern, true).filter(|program| program.compact) else { continue };
        tried[3] += usize::from(program.courses.is_some());
        let found = run(program, &events, &[]).0.len();
        tried[0] += 1;
        tried[1] += usize::from(found > 0);
        tried[2] += usize::from(found > 5);
    }
    assert!(tried[0] > 100 && tried[1] > 60 && tried[2] > 15, "compact, found something, found much: {tried:?}");
    assert!(tried[3] > 50, "worked out beforehand: {tried:?}");
}

fn bytes(partition: &Partition) -> Vec<u8> {
    let mut writer = crate::model::Writer::new();
    partition.state.save(&mut writer);
    writer.into_bytes()
}

#[test]
fn sets_written_with_a_value_for_each_count_are_read() {
    let counting = |filter| {
        let pattern = any_loop().within(1_000).aggregate('b', count(filter));
        Program::new(&pattern, &[input()], &[output(node(Node::Aggregate(0), Type::Int))], None).unwrap()
    };
    let plain = || counting(None);
    let (mut before, mut expected) = (Partition::of(counting(Some(condition(8)))), Partition::of(plain()));
    assert!(before.program.summand_slots != expected.program.summand_slots);
    before.feed("a1 b2 a3 b4");
    expected.feed("a1 b2 a3 b4");
    let mut bytes = bytes(&before);
    // Behind what was dropped, which is nothing.
    assert_eq!(std::mem::replace(&mut bytes[1], 2), 4);
    let mut reader = Reader::new(&bytes);
    let mut after = Partition::of(plain());
    after.state = KeyState::load(&after.program, &mut reader).unwrap();
    assert!(reader.is_done());
    after.event('b', 5, Value::Null);
    after.event('c', 6, Value::Null);
    expected.feed("b5 c6");
    let values = |partition: &Partition| partition.out.iter().map(|output| output.values.clone()).collect::<Vec<_>>();
    assert_eq!(values(&after), values(&expected));
    assert_eq!(values(&after).len(), 7 + 3);
}

fn any_loop() -> Pattern {
    let mut pattern = pattern([v('a'), v('b').any().times(1, None).mode(Loop::Each), v('c').any()]);
    pattern.elements[1].quantifier.inner = crate::plan::Connect::Any;
    pattern.on_timeout = false;
    pattern
}

#[test]
fn of_too_many_matches_those_that_began_last_are_put_out_and_the_rest_is_counted_and_told() {
    let program = Program::new(&any_loop().within(1_000), &[input()], &[], None).unwrap().with_limits(100_000, 10);
    let mut partition = Partition::of(program);
    partition.feed("a1 b2 a3 b4 a5 b6 c7");
    // a1 has seven sets of b after it, a3 three, a5 one.
    assert_eq!(partition.out.len(), 10);
    let starts: Vec<i64> = partition.out.iter().map(|output| output.start_ms).collect();
    assert_eq!(starts, [1, 1, 1, 1, 1, 1, 3, 3, 3, 5]);
    assert!(partition.scratch.counts.shed >= 1 && partition.out[0].dropped >= 1);
}

#[test]
fn many_events_in_a_loop_cost_a_few_nodes_each_and_what_left_the_window_is_freed() {
    let mut partition = Partition::of(Program::new(&any_loop().within(500), &[input()], &[], None).unwrap());
    for at in 0..10_000 {
        partition.event(if at % 100 == 0 { 'a' } else { 'b' }, at, Value::Null);
    }
    let Form::Sets(sets) = &partition.state.form else { panic!("sets") };
    let held = sets.held();
    assert!(held.nodes.len() < 500 * 20, "{} nodes", held.nodes.len());
    assert_eq!(partition.state.deadline(), Some(9_900 + 500));
    assert!(sets.starts() <= 12, "{} starts", sets.starts());
    partition.advance(10_400);
    assert!(partition.state.is_idle());
    assert_eq!(partition.state.partial_matches(), 0);
}

#[test]
fn of_too_many_partial_matches_those_that_began_last_are_kept() {
    let chain = pattern([v('a'), v('b')]).skip(Skip::NoSkip);
    let chain = Pattern { on_timeout: false, ..chain };
    let program = Program::new(&chain, &[input()], &[], None).unwrap().with_limits(3, 100);
    let mut partition = Partition::of(program);
    partition.feed("a1 a2 a3 a4 a5 b6");
    assert_eq!(partition.found(), ["a2 b5 @6", "a3 b5 @6", "a4 b5 @6"]);
    assert_eq!(partition.scratch.counts.shed, 2);
    let told: Vec<u64> = partition.out.iter().map(|output| output.dropped).collect();
    assert_eq!(told, [2, 0, 0], "the next output tells it");
}
