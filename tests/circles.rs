//! Rules that read each other: against a slow model, and however a run is cut, sharded or moved.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod common;

use common::{Mode, Scene, count_of, ping, rule_file};
use geocep::{
    engine::{AtEnd, Change, Fate},
    runtime::{
        project::{Loaded, Project, Request},
        rule_test::run_file,
        session::{Letters, Lines},
    },
    wire::Chunk,
};
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::BTreeMap, fs};

const GRAINS: &str = "
sources:
  grains:
    file: grains.ndjson
    schema: { time: ts, fields: { at: int } }
";

/// A heap of three grains topples, and the heaps beside it get one each.
fn sand(hops: u32) -> String {
    let topple = format!(
        "FROM grains, up, down\nPARTITION BY at\nPATTERN a -> b -> c\nWITHIN 30 d\nDEFINE a AS TRUE, b AS TRUE, c AS TRUE\n\
         MEASURES count(*) AS n\nFEEDBACK {hops}"
    );
    rule_file(&[
        ("stream", "up", "FROM Topples\nPARTITION BY at + 1 AS at"),
        ("alert", "Topples", topple.as_str()),
        ("stream", "down", "FROM Topples\nPARTITION BY at - 1 AS at"),
        ("alert", "Seen", "FROM Topples\nPARTITION BY at\nWINDOW COUNT 5\nMEASURES count(*) AS n"),
    ])
}

fn sand_scene(grains: &[(i64, i64)], hops: u32) -> Scene {
    let record = |&(at, ms): &(i64, i64)| format!("{{\"ts\":{ms},\"at\":{at},\"lon\":1,\"lat\":2}}");
    Scene::with_config(GRAINS, &sand(hops), vec![("grains", grains.iter().map(record).collect())])
}

/// When which heap topples; and how many grains were lost to the bound.
fn sand_model(grains: &[(i64, i64)], hops: u32) -> (Vec<(i64, i64)>, u64) {
    let mut instants: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    grains.iter().for_each(|&(at, ms)| instants.entry(ms).or_default().push(at));
    let mut heaps: BTreeMap<i64, u32> = BTreeMap::new();
    let (mut found, mut lost) = (Vec::new(), 0);
    for (ms, mut coming) in instants {
        for hop in 0..=hops {
            let mut next = Vec::new();
            for at in coming {
                let heap = heaps.entry(at).or_default();
                *heap += 1;
                if *heap == 3 {
                    *heap = 0;
                    found.push((ms, at));
                    next.extend([at - 1, at + 1]);
                }
            }
            if hop == hops {
                lost += next.len() as u64;
                next.clear();
            }
            coming = next;
        }
    }
    found.sort_unstable();
    (found, lost)
}

fn alerts(lines: &str, rule: &str) -> Vec<Value> {
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone());
    all.filter(|alert| alert["rule"] == rule).collect()
}

fn topples(lines: &str) -> Vec<(i64, i64)> {
    let found = alerts(lines, "Topples");
    let found = found.iter().map(|alert| {
        let end = geocep::model::parse_time(alert["end"].as_str().unwrap()).unwrap();
        (end, alert["key"]["at"].as_i64().unwrap())
    });
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found
}

/// A vehicle that was twice in trouble is watched, and of who is watched less is trouble.
const WATCH: &[(&str, &str, &str)] = &[
    (
        "stream",
        "watch",
        "FROM Trouble\nPARTITION BY id\nPATTERN one -> two\nWITHIN 40 s\nDEFINE one AS TRUE, two AS TRUE",
    ),
    (
        "alert",
        "Trouble",
        "FROM pings, watch\nPARTITION BY id\nPATTERN (big | watched -> small)\nWITHIN 1 min\n\
         DEFINE big FROM pings AS speed > 60 km/h, watched FROM watch AS TRUE, small FROM pings AS speed > 30 km/h\nFEEDBACK 3",
    ),
    ("alert", "Watched", "FROM watch\nPARTITION BY id\nMEASURES time AS since"),
];

/// Windows of cells, the regions of full ones, and what these make more full, at other places: by other keys on all sides.
const ECHO: &[(&str, &str, &str)] = &[
    (
        "stream",
        "cells",
        "FROM pings, echo\nPARTITION BY h3(position, 7) AS cell\nWINDOW TUMBLING 20 s\nMEASURES count(*) AS n\nFEEDBACK 2",
    ),
    (
        "stream",
        "full",
        "FROM cells\nCLUSTER BY cell WHERE n >= 2\nREACH 1 EXPIRE 1 min EVERY 20 s\nMEASURES sum(n) AS load",
    ),
    (
        "stream",
        "echo",
        "FROM full\nWHERE transition IN ('emerged', 'survived') AND load < 9\nPARTITION BY region\nMEASURES position, load",
    ),
    ("alert", "Region", "FROM full\nPARTITION BY region\nMEASURES transition, load, position, time AS at"),
    (
        "alert",
        "Cell",
        "FROM cells\nPARTITION BY parent(cell, 5) AS area\nWINDOW COUNT 3\nMEASURES count(*) AS n, last(time) AS at",
    ),
    (
        "alert",
        "Aside",
        "FROM pings\nPARTITION BY id\nPATTERN a -> !b FOR 30 s\nWITHIN UNBOUNDED\nDEFINE a AS speed > 80 km/h, b AS TRUE",
    ),
];

fn random_pings(seed: u64, count: usize, partitions: usize) -> Vec<Vec<String>> {
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut of = vec![Vec::new(); partitions];
    let mut ts = 0;
    for _ in 0..count {
        ts += [0, 0, 500, 1_000, 4_000, 10_000][next(6) as usize];
        let id = next(5);
        let (lon, lat) = (10.0 + next(5) as f64 * 0.015, 50.0 + next(4) as f64 * 0.012);
        of[id as usize % partitions].push(ping(ts, &format!("v{id}"), lon, lat, next(100) as f64));
    }
    of
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

fn same_in_any_way(scene: &Scene, lines: &str, mode: &Mode) -> Result<(), TestCaseError> {
    for shards in [1, 2, 8] {
        for threads in [false, true] {
            let mode = Mode { shards, threads: threads && shards > 1, ..mode.clone() };
            let played = scene.play(&mode);
            prop_assert_eq!(lines, &played, "{:?}", &mode);
        }
    }
    let eager = scene.play(&Mode { eager: true, ..mode.clone() });
    prop_assert_eq!(sorted(lines), sorted(&eager));
    Ok(())
}

fn ways() -> impl Strategy<Value = Mode> {
    let steps = proptest::collection::vec((0..3usize, 1..25usize), 0..12);
    let moves = proptest::collection::vec((0..12usize, 1..9u32), 0..4);
    (steps, moves).prop_map(|(steps, moves)| Mode { steps, moves, ..Mode::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10) })]

    #[test]
    fn three_rules_of_other_keys_topple_as_the_model_does(
        grains in proptest::collection::vec((0..5i64, 0..3i64), 0..120),
        hops in 1..5u32,
        mode in ways(),
    ) {
        let mut now = 0;
        let grains: Vec<(i64, i64)> = grains.into_iter().map(|(at, pause)| { now += pause / 2 * 300; (at, now) }).collect();
        let scene = sand_scene(&grains, hops);
        let lines = scene.play(&Mode::default());
        prop_assert_eq!(topples(&lines), sand_model(&grains, hops).0);
        same_in_any_way(&scene, &lines, &mode)?;
    }

    #[test]
    fn two_rules_of_one_key_say_the_same_however_they_are_played(seed in any::<u64>(), mode in ways()) {
        let scene = Scene::pings(&rule_file(WATCH), random_pings(seed, 120, 3));
        let lines = scene.play(&Mode::default());
        same_in_any_way(&scene, &lines, &mode)?;
    }

    #[test]
    fn a_circle_through_windows_and_regions_says_the_same_however_it_is_played(seed in any::<u64>(), mode in ways()) {
        let scene = Scene::pings(&rule_file(ECHO), random_pings(seed, 90, 2));
        let lines = scene.play(&Mode::default());
        same_in_any_way(&scene, &lines, &mode)?;
    }
}

#[test]
fn scenes_go_round() {
    let lines = Scene::pings(&rule_file(WATCH), random_pings(3, 200, 3)).play(&Mode::default());
    let small = alerts(&lines, "Trouble").iter().filter(|alert| alert["events"].as_array().unwrap().len() == 2).count();
    assert!(small > 3 && count_of(&lines, "Watched") > 3, "{small}\n{lines}");
    let scene = Scene::pings(&rule_file(ECHO), random_pings(3, 200, 2));
    let lines = scene.play(&Mode::default());
    let rules = ECHO.iter().map(|&(kind, name, expr)| {
        (
            kind,
            name,
            expr.replace("pings, echo\nPARTITION BY h3(position, 7)", "pings\nPARTITION BY h3(position, 7)")
                .replace("\nFEEDBACK 2", ""),
        )
    });
    let rules: Vec<_> = rules.collect();
    let rules: Vec<(&str, &str, &str)> = rules.iter().map(|(kind, name, expr)| (*kind, *name, expr.as_str())).collect();
    let without = Scene::pings(&rule_file(&rules), random_pings(3, 200, 2)).play(&Mode::default());
    let loads = |lines: &str| {
        alerts(lines, "Region").iter().filter_map(|alert| alert["measures"]["load"].as_f64()).sum::<f64>()
    };
    assert!(loads(&lines) > loads(&without), "{} {}", loads(&lines), loads(&without));
    let first = &alerts(&lines, "Region")[0]["measures"]["at"];
    assert!(first.as_str().unwrap().ends_with(".001Z"), "a region of a circle is known right after its tick: {first}");
}

#[test]
fn what_a_bound_on_hops_leaves_out_is_counted_where_feedback_stands() {
    let grains: Vec<(i64, i64)> = (0..40).map(|number| (number % 2, number / 7)).collect();
    for hops in [1, 2, 9] {
        let scene = sand_scene(&grains, hops);
        let (mut session, lanes) = scene.session(&Mode::default(), 3);
        let mut chunk = Chunk::new();
        for (offset, record) in scene.lanes[0].records.iter().enumerate() {
            chunk.push(0, offset as u64, record, 1 << 20);
        }
        session.push(lanes[0], &chunk, &mut Letters::default());
        session.finish(AtEnd::Drain, &mut Lines::default());
        let plan = session.engine().plan();
        let shed = |name: &str| {
            let rule = plan.rules.iter().position(|rule| rule.name == name).unwrap();
            session.engine().rule_stats(rule as u32).shed
        };
        let (_, lost) = sand_model(&grains, hops);
        assert_eq!((shed("Topples"), shed("up"), shed("down")), (lost, 0, 0), "{hops} hops");
        assert_eq!(lost > 0, hops < 9, "{hops} hops");
    }
}

#[test]
fn nothing_is_fed_back_after_the_last_event_so_that_the_end_comes() {
    // Each window brings about the next.
    let rules = rule_file(&[
        (
            "alert",
            "Beat",
            "FROM pings, again\nPARTITION BY id\nWINDOW TUMBLING 1 s\nMEASURES count(*) AS n\nFEEDBACK 1",
        ),
        ("stream", "again", "FROM Beat\nPARTITION BY id"),
    ]);
    let pings = vec![vec![ping(0, "v", 10.0, 50.0, 1.0), ping(10_500, "w", 10.0, 50.0, 1.0)]];
    let scene = Scene::pings(&rules, pings);
    let lines = scene.play(&Mode::default());
    let of = |lines: &str, id: &str| {
        alerts(lines, "Beat").iter().filter(|alert| alert["key"]["id"] == id && alert["measures"]["n"] != 0).count()
    };
    assert_eq!((of(&lines, "v"), of(&lines, "w")), (11, 1), "{lines}");
    let last = scene.play(&Mode { at_end: AtEnd::Last, steps: vec![(0, 1)], ..Mode::default() });
    assert_eq!((of(&last, "v"), of(&last, "w")), (10, 0), "{last}");
}

#[test]
fn who_reads_a_circle_from_outside_sees_each_instant_in_one_order() {
    let rules = rule_file(&[
        ("stream", "b", "FROM a\nPARTITION BY id\nMEASURES n + 1 AS n"),
        ("stream", "a", "FROM pings, b\nPARTITION BY id\nMEASURES coalesce(n, 0) AS n\nFEEDBACK 3"),
        ("alert", "All", "FROM a, b\nWINDOW COUNT 14\nMEASURES collect(id) AS ids, collect(n) AS seen"),
    ]);
    let scene = Scene::pings(&rules, vec![vec![ping(0, "w", 10.0, 50.0, 1.0), ping(0, "v", 10.0, 50.0, 1.0)]]);
    let lines = scene.play(&Mode::default());
    let seen = alerts(&lines, "All");
    assert_eq!(seen.len(), 1, "{lines}");
    let expected = "v0 v1 v2 v3 w0 w1 w2 w3 v1 v2 v3 v4 w1 w2";
    let list = |name: &str| seen[0]["measures"][name].as_array().unwrap().clone();
    let seen = list("ids").into_iter().zip(list("seen"));
    let seen: Vec<String> = seen.map(|(id, n)| format!("{}{n}", id.as_str().unwrap())).collect();
    assert_eq!(seen.join(" "), expected, "first all of `a`, by key and hop, then all of `b`");
}

#[test]
fn a_circle_is_kept_whole_or_begins_anew_whole() {
    let pings = || vec![vec![ping(0, "v", 10.0, 50.0, 1.0)]];
    let with = |edit: (&str, &str), more: bool| {
        let mut rules: Vec<(String, String, String)> = WATCH
            .iter()
            .map(|(kind, name, expr)| ((*kind).to_owned(), (*name).to_owned(), expr.replace(edit.0, edit.1)))
            .collect();
        if more {
            rules.insert(0, ("alert".to_owned(), "More".to_owned(), "FROM pings\nPARTITION BY speed".to_owned()));
        }
        let rules: Vec<(&str, &str, &str)> =
            rules.iter().map(|(kind, name, expr)| (kind.as_str(), name.as_str(), expr.as_str())).collect();
        Scene::pings(&rule_file(&rules), pings()).project.plan
    };
    let plan = with(("", ""), false);
    let kept = |edit, more| -> Vec<(String, bool)> {
        let next = with(edit, more);
        let kept = next.kept(&plan);
        next.rules.iter().zip(kept).map(|(rule, kept)| (rule.name.clone(), kept.is_some())).collect()
    };
    // Who reads the circle from outside goes on: what it reads has the fields that it had.
    let circle = |is_kept: bool| {
        [("Trouble", is_kept), ("watch", is_kept), ("Watched", true)]
            .map(|(name, kept)| (name.to_owned(), kept))
            .to_vec()
    };
    assert_eq!(kept(("nothing", ""), false), circle(true));
    assert_eq!(kept(("40 s", "50 s"), false), circle(false));
    assert_eq!(kept(("FEEDBACK 3", "FEEDBACK 4"), false), circle(false));
}

/// Checks rules as those that take the place of running ones.
fn load(rules: &str, running: Option<&Project>) -> Project {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("geocep.yaml");
    let source = "sources:\n  pings:\n    file: pings.ndjson\n    schema:\n      time: ts\n      position: { lon: lon, lat: lat }\n";
    fs::write(
        &config,
        format!("{source}      fields: {{ id: string, speed: {{ type: float, unit: km/h }} }}\nrules: rules.yaml\n"),
    )
    .unwrap();
    fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    let loaded = Loaded::read(&Request { config: Some(config), ..Request::default() }).unwrap();
    let project = match running {
        None => loaded.check(&BTreeMap::new(), false),
        Some(running) => loaded.check_after(&BTreeMap::new(), false, &running.plan),
    };
    project.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_circle_does_not_notice_that_other_circles_come_and_go_around_it() {
    let mut rules = WATCH.to_vec();
    rules.push((
        "alert",
        "All",
        "FROM pings, watch, Trouble\nPARTITION BY id\nWINDOW COUNT 4\nMEASURES count(*) AS n, last(time) AS at",
    ));
    let mut more = rules.clone();
    more.insert(
        0,
        ("alert", "Aaa", "FROM pings, aab\nPARTITION BY id\nWINDOW TUMBLING 10 s\nMEASURES count(*) AS n\nFEEDBACK 2"),
    );
    more.insert(1, ("stream", "aab", "FROM Aaa, watch\nPARTITION BY id\nMEASURES 1 AS one"));
    let (rules, more) = (rule_file(&rules), rule_file(&more));
    let edited = rules.replace("40 s", "50 s");
    let records = random_pings(11, 160, 1);
    let play = |editions: &[&str], every: usize| {
        let mut project = load(&rules, None);
        let scene = Scene::of(load(&rules, None), &records, 0);
        let (mut session, lanes) = scene.session(&Mode::default(), 3);
        let (mut lines, mut changes) = (Lines::default(), Vec::new());
        for (offset, record) in records[0].iter().enumerate() {
            let mut chunk = Chunk::new();
            chunk.push(0, offset as u64, record.as_bytes(), 1 << 20);
            session.push(lanes[0], &chunk, &mut Letters::default());
            session.advance(&mut lines);
            if !editions.is_empty() && offset % every == every - 1 {
                project = load(editions[offset / every % editions.len()], Some(&project));
                changes.push(session.replace(&project, &mut lines).unwrap());
            }
        }
        session.finish(AtEnd::Drain, &mut lines);
        let lines = String::from_utf8(lines.bytes).unwrap();
        let lines: Vec<String> = lines.lines().filter(|line| !line.contains("Aaa")).map(str::to_owned).collect();
        (lines, changes)
    };
    let (whole, _) = play(&[], 1);
    assert!(whole.iter().filter(|line| line.contains("\"Watched\"")).count() > 3);
    for every in [1, 7, 30] {
        assert_eq!(play(&[&more, &rules], every).0, whole, "every {every}");
    }
    let (_, changes) = play(&[&edited], 100);
    let of: Vec<_> = changes[0].rules.iter().map(|rule| (rule.name.as_str(), rule.change)).collect();
    let [edited, kept] = [Change::Edited, Change::Kept];
    assert_eq!(of, [("Trouble", edited), ("watch", edited), ("Watched", kept), ("All", kept)]);
}

#[test]
fn a_restart_goes_on_with_a_circle_under_other_numbers_and_not_with_half_of_it() {
    let records = random_pings(5, 100, 1);
    let with = |rules: &[(&str, &str, &str)]| Scene::of(load(&rule_file(rules), None), &records, 0);
    let scene = with(WATCH);
    let (mut session, lanes) = scene.session(&Mode::default(), 2);
    let mut chunk = Chunk::new();
    records[0].iter().enumerate().for_each(|(at, record)| chunk.push(0, at as u64, record.as_bytes(), 1 << 20));
    session.push(lanes[0], &chunk, &mut Letters::default());
    session.advance(&mut Lines::default());
    let (cut, names, partitions) = (session.cut().payloads().unwrap(), session.names(), session.partitions().to_vec());
    let fates = |rules: &[(&str, &str, &str)]| {
        let mut other = with(rules).blank(&Mode::default(), 5);
        other.resume(&cut, &partitions, &names).unwrap()
    };
    let mut more = WATCH.to_vec();
    more.insert(0, ("alert", "More", "FROM pings\nPARTITION BY id"));
    let kept = fates(&more);
    assert!(kept.iter().all(|(name, fate)| matches!(fate, Fate::Kept(_)) != (name == "More")), "{kept:?}");
    let edit = WATCH[0].2.replace("40 s", "50 s");
    let edited = fates(&[("stream", "watch", edit.as_str()), WATCH[1], WATCH[2]]);
    assert!(edited.iter().all(|(_, fate)| matches!(fate, Fate::Edited(_))), "{edited:?}");
}

#[test]
fn incidents_raise_a_watch_that_makes_less_an_incident() {
    let outcome = run_file(&common::root().join("fixtures/watch/tests.yaml"), "", false).unwrap();
    let failures: Vec<String> = outcome.tests.iter().flat_map(|test| test.failures.clone()).collect();
    assert!(outcome.tests.len() == 2 && failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_doubles_with_each_hop_comes_to_an_end() {
    let rules = rule_file(&[
        ("alert", "A", "FROM pings, b, c\nPARTITION BY id\nMEASURES id AS who\nFEEDBACK 30"),
        ("stream", "b", "FROM A\nPARTITION BY id"),
        ("stream", "c", "FROM A\nPARTITION BY id"),
    ]);
    let scene = Scene::pings(&rules, vec![vec![ping(0, "v", 10.0, 50.0, 1.0)]]);
    let lines = scene.play(&Mode::default());
    // One of the ping, two of that, and then a thousand for each of those.
    assert_eq!(count_of(&lines, "A"), 1 + 2 + 2_000);
    assert_eq!(lines, scene.play(&Mode { shards: 8, threads: true, ..Mode::default() }));
}
