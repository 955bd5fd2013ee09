//! Checkpoint files: what is written is read, also what only an earlier file has; old files go when nothing needs them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Mode, Scene, count_of, ping, rule_file};
use geocep::{
    engine::{
        AtEnd, Change, Fate,
        checkpoint::{Epoch, Head, Names, Place, Position, SinkEpochs, Undelivered},
    },
    io::state::{CheckpointWriter, Contents, StateDir, checkpoints, read},
    runtime::session::{Letters, Lines, Session},
    wire::Chunk,
};
use std::path::Path;

fn scene() -> Scene {
    let rules = rule_file(&[
        ("stream", "slow", "FROM pings\nWHERE speed < 60 km/h\nPARTITION BY id\nMEASURES speed"),
        (
            "alert",
            "Falls",
            "FROM slow\nPARTITION BY id\nPATTERN a -> b{2,} -> c\nWITHIN 10 min\nDEFINE a AS TRUE, b AS speed < a.speed, c AS speed > a.speed\nMEASURES count(b) AS n",
        ),
        (
            "alert",
            "Minute",
            "FROM pings\nPARTITION BY id\nWINDOW TUMBLING 1 min JITTER 100%\nMEASURES count(*) AS n, median(speed) AS mid",
        ),
    ]);
    let record = |at: i64| ping(at * 250, &format!("v{}", at * at % 97), 10.0, 50.0, (at * 31 % 90) as f64);
    Scene::pings(&rules, vec![(0..2_000).map(record).collect()])
}

struct Play {
    session: Session,
    lanes: Vec<geocep::runtime::session::LaneIx>,
    lines: Lines,
}

impl Play {
    fn push(&mut self, scene: &Scene, records: std::ops::Range<usize>) {
        let mut chunk = Chunk::new();
        for at in records {
            chunk.push(0, at as u64, &scene.lanes[0].records[at], 1 << 20);
        }
        self.session.push(self.lanes[0], &chunk, &mut Letters::default());
        self.session.advance(&mut self.lines);
    }
}

fn head() -> Head {
    Head { wall_ms: 0, version: "test".to_owned(), seed: 0, key_groups: 64, hash_version: 1 }
}

#[test]
fn a_run_goes_on_from_files_that_hold_only_what_has_changed_and_old_ones_go() {
    let scene = scene();
    let mode = Mode::default();
    let expected = scene.play(&mode);
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    assert!(StateDir::open(dir.path()).is_err(), "it is taken");
    let (session, lanes) = scene.session(&mode, 2);
    let mut play = Play { session, lanes, lines: Lines::default() };
    let mut writer = CheckpointWriter::new(state.path(), 2).unwrap();
    let (mut kept, mut most) = (0, 0);
    for step in 0..200usize {
        play.push(&scene, step * 10..step * 10 + 10);
        if step % 12 == 5 {
            // Rules that mean the same take the place of those that run: tables move, and what was written of them stays right.
            let replaced = play.session.replace(&scene.project, &mut play.lines).unwrap();
            assert_eq!(replaced.count(Change::Kept), 3);
        }
        if step % 4 != 3 {
            continue;
        }
        let names = play.session.names().encode();
        let position = Some(Position::Offset(step as u64 * 10 + 10));
        let places = [Place { source: "pings".to_owned(), partition: 0, position, ended: false, open: Vec::new() }];
        let undelivered = [Undelivered { sink: "out".to_owned(), lines: vec![("Rule".to_owned(), b"{}".to_vec())] }];
        // Only some have sinks that are written exactly once.
        let waiting = vec![Epoch { number: step as u64, lines: vec![("Rule".to_owned(), b"{}".to_vec())] }];
        let sink = SinkEpochs { sink: "t".to_owned(), number: step as u64, waiting, ..SinkEpochs::default() };
        let epochs = if step % 8 == 3 { vec![sink] } else { Vec::new() };
        let cut = play.session.cut();
        let contents =
            Contents { head: &head(), names: &names, places: &places, undelivered: &undelivered, epochs: &epochs };
        let written = writer.write(&contents, cut, &[]).unwrap();
        kept += written.blocks.1;
        most = most.max(checkpoints(state.path()).unwrap().len());
        if step % 28 == 27 {
            // Another process goes on, with another number of shards.
            let saved = state.newest().unwrap().0.unwrap();
            assert_eq!(
                (saved.number, &saved.places[..], &saved.undelivered[..]),
                (written.number, &places[..], &undelivered[..])
            );
            assert_eq!(saved.epochs, epochs);
            let mut session = scene.blank(&mode, 1 + (step as u32) % 5);
            session.resume(&saved.blocks, &[("pings".to_owned(), 0)], &saved.names).unwrap();
            let lanes = scene.add_lanes(&mut session);
            play = Play { session, lanes, lines: play.lines };
            writer = CheckpointWriter::new(state.path(), 2).unwrap();
        }
        for number in checkpoints(state.path()).unwrap().into_iter().take(2) {
            read(state.path(), number).unwrap();
        }
    }
    assert!(kept > 100, "{kept} blocks were not written again");
    assert!((3..=20).contains(&most), "{most} files");
    play.session.finish(AtEnd::Drain, &mut play.lines);
    let mut found: Vec<&str> = std::str::from_utf8(&play.lines.bytes).unwrap().lines().collect();
    let mut expected: Vec<&str> = expected.lines().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert!(expected.len() > 500 && found == expected, "{} and {}", found.len(), expected.len());
    state.clear().unwrap();
    assert!(!dir.path().exists());
}

#[test]
fn the_newest_is_the_one_with_the_highest_number_whatever_the_clock_said() {
    let scene = scene();
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let (mut session, _) = scene.session(&Mode::default(), 1);
    let mut writer = CheckpointWriter::new(state.path(), 3).unwrap();
    for wall_ms in [5_000, 4_000, -1] {
        let (names, cut) = (session.names().encode(), session.cut());
        let head = Head { wall_ms, ..head() };
        let contents = Contents { head: &head, names: &names, places: &[], undelivered: &[], epochs: &[] };
        writer.write(&contents, cut, &[]).unwrap();
    }
    assert_eq!(state.newest().unwrap().0.unwrap().head.wall_ms, -1);
}

#[test]
fn a_file_of_format_version_1_reads_block_by_block() {
    let saved = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state/v1"), 1).unwrap();
    let Head { seed, key_groups, hash_version, .. } = saved.head;
    assert_eq!((seed, key_groups, hash_version), (0, 1_024, 1));
    let rules: Vec<&str> = saved.names.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(rules, ["Minutes", "slow", "Stops", "Braked", "Silent"]);
    assert_eq!(saved.names.streams.iter().filter(|stream| stream.is_source).count(), 1);
    assert!(matches!(&saved.places[..], [Place { position: Some(Position::File { line: 149.., .. }), .. }]));
    assert_eq!(Names::decode(&saved.names.encode()), Ok(saved.names.clone()));
    assert_eq!(geocep::engine::saved_keys(&saved.blocks, 4), Ok(7));
}

#[test]
fn what_a_restart_makes_of_other_rules_is_told_rule_by_rule() {
    let rules = |speed: u32, off: bool| {
        let text = rule_file(&[
            ("alert", "Own", "FROM pings\nPARTITION BY id\nPATTERN x{3}\nWITHIN 1 h"),
            ("stream", "fast", &format!("FROM pings\nWHERE speed > {speed} km/h\nPARTITION BY id\nMEASURES speed")),
            ("alert", "Three", "FROM fast\nPARTITION BY id\nPATTERN x{3}\nWITHIN 1 h"),
            ("alert", "Last", "FROM pings\nPARTITION BY id\nPATTERN x{3}\nWITHIN 1 h"),
        ]);
        if off { format!("{text}        mode: off\n") } else { text }
    };
    let records: Vec<String> = (0..12).map(|n| ping(n * 1_000, &format!("v{}", n % 4), 1.0, 2.0, 60.0)).collect();
    let scene = |speed, off| Scene::pings(&rules(speed, off), vec![records.clone()]);
    let mode = Mode::default();
    let (session, lanes) = scene(10, false).session(&mode, 2);
    let mut play = Play { session, lanes, lines: Lines::default() };
    play.push(&scene(10, false), 0..8);
    let (cut, names, partitions) = (play.session.cut(), play.session.names(), play.session.partitions().to_vec());
    let fates = |scene: &Scene| {
        let mut session = scene.blank(&mode, 3);
        let fates = session.resume(&cut.payloads().unwrap(), &partitions, &names).unwrap();
        let lanes = scene.add_lanes(&mut session);
        let mut play = Play { session, lanes, lines: Lines::default() };
        play.push(scene, 8..12);
        play.session.finish(AtEnd::Drain, &mut play.lines);
        let text = String::from_utf8(play.lines.bytes).unwrap();
        let fates: Vec<Fate> = fates.into_iter().map(|(_, fate)| fate).collect();
        (fates, ["Own", "Three", "Last"].map(|rule| count_of(&text, rule)))
    };
    let kept = Fate::Kept(4);
    let (same, counts) = fates(&scene(10, false));
    assert_eq!(same, [kept.clone(), Fate::Kept(0), kept.clone(), kept.clone()]);
    assert_eq!(counts, [4, 4, 4]);
    // Who reads an edited rule begins anew with it; a rule that is off leaves its state.
    let (other, counts) = fates(&scene(20, true));
    assert_eq!(other, [kept, Fate::Edited(0), Fate::Edited(4), Fate::Off(4)]);
    assert_eq!(counts, [4, 0, 0]);
}

#[test]
fn what_a_rule_has_counted_goes_on() {
    let rules = rule_file(&[
        ("alert", "Plain", "FROM pings\nPARTITION BY id"),
        (
            "alert",
            "Skips",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b? -> c\nWITHIN 1 min\nDEFINE b AS speed > 90 km/h, c AS speed > 30 km/h\nAFTER MATCH SKIP TO FIRST b OR FAIL",
        ),
    ]);
    let scene = Scene::pings(
        &rules,
        vec![(0..60).map(|n| ping(n * 1_000, &format!("v{}", n % 20), 1.0, 2.0, n as f64)).collect()],
    );
    let (session, lanes) = scene.session(&Mode::default(), 1);
    let mut play = Play { session, lanes, lines: Lines::default() };
    play.push(&scene, 0..60);
    let counts = |session: &Session| {
        [0, 1].map(|rule| {
            let stats = session.engine().rule_stats(rule);
            (stats.outputs, stats.skip_misses)
        })
    };
    let before = counts(&play.session);
    assert!(before[0] == (60, 0) && before[1].1 > 5, "{before:?}");
    // Under other numbers, too.
    let other =
        rule_file(&[("alert", "Before", "FROM pings\nPARTITION BY id")]) + rules.strip_prefix(&rule_file(&[])).unwrap();
    let scene = Scene::pings(&other, vec![Vec::new()]);
    let mut session = scene.blank(&Mode::default(), 3);
    let (cut, names) = (play.session.cut(), play.session.names());
    session.resume(&cut.payloads().unwrap(), &[("pings".to_owned(), 0)], &names).unwrap();
    let stats = session.engine().rule_stats(2);
    assert_eq!((stats.outputs, stats.skip_misses), before[1]);
}
