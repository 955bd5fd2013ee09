//! Fewer outputs and more: ONCE, UNNEST, snapshots; and outputs of pairs: NEAR.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, rule_file};
use serde_json::Value;

/// The alerts of rules over pings, each as rule, start, key and measures.
fn alerts(rules: &[(&str, &str, &str)], pings: &[(i64, &str, f64)]) -> Vec<String> {
    let records = pings.iter().map(|(ts, id, speed)| ping(*ts, id, 10.0, 50.0, *speed)).collect();
    let lines = Scene::pings(&rule_file(rules), vec![records]).play(&Mode::default());
    lines.lines().map(short).collect()
}

fn short(line: &str) -> String {
    let alert: Value = serde_json::from_str(line).unwrap();
    let alert = &alert["properties"];
    let at = alert["end"].as_str().unwrap().trim_start_matches("1970-01-01T00:").trim_end_matches('Z');
    let values = |of: &str| {
        let values = alert[of].as_object().unwrap().values().map(ToString::to_string);
        values.collect::<Vec<_>>().join(",").replace('"', "")
    };
    format!("{} {at} {} {}", alert["rule"].as_str().unwrap(), values("key"), values("measures"))
}

#[test]
fn the_first_output_of_each_key_counts_and_with_every_again_after_that_long() {
    let pings = [
        (0, "a", 1.0),
        (1_000, "b", 2.0),
        (2_000, "a", 3.0),
        (60_000, "a", 4.0),
        (60_999, "b", 5.0),
        (61_000, "b", 6.0),
    ];
    let once = ("alert", "First", "FROM pings\nPARTITION BY id\nMEASURES speed\nONCE");
    assert_eq!(alerts(&[once], &pings), ["First 00:00 a 1.0", "First 00:01 b 2.0"]);
    let every = ("alert", "Again", "FROM pings\nPARTITION BY id\nMEASURES speed\nONCE EVERY 1 min");
    let expected = ["Again 00:00 a 1.0", "Again 00:01 b 2.0", "Again 01:00 a 4.0", "Again 01:01 b 6.0"];
    assert_eq!(alerts(&[every], &pings), expected);
    let alone = ("alert", "One", "FROM pings\nMEASURES speed\nONCE");
    assert_eq!(alerts(&[alone], &pings), ["One 00:00  1.0"]);
}

#[test]
fn windows_and_patterns_have_it_too() {
    let pings: Vec<(i64, &str, f64)> = (0..8).map(|at| (at * 10_000, "a", at as f64)).collect();
    let window = (
        "alert",
        "Window",
        "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 20 s\nMEASURES sum(speed) AS sum\nONCE EVERY 40 s",
    );
    assert_eq!(alerts(&[window], &pings), ["Window 00:20 a 1.0", "Window 01:00 a 9.0", "Window 01:40 a null"]);
    let pattern =
        ("alert", "Pair", "FROM pings\nPARTITION BY id\nPATTERN x y\nWITHIN 1 min\nMEASURES y.speed AS last\nONCE");
    assert_eq!(alerts(&[pattern], &pings), ["Pair 00:10 a 1.0"]);
}

#[test]
fn a_list_is_an_output_for_each_element_that_where_lets_pass() {
    let pings = [(0, "a", 1.0), (1_000, "a", 3.0), (2_000, "a", 1.0), (3_000, "a", 2.0), (61_000, "b", 9.0)];
    let lists = (
        "stream",
        "lists",
        "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES collect(DISTINCT speed) AS speeds",
    );
    let each = ("alert", "Each", "FROM lists UNNEST speeds AS one\nWHERE one > 1\nPARTITION BY id\nMEASURES one");
    let read = ("stream", "each", "FROM lists UNNEST speeds AS one\nPARTITION BY id\nMEASURES one");
    let top =
        ("alert", "Count", "FROM each\nPARTITION BY one\nWINDOW TUMBLING 5 min\nMEASURES count(*) AS n\nHAVING n > 0");
    let found = alerts(&[lists, each, read, top], &pings);
    let expected = ["Each 01:00 a 2", "Each 01:00 a 3", "Each 02:00 b 9"];
    assert_eq!(
        found.iter().filter(|line| line.starts_with("Each")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert_eq!(found.iter().filter(|line| line.starts_with("Count")).count(), 4, "{found:#?}");
}

#[test]
fn a_snapshot_has_the_latest_event_of_each_key_while_it_counts_or_while_it_is_new() {
    let pings = [(1_000, "a", 1.0), (9_000, "a", 2.0), (10_000, "b", 3.0), (31_000, "a", 0.0)];
    let latest = (
        "alert",
        "Now",
        "FROM pings\nLATEST BY id MAX AGE 15 s\nMEASURES speed AS v\nHAVING v > 0 km/h\nEMIT EVERY 10 s",
    );
    assert_eq!(alerts(&[latest], &pings), ["Now 00:10 a 2.0", "Now 00:20 a 2.0", "Now 00:20 b 3.0"]);
    let news = ("alert", "News", "FROM pings\nPARTITION BY id\nMEASURES speed\nEMIT EVERY 10 s FOR UPDATED KEYS");
    let expected = ["News 00:10 a 2.0", "News 00:20 b 3.0", "News 00:40 a 0.0"];
    assert_eq!(alerts(&[news], &pings), expected);
}

#[test]
fn pairs_of_two_streams_are_put_out_by_key_and_read_by_other_rules() {
    // All pings are at one place.
    let pings = [(0, "a", 1.0), (1_000, "b", 50.0), (2_000, "c", 2.0), (3_000, "b", 60.0), (4_000, "a", 1.0)];
    let slow = ("stream", "slow", "FROM pings\nWHERE speed < 10 km/h\nPARTITION BY id\nMEASURES speed, position");
    let fast = ("stream", "fast", "FROM pings\nWHERE speed > 10 km/h\nPARTITION BY id\nMEASURES speed, position");
    let near = (
        "alert",
        "Passes",
        "FROM slow s NEAR fast f WITHIN 100 m AND 1 min\nPARTITION BY pair(s.id, f.id)\nMEASURES encounter, f.speed - s.speed AS faster",
    );
    let ends = ("alert", "End", "FROM Passes\nWHERE encounter = 'separated'\nPARTITION BY f\nMEASURES s, together");
    let found = alerts(&[slow, fast, near, ends], &pings);
    let expected = [
        "Passes 00:01 a,b approached,49.0",
        "Passes 00:02 c,b approached,48.0",
        "Passes 00:03 a,b together,59.0",
        "Passes 00:03 c,b together,58.0",
        "Passes 00:04 a,b together,59.0",
        "End 01:02.001 b c,60.001",
        "Passes 01:02.001 c,b separated,58.0",
        "End 01:03.001 b a,62.001",
        "Passes 01:03.001 a,b separated,59.0",
    ];
    assert_eq!(found, expected);
}
