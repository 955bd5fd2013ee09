//! The cases: something to do again and again, with all it needs made before.

use geocep::{
    engine::{Engine, Inline, Options, Output},
    geo::{Cell, Fence, FenceIx, FenceSet, Position, Resolution, Shape, Validity},
    model::{Batch, Header, StreamId, TimeMs, Value},
    op::cluster::{Config as RegionConfig, Emit, Load, Regions},
    plan::StreamOrigin,
    runtime::{
        config::Config,
        project::{Loaded, Project},
        session::{LaneIx, Session},
    },
    time::PartitionIx,
    wire::{Chunk, Format},
};
use std::{collections::BTreeMap, hint::black_box, path::Path, sync::Arc};

/// Something to measure.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// How many events, look-ups, changes or keys one call is.
    pub(crate) events: f64,
    pub(crate) make: fn() -> Box<dyn FnMut()>,
}

const fn case(name: &'static str, what: &'static str, events: usize, make: fn() -> Box<dyn FnMut()>) -> Case {
    Case { name, what, events: events as f64, make }
}

/// Events of a batch, and of one call.
const EVENTS: usize = 256;
const KEYS: usize = 1_000;
const CELLS: usize = 256;

pub(crate) static CASES: [Case; 10] = [
    case("decode", "a JSON line of seven fields, of which a pattern reads three", EVENTS, decode),
    case("expression", "a condition of five comparisons in an engine, no alert", EVENTS, expression),
    case("pattern", "`stop -> idle+ -> move` of a key among 1,000, one event in thirty ends a match", EVENTS, pattern),
    case("pattern-idle", "the same pattern, an event that nothing waits for", EVENTS, pattern_idle),
    case("window", "count and mean over a minute for each key", EVENTS, window),
    case("window-close", "the same where each event closes a window", EVENTS, window_close),
    case("cell", "the H3 cell of a position", EVENTS, cell),
    case("fence", "the fences of a position, of 1,000", EVENTS, fence),
    case("region", "a cell that turns hot or cold, told and followed", CELLS, region),
    case("checkpoint", "a key's state in a cut", KEYS, checkpoint),
];

/// A small generator of even random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (self.next() >> 11) as f64 / (1u64 << 53) as f64 * (high - low)
    }
}

const CONFIG: &str = "
sources:
  pings:
    stdin:
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, type: string, speed: float, heading: int }
";

const SEQUENCE: &str = "FROM pings PARTITION BY id PATTERN a -> b+ -> c WITHIN 600001 ms
          DEFINE a AS type = 'stop', b AS type = 'idle', c AS type = 'move'
          AFTER MATCH SKIP TO NEXT ROW";

fn project(expr: &str) -> Project {
    let rules = format!("groups:\n  - name: hot\n    rules:\n      - alert: Hot\n        expr: |\n          {expr}\n");
    let config = Config::parse(CONFIG, Path::new(""), &[], &|_| None).unwrap();
    let loaded = Loaded::of_text(config, "hot.yaml", &rules, BTreeMap::new());
    loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"))
}

fn decode() -> Box<dyn FnMut()> {
    let project = project(SEQUENCE);
    let mut session = Session::new(&project, Options::default(), Box::new(Inline)).unwrap();
    let schema = &project.config.sources["pings"].schema;
    let lane: LaneIx = session.add_partition("pings", schema, Format::Ndjson, 0, 0).unwrap();
    let (mut chunk, mut random) = (Chunk::new(), Random(1));
    for at in 0..EVENTS as u64 {
        let line = format!(
            "{{\"ts\":{},\"id\":\"v{:07}\",\"type\":\"move\",\"lon\":{:.6},\"lat\":{:.6},\"speed\":{:.1},\"heading\":{}}}",
            1_700_000_000_000 + at * 3,
            random.below(10_000),
            random.between(-58.7, -58.2),
            random.between(-34.8, -34.4),
            random.between(0.0, 40.0),
            random.below(360)
        );
        chunk.push(0, at, line.as_bytes(), 1 << 20);
    }
    Box::new(move || drop(black_box(session.decode(lane, black_box(&chunk)))))
}

/// Events through an engine.
struct Run {
    engine: Engine,
    partition: PartitionIx,
    slots: Vec<String>,
    ids: Vec<Value>,
    types: [Value; 4],
    now_ms: TimeMs,
    step_ms: TimeMs,
    offset: u64,
    random: Random,
    outputs: Vec<Output>,
}

impl Run {
    fn new(expr: &str, keys: usize, step_ms: TimeMs) -> Self {
        let project = project(expr);
        let (plan, world) = (Arc::clone(&project.plan), Arc::clone(&project.world));
        let mut engine = Engine::new(plan, world, Options::default(), Box::new(Inline)).unwrap();
        let at = project.plan.streams.iter().position(|stream| stream.origin == StreamOrigin::Source).unwrap();
        let slots = project.plan.streams[at].schema.fields.iter().map(|field| field.name.clone()).collect();
        let partition = engine.add_partition(StreamId(at as u32), 0, 0);
        let ids = (0..keys).map(|key| Value::text(&format!("v{key:07}"))).collect();
        let types = ["stop", "idle", "move", "ping"].map(Value::text);
        let (random, outputs) = (Random(1), Vec::new());
        Self { engine, partition, slots, ids, types, now_ms: 0, step_ms, offset: 0, random, outputs }
    }

    /// Puts a batch through; the types are as many of each in 16.
    fn go(&mut self, kinds: [usize; 4]) {
        let width = self.slots.len();
        let mut batch = self.engine.spare(width).unwrap_or_else(|| Batch::new(width));
        for _ in 0..EVENTS {
            self.now_ms += self.step_ms;
            let id = self.random.below(self.ids.len());
            let mut share = self.random.below(16);
            let kind = kinds.iter().position(|&part| {
                let found = share < part;
                share = share.saturating_sub(part);
                found
            });
            let header = Header { time_ms: self.now_ms, partition: 0, offset: self.offset };
            self.offset += 1;
            let value = |name: &String| match name.as_str() {
                "id" => self.ids[id].clone(),
                "type" => self.types[kind.unwrap_or(3)].clone(),
                "speed" => Value::Float((self.offset % 40) as f64),
                "heading" => Value::Int((self.offset % 360) as i64),
                _ => Value::Null,
            };
            batch.push(header, self.slots.iter().map(value));
        }
        self.engine.push(self.partition, batch, &mut Vec::new());
        self.engine.advance();
        self.outputs.clear();
        self.engine.take(&mut self.outputs);
        black_box(&self.outputs);
    }
}

/// As often as it takes for tables and pages to have their size.
fn warm(mut run: Run, kinds: [usize; 4]) -> Box<dyn FnMut()> {
    for _ in 0..40 {
        run.go(kinds);
    }
    Box::new(move || run.go(kinds))
}

fn expression() -> Box<dyn FnMut()> {
    let condition = "speed * 3 > 200 OR heading < 0 AND type = 'stop' OR speed < 0 AND NOT (heading BETWEEN 10 AND 20)";
    warm(Run::new(&format!("FROM pings WHERE {condition}"), KEYS, 3), [2, 3, 5, 6])
}

fn pattern() -> Box<dyn FnMut()> {
    warm(Run::new(SEQUENCE, KEYS, 30), [2, 3, 9, 2])
}

fn pattern_idle() -> Box<dyn FnMut()> {
    let mut run = Run::new(SEQUENCE, KEYS, 30);
    for _ in 0..40 {
        run.go([2, 3, 9, 2]);
    }
    warm(run, [0, 0, 0, 16])
}

const COUNTS: &str =
    "FROM pings PARTITION BY id WINDOW TUMBLING 1 min MEASURES count(*) AS n, avg(speed) AS mean HAVING n > 1000";

fn window() -> Box<dyn FnMut()> {
    warm(Run::new(COUNTS, KEYS, 3), [2, 3, 9, 2])
}

fn window_close() -> Box<dyn FnMut()> {
    warm(Run::new(COUNTS, KEYS, 60_000), [2, 3, 9, 2])
}

fn positions(count: usize, random: &mut Random) -> Vec<Position> {
    let at = |_| Position::new(random.between(-10.0, 30.0), random.between(36.0, 60.0)).unwrap();
    (0..count).map(at).collect()
}

fn cell() -> Box<dyn FnMut()> {
    let (places, resolution) = (positions(EVENTS, &mut Random(1)), Resolution::new(8).unwrap());
    Box::new(move || {
        for &place in &places {
            black_box(Cell::at(black_box(place), resolution));
        }
    })
}

fn fence() -> Box<dyn FnMut()> {
    let mut random = Random(1);
    let make = |at: usize| {
        let (x, y) = (random.between(-10.0, 30.0), random.between(36.0, 60.0));
        let corners = 20 + random.below(181);
        let mut ring: Vec<[f64; 2]> = (0..corners)
            .map(|corner| {
                let (sin, cos) = (corner as f64 / corners as f64 * std::f64::consts::TAU).sin_cos();
                let r = random.between(0.7, 1.0);
                [x + r * cos, y + r * sin]
            })
            .collect();
        ring.push(ring[0]);
        let (id, shape) = (format!("f{at:04}"), Shape::polygon(&[ring]).unwrap());
        Fence { id, properties: vec![], shape, valid: Validity::ALWAYS }
    };
    let set = FenceSet::new((0..1_000).map(make).collect()).unwrap();
    let places = positions(EVENTS, &mut Random(2));
    let mut found: Vec<FenceIx> = Vec::new();
    Box::new(move || {
        for &place in &places {
            set.locate(black_box(place), &mut found);
            black_box(&found);
        }
    })
}

/// Of the cells around a place seven of ten are hot; with each tick so many change.
fn region() -> Box<dyn FnMut()> {
    let centre = Cell::at(Position::new(8.0, 50.0).unwrap(), Resolution::new(9).unwrap());
    let all = centre.disk(40).unwrap();
    let mut regions = Regions::new(RegionConfig::default()).unwrap();
    let mut random = Random(1);
    let mut hot: Vec<bool> = all.iter().map(|_| random.below(10) < 7).collect();
    let load = || Load { weight: 10.0, ..Load::default() };
    all.iter().zip(&hot).filter(|(_, hot)| **hot).for_each(|(&cell, _)| regions.heat(cell, load()));
    regions.evaluate(0, Emit::Changes);
    let mut tick = 0;
    Box::new(move || {
        tick += 1;
        for _ in 0..CELLS {
            let at = random.below(all.len());
            hot[at] = !hot[at];
            if hot[at] { regions.heat(all[at], load()) } else { regions.cool(all[at]) }
        }
        black_box(regions.evaluate(tick, Emit::Changes));
    })
}

fn checkpoint() -> Box<dyn FnMut()> {
    let mut run = Run::new(SEQUENCE, KEYS, 30);
    for _ in 0..40 {
        run.go([2, 3, 0, 11]);
    }
    Box::new(move || {
        black_box(run.engine.cut().payloads());
    })
}
