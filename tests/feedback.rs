//! Rules that read their own outputs: against counters that carry, and however a run is cut.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod common;

use common::{Mode, Scene, count_of, ping, rule_file};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Three of a level are one of the next.
fn escalation(hops: u32) -> String {
    let expr = format!(
        "FROM pings, Escalation\nWHERE speed IS NULL OR speed > 10 km/h\nPARTITION BY id\nPATTERN a -> b -> c\nWITHIN 30 d\n\
         DEFINE b AS coalesce(level, 0) = coalesce(a.level, 0), c AS coalesce(level, 0) = coalesce(a.level, 0)\n\
         MEASURES coalesce(a.level, 0) + 1 AS level\nFEEDBACK {hops}"
    );
    rule_file(&[
        ("alert", "Escalation", expr.as_str()),
        ("alert", "Top", "FROM Escalation\nWHERE level = 3\nPARTITION BY id\nMEASURES level"),
    ])
}

fn levels(lines: &str) -> Vec<(String, i64, i64)> {
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone());
    let all = all.filter(|alert| alert["rule"] == "Escalation").map(|alert| {
        let end = geocep::model::parse_time(alert["end"].as_str().unwrap()).unwrap();
        (alert["key"]["id"].as_str().unwrap().to_owned(), end, alert["measures"]["level"].as_i64().unwrap())
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

/// Counters with carry, at most so far for one event.
fn model(pings: &[(usize, i64, bool)], hops: u32) -> Vec<(String, i64, i64)> {
    let mut counts: BTreeMap<(usize, i64), u32> = BTreeMap::new();
    let mut found = Vec::new();
    for &(id, at, counts_here) in pings.iter().filter(|ping| ping.2) {
        assert!(counts_here);
        let (mut level, mut hop) = (0, 0);
        loop {
            let count = counts.entry((id, level)).or_default();
            *count += 1;
            if *count < 3 {
                break;
            }
            *count = 0;
            level += 1;
            found.push((format!("v{id}"), at, level));
            hop += 1;
            if hop > hops {
                break;
            }
        }
    }
    found.sort();
    found
}

fn scene(pings: &[(usize, i64, bool)], hops: u32) -> Scene {
    let record =
        |&(id, at, fast): &(usize, i64, bool)| ping(at, &format!("v{id}"), 10.0, 50.0, if fast { 50.0 } else { 5.0 });
    Scene::pings(&escalation(hops), vec![pings.iter().map(record).collect()])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn what_is_fed_back_counts_as_any_event_and_nothing_depends_on_shards_or_cuts(
        pings in proptest::collection::vec((0..3usize, 0..3i64, prop::bool::weighted(0.8)), 0..150),
        hops in 1..4u32,
        steps in proptest::collection::vec((0..1usize, 1..40usize), 0..5),
        shards in 1..5u32,
    ) {
        let mut now = 0;
        let pings: Vec<(usize, i64, bool)> =
            pings.into_iter().map(|(id, pause, fast)| { now += pause * 1_000; (id, now, fast) }).collect();
        let scene = scene(&pings, hops);
        let lines = scene.play(&Mode::default());
        prop_assert_eq!(levels(&lines), model(&pings, hops));
        let moves = vec![(0, 2), (1, shards), (2, 3)];
        prop_assert_eq!(&lines, &scene.play(&Mode { shards, steps, moves, ..Mode::default() }));
    }
}

#[test]
fn each_level_is_an_alert_and_a_bound_on_hops_ends_it() {
    let pings: Vec<(usize, i64, bool)> = (0..27).map(|at| (0, at * 1_000, true)).collect();
    for (hops, expected) in [(1, [9, 3, 0]), (2, [9, 3, 1]), (5, [9, 3, 1])] {
        let lines = scene(&pings, hops).play(&Mode::default());
        let found = levels(&lines);
        let of = |level: i64| found.iter().filter(|found| found.2 == level).count();
        assert_eq!([of(1), of(2), of(3)], expected, "{hops} hops");
        assert_eq!(count_of(&lines, "Top"), expected[2], "others read it as any rule's stream");
    }
}

#[test]
fn a_filter_that_reads_itself_goes_as_far_as_its_hops() {
    let rules = rule_file(&[(
        "alert",
        "Again",
        "FROM pings, Again\nPARTITION BY id\nMEASURES coalesce(n, 0) + 1 AS n, prev(coalesce(n, 0)) AS before\nFEEDBACK 3",
    )]);
    let scene = Scene::pings(&rules, vec![vec![ping(0, "v", 10.0, 50.0, 1.0), ping(0, "w", 10.0, 50.0, 1.0)]]);
    let lines = scene.play(&Mode::default());
    let of_v: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone())
        .filter(|alert| alert["key"]["id"] == "v")
        .map(|alert| alert["measures"].clone())
        .collect();
    let said: Vec<String> = of_v.iter().map(|measures| format!("{} {}", measures["n"], measures["before"])).collect();
    assert_eq!(said, ["1 null", "2 0", "3 1", "4 2"], "each follows the one before in the partition");
    let mut ids: Vec<String> = lines.lines().map(|line| line[..60].to_owned()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 8, "each has an id of its own");
    let plan = &scene.project.plan;
    assert!(plan.kept(plan).iter().all(Option::is_some), "a rule that reads itself is kept where nothing changed");
}

#[test]
fn a_bound_that_was_reached_is_counted() {
    let pings: Vec<(usize, i64, bool)> = (0..9).map(|at| (0, at * 1_000, true)).collect();
    let scene = scene(&pings, 1);
    let (mut session, lanes) = scene.session(&Mode::default(), 2);
    let mut chunk = geocep::wire::Chunk::new();
    for (offset, record) in scene.lanes[0].records.iter().enumerate() {
        chunk.push(0, offset as u64, record, 1 << 20);
    }
    session.push(lanes[0], &chunk, &mut Default::default());
    session.finish(geocep::engine::AtEnd::Drain, &mut Default::default());
    assert_eq!(session.engine().rule_stats(0).shed, 1, "the one of level 2 isn't fed back");
}

#[test]
fn what_feedback_cannot_do_is_refused_with_a_reason() {
    for (expr, reason) in [
        ("FROM pings\nPARTITION BY id\nFEEDBACK 2", "nothing that `A` reads depends on `A`"),
        ("FROM A\nPARTITION BY id\nFEEDBACK 2", "never begins"),
        ("FROM pings, A\nPARTITION BY id\nMEASURES time AS t\nFEEDBACK 0", "1 to 100 hops"),
        (
            "FROM pings, A\nPARTITION BY h3(position, 8)\nMEASURES position\nFEEDBACK 2",
            "of the partition that put it out",
        ),
        (
            "FROM pings, A\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES count(*) AS n\nFEEDBACK 2",
            "can't stand beside FEEDBACK",
        ),
        (
            "FROM pings, A\nPARTITION BY id\nPATTERN a -> !b FOR 1 min\nWITHIN 1 h\nDEFINE a AS TRUE, b AS TRUE\nFEEDBACK 2",
            "what time decides can't be fed back",
        ),
        ("FROM pings, B\nPARTITION BY id", "rules read each other in a circle: A reads B reads A"),
        ("FROM pings, A, B\nPARTITION BY id\nFEEDBACK 2", "reads itself, and rules that depend on it"),
        ("FROM pings, A\nPARTITION BY id", "reads itself"),
    ] {
        let rules = rule_file(&[("alert", "A", expr), ("alert", "B", "FROM A\nPARTITION BY id")]);
        let error = Scene::try_pings(&rules, vec![Vec::new()]).err().unwrap_or_else(|| panic!("{expr} is accepted"));
        assert!(error.to_string().contains(reason), "{expr}:\n{error}");
    }
}
