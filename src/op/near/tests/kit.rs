//! A rule with NEAR by hand, and events for it.

use super::super::{KeyState, Program, Scratch};
use crate::{
    expr::{Builder, Compare, Env, Expr, Node, Nothing, Pick, Var, World},
    geo::Position,
    model::{Clock, Emission, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer},
    plan,
};

/// An output: time, the two ids, encounter, distance in metres, milliseconds together, which clock.
pub(super) type Said = (TimeMs, i64, i64, String, f64, TimeMs, bool);

/// An event: input, time, id, position, speed.
pub(super) type Ping = (usize, TimeMs, i64, Position, f64);

pub(super) fn expr(node: Node) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, Type::Any)
}

/// ON a.speed < limit AND b.speed < limit.
pub(super) fn both_slower_than(limit: f64) -> Expr {
    let mut builder = Builder::new();
    let slow = [0, 1].map(|var| {
        let speed = builder.push(Node::Var(Var { var, pick: Pick::Last(0) }, 0));
        let limit = builder.push(Node::Const(Value::Float(limit)));
        builder.push(Node::CompareFloat(Compare::Lt, speed, limit))
    });
    let root = builder.push(Node::And(slow.into_iter().collect()));
    builder.finish(root, Type::Bool)
}

/// 500 m, left at 700 m, positions valid for a minute, looked at at each position.
pub(super) fn near() -> plan::Near {
    plan::Near {
        names: ["a".to_owned(), "b".to_owned()],
        same: true,
        ids: vec![expr(Node::Field(0))],
        retained: vec![vec![expr(Node::Field(2))]],
        within_m: 500.0,
        leave_m: 700.0,
        valid_ms: 60_000,
        apart_ms: 60_000,
        align_ms: None,
        every_ms: None,
        all: false,
        on: None,
    }
}

/// The same between two streams.
pub(super) fn two_streams(near: plan::Near) -> plan::Near {
    plan::Near {
        same: false,
        ids: vec![expr(Node::Field(0)), expr(Node::Field(0))],
        retained: vec![near.retained[0].clone(), near.retained[0].clone()],
        ..near
    }
}

/// A kernel at work.
pub(super) struct Run {
    program: Program,
    state: KeyState,
    scratch: Scratch,
    pub(super) said: Vec<Said>,
}

impl Run {
    pub(super) fn new(near: &plan::Near) -> Self {
        let outputs = [Node::KeyPart(0), Node::KeyPart(1), Node::Extra(4), Node::Extra(5), Node::Extra(6)];
        let program = Program {
            near: near.clone(),
            slots: vec![(None, Some(1)); near.ids.len()],
            outputs: outputs.map(expr).into(),
            having: None,
            key_len: 2,
            approached: Value::text("approached"),
            together: Value::text("together"),
            separated: Value::text("separated"),
        };
        Self { state: program.blank(), program, scratch: Scratch::default(), said: Vec::new() }
    }

    pub(super) fn ping(&mut self, (input, time_ms, id, position, speed): Ping) {
        let values = [Value::Int(id), Value::Point(position), Value::Float(speed)];
        self.with_env(time_ms, &values, |run, env, out| {
            run.program.step(&mut run.state, &mut run.scratch, input, env, out);
        });
    }

    pub(super) fn advance(&mut self, to_ms: TimeMs) {
        self.with_env(to_ms, &[], |run, env, out| {
            run.program.advance(&mut run.state, &mut run.scratch, to_ms, Clock::Event, env, out);
        });
    }

    fn with_env(
        &mut self,
        time_ms: TimeMs,
        values: &[Value],
        run: impl FnOnce(&mut Self, &Env<'_>, &mut Vec<Emission>),
    ) {
        let header = Header { time_ms, partition: 0, offset: time_ms.unsigned_abs() };
        let world = World::default();
        let env = Env {
            event: EventRef { stream: StreamId(0), header: &header, values },
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &Key::default(),
            bound: &Nothing,
            world: &world,
        };
        let mut out = Vec::new();
        run(self, &env, &mut out);
        let said = out.into_iter().map(|emission| {
            let [Value::Int(a), Value::Int(b), Value::Text(what), Value::Float(metres), Value::Duration(together)] =
                emission.values.as_slice()
            else {
                panic!("{emission:?}")
            };
            assert_eq!(emission.start_ms + together, emission.time_ms);
            assert_eq!(Program::key(&self.program, &emission), Key::new(&[Value::Int(*a), Value::Int(*b)]));
            (emission.time_ms, *a, *b, what.as_str().to_owned(), *metres, *together, emission.clock.is_some())
        });
        self.said.extend(said);
    }

    /// Writes the state, and goes on from what is read of it.
    pub(super) fn reload(&mut self) {
        let bytes = self.bytes();
        let mut reader = Reader::new(&bytes);
        self.state = KeyState::load(&self.program, &mut reader).unwrap();
        assert!(reader.is_done());
        assert_eq!(self.bytes(), bytes);
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.state.save(&mut writer);
        writer.into_bytes()
    }

    pub(super) fn load(&self, bytes: &[u8]) -> Option<KeyState> {
        KeyState::load(&self.program, &mut Reader::new(bytes)).ok()
    }

    pub(super) fn deadline(&self) -> Option<TimeMs> {
        self.program.deadline(&self.state)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.is_idle()
    }

    pub(super) fn pairs(&self) -> usize {
        self.state.open_pairs()
    }
}
