//! Which clock fires a rule's timers, and what becomes of them where the inputs end.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Lane, Mode, Scene, count_of, ping, rule_file};
use geocep::{
    engine::AtEnd,
    runtime::session::{LaneIx, Letters, Lines, Session},
    wire::Chunk,
};

/// What a driver tells a core.
#[derive(Clone, Debug)]
enum Step {
    /// The next record of a lane.
    Record(usize),
    /// All lanes are quiet, and the wall clock says that event time has come so far.
    Tick(i64),
}

/// How the same steps are told.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    shards: u32,
    /// Whether the core works after each record, or only before the next tick.
    at_once: bool,
    /// After so many steps the core is saved and another goes on.
    moves: Option<usize>,
}

struct Play<'a> {
    scene: &'a Scene,
    session: Session,
    lanes: Vec<LaneIx>,
    done: Vec<usize>,
    lines: Lines,
}

impl<'a> Play<'a> {
    fn new(scene: &'a Scene, shards: u32) -> Self {
        let (session, lanes) = scene.session(&Mode::default(), shards);
        Self { scene, session, done: vec![0; lanes.len()], lanes, lines: Lines::default() }
    }

    fn step(&mut self, step: &Step, at_once: bool) {
        match *step {
            Step::Record(lane) => {
                let from = &self.scene.lanes[lane];
                let mut chunk = Chunk::new();
                let offset = self.done[lane];
                self.done[lane] += 1;
                chunk.push(from.partition, offset as u64, &from.records[offset], 1 << 20);
                let mut letters = Letters::default();
                self.session.set_idle(self.lanes[lane], false);
                self.session.push(self.lanes[lane], &chunk, &mut letters);
                assert!(letters.late.is_empty() && letters.dead.is_empty(), "{:?}", letters.samples);
                if at_once {
                    self.session.advance(&mut self.lines);
                }
            }
            Step::Tick(to_ms) => {
                self.lanes.iter().for_each(|lane| self.session.set_idle(*lane, true));
                self.session.tick(to_ms, &mut self.lines);
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.lines.bytes.clone()).unwrap()
    }
}

fn play(scene: &Scene, steps: &[Step], way: Way, at_end: AtEnd) -> String {
    let mut play = Play::new(scene, way.shards.max(1));
    for (at, step) in steps.iter().enumerate() {
        play.step(step, way.at_once);
        if way.moves.is_some_and(|every| at % every == every - 1) {
            let bytes = play.session.engine().save();
            let shards = way.shards.max(1) % 3 + 1;
            let (session, _) = scene.session(&Mode::default(), shards);
            play.session = session;
            play.session.engine_mut().restore(&bytes).unwrap();
        }
    }
    play.session.finish(at_end, &mut play.lines);
    play.text()
}

/// For each alert its rule, its key, the second in which it ended, and its clock.
fn said(lines: &str) -> Vec<String> {
    let alert = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let properties = &alert["properties"];
        let end = geocep::model::parse_time(properties["end"].as_str().unwrap()).unwrap() / 1_000;
        let clock = properties["clock"].as_str().unwrap_or("none");
        let decided = properties["measures"]["decided"].as_str();
        let decided =
            decided.map_or(String::new(), |text| format!(" at {}", geocep::model::parse_time(text).unwrap() / 1_000));
        format!(
            "{} {} {end} {clock}{decided}",
            properties["rule"].as_str().unwrap(),
            properties["key"]["id"].as_str().unwrap()
        )
    };
    lines.lines().map(alert).collect()
}

fn of<'l>(said: &'l [String], rule: &str) -> Vec<&'l str> {
    said.iter().filter_map(|line| line.strip_prefix(rule)?.strip_prefix(' ')).collect()
}

/// For each clock an absence of 10 s, a window of 10 s (not of the wall clock), and a rule that reads the absence.
fn rules() -> String {
    let mut rules = Vec::new();
    for (name, clause) in [("Event", "CLOCK EVENT"), ("Both", "CLOCK EVENT OR WALL"), ("Wall", "CLOCK WALL")] {
        let gone = format!(
            "FROM pings PARTITION BY id PATTERN last -> !next FOR 10 s WITHIN UNBOUNDED MEASURES last.time AS since {clause}"
        );
        let count =
            format!("FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0 {clause}");
        let read = format!(
            "FROM Gone{name}, pings PARTITION BY id PATTERN g -> p WITHIN 1 h \
             DEFINE g FROM Gone{name} AS TRUE, p FROM pings AS TRUE MEASURES g.time AS decided AFTER MATCH NO SKIP"
        );
        rules.push((format!("Gone{name}"), gone));
        // With CLOCK WALL windows are over the time of arrival.
        rules.extend((name != "Wall").then(|| (format!("Count{name}"), count)));
        rules.push((format!("Then{name}"), read));
    }
    let rules: Vec<(&str, &str, &str)> =
        rules.iter().map(|(name, expr)| ("alert", name.as_str(), expr.as_str())).collect();
    rule_file(&rules)
}

fn at(second: i64, id: &str) -> String {
    ping(second * 1_000, id, 10.0, 50.0, 1.0)
}

#[test]
fn each_clock_fires_what_its_rules_say_and_the_alert_names_it() {
    let scene = Scene::pings(&rules(), vec![vec![at(0, "a"), at(15, "b"), at(16, "a")]]);
    let steps = [Step::Record(0), Step::Tick(12_000), Step::Record(0), Step::Record(0)];
    let found = said(&play(&scene, &steps, Way { at_once: true, ..Way::default() }, AtEnd::Drain));
    // The wall clock passes the deadline first.
    assert_eq!(of(&found, "GoneBoth"), ["a 10 wall", "b 25 event", "a 26 event"]);
    assert_eq!(of(&found, "GoneWall"), ["a 10 wall", "b 25 event", "a 26 event"]);
    assert_eq!(of(&found, "CountBoth"), ["a 10 wall", "a 20 event", "b 20 event"]);
    // An event does, at 15; readers were promised everything up to 12, so it is decided then.
    assert_eq!(of(&found, "GoneEvent"), ["a 10 event", "b 25 event", "a 26 event"]);
    assert_eq!(of(&found, "CountEvent"), ["a 10 event", "a 20 event", "b 20 event"]);
    assert_eq!(of(&found, "ThenBoth"), ["a 16 none at 10"]);
    assert_eq!(of(&found, "ThenEvent"), ["a 16 none at 12"]);
    assert_eq!(of(&found, "ThenWall"), ["a 16 none at 10"]);
}

#[test]
fn a_rule_that_waits_for_the_wall_clock_fires_with_the_next_tick_or_at_the_end() {
    let scene = Scene::pings(&rules(), vec![vec![at(0, "a"), at(15, "b"), at(16, "b"), at(17, "a")]]);
    let records = [Step::Record(0), Step::Record(0), Step::Record(0), Step::Record(0)];
    let way = Way { at_once: true, ..Way::default() };
    let replayed = said(&play(&scene, &records, way, AtEnd::Drain));
    // Without a tick all is event time, and what waits comes at the end: too late for who reads it.
    assert_eq!(of(&replayed, "GoneBoth"), ["a 10 event", "b 26 event", "a 27 event"]);
    assert_eq!(of(&replayed, "GoneWall"), ["a 10 event", "b 26 event", "a 27 event"]);
    assert_eq!(of(&replayed, "ThenBoth"), ["a 17 none at 10"]);
    assert_eq!(of(&replayed, "ThenWall"), [""; 0]);
    let last = said(&play(&scene, &records, way, AtEnd::Last));
    assert_eq!(of(&last, "GoneBoth"), ["a 10 event"]);
    assert_eq!(of(&last, "GoneWall"), [""; 0]);
    // A tick that moves nothing on says that the wall clock has come to 16.
    let mut steps = records.to_vec();
    steps.insert(3, Step::Tick(16_000));
    let ticked = said(&play(&scene, &steps, way, AtEnd::Drain));
    assert_eq!(of(&ticked, "GoneBoth"), ["a 10 event", "b 26 event", "a 27 event"]);
    assert_eq!(of(&ticked, "GoneWall"), ["a 10 wall", "b 26 event", "a 27 event"]);
    assert_eq!(of(&ticked, "ThenWall"), ["a 17 none at 16"]);
}

#[test]
fn ticks_give_the_same_bytes_however_the_rest_is_cut_sharded_and_moved() {
    let mut state = 99u64;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % limit) as i64
    };
    for round in 0..6 {
        let mut lanes: Vec<Vec<String>> = vec![Vec::new(); 3];
        let mut steps = Vec::new();
        let mut now_ms = 0;
        for _ in 0..250 {
            now_ms += next(5_000);
            if next(4) == 0 {
                steps.push(Step::Tick(now_ms - 2_000));
            } else {
                let lane = next(3) as usize;
                lanes[lane].push(ping(now_ms - next(2_000), &format!("v{}", next(6)), 10.0, 50.0, next(90) as f64));
                steps.push(Step::Record(lane));
            }
        }
        let mut scene = Scene::pings(&rules(), lanes);
        scene.lanes.iter_mut().for_each(|lane: &mut Lane| lane.disorder_ms = 2_000);
        let expected = play(&scene, &steps, Way::default(), AtEnd::Drain);
        for rule in ["GoneEvent", "GoneWall", "CountEvent", "CountBoth", "ThenEvent", "ThenWall"] {
            assert!(count_of(&expected, rule) > 0, "`{rule}` never fires");
        }
        for clock in ["event", "wall"] {
            assert!(expected.contains(&format!("\"clock\":\"{clock}\"")), "{clock} in round {round}");
        }
        for shards in [1, 2, 8] {
            for (at_once, moves) in [(false, None), (true, None), (false, Some(7)), (true, Some(3))] {
                let way = Way { shards, at_once, moves };
                let found = play(&scene, &steps, way, AtEnd::Drain);
                let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
                assert!(expected == found, "round {round}, {way:?}: {differs:#?}");
            }
        }
    }
}

#[test]
fn a_rule_may_say_what_becomes_of_its_timers_at_the_end() {
    let mut rules = Vec::new();
    for (name, clause) in [("Default", ""), ("Fire", "AT END FIRE"), ("Drop", "AT END DROP")] {
        let count =
            format!("FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0 {clause}");
        let read = format!("FROM Count{name} PARTITION BY id PATTERN c -> !d FOR 1 min WITHIN UNBOUNDED {clause}");
        let gone = format!(
            "FROM pings PARTITION BY id PATTERN a -> b WITHIN 10 s ON TIMEOUT DEFINE a AS TRUE, b AS speed > 5 km/h {clause}"
        );
        rules.push((format!("Count{name}"), count));
        rules.push((format!("Read{name}"), read));
        rules.push((format!("Gone{name}"), gone));
    }
    let rules: Vec<(&str, &str, &str)> =
        rules.iter().map(|(name, expr)| ("alert", name.as_str(), expr.as_str())).collect();
    let scene = Scene::pings(&rule_file(&rules), vec![vec![at(0, "a"), at(12, "a"), at(14, "b")]]);
    let steps = [Step::Record(0), Step::Record(0), Step::Record(0)];
    for (at_end, counted, read, gone) in [
        (AtEnd::Drain, [3, 3, 1], [2, 2, 0], [3, 3, 1]),
        (AtEnd::Last, [1, 3, 1], [0, 2, 0], [1, 3, 1]),
        (AtEnd::Hold, [1, 1, 1], [0, 0, 0], [1, 1, 1]),
    ] {
        for shards in [1, 4] {
            let lines = play(&scene, &steps, Way { shards, at_once: true, moves: None }, at_end);
            for (kind, expected) in [("Count", counted), ("Read", read), ("Gone", gone)] {
                let found = ["Default", "Fire", "Drop"].map(|name| count_of(&lines, &format!("{kind}{name}")));
                assert_eq!(found, expected, "{kind}, {at_end:?} on {shards} shards:\n{lines}");
            }
        }
    }
}

#[test]
fn events_of_one_instant_come_in_the_order_that_a_rule_asks_for() {
    let pattern = "FROM pings PARTITION BY id PATTERN low high DEFINE low AS speed < 5 km/h, high AS speed >= 5 km/h WITHIN 1 min";
    let ordered = format!("{pattern} MEASURES high.speed AS top AFTER MATCH NO SKIP ORDER BY time, speed");
    let rules = rule_file(&[
        ("alert", "AsTheyCome", &format!("{pattern} MEASURES high.speed AS top AFTER MATCH NO SKIP")),
        ("alert", "Ordered", &ordered),
        ("alert", "Reader", "FROM Ordered PARTITION BY id MEASURES top"),
    ]);
    let speeds = |partition: i64| {
        let ping = move |n: i64| {
            let (second, speed) = (n / 3, (n * 7 + partition * 5) % 10);
            ping(second * 1_000, "a", 10.0, 50.0, speed as f64)
        };
        (0..30).map(ping).collect()
    };
    let scene = Scene::pings(&rules, vec![speeds(0), speeds(1)]);
    let expected = scene.play(&Mode::default());
    // In every instant six pings with rising speeds: one step from low to high, unless all are of one kind.
    assert_eq!(count_of(&expected, "Ordered"), 10, "{expected}");
    assert_eq!(count_of(&expected, "Reader"), 10);
    assert_ne!(count_of(&expected, "AsTheyCome"), 10);
    for (shards, steps) in
        [(2, vec![(0, 4), (1, 7), (0, 1), (0, 1), (1, 2)]), (1, vec![(1, 1), (1, 1), (0, 5), (0, 1)])]
    {
        let mode = Mode { shards, moves: vec![(1, 2), (3, shards)], steps, ..Mode::default() };
        assert_eq!(expected, scene.play(&mode), "{mode:?}");
    }
}

#[test]
fn what_an_event_decides_names_no_clock_and_waits_for_none() {
    let rules = rule_file(&[
        ("alert", "Two", "FROM pings PARTITION BY id WINDOW COUNT 2 MEASURES count(*) AS n CLOCK WALL"),
        ("alert", "Pair", "FROM pings PARTITION BY id PATTERN a -> b WITHIN 1 min CLOCK WALL"),
    ]);
    let scene = Scene::pings(&rules, vec![vec![at(0, "a"), at(1, "a"), at(5, "b")]]);
    let steps = [Step::Record(0), Step::Record(0), Step::Record(0)];
    let found = said(&play(&scene, &steps, Way { at_once: true, ..Way::default() }, AtEnd::Hold));
    assert_eq!(found, ["Pair a 1 none", "Two a 1 none"]);
}
