//! Kafka, for real: needs a broker at `GEOCEP_TEST_KAFKA=host:port`, as `.ci/broker start` makes one. Without, each test says
//! that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people and to a real clock, and fails by panicking"
)]

use geocep::{
    io::{
        sink::{KafkaSink, Lines, Sink},
        source::{Delivery, KafkaSource, KafkaSourceOptions, Pulled, Source, spawn},
    },
    wire::{Chunk, RECORD_BYTES_MAX},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The broker's address, and a name that no earlier run has used.
fn broker(test: &str) -> Option<(String, String)> {
    let Ok(brokers) = std::env::var("GEOCEP_TEST_KAFKA") else {
        eprintln!("skipped: GEOCEP_TEST_KAFKA is not set, so there is no broker");
        return None;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Some((brokers, format!("{test}-{now}")))
}

fn make_topic(brokers: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

fn source(brokers: &str, topic: &str, member: &str) -> KafkaSource {
    // A named member comes back to its partitions at once instead of waiting for its predecessor's session to end.
    let options = BTreeMap::from([
        ("group.instance.id".to_owned(), member.to_owned()),
        ("auto.commit.interval.ms".to_owned(), "200".to_owned()),
    ]);
    let (brokers, topic, group) = (brokers.to_owned(), topic.to_owned(), format!("group-{topic}"));
    let options = options.into();
    KafkaSource::connect(KafkaSourceOptions {
        brokers,
        topic,
        group,
        record_bytes_max: RECORD_BYTES_MAX,
        options,
        ..KafkaSourceOptions::default()
    })
    .unwrap()
}

fn send(sink: &mut KafkaSink, numbers: std::ops::Range<u32>) {
    for batch in numbers.collect::<Vec<_>>().chunks(1_000) {
        let mut lines = Lines::new();
        for number in batch {
            lines
                .push_with(&format!("rule {}", number % 7), |out| out.extend_from_slice(number.to_string().as_bytes()));
        }
        sink.write(&lines).unwrap();
    }
}

fn numbers(chunk: &Chunk) -> Vec<(u32, u64, u32)> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse().unwrap();
    chunk.records().map(|record| (record.partition, record.offset, text(record.bytes))).collect()
}

/// Pulls until `count` records came.
fn pull(source: &mut KafkaSource, count: usize) -> Vec<(u32, u64, u32)> {
    let mut found = Vec::new();
    for _ in 0..300 {
        let mut chunk = Chunk::new();
        match source.pull(&mut chunk, Duration::from_millis(100)) {
            Ok(Pulled::Records) => found.extend(numbers(&chunk)),
            Ok(_) => {}
            Err(error) => assert!(!error.is_final(), "{error}"),
        }
        source.delivered();
        if found.len() >= count {
            break;
        }
    }
    found
}

#[test]
fn what_is_written_is_read_once_in_the_order_of_each_key_and_partition() {
    let Some((brokers, topic)) = broker("order") else { return };
    make_topic(&brokers, &topic, 3);
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    send(&mut sink, 0..20_000);
    sink.flush().unwrap();
    assert_eq!((sink.stats().acknowledged, sink.stats().failed), (20_000, 0));

    let found = pull(&mut source(&brokers, &topic, "one"), 20_000);
    assert_eq!(found.iter().map(|(_, _, number)| number).collect::<BTreeSet<_>>().len(), 20_000);
    assert_eq!(found.len(), 20_000);
    let mut places = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for (partition, offset, number) in found {
        assert_eq!(places.insert(partition, offset).map_or(0, |before| before + 1), offset);
        let (home, before) = keys.insert(number % 7, (partition, number)).unwrap_or((partition, 0));
        assert!(home == partition && before <= number);
    }
    assert!(places.len() > 1);
}

#[test]
fn a_group_goes_on_where_the_delivered_records_ended() {
    let Some((brokers, topic)) = broker("resume") else { return };
    make_topic(&brokers, &topic, 1);
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    send(&mut sink, 0..100);
    sink.flush().unwrap();
    {
        let mut source = source(&brokers, &topic, "one");
        assert_eq!(pull(&mut source, 100).len(), 100);
        send(&mut sink, 100..110);
        sink.flush().unwrap();
        // These are pulled, but nobody said that they were delivered.
        let mut found = 0;
        for _ in 0..100 {
            let mut chunk = Chunk::new();
            let _ = source.pull(&mut chunk, Duration::from_millis(100)).unwrap();
            found += chunk.len();
            if found == 10 {
                break;
            }
        }
        assert_eq!(found, 10);
    }
    let found = pull(&mut source(&brokers, &topic, "one"), 10);
    let again: Vec<u32> = found.iter().map(|(_, _, number)| *number).collect();
    assert_eq!(again, (100..110).collect::<Vec<_>>());
}

#[test]
fn a_source_on_its_thread_is_held_back_and_stops_when_told() {
    let Some((brokers, topic)) = broker("thread") else { return };
    make_topic(&brokers, &topic, 1);
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    send(&mut sink, 0..50_000);
    sink.flush().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = spawn(Box::new(source(&brokers, &topic, "one")), 1, stop.clone()).unwrap();
    let mut found = 0;
    while found < 50_000 {
        match running.deliveries.blocking_recv().unwrap() {
            Delivery::Records(chunk, _) => found += chunk.len(),
            Delivery::Trouble(error) => eprintln!("{error}"),
            Delivery::Failed(error) => panic!("{error}"),
            Delivery::Opened(opened) => assert_eq!(opened.partitions, Some(1)),
            Delivery::CaughtUp(_) | Delivery::Idle => {}
            Delivery::End => panic!("a topic has no end"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    running.thread.join().unwrap();
    assert_eq!(found, 50_000);
}

#[test]
fn partitions_read_to_their_end_are_told_the_empty_ones_too() {
    let Some((brokers, topic)) = broker("end") else { return };
    make_topic(&brokers, &topic, 3);
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    send(&mut sink, 0..1);
    sink.flush().unwrap();
    let mut source = source(&brokers, &topic, "one");
    assert_eq!(source.open().unwrap().partitions, Some(3));
    let mut told = Vec::new();
    let mut until = |source: &mut KafkaSource, wanted: usize, records: usize| {
        let mut found = 0;
        for _ in 0..300 {
            let mut chunk = Chunk::new();
            let _ = source.pull(&mut chunk, Duration::from_millis(100)).unwrap();
            found += chunk.len();
            told = source.caught_up().unwrap_or(std::mem::take(&mut told));
            if told.len() == wanted && found == records {
                return;
            }
        }
        panic!("{told:?} at their end after {found} records");
    };
    until(&mut source, 3, 1);
    // Told again after each end.
    send(&mut sink, 0..10);
    sink.flush().unwrap();
    until(&mut source, 3, 10);
    assert_eq!(source.caught_up(), None);
}

/// A daemon on topics, and what it said.
struct Daemon(Option<std::process::Child>);

impl Daemon {
    fn start(dir: &std::path::Path) -> Self {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_geocep"));
        run.current_dir(dir).arg("run").stderr(std::process::Stdio::piped());
        Self(Some(run.spawn().unwrap()))
    }

    fn stop(mut self) -> String {
        let child = self.0.take().unwrap();
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{messages}");
        messages
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_daemon_reads_topics_and_writes_alerts_to_one() {
    let Some((brokers, topic)) = broker("daemon") else { return };
    let out = format!("{topic}-alerts");
    // More partitions than have messages: the silent ones must not hold time back.
    make_topic(&brokers, &topic, 4);
    make_topic(&brokers, &out, 2);
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "sources:
  pings:
    kafka: {{ brokers: '{brokers}', topic: '{topic}', group: 'g-{topic}', options: {{ group.instance.id: d }} }}
    idle_timeout: 1 s
    schema: {{ fields: {{ id: string }} }}
rules: rules.yaml
sinks: {{ alerts: [{{ kafka: {{ brokers: '{brokers}', topic: '{out}' }} }}, {{ file: alerts.ndjson }}] }}
api: {{ enabled: false }}
"
    );
    std::fs::write(dir.path().join("geocep.yaml"), config).unwrap();
    let rules = "groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          PARTITION BY id
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN last -> !next FOR 30 s
          WITHIN UNBOUNDED
";
    std::fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    let mut produce = |range: std::ops::Range<i64>, step_ms: i64| {
        let mut lines = Lines::new();
        for at in range {
            // Two keys, so two partitions at most; each in order.
            let id = ["a", "b"][at as usize % 2];
            let text = format!("{{\"ts\":{},\"id\":\"{id}\",\"lon\":1,\"lat\":2}}", 1_000_000_000_000 + at * step_ms);
            lines.push_with(id, |out| out.extend_from_slice(text.as_bytes()));
        }
        sink.write(&lines).unwrap();
        sink.flush().unwrap();
    };
    let alerts = |daemon: &mut Daemon, count: usize| {
        for _ in 0..600 {
            let text = std::fs::read_to_string(dir.path().join("alerts.ndjson")).unwrap_or_default();
            if text.lines().count() >= count {
                assert_eq!(text.lines().count(), count, "{text}");
                return;
            }
            assert!(daemon.0.as_mut().unwrap().try_wait().unwrap().is_none(), "it has ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no {count} alerts");
    };
    produce(0..1_000, 10);
    let mut daemon = Daemon::start(dir.path());
    alerts(&mut daemon, 1_000);
    let messages = daemon.stop();
    assert!(messages.contains("pings: 1000 events\n"), "{messages}");

    // It goes on where it ended; a minute later each vehicle has been silent for 30 s and is seen again.
    // Ten seconds later: while all was quiet the wall clock moved event time on, and the daemon remembers that.
    produce(2_000..2_002, 10);
    produce(10_000..10_002, 10);
    let mut daemon = Daemon::start(dir.path());
    alerts(&mut daemon, 1_000 + 4 + 2);
    let messages = daemon.stop();
    assert!(messages.contains("pings: 4 events\n"), "{messages}");

    let found = pull_count(&mut source(&brokers, &out, "reader"), 1_006);
    assert_eq!(found, 1_006);
}

#[test]
fn killed_while_it_reads_a_topic_the_daemon_goes_on_at_its_checkpoint_and_loses_nothing() {
    let Some((brokers, topic)) = broker("crash") else { return };
    let out = format!("{topic}-alerts");
    make_topic(&brokers, &topic, 1);
    make_topic(&brokers, &out, 1);
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "sources:
  pings:
    kafka: {{ brokers: '{brokers}', topic: '{topic}', group: 'g-{topic}', options: {{ group.instance.id: d }} }}
    idle_timeout: never
    schema: {{ fields: {{ id: string }} }}
rules: rules.yaml
sinks: {{ alerts: [{{ kafka: {{ brokers: '{brokers}', topic: '{out}' }} }}, {{ file: alerts.ndjson }}] }}
state: {{ interval: 50 ms }}
api: {{ enabled: false }}
"
    );
    std::fs::write(dir.path().join("geocep.yaml"), config).unwrap();
    let rules = "groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          PARTITION BY id
      - alert: Tens
        expr: |
          FROM pings
          PARTITION BY id
          WINDOW COUNT 10
          MEASURES count(*) AS n
";
    std::fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    let mut sink = KafkaSink::connect(&brokers, &topic, &BTreeMap::new()).unwrap();
    let mut produce = |range: std::ops::Range<i64>| {
        let mut lines = Lines::new();
        for at in range {
            let id = ["a", "b", "c"][at as usize % 3];
            let text = format!("{{\"ts\":{},\"id\":\"{id}\",\"lon\":1,\"lat\":2}}", 1_000_000_000_000 + at * 10);
            lines.push_with(id, |out| out.extend_from_slice(text.as_bytes()));
        }
        sink.write(&lines).unwrap();
        sink.flush().unwrap();
    };
    let kills: i64 = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(5);
    let (mut random, mut sent) = (11u64, 0);
    for _ in 0..kills {
        let mut daemon = Daemon::start(dir.path());
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..4 + (random >> 33) % 30 {
            produce(sent..sent + 30);
            sent += 30;
            std::thread::sleep(Duration::from_millis(40));
        }
        let child = daemon.0.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    produce(sent..sent + 30);
    sent += 30;
    let ids = |text: &str| {
        let id = |line: &str| line.split("\"id\":\"").nth(1).and_then(|rest| rest.get(..32)).map(str::to_owned);
        text.lines().filter(|line| line.ends_with('}')).filter_map(id).collect::<BTreeSet<String>>()
    };
    let expected = (sent + sent / 30 * 3) as usize;
    let daemon = Daemon::start(dir.path());
    let read = || ids(&std::fs::read_to_string(dir.path().join("alerts.ndjson")).unwrap_or_default()).len();
    for _ in 0..600 {
        if read() >= expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(read(), expected, "of {sent} messages");
    let messages = daemon.stop();
    assert!(messages.contains("going on from a checkpoint"), "{messages}");
    // The same in the topic, each at least once.
    let mut source = source(&brokers, &out, "reader");
    let mut found = BTreeSet::new();
    for _ in 0..300 {
        let mut chunk = Chunk::new();
        let _ = source.pull(&mut chunk, Duration::from_millis(100));
        for record in chunk.records() {
            found.extend(ids(std::str::from_utf8(record.bytes).unwrap()));
        }
        if found.len() >= expected && chunk.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), expected);
}

/// How many records a topic gives, up to this many.
fn pull_count(source: &mut KafkaSource, count: usize) -> usize {
    let mut found = 0;
    for _ in 0..300 {
        let mut chunk = Chunk::new();
        let _ = source.pull(&mut chunk, Duration::from_millis(100));
        found += chunk.len();
        if found >= count {
            break;
        }
    }
    found
}

#[test]
fn a_broker_that_is_away_is_an_error_that_passes() {
    let mut source = source("127.0.0.1:1", "none", "one");
    let mut chunk = Chunk::new();
    let troubled = (0..50).any(|_| match source.pull(&mut chunk, Duration::from_millis(100)) {
        Ok(Pulled::Idle) => false,
        Ok(other) => panic!("{other:?}"),
        Err(error) => !error.is_final() && error.to_string().contains("`none`"),
    });
    assert!(troubled && source.failures() > 0);
}

#[test]
fn a_wrong_option_is_told_by_name() {
    let options = BTreeMap::from([("linger".to_owned(), "soon".to_owned())]);
    let error = KafkaSink::connect("127.0.0.1:1", "none", &options).unwrap_err().to_string();
    assert!(error.contains("linger"), "{error}");
}
