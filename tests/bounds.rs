//! Regions that patterns follow and entities that pass through fences keep the bounds on what all rules hold, with the policy chosen.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, root, rule_file};
use geocep::{
    engine::{AtEnd, Shed},
    geo::{Position, Resolution},
    runtime::session::{Letters, Lines},
    wire::Chunk,
};

fn config(limits: &str) -> String {
    format!(
        "
sources:
  pings:
    file: pings.ndjson
    schema: {{ time: ts, position: {{ lon: lon, lat: lat }}, fields: {{ id: string, speed: {{ type: float, unit: km/h }} }} }}
geofences: {{ zones: '{}' }}
{limits}
",
        root().join("fixtures/city/zones.geojson").display()
    )
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Cells that turn hot and cold: regions emerge, merge and split.
fn regions(limits: &str) -> Scene {
    let centre = geocep::geo::Cell::at(Position::new(10.0, 50.0).unwrap(), Resolution::new(8).unwrap());
    let mut cells = centre.disk(5).unwrap();
    cells.sort_unstable();
    let mut random = Random(5);
    let mut records = Vec::new();
    for minute in 0..40 {
        for second in 0..30 {
            let at = cells[random.below(cells.len() as u64) as usize].centre();
            let (id, hot) = (random.below(3), random.below(3) > 0);
            let speed = if hot { 9.0 } else { 0.0 };
            records.push(ping(minute * 60_000 + second * 1_000, &format!("v{id}"), at.lon(), at.lat(), speed));
        }
    }
    let rules = rule_file(&[
        (
            "stream",
            "regions",
            "FROM pings\nPARTITION BY id\nCLUSTER BY h3(position, 8) WHERE speed > 0 km/h\nEVERY 1 min",
        ),
        (
            "alert",
            "Followed",
            "FROM regions\nPARTITION BY id, region FOLLOW parents\nPATTERN a ->> b ->> c\nWITHIN 20 min\nDEFINE a AS transition = 'emerged', b AS size >= 2, c AS grew OR shrank\nMEASURES a.region AS first, c.region AS last",
        ),
    ]);
    Scene::with_config(&config(limits), &rules, vec![("pings", records)])
}

/// Entities that are in fences and never leave.
fn entities(limits: &str) -> Scene {
    let mut random = Random(7);
    let record = |n: i64| {
        let (lon, lat) = (13.3 + random.below(200) as f64 / 1e3, 52.45 + random.below(150) as f64 / 1e3);
        let id = if random.below(2) == 0 { format!("v{}", random.below(40)) } else { format!("x{n}") };
        ping(n * 1_000, &id, lon, lat, 10.0)
    };
    let rules = rule_file(&[(
        "alert",
        "Zone",
        "FROM pings THROUGH zones\nPARTITION BY id, fence\nPATTERN a -> b\nWITHIN 5 min\nDEFINE a AS passage = 'entered', b AS passage <> 'entered'",
    )]);
    Scene::with_config(&config(limits), &rules, vec![("pings", (0..4_000).map(record).collect())])
}

/// What the last rule left out, the most keys that it had, and the most bytes of its state.
fn watched(scene: &Scene, records: &[Vec<u8>], rule: u32) -> (Shed, usize, usize) {
    let (mut session, lanes) = scene.session(&Mode::default(), 1);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let (mut keys, mut bytes) = (0, 0);
    for (offset, record) in records.iter().enumerate() {
        let mut chunk = Chunk::new();
        chunk.push(0, offset as u64, record, 1 << 20);
        session.push(lanes[0], &chunk, &mut letters);
        session.advance(&mut lines);
        keys = keys.max(session.engine().rule_stats(rule).keys);
        if offset % 50 == 0 {
            bytes = bytes.max(session.engine().save_rule(rule).len());
        }
    }
    session.finish(AtEnd::Drain, &mut lines);
    (session.engine_mut().take_left_out(rule), keys, bytes)
}

fn same_however_it_is_played(scene: &Scene) -> String {
    let lines = scene.play(&Mode::default());
    for (shards, steps, moves) in [
        (2, vec![(0, 333), (0, 334)], vec![(0, 3)]),
        (8, vec![(0, 100), (0, 7), (0, 500)], vec![(1, 2), (2, 5)]),
        (3, (0..40).map(|_| (0, 25)).collect(), vec![(11, 1), (20, 8)]),
    ] {
        let mode = Mode { shards, steps, moves, ..Mode::default() };
        assert!(scene.play(&mode) == lines, "{} shards", mode.shards);
    }
    lines
}

#[test]
fn regions_that_are_followed_are_bounded() {
    let free = regions("").play(&Mode::default());
    assert!(free.contains("Followed"));
    // 64 groups of two rules; the regions of an id are in one group.
    for (limits, evicts) in
        [("keys: 256", false), ("keys: 256, shed: evict", true), ("bytes: 1 MiB, shed: evict", true)]
    {
        let scene = regions(&format!("limits: {{ {limits} }}"));
        let lines = same_however_it_is_played(&scene);
        let (shed, keys, _) = watched(&scene, scene.records(), 1);
        if limits.starts_with("keys") {
            assert!(lines != free && keys <= 6, "{limits}: {keys}");
            assert_eq!((shed.rejected_keys > 0, shed.evicted_keys > 0), (!evicts, evicts), "{limits}: {shed:?}");
        }
    }
}

#[test]
fn entities_in_fences_make_room_for_others_where_that_is_the_policy() {
    let free = entities("");
    let (_, _, unbounded) = watched(&free, free.records(), 0);
    for (limits, evicts) in [("keys: 64", false), ("keys: 64, shed: evict", true)] {
        let scene = entities(&format!("limits: {{ {limits} }}"));
        same_however_it_is_played(&scene);
        let (shed, _, bytes) = watched(&scene, scene.records(), 0);
        assert_eq!((shed.rejected_keys > 0, shed.evicted_keys > 0), (!evicts, evicts), "{limits}: {shed:?}");
        assert!(bytes < unbounded, "{limits}: {bytes} of {unbounded}");
    }
}
