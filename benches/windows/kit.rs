//! What the parts share: random numbers, a window program of one aggregate.

use geocep::{
    expr::{Builder, Env, Expr, Node, Nothing, World},
    geo::Position,
    model::{Clock, Emission, EventRef, Header, Key, StreamId, TimeMs, Type, Value},
    op::window::{KeyState, Program, Scratch},
    plan::{Aggregate, AggregateKind, Input, Jitter, OutputField, Role, Window, WindowKind},
};

/// A small generator of even random numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// The program of windows with one aggregate, over the event's first field, or its second where that takes positions.
pub(crate) fn program(kind: AggregateKind, windows: WindowKind) -> Program {
    let expr = |node| {
        let mut builder = Builder::new();
        let root = builder.push(node);
        builder.finish(root, Type::Any)
    };
    use AggregateKind::{BoundingBox, Centroid, ConvexHull, PathLength};
    let field = u16::from(matches!(kind, PathLength | Centroid | BoundingBox | ConvexHull));
    let arg: Expr = expr(Node::Field(field));
    let aggregate = Aggregate { kind, args: vec![Some(arg)], filter: vec![None], ty: Type::Any };
    let window =
        Window { kind: windows, jitter: Jitter::Aligned, early_ms: None, late_ms: None, aggregates: vec![aggregate] };
    let exprs = vec![expr(Node::Aggregate(0))];
    let output = OutputField { name: "x".to_owned(), ty: Type::Any, role: Role::Measure, exprs };
    let input = Input {
        stream: StreamId(0),
        name: "e".to_owned(),
        id_slot: None,
        position_slot: None,
        before: None,
        key: vec![],
        prev: vec![],
        computed: vec![],
        after: None,
    };
    Program::new(&window, "w", 0, &[input], &[output], None).unwrap()
}

/// A number and a position.
pub(crate) fn values(number: u64) -> [Value; 2] {
    let (lon, lat) = ((number * 7 % 1_000) as f64 / 100.0, (number * 13 % 1_000) as f64 / 100.0);
    [Value::Int(number as i64), Value::Point(Position::new(lon, lat).unwrap())]
}

/// An event of the key.
pub(crate) fn step(
    program: &Program,
    state: &mut KeyState,
    scratch: &mut Scratch,
    world: &World,
    (time_ms, values): (TimeMs, &[Value]),
    out: &mut Vec<Emission>,
) {
    let header = Header { time_ms, partition: 0, offset: 0 };
    let env = Env {
        event: EventRef { stream: StreamId(0), header: &header, values },
        extra: &[],
        previous: None,
        computed: (&[], &[]),
        key: &Key::default(),
        bound: &Nothing,
        world,
    };
    if program.deadline(state).is_some_and(|due_ms| due_ms <= time_ms) {
        program.advance(state, scratch, time_ms, Clock::Event, &env, out);
    }
    program.step(state, scratch, 0, &env, out);
}
