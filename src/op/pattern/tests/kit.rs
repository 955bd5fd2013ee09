//! Patterns and events in few words. Variable `a` takes events named `a`; an event is a letter and its time.

use super::super::{BuildError, KeyState, Program, Scratch};
use crate::{
    expr::{Builder, Compare, Env, Expr, Node, Nothing, World},
    model::{
        Clock, Emission, EmissionKind, EventId, EventRef, Header, Key, Reader, StreamId, TimeMs, Type, Value, Writer,
    },
    plan::{Aggregate, Connect, Element, Input, Loop, OutputField, Pattern, Quantifier, Role, Skip, Term, Variable},
};

pub(in crate::op::pattern) fn term(name: char) -> Term {
    Term::Variable(name as u16 - 'a' as u16)
}

/// An element that follows relaxed.
pub(in crate::op::pattern) fn element(term: Term) -> Element {
    Element { connect: Connect::Relaxed, term, quantifier: Quantifier::once(), within_previous_ms: None }
}

pub(in crate::op::pattern) fn v(name: char) -> Element {
    element(term(name))
}

pub(in crate::op::pattern) fn not(name: char, for_ms: Option<TimeMs>) -> Element {
    element(Term::Not { term: Box::new(term(name)), for_ms })
}

pub(in crate::op::pattern) fn group<const N: usize>(elements: [Element; N]) -> Element {
    element(Term::Group(elements.into()))
}

impl Element {
    pub(in crate::op::pattern) fn strict(mut self) -> Self {
        self.connect = Connect::Strict;
        self
    }

    pub(in crate::op::pattern) fn any(mut self) -> Self {
        self.connect = Connect::Any;
        self
    }

    pub(in crate::op::pattern) fn times(mut self, min: u32, max: impl Into<Option<u32>>) -> Self {
        (self.quantifier.min, self.quantifier.max) = (min, max.into());
        self
    }

    pub(in crate::op::pattern) fn mode(mut self, mode: Loop) -> Self {
        self.quantifier.mode = mode;
        self
    }

    pub(in crate::op::pattern) fn inner(mut self, inner: Connect) -> Self {
        self.quantifier.inner = inner;
        self
    }

    pub(in crate::op::pattern) fn until(mut self, name: char) -> Self {
        self.quantifier.until = Some(vec![Some(named(name))]);
        self
    }

    pub(in crate::op::pattern) fn loop_within(mut self, ms: TimeMs) -> Self {
        self.quantifier.within_ms = Some(ms);
        self
    }

    pub(in crate::op::pattern) fn of_previous(mut self, ms: TimeMs) -> Self {
        self.within_previous_ms = Some(ms);
        self
    }
}

pub(in crate::op::pattern) fn field(slot: u16) -> Expr {
    node(Node::Field(slot), Type::Any)
}

pub(in crate::op::pattern) fn node(node: Node, ty: Type) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, ty)
}

fn named(name: char) -> Expr {
    let mut builder = Builder::new();
    let (field, value) = (builder.push(Node::Field(0)), builder.push(Node::Const(Value::text(&name.to_string()))));
    let root = builder.push(Node::CompareValue(Compare::Eq, field, value));
    builder.finish(root, Type::Bool)
}

/// A pattern of these elements: no skip, no window, timeouts are outputs.
pub(in crate::op::pattern) fn pattern<const N: usize>(elements: [Element; N]) -> Pattern {
    pattern_of(elements.into())
}

pub(in crate::op::pattern) fn pattern_of(elements: Vec<Element>) -> Pattern {
    let variable = |name: char| Variable { name: name.to_string(), conditions: vec![Some(named(name))] };
    Pattern {
        variables: ('a'..='z').map(variable).collect(),
        elements,
        within_ms: None,
        skip: Skip::NoSkip,
        on_timeout: true,
        all_rows: false,
        retained: vec![vec![field(0), field(1)]],
        retained_types: vec![Type::Text, Type::Any],
        track: Some(1),
        aggregates: Vec::new(),
    }
}

impl Pattern {
    pub(in crate::op::pattern) fn within(mut self, ms: TimeMs) -> Self {
        self.within_ms = Some(ms);
        self
    }

    pub(in crate::op::pattern) fn skip(mut self, skip: Skip) -> Self {
        self.skip = skip;
        self
    }

    pub(in crate::op::pattern) fn aggregate(mut self, name: char, aggregate: Aggregate) -> Self {
        self.aggregates.push((name as u16 - 'a' as u16, aggregate));
        self
    }
}

pub(in crate::op::pattern) fn output(expr: Expr) -> OutputField {
    OutputField { name: "x".to_owned(), ty: expr.ty(), role: Role::Measure, exprs: vec![expr] }
}

pub(in crate::op::pattern) fn input() -> Input {
    Input {
        stream: StreamId(0),
        name: "events".to_owned(),
        id_slot: None,
        position_slot: Some(1),
        before: None,
        key: Vec::new(),
        prev: Vec::new(),
        computed: Vec::new(),
        after: None,
    }
}

/// One partition under test.
pub(in crate::op::pattern) struct Partition {
    pub(in crate::op::pattern) program: Program,
    pub(in crate::op::pattern) state: KeyState,
    pub(in crate::op::pattern) scratch: Scratch,
    pub(in crate::op::pattern) out: Vec<Emission>,
    names: Vec<char>,
}

impl Partition {
    pub(in crate::op::pattern) fn new(pattern: &Pattern) -> Self {
        Self::of(Program::new(pattern, &[input()], &[], None).unwrap())
    }

    pub(in crate::op::pattern) fn of(program: Program) -> Self {
        let (state, scratch) = (KeyState::default(), Scratch::default());
        Self { program, state, scratch, out: Vec::new(), names: Vec::new() }
    }

    pub(in crate::op::pattern) fn event(&mut self, name: char, time_ms: TimeMs, value: Value) {
        self.names.push(name);
        let values = [Value::text(&name.to_string()), value];
        let offset = (self.names.len() - 1) as u64;
        with_env(&values, time_ms, offset, |env| {
            self.program.step(&mut self.state, &mut self.scratch, 0, env, &mut self.out);
        });
    }

    pub(in crate::op::pattern) fn advance(&mut self, to_ms: TimeMs) {
        with_env(&[], to_ms, 0, |env| {
            self.program.advance(&mut self.state, &mut self.scratch, to_ms, Clock::Event, env, &mut self.out);
        });
    }

    /// `a1 b2 |9`: an a at 1, a b at 2, then the time moves to 9. `$`: to the end.
    pub(in crate::op::pattern) fn feed(&mut self, events: &str) {
        for word in events.split_whitespace() {
            let mut chars = word.chars();
            match (chars.next().unwrap(), chars.as_str()) {
                ('$', _) => self.advance(TimeMs::MAX),
                ('|', to) => self.advance(to.parse().unwrap()),
                (name, at) => self.event(name, at.parse().unwrap(), Value::Null),
            }
        }
    }

    /// The outputs: events taken with their times, and when it was decided; `!` before partial matches.
    pub(in crate::op::pattern) fn found(&self) -> Vec<String> {
        self.out.iter().map(|emission| self.text(emission)).collect()
    }

    fn text(&self, emission: &Emission) -> String {
        let mut text = String::from(if emission.kind == EmissionKind::TimedOut { "! " } else { "" });
        for taken in &emission.taken {
            let EventId::Offset { offset, .. } = taken.id else { panic!("events have no id field") };
            text.push(char::from(b'a' + taken.var as u8));
            text.push_str(&format!("{offset} "));
        }
        text + &format!("@{}", emission.time_ms)
    }

    /// Takes events of a name, a pause and a value; time passes first where the pause is 3, and the state is written and read after the
    /// events that are marked. After each event `then` may look.
    pub(in crate::op::pattern) fn play(
        &mut self,
        events: &[(char, i64, i64)],
        saves: &[bool],
        mut then: impl FnMut(&mut Self),
    ) {
        let mut now = 0;
        for (at, &(name, pause, value)) in events.iter().enumerate() {
            now += pause;
            if pause == 3 {
                self.advance(now - 1);
            }
            self.event(name, now, Value::Int(value));
            if saves.get(at).copied().unwrap_or_default() {
                self.reload();
            }
            then(self);
        }
    }

    /// Writes and reads the state.
    pub(in crate::op::pattern) fn reload(&mut self) {
        let mut writer = Writer::new();
        self.state.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        self.state = KeyState::load(&self.program, &mut reader).unwrap();
        assert!(reader.is_done());
    }
}

/// Why a pattern is refused, if it is.
pub(super) fn refusal(pattern: &Pattern) -> Option<BuildError> {
    Program::new(pattern, &[input()], &[], None).err()
}

/// What a pattern finds. The number after a variable is the event's place in the list, from 0.
pub(in crate::op::pattern) fn found(pattern: &Pattern, events: &str) -> Vec<String> {
    let mut partition = Partition::new(pattern);
    partition.feed(events);
    partition.found()
}

pub(in crate::op::pattern) fn with_env(values: &[Value], time_ms: TimeMs, offset: u64, work: impl FnOnce(&Env<'_>)) {
    let (key, world) = (Key::new([]), World::default());
    let header = Header { time_ms, partition: 0, offset };
    let event = EventRef { stream: StreamId(0), header: &header, values };
    work(&Env { event, extra: &[], previous: None, computed: (&[], &[]), key: &key, bound: &Nothing, world: &world });
}
