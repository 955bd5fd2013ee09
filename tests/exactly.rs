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

use geocep::io::sink::{KafkaSink, Lines, Sink, alert_id};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::Headers,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

const RULES: &str = "
groups:
  - name: exactly
    rules:
      - alert: Minutes
        expr: |
          FROM pings
          PARTITION BY vehicle
          WINDOW TUMBLING 1 min
          MEASURES count(*) AS n, avg(speed) AS mean
      - alert: Stops
        expr: |
          FROM pings
          WHERE speed < 20 km/h
          PARTITION BY vehicle
          PATTERN a -> b{3,} -> c
          WITHIN 30 min
          DEFINE c AS speed > first(b.speed)
          MEASURES count(b) AS n
      - alert: Braked
        expr: |
          FROM pings
          WHERE speed < prev(speed) - 20 km/h
          PARTITION BY vehicle
";

struct Scene {
    dir: tempfile::TempDir,
    brokers: String,
    name: String,
    pings: Vec<(String, String)>,
    sent: usize,
    sink: KafkaSink,
    random: u64,
}

fn make_topic(brokers: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

impl Scene {
    /// None without a broker.
    fn new(test: &str) -> Option<Self> {
        let Ok(brokers) = std::env::var("GEOCEP_TEST_KAFKA") else {
            eprintln!("skipped: GEOCEP_TEST_KAFKA is not set, so there is no broker");
            return None;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let name = format!("{test}-{now}");
        make_topic(&brokers, &name, PARTITIONS);
        for kind in ["exact", "default", "plain"] {
            make_topic(&brokers, &format!("{name}-{kind}"), 2);
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.yaml"), RULES).unwrap();
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/city/pings.ndjson")).unwrap();
        let vehicle = |line: &str| line.split("\"vehicle\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let pings = text.lines().map(|line| (vehicle(line), line.to_owned())).collect();
        let sink = KafkaSink::connect(&brokers, &name, &BTreeMap::new()).unwrap();
        let random = std::env::var("GEOCEP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        Some(Self { dir, brokers, name, pings, sent: 0, sink, random })
    }

    /// Configuration of a run under a name, with these sinks.
    fn configure(&self, run: &str, sinks: &str) {
        let Self { brokers, name, .. } = self;
        let config = format!(
            "
sources:
  pings:
    kafka:
      brokers: '{brokers}'
      topic: '{name}'
      group: '{name}-{run}'
      options: {{ group.instance.id: one, auto.commit.interval.ms: 100, session.timeout.ms: 6000 }}
    disorder: 5 s
    idle_timeout: never
    schema: {{ time: ts, fields: {{ vehicle: string, status: string, speed: {{ type: float, unit: km/h }} }} }}
rules: rules.yaml
sinks: {{ alerts: [{sinks}] }}
state: {{ dir: 'state-{run}', interval: 20 ms }}
api: {{ enabled: false }}
"
        );
        fs::write(self.path(&format!("{run}.yaml")), config).unwrap();
    }

    fn exact(&self, run: &str) {
        let Self { brokers, name, .. } = self;
        self.configure(
            run,
            &format!(
                "{{ kafka: {{ brokers: '{brokers}', topic: '{name}-exact', delivery: exactly_once }} }}, \
                 {{ kafka: {{ brokers: '{brokers}', topic: '{name}-default' }} }}"
            ),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    fn start(&self, run: &str, more: &[&str]) -> Child {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_geocep"));
        command.current_dir(self.dir.path()).args(["run", "-c", &format!("{run}.yaml")]).args(more);
        command.env("GEOCEP_LOG", "info,geocep::runtime::daemon=debug");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    #[track_caller]
    fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait(&self, child: &mut Child) -> i32 {
        let mut code = None;
        self.until("its end", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }

    fn terminate(&self, child: &mut Child) {
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
        assert_eq!(self.wait(child), 0, "{}", self.log());
    }

    fn kill(&self, child: &mut Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// So many more pings.
    fn send(&mut self, count: usize) {
        let end = (self.sent + count).min(self.pings.len());
        let mut lines = Lines::new();
        for (vehicle, ping) in &self.pings[self.sent..end] {
            lines.push_with(vehicle, |out| out.extend_from_slice(ping.as_bytes()));
        }
        self.sink.write(&lines).unwrap();
        self.sink.flush().unwrap();
        self.sent = end;
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        config.create().unwrap()
    }

    /// Waits until checkpoints of a run have all that was sent, and stops it.
    fn finish(&self, run: &str, mut child: Child) {
        let reader = self.consumer(&format!("{}-{run}", self.name));
        self.until("all of the input in a checkpoint", || {
            assert!(child.try_wait().unwrap().is_none(), "it has ended\n{}", self.log());
            let mut places = TopicPartitionList::new();
            places.add_partition_range(&self.name, 0, PARTITIONS - 1);
            let Ok(found) = reader.committed_offsets(places, Duration::from_secs(5)) else { return false };
            let read: i64 =
                found.elements().iter().filter_map(|element| element.offset().to_raw()).filter(|at| *at > 0).sum();
            read == i64::try_from(self.sent).unwrap()
        });
        self.terminate(&mut child);
    }

    /// How often each alert is among what is committed, and how many messages there are.
    fn alerts(&self, kind: &str) -> BTreeMap<String, u32> {
        let topic = format!("{}-{kind}", self.name);
        let reader = self.consumer("reader");
        let mut places = TopicPartitionList::new();
        let mut open = BTreeSet::new();
        for partition in 0..2 {
            places.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
            open.insert(partition);
        }
        reader.assign(&places).unwrap();
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        while !open.is_empty() {
            match reader.poll(Duration::from_secs(20)).expect("the topic ends") {
                Err(KafkaError::PartitionEOF(partition)) => drop(open.remove(&partition)),
                Err(error) => panic!("{error}"),
                Ok(message) => {
                    let line = message.payload().unwrap();
                    let id = alert_id(line).unwrap();
                    let header = message.headers().unwrap().iter().find(|header| header.key == "id").unwrap();
                    assert_eq!(header.value, Some(id.as_bytes()));
                    *found.entry(id).or_default() += 1;
                }
            }
        }
        found
    }

    /// What an uninterrupted run over all that was sent finds.
    fn expected(&self) -> BTreeSet<String> {
        let Self { brokers, name, .. } = self;
        self.configure("plain", &format!("{{ kafka: {{ brokers: '{brokers}', topic: '{name}-plain' }} }}"));
        let child = self.start("plain", &[]);
        self.finish("plain", child);
        let found = self.alerts("plain");
        assert!(found.values().all(|count| *count == 1));
        found.into_keys().collect()
    }

    /// Nothing lost or doubled where it was asked for, nothing lost by default.
    #[track_caller]
    fn assert_exact(&self, what: &str) {
        let expected = self.expected();
        assert!(expected.len() > 300, "{}", expected.len());
        let (exact, default) = (self.alerts("exact"), self.alerts("default"));
        let lost = |found: &BTreeMap<String, u32>| expected.iter().filter(|id| !found.contains_key(*id)).count();
        let strange = |found: &BTreeMap<String, u32>| found.keys().filter(|id| !expected.contains(*id)).count();
        let doubled = |found: &BTreeMap<String, u32>| found.values().filter(|count| **count > 1).count();
        let counts = |found| [lost(found), strange(found), doubled(found)];
        let (exact, default) = (counts(&exact), counts(&default));
        let log = self.log();
        let compared: Vec<&str> = log.lines().filter(|line| line.contains("exactly once: what")).collect();
        let to_send = compared.iter().filter(|line| !line.contains("to_send=0")).count();
        let committed = compared.iter().filter(|line| !line.contains("committed=0")).count();
        eprintln!(
            "{what}: {} alerts; exactly once: {} lost, {} strange, {} doubled; default: {} lost, {} strange, {} doubled; {} starts, of which {to_send} found epochs \
             to be sent and {committed} found such as had been committed after their checkpoint",
            expected.len(),
            exact[0],
            exact[1],
            exact[2],
            default[0],
            default[1],
            default[2],
            compared.len(),
        );
        assert_eq!((exact, &default[..2]), ([0, 0, 0], &[0, 0][..]), "lost, strange, doubled\n{log}");
    }
}

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
        let mut child = scene.start("exact", &["--set", "state.retain=60"]);
        let before = scene.alerts("exact").len();
        for _ in 0..12 {
            scene.send(scene.pings.len() / 50);
            thread::sleep(Duration::from_millis(30));
        }
        scene.until("alerts", || scene.alerts("exact").len() > before + 100);
        scene.kill(&mut child);
        // A byte in the middle, in as many as make up for several epochs; what refers to these is lost with them.
        for _ in 0..[1, 5, 12][round] {
            let (path, number) = newest(&scene, "exact").unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let at = bytes.len() / 3;
            bytes[at] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            // Out of the way, so that the next is found; numbers go on after the highest.
            fs::rename(&path, scene.path(&format!("corrupt-{round}-{number}"))).unwrap();
            if number == 1 {
                break;
            }
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
