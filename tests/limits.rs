//! Bounds on what all rules hold: what is left out is a function of the events, and memory stays bounded whatever keys come.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, root, rule_file};
use geocep::{
    engine::{AtEnd, Inline, Options, Shed},
    runtime::session::{Letters, Lines, Session},
    wire::{Chunk, Format},
};
use proptest::prelude::*;
use std::sync::LazyLock;

fn config(limits: &str) -> String {
    format!(
        "
sources:
  pings:
    file: pings.ndjson
    schema: {{ time: ts, fields: {{ id: string, speed: {{ type: float, unit: km/h }} }} }}
geofences: {{ zones: '{}' }}
limits: {{ {limits} }}
",
        root().join("fixtures/city/zones.geojson").display()
    )
}

/// Rules with state that ends, state that doesn't, state that grows, and a rule that reads another.
fn rules() -> String {
    rule_file(&[
        (
            "alert",
            "Minute",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min\nMEASURES count(*) AS n, avg(speed) AS mean",
        ),
        ("stream", "rising", "FROM pings\nWHERE speed > prev(speed)\nPARTITION BY id\nMEASURES speed"),
        ("alert", "Rises", "FROM rising\nPARTITION BY id\nPATTERN a -> b{2,}\nWITHIN 2 min\nMEASURES count(b) AS n"),
        (
            "alert",
            "Loops",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b+ -> c\nWITHIN 3 min\nDEFINE c AS speed > a.speed\nMEASURES count(b) AS n\nAFTER MATCH NO SKIP",
        ),
        ("alert", "Silent", "FROM pings\nPARTITION BY id\nPATTERN a -> !b FOR 40 s\nWITHIN UNBOUNDED"),
        (
            "alert",
            "Zone",
            "FROM pings THROUGH zones\nPARTITION BY id, fence\nPATTERN a -> b\nWITHIN 5 min\nDEFINE a AS passage = 'entered', b AS passage = 'exited'",
        ),
    ])
}

/// Keys that come once, and some that come again and again.
fn pings(count: u64) -> Vec<String> {
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut ts = 1_000_000_000_000;
    let record = |_| {
        ts += next(400) as i64;
        let id = if next(2) == 0 { format!("v{}", next(60)) } else { format!("x{}", next(100_000)) };
        ping(ts, &id, 13.3 + next(200) as f64 / 1e3, 52.45 + next(150) as f64 / 1e3, next(90) as f64)
    };
    (0..count).map(record).collect()
}

fn scene(limits: &str) -> Scene {
    Scene::with_config(&config(limits), &rules(), vec![("pings", pings(3_000))])
}

/// With few keys, with few bytes, and both ways of making room; what an undisturbed run puts out.
static SCENES: LazyLock<Vec<(Scene, String)>> = LazyLock::new(|| {
    let limits = [
        "keys: 800",
        "keys: 800, shed: evict",
        "bytes: 1 MiB",
        "bytes: 1 MiB, shed: evict",
        "keys: 1500, bytes: 1500 KiB, shed: evict",
    ];
    let played = |limits: &&str| {
        let scene = scene(limits);
        let lines = scene.play(&Mode::default());
        (scene, lines)
    };
    limits.iter().map(played).collect()
});

#[test]
fn each_bound_is_felt_and_without_one_nothing_is() {
    let free = scene("").play(&Mode::default());
    assert_eq!(scene("keys: 100_000_000".replace('_', "").as_str()).play(&Mode::default()), free);
    for (_, lines) in SCENES.iter() {
        assert!(!lines.is_empty() && *lines != free);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_left_out_depends_on_no_shard_batch_or_restart(
        at in 0_usize..5,
        shards in prop::sample::select(vec![1_u32, 2, 3, 8]),
        eager in any::<bool>(),
        steps in prop::collection::vec((Just(0_usize), 1_usize..700), 0..8),
        moves in prop::collection::vec((0_usize..8, prop::sample::select(vec![1_u32, 2, 5])), 0..3),
    ) {
        let (scene, expected) = &SCENES[at];
        let mode = Mode { shards, steps, moves, ..Mode::default() };
        let found = scene.play(&mode);
        prop_assert_eq!(&found, expected);
        if eager {
            // At once, and so in another order.
            let sorted = |text: &str| { let mut lines: Vec<String> = text.lines().map(str::to_owned).collect(); lines.sort(); lines };
            prop_assert_eq!(sorted(&scene.play(&Mode { eager, ..mode })), sorted(expected));
        }
    }
}

/// Resident memory of this process, bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1_024)
}

/// Two million keys that never come again.
fn attack(shed: &str) -> (Shed, usize) {
    const KEYS: u64 = 2_000_000;
    let rules = rule_file(&[
        ("alert", "Jump", "FROM pings\nWHERE speed > prev(speed) + 500 km/h\nPARTITION BY id"),
        (
            "alert",
            "Silent",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b\nWITHIN 30 d\nDEFINE a AS speed >= 0 km/h, b AS speed > 500 km/h",
        ),
    ]);
    let config = config(&format!("keys: 100000, bytes: 64 MiB, shed: {shed}"));
    let scene = Scene::with_config(&config, &rules, vec![("pings", Vec::new())]);
    let mut session =
        Session::new(&scene.project, Options { eager: true, ..Options::default() }, Box::new(Inline)).unwrap();
    let schema = &scene.project.config.sources["pings"].schema;
    let lane = session.add_partition("pings", schema, Format::Ndjson, 0, 0).unwrap();
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let (mut before, mut highest) = (0, 0);
    let mut chunk = Chunk::new();
    for n in 0..KEYS {
        let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let record = ping(1_000_000_000_000 + n as i64, &format!("{key:016x}"), 1.0, 2.0, 10.0);
        chunk.push(0, n, record.as_bytes(), 1 << 20);
        if chunk.len() == 10_000 {
            session.push(lane, &chunk, &mut letters);
            session.advance(&mut lines);
            lines.clear();
            chunk.clear();
            let now = resident().unwrap_or(0);
            // When it is full: what comes after that must not make it grow.
            if n < KEYS / 8 {
                before = before.max(now);
            }
            highest = highest.max(now);
        }
    }
    session.finish(AtEnd::Hold, &mut lines);
    assert!(highest - before < 48 << 20, "grew by {} MiB", (highest - before) >> 20);
    let keys = (0..2).map(|rule| session.engine().rule_stats(rule).keys).sum();
    let shed = (0..2).map(|rule| session.engine_mut().take_left_out(rule)).fold(Shed::default(), Shed::and);
    (shed, keys)
}

#[test]
fn memory_stays_bounded_under_two_million_keys_that_never_come_again() {
    let (shed, keys) = attack("reject");
    assert!((80_000..=100_000).contains(&keys) && shed.rejected_keys > 3_800_000, "{keys} {shed:?}");
    assert_eq!((shed.evicted_keys, shed.dropped_events), (0, 0));
    let (shed, keys) = attack("evict");
    assert!((70_000..=100_000).contains(&keys) && shed.evicted_keys > 3_800_000, "{keys} {shed:?}");
    assert_eq!((shed.rejected_keys, shed.dropped_events), (0, 0));
}
