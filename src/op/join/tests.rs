//! Single cases, spelt out.

use super::{KeyState, Program, Scratch};
use crate::{
    expr::{Builder, Compare, Env, Expr, Node, Nothing, Pick, Var, World},
    model::{Clock, Emission, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer},
    plan::{Input, Join, Limits, OutputField, Role},
};

fn leaf(node: Node) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, Type::Int)
}

fn side(var: u16) -> Node {
    Node::Var(Var { var, pick: Pick::Last(0) }, 0)
}

/// `left.n < right.n`.
pub(super) fn rising() -> Expr {
    let mut builder = Builder::new();
    let (left, right) = (builder.push(side(0)), builder.push(side(1)));
    let root = builder.push(Node::CompareInt(Compare::Lt, left, right));
    builder.finish(root, Type::Bool)
}

/// `right.n IS NULL OR left.n <> 3`.
pub(super) fn not_three() -> Expr {
    let mut builder = Builder::new();
    let (left, right) = (builder.push(side(0)), builder.push(side(1)));
    let three = builder.push(Node::Const(Value::Int(3)));
    let parts = [builder.push(Node::IsNull(right)), builder.push(Node::CompareInt(Compare::Ne, left, three))];
    let root = builder.push(Node::Or(parts.into_iter().collect()));
    builder.finish(root, Type::Bool)
}

pub(super) fn plan(outer: bool, lower_ms: TimeMs, upper_ms: TimeMs) -> Join {
    Join {
        outer,
        lower_ms,
        upper_ms,
        kept: [vec![leaf(Node::Field(0))], vec![leaf(Node::Field(0))]],
        position: None,
        on: Vec::new(),
        conditions: Vec::new(),
    }
}

pub(super) fn program(plan: &Join, limits: Limits) -> Program {
    let input = |name: &str, at: u32| Input {
        stream: StreamId(at),
        name: name.to_owned(),
        id_slot: None,
        position_slot: None,
        before: None,
        key: Vec::new(),
        prev: Vec::new(),
        computed: Vec::new(),
        after: None,
    };
    let output = |name: &str, var: u16| OutputField {
        name: name.to_owned(),
        ty: Type::Int,
        role: Role::Measure,
        exprs: vec![leaf(side(var)); 2],
    };
    Program::new(plan, &[input("a", 0), input("b", 1)], &[output("l", 0), output("r", 1)], limits).unwrap()
}

/// A key's state, its program, and what came of it so far.
pub(super) struct Run {
    pub(super) program: Program,
    pub(super) state: KeyState,
    pub(super) scratch: Scratch,
    pub(super) out: Vec<Emission>,
    key: Key,
    world: World,
}

impl Run {
    pub(super) fn new(program: Program) -> Self {
        let (state, scratch) = (KeyState::default(), Scratch::default());
        Self { program, state, scratch, out: Vec::new(), key: Key::default(), world: World::default() }
    }

    fn env<'a>(&'a self, stream: u32, header: &'a Header, values: &'a [Value]) -> Env<'a> {
        Env {
            event: EventRef { stream: StreamId(stream), header, values },
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &self.key,
            bound: &Nothing,
            world: &self.world,
        }
    }

    pub(super) fn event(&mut self, input: usize, time_ms: TimeMs, n: i64) {
        let (mut state, mut scratch, mut out) =
            (std::mem::take(&mut self.state), std::mem::take(&mut self.scratch), std::mem::take(&mut self.out));
        let row = [Value::Int(n)];
        let header = Header { time_ms, partition: 0, offset: 0 };
        let env = self.env(input as u32, &header, &row);
        self.program.step(&mut state, &mut scratch, input, &env, &mut out);
        (self.state, self.scratch, self.out) = (state, scratch, out);
    }

    pub(super) fn time(&mut self, to_ms: TimeMs) {
        let (mut state, mut scratch, mut out) =
            (std::mem::take(&mut self.state), std::mem::take(&mut self.scratch), std::mem::take(&mut self.out));
        let header = Header { time_ms: to_ms, partition: 0, offset: 0 };
        let env = self.env(u32::MAX, &header, &[]);
        self.program.advance(&mut state, &mut scratch, to_ms, Clock::Event, &env, &mut out);
        (self.state, self.scratch, self.out) = (state, scratch, out);
    }

    pub(super) fn reload(&mut self) {
        let mut writer = Writer::new();
        self.state.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let state = KeyState::load(&self.program, &mut reader).unwrap();
        assert!(reader.is_done());
        assert_eq!((&state.left, &state.right, state.open), (&self.state.left, &self.state.right, self.state.open));
        self.state = state;
    }

    /// Time and both values of each output, and drops them.
    fn told(&mut self) -> Vec<(TimeMs, Value, Value)> {
        self.out.drain(..).map(|one| (one.time_ms, one.values[0].clone(), one.values[1].clone())).collect()
    }
}

fn run(outer: bool, lower_ms: TimeMs, upper_ms: TimeMs) -> Run {
    Run::new(program(&plan(outer, lower_ms, upper_ms), Limits::default()))
}

fn pair(time_ms: TimeMs, left: i64, right: i64) -> (TimeMs, Value, Value) {
    (time_ms, Value::Int(left), Value::Int(right))
}

fn alone(time_ms: TimeMs, left: i64) -> (TimeMs, Value, Value) {
    (time_ms, Value::Int(left), Value::Null)
}

#[test]
fn both_bounds_are_inclusive_and_the_later_event_decides() {
    let mut run = run(false, -5, 10);
    for (input, time, n) in [(1, 94, 1), (1, 95, 2), (0, 100, 3), (1, 110, 4), (1, 111, 5)] {
        run.event(input, time, n);
    }
    assert_eq!(run.told(), [pair(100, 3, 2), pair(110, 3, 4)]);
}

#[test]
fn a_left_event_without_a_partner_is_put_out_at_the_first_instant_at_which_none_can_come() {
    let mut run = run(true, -5, 10);
    run.event(0, 100, 1);
    run.time(110);
    assert_eq!(run.told(), []);
    run.event(1, 110, 2);
    run.event(0, 112, 3);
    run.time(200);
    assert_eq!(run.told(), [pair(110, 1, 2), pair(112, 3, 2)]);
    run.event(0, 300, 4);
    run.time(400);
    assert_eq!(run.told(), [alone(311, 4)]);
    assert!(run.state.is_idle());
}

#[test]
fn where_no_partner_can_come_after_it_a_left_event_is_decided_at_once() {
    let mut run = run(true, -10, -1);
    run.event(1, 95, 1);
    run.event(0, 100, 2);
    run.event(0, 106, 3);
    assert_eq!(run.told(), [pair(100, 2, 1), alone(106, 3)]);
    assert_eq!(run.state.left.len(), 0, "left events are never kept");
}

#[test]
fn of_one_instant_either_may_come_first() {
    for order in [[(0, 1), (1, 2)], [(1, 2), (0, 1)]] {
        let mut run = run(true, 0, 0);
        order.into_iter().for_each(|(input, n)| run.event(input, 7, n));
        run.time(8);
        assert_eq!(run.told(), [pair(7, 1, 2)]);
        assert!(run.state.is_idle());
    }
}

#[test]
fn a_silent_key_is_forgotten_with_its_last_deadline() {
    let mut run = run(false, -20, 10);
    run.event(0, 100, 1);
    run.event(1, 100, 2);
    assert_eq!(run.program.deadline(&run.state), Some(121));
    run.time(120);
    assert_eq!(run.state.events(), 2, "between deadlines nothing happens");
    run.time(121);
    assert!(run.state.is_idle());
}

#[test]
fn beyond_the_bound_the_oldest_is_dropped_and_the_next_output_says_so() {
    let limits = Limits { partial_matches: Some(2), matches_per_event: None };
    let mut run = Run::new(program(&plan(false, -100, 100), limits));
    for n in 1..=4 {
        run.event(0, n, n);
    }
    run.event(1, 5, 9);
    assert_eq!(run.scratch.shed, 3, "two left events, and one more for the right one");
    assert_eq!(run.out[0].dropped, 2);
    assert_eq!(run.told(), [pair(5, 3, 9), pair(5, 4, 9)]);
}

#[test]
fn of_too_many_pairs_of_one_event_the_latest_are_put_out() {
    let limits = Limits { partial_matches: None, matches_per_event: Some(2) };
    let mut run = Run::new(program(&plan(false, -100, 100), limits));
    for n in 1..=4 {
        run.event(0, n, n);
    }
    run.event(1, 5, 9);
    assert_eq!((run.scratch.shed, run.out[0].dropped), (2, 2));
    assert_eq!(run.told(), [pair(5, 3, 9), pair(5, 4, 9)]);
}

#[test]
fn bounds_beyond_all_times_overflow_nothing() {
    let mut run = run(true, i64::MIN, i64::MAX);
    run.event(0, i64::MIN, 1);
    run.event(1, i64::MAX, 2);
    run.event(0, i64::MAX, 3);
    run.time(i64::MAX);
    assert_eq!(run.told().len(), 2);
}

#[test]
fn bytes_that_are_no_state_are_refused_and_never_panic() {
    let program = program(&plan(true, -5, 5), Limits::default());
    let mut run = Run::new(program);
    (0..5).for_each(|n| run.event((n % 2) as usize, 10 + n, n));
    let mut writer = Writer::new();
    run.state.save(&mut writer);
    let bytes = writer.into_bytes();
    for cut in 0..bytes.len() {
        assert!(KeyState::load(&run.program, &mut Reader::new(&bytes[..cut])).is_err());
        let mut other = bytes.clone();
        other[cut] ^= 0xA5;
        let _ = KeyState::load(&run.program, &mut Reader::new(&other));
    }
}
