//! The daemon is killed at random moments and started again: no alert is lost, and none is there that an uninterrupted run hasn't.
//! `GEOCEP_KILLS=50 cargo test --test crash` is the long form, `GEOCEP_SEED` plays other moments.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test talks to a real process and a real clock, and fails by panicking"
)]

#[path = "crash/scene.rs"]
mod scene;

use scene::Scene;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// Rules with state of every kind: matches that are long open, windows, derived streams, fences that an entity is in, previous events.
const RULES: &str = "
groups:
  - name: crash
    rules:
      - alert: Minutes
        expr: |
          FROM pings
          PARTITION BY vehicle
          WINDOW TUMBLING 5 min
          MEASURES count(*) AS n, avg(speed) AS mean
      - stream: slow
        expr: |
          FROM pings
          WHERE speed < 20 km/h
          PARTITION BY vehicle
          MEASURES speed
      - alert: Stops
        expr: |
          FROM slow
          PARTITION BY vehicle
          PATTERN a -> b{3,} -> c
          WITHIN 30 min
          DEFINE c AS speed > first(b.speed)
          MEASURES count(b) AS n, avg(b.speed) AS mean
      - alert: Braked
        expr: |
          FROM pings
          WHERE speed < prev(speed) - 40 km/h
          PARTITION BY vehicle
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN last -> !next FOR 90 s
          WITHIN UNBOUNDED
      - alert: Passage
        expr: |
          FROM pings THROUGH zones
          PARTITION BY vehicle, fence
          PATTERN a -> b
          WITHIN 1 h
          DEFINE a AS passage = 'entered', b AS passage = 'exited'
          MEASURES b.dwell AS stayed
";

#[test]
fn killed_at_random_moments_under_load_it_loses_no_alert() {
    kill_at_random_moments(&[]);
}

#[test]
fn killed_at_random_moments_with_most_keys_on_disk_it_loses_no_alert() {
    let scene = kill_at_random_moments(&["--set", "state.backend=disk", "--set", "state.resident_keys=5"]);
    assert!(!scene.path("geocep-state/spill").exists(), "what is in the store goes with the run");
}

fn kill_at_random_moments(settings: &[&str]) -> Scene {
    let kills = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let mut scene = Scene::new(RULES);
    let share = scene.input.len() / (kills + 1);
    for round in 0..kills {
        // With another number of shards each time.
        let shards = format!("engine.shards={}", [1, 2, 8, 3][round % 4]);
        let mut child = scene.start(&[&["--set", &shards], settings].concat());
        let target = share * (round + 1);
        // Under load until it is killed: some die while they start, some after many checkpoints.
        let pieces = 1 + scene.random(20) as usize;
        let piece = (target.saturating_sub(scene.written) / pieces).max(1);
        for _ in 0..pieces {
            scene.write(piece);
            thread::sleep(Duration::from_millis(scene.random(25)));
        }
        if round == kills / 2 {
            // Also where the machine is so busy that most die before they have done anything.
            scene.until("a checkpoint", || !scene.checkpoints().is_empty());
        }
        if round == kills / 2 + 1 {
            scene.until("that it goes on", || scene.log().contains("going on from a checkpoint"));
        }
        if round % 5 == 4 {
            // It may not even have begun to listen to signals.
            scene.signal(&child);
            scene.wait(&mut child);
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    scene.finish(settings);
    let log = scene.log();
    assert!(log.contains("going on from a checkpoint"), "{log}");
    scene.assert_complete();
    assert!(scene.checkpoints().is_empty(), "a run that came to its end leaves nothing behind");
    scene
}

#[test]
fn a_corrupt_checkpoint_is_passed_over_and_the_one_before_loses_nothing() {
    let mut scene = Scene::new(RULES);
    let mut child = scene.start(&[]);
    scene.write(scene.input.len() / 3);
    scene.until("alerts", || scene.lines().len() > 50);
    let count = scene.checkpoints().len();
    scene.until("two more checkpoints", || {
        scene.checkpoints().last().is_some_and(|path| path.to_str().unwrap().contains(&format!("{:012}", count + 3)))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let files = scene.checkpoints();
    assert!((2..=20).contains(&files.len()), "{files:?}");
    // A byte in the middle of a block.
    let newest = files.last().unwrap();
    let mut bytes = fs::read(newest).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 0x40;
    fs::write(newest, bytes).unwrap();
    scene.write(scene.input.len() / 3);
    let mut child = scene.start(&[]);
    scene.until("what it says", || scene.log().contains("it is corrupt"));
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = inspect.args(["state", "inspect"]).arg(newest).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("it is corrupt"), "{text}");
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = inspect.args(["state", "inspect"]).arg(&files[files.len() - 2]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(0) && text.contains("rule       Minutes"), "{text}");
    let log = scene.log();
    assert!(log.contains(newest.file_name().unwrap().to_str().unwrap()) && log.contains("the block"), "{log}");
    scene.terminate(&mut child);
    scene.finish(&[]);
    scene.assert_complete();
}

#[test]
fn a_checkpoint_of_two_shards_goes_on_with_eight() {
    let mut scene = Scene::new(RULES);
    let mut child = scene.start(&["--set", "engine.shards=2"]);
    scene.write(scene.input.len() / 2);
    scene.until("alerts", || scene.lines().len() > 200);
    scene.terminate(&mut child);
    scene.finish(&["--set", "engine.shards=8"]);
    scene.assert_complete();
    let text = fs::read_to_string(scene.path("out.ndjson")).unwrap();
    assert_eq!(text.lines().count(), scene.lines().len(), "after a stop that was asked for nothing comes twice");
}

#[test]
fn another_seed_is_refused_and_an_edited_rule_begins_anew_while_the_others_go_on() {
    let mut scene = Scene::new(RULES);
    let mut child = scene.start(&[]);
    scene.write(scene.input.len() / 2);
    scene.until("alerts", || scene.lines().len() > 200);
    // The directory is taken.
    let mut second = scene.start(&[]);
    assert_eq!(scene.wait(&mut second), 2);
    assert!(scene.log().contains("another geocep uses"), "{}", scene.log());
    scene.terminate(&mut child);
    let mut other = scene.start(&["--set", "engine.seed=7"]);
    assert_eq!(scene.wait(&mut other), 2);
    assert!(scene.log().contains("engine.seed: 0"), "{}", scene.log());
    // Before the others by name, so that every number is another; and one that is edited.
    let rules = RULES.replace(
        "      - alert: Minutes",
        "      - alert: Aaa
        expr: |
          FROM pings
          WHERE status = 'none'
          PARTITION BY status
      - alert: Minutes",
    );
    fs::write(scene.path("rules.yaml"), rules.replace("FOR 90 s", "FOR 91 s")).unwrap();
    scene.finish(&[]);
    let log = scene.log();
    assert!(log.contains("or that of a rule that it reads, is another") && log.contains("Silent"), "{log}");
    let of = |lines: BTreeSet<String>| {
        lines.into_iter().filter(|line| !line.contains("\"Silent\"")).collect::<BTreeSet<String>>()
    };
    let (expected, found) = (of(scene.expected()), of(scene.lines()));
    assert_eq!(expected.difference(&found).count(), 0, "{:?}", expected.difference(&found).next());
    assert_eq!(found.difference(&expected).count(), 0, "{:?}", found.difference(&expected).next());
}

#[test]
fn after_a_reload_checkpoints_are_of_the_rules_that_run_and_a_restart_goes_on() {
    let mut scene = Scene::new(RULES);
    let quiet = ["--set", "reload.watch=never", "--set", "engine.shards=2"];
    // Before the others by name, with a field of its own, so that numbers and slots are others; one that is edited, one that goes.
    let more = RULES
        .replace(
            "      - alert: Minutes",
            "      - alert: Aaa
        expr: |
          FROM pings
          WHERE status = 'none'
          PARTITION BY status
      - alert: Minutes",
        )
        .replace("FOR 90 s", "FOR 91 s");
    let braked = more.find("      - alert: Braked").unwrap()..more.find("      - alert: Silent").unwrap();
    let less = format!("{}{}", &more[..braked.start], &more[braked.end..]);
    let share = scene.input.len() / 4;
    for (round, rules) in [&more, &less, RULES].into_iter().enumerate() {
        let mut child = scene.start(&quiet);
        let (lines, reloads) = (scene.lines().len(), scene.log().matches("rules reloaded").count());
        scene.write(share / 2);
        scene.until("alerts", || scene.lines().len() > lines + 20);
        fs::write(scene.path("rules.yaml"), rules).unwrap();
        assert!(Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status().unwrap().success());
        scene.until("the reload", || scene.log().matches("rules reloaded").count() > reloads);
        let lines = scene.lines().len();
        scene.write(share / 2);
        scene.until("more alerts", || scene.lines().len() > lines + 20);
        // The first that turns up may have been cut before the reload, and have been on its way to the disk since.
        for _ in 0..2 {
            let last = scene.checkpoints().last().cloned();
            scene.until("a checkpoint", || scene.checkpoints().last().cloned() > last);
        }
        // Some are killed when more checkpoints refer to blocks of that one, some at once.
        thread::sleep(Duration::from_millis(150 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    scene.finish(&[]);
    let log = scene.log();
    assert_eq!(log.matches("going on from a checkpoint").count(), 3, "{log}");
    assert!(!log.contains("it begins without the state"), "{log}");
    let of = |lines: BTreeSet<String>| {
        let changes =
            |line: &String| ["Aaa", "Silent", "Braked"].iter().any(|rule| line.contains(&format!("\"{rule}\"")));
        lines.into_iter().filter(|line| line.ends_with('}') && !changes(line)).collect::<BTreeSet<String>>()
    };
    let (expected, found) = (of(scene.expected()), of(scene.lines()));
    assert!(expected.len() > 300, "{}", expected.len());
    assert_eq!(expected.difference(&found).count(), 0, "{:?}\n{log}", expected.difference(&found).next());
    assert_eq!(found.difference(&expected).count(), 0, "{:?}\n{log}", found.difference(&expected).next());
}

#[test]
fn where_no_checkpoint_can_be_written_the_run_goes_on_and_the_one_before_stays_good() {
    let mut scene = Scene::new(RULES);
    let mut child = scene.start(&[]);
    scene.write(scene.input.len() / 4);
    scene.until("a checkpoint with alerts", || scene.lines().len() > 50 && scene.checkpoints().len() > 1);
    let state = scene.path("geocep-state");
    // A directory in the way of each name that it will try: what a full disk says is another error, of the same kind.
    let next = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let last = scene.checkpoints().last().map(next).unwrap();
    for number in last..last + 500 {
        let _ = fs::create_dir(state.join(format!("{number:012}.tmp")));
    }
    scene.until("what it says", || scene.log().contains("no checkpoint could be written"));
    let before = scene.lines().len();
    scene.write(scene.input.len() / 4);
    scene.until("more alerts", || scene.lines().len() > before + 50);
    child.kill().unwrap();
    child.wait().unwrap();
    for entry in fs::read_dir(&state).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        fs::remove_dir(entry.path()).unwrap();
    }
    scene.finish(&[]);
    scene.assert_complete();
}

#[test]
fn an_alert_of_the_wall_clock_is_in_a_checkpoint_before_it_leaves() {
    let rules = "
groups:
  - name: g
    rules:
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN last -> !next FOR 700 ms
          WITHIN UNBOUNDED
";
    let mut scene = Scene::new(rules);
    let quiet =
        ["--set", "sources.pings.idle_timeout=100ms", "--set", "state.interval=1 d", "--set", "rules=rules.yaml"];
    let ping = |ts: i64, vehicle: &str| {
        format!("{{\"ts\":{ts},\"vehicle\":\"{vehicle}\",\"lon\":10.0,\"lat\":50.0,\"speed\":1,\"status\":\"x\"}}\n")
    };
    scene.input = ping(1_000_000, "a").into_bytes();
    scene.write(usize::MAX / 2);
    let mut child = scene.start(&quiet);
    scene.until("the alert", || !scene.lines().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    // There is a checkpoint, though none was due, and it knows that the alert was: what would have kept it from firing comes too late.
    assert_eq!(scene.checkpoints().len(), 1);
    scene.input.extend(ping(1_000_100, "a").into_bytes());
    scene.written = scene.input.len() - ping(1_000_100, "a").len();
    scene.write(usize::MAX / 2);
    let mut child = scene.start(&quiet);
    scene.until("its end", || scene.log().contains("late by"));
    scene.terminate(&mut child);
    assert_eq!(scene.lines().len(), 1, "{:?}", scene.lines());
}

/// A checkpoint of format version 1, as it was written by the version that had it first: it can be read forever after.
/// `GEOCEP_UPDATE=1` makes the fixture, in a tree without one.
#[test]
fn a_checkpoint_of_format_version_1_can_be_gone_on_from() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state/v1");
    let rules = RULES.split("      - alert: Passage").next().unwrap().to_owned();
    let mut scene = Scene::new(&rules);
    let config = "
sources:
  pings:
    file: { path: in.ndjson, follow: true, poll: 5 ms }
    disorder: 5 s
    idle_timeout: never
    schema: { time: ts, position: none, fields: { vehicle: string, speed: { type: float, unit: km/h } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson } }
api: { enabled: false }
";
    fs::write(scene.path("geocep.yaml"), config).unwrap();
    let mut input = String::new();
    for at in 0..300i64 {
        let (ts, vehicle, speed) = (1_000_000 + at * 7_000 - (at % 3) * 2_000, at % 7, (at * 37) % 60);
        input.push_str(&format!("{{\"ts\":{ts},\"vehicle\":\"v{vehicle}\",\"speed\":{speed}}}\n"));
    }
    scene.input = input.into_bytes();
    let half = scene.input.len() / 2 + 10;
    scene.write(half);
    if std::env::var_os("GEOCEP_UPDATE").is_some() && !fixture.exists() {
        let mut child = scene.start(&[]);
        scene.until("alerts", || scene.lines().len() > 20);
        thread::sleep(Duration::from_millis(300));
        scene.terminate(&mut child);
        fs::create_dir_all(&fixture).unwrap();
        fs::copy(scene.checkpoints().last().unwrap(), fixture.join("000000000001.ckpt")).unwrap();
        fs::copy(scene.path("out.ndjson"), fixture.join("alerts.ndjson")).unwrap();
        fs::remove_file(scene.path("out.ndjson")).unwrap();
    }
    fs::create_dir_all(scene.path("geocep-state")).unwrap();
    fs::copy(fixture.join("000000000001.ckpt"), scene.path("geocep-state/000000000001.ckpt")).unwrap();
    fs::copy(fixture.join("alerts.ndjson"), scene.path("out.ndjson")).unwrap();
    scene.finish(&[]);
    assert!(scene.log().contains("going on from a checkpoint number=1"), "{}", scene.log());
    let (expected, found) = (scene.expected(), scene.lines());
    assert!(expected.len() > 40);
    assert_eq!(expected, found);
}
