//! One input has one output: however it is cut, sharded, interleaved, threaded, or moved from one core to another.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and say why it did nothing")]

mod common;

use common::{FIXTURES, Mode, Scene, count_of, ping, rule_file};
use geocep::{engine::AtEnd, plan::RuleKind, runtime::session::Session};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::LazyLock};

/// The fixtures, and the city with its pings on three partitions.
static SCENES: LazyLock<Vec<(String, Scene, String)>> = LazyLock::new(|| {
    let named = FIXTURES.iter().map(|name| ((*name).to_owned(), Scene::fixture(name)));
    let split = ("city on partitions".to_owned(), Scene::fixture("city").split("pings", 3, "vehicle"));
    let all = named.chain([
        split,
        ("mixture".to_owned(), mixture()),
        ("out of order".to_owned(), out_of_order()),
        ("late".to_owned(), late()),
        ("weeks".to_owned(), weeks()),
        ("tracks".to_owned(), tracks()),
    ]);
    all.map(|(name, scene)| {
        let lines = scene.play(&Mode::default());
        (name, scene, lines)
    })
    .collect()
});

/// Vehicles that wander over the city's zones, and what is remembered of them between positions.
fn tracks() -> Scene {
    let rules = rule_file(&[
        (
            "stream",
            "passages",
            "FROM pings INTERPOLATE MAX GAP 2 min THROUGH zones\nPARTITION BY vehicle, fence\nMEASURES passage, dwell, crossed_at, crossing",
        ),
        (
            "alert",
            "Passage",
            "FROM passages\nWHERE passage <> 'inside'\nPARTITION BY vehicle, fence\nMEASURES passage, dwell, crossed_at, crossing",
        ),
        (
            "alert",
            "Through",
            "FROM pings INTERPOLATE THROUGH zones\nWHERE passage <> 'inside'\nPARTITION BY vehicle, fence\nPATTERN entry -> leave\nWITHIN 10 min\nDEFINE entry AS passage = 'entered', leave AS passage = 'exited'\nMEASURES entry.crossed_at AS since, leave.dwell AS stay",
        ),
        (
            "alert",
            "Passed",
            "FROM pings INTERPOLATE\nWHERE entered(zones) OR exited(zones)\nPARTITION BY vehicle\nMEASURES fences AS passed, dwell(zones) AS stay",
        ),
        (
            "alert",
            "Stays",
            "FROM pings\nWHERE inside(zones) AND dwell(fence) > 90 s OR stopped(800 m, 1 min) OR teleported(90 km/h)\nPARTITION BY vehicle\nMEASURES dwell(zones) AS stay, stopped(800 m) AS rest",
        ),
    ]);
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut records = Vec::new();
    for vehicle in 0..5 {
        let (mut ts, mut lon, mut lat) = (1_767_225_600_000 + next(60_000), 10.0, 50.03);
        for _ in 0..50 {
            ts += 1_000 + next(60_000);
            lon = (lon + next(4_000) as f64 / 1e5 - 0.02f64).clamp(9.9, 10.1);
            lat = (lat + next(4_000) as f64 / 1e5 - 0.02f64).clamp(49.95, 50.1);
            let text = format!(
                r#"{{"ts":{ts},"vehicle":"v{vehicle}","lon":{lon:.6},"lat":{lat:.6},"speed":{},"status":"free"}}"#,
                next(80)
            );
            records.push((ts, text));
        }
    }
    records.sort();
    let records = records.into_iter().map(|(_, text)| text).collect();
    Scene::over("city", &rules, vec![("pings", records)])
}

/// Every kind of operator in few records: fences, windows with jitter, patterns, absence, and rules that read rules.
fn mixture() -> Scene {
    let rules = rule_file(&[
        (
            "stream",
            "minutes",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 100%\nMEASURES count(*) AS n, avg(speed) AS mean, distinct(speed) AS speeds, path_length(position) AS way",
        ),
        ("alert", "Minute", "FROM minutes\nPARTITION BY id\nMEASURES n, mean, speeds, window_start AS since"),
        (
            "alert",
            "Sliding",
            "FROM pings\nPARTITION BY id\nWINDOW SLIDING 70 s EVERY 20 s JITTER 100%\nMEASURES count(*) AS n, max(speed) AS top, stddev(speed) AS spread, median(speed) AS mid, centroid(position) AS here",
        ),
        (
            "alert",
            "Growing",
            "FROM pings\nPARTITION BY id\nWINDOW CUMULATIVE 2 min EVERY 30 s JITTER NATURAL\nMEASURES sum(speed) AS sum, ewma(speed, 20 s) AS lately, approx_distinct(speed) AS speeds",
        ),
        (
            "alert",
            "Session",
            "FROM pings\nPARTITION BY id\nWINDOW SESSION GAP 40 s MAX 2 min JITTER 100%\nMEASURES rate(*) AS rate, convex_hull(position) AS hull, bounding_box(position) AS bounds\nEMIT EVERY 30 s",
        ),
        (
            "alert",
            "Every",
            "FROM pings\nPARTITION BY id\nWINDOW COUNT 7 EVERY 3\nMEASURES top_k(speed, 2) AS often, collect(DISTINCT h3(position, 7)) AS cells",
        ),
        (
            "alert",
            "Local",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 h TIME ZONE 'Asia/Kathmandu'\nMEASURES count(*) AS n\nEMIT EVERY 1 min",
        ),
        (
            "stream",
            "fast",
            "FROM pings\nWHERE speed > 50 km/h\nPARTITION BY id\nMEASURES speed, position, gap() AS pause",
        ),
        ("alert", "Twice", "FROM fast\nPARTITION BY id\nPATTERN x{2}\nWITHIN 5 min\nMEASURES sum(x.speed) AS sum"),
        (
            "alert",
            "Both",
            "FROM fast, minutes\nPARTITION BY id\nPATTERN f -> m\nWITHIN 5 min\nDEFINE f FROM fast AS TRUE, m FROM minutes AS n >= 2\nMEASURES m.n AS n\nAFTER MATCH NO SKIP",
        ),
        (
            "alert",
            "Slowing",
            "FROM pings\nPARTITION BY id\nPATTERN a b+ STRICT c\nWITHIN 10 min\nDEFINE a AS TRUE, b AS speed < prev(speed), c AS speed > avg(b.speed)\nMEASURES count(b) AS n, first(b.speed) AS top\nAFTER MATCH SKIP TO NEXT ROW\nON TIMEOUT",
        ),
        (
            "alert",
            "Swing",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b{2,} -> c\nWITHIN 10 min\nDEFINE a AS prev(speed, 3) > 20 km/h, b AS speed < avg(speed) OR last(speed, 2) > 40 km/h, c AS speed > first(speed)\nMEASURES count(*) AS n, sum(speed) AS sum, distinct(speed) AS speeds, path_length(position) AS way, prev(speed, 5) AS before",
        ),
        (
            "stream",
            "steps",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b+\nWITHIN 20 s\nDEFINE a AS speed < 30 km/h, b AS speed > a.speed\nMEASURES CLASSIFIER() AS name, MATCH_NUMBER() AS number, speed, avg(b.speed) AS mean, FINAL count(*) AS rows\nALL ROWS PER MATCH\nON TIMEOUT",
        ),
        (
            "alert",
            "Steps",
            "FROM steps\nPARTITION BY id\nPATTERN x{2} -> y\nWITHIN 10 min\nDEFINE y AS number > first(x.number) OR number IS NULL\nMEASURES CLASSIFIER() AS v, MATCH_NUMBER() AS n, name, number, speed, RUNNING sum(speed) AS sum, FINAL sum(speed) AS total, rows\nAFTER MATCH NO SKIP\nALL ROWS PER MATCH",
        ),
        (
            "stream",
            "close",
            "FROM pings a NEAR pings b WITHIN 800 m AND 40 s LEAVE AT 1 km ON a.speed < 60 km/h OR b.speed < 60 km/h\nPARTITION BY pair(a.id, b.id)\nMEASURES encounter, distance, together, b.speed AS other",
        ),
        (
            "alert",
            "Near",
            "FROM close\nWHERE encounter <> 'together'\nPARTITION BY a, b\nMEASURES encounter, distance, together, other",
        ),
        (
            "alert",
            "Fleets",
            "FROM pings a NEAR fast b WITHIN 1 km EVERY 20 s MAX AGE 30 s\nPARTITION BY h3(position, 5) AS cell, pair(a.id, b.id)\nMEASURES encounter, distance, cell\nHAVING encounter <> 'together'",
        ),
        (
            "alert",
            "Latest",
            "FROM pings\nLATEST BY id MAX AGE 45 s\nMEASURES speed, time AS seen\nHAVING speed > 20 km/h\nEMIT EVERY 20 s",
        ),
        (
            "stream",
            "believed",
            "FROM pings\nWHERE NOT teleported(100 km/h)\nPARTITION BY id\nMEASURES position, stopped(500 m) AS rest, stopped(300 m, 30 s) AS stands",
        ),
        (
            "alert",
            "Believed",
            "FROM believed\nPARTITION BY id\nWINDOW SLIDING 2 min EVERY 1 min\nMEASURES count(*) AS n, displacement(position) AS far, straightness(position) AS straight, max(rest) AS rest, count(*) FILTER (WHERE stands) AS stood",
        ),
        (
            "alert",
            "Wander",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b{2,4}\nWITHIN 5 min\nDEFINE b AS straightness(b) IS NULL OR straightness(b) < 0.95\nMEASURES displacement(b) AS far, straightness(b) AS straight",
        ),
        ("alert", "News", "FROM fast\nPARTITION BY id\nMEASURES speed\nEMIT EVERY 30 s FOR UPDATED KEYS"),
        ("alert", "Now", "FROM pings\nWHERE speed > 80 km/h\nPARTITION BY id\nMEASURES speed\nONCE EVERY 1 min"),
        (
            "stream",
            "lists",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES collect(DISTINCT h3(position, 7)) AS cells\nONCE EVERY 2 min",
        ),
        ("alert", "Each", "FROM lists UNNEST cells AS cell\nPARTITION BY id\nMEASURES cell"),
        (
            "alert",
            "Paired",
            "FROM pings a JOIN pings b ON a.id = b.id AND a.speed > b.speed AND b.speed > 60 km/h WITHIN -20 s .. 15 s\nWHERE b.speed < 85 km/h OR a.time < b.time\nMEASURES a.speed AS was, b.speed AS is_now, b.time - a.time AS apart",
        ),
        (
            "alert",
            "Alone",
            "FROM fast f LEFT JOIN pings p ON f.id = p.id AND p.speed < 20 km/h WITHIN 1 s .. 30 s\nWHERE p.speed IS NULL OR p.speed < 5 km/h\nMEASURES f.speed, f.pause, p.speed AS slow",
        ),
        ("stream", "joined", "FROM minutes m LEFT JOIN fast ON m.id = fast.id WITHIN 90 s"),
        (
            "alert",
            "Joined",
            "FROM joined\nPARTITION BY id\nPATTERN x -> y\nWITHIN 3 min\nDEFINE x AS speed IS NULL, y AS speed > 60 km/h\nMEASURES y.m_time AS minute, y.fast_time AS at",
        ),
        (
            "alert",
            "Silent",
            "FROM fast\nPARTITION BY id\nPATTERN last -> !next FOR 90 s\nWITHIN UNBOUNDED\nMEASURES last.time AS seen",
        ),
        (
            "stream",
            "heat",
            "FROM pings\nPARTITION BY h3(position, 8)\nWINDOW TUMBLING 1 min JITTER 100% BY parent(h3(position, 8), 6)\nMEASURES count(*) AS n, avg(speed) AS mean, collect(DISTINCT id) AS ids",
        ),
        (
            "alert",
            "Region",
            "FROM heat\nCLUSTER BY cell WHERE n >= 5\nCOLD WHEN n < 2\nEXPIRE 90 s\nWEIGHT n\nMEMBERS ids\nOVERLAP BY MEMBERS\nMEASURES sum(n) AS n, max(mean) AS top, stddev(n) AS spread\nEMIT ALL",
        ),
        (
            "stream",
            "crowds",
            "FROM heat\nPARTITION BY parent(cell, 7) AS district\nCLUSTER BY cell WHERE mean > 30 km/h\nREACH 2\nDENSITY 2 WITHIN 2\nEVERY 20 s\nWEIGHT n\nOVERLAP BY WEIGHT\nCONFIRM 2 OF 3\nMEASURES avg(mean) AS mean, count(*) AS n",
        ),
        ("alert", "Crowd", "FROM crowds\nWHERE transition != 'survived'"),
        (
            "alert",
            "Crowded",
            "FROM crowds\nPARTITION BY region\nPATTERN a -> b+\nWITHIN 10 min\nDEFINE b AS size != prev(size) OR denser OR sparser OR moved\nMEASURES count(b) AS n, last(b.area) AS area, speed",
        ),
        (
            "alert",
            "Escalates",
            "FROM fast, Escalates\nPARTITION BY id\nPATTERN a -> b{2} STRICT\nWITHIN 20 min\nDEFINE a AS level IS NULL, b AS coalesce(level, 0) <= coalesce(prev(level), 0) + 1\nMEASURES coalesce(max(b.level), 0) + 1 AS level\nFEEDBACK 2",
        ),
        (
            "alert",
            "Followed",
            "FROM crowds\nWHERE size < 100\nPARTITION BY district, region FOLLOW parents\nPATTERN a ->> b -> !c FOR 1 min\nWITHIN 10 min\nDEFINE b AS size != prev(size) OR denser, c AS n > 2 * b.n\nMEASURES a.region AS was, b.size AS size\nAFTER MATCH NO SKIP",
        ),
    ]);
    let mut state = 12_345u64;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let partition = |base: u64, next: &mut dyn FnMut(u64) -> u64| {
        let mut ts = -300_000;
        let record = |_| {
            ts += next(12) as i64 * 500;
            let id = format!("v{}", base * 100 + next(7));
            ping(ts, &id, 10.0 + next(100) as f64 / 1_000.0, 50.0, next(90) as f64)
        };
        (0..300).map(record).collect()
    };
    Scene::pings(&rules, (0..3).map(|base| partition(base, &mut next)).collect())
}

/// The same, each three records the other way round.
fn out_of_order() -> Scene {
    let mut scene = mixture();
    for lane in &mut scene.lanes {
        lane.disorder_ms = 12_000;
        lane.records.chunks_mut(3).for_each(<[Vec<u8>]>::reverse);
    }
    scene
}

/// Five weeks of an event each two hours or so, over a day on which clocks change.
fn weeks() -> Scene {
    let rules = rule_file(&[
        (
            "alert",
            "Unusual",
            "FROM pings\nWHERE speed > 20 km/h AND speed > baseline(speed, 28 d) + 2 * baseline_mad(speed, 28 d)\nPARTITION BY id\nMEASURES speed, baseline(speed, 28 d) AS usual, baseline_mad(speed, 28 d) AS apart",
        ),
        (
            "stream",
            "days",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 6 h TIME ZONE 'America/New_York' JITTER 10%\nMEASURES count(*) AS n, sum(speed) AS sum",
        ),
        (
            "alert",
            "Falling",
            "FROM days\nPARTITION BY id\nPATTERN high -> low\nWITHIN 2 d\nDEFINE high AS n > baseline(n, 7 d), low AS n < baseline(n, 7 d)\nMEASURES baseline(n, 7 d) AS usual, high.n AS before",
        ),
    ]);
    let mut state = 99u64;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut partition = |base: u64| {
        let mut ts = geocep::model::parse_time("2026-02-16T00:00:00Z").unwrap();
        let record = |_| {
            ts += next(80) as i64 * 60_000;
            ping(ts, &format!("v{}", base * 10 + next(3)), 10.0, 50.0, (next(30) + next(30)) as f64)
        };
        (0..1_200).map(record).collect()
    };
    Scene::pings(&rules, vec![partition(0), partition(1)])
}

/// The same records, out of order by more than was said, under rules that take late events.
fn late() -> Scene {
    let rules = rule_file(&[
        (
            "stream",
            "minutes",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 100%\nMEASURES count(*) AS n, avg(speed) AS mean\nALLOWED LATENESS 5 min",
        ),
        ("alert", "Minute", "FROM minutes\nPARTITION BY id\nMEASURES n, mean, revision, window_start AS since"),
        (
            "alert",
            "Revised",
            "FROM minutes\nPARTITION BY id\nPATTERN a -> b\nWITHIN 5 min\nDEFINE a AS revision = 0, b AS revision > 0 AND window_start = a.window_start\nMEASURES a.n AS before, b.n AS after\nAFTER MATCH NO SKIP",
        ),
        (
            "alert",
            "Sliding",
            "FROM pings\nPARTITION BY id\nWINDOW SLIDING 70 s EVERY 20 s JITTER 100%\nMEASURES count(*) AS n, max(speed) AS top, distinct(speed) AS speeds\nHAVING n > 1\nALLOWED LATENESS 100 s",
        ),
        (
            "alert",
            "Growing",
            "FROM pings\nPARTITION BY id\nWINDOW CUMULATIVE 2 min EVERY 30 s\nMEASURES sum(speed) AS sum\nALLOWED LATENESS 10 s",
        ),
        (
            "alert",
            "Local",
            "FROM pings\nWHERE speed > 30 km/h\nPARTITION BY id\nWINDOW TUMBLING 1 h TIME ZONE 'Asia/Kathmandu'\nMEASURES count(*) AS n\nEMIT EVERY 1 min\nALLOWED LATENESS 1 h",
        ),
        ("alert", "OnTime", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES count(*) AS n"),
    ]);
    let mut scene = Scene::pings(&rules, Vec::new());
    scene.lanes = mixture().lanes;
    for lane in &mut scene.lanes {
        lane.disorder_ms = 2_000;
        lane.records.chunks_mut(20).for_each(<[Vec<u8>]>::reverse);
    }
    scene
}

fn assert_same(name: &str, mode: &Mode, expected: &str, found: &str) {
    if expected != found {
        let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
        let (a, b) = (expected.lines().count(), found.lines().count());
        panic!("{name}, {mode:?}: {a} lines became {b}; the first to differ: {differs:#?}");
    }
}

#[test]
fn a_replay_gives_the_same_bytes_again_and_with_any_number_of_shards_and_threads() {
    for (name, scene, expected) in SCENES.iter() {
        assert!(expected.lines().count() > 3, "{name} has hardly an alert");
        if name == "late" {
            assert!(expected.contains(r#""revision":3"#), "{expected}");
        }
        if name == "mixture" || name == "weeks" || name == "late" {
            let alerts = scene.project.plan.rules.iter().filter(|rule| rule.kind == RuleKind::Alert);
            alerts.for_each(|rule| assert!(count_of(expected, &rule.name) > 0, "`{}` never fires", rule.name));
            let mut ids: Vec<&str> = expected.lines().filter_map(|line| line.get(24..56)).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), expected.lines().count(), "every alert has an id of its own");
        }
        for (shards, threads) in [(1, false), (2, false), (8, false), (2, true), (8, true)] {
            let mode = Mode { shards, threads, ..Mode::default() };
            assert_same(name, &mode, expected, &scene.play(&mode));
        }
    }
}

#[test]
fn eager_alerts_are_the_same_alerts() {
    let sorted = |lines: &str| {
        let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    for (name, scene, expected) in SCENES.iter() {
        for shards in [1, 3] {
            let mode = Mode { shards, eager: true, ..Mode::default() };
            assert_same(name, &mode, &sorted(expected), &sorted(&scene.play(&mode)));
        }
    }
}

/// Where records are handed over: for each step a lane, and how many of its records.
fn steps() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let size = prop_oneof![Just(0usize), 1..4usize, 1..60usize, 1..700usize];
    proptest::collection::vec((0..5usize, size), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(12)) })]

    #[test]
    fn cuts_and_interleaving_leave_no_trace(at in 0..SCENES.len(), steps in steps(), shards in 1..5u32) {
        let (name, scene, expected) = &SCENES[at];
        let mode = Mode { shards, steps, ..Mode::default() };
        assert_same(name, &mode, expected, &scene.play(&mode));
    }

    #[test]
    fn a_run_that_is_moved_between_cores_goes_on_as_if_nothing_had_happened(
        at in 0..SCENES.len(),
        steps in steps(),
        shards in 1..5u32,
        moves in proptest::collection::vec((0..60usize, 1..9u32), 1..4),
    ) {
        let (name, scene, expected) = &SCENES[at];
        let mode = Mode { shards, steps, moves, ..Mode::default() };
        assert_same(name, &mode, expected, &scene.play(&mode));
    }
}

/// `PROPTEST_CASES`, else so many.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).map_or(default, |cases: u32| cases.min(200))
}

#[test]
fn a_saved_core_reads_itself_and_writes_the_same_bytes_again() {
    let scene = mixture();
    let mode = Mode::default();
    let (mut session, lanes) = scene.session(&mode, 2);
    let (mut lines, mut letters) = (Default::default(), Default::default());
    for (lane, ix) in scene.lanes.iter().zip(lanes) {
        let mut chunk = geocep::wire::Chunk::new();
        for (offset, record) in lane.records.iter().enumerate().take(150) {
            chunk.push(lane.partition, offset as u64, record, 1 << 20);
        }
        session.push(ix, &chunk, &mut letters);
        session.advance(&mut lines);
    }
    let saved = session.engine().save();
    let (mut other, _) = scene.session(&mode, 2);
    other.engine_mut().restore(&saved).unwrap();
    assert!(saved == other.engine().save(), "what was read is not what was written");
    // What the one has counted as it went on the other has counted as it read.
    let figures = |session: &Session| {
        let rules = 0..scene.project.plan.rules.len() as u32;
        rules.map(|rule| session.engine().rule_stats(rule)).map(|stats| (stats.keys, stats.open)).collect::<Vec<_>>()
    };
    assert_eq!(figures(&session), figures(&other));
    assert!(figures(&session).iter().all(|(_, open)| *open < 5_000));
    let (mut stranger, _) = scene.session(&Mode { seed: 8, ..mode }, 2);
    assert!(stranger.engine_mut().restore(&saved).is_err(), "another seed moves windows");
}

const MINUTE: i64 = 60_000;

/// Two levels; the last event, at minute 10, decides on both.
fn chain() -> Scene {
    let rules = rule_file(&[
        ("stream", "fast", "FROM pings\nWHERE speed > 50 km/h\nPARTITION BY id\nMEASURES speed"),
        ("alert", "Twice", "FROM fast\nPARTITION BY id\nPATTERN x{2}\nWITHIN 1 h"),
        ("stream", "fives", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 5 min\nMEASURES count(*) AS n\nHAVING n > 0"),
        ("alert", "Five", "FROM fives\nPARTITION BY id\nMEASURES n"),
        ("alert", "FivesTwice", "FROM fives\nPARTITION BY id\nPATTERN x{2}\nWITHIN 1 h"),
        ("alert", "NoMore", "FROM fast\nPARTITION BY id\nPATTERN last -> !next FOR 2 min\nWITHIN UNBOUNDED"),
    ]);
    let at = |minute: i64, speed: f64| ping(minute * MINUTE, "a", 10.0, 50.0, speed);
    Scene::pings(&rules, vec![vec![at(1, 60.0), at(6, 10.0), at(10, 70.0)]])
}

#[test]
fn the_last_event_decides_on_every_level_as_the_end_of_the_input_says() {
    // Windows end at minutes 5, 10 and 15; `fast` is at 1 and 10; nothing follows 1 until 3, and 10 until 12.
    let expected = [
        (AtEnd::Drain, [("Twice", 1), ("Five", 3), ("FivesTwice", 1), ("NoMore", 2)]),
        (AtEnd::Last, [("Twice", 1), ("Five", 2), ("FivesTwice", 1), ("NoMore", 1)]),
        // The last instant is never complete: more could come of it.
        (AtEnd::Hold, [("Twice", 0), ("Five", 1), ("FivesTwice", 0), ("NoMore", 1)]),
    ];
    let scene = chain();
    for (at_end, counts) in expected {
        for shards in [1, 2, 8] {
            for steps in [vec![], vec![(0, 1), (0, 1), (0, 1)]] {
                let lines = scene.play(&Mode { at_end, shards, steps, ..Mode::default() });
                let found = counts.map(|(rule, _)| (rule, count_of(&lines, rule)));
                assert_eq!(found, counts, "{at_end:?} on {shards} shards:\n{lines}");
            }
        }
    }
}

#[test]
fn jitter_moves_windows_but_loses_no_event_and_is_the_same_on_every_shard() {
    let rules = rule_file(&[(
        "alert",
        "Count",
        "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 5 min JITTER 100%\nMEASURES count(*) AS n\nHAVING n > 0",
    )]);
    let (keys, rounds) = (400i64, 20i64);
    // A key's pings are 90 s apart, before and after 1970.
    let record =
        |at: i64| ping((at / keys - rounds / 2) * 90_000 + at % keys, &format!("k{}", at % keys), 10.0, 50.0, 1.0);
    let scene = Scene::pings(&rules, vec![(0..keys * rounds).map(record).collect()]);
    let lines = scene.play(&Mode::default());
    let mut counted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for line in lines.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let alert = &alert["properties"];
        let time = |name: &str| geocep::model::parse_time(alert[name].as_str().unwrap()).unwrap();
        let (start, end) = (time("start"), time("end"));
        assert_eq!(end - start, 5 * MINUTE);
        let offset = start.rem_euclid(5 * MINUTE);
        let of_key = counted.entry(alert["key"]["id"].to_string()).or_insert((offset, 0));
        assert_eq!(of_key.0, offset, "a key has one offset");
        of_key.1 += alert["measures"]["n"].as_i64().unwrap();
    }
    assert_eq!(counted.len() as i64, keys);
    assert!(counted.values().all(|(_, n)| *n == rounds), "each ping is in one window");
    let mut quarters = [0; 4];
    counted.values().for_each(|(offset, _)| quarters[(offset / (75 * 1_000)) as usize] += 1);
    assert!(quarters.iter().all(|&count| (60..140).contains(&count)), "offsets are spread: {quarters:?}");
    for shards in [2, 8] {
        let moves = vec![(1, shards)];
        let mode = Mode { shards, steps: vec![(0, 1_234), (0, 2_000)], moves, ..Mode::default() };
        assert_same("jitter", &mode, &lines, &scene.play(&mode));
    }
    assert_ne!(lines, scene.play(&Mode { seed: 8, ..Mode::default() }), "another seed, other offsets");
}
