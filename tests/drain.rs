//! Edited rules end what they have begun under the old version, beside the new one.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{
    count_of, ping,
    play::{How, PLAIN, Play, bare, cases, how, pings, r_of},
    rule_file,
};
use geocep::engine::Change;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Patterns with a bound `@`, whose first event alone begins them.
const BEGIN: &[&str] = &[
    "PATTERN a -> b -> c\nWITHIN @\nDEFINE a AS #speed > 50 km/h, b AS speed < 60 km/h, c AS speed > a.speed\nMEASURES a.speed AS s",
    "PATTERN a -> b+ -> c\nWITHIN @\nDEFINE a AS #speed > 40 km/h, b AS speed < a.speed, c AS speed > 70 km/h\nMEASURES count(b) AS n\nAFTER MATCH NO SKIP",
    "PATTERN a ->> b\nWITHIN @\nDEFINE a AS #speed > 60 km/h, b AS speed < 30 km/h\nAFTER MATCH SKIP PAST LAST ROW",
    "PATTERN a -> b{2} c?\nWITHIN @\nDEFINE a AS #speed > 50 km/h, b AS speed < 50 km/h, c AS speed > 50 km/h\nAFTER MATCH SKIP TO NEXT ROW\nON TIMEOUT",
    "PATTERN a -> !b FOR 8 s\nWITHIN @\nDEFINE a AS #speed > 50 km/h, b AS speed < 40 km/h\nAFTER MATCH NO SKIP",
    "PATTERN a -> (b & c)\nWITHIN @\nDEFINE a AS #speed > 30 km/h, b AS speed < 50 km/h, c AS speed > 50 km/h",
    "PATTERN a b* c\nWITHIN @\nDEFINE a AS #speed > 20 km/h, b AS speed < prev(speed), c AS speed > 60 km/h\nAFTER MATCH SKIP TO LAST b",
];

/// Patterns of which one condition `@` is edited, and no match's end touches another match.
const ALONE: &[&str] = &[
    "PATTERN a -> b -> c\nWITHIN 1 min\nDEFINE a AS @, b AS speed < 60 km/h, c AS speed > 70 km/h\nAFTER MATCH NO SKIP",
    "PATTERN a -> b -> c\nWITHIN 1 min\nDEFINE a AS speed > 50 km/h, b AS @, c AS speed > 70 km/h\nAFTER MATCH NO SKIP\nON TIMEOUT",
    "PATTERN a ->> b -> c -> d\nWITHIN 1 min\nDEFINE a AS speed > 50 km/h, b AS @, c AS speed > a.speed, d AS speed < 90 km/h\nMEASURES d.speed AS s\nAFTER MATCH NO SKIP",
    "PATTERN a+ -> b -> c\nWITHIN 40 s\nDEFINE a AS speed > 60 km/h, b AS @, c AS speed > 70 km/h\nMEASURES count(a) AS n\nAFTER MATCH NO SKIP",
    "PATTERN a b -> c+ STRICT d\nWITHIN 1 min\nDEFINE a AS speed > 20 km/h, b AS @, c AS speed < 60 km/h, d AS speed > 60 km/h\nAFTER MATCH NO SKIP",
    "PATTERN a -> b -> !c FOR 6 s\nWITHIN 1 min\nDEFINE a AS speed > 50 km/h, b AS @, c AS speed > 70 km/h\nAFTER MATCH NO SKIP",
];

fn rule(expr: &str) -> String {
    rule_file(&[
        ("alert", "R", &format!("FROM pings\nPARTITION BY id\n{expr}")),
        ("alert", "Other", "FROM pings\nWHERE heading > 0 deg\nPARTITION BY id\nPATTERN a -> b\nWITHIN 1 min"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(20)) })]

    /// An edit of the bound, after which nothing goes on: what comes is what the old rule finds that began before, and what
    /// the new one finds that began afterwards.
    #[test]
    fn all_that_had_begun_ends_as_it_would_have(
        at in 0..BEGIN.len(),
        seed in any::<u64>(),
        edited_at in 1..150usize,
        (before, after) in (10..60u32, 10..60u32),
        how in how(),
    ) {
        prop_assume!(before != after);
        let with = |bound: u32, begins: &str| rule(&BEGIN[at].replace('@', &format!("{bound} s")).replace('#', begins));
        let records = pings(seed, 160, &[edited_at]);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: 0 };
        let old = play(with(before, "heading = 0 deg AND "), Vec::new()).run(PLAIN);
        let new = play(with(after, "heading = 1 deg AND "), Vec::new()).run(PLAIN);
        let mut expected = bare(&old.lines, "R");
        expected.extend(bare(&new.lines, "R"));
        expected.sort();
        let edited = play(with(before, ""), vec![(edited_at, with(after, ""))]);
        let found = edited.run(how);
        prop_assert_eq!(bare(&found.lines, "R"), expected);
        let change = r_of(&found.replaced[0]);
        prop_assert_eq!((change.change, change.open, change.dropped_open), (Change::Edited, 0, 0));
        prop_assert_eq!(found.rules, 2);
        // To the byte, however it is played.
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }

    /// An edit of a condition: each match is found under what was asked at the time of each of its events.
    #[test]
    fn what_went_the_edited_way_ends_under_the_old_version_and_the_rest_under_the_new_one(
        at in 0..ALONE.len(),
        seed in any::<u64>(),
        edited_at in 1..150usize,
        (before, after) in (0..100u32, 0..100u32),
        how in how(),
    ) {
        prop_assume!(before != after);
        let (old, new) = (format!("speed > {before} km/h"), format!("speed < {after} km/h"));
        let both = format!("(heading = 0 deg AND {old}) OR (heading = 1 deg AND {new})");
        let with = |asked: &str| rule(&ALONE[at].replace('@', asked));
        let records = pings(seed, 160, &[edited_at]);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: 0 };
        let expected = bare(&play(with(&both), Vec::new()).run(PLAIN).lines, "R");
        let edited = play(with(&old), vec![(edited_at, with(&new))]);
        let found = edited.run(how);
        prop_assert_eq!(bare(&found.lines, "R"), expected);
        // Kept as sets, some that were over already may have been counted.
        prop_assert_eq!(r_of(&found.replaced[0]).change, Change::Edited);
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }

    /// A second edit, and a third that takes both back, while the first still drains.
    #[test]
    fn edits_may_follow_one_another_while_old_versions_drain(
        at in 0..BEGIN.len(),
        seed in any::<u64>(),
        edited_at in (1..100usize, 1..12usize, 1..12usize),
        how in how(),
    ) {
        let with = |bound: u32, begins: &str| rule(&BEGIN[at].replace('@', &format!("{bound} s")).replace('#', begins));
        let edits = [edited_at.0, edited_at.0 + edited_at.1, edited_at.0 + edited_at.1 + edited_at.2];
        let bounds = [40, 20, 30, 40];
        let records = pings(seed, 160, &edits);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: 0 };
        let mut expected = Vec::new();
        for (edition, bound) in bounds.iter().enumerate() {
            let begins = format!("heading = {edition} deg AND ");
            expected.extend(bare(&play(with(*bound, &begins), Vec::new()).run(PLAIN).lines, "R"));
        }
        expected.sort();
        let reloads = edits.iter().zip(&bounds[1..]).map(|(at, bound)| (*at, with(*bound, ""))).collect();
        let edited = play(with(bounds[0], ""), reloads);
        let found = edited.run(how);
        prop_assert_eq!(bare(&found.lines, "R"), expected);
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }
}

/// Speeds as pings of one entity, a second apart.
fn speeds(speeds: &[u32]) -> Vec<String> {
    speeds.iter().zip(0..).map(|(speed, n)| ping(n * 1_000, "a", 10.5, 50.0, f64::from(*speed))).collect()
}

fn pair(first: u32, within: &str) -> String {
    let define = format!("DEFINE a AS speed > {first} km/h, b AS speed < 20 km/h");
    format!(
        "FROM pings\nPARTITION BY id\nPATTERN a -> b\nWITHIN {within}\n{define}\nMEASURES a.speed AS s\nAFTER MATCH NO SKIP"
    )
}

#[test]
fn alerts_of_an_old_version_say_so_and_the_answer_counts_what_drains() {
    let rules = |first| rule_file(&[("alert", "R", &pair(first, "1 min"))]);
    let play = Play {
        rules: rules(50),
        reloads: vec![(2, rules(70))],
        records: speeds(&[60, 80, 60, 90, 10, 10]),
        disorder_ms: 0,
    };
    for how in [PLAIN, How { restarts: true, step: 1, shards: 2, ends: false }] {
        let found = play.run(how);
        let lines: Vec<serde_json::Value> =
            found.lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |line: &serde_json::Value| {
            let properties = &line["properties"];
            (
                properties["measures"]["s"].as_f64().unwrap() as u32,
                properties["rule_version"].as_str().unwrap().to_owned(),
            )
        };
        let found_of: Vec<_> = lines.iter().map(of).collect();
        let speeds: Vec<u32> = found_of.iter().map(|(speed, _)| *speed).collect();
        assert_eq!(speeds, [60, 80, 90], "what began at 60 the second time did so under the new version");
        assert_eq!((found_of[0].1 == found_of[1].1, found_of[0].1 == found_of[2].1), (true, false), "{found_of:?}");
        let change = r_of(&found.replaced[0]);
        let counts = (change.keys, change.open, change.drained_keys, change.drained_open, change.dropped_open);
        assert_eq!(counts, (0, 0, 1, 2, 0));
        assert_eq!(found.draining, [0, 2, 2, 2, 0, 0], "and is gone when it is done");
    }
}

#[test]
fn what_nothing_ends_is_dropped_after_a_time_that_is_set() {
    let rules =
        |first| rule_file(&[("alert", "R", &pair(first, "UNBOUNDED"))]) + "        limits: { partial_matches: 100 }\n";
    // The configuration says 50 s. The edit is at 1 s.
    for (gap, alerts) in [(49, 1), (50, 0), (51, 0)] {
        let ping = |second: i64, speed| ping(second * 1_000, "a", 10.5, 50.0, speed);
        let records = vec![ping(0, 60.0), ping(1, 30.0), ping(1 + gap, 10.0), ping(99, 30.0)];
        let play = Play { rules: rules(50), reloads: vec![(2, rules(70))], records, disorder_ms: 0 };
        for how in [PLAIN, How { restarts: true, step: 2, shards: 3, ends: true }] {
            let found = play.run(how);
            assert_eq!(count_of(&found.lines, "R"), alerts, "after {gap} s, {how:?}");
            assert_eq!(found.rules, 1);
        }
    }
}

#[test]
fn who_reads_the_rules_stream_goes_on_and_sees_both_versions() {
    let rules = |first: u32, more: &str| {
        let more = format!("a.speed AS s{more}");
        rule_file(&[
            ("stream", "pairs", &pair(first, "1 min").replace("a.speed AS s", &more)),
            ("alert", "Twice", "FROM pairs\nPARTITION BY id\nPATTERN x{2}\nWITHIN 1 min\nMEASURES sum(x.s) AS sum"),
            ("alert", "Each", "FROM pairs\nPARTITION BY id\nMEASURES s"),
        ])
    };
    let records = speeds(&[60, 80, 10, 60, 90, 61, 71, 10, 10]);
    let sums = |lines: &str| {
        let of = |rule: &str| -> Vec<f64> {
            let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let properties = lines.map(|line| line["properties"].clone()).filter(|it| it["rule"] == rule);
            properties.filter_map(|it| it["measures"].as_object()?.values().next()?.as_f64()).collect()
        };
        (of("Twice"), of("Each"))
    };
    let play = |reloads| Play { rules: rules(50, ""), reloads, records: records.clone(), disorder_ms: 0 };
    let (_, plain) = sums(&play(Vec::new()).run(PLAIN).lines);
    assert_eq!(plain.len(), 6);
    // 60 and 90 (before) end under the old version, 71 under the new one; 61 is not fast enough for it.
    let edited = play(vec![(5, rules(70, ""))]);
    let found = edited.run(PLAIN);
    let (twice, mut each) = sums(&found.lines);
    each.sort_by(f64::total_cmp);
    assert_eq!(each, [60.0, 60.0, 71.0, 80.0, 90.0]);
    assert_eq!(twice.len(), 2);
    assert_eq!(found.lines, edited.run(How { shards: 4, step: 3, restarts: true, ends: false }).lines);
    let of = |name: &str| found.replaced[0].rules.iter().find(|rule| rule.name == name).unwrap().change;
    assert_eq!((of("pairs"), of("Twice"), of("Each")), (Change::Edited, Change::Kept, Change::Kept));
    // With one more field it is another stream: its readers begin anew, and what they had begun ends beside them.
    let found = play(vec![(5, rules(70, ", b.speed AS last"))]).run(PLAIN);
    let (_, mut each) = sums(&found.lines);
    each.sort_by(f64::total_cmp);
    assert_eq!(each, [60.0, 60.0, 71.0, 80.0, 90.0]);
}

#[test]
fn a_rule_that_goes_takes_its_old_versions_along() {
    let rules =
        |first| rule_file(&[("alert", "R", &pair(first, "1 min")), ("alert", "Stay", "FROM pings\nPARTITION BY id")]);
    let stay = rule_file(&[("alert", "Stay", "FROM pings\nPARTITION BY id")]);
    let play = Play {
        rules: rules(50),
        reloads: vec![(2, rules(70)), (4, stay)],
        records: speeds(&[60, 80, 75, 60, 10]),
        disorder_ms: 0,
    };
    let found = play.run(PLAIN);
    assert_eq!((count_of(&found.lines, "R"), count_of(&found.lines, "Stay"), found.rules), (0, 5, 1));
    let change = r_of(&found.replaced[1]);
    assert_eq!((change.change, change.dropped_open), (Change::Removed, 3));
}

/// Who of the two came first, by the times of a pair.
fn first_ms(line: &str) -> i64 {
    let alert: serde_json::Value = serde_json::from_str(line).unwrap();
    let time = |name: &str| {
        let time = alert["properties"]["measures"][name].as_str();
        time.map(|time| time.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    };
    time("left").into_iter().chain(time("right")).min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(24)) })]

    /// Of a pair the one that came first says under which version it is, and who met nobody is said to have by that under which it came.
    #[test]
    fn a_left_join_says_once_of_each_event_whom_it_met(
        seed in any::<u64>(),
        first in 1..100usize,
        gap in prop::option::of(1..12usize),
        (lower, upper) in (0..20u32, 0..20u32),
        thresholds in [0..60u32, 0..60u32, 0..60u32],
        // Where ON stays as it is, only what is put out is edited.
        stays in [any::<bool>(), any::<bool>()],
        how in how(),
    ) {
        let [first_least, second, third] = thresholds;
        let second = if stays[0] { first_least } else { second };
        let thresholds = [first_least, second, if stays[1] { second } else { third }];
        let text = |version: usize| {
            let (bounds, least) = (format!("-{lower} s .. {upper} s"), thresholds[version]);
            let on = format!("a.id = b.id AND b.speed > a.speed + {least} km/h WITHIN {bounds}");
            let measures = ["a.time AS left, b.time AS right", "b.time AS right, a.time AS left", "a.time AS left, b.time AS right, b.speed - a.speed AS more"];
            rule_file(&[("alert", "R", &format!("FROM pings a LEFT JOIN pings b ON {on}\nMEASURES {}", measures[version]))])
        };
        let at: Vec<usize> = [first].into_iter().chain(gap.map(|gap| first + gap)).collect();
        let records = pings(seed, 120, &[]);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: 0 };
        let ts = |at: usize| serde_json::from_str::<serde_json::Value>(&records[at]).unwrap()["ts"].as_i64().unwrap();
        let mut expected = Vec::new();
        for version in 0..=at.len() {
            let from = version.checked_sub(1).map_or(i64::MIN, |edit| ts(at[edit]));
            let to = at.get(version).map_or(i64::MAX, |at| ts(*at));
            let plain = play(text(version), Vec::new()).run(PLAIN);
            expected.extend(bare(&plain.lines, "R").into_iter().filter(|line| (from..to).contains(&first_ms(line))));
        }
        expected.sort();
        let edited = play(text(0), at.iter().enumerate().map(|(edit, at)| (*at, text(edit + 1))).collect());
        let found = edited.run(how);
        prop_assert_eq!(bare(&found.lines, "R"), expected);
        prop_assert!(found.replaced.iter().all(|replaced| r_of(replaced).dropped_open == 0));
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }
}

static JOIN: LazyLock<fn(u32) -> String> = LazyLock::new(|| {
    |least| {
        let on = format!("a.speed > {least} km/h AND b.speed < 20 km/h");
        let expr = format!("FROM pings a JOIN pings b ON a.id = b.id WITHIN 10 s\nWHERE {on}\nMEASURES a.speed AS s");
        rule_file(&[("alert", "R", &expr)])
    }
});

#[test]
fn a_join_pairs_what_waits_with_what_comes() {
    let text = JOIN(50);
    let records = speeds(&[60, 80, 60, 75, 10, 10]);
    let plain = Play { rules: text.clone(), reloads: Vec::new(), records: records.clone(), disorder_ms: 0 }.run(PLAIN);
    if plain.lines.is_empty() {
        panic!("no pairs");
    }
    let edited = Play { rules: text, reloads: vec![(2, JOIN(70))], records, disorder_ms: 0 };
    let found = edited.run(PLAIN);
    // Of 60 and 80, which waited, both are fast enough for the old version; of 60 and 75 one for the new.
    assert_eq!((count_of(&plain.lines, "R"), count_of(&found.lines, "R")), (8, 6), "{}", found.lines);
    assert_eq!(found.lines, edited.run(How { shards: 2, step: 1, restarts: true, ends: false }).lines);
}

#[test]
fn fences_stay_around_what_drains() {
    let rules = |within: &str| {
        let expr = format!(
            "FROM pings THROUGH zones\nPARTITION BY id, fence\nPATTERN a -> b\nWITHIN {within}\nDEFINE a AS passage = 'entered', b AS passage = 'exited'"
        );
        rule_file(&[("alert", "R", &expr)])
    };
    let at = |n: i64, lon: f64| ping(n * 1_000, "a", lon, 50.0, 1.0);
    let records = vec![at(0, 9.5), at(1, 10.5), at(2, 10.6), at(3, 10.7), at(4, 9.5), at(5, 10.5), at(6, 9.5)];
    let play = Play { rules: rules("1 min"), reloads: vec![(3, rules("2 min"))], records, disorder_ms: 0 };
    let found = play.run(PLAIN);
    assert!(count_of(&found.lines, "R") >= 2, "{}", found.lines);
    assert_eq!(found.lines, play.run(How { shards: 3, step: 2, restarts: true, ends: false }).lines);
}
