//! Rules that are edited while they run, played in many ways.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::{Mode, Scene};
use geocep::{
    engine::{AtEnd, Fate, Replaced, RuleChange, checkpoint::Names},
    plan::Plan,
    runtime::{
        project::{Loaded, Project, Request},
        session::{Letters, Lines, Session},
    },
    wire::Chunk,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs};

pub(crate) const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h }, heading: { type: float, unit: deg } }
geofences: { zones: zones.geojson }
reload: { drain: 50 s }
rules: rules.yaml
";
pub(crate) const ZONES: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","id":"a","properties":{},"geometry":{"type":"Polygon","coordinates":[[[10,49],[11,49],[11,51],[10,51],[10,49]]]}}]}"#;

/// What is played: rules, and after how many records which others.
pub(crate) struct Play {
    pub(crate) rules: String,
    pub(crate) reloads: Vec<(usize, String)>,
    pub(crate) records: Vec<String>,
    pub(crate) disorder_ms: i64,
}

/// How it is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) shards: u32,
    /// Records at a time, besides that reloads are at their places.
    pub(crate) step: usize,
    /// Whether a process with another number of shards goes on from a checkpoint now and then.
    pub(crate) restarts: bool,
    /// Whether old versions that are done are let go.
    pub(crate) ends: bool,
}

pub(crate) const PLAIN: How = How { shards: 1, step: 1, restarts: false, ends: true };

pub(crate) fn load(rules: &str, running: &Plan) -> Project {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("geocep.yaml"), CONFIG).unwrap();
    fs::write(path("zones.geojson"), ZONES).unwrap();
    fs::write(path("rules.yaml"), rules).unwrap();
    let request = Request { config: Some(path("geocep.yaml")), ..Request::default() };
    let project = Loaded::read(&request).unwrap().check_after(&BTreeMap::new(), false, running);
    project.unwrap_or_else(|error| panic!("{error}"))
}

/// What came of it.
pub(crate) struct Played {
    pub(crate) lines: String,
    pub(crate) replaced: Vec<Replaced>,
    /// Partial matches that old versions had after each step.
    pub(crate) draining: Vec<usize>,
    /// Rules of the plan at the end.
    pub(crate) rules: usize,
}

impl Play {
    pub(crate) fn run(&self, how: How) -> Played {
        let records = std::slice::from_ref(&self.records);
        let mut rules = self.rules.clone();
        let mut project = load(&rules, &Plan::default());
        let scene = Scene::of(load(&rules, &Plan::default()), records, self.disorder_ms);
        let (mut session, mut lanes) = scene.session(&Mode::default(), how.shards);
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        let (mut replaced, mut draining) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < self.records.len() {
            let next = self.reloads.iter().map(|(at, _)| *at).filter(|at| *at > done).min().unwrap_or(usize::MAX);
            let count = how.step.min(next - done).min(self.records.len() - done);
            let mut chunk = Chunk::new();
            for (offset, record) in self.records.iter().enumerate().skip(done).take(count) {
                chunk.push(0, offset as u64, record.as_bytes(), 1 << 20);
            }
            session.push(lanes[0], &chunk, &mut letters);
            session.advance(&mut lines);
            done += count;
            for (_, edited) in self.reloads.iter().filter(|(at, _)| *at == done) {
                rules.clone_from(edited);
                project = load(&rules, session.plan());
                replaced.push(session.replace(&project, &mut lines).unwrap());
            }
            let left = session.engine().draining();
            draining.push(left.iter().map(|old| old.open).sum());
            if how.ends {
                let before = left.len();
                session.end_drains(&mut lines).unwrap();
                assert_eq!(session.plan().drains.len(), before, "those that are done are gone, and no others");
            }
            if how.restarts && (done / how.step).is_multiple_of(5) {
                (session, lanes) = restart(&mut session, &rules, (records, self.disorder_ms), 1 + done as u32 % 8);
            }
        }
        drop(project);
        session.finish(AtEnd::Drain, &mut lines);
        session.end_drains(&mut lines).unwrap();
        assert!(session.plan().drains.is_empty(), "at the end nothing is left");
        let rules = session.plan().rules.len();
        Played { lines: String::from_utf8(lines.bytes).unwrap(), replaced, draining, rules }
    }
}

/// Another process goes on, which has the rules' files and the checkpoint only.
pub(crate) fn restart(
    session: &mut Session,
    rules: &str,
    (records, disorder_ms): (&[Vec<String>], i64),
    shards: u32,
) -> (Session, Vec<geocep::runtime::session::LaneIx>) {
    let (payloads, partitions) = (session.cut().payloads().unwrap(), session.partitions().to_vec());
    let names = Names::decode(&session.names().encode()).unwrap();
    assert_eq!(names, session.names());
    let scene = Scene::of(load(rules, &names.old_versions()), records, disorder_ms);
    let mut other = scene.blank(&Mode::default(), shards);
    let fates = other.resume(&payloads, &partitions, &names).unwrap();
    assert!(fates.iter().all(|(_, fate)| matches!(fate, Fate::Kept(_))), "{fates:?}");
    let told = |session: &Session| -> Vec<_> {
        session.engine().draining().into_iter().map(|old| (old.name, old.number, old.until_ms, old.open)).collect()
    };
    assert_eq!(told(&other), told(session));
    let lanes = scene.add_lanes(&mut other);
    (other, lanes)
}

/// Lines without what a rule's version is part of, in one order.
pub(crate) fn bare(lines: &str, rule: &str) -> Vec<String> {
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut lines: Vec<String> = lines
        .filter(|alert| alert["properties"]["rule"] == rule)
        .map(|mut alert| {
            alert.as_object_mut().unwrap().remove("id");
            alert["properties"].as_object_mut().unwrap().retain(|name, _| name != "id" && name != "rule_version");
            alert.to_string()
        })
        .collect();
    lines.sort();
    lines
}

/// Pings of a few entities; from each of some places on where rules are edited their heading is one more.
pub(crate) fn pings(seed: u64, count: usize, edited_at: &[usize]) -> Vec<String> {
    let mut state = seed;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let record = |n: usize| {
        let (ts, id, speed) = (n as u64 * 3_000 + next(3_000), next(4), next(100));
        let edition = edited_at.iter().filter(|at| n >= **at).count();
        format!(r#"{{"ts":{ts},"id":"v{id}","lon":10,"lat":50,"speed":{speed},"heading":{edition}}}"#)
    };
    (0..count).map(record).collect()
}

pub(crate) fn r_of(replaced: &Replaced) -> &RuleChange {
    replaced.rules.iter().find(|rule| rule.name == "R").unwrap()
}

pub(crate) fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).map_or(default, |cases: u32| cases.min(200))
}

pub(crate) fn how() -> impl Strategy<Value = How> {
    (1..9u32, 1..12usize, any::<bool>(), any::<bool>()).prop_map(|(shards, step, restarts, ends)| How {
        shards,
        step,
        restarts,
        ends,
    })
}
