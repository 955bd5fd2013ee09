//! Patterns that follow regions into merges and splits: against all ways through the lineage, listed one by one.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod common;

use common::{Mode, Scene, ping, rule_file};
use geocep::geo::{Cell, Position, Resolution};
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: i64 = 60_000;

const REGIONS: (&str, &str, &str) =
    ("stream", "regions", "FROM pings\nPARTITION BY id\nCLUSTER BY h3(position, 8) WHERE speed > 0 km/h\nEVERY 1 min");

const SAID: (&str, &str, &str) =
    ("alert", "Said", "FROM regions\nPARTITION BY id, region\nMEASURES transition, parents, tick, size, shrank, grew");

/// 37 cells, in the order of their numbers.
fn cells() -> Vec<Cell> {
    let centre = Cell::at(Position::new(10.0, 50.0).unwrap(), Resolution::new(8).unwrap());
    let mut cells = centre.disk(3).unwrap();
    cells.sort_unstable();
    cells
}

/// A cell turns hot or cold, in the first seconds of a minute.
fn turn(minute: i64, second: i64, id: &str, cell: Cell, hot: bool) -> String {
    let at = cell.centre();
    ping(minute * MINUTE + second, id, at.lon(), at.lat(), if hot { 9.0 } else { 0.0 })
}

fn alerts(lines: &str, rule: &str) -> Vec<Value> {
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone());
    all.filter(|alert| alert["rule"] == rule).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// What was said of a region at a tick.
struct Said {
    id: String,
    region: String,
    tick: i64,
    measures: Value,
    /// What lies before it on any way, by number.
    before: BTreeSet<usize>,
}

/// All that was said, in order of time, each with everything that it comes from.
fn lineage(lines: &str) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    let mut last: BTreeMap<(String, String), usize> = BTreeMap::new();
    let said = alerts(lines, "Said");
    for of_tick in said.chunk_by(|a, b| a["measures"]["tick"] == b["measures"]["tick"]) {
        let was = last.clone();
        for alert in of_tick {
            let (id, region) = (text(&alert["key"]["id"]), text(&alert["key"]["region"]));
            let parents = alert["measures"]["parents"].as_array().unwrap().iter().map(text);
            let mut before = BTreeSet::new();
            for from in parents.chain([region.clone()]) {
                if let Some(&at) = was.get(&(id.clone(), from)) {
                    before.extend(&all[at].before);
                    before.insert(at);
                }
            }
            last.insert((id.clone(), region.clone()), all.len());
            let tick = geocep::model::parse_time(&text(&alert["measures"]["tick"])).unwrap();
            all.push(Said { id, region, tick, measures: alert["measures"].clone(), before });
        }
    }
    all
}

/// Every a, b and c on a way through the lineage: of each the region and tick.
fn model(lines: &str) -> Vec<String> {
    let all = lineage(lines);
    let is = |at: usize, test: fn(&Value) -> bool| test(&all[at].measures);
    let begins = |said: &Value| said["transition"] == "emerged" || said["transition"] == "split_off";
    let large = |said: &Value| said["size"].as_i64() >= Some(3);
    let ends = |said: &Value| said["shrank"] == true || said["transition"] == "absorbed" || said["grew"] == true;
    let mut found = Vec::new();
    for c in (0..all.len()).filter(|&at| is(at, ends)) {
        for &b in all[c].before.iter().filter(|&&at| is(at, large)) {
            for &a in all[b].before.iter().filter(|&&at| is(at, begins)) {
                if all[c].tick - all[a].tick < 6 * MINUTE {
                    let name = |at: usize| format!("{} {}", all[at].region, all[at].tick);
                    found.push(format!("{}: {}, {}, {}", all[c].id, name(a), name(b), name(c)));
                }
            }
        }
    }
    found.sort();
    found
}

fn found(lines: &str) -> Vec<String> {
    let mut found: Vec<String> = alerts(lines, "Followed")
        .iter()
        .map(|alert| {
            let measures = &alert["measures"];
            let name = |var: &str| {
                let tick = geocep::model::parse_time(&text(&measures[format!("{var}_tick")])).unwrap();
                format!("{} {tick}", text(&measures[format!("{var}_region")]))
            };
            assert_eq!(alert["key"]["region"], measures["c_region"], "a match is of the region that it ends in");
            format!("{}: {}, {}, {}", text(&alert["key"]["id"]), name("a"), name("b"), name("c"))
        })
        .collect();
    found.sort();
    found
}

const FOLLOWED: &str = "FROM regions
PARTITION BY id, region FOLLOW parents
PATTERN a ->> b ->> c
WITHIN 6 min
DEFINE
  a AS transition = 'emerged' OR transition = 'split_off',
  b AS size >= 3,
  c AS shrank OR grew OR transition = 'absorbed'
MEASURES a.region AS a_region, a.tick AS a_tick, b.region AS b_region, b.tick AS b_tick, c.region AS c_region, c.tick AS c_tick
AFTER MATCH NO SKIP";

/// By minute which cells of which id turn hot or cold.
fn turns() -> impl Strategy<Value = Vec<Vec<(usize, usize, bool)>>> {
    let of_minute = proptest::collection::vec((0..2usize, 0..37usize, prop::bool::weighted(0.6)), 4..24);
    proptest::collection::vec(of_minute, 6..20)
}

fn scene(turns: &[Vec<(usize, usize, bool)>]) -> Scene {
    let cells = cells();
    let mut records = Vec::new();
    for (minute, of_minute) in (0..).zip(turns) {
        let mut of_minute = of_minute.clone();
        of_minute.sort_unstable();
        of_minute.dedup_by_key(|turn| (turn.0, turn.1));
        for (second, (id, cell, hot)) in (1..).zip(of_minute) {
            records.push(turn(minute, second, ["x", "y", "z"][id], cells[cell], hot));
        }
    }
    Scene::pings(&rule_file(&[REGIONS, SAID, ("alert", "Followed", FOLLOWED)]), vec![records])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn a_pattern_that_follows_finds_what_lies_on_some_way_through_the_lineage_once(
        turns in turns(),
        steps in proptest::collection::vec((0..1usize, 1..40usize), 0..5),
        shards in 1..5u32,
    ) {
        let scene = scene(&turns);
        let lines = scene.play(&Mode::default());
        prop_assert_eq!(found(&lines), model(&lines));
        let moves = vec![(0, 2), (1, shards), (2, 3)];
        prop_assert_eq!(&lines, &scene.play(&Mode { shards, steps, moves, ..Mode::default() }));
    }
}

#[test]
fn the_property_meets_merges_and_splits() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut matches, mut far, mut absorbed, mut split) = (0, 0, 0, 0);
    for _ in 0..10 {
        let turns = turns().new_tree(&mut runner).unwrap().current();
        let lines = scene(&turns).play(&Mode::default());
        matches += found(&lines).len();
        let went = |alert: &&Value| alert["measures"]["a_region"] != alert["measures"]["c_region"];
        far += alerts(&lines, "Followed").iter().filter(went).count();
        absorbed += lines.matches(r#""transition":"absorbed""#).count();
        split += lines.matches(r#""transition":"split_off""#).count();
    }
    assert!(matches > 100 && far > 50 && absorbed > 10 && split > 3, "{matches} {far} {absorbed} {split}");
}

/// Two regions, of five cells and of seven. The first has grown by minute 2, is taken in by the second at 3, and split off again at 5;
/// both grow at 7.
fn bridge() -> Vec<String> {
    let first = cells()[18];
    let apart = |cell: Cell| (1..).find(|&k| first.disk(k).unwrap().contains(&cell)).unwrap();
    // Three cells lie between the two.
    let between = |second: Cell| {
        let near: Vec<Cell> =
            first.disk(2).unwrap().into_iter().filter(|cell| second.disk(2).unwrap().contains(cell)).collect();
        (near.len() == 3).then_some((second, near))
    };
    let mut ring = first.disk(4).unwrap().into_iter().filter(|&cell| apart(cell) == 4);
    let (second, between) = ring.find_map(between).unwrap();
    let mut small = first.disk(1).unwrap();
    small.sort_by_key(|cell| (1..).find(|&k| second.disk(k).unwrap().contains(cell)));
    let large = second.disk(1).unwrap();
    let beyond: Vec<Cell> = second.disk(2).unwrap().into_iter().filter(|&cell| apart(cell) == 6).collect();
    let mut records = Vec::new();
    let mut set = |minute: i64, cells: &[Cell], hot: bool| {
        cells.iter().for_each(|&cell| records.push(turn(minute, 1, "x", cell, hot)));
    };
    set(0, &large, true);
    set(0, &small[..3], true);
    set(1, &small[3..5], true);
    set(2, &between, true);
    set(4, &between, false);
    set(6, &small[5..], true);
    set(6, &beyond, true);
    set(9, &beyond, false);
    records
}

fn play(expr: &str) -> Vec<(String, String, i64)> {
    let scene = Scene::pings(&rule_file(&[REGIONS, SAID, ("alert", "Followed", expr)]), vec![bridge()]);
    let lines = scene.play(&Mode::default());
    let all = alerts(&lines, "Followed").into_iter();
    let minute = |alert: &Value| geocep::model::parse_time(&text(&alert["end"])).unwrap() / MINUTE;
    all.map(|alert| (text(&alert["key"]["region"]), text(&alert["measures"]["x"]), minute(&alert))).collect()
}

#[test]
fn a_match_goes_on_where_its_region_was_absorbed_and_in_all_parts_of_a_split() {
    let pattern = |follow: &str| {
        format!(
            "FROM regions\nPARTITION BY id, region{follow}\nPATTERN small -> grown -> later\nWITHIN 1 h\n\
             DEFINE small AS size = 3, grown AS grew AND size = 5, later AS grew AND tick > grown.tick\nMEASURES small.region AS x"
        )
    };
    assert_eq!(play(&pattern("")), []);
    let found = play(&pattern(" FOLLOW parents"));
    let [(region, from, 3)] = &found[..] else { panic!("{found:?}") };
    assert_ne!(region, from, "it emerged as another region than the one that took it in");
    let all = play(&pattern(" FOLLOW parents").replace("tick > grown.tick", "tick > grown.tick + 2 min"));
    let regions: BTreeSet<&String> = all.iter().map(|(region, ..)| region).collect();
    assert_eq!((all.len(), regions.len()), (2, 2), "in what kept the id and in what was split off: {all:?}");
}

#[test]
fn what_was_absorbed_is_not_said_to_be_silent() {
    let silent = |follow: &str| {
        format!(
            "FROM regions\nPARTITION BY id, region{follow}\nPATTERN small -> !news FOR 90 s\nWITHIN 1 h\n\
             DEFINE small AS grew AND size = 5, news AS grew\nMEASURES small.region AS x"
        )
    };
    // By itself the region was silent after it grew; in the one that took it in it grew on.
    assert_eq!(play(&silent("")).len(), 1);
    assert_eq!(play(&silent(" FOLLOW parents")), []);
}

#[test]
fn what_ends_with_the_last_word_of_a_region_ends_there() {
    let expr = "FROM regions\nPARTITION BY id, region FOLLOW parents\nPATTERN small -> gone\nWITHIN 1 h\n\
                DEFINE small AS size = 3, gone AS transition = 'absorbed'\nMEASURES small.region AS x";
    let found = play(expr);
    let [(region, from, 3)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(region, from);
}

#[test]
fn what_follow_cannot_do_is_refused_with_a_reason() {
    let refused = |rules: &[(&str, &str, &str)]| match Scene::try_pings(&rule_file(rules), vec![Vec::new()]) {
        Ok(_) => panic!("{rules:?} is accepted"),
        Err(error) => error.to_string(),
    };
    let follow = |expr: &'static str| refused(&[REGIONS, ("alert", "A", expr)]);
    let pattern = "PATTERN a -> b\nWITHIN 1 h\nDEFINE a AS grew, b AS shrank";
    for (rules, reason) in [
        (refused(&[REGIONS, ("alert", "A", "FROM regions\nPARTITION BY id, region FOLLOW parents")]), "has no PATTERN"),
        (follow("FROM regions\nPARTITION BY region FOLLOW parents\nPATTERN a"), "are told apart by `id`"),
        (follow("FROM regions\nPARTITION BY id, region, size FOLLOW parents\nPATTERN a"), "components of the key"),
        (follow("FROM regions\nPARTITION BY id FOLLOW parents, region\nPATTERN a"), "only `region` can be followed"),
        (follow("FROM regions\nPARTITION BY id, region FOLLOW parts\nPATTERN a"), "by their `parents`"),
        (follow("FROM pings\nPARTITION BY id FOLLOW parents\nPATTERN a"), "of no region"),
        (
            follow(
                "FROM regions\nPARTITION BY id, region FOLLOW parents\nPATTERN a -> b\nWITHIN 1 h\nDEFINE a AS grew, b AS shrank\nAFTER MATCH SKIP TO NEXT ROW",
            ),
            "can't wait for an earlier one",
        ),
        (
            refused(&[
                (
                    "stream",
                    "some",
                    "FROM pings\nPARTITION BY id\nCLUSTER BY h3(position, 8) WHERE speed > 0 km/h\nHAVING grew",
                ),
                ("alert", "A", &format!("FROM some\nPARTITION BY id, region FOLLOW parents\n{pattern}")),
            ]),
            "leaves out some",
        ),
    ] {
        assert!(rules.contains(reason), "{reason}:\n{rules}");
    }
}
