//! A line against the same partial matches kept one by one: the same matches, whatever the conditions, the window, what a match
//! ends, and the moments at which the state was saved.

use crate::{
    expr::{Builder, Compare, Expr, Node, Pick, Var},
    model::{Emission, Reader, Type, Value},
    op::pattern::{
        KeyState, Program,
        state::Form,
        tests::{
            fuzz::events,
            kit::{Partition, input, node, output, pattern_of, v},
        },
    },
    plan::{Pattern, Skip},
};
use proptest::prelude::*;

/// Conditions of some kinds: anything, a letter, more than the event before, more than the first event, later than the one before.
fn condition(kind: u8, at: u16) -> Expr {
    let mut builder = Builder::new();
    let value = builder.push(Node::Field(1));
    let before = |back: u16| Var { var: at.saturating_sub(back), pick: Pick::Last(0) };
    let root = match kind {
        0 => builder.push(Node::Const(Value::Bool(true))),
        1 => {
            let (name, letter) = (builder.push(Node::Field(0)), builder.push(Node::Const(Value::text("a"))));
            builder.push(Node::CompareValue(Compare::Ne, name, letter))
        }
        2..=5 => {
            let other = builder.push(Node::Var(before(1), 1));
            builder.push(Node::CompareInt(Compare::Gt, value, other))
        }
        6 => {
            let other = builder.push(Node::Var(Var { var: 0, pick: Pick::First(0) }, 1));
            builder.push(Node::CompareInt(Compare::Ge, value, other))
        }
        7 => {
            let other = builder.push(Node::Var(Var { var: Var::ANY, pick: Pick::First(1) }, 1));
            let more = builder.push(Node::CompareInt(Compare::Ge, value, other));
            let none = builder.push(Node::IsNull(other));
            builder.push(Node::Or([more, none].into_iter().collect()))
        }
        _ => {
            let (now, then) = (builder.push(Node::Time), builder.push(Node::VarTime(before(2))));
            builder.push(Node::CompareInt(Compare::Gt, now, then))
        }
    };
    builder.finish(root, Type::Bool)
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let skip = prop_oneof![
        Just(Skip::Eager),
        Just(Skip::NoSkip),
        Just(Skip::ToNextRow),
        Just(Skip::PastLastRow),
        (0..2u16, any::<bool>()).prop_map(|(var, or_fail)| Skip::ToFirst { var, or_fail }),
        (0..2u16, any::<bool>()).prop_map(|(var, or_fail)| Skip::ToLast { var, or_fail }),
    ];
    (prop::collection::vec(0..9u8, 2..6), prop::option::weighted(0.8, 1..10i64), skip).prop_map(
        |(kinds, within_ms, skip)| {
            let elements = ('a'..).take(kinds.len()).map(|name| v(name).strict()).collect();
            let mut pattern = pattern_of(elements).skip(skip);
            (pattern.within_ms, pattern.on_timeout) = (within_ms, false);
            for ((variable, kind), at) in pattern.variables.iter_mut().zip(kinds).zip(0..) {
                variable.conditions = vec![Some(condition(kind, at))];
            }
            pattern
        },
    )
}

fn program(pattern: &Pattern) -> Option<Program> {
    let first = Node::Var(Var { var: 0, pick: Pick::Last(0) }, 1);
    Program::new(pattern, &[input()], &[output(node(first, Type::Int))], None).ok()
}

fn run(program: Program, events: &[(char, i64, i64)], saves: &[bool]) -> (Vec<Emission>, Partition) {
    let mut partition = Partition::of(program);
    partition.play(events, saves, |_| {});
    (std::mem::take(&mut partition.out), partition)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn a_line_and_single_partial_matches_find_the_same(
        pattern in patterns(),
        events in events(24),
        saves in prop::collection::vec(any::<bool>(), 24),
    ) {
        let Some(line) = program(&pattern) else { return Ok(()) };
        if line.line.is_none() {
            return Ok(());
        }
        let (expected, mut single) = run(program(&pattern).unwrap().one_by_one(), &events, &[]);
        let (found, mut partition) = run(line, &events, &[]);
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(partition.scratch.counts, single.scratch.counts);
        let (again, saved) = run(program(&pattern).unwrap(), &events, &saves);
        prop_assert_eq!(&again, &expected);
        prop_assert_eq!(saved.state.partial_matches(), partition.state.partial_matches());
        // What is out of time goes when time passes at the latest.
        let last = events.iter().map(|event| event.1).sum();
        partition.advance(last);
        single.advance(last);
        prop_assert_eq!(partition.state.is_idle(), single.state.is_idle());
        partition.advance(i64::MAX);
        prop_assert_eq!(partition.state.deadline(), None);
    }

    #[test]
    fn what_an_earlier_form_holds_goes_on_in_it_and_a_line_that_is_edited_goes_on_one_by_one(
        pattern in patterns(),
        events in events(24),
        at in 0..24usize,
    ) {
        let Some(line) = program(&pattern) else { return Ok(()) };
        if line.line.is_none() {
            return Ok(());
        }
        let (first, second) = events.split_at(at.min(events.len()));
        let (expected, _) = run(program(&pattern).unwrap().one_by_one(), &events, &[]);
        let now = first.iter().map(|event| event.1).sum::<i64>();
        for earlier in [true, false] {
            let begun = program(&pattern).unwrap();
            let (mut found, mut partition) = run(if earlier { begun.one_by_one() } else { begun }, first, &[]);
            partition.program = program(&pattern).unwrap();
            if earlier {
                partition.reload();
            } else {
                let goes_on = vec![true; partition.program.states.len()];
                partition.state.migrate(&partition.program, &goes_on);
                prop_assert!(!matches!(partition.state.form, Form::Line(_)));
            }
            let mut now = now;
            for &(name, pause, value) in second {
                now += pause;
                partition.event(name, now, Value::Int(value));
            }
            found.append(&mut partition.out);
            let ends = |all: &[Emission]| all.iter().map(|one| (one.start_ms, one.end_ms, one.taken.clone())).collect::<Vec<_>>();
            prop_assert_eq!(ends(&found), ends(&expected));
        }
    }

    #[test]
    fn broken_bytes_of_a_line_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let pattern = pattern_of(vec![v('a').strict(), v('b').strict(), v('c').strict()]);
        let pattern = Pattern { on_timeout: false, ..pattern.skip(Skip::PastLastRow) };
        let line = program(&pattern).unwrap();
        prop_assert!(line.line.is_some());
        let _ = KeyState::load(&line, &mut Reader::new(&bytes));
        let mut framed = vec![0, 3];
        framed.extend(bytes);
        let _ = KeyState::load(&line, &mut Reader::new(&framed));
    }
}

#[test]
fn questions_that_are_the_same_from_where_they_are_asked_are_one() {
    let mut pattern = pattern_of(('a'..='e').map(|name| v(name).strict()).collect()).skip(Skip::NoSkip);
    pattern.on_timeout = false;
    for (at, variable) in (0..).zip(&mut pattern.variables) {
        variable.conditions = vec![Some(condition(if at == 0 { 0 } else { 2 }, at))];
    }
    let line = program(&pattern).unwrap().line.unwrap();
    assert_eq!(line.questions, [0b1_1110]);
}
