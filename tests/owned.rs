//! Edited windows: each is put out once, by the version under which it began.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{
    play::{PLAIN, Play, Played, bare, cases, how, pings, r_of},
    rule_file,
};
use geocep::engine::Change;
use proptest::prelude::*;
use serde_json::Value;

/// Windows of every kind, with what is edited in the place of `@`.
const KINDS: &[&str] = &[
    "WINDOW TUMBLING 20 s\nMEASURES count(*) AS n, @",
    "WINDOW TUMBLING 40 s JITTER 100%\nMEASURES count(*) AS n, @",
    "WINDOW TUMBLING 30 s JITTER NATURAL\nMEASURES count(*) AS n, @",
    "WINDOW TUMBLING 1 min\nHAVING count(*) > 1\nMEASURES count(*) AS n, @",
    "WINDOW TUMBLING 1 min\nMEASURES count(*) AS n, @\nEMIT EVERY 7 s",
    "WINDOW SLIDING 30 s EVERY 10 s\nMEASURES count(*) AS n, @, count(DISTINCT speed) AS d",
    "WINDOW SLIDING 25 s EVERY 10 s JITTER 50%\nMEASURES count(*) AS n, @",
    "WINDOW SLIDING 10 s EVERY 25 s\nMEASURES count(*) AS n, @",
    "WINDOW CUMULATIVE 1 min EVERY 20 s\nMEASURES count(*) AS n, @",
    "WINDOW SESSION GAP 9 s MAX 40 s\nMEASURES count(*) AS n, @",
    "WINDOW SESSION GAP 5 s\nMEASURES count(*) AS n, @",
    "WINDOW SESSION GAP 9 s MAX 40 s JITTER 100%\nMEASURES count(*) AS n, @",
    "WINDOW COUNT 4 EXPIRE 5 min\nMEASURES count(*) AS n, @",
    "WINDOW COUNT 5 EVERY 2 EXPIRE 1 min\nMEASURES count(*) AS n, @",
    "WINDOW COUNT 2 EVERY 3 EXPIRE 5 min\nMEASURES count(*) AS n, @",
    "WHERE speed > prev(speed)\nPARTITION BY id\nWINDOW TUMBLING 20 s\nMEASURES count(*) AS n, @",
    "THROUGH zones\nWHERE passage = 'inside'\nPARTITION BY id, fence\nWINDOW TUMBLING 20 s\nMEASURES count(*) AS n, @",
    "WHERE speed > prev(speed)\nPARTITION BY id\nWINDOW SESSION GAP 15 s MAX 30 s\nMEASURES count(*) AS n, @",
    "WINDOW TUMBLING 20 s\nMEASURES count(*) AS n, @\nALLOWED LATENESS 30 s",
    "WINDOW SLIDING 30 s EVERY 10 s\nMEASURES count(*) AS n, @\nALLOWED LATENESS 15 s",
];

/// What windows are made of, one after the other.
const EDITS: &[&str] = &["sum(speed) AS x", "max(speed) AS x", "min(speed) AS x, avg(speed) AS y", "sum(speed) AS x"];

fn rules(expr: &str) -> String {
    let reads = match expr.split_whitespace().next() {
        Some("WHERE" | "THROUGH") => "FROM pings",
        _ => "FROM pings\nPARTITION BY id",
    };
    rule_file(&[
        ("alert", "R", &format!("{reads}\n{expr}")),
        ("alert", "Other", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 20 s\nMEASURES count(*) AS n"),
    ])
}

/// Records of which some come late: by less than the disorder, or by more.
fn late(seed: u64, count: usize) -> Vec<String> {
    let record = |(n, record): (usize, String)| {
        let mut record: Value = serde_json::from_str(&record).unwrap();
        let by = match (seed as usize).wrapping_add(n * 7) % 11 {
            0 => 25_000,
            1 | 2 => 4_000,
            _ => 0,
        };
        record["lon"] = 10.5.into();
        record["ts"] = (record["ts"].as_i64().unwrap() - by).into();
        record.to_string()
    };
    pings(seed, count, &[]).into_iter().enumerate().map(record).collect()
}

const DISORDER_MS: i64 = 5_000;

/// The watermark once so many of the records are there.
fn watermark_ms(records: &[String], count: usize) -> i64 {
    let ts = |record: &String| serde_json::from_str::<Value>(record).unwrap()["ts"].as_i64().unwrap();
    records.iter().take(count).map(ts).max().unwrap() - DISORDER_MS
}

fn start_ms(line: &str) -> i64 {
    let alert: Value = serde_json::from_str(line).unwrap();
    alert["properties"]["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// What each version says by itself of the windows that begin from one edit to the next.
fn shared_out(plain: &[Played], from_ms: &[i64]) -> Vec<String> {
    let mut expected = Vec::new();
    for (version, plain) in plain.iter().enumerate() {
        let from = version.checked_sub(1).map_or(i64::MIN, |edit| from_ms[edit]);
        let to = from_ms.get(version).copied().unwrap_or(i64::MAX);
        expected.extend(bare(&plain.lines, "R").into_iter().filter(|line| (from..to).contains(&start_ms(line))));
    }
    expected.sort();
    expected
}

fn edits_at(first: usize, gaps: &[usize]) -> Vec<usize> {
    let mut at = first;
    let rest = gaps.iter().map(|gap| {
        at += gap;
        at
    });
    [first].into_iter().chain(rest).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(40)) })]

    /// The same windows with other aggregates, edited up to three times: as if each version had run all the time and spoken of its own
    /// windows alone.
    #[test]
    fn each_window_is_put_out_once_by_the_version_under_which_it_began(
        kind in 0..KINDS.len(),
        seed in any::<u64>(),
        first in 1..120usize,
        gaps in prop::collection::vec(1..15usize, 0..3),
        how in how(),
    ) {
        let text = |version: usize| rules(&KINDS[kind].replace('@', EDITS[version]));
        let records = late(seed, 160);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: DISORDER_MS };
        let at = edits_at(first, &gaps);
        let plain: Vec<Played> = (0..=at.len()).map(|version| play(text(version), Vec::new()).run(PLAIN)).collect();
        let edited = play(text(0), at.iter().enumerate().map(|(edit, at)| (*at, text(edit + 1))).collect());
        let found = edited.run(how);
        let from_ms: Vec<i64> = found.replaced.iter().map(|replaced| r_of(replaced).from_ms.unwrap()).collect();
        for (from_ms, at) in from_ms.iter().zip(&at) {
            prop_assert_eq!(*from_ms, watermark_ms(&records, *at) + 1);
        }
        prop_assert_eq!(bare(&found.lines, "R"), shared_out(&plain, &from_ms));
        for replaced in &found.replaced {
            let change = r_of(replaced);
            prop_assert_eq!((change.change, change.open, change.dropped_open), (Change::Edited, 0, 0));
        }
        prop_assert_eq!(bare(&found.lines, "Other"), bare(&plain[0].lines, "Other"));
        prop_assert_eq!(found.rules, 2);
        // To the byte, however it is played.
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }

    /// Other windows, of other events: what hasn't begun yet is as if the new rule had always run.
    #[test]
    fn windows_of_another_size_begin_where_they_would_have(
        (before, after) in (0..6usize, 0..6usize),
        seed in any::<u64>(),
        edited_at in 1..150usize,
        how in how(),
    ) {
        prop_assume!(before != after);
        let forms = [
            "WHERE speed > 30 km/h\nPARTITION BY id\nWINDOW TUMBLING 20 s",
            "WHERE speed < 70 km/h\nPARTITION BY id\nWINDOW TUMBLING 30 s",
            "WHERE speed > 30 km/h\nPARTITION BY id\nWINDOW SLIDING 40 s EVERY 10 s",
            "PARTITION BY heading\nWINDOW SLIDING 30 s EVERY 20 s",
            "PARTITION BY id\nWINDOW CUMULATIVE 1 min EVERY 20 s",
            "WHERE speed > 10 km/h\nPARTITION BY id\nWINDOW TUMBLING 45 s JITTER 100%",
        ];
        let text = |form: usize| {
            let expr = format!("FROM pings\n{}\nHAVING count(*) > 0\nMEASURES count(*) AS n, sum(speed) AS s", forms[form]);
            rule_file(&[("alert", "R", &expr), ("alert", "Other", "FROM pings\nWHERE heading > 9 deg\nPARTITION BY id")])
        };
        let records = late(seed, 160);
        let play = |rules: String, reloads| Play { rules, reloads, records: records.clone(), disorder_ms: DISORDER_MS };
        let plain = [before, after].map(|form| play(text(form), Vec::new()).run(PLAIN));
        let edited = play(text(before), vec![(edited_at, text(after))]);
        let found = edited.run(how);
        let from_ms = r_of(&found.replaced[0]).from_ms.unwrap();
        prop_assert_eq!(bare(&found.lines, "R"), shared_out(&plain, &[from_ms]));
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }
}

#[test]
fn an_edit_of_having_alone_goes_on_with_all_windows() {
    let text = |least: u32| rules(&format!("WINDOW TUMBLING 1 min\nHAVING count(*) > {least}\nMEASURES count(*) AS n"));
    let aggregates = rules("WINDOW TUMBLING 1 min\nHAVING count(*) > 1\nMEASURES sum(speed) AS n");
    let records = late(3, 160);
    let reloads = vec![(10, text(2)), (20, aggregates), (30, text(2)), (32, text(0))];
    let found = Play { rules: text(1), reloads, records, disorder_ms: DISORDER_MS }.run(PLAIN);
    let told: Vec<_> = found
        .replaced
        .iter()
        .map(|replaced| {
            let change = r_of(replaced);
            (change.open > 0, change.drained_open > 0, change.dropped_open)
        })
        .collect();
    assert_eq!(told, [(true, false, 0), (false, true, 0), (false, true, 0), (true, false, 0)]);
    // Windows of the last version are those since it first ran.
    let from_ms: Vec<_> = found.replaced.iter().map(|replaced| r_of(replaced).from_ms).collect();
    assert!(from_ms[0].is_none() && from_ms[1] < from_ms[2] && from_ms[2] == from_ms[3], "{from_ms:?}");
}

#[test]
fn what_has_no_end_is_dropped_and_the_answer_says_why() {
    let text = |what: &str| rules(&format!("WINDOW RUNNING\nMEASURES {what} AS n"));
    let records = late(3, 60);
    let reloads = vec![(30, text("sum(speed)"))];
    let found = Play { rules: text("count(*)"), reloads, records, disorder_ms: DISORDER_MS }.run(PLAIN);
    let change = r_of(&found.replaced[0]);
    assert_eq!((change.drained_open, change.dropped_open, change.why), (0, 4, Some("WINDOW RUNNING has no end")));
}
