//! Exactly once, for real: the daemon reads a topic and writes alerts to another, is killed at random moments under load and started again.
//! Whoever reads what is committed sees what an uninterrupted run sends, each alert once. Needs a broker at `GEOCEP_TEST_KAFKA`, as `.ci/broker
//! start` makes one; without, each test says that it was skipped. `GEOCEP_KILLS=50 cargo test --test exactly killed -- --nocapture` is the long
//! form, `GEOCEP_SEED` plays other moments.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people, to a real process and a real clock, and fails by panicking"
)]

#[path = "crash/edit.rs"]
mod edit;
#[path = "exactly/scene.rs"]
mod scene;

use scene::{RULES, Scene};
use std::{collections::BTreeSet, fs, path::PathBuf, process::Command, thread, time::Duration};

#[test]
fn killed_at_random_moments_under_load_each_alert_is_committed_once() {
    let Some(mut scene) = Scene::new("killed") else { return };
    let kills = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(5);
    scene.exact("exact");
    let share = scene.pings.len() / (kills + 1);
    for round in 0..kills {
        let shards = format!("engine.shards={}", [1, 2, 4, 3][round % 4]);
        let mut child = scene.start("exact", &["--set", &shards]);
        // Most live long enough to commit; some die while they start.
        let pieces = 1 + scene.random(24) as usize;
        let piece = (share / pieces).max(1);
        for _ in 0..pieces {
            scene.send(piece);
            let nap = scene.random(60);
            thread::sleep(Duration::from_millis(nap));
        }
        let nap = scene.random(40);
        thread::sleep(Duration::from_millis(nap));
        scene.kill(&mut child);
    }
    scene.send(usize::MAX / 2);
    let child = scene.start("exact", &[]);
    scene.finish("exact", child);
    scene.assert_exact(&format!("{kills} kills"));
}

/// The newest checkpoint of a run, and its number.
fn newest(scene: &Scene, run: &str) -> Option<(PathBuf, u64)> {
    let entries = fs::read_dir(scene.path(&format!("state-{run}"))).into_iter().flatten().filter_map(Result::ok);
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "ckpt"));
    files.filter_map(|path| number(&path).map(|number| (path, number))).max_by_key(|(_, number)| *number)
}

#[test]
fn with_the_last_checkpoints_corrupt_what_was_committed_since_the_one_before_is_not_sent_again() {
    let Some(mut scene) = Scene::new("corrupt") else { return };
    scene.exact("exact");
    for round in 0..3 {
        let mut child = scene.start("exact", &["--set", "state.retain=1000"]);
        let before = scene.alerts("exact").len();
        let older = newest(&scene, "exact").map_or(0, |(_, number)| number);
        for _ in 0..12 {
            scene.send(scene.pings.len() / 50);
            thread::sleep(Duration::from_millis(30));
        }
        scene.until("alerts", || scene.alerts("exact").len() > before + 300);
        scene.kill(&mut child);
        // A byte in the middle, in the last one, in a few, and in all of this run: however many of the last ones had nothing
        // new, alerts were committed since what is left then. What refers to these is lost with them.
        for corrupt in 0.. {
            let (path, number) = newest(&scene, "exact").unwrap();
            if number <= older.max(1) || round < 2 && corrupt == [1, 5][round] {
                break;
            }
            let mut bytes = fs::read(&path).unwrap();
            let at = bytes.len() / 3;
            bytes[at] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            // Out of the way, so that the next is found; numbers go on after the highest.
            fs::rename(&path, scene.path(&format!("corrupt-{round}-{number}"))).unwrap();
        }
        let (path, number) = newest(&scene, "exact").unwrap();
        let (from, to) = (scene.path("state-exact"), number + 1);
        // One stays, and is found corrupt.
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 3;
        bytes[at] ^= 0x40;
        fs::write(from.join(format!("{to:012}.ckpt")), bytes).unwrap();
    }
    scene.send(usize::MAX / 2);
    let child = scene.start("exact", &[]);
    scene.finish("exact", child);
    let log = scene.log();
    assert!(log.contains("searching the topic") && log.contains("a checkpoint can't be used"), "{log}");
    scene.assert_exact("corrupt checkpoints");
}

#[test]
fn a_second_daemon_with_the_same_id_stops_the_first_which_says_why() {
    let Some(mut scene) = Scene::new("fenced") else { return };
    scene.exact("exact");
    scene.send(600);
    let mut first = scene.start("exact", &[]);
    scene.until("alerts", || scene.alerts("exact").len() > 50);
    // Another state, another group: only the transactional id is the same.
    scene.exact("other");
    let second = scene.start("other", &[]);
    scene.until("the second", || scene.log().matches("was compared with what was committed").count() == 2);
    scene.send(600);
    assert_eq!(scene.wait(&mut first), 1);
    let log = scene.log();
    let text = format!("the transactional id `geocep-{}-exact` of the topic", scene.name);
    assert!(log.contains(&text) && log.contains(&format!("is in use by process {}", second.id())), "{log}");
    scene.finish("other", second);
}

#[test]
fn what_cannot_be_had_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = "{ kafka: { brokers: 'b:1', topic: t, delivery: exactly_once } }";
    let base = "sources: { pings: { kafka: { brokers: 'b:1', topic: in } } }\nrules: rules.yaml\n";
    fs::write(dir.path().join("rules.yaml"), RULES).unwrap();
    for (sinks, more, why) in [
        (
            kafka,
            "state: { enabled: false }",
            "`sinks.alerts.0.kafka.delivery` is `exactly_once`, expected `at_least_once` with `state.enabled: false`",
        ),
        ("{ file: { path: a, delivery: exactly_once } }", "", "a file has no transactions"),
        ("{ stdout: { delivery: exactly_once } }", "", "stdout has no transactions"),
        (
            &format!("{kafka}, {kafka}"),
            "",
            "`sinks.alerts.1.kafka.transactional_id` is `geocep-t`, expected another one",
        ),
        (
            "{ kafka: { brokers: 'b:1', topic: t, transactional_id: x } }",
            "",
            "expected none without `delivery: exactly_once`",
        ),
        (
            "{ kafka: { brokers: 'b:1', topic: t, delivery: twice } }",
            "",
            "expected one of `at_least_once`, `exactly_once`",
        ),
    ] {
        fs::write(dir.path().join("geocep.yaml"), format!("{base}sinks: {{ alerts: [{sinks}] }}\n{more}\n")).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_geocep"));
        let output = check.current_dir(dir.path()).args(["run"]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(why), "{sinks}: {text}");
    }
}

#[test]
fn stopped_for_longer_than_a_transaction_may_take_it_goes_on_and_doubles_nothing() {
    let Some(mut scene) = Scene::new("paused") else { return };
    scene.options[1] = "transaction.timeout.ms: 1000, message.timeout.ms: 1000".to_owned();
    scene.exact("exact");
    let child = scene.start("exact", &[]);
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    for _ in 0..6 {
        for _ in 0..4 {
            scene.send(scene.pings.len() / 30);
            let nap = scene.random(50);
            thread::sleep(Duration::from_millis(nap));
        }
        signal("STOP");
        thread::sleep(Duration::from_millis(2_500));
        signal("CONT");
    }
    scene.send(usize::MAX / 2);
    scene.finish("exact", child);
    scene.assert_exact("6 pauses");
}

#[test]
fn killed_while_an_old_version_of_a_rule_ends_what_it_has_begun_each_alert_of_both_is_committed_once() {
    let Some(mut scene) = Scene::new("edited") else { return };
    let kills = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4);
    scene.pings = edit::pings();
    let write = |scene: &Scene, is_new: bool| fs::write(scene.path("rules.yaml"), edit::rules(is_new)).unwrap();
    write(&scene, false);
    scene.exact("exact");
    let mut child = scene.start("exact", &["--set", "reload.watch=never"]);
    // With some behind it, so that it has left the reorder buffer.
    scene.send(edit::GAP + 100);
    scene.until("the mark", || scene.lines("default").iter().any(|line| line.contains("\"Mark\"")));
    write(&scene, true);
    assert!(Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status().unwrap().success());
    for _ in 0..10 {
        // It goes on coming while the rules are read.
        scene.send(10);
    }
    scene.until("the reload", || scene.log().contains("rules reloaded"));
    // The second that is begun from here on has both versions.
    let before = newest(&scene, "exact").map_or(0, |(_, number)| number);
    scene.until("two checkpoints", || newest(&scene, "exact").is_some_and(|(_, number)| number > before + 1));
    let share = (edit::COUNT - edit::GAP - 200) / (kills + 1);
    for round in 0..kills {
        scene.kill(&mut child);
        let shards = format!("engine.shards={}", [2, 1, 4, 3][round % 4]);
        child = scene.start("exact", &["--set", &shards]);
        let pieces = 1 + scene.random(24) as usize;
        for _ in 0..pieces {
            scene.send((share / pieces).max(1));
            let nap = scene.random(60);
            thread::sleep(Duration::from_millis(nap));
        }
    }
    scene.kill(&mut child);
    scene.send(usize::MAX / 2);
    let child = scene.start("exact", &[]);
    scene.finish("exact", child);
    for (run, is_new) in [("before", false), ("after", true)] {
        write(&scene, is_new);
        scene.by_plain(run);
        let child = scene.start(run, &[]);
        scene.finish(run, child);
    }
    let expected: BTreeSet<String> = scene.alerts("plain").into_keys().collect();
    scene.assert_these(&expected, &format!("{kills} kills after an edit"), "");
}
