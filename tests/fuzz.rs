//! Random and mutated input for every parser and decoder: whatever comes in, nothing panics, hangs or grows without bound.
//!
//! `PROPTEST_CASES` says how many cases each target gets; by default few. What a case finds stays as a plain test near the code.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and say why it did nothing")]

mod common;
#[path = "fuzz/outbox.rs"]
mod outbox;
#[path = "fuzz/pattern.rs"]
mod pattern;
#[path = "fuzz/timed.rs"]
mod timed;
#[path = "fuzz/words.rs"]
mod words;

use common::{FIXTURES, Mode, Scene, fixture_config, load, ping, root, rule_file};
use geocep::{
    engine::AtEnd,
    geo::FenceSet,
    lang::{diag::Style, file::RuleFile},
    model::{Batch, Reader},
    runtime::{config::Config, session::Letters, session::Lines},
    time::Merge,
    wire::{
        Chunk, Decoder, FieldKind, FieldSource, Format, PositionSource, RecordSchema, SlotSource, Splitter, TimeSource,
        TimeUnit,
        fences::{FenceOptions, read_fences},
        infer,
    },
};
use pattern::pattern_rule;
use proptest::{prelude::*, sample::Index};
use std::{
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};
use words::{CONFIG_WORDS, CSV_WORDS, JSON_WORDS, RULE_WORDS, YAML_WORDS, change, changed};

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48);
    ProptestConfig { failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::with_cases(cases) }
}

/// Rule files that are fine: shipped ones, references, and all constructs that a test has.
static RULE_SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn walk(dir: &Path, found: &mut Vec<String>) {
        let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("rules"), &mut found);
    walk(&root().join("fixtures/rules-bad"), &mut found);
    let expressions = [
        "FROM pings PARTITION BY id PATTERN a -> b+ EACH -> (c | d) WITHIN 5 min DEFINE a AS speed > 5 km/h, b AS speed > a.speed, c AS c.speed < avg(b.speed), d AS TRUE MEASURES count(b) AS n AFTER MATCH NO SKIP",
        "FROM pings PARTITION BY id PATTERN a ->> b{2,4} ANY !c WITHIN 5 min DEFINE a AS TRUE, b AS speed > prev(speed), c AS speed = 0 MEASURES sum(b.speed) AS s AFTER MATCH SKIP TO LAST b ON TIMEOUT",
        "FROM pings PARTITION BY id PATTERN (a -> b)+ (c & d) WITHIN 9 min DEFINE a AS speed > 1 km/h, b AS speed > 2 km/h, c AS TRUE, d AS speed < 3 km/h EAGER",
        "FROM pings PARTITION BY id PATTERN a? -> !(b -> c{2} | d & e) -> (!f -> g)+? -> h WITHIN 9 min DEFINE a AS speed > 1 km/h, b AS speed > a.speed, c AS speed < 1 km/h, d AS TRUE, e AS speed > 5 km/h, f AS speed > 8 km/h, g AS speed > 2 km/h, h AS TRUE",
        "FROM pings PARTITION BY id PATTERN a -> !b FOR 30 s WITHIN UNBOUNDED DEFINE a AS speed > 9 km/h, b AS TRUE",
        "FROM pings PARTITION BY id PATTERN a+ UNTIL speed < 2 km/h WITHIN 30 s OF PREVIOUS -> b WITHIN 5 min",
        "FROM pings PARTITION BY h3(position, 7) WINDOW TUMBLING 1 min JITTER 30% MEASURES count(*) FILTER (WHERE speed > 5 km/h) AS n, avg(speed) AS mean, min(speed) AS low, max(speed) AS top HAVING n > 0",
    ];
    found.extend(expressions.iter().map(|expr| rule_file(&[("alert", "A", expr)])));
    found
});

/// Rules that pass the check are run over these events.
fn events(numbers: &[u32]) -> Vec<String> {
    let mut ts = -100_000i64;
    let record = |number: &u32| {
        ts += i64::from(number % 7) * i64::from(number % 5_000);
        let (lon, lat) = (f64::from(number % 3_600) / 10.0 - 180.0, f64::from(number % 1_800) / 10.0 - 90.0);
        ping(ts, &format!("v{}", number % 3), lon, lat, f64::from(number % 97))
    };
    numbers.iter().map(record).collect()
}

/// How many rule files were good enough to run.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Parses, checks and, where that goes well, runs a rule file over events of the sources of all fixtures. How many alerts
/// it gave, if it ran.
fn try_rules(text: &str, numbers: &[u32], shards: u32) -> Option<usize> {
    let (file, diagnostics) = RuleFile::parse("rules.yaml", text);
    for diagnostic in &diagnostics {
        let _ = geocep::lang::diag::render(diagnostic, "rules.yaml", text, Style::Coloured);
    }
    file.as_ref()?;
    let mut alerts = None;
    if let Ok(scene) = Scene::try_pings(text, vec![events(numbers)]) {
        RUNS.fetch_add(1, Ordering::Relaxed);
        let modes = [
            Mode { shards, ..Mode::default() },
            Mode {
                shards: 1,
                at_end: AtEnd::Drain,
                moves: vec![(0, 3)],
                steps: vec![(0, numbers.len() / 2)],
                ..Mode::default()
            },
        ];
        let [whole, moved] = modes.map(|mode| scene.play(&mode));
        assert_eq!(whole, moved, "a run that was moved differs");
        alerts = Some(whole.lines().count());
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.is_error()) {
        return alerts;
    }
    for name in FIXTURES {
        // The check alone: with fences and units of another trade.
        if let Ok(project) = load(&fixture_config(name), text) {
            for rule in &project.plan.rules {
                let _ = format!("{rule:?}");
            }
        }
    }
    alerts
}

fn schema() -> RecordSchema {
    let field = |name: &str, kind: FieldKind| {
        SlotSource::Field(FieldSource { name: name.to_owned(), path: name.to_owned(), kind, required: false })
    };
    RecordSchema {
        time: TimeSource::default(),
        position: Some(PositionSource::default()),
        slots: vec![
            SlotSource::Position,
            field("id", FieldKind::Any),
            field("speed", FieldKind::Float(None)),
            field("n", FieldKind::Int),
            field("sent", FieldKind::Time(TimeUnit::Seconds)),
            field("took", FieldKind::Duration(1_000.0)),
            field("/a/b", FieldKind::List),
            field("where", FieldKind::Point),
            field("cell", FieldKind::Cell),
            field("ok", FieldKind::Bool),
        ],
        checks: Vec::new(),
    }
}

/// Splits into records, guesses a schema, decodes; all good and bad records are the records.
fn try_records(bytes: &[u8], format: Format, cut: usize) {
    let mut chunk = Chunk::new();
    let mut splitter = Splitter::new(format, 0, 4_096);
    let (head, tail) = bytes.split_at(cut.min(bytes.len()));
    splitter.push(head, &mut chunk);
    splitter.push(tail, &mut chunk);
    splitter.finish(&mut chunk);
    let mut whole = Chunk::new();
    let mut splitter = Splitter::new(format, 0, 4_096);
    splitter.push(bytes, &mut whole);
    splitter.finish(&mut whole);
    let records = |chunk: &Chunk| chunk.records().map(|r| (r.offset, r.bytes.to_vec())).collect::<Vec<_>>();
    assert_eq!(records(&chunk), records(&whole), "blocks left a trace");
    let _ = infer(chunk.records().map(|record| record.bytes), format);
    let schema = schema();
    let mut decoder = Decoder::new(&schema, format);
    let mut batch = Batch::new(schema.slots.len());
    for record in chunk.records() {
        let before = batch.len();
        let events = usize::from(decoder.decode(&record, &mut batch).unwrap_or(false));
        assert_eq!(batch.len(), before + events, "a rejected record left something behind");
    }
    // What was decoded can be saved and read back.
    for (at, header) in batch.headers().iter().enumerate() {
        assert!(geocep::model::format_time(header.time_ms).len() > 4);
        let event = batch.event(geocep::model::StreamId(0), at).unwrap();
        let mut writer = geocep::model::Writer::new();
        event.values.iter().for_each(|value| writer.value(value));
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        for value in event.values {
            assert_eq!(reader.value().as_ref(), Ok(value));
        }
        assert!(reader.is_done());
    }
}

fn fence_seed() -> Vec<u8> {
    let text = fs::read_to_string(root().join("fixtures/city/zones.geojson")).unwrap();
    text.into_bytes()
}

fn try_fences(bytes: &[u8]) {
    for lenient in [false, true] {
        if let Ok(read) = read_fences(bytes, &FenceOptions { id_property: None, lenient, merge: lenient }) {
            let _ = FenceSet::new(read.fences);
        }
    }
}

/// A core with every kind of state in it, as bytes.
static STATE: LazyLock<(Scene, Vec<u8>)> = LazyLock::new(|| {
    let rules = rule_file(&[
        (
            "stream",
            "w",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 50%\nMEASURES count(*) AS n, avg(speed) AS m, distinct(speed) AS d, max(speed) AS t",
        ),
        (
            "alert",
            "P",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b+ -> c\nWITHIN 10 min\nDEFINE a AS TRUE, b AS speed > prev(speed), c AS c.speed < avg(b.speed)\nMEASURES count(b) AS n, last(b.position) AS at\nAFTER MATCH NO SKIP\nON TIMEOUT",
        ),
        (
            "alert",
            "S",
            "FROM w\nPARTITION BY id\nPATTERN a -> !b FOR 90 s\nWITHIN UNBOUNDED\nDEFINE a AS n > 1, b AS TRUE",
        ),
        ("alert", "F", "FROM pings\nWHERE gap() > 1 s\nPARTITION BY id\nMEASURES speed() AS v, heading() AS h"),
    ]);
    let numbers: Vec<u32> = (0..80u32).map(|n| n.wrapping_mul(2_654_435_761) >> 8).collect();
    let scene = Scene::pings(&rules, vec![events(&numbers)]);
    let (mut session, lanes) = scene.session(&Mode::default(), 2);
    let mut chunk = Chunk::new();
    for (offset, record) in scene.lanes[0].records.iter().enumerate().take(60) {
        chunk.push(0, offset as u64, record, 1 << 20);
    }
    session.push(lanes[0], &chunk, &mut Letters::default());
    session.advance(&mut Lines::default());
    (scene, session.engine().save())
});

fn try_state(bytes: &[u8]) {
    let (scene, _) = &*STATE;
    let (mut session, _) = scene.session(&Mode::default(), 3);
    if session.engine_mut().restore(bytes).is_ok() {
        // Whatever it is, it runs to its end.
        session.advance(&mut Lines::default());
        session.finish(AtEnd::Drain, &mut Lines::default());
    }
    for rule in 0..4 {
        let (mut session, _) = scene.session(&Mode::default(), 1);
        let _ = session.engine_mut().load_rule(rule, bytes);
        session.finish(AtEnd::Drain, &mut Lines::default());
    }
    let _ = Merge::load(&mut Reader::new(bytes));
    let mut reader = Reader::new(bytes);
    while reader.value().is_ok() && !reader.is_done() {}
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rule_files_that_were_changed_are_refused_or_run(
        seed in any::<Index>(),
        changes in proptest::collection::vec(prop_oneof![4 => change(RULE_WORDS), 1 => change(YAML_WORDS)], 0..8),
        numbers in proptest::collection::vec(any::<u32>(), 0..60),
        shards in 1..4u32,
    ) {
        let seed = &RULE_SEEDS[seed.index(RULE_SEEDS.len())];
        try_rules(&String::from_utf8_lossy(&changed(seed.as_bytes(), &changes)), &numbers, shards);
    }

    #[test]
    fn words_in_any_order_are_refused_or_run(
        words in proptest::collection::vec(proptest::sample::select(RULE_WORDS), 0..40),
        numbers in proptest::collection::vec(any::<u32>(), 0..30),
    ) {
        let expr = format!("FROM pings {}", words.join(" ").replace(['\n', '\t', '\0'], " "));
        try_rules(&rule_file(&[("alert", "A", &expr)]), &numbers, 2);
    }

    #[test]
    fn patterns_of_all_kinds_run_and_can_be_moved(
        expr in pattern_rule(),
        numbers in proptest::collection::vec(any::<u32>(), 0..40),
        shards in 1..4u32,
    ) {
        try_rules(&rule_file(&[("alert", "A", &expr)]), &numbers, shards);
    }

    #[test]
    fn any_text_is_a_rule_file_or_not(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        try_rules(&text, &[], 1);
        try_rules(&String::from_utf8_lossy(&bytes), &[], 1);
        try_rules(&rule_file(&[("alert", "A", &text)]), &[], 1);
    }

    #[test]
    fn records_of_json_are_events_or_rejected(
        changes in proptest::collection::vec(change(JSON_WORDS), 0..10),
        random in proptest::collection::vec(any::<u8>(), 0..300),
        cut in any::<Index>(),
    ) {
        let seed = br#"{"ts":1772431200000,"id":"a1","lon":10.5,"lat":50.25,"speed":1e1,"n":5,"sent":1772431200.5,"took":3,"a":{"b":[1,[2]]},"where":{"type":"Point","coordinates":[1,2,3]},"cell":"882a10088bfffff","ok":true}
{"time":"2026-01-01T00:00:00Z","geometry":[1,2],"id":7,"where":{"lon":1,"lat":2}}
"#;
        for bytes in [changed(seed, &changes), random] {
            try_records(&bytes, Format::Ndjson, cut.index(bytes.len() + 1));
        }
    }

    #[test]
    fn records_of_csv_are_events_or_rejected(
        changes in proptest::collection::vec(change(CSV_WORDS), 0..10),
        random in proptest::collection::vec(any::<u8>(), 0..300),
        cut in any::<Index>(),
    ) {
        let seed = b"ts,id,lon,lat,speed,note\n1772431200000,a1,10.5,50.25,3,\"a, \"\"b\"\"\n2,b,1,2,,\n3,c,3,4,5,\"two\nlines\"\n";
        for bytes in [changed(seed, &changes), random] {
            try_records(&bytes, Format::CSV, cut.index(bytes.len() + 1));
            try_records(&bytes, Format::of_beginning(&bytes), cut.index(bytes.len() + 1));
        }
    }

    #[test]
    fn configurations_are_read_or_refused(
        fixture in 0..FIXTURES.len(),
        changes in proptest::collection::vec(prop_oneof![change(CONFIG_WORDS), change(YAML_WORDS)], 0..8),
        overrides in proptest::collection::vec("[a-z.]{0,20}=?[ -~]{0,20}", 0..3),
        text in "\\PC{0,100}",
    ) {
        let seed = fs::read_to_string(fixture_config(FIXTURES[fixture])).unwrap();
        let changed = changed(seed.as_bytes(), &changes);
        for text in [String::from_utf8_lossy(&changed).into_owned(), text] {
            let variable = |name: &str| (name != "HOME").then(|| "${HOME}".to_owned());
            let _ = Config::parse(&text, Path::new("/nowhere"), &overrides, &variable);
            let _ = Config::parse(&text, Path::new("/nowhere"), &[], &variable);
        }
    }

    #[test]
    fn fence_files_are_read_or_refused(
        changes in proptest::collection::vec(change(JSON_WORDS), 0..8),
        random in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        static SEED: LazyLock<Vec<u8>> = LazyLock::new(fence_seed);
        try_fences(&changed(&SEED, &changes));
        try_fences(&random);
    }

    #[test]
    fn states_that_were_changed_are_refused_or_run(
        changes in proptest::collection::vec(change(&["\0", "\u{1}", "\u{7f}"]), 0..4),
        random in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (_, state) = &*STATE;
        try_state(&changed(state, &changes));
        try_state(&random);
    }
}

#[test]
fn generated_patterns_get_past_the_check_often_enough_to_try_anything() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let tries = 200;
    let good = (0..tries).filter(|_| {
        let expr = pattern_rule().new_tree(&mut runner).unwrap().current();
        let checked = Scene::try_pings(&rule_file(&[("alert", "A", &expr)]), vec![]);
        if let (Err(error), true) = (&checked, std::env::var_os("SHOW_REFUSED").is_some()) {
            eprintln!("{expr}\n{error}");
        }
        checked.is_ok()
    });
    let good = good.count();
    assert!(good > tries / 10, "{good} of {tries} rules pass the check");
    eprintln!("{good} of {tries}; {} ran so far", RUNS.load(Ordering::Relaxed));
}
