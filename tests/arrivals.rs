//! Windows over the time of arrival: CLOCK WALL on windows.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, rule_file};
use geocep::{
    engine::AtEnd,
    runtime::session::{LaneIx, Letters, Lines, Session},
    wire::Chunk,
};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next record of a lane.
    Record(usize),
    /// The wall clock reads so much.
    Read(i64),
    /// All lanes are quiet, and event time has come so far.
    Tick(i64),
}

#[derive(Clone, Copy, Debug)]
struct Way {
    shards: u32,
    at_once: bool,
    /// After so many steps the core is saved and another goes on.
    moves: Option<usize>,
    at_end: AtEnd,
}

const PLAIN: Way = Way { shards: 1, at_once: true, moves: None, at_end: AtEnd::Drain };

fn play(scene: &Scene, steps: &[Step], way: Way) -> String {
    let mode = Mode::default();
    let (mut session, lanes): (Session, Vec<LaneIx>) = scene.session(&mode, way.shards);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let mut done = vec![0; lanes.len()];
    for (at, step) in steps.iter().enumerate() {
        match *step {
            Step::Record(lane) => {
                let from = &scene.lanes[lane];
                let mut chunk = Chunk::new();
                chunk.push(from.partition, done[lane] as u64, &from.records[done[lane]], 1 << 20);
                done[lane] += 1;
                session.set_idle(lanes[lane], false);
                session.push(lanes[lane], &chunk, &mut letters);
                if way.at_once {
                    session.advance(&mut lines);
                }
            }
            Step::Read(wall_ms) => session.read_wall(wall_ms, &mut lines),
            Step::Tick(to_ms) => {
                lanes.iter().for_each(|lane| session.set_idle(*lane, true));
                session.tick(to_ms, &mut lines);
            }
        }
        if way.moves.is_some_and(|every| at % every == every - 1) {
            let bytes = session.engine().save();
            (session, _) = scene.session(&mode, way.shards % 3 + 1);
            session.engine_mut().restore(&bytes).unwrap();
        }
    }
    session.finish(way.at_end, &mut lines);
    assert!(letters.late.is_empty() && letters.dead.is_empty(), "{:?}", letters.samples);
    String::from_utf8(lines.bytes).unwrap()
}

/// For each alert its rule, key, start and end in seconds, count, and clock.
fn said(lines: &str) -> Vec<String> {
    let alert = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let properties = &alert["properties"];
        let second = |name: &str| geocep::model::parse_time(properties[name].as_str().unwrap()).unwrap() / 1_000;
        let text = |name: &str| properties[name].as_str().unwrap_or("none").to_owned();
        let key = properties["key"]["id"].as_str().unwrap().to_owned();
        let (start, end) = (second("start"), second("end"));
        format!("{} {key} {start}..{end} n={} {}", text("rule"), properties["measures"]["n"], text("clock"))
    };
    lines.lines().map(alert).collect()
}

fn of<'l>(said: &'l [String], rule: &str) -> Vec<&'l str> {
    said.iter().filter_map(|line| line.strip_prefix(rule)?.strip_prefix(' ')).collect()
}

fn rules() -> String {
    rule_file(&[
        ("alert", "Arrived", "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n CLOCK WALL"),
        (
            "alert",
            "Lately",
            "FROM pings PARTITION BY id WINDOW SLIDING 30 s EVERY 10 s JITTER 100% MEASURES count(*) AS n, max(time) AS newest CLOCK WALL",
        ),
        (
            "alert",
            "Visit",
            "FROM pings PARTITION BY id WINDOW SESSION GAP 15 s MEASURES count(*) AS n EMIT EVERY 5 s CLOCK WALL",
        ),
        (
            "alert",
            "Then",
            "FROM Arrived, pings PARTITION BY id PATTERN w -> p WITHIN 1 h DEFINE w FROM Arrived AS n > 0, p FROM pings AS TRUE MEASURES w.n AS n, w.time AS at AFTER MATCH NO SKIP",
        ),
        ("alert", "Happened", "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n"),
    ])
}

fn at(second: i64, id: &str) -> String {
    ping(second * 1_000, id, 10.0, 50.0, 1.0)
}

#[test]
fn an_event_counts_in_the_window_of_the_time_at_which_it_arrives_whenever_it_happened() {
    use Step::{Read, Record};
    // Events of the seconds 1 to 4 and 100 are read in 2026, or whenever: at 1,000 s.
    let scene = Scene::pings(&rules(), vec![vec![at(1, "a"), at(2, "a"), at(3, "b"), at(4, "a"), at(100, "a")]]);
    let steps = [
        Read(1_000_000),
        Record(0),
        Record(0),
        Read(1_009_999),
        Record(0),
        Read(1_010_000),
        Record(0),
        // A clock that is set back stands still.
        Read(500_000),
        Read(1_030_000),
        Record(0),
    ];
    let found = said(&play(&scene, &steps, PLAIN));
    let expected = [
        "a 1000..1010 n=2 wall",
        "b 1000..1010 n=1 wall",
        // What one reading closes comes by key.
        "a 1010..1020 n=1 wall",
        "a 1020..1030 n=0 wall",
        "b 1010..1020 n=0 wall",
        "a 1030..1040 n=1 wall",
        "a 1040..1050 n=0 wall",
    ];
    assert_eq!(of(&found, "Arrived"), expected);
    // For who reads them they are decided where event time is: at 3, and at 4.
    assert_eq!(of(&found, "Then"), ["a 3..4 n=2 none", "a 4..100 n=1 none"]);
    // At the end nothing arrives any more, unless the run only stops.
    let last = said(&play(&scene, &steps, Way { at_end: AtEnd::Last, ..PLAIN }));
    assert_eq!(of(&last, "Arrived"), expected[..5]);
}

#[test]
fn what_arrives_between_two_readings_is_all_that_counts_however_it_is_cut_sharded_and_moved() {
    let mut state = 7u64;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % limit) as i64
    };
    for round in 0..4 {
        let mut lanes: Vec<Vec<String>> = vec![Vec::new(); 3];
        let mut steps = vec![Step::Read(5_000_000)];
        let (mut event_ms, mut wall_ms) = (0, 5_000_000);
        for _ in 0..300 {
            event_ms += next(3_000);
            wall_ms += next(3_000);
            match next(8) {
                0 | 1 => steps.push(Step::Read(wall_ms)),
                2 if round % 2 == 1 => steps.push(Step::Tick(event_ms - 2_000)),
                _ => {
                    let lane = next(3) as usize;
                    lanes[lane].push(ping(event_ms - next(2_000), &format!("v{}", next(6)), 10.0, 50.0, 1.0));
                    steps.push(Step::Record(lane));
                }
            }
        }
        let mut scene = Scene::pings(&rules(), lanes);
        scene.lanes.iter_mut().for_each(|lane| lane.disorder_ms = 2_000);
        let [seldom, at_once] = [false, true].map(|at_once| play(&scene, &steps, Way { at_once, ..PLAIN }));
        // Where partitions are idle, how far time has come depends on when somebody looks, and results are of that time.
        assert!(round % 2 == 1 || seldom == at_once);
        for rule in ["Arrived", "Lately", "Visit", "Then"] {
            assert!(common::count_of(&at_once, rule) > 3, "`{rule}` hardly fires");
        }
        for shards in [1, 2, 8] {
            for (often, moves) in [(false, None), (true, None), (false, Some(7)), (true, Some(3))] {
                let way = Way { shards, at_once: often, moves, ..PLAIN };
                let found = play(&scene, &steps, way);
                let expected = if way.at_once { &at_once } else { &seldom };
                let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
                assert!(*expected == found, "round {round}, {way:?}: {differs:#?}");
            }
        }
    }
}

#[test]
fn where_events_were_recorded_such_rules_are_refused() {
    let (session, _) = Scene::pings(&rules(), vec![vec![]]).session(&Mode::default(), 1);
    assert!(session.has_no_arrivals().unwrap_err().contains("rule `Arrived`"));
    let counted =
        rule_file(&[("alert", "Two", "FROM pings PARTITION BY id WINDOW COUNT 2 MEASURES count(*) AS n CLOCK WALL")]);
    let (session, _) = Scene::pings(&counted, vec![vec![]]).session(&Mode::default(), 1);
    assert!(session.has_no_arrivals().is_ok() && !session.engine().counts_arrivals());
}

#[test]
fn once_lets_the_first_result_of_a_window_over_arrivals_pass() {
    let rules = rule_file(&[(
        "alert",
        "First",
        "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n ONCE CLOCK WALL",
    )]);
    let scene = Scene::pings(&rules, vec![(1..=4).map(|second| at(second, "v1")).collect()]);
    let steps = [
        Step::Read(100_000),
        Step::Record(0),
        Step::Record(0),
        Step::Read(111_000),
        Step::Record(0),
        Step::Record(0),
        Step::Read(130_000),
    ];
    let said = said(&play(&scene, &steps, PLAIN));
    assert_eq!(of(&said, "First"), ["v1 100..110 n=2 wall"]);
}
