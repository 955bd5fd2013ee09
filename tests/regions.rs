//! Regions from rule text: the design's own rule file, and patterns over regions that move, shrink, split and merge.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod common;

use common::{Mode, Scene, count_of, rule_file};
use geocep::geo::{Cell, Position, Resolution};
use serde_json::Value;

/// The rule file of the design, as it stands there.
const DESIGN: &str = include_str!("regions/design.yaml");

const MINUTE: i64 = 60_000;

/// A cell amid a coarse one, so that all around it share a phase.
fn centre() -> Cell {
    let place = Position::new(10.0, 50.0).unwrap();
    let coarse = Cell::at(place, Resolution::new(4).unwrap());
    Cell::at(coarse.centre(), Resolution::new(8).unwrap())
}

fn disk(k: u32) -> Vec<Cell> {
    centre().disk(k).unwrap()
}

/// Twenty orders in each cell of a batch, a batch every five minutes.
fn orders(batches: &[Vec<Cell>]) -> Vec<String> {
    let mut records = Vec::new();
    for (at, cells) in batches.iter().enumerate() {
        for (cell, number) in cells.iter().flat_map(|cell| (0..20).map(move |number| (cell, number))) {
            let (ts, place) = (at as i64 * 5 * MINUTE, cell.centre());
            let (lon, lat) = (place.lon(), place.lat());
            records
                .push(format!(r#"{{"ts":{ts},"order":"{at}-{cell}-{number}","lon":{lon},"lat":{lat},"price":1.5}}"#));
        }
    }
    records
}

/// The alerts of a rule.
fn alerts(lines: &str, rule: &str) -> Vec<Value> {
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|alert| alert["properties"]["rule"] == rule).collect()
}

/// The same lines on other shards and cut elsewhere.
fn play(rules: &str, batches: &[Vec<Cell>]) -> String {
    let scene = Scene::over("city", rules, vec![("orders", orders(batches))]);
    let lines = scene.play(&Mode::default());
    for shards in [2, 8] {
        let steps = vec![(0, 33), (0, 107), (0, 400)];
        let mode = Mode { shards, steps, moves: vec![(1, 3), (2, shards)], ..Mode::default() };
        assert_eq!(lines, scene.play(&mode), "{shards} shards");
    }
    lines
}

const CELLS: (&str, &str, &str) = (
    "stream",
    "cells",
    "FROM orders\nPARTITION BY h3(position, 8)\nWINDOW TUMBLING 5 min\nMEASURES count(*) AS demand, sum(price) AS value",
);

const SURGE: (&str, &str, &str) = (
    "stream",
    "surge",
    "FROM cells\nCLUSTER BY cell WHERE demand >= 20\nMIN CELLS 3 REACH 1 EXPIRE 15 min\nMEASURES sum(demand) AS demand, avg(value) AS value, region, size",
);

#[test]
fn the_rules_of_the_design_tell_of_a_surge_that_spreads() {
    let lines = play(DESIGN, &[disk(1), disk(2), disk(3), disk(4), disk(4), disk(1)]);
    let [alert] = &alerts(&lines, "SurgeSpreading")[..] else { panic!("one alert:\n{lines}") };
    let region = alert["properties"]["key"]["region"].as_str().unwrap();
    assert!(region.ends_with(&format!(":{}", disk(1).iter().min().unwrap())), "{region}");
    assert_eq!(alert["properties"]["events"].as_array().map(Vec::len), Some(4));
    assert_eq!(alert["geometry"]["type"], "Polygon", "the last boundary");
    let ring = alert["geometry"]["coordinates"][0].as_array().unwrap();
    // The rim of 61 cells: 54 sides of the hexagon that they make, and the corner where the ring closes.
    assert_eq!(ring.len(), 55, "{ring:?}");
}

#[test]
fn an_alert_of_regions_shows_them_with_their_measures() {
    let (kind, name, expr) = SURGE;
    assert_eq!(kind, "stream");
    let rules = rule_file(&[CELLS, ("alert", name, expr)]);
    let east: Vec<Cell> = disk(4).into_iter().filter(|cell| cell.centre().lon() > centre().centre().lon()).collect();
    let lines = play(&rules, &[disk(3), disk(2), east]);
    let alerts = alerts(&lines, "surge");
    let told: Vec<(&str, i64, bool, i64)> = alerts
        .iter()
        .map(|alert| {
            let measures = &alert["properties"]["measures"];
            let word = measures["transition"].as_str().unwrap();
            let number = |name: &str| measures[name].as_i64().unwrap_or(-1);
            (word, number("size"), measures["shrank"].as_bool().unwrap(), number("demand"))
        })
        .collect();
    let east = told[3].1;
    assert_eq!(
        told,
        [
            ("emerged", 37, false, 740),
            ("survived", 19, true, 380),
            ("dissolved", 19, false, -1),
            ("emerged", east, false, east * 20),
            ("dissolved", east, false, -1)
        ]
    );
    assert_eq!(alerts[0]["properties"]["measures"]["value"], 30.0);
    assert_eq!(alerts[0]["geometry"]["type"], "Polygon");
    assert_eq!(alerts[2]["geometry"]["type"], "Point", "of one that ended its last centre");
    let id = |at: usize| alerts[at]["properties"]["key"]["region"].clone();
    assert!(id(0) == id(1) && id(1) == id(2) && id(2) != id(3));
    assert!(alerts[0]["properties"]["measures"].get("boundary").is_none(), "it is the geometry");
}

#[test]
fn a_pattern_sees_a_region_move_towards_a_place_or_split_after_it_shrank() {
    let towards = "FROM surge\nPARTITION BY region\nPATTERN start -> near{2}\nWITHIN 30 min\n        DEFINE near AS moved AND distance(position, point(11.0, 50.0)) < prev(distance(position, point(11.0, 50.0)))\n        MEASURES last(near.displacement) AS step, speed() AS pace, last(near.boundary) AS boundary";
    let split = "FROM surge\nPARTITION BY region\nPATTERN less -> two\nWITHIN 30 min\n        DEFINE less AS shrank, two AS transition = 'split'\nMEASURES two.parts AS parts";
    let rules = rule_file(&[CELLS, SURGE, ("alert", "Towards", towards), ("alert", "Split", split)]);
    // A disk that goes east, a cell of its width at a time.
    let lon = centre().centre().lon();
    let at = |step: f64| {
        let place = Position::new(lon + step * 0.012, centre().centre().lat()).unwrap();
        Cell::at(place, Resolution::new(8).unwrap()).disk(2).unwrap()
    };
    let lines = play(&rules, &[at(0.0), at(1.0), at(2.0), at(3.0)]);
    let towards = alerts(&lines, "Towards");
    assert_eq!(towards.len(), 1, "{lines}");
    assert_eq!(towards[0]["geometry"]["type"], "Polygon");
    let step = towards[0]["properties"]["measures"]["step"].as_f64().unwrap();
    assert!((300.0..2_000.0).contains(&step), "{step} m");
    assert!(towards[0]["properties"]["measures"]["pace"].as_f64().unwrap() > 1.0);
    // A disk that loses its rim, then a line through its middle.
    let parted: Vec<Cell> = disk(2).into_iter().filter(|cell| (cell.centre().lon() - lon).abs() > 0.0065).collect();
    let lines = play(&rules, &[disk(3), disk(2), parted]);
    let [split] = &alerts(&lines, "Split")[..] else { panic!("one alert:\n{lines}") };
    assert_eq!(split["properties"]["measures"]["parts"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_merge_names_both_and_a_tick_without_change_is_told_only_if_all_is_asked_for() {
    let line = |cells: std::ops::Range<i64>| -> Vec<Cell> {
        let place = centre().centre();
        let at = |step: i64| Position::new(place.lon() + step as f64 * 0.008, place.lat()).unwrap();
        let mut cells: Vec<Cell> = cells.map(|step| Cell::at(at(step), Resolution::new(8).unwrap())).collect();
        cells.dedup();
        cells
    };
    let two = [line(0..6), line(10..14)].concat();
    let rules = |emit: &str| {
        rule_file(&[
            CELLS,
            ("alert", "Told", &format!("FROM cells\nCLUSTER BY cell WHERE demand >= 20\nEVERY 5 min\n{emit}")),
        ])
    };
    let batches = [two.clone(), two, line(0..14)];
    let told = |emit: &str| -> Vec<String> {
        let lines = play(&rules(emit), &batches);
        let word = |alert: &Value| alert["properties"]["measures"]["transition"].as_str().unwrap().to_owned();
        alerts(&lines, "Told").iter().map(word).collect()
    };
    assert_eq!(told(""), ["emerged", "emerged", "absorbed", "survived", "dissolved"]);
    assert_eq!(told("EMIT ALL"), ["emerged", "emerged", "survived", "survived", "absorbed", "survived", "dissolved"]);
    let lines = play(&rules("EMIT CHANGES"), &batches);
    let merged = alerts(&lines, "Told");
    assert_eq!(merged[3]["properties"]["measures"]["parents"][0], merged[2]["properties"]["key"]["region"]);
    assert_eq!(merged[2]["properties"]["measures"]["absorbed_into"], merged[3]["properties"]["key"]["region"]);
    assert_eq!(count_of(&lines, "Told"), 5);
}

#[test]
fn without_expiry_the_end_of_the_inputs_ends_what_repeats_for_ever() {
    let raw = "FROM orders\nCLUSTER BY h3(position, 8) WHERE price > 1\nEVERY 1 min\nEMIT ALL";
    let lines = play(&rule_file(&[("alert", "Told", raw)]), &[disk(1), disk(1)]);
    // Ticks at minutes 0 to 5: the end of the input repeats nothing.
    assert_eq!(count_of(&lines, "Told"), 6, "{lines}");
}

/// An order in a cell; without a price where that is unknown.
fn order(minute: i64, cell: Cell, price: Option<f64>) -> String {
    let (ts, place) = (minute * MINUTE, cell.centre());
    let (lon, lat) = (place.lon(), place.lat());
    let price = price.map_or(String::new(), |price| format!(r#","price":{price}"#));
    format!(r#"{{"ts":{ts},"order":"{minute}-{cell}","lon":{lon},"lat":{lat}{price}}}"#)
}

/// Minute and transition of each alert of a rule over orders.
fn told(expr: &str, orders: Vec<String>) -> Vec<(i64, String)> {
    let scene = Scene::over("city", &rule_file(&[("alert", "Told", expr)]), vec![("orders", orders)]);
    let lines = scene.play(&Mode::default());
    let one = |alert: &Value| {
        let tick = geocep::model::parse_time(alert["properties"]["measures"]["tick"].as_str().unwrap()).unwrap();
        (tick / MINUTE, alert["properties"]["measures"]["transition"].as_str().unwrap().to_owned())
    };
    alerts(&lines, "Told").iter().map(one).collect()
}

fn as_told(all: &[(i64, &str)]) -> Vec<(i64, String)> {
    all.iter().map(|(minute, word)| (*minute, (*word).to_owned())).collect()
}

#[test]
fn a_cell_between_hot_and_cold_stays_what_it_is_and_one_of_which_nothing_is_known_turns_cold() {
    let prices = |prices: &[Option<f64>]| -> Vec<String> {
        (0..).zip(prices).map(|(minute, price)| order(minute, centre(), *price)).collect()
    };
    let hysteresis = "FROM orders CLUSTER BY h3(position, 8) WHERE price >= 5 COLD WHEN price < 1";
    let found = told(hysteresis, prices(&[Some(2.0), Some(5.0), Some(2.0), Some(0.5), Some(2.0), Some(6.0), None]));
    assert_eq!(found, as_told(&[(1, "emerged"), (3, "dissolved"), (5, "emerged"), (6, "dissolved")]));
    let at_once = "FROM orders CLUSTER BY h3(position, 8) WHERE price >= 5";
    let found = told(at_once, prices(&[Some(5.0), Some(2.0), Some(5.0)]));
    assert_eq!(found, as_told(&[(0, "emerged"), (1, "dissolved"), (2, "emerged")]));
    let confirmed = "FROM orders CLUSTER BY h3(position, 8) WHERE price >= 5 CONFIRM 2 OF 3 EXPIRE 10 min";
    let found = told(confirmed, prices(&[Some(5.0), Some(0.0), Some(5.0), Some(0.0), Some(0.0)]));
    assert_eq!(found, as_told(&[(2, "emerged"), (3, "dissolved")]));
    let expiring = "FROM orders CLUSTER BY h3(position, 8) WHERE price >= 5 EXPIRE 10 min";
    let found = told(expiring, vec![order(0, centre(), Some(9.0)), order(10, centre(), Some(9.0))]);
    assert_eq!(found, as_told(&[(0, "emerged"), (20, "dissolved")]), "a result at its expiry comes before it");
}

#[test]
fn a_region_is_followed_by_who_is_in_it_where_that_is_asked_for() {
    // Nobody knows the cells again, but the price (here: who pays) is the same.
    let away = Cell::at(Position::new(11.0, 50.0).unwrap(), Resolution::new(8).unwrap());
    let orders = || vec![order(0, centre(), Some(7.0)), order(1, centre(), Some(0.0)), order(1, away, Some(7.0))];
    let by = |what: &str| told(&format!("FROM orders CLUSTER BY h3(position, 8) WHERE price > 1 {what}"), orders());
    assert_eq!(by(""), as_told(&[(0, "emerged"), (1, "dissolved"), (1, "emerged")]));
    assert_eq!(by("MEMBERS price OVERLAP BY MEMBERS"), as_told(&[(0, "emerged"), (1, "survived")]));
}

#[test]
fn each_key_has_regions_of_its_own() {
    let cells = disk(1);
    let orders = cells.iter().zip(0..).map(|(cell, at)| order(0, *cell, Some(f64::from(at % 2)))).collect::<Vec<_>>();
    let one = told("FROM orders CLUSTER BY h3(position, 8) WHERE price >= 0", orders.clone());
    assert_eq!(one.len(), 1);
    let expr = "FROM orders PARTITION BY price CLUSTER BY h3(position, 8) WHERE price >= 0 REACH 2";
    assert_eq!(told(expr, orders).len(), 2, "for each price one");
}

#[test]
fn the_order_of_the_cells_of_an_instant_leaves_no_trace() {
    let rules = rule_file(&[(
        "alert",
        "Told",
        "FROM orders CLUSTER BY h3(position, 8) WHERE price > 2 EXPIRE 3 min WEIGHT price MEASURES sum(price) AS price, avg(price) AS mean",
    )]);
    let mut state = 99u64;
    let mut next = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let cells = disk(4);
    let mut instants: Vec<Vec<String>> = (0..12)
        .map(|minute| {
            let mut chosen: Vec<Cell> = cells.iter().copied().filter(|_| next(3) == 0).collect();
            chosen.dedup();
            chosen.into_iter().map(|cell| order(minute, cell, Some(next(60) as f64 / 7.0))).collect()
        })
        .collect();
    let play = |instants: &[Vec<String>]| {
        Scene::over("city", &rules, vec![("orders", instants.concat())]).play(&Mode::default())
    };
    let lines = play(&instants);
    assert!(lines.lines().count() > 20, "{lines}");
    instants.iter_mut().for_each(|instant| instant.reverse());
    assert_eq!(lines, play(&instants));
}

#[test]
fn nothing_is_kept_of_a_region_that_ended() {
    let pattern = "FROM surge\nPARTITION BY region\nPATTERN a -> b\nWITHIN 10 min\n\
        DEFINE a AS transition = 'emerged', b AS size > 2 * prev(size)";
    let rules = rule_file(&[CELLS, SURGE, ("alert", "Doubled", pattern)]);
    let batches: Vec<Vec<Cell>> = (0..40).map(|at| if at % 3 == 0 { disk(1) } else { Vec::new() }).collect();
    let scene = Scene::over("city", &rules, vec![("orders", orders(&batches))]);
    let (mut session, lanes) = scene.session(&Mode::default(), 2);
    let (mut lines, mut letters) = (Default::default(), Default::default());
    let mut chunk = geocep::wire::Chunk::new();
    for (offset, record) in scene.lanes[0].records.iter().enumerate() {
        chunk.push(0, offset as u64, record, 1 << 20);
    }
    session.push(lanes[0], &chunk, &mut letters);
    session.advance(&mut lines);
    let plan = &scene.project.plan;
    let rule = plan.rules.iter().position(|rule| rule.name == "Doubled").unwrap();
    let stats = session.engine().rule_stats(rule as u32);
    assert!(stats.keys <= 2, "{} of 14 regions are still known", stats.keys);
}
