//! Sources that no rule reads together don't wait for one another, and what is put out of all of them is in one order all the same.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, count_of, ping, rule_file};
use geocep::{
    engine::{AtEnd, Fate},
    runtime::session::{Letters, Lines},
    wire::Chunk,
};
use proptest::prelude::*;

const CONFIG: &str = "
sources:
  cars:
    file: cars.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h } }
  ships:
    file: ships.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h } }
  planes:
    file: planes.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h } }
";

/// Cars and planes are read together by a rule that reads rules; ships are not.
fn rules(all_together: bool) -> String {
    let mut rules = vec![
        ("alert", "Cars", "FROM cars PARTITION BY id WINDOW TUMBLING 20 s MEASURES count(*) AS n"),
        ("stream", "fast", "FROM cars WHERE speed > 40 km/h PARTITION BY id MEASURES speed"),
        (
            "alert",
            "Ships",
            "FROM ships PARTITION BY id WINDOW TUMBLING 30 s MEASURES count(*) AS n ALLOWED LATENESS 1 min",
        ),
        (
            "alert",
            "Gone",
            "FROM ships PARTITION BY id PATTERN last -> !next FOR 25 s WITHIN UNBOUNDED MEASURES last.time AS seen",
        ),
        ("stream", "far", "FROM ships WHERE speed > 30 km/h PARTITION BY id MEASURES speed"),
        ("alert", "Far", "FROM far PARTITION BY id PATTERN a -> b WITHIN 1 min MEASURES b.speed AS speed"),
        (
            "alert",
            "Both",
            "FROM fast, planes PARTITION BY id PATTERN c -> p WITHIN 1 min DEFINE c FROM fast AS TRUE, p FROM planes AS TRUE MEASURES c.speed AS speed AFTER MATCH NO SKIP",
        ),
    ];
    if all_together {
        rules.push(("stream", "together", "FROM cars, ships MEASURES speed"));
    }
    rule_file(&rules)
}

fn scene(all_together: bool, seed: u64) -> Scene {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % limit) as i64
    };
    let mut lane = |count: i64, step: u64| {
        let mut ts = 0;
        let record = |_| {
            ts += next(step);
            ping(ts, &format!("v{}", next(4)), 10.0, 50.0, next(90) as f64)
        };
        (0..count).map(record).collect::<Vec<String>>()
    };
    // Some end long before others.
    let lanes = vec![
        ("cars", lane(120, 4_000)),
        ("ships", lane(60, 6_000)),
        ("ships", lane(90, 5_000)),
        ("planes", lane(20, 9_000)),
    ];
    Scene::with_config(CONFIG, &rules(all_together), lanes)
}

#[test]
fn a_source_that_lags_delays_only_the_rules_that_need_it() {
    let at = |second: i64, speed: f64| ping(second * 1_000, "a", 10.0, 50.0, speed);
    let lanes = vec![
        ("cars", vec![at(1, 50.0), at(45, 50.0)]),
        ("ships", vec![at(1, 10.0), at(70, 10.0)]),
        ("planes", vec![at(2, 10.0), at(60, 10.0)]),
    ];
    let scene = Scene::with_config(CONFIG, &rules(false), lanes);
    let (mut session, lanes) = scene.session(&Mode { eager: true, ..Mode::default() }, 2);
    assert_eq!(session.engine().timelines(), 2);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let mut push = |lane: usize, session: &mut geocep::runtime::session::Session, lines: &mut Lines| {
        let mut chunk = Chunk::new();
        for (offset, record) in scene.lanes[lane].records.iter().enumerate() {
            chunk.push(scene.lanes[lane].partition, offset as u64, record, 1 << 20);
        }
        session.push(lanes[lane], &chunk, &mut letters);
        session.advance(lines);
        let text = String::from_utf8(std::mem::take(&mut lines.bytes)).unwrap();
        lines.clear();
        ["Ships", "Gone", "Cars", "Both"].map(|rule| count_of(&text, rule))
    };
    assert_eq!(push(1, &mut session, &mut lines), [2, 1, 0, 0], "ships wait for nobody");
    assert_eq!(push(0, &mut session, &mut lines), [0, 0, 0, 0], "cars wait for planes, which a rule reads with them");
    assert_eq!(session.stream_of(session.held_back_by().unwrap()), session.stream_of(lanes[2]));
    assert_eq!(push(2, &mut session, &mut lines), [0, 0, 2, 1]);
}

#[test]
fn the_wall_clock_moves_the_time_of_quiet_sources_though_others_are_busy() {
    let at = |second: i64| vec![ping(second * 1_000, "a", 10.0, 50.0, 50.0)];
    let rules = rule_file(&[
        ("alert", "Ship", "FROM ships PARTITION BY id PATTERN a -> !b FOR 10 s WITHIN UNBOUNDED"),
        ("alert", "Wall", "FROM ships PARTITION BY id PATTERN a -> !b FOR 5 s WITHIN UNBOUNDED CLOCK WALL"),
        ("alert", "Car", "FROM cars PARTITION BY id PATTERN a -> !b FOR 10 s WITHIN UNBOUNDED CLOCK WALL"),
    ]);
    let both = |cars: Vec<String>, ships: Vec<String>| {
        Scene::with_config(CONFIG, &rules, vec![("cars", cars), ("ships", ships)])
    };
    // Cars have come to 50, which their absence lets fire; but as long as they are read, the wall clock hasn't said so.
    let scene = both([at(1), at(50)].concat(), at(1));
    let (mut session, lanes) = scene.session(&Mode { eager: true, ..Mode::default() }, 1);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    for (from, lane) in scene.lanes.iter().zip(&lanes) {
        let mut chunk = Chunk::new();
        for (offset, record) in from.records.iter().enumerate() {
            chunk.push(from.partition, offset as u64, record, 1 << 20);
        }
        session.push(*lane, &chunk, &mut letters);
    }
    session.set_idle(lanes[1], true);
    let (cars, ships) = (session.timeline_of(lanes[0]), session.timeline_of(lanes[1]));
    assert_ne!(cars, ships);
    let mut to_ms = [None; 2];
    to_ms[ships] = Some(12_000);
    session.tick_timelines(&to_ms, &mut lines);
    let count =
        |lines: &Lines| ["Ship", "Wall", "Car"].map(|rule| count_of(std::str::from_utf8(&lines.bytes).unwrap(), rule));
    assert_eq!(count(&lines), [1, 1, 0]);
    assert!(!String::from_utf8_lossy(&lines.bytes).contains("\"clock\":\"event\""));
    to_ms[cars] = Some(session.engine().timeline_watermark_ms(cars));
    session.tick_timelines(&to_ms, &mut lines);
    assert_eq!(count(&lines), [1, 1, 1]);
}

#[test]
fn one_order_holds_over_all_timelines_as_if_there_were_one() {
    for seed in 0..6 {
        let (apart, together) = (scene(false, seed), scene(true, seed));
        for at_end in [AtEnd::Drain, AtEnd::Last, AtEnd::Hold] {
            let play = |scene: &Scene| scene.play(&Mode { at_end, ..Mode::default() });
            let (found, expected) = (play(&apart), play(&together));
            let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
            let (more, all) = (found.lines().count(), expected.lines().count());
            assert!(expected == found, "seed {seed}, {at_end:?}, {more} of {all}: {differs:#?}");
            for rule in ["Cars", "Ships", "Gone", "Far", "Both"] {
                assert!(at_end != AtEnd::Drain || count_of(&found, rule) > 0, "`{rule}` never fires");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn cuts_interleaving_shards_and_moves_leave_no_trace(
        seed in 0u64..4,
        steps in proptest::collection::vec((0..4usize, 0..50usize), 0..30),
        shards in 1..5u32,
        moves in proptest::collection::vec((0..30usize, 1..9u32), 0..3),
    ) {
        let scene = scene(false, seed);
        let expected = scene.play(&Mode::default());
        let found = scene.play(&Mode { shards, steps, moves, ..Mode::default() });
        prop_assert_eq!(expected, found);
    }
}

/// Plays two editions of the rules over one input, changing from one to the other at restarts.
fn play_restarted(scenes: &[Scene; 2], steps: &[(usize, usize)], moves: &[(usize, u32)]) -> Vec<String> {
    let mode = Mode::default();
    let mut turn = 0;
    let (mut session, mut lanes) = scenes[turn].session(&mode, 2);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let mut done = vec![0usize; lanes.len()];
    let rest = (0..lanes.len()).map(|lane| (lane, usize::MAX));
    for (step, (lane, count)) in steps.iter().copied().chain(rest).enumerate() {
        let from = &scenes[turn].lanes[lane];
        let end = done[lane].saturating_add(count).min(from.records.len());
        let mut chunk = Chunk::new();
        for (offset, record) in from.records.iter().enumerate().take(end).skip(done[lane]) {
            chunk.push(from.partition, offset as u64, record, 1 << 20);
        }
        done[lane] = end;
        session.push(lanes[lane], &chunk, &mut letters);
        session.advance(&mut lines);
        if let Some((_, shards)) = moves.iter().find(|(at, _)| *at == step) {
            let (cut, names, partitions) = (session.cut(), session.names(), session.partitions().to_vec());
            turn = 1 - turn;
            session = scenes[turn].blank(&mode, *shards);
            let fates = session.resume(&cut.payloads().unwrap(), &partitions, &names).unwrap();
            assert!(fates.iter().all(|(rule, fate)| rule == "together" || matches!(fate, Fate::Kept(_))), "{fates:?}");
            lanes = scenes[turn].add_lanes(&mut session);
        }
    }
    session.finish(AtEnd::Drain, &mut lines);
    assert!(letters.late.is_empty() && letters.dead.is_empty(), "{:?}", letters.samples);
    let mut lines: Vec<String> = std::str::from_utf8(&lines.bytes).unwrap().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_restart_may_tie_sources_together_or_let_them_go(
        seed in 0u64..4,
        steps in proptest::collection::vec((0..4usize, 0..50usize), 0..30),
        moves in proptest::collection::vec((0..30usize, 1..9u32), 0..4),
    ) {
        let scenes = [scene(false, seed), scene(true, seed)];
        let whole = scenes[0].play(&Mode::default());
        let mut expected: Vec<&str> = whole.lines().collect();
        expected.sort_unstable();
        prop_assert_eq!(expected, play_restarted(&scenes, &steps, &moves));
    }
}
