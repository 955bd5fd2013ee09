//! State larger than memory: whatever stays in memory, what a run puts out and what it saves are the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{FIXTURES, Mode, Scene, ping, rule_file, store::MemoryStore};
use geocep::{
    engine::{AtEnd, Change, Payloads, Spilling},
    io::state::SpillStore,
    runtime::session::{LaneIx, Letters, Lines, Session},
    wire::Chunk,
};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock, atomic::Ordering};

const RULES: &[(&str, &str, &str)] = &[
    (
        "stream",
        "minutes",
        "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 100%\nMEASURES count(*) AS n, avg(speed) AS mean, median(speed) AS mid",
    ),
    ("alert", "Rising", "FROM minutes\nPARTITION BY id\nPATTERN a -> b\nWITHIN 5 min\nDEFINE a AS TRUE, b AS n > a.n"),
    (
        "alert",
        "Swing",
        "FROM pings\nPARTITION BY id\nPATTERN a -> b{2,} -> c\nWITHIN 10 min\nDEFINE a AS prev(speed, 3) > 20 km/h, b AS speed < avg(speed), c AS speed > first(speed)\nMEASURES count(*) AS n, path_length(position) AS way",
    ),
    (
        "alert",
        "Silent",
        "FROM pings\nPARTITION BY id\nPATTERN a -> !b FOR 40 s\nWITHIN 1 min\nDEFINE b AS speed > 10 km/h",
    ),
    (
        "alert",
        "Session",
        "FROM pings\nPARTITION BY id\nWINDOW SESSION GAP 40 s MAX 2 min\nMEASURES count(*) AS n\nEMIT EVERY 30 s",
    ),
    (
        "alert",
        "Latest",
        "FROM pings\nLATEST BY id MAX AGE 45 s\nMEASURES speed\nHAVING speed > 20 km/h\nEMIT EVERY 20 s",
    ),
    (
        "alert",
        "Alone",
        "FROM pings f LEFT JOIN pings p ON f.id = p.id AND p.speed < 20 km/h WITHIN 1 s .. 30 s\nWHERE f.speed > 70 km/h\nMEASURES f.speed, p.speed AS slow",
    ),
    ("alert", "Once", "FROM pings\nWHERE speed > 80 km/h\nPARTITION BY id\nMEASURES speed\nONCE EVERY 1 min"),
    (
        "alert",
        "Near",
        "FROM pings a NEAR pings b WITHIN 800 m AND 40 s LEAVE AT 1 km\nPARTITION BY h3(position, 5) AS cell, pair(a.id, b.id)\nMEASURES encounter, distance, cell",
    ),
];

/// Some ids are heard of often, most now and then.
fn own() -> Scene {
    let record = |at: i64| {
        let id = if at % 3 == 0 { at % 4 } else { at * at % 89 + at % 7 };
        let (lon, lat) = (10.0 + (at * 7 % 50) as f64 / 1e3, 50.0 + (at * 3 % 40) as f64 / 1e3);
        ping(at * 400, &format!("v{id}"), lon, lat, (at * 31 % 90) as f64)
    };
    Scene::pings(&rule_file(RULES), vec![(0..2_000).map(record).collect()])
}

/// The fixtures (with THROUGH, fences and tables) and our own, each with what it puts out.
static SCENES: LazyLock<Vec<(String, Scene, String)>> = LazyLock::new(|| {
    let named = FIXTURES.iter().map(|name| ((*name).to_owned(), Scene::fixture(name)));
    let all = named.chain([("own".to_owned(), own())]);
    all.map(|(name, scene)| {
        let lines = scene.play(&Mode::default());
        (name, scene, lines)
    })
    .collect()
});

fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).map_or(default, |cases: u32| cases.min(200))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(16)) })]

    #[test]
    fn how_many_keys_stay_in_memory_leaves_no_trace(
        at in 0..SCENES.len(),
        resident in prop_oneof![Just(1usize), 2..40usize, Just(5_000)],
        steps in proptest::collection::vec((0..3usize, 1..400usize), 0..20),
        shards in prop_oneof![Just(1u32), Just(2), Just(8)],
        moves in proptest::collection::vec((0..20usize, 1..9u32), 0..3),
        threads: bool,
    ) {
        let (name, scene, expected) = &SCENES[at];
        let mode = Mode { shards, steps, moves, threads, resident: Some(resident), ..Mode::default() };
        let found = scene.play(&mode);
        prop_assert!(found == *expected, "{name}, {} and {} lines", found.lines().count(), expected.lines().count());
    }
}

struct Play<'a> {
    scene: &'a Scene,
    session: Session,
    lanes: Vec<LaneIx>,
    lines: Lines,
    done: usize,
}

impl<'a> Play<'a> {
    fn of(scene: &'a Scene, session: Session) -> Self {
        let mut play = Self { scene, session, lanes: Vec::new(), lines: Lines::default(), done: 0 };
        play.lanes = scene.add_lanes(&mut play.session);
        play
    }

    fn new(scene: &'a Scene, shards: u32, spilling: Option<&Spilling>) -> Self {
        let mut session = scene.blank(&Mode::default(), shards);
        spilling.into_iter().for_each(|spilling| session.engine_mut().spill_to(spilling.clone()));
        Self::of(scene, session)
    }

    fn push(&mut self, count: usize) {
        let mut chunk = Chunk::new();
        for (at, record) in self.scene.lanes[0].records.iter().enumerate().skip(self.done).take(count) {
            chunk.push(0, at as u64, record, 1 << 20);
        }
        self.done += count;
        self.session.push(self.lanes[0], &chunk, &mut Letters::default());
        self.session.advance(&mut self.lines);
    }

    fn figures(&self) -> Vec<(usize, usize)> {
        let stats = (0..RULES.len() as u32).map(|rule| self.session.engine().rule_stats(rule));
        stats.map(|stats| (stats.keys, stats.open)).collect()
    }

    fn finish(mut self) -> String {
        self.session.finish(AtEnd::Drain, &mut self.lines);
        String::from_utf8(self.lines.bytes).unwrap()
    }
}

#[test]
fn what_is_saved_and_cut_is_the_same_and_a_group_whose_keys_only_went_is_no_other() {
    let scene = own();
    let mut kept = 0;
    for shards in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let spilling = Spilling::new(Arc::new(SpillStore::open(dir.path()).unwrap()), 10);
        let (mut heap, mut disk) = (Play::new(&scene, shards, None), Play::new(&scene, shards, Some(&spilling)));
        let mut before = (0, Payloads::new());
        for step in 0..20 {
            heap.push(100);
            disk.push(100);
            assert!(heap.session.engine().save() == disk.session.engine().save(), "step {step}");
            assert_eq!(heap.figures(), disk.figures(), "step {step}");
            let (one, other) = (heap.session.cut(), disk.session.cut());
            // What a cut has doesn't change while the core goes on.
            heap.push(5);
            disk.push(5);
            let (expected, payloads) = (one.payloads().unwrap(), other.payloads().unwrap());
            assert!(expected == payloads, "step {step}");
            // Of a group it is known at least as well since when it is as it is; that keys went or came back is no change.
            for (here, there) in one.blocks().iter().zip(other.blocks()) {
                assert!(here.id == there.id && there.since <= here.since, "step {step}: {here:?} and {there:?}");
                if there.since.is_some_and(|since| since <= before.0) {
                    kept += 1;
                    assert!(payloads.get(&there.id) == before.1.get(&there.id), "step {step}: {there:?}");
                }
            }
            before = (other.barrier(), payloads);
        }
        let (figures, fault) = (spilling.figures(), spilling.fault());
        assert!(figures.put > 1_000 && figures.recalled > 1_000 && figures.failed == 0, "{figures:?} {fault:?}");
        let expected = heap.finish();
        assert!(expected.lines().count() > 500 && disk.finish() == expected);
    }
    assert!(kept > 100, "{kept} blocks needn't be written again");
}

#[test]
fn rules_that_change_take_what_is_in_the_store_with_them() {
    let scene = own();
    let (rules, edited) =
        (rule_file(RULES), rule_file(RULES).replace("b AS speed < avg(speed), c AS", "b AS speed <= avg(speed), c AS"));
    assert_ne!(rules, edited);
    let play = |spilling: Option<&Spilling>| {
        let mut play = Play::new(&scene, 2, spilling);
        let mut kept = Vec::new();
        for text in [&rules, &edited, &rules] {
            play.push(400);
            let next = Scene::pings(text, Vec::new());
            let replaced = play.session.replace(&next.project, &mut play.lines).unwrap();
            assert!(replaced.count(Change::Kept) >= RULES.len() - 1);
            kept.push(replaced.rules);
        }
        play.push(1_000);
        (kept, play.figures(), play.finish())
    };
    let expected = play(None);
    let store = Arc::new(MemoryStore::default());
    let spilling = Spilling::new(Arc::clone(&store) as _, 6);
    assert!(play(Some(&spilling)) == expected, "{:?}", spilling.fault());
}

#[test]
fn where_the_store_can_t_be_written_keys_stay_and_nothing_is_lost() {
    let scene = own();
    let expected = Play::new(&scene, 1, None);
    let store = Arc::new(MemoryStore::default());
    let spilling = Spilling::new(Arc::clone(&store) as _, 10);
    let (mut heap, mut disk) = (expected, Play::new(&scene, 1, Some(&spilling)));
    for step in 0..20 {
        store.refuses_writes.store((5..12).contains(&step), Ordering::Relaxed);
        heap.push(100);
        disk.push(100);
        assert_eq!(spilling.trouble().is_some(), (5..12).contains(&step), "step {step}");
        // Keys came back, and their records couldn't be removed: they don't count.
        assert!(heap.session.cut().payloads().unwrap() == disk.session.cut().payloads().unwrap(), "step {step}");
        assert!(heap.session.engine().save() == disk.session.engine().save(), "step {step}");
    }
    assert!(spilling.figures().failed >= 7 && spilling.fault().is_none());
    assert!(heap.finish() == disk.finish());
}

#[test]
fn where_the_store_can_t_be_read_nothing_wrong_comes_out_and_no_cut_counts() {
    let scene = own();
    let store = Arc::new(MemoryStore::default());
    let spilling = Spilling::new(Arc::clone(&store) as _, 10);
    let mut disk = Play::new(&scene, 2, Some(&spilling));
    disk.push(800);
    assert!(store.len() > 100);
    let before = disk.session.cut();
    assert!(before.payloads().is_ok());
    store.refuses_reads.store(true, Ordering::Relaxed);
    // A cut that can't be read is an error, and the core is as it was.
    assert!(before.payloads().is_err());
    assert_eq!(disk.session.engine().fault(), None);
    disk.lines.clear();
    disk.push(200);
    assert!(disk.session.engine().fault().is_some());
    assert!(disk.lines.bytes.is_empty());
    store.refuses_reads.store(false, Ordering::Relaxed);
    disk.push(200);
    assert!(disk.lines.bytes.is_empty());
    let error = disk.session.cut().payloads().unwrap_err().to_string();
    assert!(error.contains("it was told to fail"), "{error}");
}
