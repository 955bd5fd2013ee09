//! Edited rules that go on with what they know: rows, pairs and regions under other bounds.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{
    play::{PLAIN, Play, bare, cases, how, r_of},
    rule_file,
};
use geocep::engine::Change;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// A record of one of a few entities on one of a few places along a meridian, 111.2 m apart.
#[derive(Clone, Copy)]
struct Ping {
    ts: i64,
    id: u8,
    place: i64,
    speed: u32,
}

/// One about every two seconds.
fn pings(seed: u64, count: usize, places: u64) -> Vec<Ping> {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut ping = |n: usize| Ping {
        ts: n as i64 * 2_000 + 1 + next(1_900) as i64,
        id: next(4) as u8,
        place: next(places) as i64,
        speed: next(100) as u32,
    };
    (0..count).map(&mut ping).collect()
}

/// The records, `step` degrees from one place to the next; from the edit on the heading is 1.
fn records(pings: &[Ping], step: f64, edited_at: usize) -> Vec<String> {
    let record = |(n, ping): (usize, &Ping)| {
        let Ping { ts, id, place, speed } = ping;
        let (lat, heading) = (50.0 + *place as f64 * step, u8::from(n >= edited_at));
        format!(r#"{{"ts":{ts},"id":"v{id}","lon":10.5,"lat":{lat},"speed":{speed},"heading":{heading}}}"#)
    };
    pings.iter().enumerate().map(record).collect()
}

fn rule(expr: &str) -> String {
    rule_file(&[
        ("alert", "R", expr),
        ("alert", "Other", "FROM pings\nWHERE heading > 0 deg\nPARTITION BY id\nPATTERN a -> b\nWITHIN 1 min"),
    ])
}

fn play(rules: String, reloads: Vec<(usize, String)>, records: &[String]) -> Play {
    Play { rules, reloads, records: records.to_vec(), disorder_ms: 0 }
}

fn properties(lines: &str) -> Vec<Value> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"].clone());
    lines.filter(|it| it["rule"] == "R").collect()
}

fn ms(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Who meets and parts where bounds are others from one of the pings on: time, pair, what happened, since when.
fn encounters(pings: &[Ping], edited_at: usize, bounds: [(i64, i64); 2]) -> Vec<(i64, String, String, i64)> {
    let mut last: BTreeMap<u8, i64> = BTreeMap::new();
    let mut pairs: BTreeMap<(u8, u8), i64> = BTreeMap::new();
    let mut told = Vec::new();
    for (n, ping) in pings.iter().enumerate() {
        let (within, leave) = bounds[usize::from(n >= edited_at)];
        last.insert(ping.id, ping.place);
        for (&other, &place) in last.iter().filter(|(other, _)| **other != ping.id) {
            let pair = (ping.id.min(other), ping.id.max(other));
            let since = pairs.get(&pair).copied();
            let near = (place - ping.place).abs() <= if since.is_some() { leave } else { within };
            let what = match (since, near) {
                (None, false) => continue,
                (None, true) => "approached",
                (Some(_), true) => "together",
                (Some(_), false) => "separated",
            };
            told.push((ping.ts, format!("v{}-v{}", pair.0, pair.1), what.to_owned(), since.unwrap_or(ping.ts)));
            if near {
                pairs.entry(pair).or_insert(ping.ts);
            } else {
                pairs.remove(&pair);
            }
        }
    }
    told.sort();
    told
}

/// When each key's rows are shown, where the grid and the greatest age are others from one of the pings on.
fn snapshots(pings: &[Ping], edited_at: usize, [old, new]: [(i64, i64); 2]) -> Vec<(String, i64, i64)> {
    let come_ms = pings[edited_at - 1].ts;
    let mut shown = Vec::new();
    for (n, ping) in pings.iter().enumerate() {
        let next = pings[n + 1..].iter().find(|next| next.id == ping.id).map_or(i64::MAX, |next| next.ts);
        let grid = |(every, _): (i64, i64), from: i64| (from + every - 1).div_euclid(every) * every;
        let mut tick = ping.ts + 1;
        let mut now = if n < edited_at { old } else { new };
        loop {
            let mut at = grid(now, tick);
            if now == old && n < edited_at && at > come_ms {
                // A row that is too old for the old rule's next snapshot is gone.
                if at - ping.ts > old.1 {
                    break;
                }
                now = new;
                at = grid(new, at);
            }
            if at > next || at - ping.ts > now.1 {
                break;
            }
            shown.push((format!("v{}", ping.id), ping.ts, at));
            tick = at + 1;
        }
    }
    shown.sort();
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(24)) })]

    #[test]
    fn pairs_that_are_together_go_on_under_other_bounds(
        seed in any::<u64>(),
        edited_at in 1..90usize,
        bounds in [(0..3i64, 0..3i64), (0..3i64, 0..3i64)],
        measures in prop::sample::select(vec!["", ", distance", ", a.speed AS s"]),
        how in how(),
    ) {
        let bounds = bounds.map(|(within, more)| (within, within + more));
        prop_assume!(bounds[0] != bounds[1]);
        let text = |(within, leave): (i64, i64), more: &str| {
            let metres = |places: i64| places as f64 * 111.3 + 50.0;
            let near = format!("WITHIN {} m AND 1 h LEAVE AT {} m", metres(within), metres(leave));
            rule(&format!("FROM pings a NEAR pings b {near}\nPARTITION BY pair(a.id, b.id)\nMEASURES encounter{more}, b.speed AS other, a.speed AS one"))
        };
        let pings = pings(seed, 100, 6);
        let records = records(&pings, 0.001, edited_at);
        let edited = play(text(bounds[0], ""), vec![(edited_at, text(bounds[1], measures))], &records);
        let found = edited.run(how);
        let mut told: Vec<_> = properties(&found.lines)
            .iter()
            // Those that time decides come at the end.
            .filter(|it| it["clock"].is_null())
            .map(|it| {
                let pair = it["key"].as_object().unwrap().values().map(|id| id.as_str().unwrap()).collect::<Vec<_>>().join("-");
                (ms(&it["end"]), pair, it["measures"]["encounter"].as_str().unwrap().to_owned(), ms(&it["start"]))
            })
            .collect();
        told.sort();
        prop_assert_eq!(told, encounters(&pings, edited_at, bounds));
        let change = r_of(&found.replaced[0]);
        prop_assert_eq!((change.change, change.dropped_open, change.dropped_keys, change.why), (Change::Edited, 0, 0, None));
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }

    #[test]
    fn latest_rows_go_on_under_another_grid_and_age(
        seed in any::<u64>(),
        edited_at in 1..80usize,
        forms in [(3..12i64, 5..60i64), (3..12i64, 5..60i64)],
        how in how(),
    ) {
        prop_assume!(forms[0] != forms[1]);
        let text = |(every, age): (i64, i64), measures: &str| {
            rule(&format!("FROM pings\nLATEST BY id MAX AGE {age} s\nMEASURES {measures}\nEMIT EVERY {every} s"))
        };
        let pings = pings(seed, 90, 6);
        let records = records(&pings, 0.001, edited_at);
        let edited = play(text(forms[0], "speed AS s, heading AS h"), vec![(edited_at, text(forms[1], "speed AS v"))], &records);
        let found = edited.run(how);
        let mut shown: Vec<_> = properties(&found.lines)
            .iter()
            .map(|it| (it["key"]["id"].as_str().unwrap().to_owned(), ms(&it["start"]), ms(&it["end"])))
            .collect();
        shown.sort();
        let forms = forms.map(|(every, age)| (every * 1_000, age * 1_000));
        prop_assert_eq!(shown, snapshots(&pings, edited_at, forms));
        for it in properties(&found.lines) {
            let ping = pings.iter().find(|ping| ping.ts == ms(&it["start"])).unwrap();
            let measures = &it["measures"];
            prop_assert_eq!(measures["v"].as_f64().or(measures["s"].as_f64()), Some(f64::from(ping.speed)));
        }
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }

    /// A result is read by what is asked when it comes.
    #[test]
    fn regions_go_on_where_what_makes_a_cell_hot_is_edited(
        seed in any::<u64>(),
        edited_at in 1..110usize,
        (before, after) in (20..80u32, 20..80u32),
        clause in prop::sample::select(vec![
            "EXPIRE 40 s EVERY 10 s",
            "MIN CELLS 2 EXPIRE 1 min",
            "EXPIRE 30 s EVERY 5 s CONFIRM 2 OF 3",
            "MEMBERS id OVERLAP BY MEMBERS EXPIRE 40 s",
        ]),
        how in how(),
    ) {
        prop_assume!(before != after);
        let (old, new) = (format!("speed < {before} km/h"), format!("speed < {after} km/h"));
        let both = format!("(heading = 0 deg AND {old}) OR (heading = 1 deg AND {new})");
        // What is put out is edited, too.
        let text = |hot: &str, name: &str| {
            rule(&format!("FROM pings\nCLUSTER BY h3(position, 8) WHERE {hot}\n{clause}\nMEASURES region, transition, size AS {name}"))
        };
        let pings = pings(seed, 120, 12);
        let records = records(&pings, 0.008, edited_at);
        let plain = play(text(&both, "n"), Vec::new(), &records).run(PLAIN);
        let edited = play(text(&old, "n"), vec![(edited_at, text(&new, "n"))], &records);
        let found = edited.run(how);
        prop_assert_eq!(bare(&found.lines, "R"), bare(&plain.lines, "R"));
        let change = r_of(&found.replaced[0]);
        prop_assert_eq!((change.change, change.dropped_open, change.why), (Change::Edited, 0, None));
        prop_assert_eq!(found.lines, edited.run(PLAIN).lines);
    }
}

#[test]
fn regions_that_are_too_small_for_an_edited_clause_dissolve_and_others_keep_their_ids() {
    let text = |clause: &str| {
        rule(&format!(
            "FROM pings\nCLUSTER BY h3(position, 8) WHERE speed > 0 km/h\n{clause}\nMEASURES region, transition, size"
        ))
    };
    let ping = |n: i64, place: i64| Ping { ts: n * 1_000, id: 1, place, speed: 10 };
    // Two cells that touch, and one alone; the last ones only let time pass.
    let pings = [ping(0, 0), ping(1, 1), ping(2, 10), ping(3, 1), ping(14, 0), ping(15, 1), ping(21, 1), ping(26, 1)];
    let records = records(&pings, 0.008, 99);
    let told = |reloads: &[(usize, &str)], how| {
        let reloads = reloads.iter().map(|(at, clause)| (*at, text(clause))).collect();
        let found = play(text("EVERY 5 s EXPIRE 1 min"), reloads, &records).run(how);
        let of = |it: &Value| {
            let measures = &it["measures"];
            (
                it["key"]["region"].as_str().unwrap().to_owned(),
                measures["transition"].as_str().unwrap().to_owned(),
                measures["size"].as_i64().unwrap(),
            )
        };
        let lines: Vec<_> = properties(&found.lines).iter().map(of).collect();
        (lines, found.replaced)
    };
    let (plain, _) = told(&[], PLAIN);
    assert!(plain.iter().any(|it| it.2 == 2), "{plain:?}");
    let pair = plain.iter().find(|it| it.2 == 2).unwrap().0.clone();
    let alone = plain.iter().find(|it| it.1 == "emerged" && it.0 != pair).unwrap().0.clone();
    for how in [PLAIN, common::play::How { shards: 3, step: 1, restarts: true, ends: true }] {
        // After the first tick, and back.
        let (lines, replaced) =
            told(&[(5, "MIN CELLS 2 EVERY 5 s EXPIRE 1 min"), (7, "MIN CELLS 1 EVERY 5 s EXPIRE 1 min")], how);
        let of =
            |region: &str| -> Vec<&str> { lines.iter().filter(|it| it.0 == region).map(|it| it.1.as_str()).collect() };
        assert_eq!(of(&alone), ["emerged", "dissolved"], "{lines:?}");
        assert_eq!(of(&pair), ["emerged", "survived", "dissolved"], "{lines:?}");
        let again = lines.iter().find(|it| it.1 == "emerged" && it.0.starts_with("25000:")).unwrap();
        assert_eq!(again.0.split(':').nth(1), alone.split(':').nth(1), "it emerges again as another: {lines:?}");
        assert!(replaced.iter().all(|replaced| r_of(replaced).dropped_open == 0));
    }
    // With a shorter EXPIRE they end as if it had always been that.
    let (lines, _) = told(&[(4, "EVERY 5 s EXPIRE 8 s")], PLAIN);
    assert!(lines.iter().any(|it| it.0 == alone && it.1 == "dissolved"), "{lines:?}");
    // Other neighbours make other regions.
    let (_, replaced) = told(&[(5, "REACH 2 EVERY 5 s EXPIRE 1 min")], PLAIN);
    let change = r_of(&replaced[0]);
    assert_eq!((change.open, change.dropped_open), (0, 2));
    assert!(change.why.unwrap().contains("neighbours"), "{change:?}");
}

#[test]
fn rows_without_what_is_put_out_now_are_dropped_and_the_answer_says_why() {
    let text =
        |measures: &str| rule(&format!("FROM pings\nLATEST BY id MAX AGE 1 min\nMEASURES {measures}\nEMIT EVERY 7 s"));
    let pings = pings(7, 40, 6);
    let records = records(&pings, 0.001, 99);
    let found = play(text("speed"), vec![(20, text("speed, heading"))], &records).run(PLAIN);
    let change = r_of(&found.replaced[0]);
    assert_eq!((change.open, change.dropped_open > 0), (0, true));
    assert!(change.why.unwrap().contains("rows"), "{change:?}");
}
