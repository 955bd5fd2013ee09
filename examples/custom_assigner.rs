//! Windows of one's own: from one high water to the next, as a harbour master would count arrivals.
//!
//! A table of instants cuts time into windows; between two of them all events of a key fall into one. The assigner goes
//! into a window program as the built-in ones do; and under a name of its own rules can call it, `WINDOW tides('west')`. Run
//! with `cargo run --example custom_assigner`.

use geocep::{
    engine::{AtEnd, Engine, Inline, Options},
    expr::{Builder, Env, Expr, Node, Nothing, World},
    lang::{
        check::{Catalog, check},
        file::RuleFile,
    },
    model::{
        Batch, Clock, Emission, EventRef, Field, Header, Key, Schema, StreamId, TimeMs, Type, Value, format_duration,
        format_time, parse_time,
    },
    op::window::{Assigners, KeyState, Program, Scratch, Shape, Span, WindowAssigner},
    plan::{Aggregate, AggregateKind, Input, Jitter, OutputField, Role, Window, WindowKind},
};
use std::{error::Error, sync::Arc};

/// Windows from one instant of a table to the next. Before the first and after the last there is none.
#[derive(Debug)]
struct Tides {
    /// High waters, ascending.
    high_waters_ms: Vec<TimeMs>,
}

impl WindowAssigner for Tides {
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
        let next = self.high_waters_ms.partition_point(|&at_ms| at_ms + offset_ms <= time_ms);
        let at = |ix: usize| self.high_waters_ms.get(ix).map(|at_ms| at_ms + offset_ms);
        if let (Some(start_ms), Some(end_ms)) = (next.checked_sub(1).and_then(at), at(next)) {
            windows.push(Span { start_ms, end_ms });
        }
    }

    fn shape(&self) -> Shape {
        Shape::Apart
    }

    fn describe(&self) -> String {
        format!("from high water to high water ({} in the table)", self.high_waters_ms.len())
    }
}

/// A table of high waters.
const HIGH_WATERS: [&str; 4] =
    ["2026-03-01T04:12:00Z", "2026-03-01T16:37:00Z", "2026-03-02T05:01:00Z", "2026-03-02T17:24:00Z"];

/// An expression of one node.
fn expr(node: Node, ty: Type) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, ty)
}

fn output(name: &str, aggregate: u16, ty: Type) -> OutputField {
    let exprs = vec![expr(Node::Aggregate(aggregate), ty)];
    OutputField { name: name.to_owned(), ty, role: Role::Measure, exprs }
}

/// `MEASURES count(*) AS arrivals, max(draught) AS deepest`, over a stream whose slot 0 is the draught.
fn program(assigner: Tides) -> Result<Program, Box<dyn Error>> {
    let aggregate = |kind, arg, ty| Aggregate { kind, args: vec![Some(arg)], filter: vec![None], ty };
    let every = Expr::constant(Value::Bool(true), Type::Bool);
    let window = Window {
        // Not looked at: the assigner stands in its place.
        kind: WindowKind::Tumbling { size_ms: 1 },
        jitter: Jitter::Aligned,
        early_ms: None,
        late_ms: None,
        aggregates: vec![
            aggregate(AggregateKind::Count, every, Type::Int),
            aggregate(AggregateKind::Max, expr(Node::Field(0), Type::Float), Type::Float),
        ],
    };
    let input = Input {
        stream: StreamId(0),
        name: "arrivals".to_owned(),
        id_slot: None,
        position_slot: None,
        before: None,
        key: vec![],
        prev: vec![],
        computed: vec![],
        after: None,
    };
    let outputs = [output("arrivals", 0, Type::Int), output("deepest", 1, Type::Float)];
    Ok(Program::with_assigner(Arc::new(assigner), &window, "tides", 0, &[input], &outputs, None)?)
}

#[allow(clippy::print_stdout, reason = "an example shows its results")]
fn main() -> Result<(), Box<dyn Error>> {
    let high_waters_ms = HIGH_WATERS.iter().map(|text| parse_time(text)).collect::<Result<_, _>>()?;
    let program = program(Tides { high_waters_ms })?;
    print!("{}", program.explain());

    let arrivals = [
        ("2026-03-01T03:00:00Z", 4.0), // before the table: in no window
        ("2026-03-01T04:12:00Z", 5.5),
        ("2026-03-01T09:30:00Z", 7.25),
        ("2026-03-01T16:36:59Z", 6.0),
        ("2026-03-01T16:37:00Z", 8.5), // closes the first window
    ];
    let (key, world) = (Key::new(&[Value::text("west basin")]), World::default());
    let (mut state, mut scratch, mut results) = (KeyState::default(), Scratch::default(), Vec::new());
    for (offset, (at, draught)) in arrivals.into_iter().enumerate() {
        let values = [Value::Float(draught)];
        let header = Header { time_ms: parse_time(at)?, partition: 0, offset: offset as u64 };
        let env = env(EventRef { stream: StreamId(0), header: &header, values: &values }, &key, &world);
        program.step(&mut state, &mut scratch, 0, &env, &mut results);
    }
    // The end of the input: what is open closes, and the window after it gives the key's last, empty result.
    let end = Header { time_ms: TimeMs::MAX, partition: 0, offset: 0 };
    let env = env(EventRef { stream: StreamId(0), header: &end, values: &[] }, &key, &world);
    program.advance(&mut state, &mut scratch, TimeMs::MAX, Clock::Event, &env, &mut results);

    for Emission { start_ms, end_ms, values, .. } in &results {
        let (from, long) = (format_time(*start_ms), format_duration(end_ms - start_ms));
        match values.as_slice() {
            [Value::Int(arrivals), Value::Float(deepest)] => {
                println!("{from}, {long}: {arrivals} arrivals, deepest {deepest} m")
            }
            _ => println!("{from}, {long}: silent"),
        }
    }
    by_rule(&arrivals)
}

const RULES: &str = "
groups:
  - name: harbour
    rules:
      - alert: Arrivals
        expr: |
          FROM arrivals
          PARTITION BY basin
          WINDOW tides('west')
          MEASURES count(*) AS arrivals, max(draught) AS deepest
";

/// The same as a rule: the assigner is added under a name, and the rule says which table it wants.
#[allow(clippy::print_stdout, reason = "an example shows its results")]
fn by_rule(arrivals: &[(&str, f64)]) -> Result<(), Box<dyn Error>> {
    let assigners = Assigners::default().with("tides", |args| match args {
        [Value::Text(place)] if &**place == "west" => {
            let high_waters_ms = HIGH_WATERS.iter().map(|text| parse_time(text)).collect::<Result<_, _>>();
            Ok(Arc::new(Tides { high_waters_ms: high_waters_ms.map_err(|error| error.to_string())? }) as _)
        }
        _ => Err("`tides` takes a place that there is a table of: `tides('west')`".to_owned()),
    });
    let field = |name: &str, ty| Field { name: name.to_owned(), ty };
    let fields = vec![field("basin", Type::Text), field("draught", Type::Float)];
    let catalog = Catalog {
        sources: vec![("arrivals".to_owned(), Schema { fields, position: None, id: None, open: false })],
        windows: assigners.names(),
        ..Catalog::default()
    };
    let (file, _) = RuleFile::parse("harbour.yaml", RULES);
    let checked = check(&[file.ok_or("the rules can't be read")?], &catalog);
    let plan = Arc::new(checked.plan.ok_or("the rules have mistakes")?);
    let fields = &plan.streams[0].schema.fields;
    let options = Options { eager: true, ..Options::default() };
    let executor = Box::new(Inline);
    let mut engine = Engine::with_assigners(Arc::clone(&plan), Arc::default(), options, executor, &assigners)?;
    let partition = engine.add_partition(StreamId(0), 0, 0);
    let mut batch = Batch::new(fields.len());
    for (offset, (at, draught)) in arrivals.iter().enumerate() {
        let value =
            |field: &Field| if field.name == "basin" { Value::text("west basin") } else { Value::Float(*draught) };
        let header = Header { time_ms: parse_time(at)?, partition: 0, offset: offset as u64 };
        batch.push(header, fields.iter().map(value).collect::<Vec<_>>());
    }
    engine.push(partition, batch, &mut Vec::new());
    engine.advance();
    engine.finish(AtEnd::Drain);
    let mut outputs = Vec::new();
    engine.take(&mut outputs);
    println!("as a rule:");
    for output in &outputs {
        println!("{}: {:?}", format_time(output.emission.start_ms), output.emission.values);
    }
    Ok(())
}

fn env<'a>(event: EventRef<'a>, key: &'a Key, world: &'a World) -> Env<'a> {
    Env { event, extra: &[], previous: None, computed: (&[], &[]), key, bound: &Nothing, world }
}
