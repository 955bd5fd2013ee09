//! What an output says: measures, HAVING, times, events, positions.

use super::{
    super::Program,
    kit::{Partition, field, input, node, not, output, pattern, v},
};
use crate::{
    expr::{Builder, Compare, Node, Pick, Var},
    geo::Position,
    model::{Clock, EmissionKind, Type, Value},
    plan::{Aggregate, AggregateKind, Skip},
};

fn over(kind: AggregateKind) -> Aggregate {
    Aggregate { kind, args: vec![Some(field(1))], filter: vec![None], ty: Type::Int }
}

#[test]
fn measures_look_at_the_match() {
    let pattern = pattern([v('a'), v('b').times(1, None), v('c')])
        .skip(Skip::Eager)
        .aggregate('b', over(AggregateKind::Sum))
        .aggregate('b', over(AggregateKind::Count))
        .aggregate('a', over(AggregateKind::Max));
    let pick = |var, pick| node(Node::Var(Var { var, pick }, 1), Type::Any);
    let outputs = [
        node(Node::Aggregate(0), Type::Int),
        node(Node::Aggregate(1), Type::Int),
        node(Node::Aggregate(2), Type::Int),
        pick(1, Pick::First(0)),
        pick(1, Pick::First(1)),
        pick(1, Pick::Last(0)),
        pick(1, Pick::Last(2)),
        pick(Var::ANY, Pick::Last(0)),
        pick(Var::ANY, Pick::First(1)),
        node(Node::VarTime(Var { var: 2, pick: Pick::Last(0) }), Type::Time),
        node(Node::SpanStart, Type::Time),
        pick(1, Pick::First(3)),
    ];
    let program = Program::new(&pattern, &[input()], &outputs.map(output), None).unwrap();
    let mut partition = Partition::of(program);
    for (at, (name, value)) in [('a', 7), ('b', 1), ('x', 9), ('b', 2), ('b', 4), ('c', 5)].into_iter().enumerate() {
        partition.event(name, at as i64 * 10, Value::Int(value));
        partition.reload();
    }
    let int = Value::Int;
    let expected = [
        int(7),
        int(3),
        int(7),
        int(1),
        int(2),
        int(4),
        int(1),
        int(5),
        int(1),
        Value::Time(50),
        Value::Time(0),
        Value::Null,
    ];
    assert_eq!(partition.out.len(), 1);
    assert_eq!(partition.out[0].values[..], expected);
}

#[test]
fn an_output_says_when_what_and_where() {
    let mut partition = Partition::new(&pattern([v('a'), not('b', Some(5))]).skip(Skip::Eager));
    let here = Position::new(2.0, 48.0).unwrap();
    partition.event('a', 1, Value::Point(here));
    partition.advance(9);
    let out = &partition.out[0];
    assert_eq!((out.kind, out.time_ms, out.start_ms, out.end_ms), (EmissionKind::Match, 6, 1, 6));
    assert_eq!(out.clock, Some(Clock::Event));
    assert_eq!(out.taken[0].position, Some(here));
}

#[test]
fn having_refuses_outputs_but_the_skip_still_applies() {
    let mut builder = Builder::new();
    let last = builder.push(Node::Var(Var { var: 1, pick: Pick::Last(0) }, 1));
    let three = builder.push(Node::Const(Value::Int(3)));
    let root = builder.push(Node::CompareValue(Compare::Ge, last, three));
    let having = builder.finish(root, Type::Bool);
    let pattern = pattern([v('a'), v('b')]).skip(Skip::Eager);
    let mut partition = Partition::of(Program::new(&pattern, &[input()], &[], Some(&having)).unwrap());
    for (at, (name, value)) in [('a', 0), ('b', 1), ('b', 5), ('a', 0), ('b', 5)].into_iter().enumerate() {
        partition.event(name, at as i64, Value::Int(value));
    }
    assert_eq!(partition.found(), ["a3 b4 @4"]);
}

#[test]
fn an_automaton_can_be_read() {
    let pattern = pattern([v('a'), v('b').times(1, None), not('n', Some(60_000)), v('c')]).within(3_600_000);
    let program = Program::new(&pattern, &[input()], &[], None).unwrap();
    let text = program.explain();
    for part in ["0 a: start", "take if a ->", "skip if", "after 1 min ->", "match", "window: less than 1 h"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(program.dot().starts_with("digraph pattern {") && program.dot().ends_with("}\n"));
}

#[test]
fn different_values_are_counted_once_each_on_every_way() {
    let mut pattern = pattern([v('a'), v('b').times(1, None), v('c')])
        .aggregate('a', over(AggregateKind::Distinct))
        .aggregate('b', over(AggregateKind::Distinct));
    pattern.elements[1].quantifier.mode = crate::plan::Loop::Each;
    let outputs = [node(Node::Aggregate(0), Type::Int), node(Node::Aggregate(1), Type::Int)].map(output);
    let mut partition = Partition::of(Program::new(&pattern, &[input()], &outputs, None).unwrap());
    let values = [2, 2, 1, 3, 1, 2, 4, 4, 1];
    partition.event('a', 0, Value::Int(7));
    for value in values {
        partition.event('b', 1, Value::Int(value));
        partition.event('b', 1, Value::Null);
        partition.reload();
    }
    partition.event('c', 2, Value::Int(9));
    let mut found: Vec<(usize, Value)> =
        partition.out.iter().map(|out| (out.taken.len(), out.values[1].clone())).collect();
    found.sort_by_key(|(taken, _)| *taken);
    let counts = (1..=2 * values.len()).map(|taken| {
        let of: std::collections::BTreeSet<i64> = values[..taken.div_ceil(2)].iter().copied().collect();
        (taken + 2, Value::Int(of.len() as i64))
    });
    assert_eq!(found, counts.collect::<Vec<_>>());
    assert!(partition.out.iter().all(|out| out.values[0] == Value::Int(1)));
}
