//! A daemon between topics, and what it sends.

#![allow(dead_code, reason = "each test file uses a part of it")]

use geocep::io::sink::{KafkaSink, Lines, Sink, alert_id};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

pub(crate) const RULES: &str = "
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

pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) brokers: String,
    /// Where the daemon finds them.
    pub(crate) door: String,
    /// Further settings of the client, of sources and of sinks.
    pub(crate) options: [String; 2],
    pub(crate) name: String,
    pub(crate) pings: Vec<(String, String)>,
    sent: usize,
    sink: KafkaSink,
    random: u64,
    started: RefCell<Vec<u32>>,
}

impl Drop for Scene {
    /// A test that fails leaves no daemon behind.
    fn drop(&mut self) {
        if thread::panicking() {
            for process in self.started.borrow().iter() {
                let _ =
                    Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).stderr(Stdio::null()).status();
            }
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure))
}

/// Reads a topic to its end; how many messages it has.
pub(crate) fn read(
    brokers: &str,
    topic: &str,
    partitions: i32,
    is_committed: bool,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> usize {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "reader").set("enable.auto.commit", "false");
    config.set("isolation.level", if is_committed { "read_committed" } else { "read_uncommitted" });
    let reader: BaseConsumer = config.set("enable.partition.eof", "true").create().unwrap();
    let mut places = TopicPartitionList::new();
    let mut open = BTreeSet::new();
    for partition in 0..partitions {
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        open.insert(partition);
    }
    reader.assign(&places).unwrap();
    let mut count = 0;
    while !open.is_empty() {
        match reader.poll(Duration::from_secs(20)).expect("the topic ends") {
            Err(KafkaError::PartitionEOF(partition)) => drop(open.remove(&partition)),
            // Said of a connection that was lost; the client makes another.
            Err(error) if is_passing(&error) => {}
            Err(error) => panic!("{error}"),
            Ok(message) => {
                each(&message);
                count += 1;
            }
        }
    }
    count
}

pub(crate) fn make_topic(brokers: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

impl Scene {
    /// None without a broker.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let Ok(brokers) = std::env::var("GEOCEP_TEST_KAFKA") else {
            eprintln!("skipped: GEOCEP_TEST_KAFKA is not set, so there is no broker");
            return None;
        };
        Some(Self::at(test, brokers))
    }

    pub(crate) fn at(test: &str, brokers: String) -> Self {
        Self::with(test, brokers, make_topic)
    }

    /// The same where topics are made in another way.
    pub(crate) fn with(test: &str, brokers: String, make_topic: impl Fn(&str, &str, i32)) -> Self {
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
        let (door, options) = (brokers.clone(), Default::default());
        Self { dir, brokers, door, options, name, pings, sent: 0, sink, random, started: RefCell::default() }
    }

    /// Configuration of a run under a name, with these sinks.
    pub(crate) fn configure(&self, run: &str, sinks: &str) {
        let Self { door, name, options: [more, _], .. } = self;
        let config = format!(
            "
sources:
  pings:
    kafka:
      brokers: '{door}'
      topic: '{name}'
      group: '{name}-{run}'
      options: {{ group.instance.id: one, auto.commit.interval.ms: 100, session.timeout.ms: 6000, {more} }}
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

    pub(crate) fn exact(&self, run: &str) {
        let Self { door, name, options: [_, more], .. } = self;
        let sink = |kind, exactly| {
            format!("{{ kafka: {{ brokers: '{door}', topic: '{name}-{kind}', {exactly} options: {{ {more} }} }} }}")
        };
        let sinks = [sink("exact", "delivery: exactly_once,"), sink("default", "")];
        self.configure(run, &sinks.join(", "));
    }

    /// At least once alone.
    pub(crate) fn by_default(&self, run: &str) {
        let Self { door, name, options: [_, more], .. } = self;
        self.configure(
            run,
            &format!("{{ kafka: {{ brokers: '{door}', topic: '{name}-default', options: {{ {more} }} }} }}"),
        );
    }

    /// At least once, to where it is kept what an uninterrupted run finds.
    pub(crate) fn by_plain(&self, run: &str) {
        let Self { door, name, .. } = self;
        self.configure(run, &format!("{{ kafka: {{ brokers: '{door}', topic: '{name}-plain' }} }}"));
    }

    /// Other moments.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    /// Whether there are pings that were not sent.
    pub(crate) fn is_left(&self) -> bool {
        self.sent < self.pings.len()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    pub(crate) fn start(&self, run: &str, more: &[&str]) -> Child {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_geocep"));
        command.current_dir(self.dir.path()).args(["run", "-c", &format!("{run}.yaml")]).args(more);
        command.env("GEOCEP_LOG", "info,geocep::runtime::daemon=debug");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.started.borrow_mut().push(child.id());
        child
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait(&self, child: &mut Child) -> i32 {
        let mut code = None;
        self.until("its end", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        self.started.borrow_mut().retain(|id| *id != child.id());
        code.and_then(|status| status.code()).unwrap_or(-1)
    }

    pub(crate) fn terminate(&self, child: &mut Child) {
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
        assert_eq!(self.wait(child), 0, "{}", self.log());
    }

    pub(crate) fn kill(&self, child: &mut Child) {
        child.kill().unwrap();
        child.wait().unwrap();
        self.started.borrow_mut().retain(|id| *id != child.id());
    }

    /// So many more pings.
    pub(crate) fn send(&mut self, count: usize) {
        let end = (self.sent + count).min(self.pings.len());
        let mut lines = Lines::new();
        for (vehicle, ping) in &self.pings[self.sent..end] {
            lines.push_with(vehicle, |out| out.extend_from_slice(ping.as_bytes()));
        }
        self.sink.write(&lines).unwrap();
        self.sink.flush().unwrap();
        self.sent = end;
    }

    pub(crate) fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        config.create().unwrap()
    }

    /// Waits until checkpoints of a run have all that was sent, and stops it.
    pub(crate) fn finish(&self, run: &str, mut child: Child) {
        let reader = self.consumer(&format!("{}-{run}", self.name));
        let (patience, began) = (Duration::from_secs(5), Instant::now());
        let end = |partition| reader.fetch_watermarks(&self.name, partition, patience).unwrap().1;
        let ends: Vec<i64> = (0..PARTITIONS).map(end).collect();
        assert!(ends.iter().sum::<i64>() >= i64::try_from(self.sent).unwrap());
        let mut found = Vec::new();
        while found != ends {
            thread::sleep(Duration::from_millis(20));
            assert!(child.try_wait().unwrap().is_none(), "it has ended\n{}", self.log());
            let is_in_time = began.elapsed() < PATIENCE;
            assert!(is_in_time, "of the input {ends:?} only {found:?} is in a checkpoint\n{}", self.log());
            let mut places = TopicPartitionList::new();
            places.add_partition_range(&self.name, 0, PARTITIONS - 1);
            let Ok(places) = reader.committed_offsets(places, patience) else { continue };
            // A partition without a message has no place.
            found = places.elements().iter().map(|at| at.offset().to_raw().map_or(0, |at| at.max(0))).collect();
        }
        self.terminate(&mut child);
    }

    /// The alerts that are committed, as lines.
    pub(crate) fn lines(&self, kind: &str) -> Vec<String> {
        let mut lines = Vec::new();
        read(&self.brokers, &format!("{}-{kind}", self.name), 2, true, |message| {
            lines.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
        });
        lines
    }

    /// How often each alert is among what is committed.
    pub(crate) fn alerts(&self, kind: &str) -> BTreeMap<String, u32> {
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        read(&self.brokers, &format!("{}-{kind}", self.name), 2, true, |message| {
            let line = message.payload().unwrap();
            let id = alert_id(line).unwrap();
            let header = message.headers().unwrap().iter().find(|header| header.key == "id").unwrap();
            assert_eq!(header.value, Some(id.as_bytes()));
            *found.entry(id).or_default() += 1;
        });
        found
    }

    /// All that the broker has of the topics, and the marker: how many messages of what content, committed and not, and offsets.
    pub(crate) fn content(&self) -> Vec<(usize, u64)> {
        let mut content = Vec::new();
        for (topic, partitions) in [
            (self.name.clone(), PARTITIONS),
            (format!("{}-exact", self.name), 2),
            (format!("{}-default", self.name), 2),
        ] {
            for is_committed in [true, false] {
                let mut sum = 0u64;
                let count = read(&self.brokers, &topic, partitions, is_committed, |message| {
                    let place = [message.partition() as u64, message.offset() as u64];
                    let bytes = message.payload().unwrap_or_default().iter().map(|byte| u64::from(*byte));
                    let hash = place
                        .into_iter()
                        .chain(bytes)
                        .fold(7, |hash: u64, part| hash.wrapping_mul(31).wrapping_add(part));
                    sum = sum.wrapping_add(hash);
                });
                content.push((count, sum));
            }
        }
        let topic = format!("{}-exact", self.name);
        for (group, topic) in
            [(format!("geocep-marker.geocep-{topic}"), &topic), (format!("{}-exact", self.name), &self.name)]
        {
            let mut places = TopicPartitionList::new();
            places.add_partition_range(topic, 0, 1);
            let found = self.consumer(&group).committed_offsets(places, Duration::from_secs(5)).unwrap();
            for element in found.elements() {
                content.push((1, element.offset().to_raw().map_or(0, |offset| offset as u64)));
            }
        }
        content
    }

    /// What an uninterrupted run over all that was sent finds.
    pub(crate) fn expected(&self) -> BTreeSet<String> {
        self.by_plain("plain");
        let child = self.start("plain", &[]);
        self.finish("plain", child);
        let found = self.alerts("plain");
        assert!(found.values().all(|count| *count == 1));
        found.into_keys().collect()
    }

    /// Nothing lost by default.
    #[track_caller]
    pub(crate) fn assert_none_lost(&self, what: &str) {
        let (expected, found) = (self.expected(), self.alerts("default"));
        assert!(expected.len() > 300, "{}", expected.len());
        let lost: Vec<&String> = expected.iter().filter(|id| !found.contains_key(*id)).collect();
        let strange: Vec<&String> = found.keys().filter(|id| !expected.contains(*id)).collect();
        let doubled = found.values().filter(|count| **count > 1).count();
        eprintln!(
            "{what}: {} alerts, {} lost, {} strange, {doubled} doubled",
            expected.len(),
            lost.len(),
            strange.len()
        );
        assert!(lost.is_empty() && strange.is_empty(), "{lost:?} {strange:?}\n{}", self.log());
    }

    /// Nothing lost or doubled where it was asked for, nothing lost by default.
    #[track_caller]
    pub(crate) fn assert_exact(&self, what: &str) {
        self.assert_exact_or(what, "");
    }

    /// The same; `more` is told where it isn't so.
    #[track_caller]
    pub(crate) fn assert_exact_or(&self, what: &str, more: &str) {
        self.assert_these(&self.expected(), what, more);
    }

    /// The same where it is known what an uninterrupted run finds.
    #[track_caller]
    pub(crate) fn assert_these(&self, expected: &BTreeSet<String>, what: &str, more: &str) {
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
        let anew = log.matches("the producer is made anew").count();
        let committed = compared.iter().filter(|line| !line.contains("committed=0")).count();
        eprintln!(
            "{what}: {} alerts; exactly once: {} lost, {} strange, {} doubled; default: {} lost, {} strange, {} doubled; {} starts, of which {to_send} found epochs \
             to be sent and {committed} found such as had been committed after their checkpoint, {anew} producers made anew",
            expected.len(),
            exact[0],
            exact[1],
            exact[2],
            default[0],
            default[1],
            default[2],
            compared.len(),
        );
        assert_eq!((exact, &default[..2]), ([0, 0, 0], &[0, 0][..]), "lost, strange, doubled\n{log}\n{more}");
    }
}
