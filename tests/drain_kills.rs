//! A rule is edited under load, and the daemon is killed while the old version still ends what it has begun: no alert of either version is lost, and
//! none is there that an uninterrupted run hasn't. `tests/exactly.rs` has the same where alerts are committed exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test talks to a real process and a real clock, and fails by panicking"
)]

#[path = "crash/edit.rs"]
mod edit;
#[path = "crash/scene.rs"]
mod scene;

use scene::Scene;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

const CONFIG: &str = "
sources:
  pings:
    file: { path: in.ndjson, follow: true, poll: 5 ms }
    disorder: 5 s
    idle_timeout: never
    schema: { time: ts, fields: { vehicle: string, status: string, speed: { type: float, unit: km/h } } }
rules: rules.yaml
reload: { watch: never }
sinks: { alerts: { file: out.ndjson } }
state: { interval: 20 ms }
api: { enabled: false }
";

/// The scene, and how many bytes of it the pings up to each are.
fn scene() -> (Scene, Vec<usize>) {
    let mut scene = Scene::new(&edit::rules(false));
    fs::write(scene.path("geocep.yaml"), CONFIG).unwrap();
    let (mut input, mut ends) = (Vec::new(), vec![0]);
    for (_, line) in edit::pings() {
        input.extend_from_slice(line.as_bytes());
        input.push(b'\n');
        ends.push(input.len());
    }
    scene.input = input;
    (scene, ends)
}

/// The new version takes the place of the old one.
fn reload(scene: &Scene, child: &Child) {
    fs::write(scene.path("rules.yaml"), edit::rules(true)).unwrap();
    assert!(Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status().unwrap().success());
}

/// What both versions find.
fn expected(scene: &Scene) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for is_new in [false, true] {
        fs::write(scene.path("rules.yaml"), edit::rules(is_new)).unwrap();
        let found = scene.expected();
        assert!(found.iter().filter(|line| line.contains("\"Trip\"")).count() > 100);
        expected.extend(found);
    }
    expected
}

#[track_caller]
fn assert_complete(scene: &Scene) {
    let (expected, mut found) = (expected(scene), scene.lines());
    // A piece of a line that a kill left behind.
    found.retain(|line| line.ends_with('}'));
    let lost: Vec<_> = expected.difference(&found).collect();
    let strange: Vec<_> = found.difference(&expected).collect();
    assert!(
        lost.is_empty() && strange.is_empty(),
        "{} lost, {} strange of {}: {:?} {:?}\n{}",
        lost.len(),
        strange.len(),
        expected.len(),
        lost.first(),
        strange.first(),
        scene.log()
    );
}

/// What `geocep state inspect` says of the newest checkpoint.
fn inspect(scene: &Scene) -> String {
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = inspect.args(["state", "inspect"]).arg(scene.checkpoints().last().unwrap()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn killed_while_an_old_version_ends_what_it_has_begun_it_loses_no_alert_of_either() {
    let kills = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let (mut scene, ends) = scene();
    let mut child = scene.start(&[]);
    scene.write(ends[edit::GAP + 20]);
    scene.until("the mark", || scene.lines().iter().any(|line| line.contains("\"Mark\"")));
    reload(&scene, &child);
    // Pings go on coming while the rules are read, but none that would begin a match of the new version.
    for to in (edit::GAP + 20..edit::NEW).step_by(10) {
        if scene.log().contains("rules reloaded") {
            break;
        }
        scene.write(ends[to] - scene.written);
        thread::sleep(Duration::from_millis(5));
    }
    scene.until("the reload", || scene.log().contains("rules reloaded"));
    // One that has both versions follows.
    scene.until("a checkpoint", || inspect(&scene).contains("Trip@1"));
    let share = (scene.input.len() - scene.written) / (kills + 1);
    let mut draining = 0;
    for round in 0..kills {
        child.kill().unwrap();
        child.wait().unwrap();
        draining += usize::from(inspect(&scene).contains("Trip@1"));
        let shards = format!("engine.shards={}", [2, 1, 8, 3][round % 4]);
        child = scene.start(&["--set", &shards]);
        let pieces = 1 + scene.random(20) as usize;
        for _ in 0..pieces {
            scene.write(share / pieces);
            thread::sleep(Duration::from_millis(scene.random(25)));
        }
    }
    assert!(draining > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    scene.finish(&[]);
    assert!(scene.log().contains("going on from a checkpoint"), "{}", scene.log());
    assert_complete(&scene);
}

/// A checkpoint of format version 1 with an old version of a rule in it, as it was written by the version that had it first.
/// `GEOCEP_UPDATE=1` makes the fixture, in a tree without one.
#[test]
fn a_checkpoint_of_format_version_1_with_an_old_version_of_a_rule_can_be_gone_on_from() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state/v1-draining");
    let (mut scene, ends) = scene();
    scene.write(ends[edit::GAP + 300]);
    if std::env::var_os("GEOCEP_UPDATE").is_some() && !fixture.exists() {
        let mut child = scene.start(&["--set", "state.interval=1 d"]);
        scene.until("the mark", || scene.lines().iter().any(|line| line.contains("\"Mark\"")));
        thread::sleep(Duration::from_millis(300));
        reload(&scene, &child);
        scene.until("the reload", || scene.log().contains("rules reloaded"));
        scene.terminate(&mut child);
        fs::create_dir_all(&fixture).unwrap();
        for path in scene.checkpoints() {
            fs::copy(&path, fixture.join(path.file_name().unwrap())).unwrap();
            fs::remove_file(path).unwrap();
        }
        fs::copy(scene.path("out.ndjson"), fixture.join("alerts.ndjson")).unwrap();
        fs::remove_file(scene.path("out.ndjson")).unwrap();
        fs::remove_file(scene.path("log")).unwrap();
    }
    fs::write(scene.path("rules.yaml"), edit::rules(true)).unwrap();
    fs::create_dir_all(scene.path("geocep-state")).unwrap();
    for entry in fs::read_dir(&fixture).unwrap().map(Result::unwrap) {
        let to = if entry.file_name() == "alerts.ndjson" {
            "out.ndjson".into()
        } else {
            Path::new("geocep-state").join(entry.file_name())
        };
        fs::copy(entry.path(), scene.path(to.to_str().unwrap())).unwrap();
    }
    assert!(inspect(&scene).contains("Trip@1"), "{}", inspect(&scene));
    let before = scene.lines().len();
    scene.finish(&[]);
    assert!(scene.log().contains("going on from a checkpoint"), "{}", scene.log());
    assert!(before > 20 && scene.lines().len() > before + 100, "{before}");
    assert_complete(&scene);
}
