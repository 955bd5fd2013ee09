//! Rules that change while they run: those that stay don't notice, those that come see what follows.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, count_of, ping, rule_file};
use geocep::{
    engine::{Change, Fate, Inline, Options, Replaced},
    plan::Plan,
    runtime::{
        project::{Loaded, Project, ProjectError, Request},
        session::{Letters, Lines, Session},
    },
    wire::{Chunk, Format},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, path::PathBuf, sync::LazyLock};

type Rule = (&'static str, &'static str, &'static str);

/// Rules that are there all the time: every kind of operator, streams that rules read, two levels of them.
const STAY: &[Rule] = &[
    ("stream", "minutes", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 100%\nMEASURES count(*) AS n"),
    ("alert", "Minute", "FROM minutes\nPARTITION BY id\nMEASURES n"),
    ("stream", "fast", "FROM pings\nWHERE speed > 50 km/h\nPARTITION BY id\nMEASURES speed"),
    ("alert", "Twice", "FROM fast\nPARTITION BY id\nPATTERN x{2}\nWITHIN 5 min\nMEASURES sum(x.speed) AS sum"),
    (
        "alert",
        "Both",
        "FROM fast, minutes\nPARTITION BY id\nPATTERN f -> m\nWITHIN 5 min\nDEFINE f FROM fast AS TRUE, m FROM minutes AS n >= 2\nMEASURES m.n AS n\nAFTER MATCH NO SKIP",
    ),
    (
        "alert",
        "Slowing",
        "FROM pings\nPARTITION BY id\nPATTERN a b+ STRICT c\nWITHIN 10 min\nDEFINE a AS TRUE, b AS speed < prev(speed), c AS speed > avg(b.speed)\nMEASURES count(b) AS n\nAFTER MATCH SKIP TO NEXT ROW\nON TIMEOUT",
    ),
    ("alert", "Silent", "FROM fast\nPARTITION BY id\nPATTERN last -> !next FOR 90 s\nWITHIN UNBOUNDED"),
    ("alert", "Sliding", "FROM pings\nPARTITION BY id\nWINDOW SLIDING 70 s EVERY 20 s\nMEASURES max(speed) AS top"),
    ("alert", "Mixed", "FROM pings, fast\nPARTITION BY id\nWINDOW COUNT 5\nMEASURES count(*) AS n"),
];

/// Rules that come, go and change: some read the rules that stay, some have names before theirs, some other fields.
const CHANGE: &[Rule] = &[
    ("alert", "Aaa", "FROM pings\nPARTITION BY id\nPATTERN x{3}\nWITHIN 5 min"),
    ("alert", "Aaa", "FROM pings\nPARTITION BY id\nPATTERN x{4}\nWITHIN 5 min"),
    ("stream", "among", "FROM fast\nPARTITION BY id\nMEASURES speed AS v"),
    ("alert", "Among", "FROM minutes\nPARTITION BY id\nPATTERN x{2}\nWITHIN 5 min"),
    ("alert", "Zzz", "FROM pings\nWHERE heading > 90 deg\nPARTITION BY id\nMEASURES heading"),
    ("alert", "Old", "FROM pings, minutes\nPARTITION BY id\nWINDOW COUNT 2\nMEASURES count(*) AS n"),
    ("stream", "aside", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 30 s\nMEASURES min(speed) AS low"),
    ("stream", "aside", "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 20 s\nMEASURES max(speed) AS high"),
    ("alert", "Near", "FROM pings\nWHERE inside(zones)\nPARTITION BY id\nMEASURES fence"),
];

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h }, heading: { type: float, unit: deg } }
geofences: { zones: zones.geojson }
rules: rules.yaml
";

fn fence(id: &str, west: f64) -> String {
    let east = west + 0.03;
    let ring = format!("[[{west},49.5],[{east},49.5],[{east},50.5],[{west},50.5],[{west},49.5]]");
    format!(
        r#"{{"type":"Feature","id":"{id}","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}"#
    )
}

fn fences(all: &[(&str, f64)]) -> String {
    let all: Vec<String> = all.iter().map(|(id, west)| fence(id, *west)).collect();
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, all.join(","))
}

/// A directory with configuration, rules and fences.
struct Place(tempfile::TempDir);

impl Place {
    fn new(fences: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("geocep.yaml"), CONFIG).unwrap();
        fs::write(place.path("zones.geojson"), fences).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, rules: &str, running: Option<&Project>) -> Result<Project, ProjectError> {
        fs::write(self.path("rules.yaml"), rules).unwrap();
        let loaded = Loaded::read(&Request { config: Some(self.path("geocep.yaml")), ..Request::default() })?;
        let none = BTreeMap::new();
        match running {
            None => loaded.check(&none, false),
            Some(running) => loaded.check_after(&none, false, &running.plan),
        }
    }

    fn load_after(&self, rules: &str, running: &Plan) -> Result<Project, ProjectError> {
        fs::write(self.path("rules.yaml"), rules).unwrap();
        let loaded = Loaded::read(&Request { config: Some(self.path("geocep.yaml")), ..Request::default() })?;
        loaded.check_after(&BTreeMap::new(), false, running)
    }
}

/// What is played: rules at first, and after which step which others.
struct Play<'a> {
    place: &'a Place,
    rules: String,
    reloads: Vec<(usize, String)>,
    records: &'a [Vec<String>],
    step: usize,
    disorder_ms: i64,
}

impl Play<'_> {
    fn run(&self, shards: u32, eager: bool) -> (String, Vec<Replaced>) {
        self.run_with(shards, eager, false)
    }

    /// The same; after each reload another process, which has checked the rules for itself, may go on from a checkpoint.
    fn run_with(&self, shards: u32, eager: bool, restarts: bool) -> (String, Vec<Replaced>) {
        let mode = Mode { eager, ..Mode::default() };
        let mut project = self.place.load(&self.rules, None).unwrap();
        let scene = Scene::of(self.place.load(&self.rules, None).unwrap(), self.records, self.disorder_ms);
        let (mut session, mut lanes) = scene.session(&mode, shards);
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        let mut replaced = Vec::new();
        let mut done = 0;
        let mut held = None;
        for step in 0.. {
            if self.records.iter().all(|records| done >= records.len()) {
                break;
            }
            for (lane, records) in lanes.iter().zip(self.records) {
                let mut chunk = Chunk::new();
                for (offset, record) in records.iter().enumerate().skip(done).take(self.step) {
                    chunk.push(lane.0 as u32, offset as u64, record.as_bytes(), 1 << 20);
                }
                session.push(*lane, &chunk, &mut letters);
                session.advance(&mut lines);
            }
            done += self.step;
            for (_, rules) in self.reloads.iter().filter(|(at, _)| *at == step) {
                let next = self.place.load(rules, Some(&project)).unwrap_or_else(|error| panic!("{error}"));
                // A checkpoint may be on its way to the disk meanwhile.
                let cut = session.cut();
                held = Some((cut.payloads().unwrap(), cut));
                replaced.push(session.replace(&next, &mut lines).unwrap());
                project = next;
                if restarts {
                    let (cut, names, partitions) = (session.cut(), session.names(), session.partitions().to_vec());
                    // Of rules that were edited it knows from the checkpoint.
                    let olds = names.old_versions();
                    project = self.place.load_after(rules, &olds).unwrap();
                    let scene = Scene::of(self.place.load_after(rules, &olds).unwrap(), self.records, self.disorder_ms);
                    let mut other = scene.blank(&mode, 1 + (shards + step as u32) % 4);
                    let fates = other.resume(&cut.payloads().unwrap(), &partitions, &names).unwrap();
                    assert!(fates.iter().all(|(_, fate)| matches!(fate, Fate::Kept(_))), "{fates:?}");
                    lanes = scene.add_lanes(&mut other);
                    session = other;
                }
            }
        }
        session.finish(geocep::engine::AtEnd::Drain, &mut lines);
        if let Some((payloads, cut)) = held {
            assert!(cut.payloads().unwrap() == payloads, "what was cut stays as it was");
        }
        assert!(letters.late.is_empty() && letters.dead.is_empty(), "{:?}", letters.samples);
        (String::from_utf8(lines.bytes).unwrap(), replaced)
    }
}

/// The lines of the rules that stay; all of them in one order where they come as they are found.
fn of_stay(lines: &str, sort: bool) -> Vec<&str> {
    let names: Vec<String> = STAY.iter().map(|(_, name, _)| format!("\"rule\":\"{name}\"")).collect();
    let mut lines: Vec<&str> = lines.lines().filter(|line| names.iter().any(|name| line.contains(name))).collect();
    if sort {
        lines.sort_unstable();
    }
    lines
}

fn records() -> Vec<Vec<String>> {
    let mut state = 4_321u64;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let partition = |base: u64, next: &mut dyn FnMut(u64) -> u64| {
        let mut ts = -300_000;
        let record = |_| {
            ts += next(12) as i64 * 500;
            let id = format!("v{}", base * 100 + next(7));
            let (lon, speed, heading) = (10.0 + next(100) as f64 / 1_000.0, next(90), next(360));
            format!(r#"{{"ts":{ts},"id":"{id}","lon":{lon},"lat":50,"speed":{speed},"heading":{heading}}}"#)
        };
        (0..240).map(record).collect()
    };
    let mut all: Vec<Vec<String>> = (0..3).map(|base| partition(base, &mut next)).collect();
    all.iter_mut().for_each(|records| records.chunks_mut(3).for_each(<[String]>::reverse));
    all
}

static RECORDS: LazyLock<Vec<Vec<String>>> = LazyLock::new(records);
static ZONES: LazyLock<String> = LazyLock::new(|| fences(&[("a", 10.0), ("b", 10.05)]));

/// The rules that stay and some of those that change, one of a name, from a place on so that orders and numbers differ.
fn rules(chosen: u16, turn: usize) -> String {
    let mut all: Vec<Rule> = Vec::new();
    for (at, rule) in CHANGE.iter().enumerate() {
        if chosen >> at & 1 == 1 && !all.iter().any(|other| other.1 == rule.1) {
            all.push(*rule);
        }
    }
    all.extend(STAY);
    let count = all.len();
    all.rotate_left(turn % count);
    rule_file(&all)
}

fn reloads() -> impl Strategy<Value = Vec<(usize, String)>> {
    proptest::collection::vec((0..60usize, any::<u16>(), 0..20usize), 1..7).prop_map(|mut reloads| {
        reloads.sort();
        reloads.into_iter().map(|(at, chosen, turn)| (at, rules(chosen, turn))).collect()
    })
}

fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).map_or(default, |cases: u32| cases.min(200))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(10)) })]

    #[test]
    fn rules_that_stay_put_out_the_same_bytes_whatever_changes_around_them(
        first in (any::<u16>(), 0..20usize),
        reloads in reloads(),
        step in 1..30usize,
        eager in any::<bool>(),
    ) {
        let place = Place::new(&ZONES);
        let play = |rules: String, reloads| Play {
            place: &place, rules, reloads, records: &RECORDS, step, disorder_ms: 12_000,
        };
        let (expected, _) = play(rules(0, 0), Vec::new()).run(1, false);
        prop_assert!(expected.lines().count() > 100);
        for (shards, restarts) in [(1, false), (2, true), (8, false)] {
            let play = play(rules(first.0, first.1), reloads.clone());
            let (found, replaced) = play.run_with(shards, eager, restarts);
            prop_assert_eq!(of_stay(&found, eager), of_stay(&expected, eager));
            for rule in replaced.iter().flat_map(|replaced| &replaced.rules) {
                let stays = STAY.iter().any(|(_, name, _)| *name == rule.name);
                prop_assert!(!stays || rule.change == Change::Kept, "{:?}", rule);
            }
        }
    }
}

#[test]
fn a_rule_that_reads_what_nobody_read_before_sees_it_from_the_next_event_on() {
    let place = Place::new(&ZONES);
    let records: Vec<Vec<String>> = vec![
        (0..10)
            .map(|n| format!(r#"{{"ts":{},"id":"a","lon":1,"lat":2,"speed":60,"heading":{}}}"#, n * 1_000, n * 10))
            .collect(),
    ];
    let stay = [("alert", "Fast", "FROM pings\nWHERE speed > 50 km/h\nPARTITION BY id\nMEASURES speed")];
    let more = [stay[0], ("alert", "Heading", "FROM pings\nPARTITION BY id\nMEASURES heading")];
    let play = Play {
        place: &place,
        rules: rule_file(&stay),
        reloads: vec![(3, rule_file(&more))],
        records: &records,
        step: 1,
        disorder_ms: 0,
    };
    let (lines, replaced) = play.run(1, false);
    assert_eq!((count_of(&lines, "Fast"), count_of(&lines, "Heading")), (10, 6), "{lines}");
    let headings = (4..10).all(|n| lines.contains(&format!("\"heading\":{}", n * 10)));
    assert!(headings && !lines.contains("\"heading\":null"), "{lines}");
    let changes: Vec<_> = replaced[0].rules.iter().map(|rule| (rule.name.as_str(), rule.change)).collect();
    assert_eq!(changes, [("Fast", Change::Kept), ("Heading", Change::Started)]);

    // What was decoded before and waits has the field as null.
    let waiting = Play { disorder_ms: 2_000, ..play };
    let (lines, _) = waiting.run(1, false);
    assert_eq!((count_of(&lines, "Fast"), count_of(&lines, "Heading")), (10, 8), "{lines}");
    assert_eq!(lines.matches("\"heading\":null").count(), 2, "{lines}");
}

#[test]
fn who_reads_an_edited_rules_stream_goes_on() {
    let place = Place::new(&ZONES);
    let at = |n: i64| ping(n * 1_000, &format!("v{}", n % 2), 1.0, 2.0, 60.0);
    let records: Vec<Vec<String>> = vec![(0..8).map(at).collect()];
    let base = |count: u32, label: &str| {
        let rules = rule_file(&[
            ("stream", "fast", &format!("FROM pings\nWHERE speed > {count}0 km/h\nPARTITION BY id\nMEASURES speed")),
            ("alert", "Three", "FROM fast\nPARTITION BY id\nPATTERN x{3}\nWITHIN 5 min"),
            ("alert", "Own", "FROM pings\nPARTITION BY id\nPATTERN x{3}\nWITHIN 5 min"),
        ]);
        format!("{rules}        labels: {{ level: {label} }}\n        limits: {{ partial_matches: 9 }}\n")
    };
    let play =
        |reloads| Play { place: &place, rules: base(1, "a"), reloads, records: &records, step: 1, disorder_ms: 0 };
    let (lines, _) = play(Vec::new()).run(2, false);
    assert_eq!((count_of(&lines, "Three"), count_of(&lines, "Own")), (2, 2), "{lines}");
    let (lines, replaced) = play(vec![(3, base(2, "b"))]).run(2, false);
    assert_eq!((count_of(&lines, "Three"), count_of(&lines, "Own")), (2, 2), "{lines}");
    assert!(lines.matches("\"level\":\"b\"").count() > 0, "{lines}");
    let rules: Vec<_> =
        replaced[0].rules.iter().map(|rule| (rule.name.as_str(), rule.change, rule.keys, rule.dropped_keys)).collect();
    assert_eq!(rules, [("fast", Change::Edited, 0, 0), ("Three", Change::Kept, 2, 0), ("Own", Change::Kept, 2, 0)]);
}

#[test]
fn alerts_that_were_decided_before_their_rule_went_are_put_out() {
    let place = Place::new(&ZONES);
    let records: Vec<Vec<String>> = vec![(0..4).map(|n| ping(n * 1_000, "a", 1.0, 2.0, 60.0)).collect()];
    let stay = ("alert", "Stay", "FROM pings\nPARTITION BY id");
    let gone = ("alert", "Gone", "FROM pings\nPARTITION BY id");
    let play = Play {
        place: &place,
        rules: rule_file(&[gone, stay]),
        reloads: vec![(2, rule_file(&[stay]))],
        records: &records,
        step: 1,
        disorder_ms: 0,
    };
    for eager in [false, true] {
        let (lines, replaced) = play.run(1, eager);
        assert_eq!((count_of(&lines, "Stay"), count_of(&lines, "Gone")), (4, 3), "{lines}");
        assert_eq!(replaced[0].count(Change::Removed), 1);
    }
}

#[test]
fn fences_that_change_get_new_numbers_and_who_is_in_one_stays_in_it() {
    let rules = rule_file(&[
        ("alert", "Passed", "FROM pings\nTHROUGH zones\nPARTITION BY id, fence\nMEASURES passage, dwell"),
        (
            "alert",
            "Was",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b\nWITHIN 1 h\nDEFINE a AS inside(zones) AND speed > 50 km/h, b AS speed < 10 km/h\nMEASURES a.fence AS was\nAFTER MATCH NO SKIP",
        ),
    ]);
    let place = Place::new(&fences(&[("b", 10.0), ("d", 10.05)]));
    let at = |n: i64, lon: f64, speed: f64| ping(n * 1_000, "v", lon, 50.0, speed);
    let before: Vec<String> = vec![at(0, 10.06, 60.0)];
    let after: Vec<String> = vec![at(1, 10.06, 30.0), at(2, 11.0, 5.0)];
    let all = vec![before.iter().chain(&after).cloned().collect::<Vec<_>>()];
    let play = Play { place: &place, rules, reloads: Vec::new(), records: &all, step: 1, disorder_ms: 0 };
    let (expected, _) = play.run(1, false);
    assert!(expected.contains("exited") && expected.contains("\"was\""), "{expected}");
    let project = place.load(&play.rules, None).unwrap();
    for others in [&[("a", 30.0), ("b", 10.0), ("c", 31.0), ("d", 10.05)][..], &[("d", 10.05)]] {
        fs::write(place.path("zones.geojson"), fences(&[("b", 10.0), ("d", 10.05)])).unwrap();
        let scene = Scene::of(place.load(&play.rules, None).unwrap(), &all, 0);
        let (mut session, lanes) = scene.session(&Mode::default(), 2);
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        for (offset, record) in all[0].iter().enumerate() {
            let mut chunk = Chunk::new();
            chunk.push(0, offset as u64, record.as_bytes(), 1 << 20);
            session.push(lanes[0], &chunk, &mut letters);
            session.advance(&mut lines);
            if offset == 0 {
                fs::write(place.path("zones.geojson"), fences(others)).unwrap();
                let next = place.load(&play.rules, Some(&project)).unwrap();
                let replaced = session.replace(&next, &mut lines).unwrap();
                assert_eq!(replaced.count(Change::Kept), 2);
            }
        }
        session.finish(geocep::engine::AtEnd::Drain, &mut lines);
        assert_eq!(String::from_utf8(lines.bytes).unwrap(), expected);
    }
}

#[test]
fn what_cannot_run_changes_nothing() {
    let place = Place::new(&ZONES);
    let rules = rule_file(STAY);
    let project = place.load(&rules, None).unwrap();
    let scene = Scene::of(place.load(&rules, None).unwrap(), &RECORDS, 12_000);
    let (mut session, _) = scene.session(&Mode::default(), 2);
    let before = session.engine().save();
    // Not checked as a successor: the slots are those of a plan of its own.
    let other = place.load(&rule_file(&[CHANGE[4]]), None).unwrap();
    let error = session.replace(&other, &mut Lines::default()).unwrap_err();
    assert!(error.to_string().contains("takes a restart"), "{error}");
    assert!(session.engine().save() == before);
    assert!(place.load("groups: [", Some(&project)).is_err());
    let again = place.load(&rules, Some(&project)).unwrap();
    let replaced = session.replace(&again, &mut Lines::default()).unwrap();
    assert_eq!(replaced.count(Change::Kept), STAY.len());
    assert!(session.engine().save() == before, "the same rules are no change");
}

#[test]
fn a_shadow_becomes_active_with_its_state_and_a_rule_that_was_off_starts_empty() {
    let place = Place::new(&ZONES);
    let records: Vec<Vec<String>> = vec![(0..8).map(|n| ping(n * 1_000, "a", 1.0, 2.0, 60.0)).collect()];
    let rules = |mode: &str| {
        rule_file(&[
            ("alert", "Reads", "FROM Three\nPARTITION BY id"),
            ("alert", "Three", "FROM pings\nPARTITION BY id\nPATTERN x{3}\nWITHIN 5 min"),
        ]) + &format!("        mode: {mode}\n")
    };
    let play = |first: &str, reloads: &[(usize, &str)]| {
        let reloads = reloads.iter().map(|(at, mode)| (*at, rules(mode))).collect();
        let play = Play { place: &place, rules: rules(first), reloads, records: &records, step: 1, disorder_ms: 0 };
        let (lines, replaced) = play.run(2, false);
        let changes: Vec<Change> = replaced.iter().map(|replaced| replaced.rules[0].change).collect();
        (count_of(&lines, "Three"), count_of(&lines, "Reads"), changes)
    };
    // What is to become of a shadow's alerts is for who writes them.
    assert_eq!(play("shadow", &[(3, "active"), (5, "shadow")]), (2, 2, vec![Change::Kept, Change::Kept]));
    assert_eq!(play("off", &[]), (0, 0, vec![]));
    // Three before, three after; in between one that nobody sees. The first match's instant isn't over when the rule goes, so that
    // it is an alert, but nobody's event: who would have read it starts anew, too.
    let edited = Change::Edited;
    assert_eq!(play("active", &[(2, "off"), (3, "active")]), (2, 1, vec![edited, edited]));
    assert_eq!(play("active", &[(1, "off"), (5, "active")]), (0, 0, vec![edited, edited]));
}

/// The lines of a rule without what its version is part of, in one order.
fn bare(lines: &str, rule: &str) -> Vec<String> {
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut lines: Vec<String> = lines
        .filter(|alert| alert["properties"]["rule"] == rule)
        .map(|mut alert| {
            alert.as_object_mut().unwrap().remove("id");
            let properties = alert["properties"].as_object_mut().unwrap();
            properties.retain(|name, _| name != "id" && name != "rule_version");
            alert.to_string()
        })
        .collect();
    lines.sort();
    lines
}

/// Pings of a few entities; from the place on where the rule is edited their heading says so.
fn pings_with_edition(seed: u64, count: usize, edited_at: usize) -> Vec<Vec<String>> {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let record = |n: usize| {
        let (ts, id, speed, edition) = (n as u64 * 3_000 + next(3_000), next(4), next(100), u8::from(n >= edited_at));
        format!(r#"{{"ts":{ts},"id":"v{id}","lon":10,"lat":50,"speed":{speed},"heading":{edition}}}"#)
    };
    vec![(0..count).map(record).collect()]
}

/// Patterns whose last condition `@` is edited, and whether they keep partial matches as sets.
const EDITED: &[&str] = &[
    "PATTERN a -> b -> c\nWITHIN 2 min\nDEFINE a AS speed > 60 km/h, b AS speed < 40 km/h, c AS @\nMEASURES count(*) AS n",
    "PATTERN a -> b -> c\nWITHIN 2 min\nDEFINE a AS speed > 60 km/h, b AS speed < 40 km/h, c AS @\nAFTER MATCH NO SKIP",
    "PATTERN a -> b -> c\nWITHIN 2 min\nDEFINE a AS speed > 60 km/h, b AS speed < a.speed, c AS @\nAFTER MATCH NO SKIP",
    "PATTERN a b -> c\nWITHIN 2 min\nDEFINE a AS speed > 20 km/h, b AS speed < a.speed, c AS @\nAFTER MATCH SKIP TO NEXT ROW\nON TIMEOUT",
    "PATTERN a{2} -> c\nWITHIN 1 min\nDEFINE a AS speed > 50 km/h, c AS @\nAFTER MATCH SKIP PAST LAST ROW",
    "PATTERN a -> (b | d) -> c\nWITHIN 2 min\nDEFINE a AS speed > 60 km/h, b AS speed < 20 km/h, d AS speed > a.speed, c AS @\nAFTER MATCH NO SKIP",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(24)) })]

    /// An edit of what is asked last is the same as a rule that asks for the one before the edit and for the other from there on.
    #[test]
    fn partial_matches_go_on_under_an_edit_of_what_is_asked_later(
        at in 0..EDITED.len(),
        seed in any::<u64>(),
        edited_at in 1..200usize,
        (before, after) in (0..100u32, 0..100u32),
        shards in 1..4u32,
    ) {
        let rule = |asked: &str| {
            let expr = format!("FROM pings\nPARTITION BY id\n{}", EDITED[at].replace('@', asked));
            rule_file(&[("alert", "R", &expr), ("alert", "Other", "FROM pings\nWHERE heading > 0 deg\nPARTITION BY id")])
        };
        let (old, new) = (format!("speed > {before} km/h"), format!("speed < {after} km/h"));
        let both = format!("(heading = 0 deg AND {old}) OR (heading = 1 deg AND {new})");
        let place = Place::new(&ZONES);
        let records = pings_with_edition(seed, 200, edited_at);
        let play = |rules: String, reloads| {
            Play { place: &place, rules, reloads, records: &records, step: 1, disorder_ms: 0 }.run(shards, false)
        };
        let (expected, _) = play(rule(&both), Vec::new());
        let (found, replaced) = play(rule(&old), vec![(edited_at - 1, rule(&new))]);
        prop_assert_eq!(bare(&found, "R"), bare(&expected, "R"));
        let edited = &replaced[0].rules[0];
        prop_assert_eq!(edited.change, Change::Edited);
    }
}

#[test]
fn what_came_about_under_what_was_asked_before_ends_under_the_old_version() {
    let place = Place::new(&ZONES);
    let records: Vec<Vec<String>> = vec![
        [70, 30, 70, 20, 90]
            .iter()
            .zip(0..)
            .map(|(speed, n)| ping(n * 1_000, "a", 1.0, 2.0, f64::from(*speed)))
            .collect(),
    ];
    let rule = |a: &str, b: &str, more: &str| {
        let define = format!("DEFINE a AS speed > {a} km/h, b AS speed < {b} km/h, c AS speed > 80 km/h");
        let expr = format!(
            "FROM pings\nPARTITION BY id\nPATTERN a -> b -> c\nWITHIN 5 min\n{define}\n{more}AFTER MATCH NO SKIP"
        );
        rule_file(&[("alert", "R", &expr)])
    };
    let play = |to: String| {
        let play = Play {
            place: &place,
            rules: rule("60", "40", ""),
            reloads: vec![(2, to)],
            records: &records,
            step: 1,
            disorder_ms: 0,
        };
        let (lines, replaced) = play.run(1, false);
        let rule = replaced[0].rules[0].clone();
        assert_eq!(rule.dropped_open, 0);
        (count_of(&lines, "R"), rule.keys, rule.open, rule.drained_open)
    };
    // By then a (70), b (30), a (70) have come: the first two wait for c, the last one for b. 20 and 90 end both.
    assert_eq!(play(rule("60", "40", "MEASURES CLASSIFIER() AS n\n")), (2, 1, 2, 0), "only what is put out is another");
    assert_eq!(play(rule("60", "39", "")), (2, 1, 1, 1), "what took 30 for b drains, what waits for b goes on");
    assert_eq!(play(rule("61", "40", "")), (2, 0, 0, 2), "all began under another condition");
    let within = rule("60", "40", "").replace("5 min", "6 min");
    assert_eq!(play(within), (2, 0, 0, 2), "the bound is on all of it");
    let key = rule("60", "40", "").replace("PARTITION BY id", "PARTITION BY id, speed");
    assert_eq!(play(key), (2, 0, 0, 2), "other partitions");
}

#[test]
fn windows_go_on_where_only_their_result_is_edited() {
    let place = Place::new(&ZONES);
    let records: Vec<Vec<String>> = vec![(0..10).map(|n| ping(n * 10_000, "a", 1.0, 2.0, n as f64)).collect()];
    let rule = |having: u32, sum: &str| {
        let expr = format!(
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES {sum}(speed) AS x, count(*) AS n\nHAVING n > {having}"
        );
        rule_file(&[("alert", "R", &expr)])
    };
    let play = |to: String| {
        let play = Play {
            place: &place,
            rules: rule(9, "sum"),
            reloads: vec![(4, to)],
            records: &records,
            step: 1,
            disorder_ms: 0,
        };
        let (lines, replaced) = play.run(1, false);
        let ns: Vec<i64> = lines
            .lines()
            .map(|line| {
                let alert: serde_json::Value = serde_json::from_str(line).unwrap();
                alert["properties"]["measures"]["n"].as_i64().unwrap()
            })
            .collect();
        (ns, replaced[0].rules[0].open, replaced[0].rules[0].dropped_open)
    };
    assert_eq!(play(rule(0, "sum")), (vec![6, 4], 1, 0));
    assert_eq!(
        play(rule(0, "max")),
        (vec![4], 0, 0),
        "the first window ends under the old version, which wants more of it"
    );
}

/// Sources apart, and what ties them together: cars lead, ships lag.
const TWO: &str = "
sources:
  cars:
    file: cars.ndjson
    schema: { time: ts, position: { lon: lon, lat: lat }, fields: { id: string, speed: { type: float, unit: km/h } } }
  ships:
    file: ships.ndjson
    schema: { time: ts, position: { lon: lon, lat: lat }, fields: { id: string, speed: { type: float, unit: km/h } } }
rules: rules.yaml
";

/// Rules of each kind over one of two sources, which know nothing of one another.
const APART: &[Rule] = &[
    ("stream", "minutes", "FROM cars\nPARTITION BY id\nWINDOW TUMBLING 20 s JITTER 100%\nMEASURES count(*) AS n"),
    ("alert", "Minute", "FROM minutes\nPARTITION BY id\nMEASURES n"),
    (
        "alert",
        "Mixed",
        "FROM cars, minutes\nPARTITION BY id\nPATTERN c -> m\nWITHIN 1 min\nDEFINE c FROM cars AS TRUE, m FROM minutes AS n > 1\nAFTER MATCH NO SKIP",
    ),
    (
        "alert",
        "Ordered",
        "FROM cars\nPARTITION BY id\nORDER BY time, speed\nPATTERN a b\nWITHIN 1 min\nDEFINE b AS speed > a.speed\nMEASURES b.speed AS top\nAFTER MATCH NO SKIP",
    ),
    ("alert", "Silent", "FROM cars\nPARTITION BY id\nPATTERN last -> !next FOR 15 s\nWITHIN UNBOUNDED"),
    (
        "alert",
        "Revised",
        "FROM cars\nPARTITION BY id\nWINDOW SLIDING 30 s EVERY 10 s\nMEASURES count(*) AS n, sum(speed) AS sum\nALLOWED LATENESS 1 min",
    ),
    ("alert", "Now", "FROM cars\nLATEST BY id MAX AGE 1 min\nMEASURES speed\nEMIT EVERY 7 s"),
    (
        "alert",
        "Met",
        "FROM cars a NEAR cars b WITHIN 500 m AND 1 min EVERY 5 s\nPARTITION BY pair(a.id, b.id)\nMEASURES encounter, together",
    ),
    (
        "alert",
        "Docked",
        "FROM ships\nPARTITION BY id\nWINDOW SESSION GAP 9 s\nMEASURES count(*) AS n, first(speed) AS first",
    ),
    ("stream", "slow", "FROM ships\nWHERE speed < 60 km/h\nPARTITION BY id\nMEASURES speed"),
    ("alert", "Lost", "FROM slow\nPARTITION BY id\nPATTERN last -> !next FOR 20 s\nWITHIN UNBOUNDED\nCLOCK EVENT"),
];

/// Rules that read both, in one rule and through others.
const TIES: &[Rule] = &[
    (
        "alert",
        "Pairs",
        "FROM cars JOIN ships ON cars.id = ships.id WITHIN 10 s\nMEASURES cars.time AS car, ships.time AS ship",
    ),
    ("stream", "fast", "FROM cars\nWHERE speed > 30 km/h\nPARTITION BY id\nMEASURES speed"),
    (
        "alert",
        "Through",
        "FROM fast, slow\nPARTITION BY id\nPATTERN f -> s\nWITHIN 30 s\nDEFINE f FROM fast AS TRUE, s FROM slow AS TRUE\nMEASURES f.time AS car, s.time AS ship\nAFTER MATCH NO SKIP",
    ),
];

/// What happens to a play of two sources.
#[derive(Clone, Debug)]
enum Turn {
    /// So many more records of a lane.
    Push(usize, usize),
    /// From now on the sources are tied together by some of the rules that do, or by none.
    Tie(u8),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        8 => (0..4usize, 1..25usize).prop_map(|(lane, count)| Turn::Push(lane, count)),
        2 => (0..8u8).prop_map(Turn::Tie),
    ];
    proptest::collection::vec(turn, 1..40)
}

fn two_lanes(seed: u64) -> Vec<Vec<String>> {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % limit) as i64
    };
    let lane = |step: u64, next: &mut dyn FnMut(u64) -> i64| {
        let mut ts = -20_000;
        let record = |_| {
            ts += next(step) * 500;
            // Some come long after their time.
            let late_ms = if next(9) == 0 { next(40) * 1_000 } else { 0 };
            ping(ts - late_ms, &format!("v{}", next(4)), 10.0 + next(4) as f64 / 300.0, 50.0, next(90) as f64)
        };
        (0..80).map(record).collect::<Vec<_>>()
    };
    [4, 5, 5, 4].into_iter().map(|step| lane(step, &mut next)).collect()
}

/// A play of two sources of two partitions each.
#[derive(Clone, Copy)]
struct Two<'a> {
    place: &'a Place,
    records: &'a [Vec<String>],
    shards: u32,
    eager: bool,
    /// Which of the rules that tie are there from the start.
    tied: u8,
}

/// What came of it.
#[derive(Default)]
struct Played {
    lines: String,
    /// The numbers of timelines that there were, at first and turn by turn.
    timelines: Vec<usize>,
    /// The latest times of cars and ships that had been given when the rules last changed.
    given_ms: [i64; 2],
}

impl Two<'_> {
    fn rules(chosen: u8) -> String {
        let tie = TIES.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, rule)| *rule);
        // `Through` reads `fast`.
        let fast = (chosen & 6 == 4).then_some(TIES[1]);
        rule_file(&APART.iter().copied().chain(tie).chain(fast).collect::<Vec<_>>())
    }

    fn play(&self, turns: &[Turn]) -> Played {
        fs::write(self.place.path("geocep.yaml"), TWO).unwrap();
        let mut project = self.place.load(&Self::rules(self.tied), None).unwrap();
        let options = Options { shards: self.shards, key_groups: 64, seed: 7, eager: self.eager };
        let mut session = Session::new(&project, options, Box::new(Inline)).unwrap();
        let lanes = [("cars", 0), ("cars", 1), ("ships", 0), ("ships", 1)].map(|(name, partition)| {
            let schema = &project.config.sources[name].schema;
            session.add_partition(name, schema, Format::Ndjson, partition, 2_000).unwrap()
        });
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        let mut played = Played { timelines: vec![session.engine().timelines()], ..Played::default() };
        let mut done = [0usize; 4];
        let mut given_ms = [i64::MIN; 2];
        let rest = (0..4).map(|lane| Turn::Push(lane, usize::MAX));
        for turn in turns.iter().cloned().chain(rest) {
            match turn {
                Turn::Push(lane, count) => {
                    let mut chunk = Chunk::new();
                    for (offset, record) in self.records[lane].iter().enumerate().skip(done[lane]).take(count) {
                        chunk.push((lane % 2) as u32, offset as u64, record.as_bytes(), 1 << 20);
                        let record: serde_json::Value = serde_json::from_str(record).unwrap();
                        given_ms[lane / 2] = given_ms[lane / 2].max(record["ts"].as_i64().unwrap());
                    }
                    done[lane] = done[lane].saturating_add(count).min(self.records[lane].len());
                    session.push(lanes[lane], &chunk, &mut letters);
                }
                Turn::Tie(chosen) => {
                    let next = self.place.load(&Self::rules(chosen), Some(&project)).unwrap();
                    let replaced = session.replace(&next, &mut lines).unwrap();
                    for rule in &replaced.rules {
                        let stays = APART.iter().any(|(_, name, _)| *name == rule.name);
                        assert!(!stays || rule.change == Change::Kept, "{rule:?}");
                    }
                    (project, played.given_ms) = (next, given_ms);
                }
            }
            session.advance(&mut lines);
            played.timelines.push(session.engine().timelines());
        }
        session.finish(geocep::engine::AtEnd::Drain, &mut lines);
        played.lines = String::from_utf8(lines.bytes).unwrap();
        played
    }
}

/// The lines of these rules, in one order.
fn sorted_of<'a>(lines: &'a str, rules: &[Rule]) -> Vec<&'a str> {
    let names: Vec<String> = rules.iter().map(|(_, name, _)| format!("\"rule\":\"{name}\"")).collect();
    let mut lines: Vec<&str> = lines.lines().filter(|line| names.iter().any(|name| line.contains(name))).collect();
    lines.sort_unstable();
    lines
}

/// Whether the car and the ship of an alert are later than all that were given before the rules changed.
fn is_of_later(line: &str, given_ms: [i64; 2]) -> bool {
    let alert: serde_json::Value = serde_json::from_str(line).unwrap();
    let later = |name: &str, than_ms: i64| {
        let time: jiff::Timestamp = alert["properties"]["measures"][name].as_str().unwrap().parse().unwrap();
        time.as_millisecond() > than_ms
    };
    later("car", given_ms[0]) && later("ship", given_ms[1])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(24)) })]

    #[test]
    fn sources_that_are_tied_together_and_let_go_again_leave_no_trace_in_rules_that_read_one(
        seed in 0..20u64,
        turns in turns(),
        shards in 1..4u32,
        eager in any::<bool>(),
    ) {
        let place = Place::new(&ZONES);
        let records = two_lanes(seed);
        let two = Two { place: &place, records: &records, shards: 1, eager: false, tied: 0 };
        let pushes: Vec<Turn> = turns.iter().filter(|turn| matches!(turn, Turn::Push(..))).cloned().collect();
        let expected = two.play(&pushes);
        for (_, name, _) in APART.iter().filter(|(kind, ..)| *kind == "alert") {
            prop_assert!(count_of(&expected.lines, name) > 0, "`{}` never fires", name);
        }
        let found = Two { shards, eager, ..two }.play(&turns);
        let (found, expected) = (sorted_of(&found.lines, APART), sorted_of(&expected.lines, APART));
        let differs = found.iter().zip(&expected).find(|(a, b)| a != b);
        prop_assert!(found == expected, "{} of {}: {differs:#?}", found.len(), expected.len());
    }

    #[test]
    fn a_rule_that_ties_sources_together_works_on_all_that_comes_from_then_on(
        seed in 0..20u64,
        (before, after) in (turns(), turns()),
        shards in 1..4u32,
        eager in any::<bool>(),
    ) {
        let place = Place::new(&ZONES);
        let records = two_lanes(seed);
        let two = Two { place: &place, records: &records, shards, eager, tied: 0 };
        let pushes = |turns: Vec<Turn>| turns.into_iter().filter(|turn| matches!(turn, Turn::Push(..)));
        let all = Two { tied: 7, ..two }.play(&[]);
        let turns: Vec<Turn> = pushes(before).chain([Turn::Tie(7)]).chain(pushes(after)).collect();
        let found = two.play(&turns);
        prop_assert_eq!((found.timelines.iter().max(), found.timelines.last()), (Some(&2), Some(&1)));
        let ties = [TIES[0], TIES[2]];
        let (lines, all) = (sorted_of(&found.lines, &ties), sorted_of(&all.lines, &ties));
        prop_assert!(!all.is_empty());
        for line in all.iter().filter(|line| is_of_later(line, found.given_ms)) {
            prop_assert!(lines.contains(line), "{}", line);
        }
        // Whatever pairs with what: a join makes no pair that isn't one.
        let pairs = sorted_of(&found.lines, &ties[..1]);
        prop_assert!(pairs.iter().all(|line| all.contains(line)));
    }
}
