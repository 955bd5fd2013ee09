//! What a Kafka source makes of topics, with a real broker at `GEOCEP_TEST_KAFKA`, as `.ci/broker start` makes one; without, each test says that
//! it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people, to a real process and a real clock, and fails by panicking"
)]

use geocep::{
    io::source::{Delivery, KafkaLag, KafkaLayout, KafkaSource, KafkaSourceOptions, Pulled, Source, spawn},
    wire::{Chunk, Format, RECORD_BYTES_MAX},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(60);

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The broker's address and a new topic.
fn topic(test: &str, partitions: i32) -> Option<(String, String)> {
    let Ok(brokers) = std::env::var("GEOCEP_TEST_KAFKA") else {
        eprintln!("skipped: GEOCEP_TEST_KAFKA is not set, so there is no broker");
        return None;
    };
    let topic = format!("{test}-{}", now().as_nanos());
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    Some((brokers, topic))
}

/// Sends messages of one partition, each with its time.
fn send(brokers: &str, topic: &str, partition: i32, messages: &[(String, i64)]) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    for (at, (value, time)) in messages.iter().enumerate() {
        let tenant = format!("tenant {}", at % 2);
        let headers = OwnedHeaders::new()
            .insert(Header { key: "x-tenant", value: Some(&tenant) })
            .insert(Header { key: "other", value: Some("none") });
        let key = format!("v{}", at % 3);
        let record =
            BaseRecord::to(topic).partition(partition).key(&key).payload(value).timestamp(*time).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

fn options(brokers: &str, topic: &str, member: &str, more: &[(&str, &str)]) -> KafkaSourceOptions {
    let base = [("group.instance.id", member), ("auto.commit.interval.ms", "200")];
    let options = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KafkaSourceOptions {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        group: format!("group-{topic}"),
        record_bytes_max: RECORD_BYTES_MAX,
        options: options.collect::<BTreeMap<_, _>>().into(),
        ..KafkaSourceOptions::default()
    }
}

/// Pulls until so many records came, each as its partition, offset and text.
fn pull(source: &mut KafkaSource, count: usize) -> Vec<(u32, u64, String)> {
    let began = Instant::now();
    let mut found = Vec::new();
    while found.len() < count {
        assert!(began.elapsed() < PATIENCE, "{} of {count}", found.len());
        let mut chunk = Chunk::new();
        match source.pull(&mut chunk, Duration::from_millis(100)) {
            Ok(Pulled::Records | Pulled::Idle) => {}
            other => panic!("{other:?}"),
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        found.extend(chunk.records().map(|record| (record.partition, record.offset, text(record.bytes))));
        source.delivered();
    }
    found
}

#[test]
fn a_group_without_a_place_starts_at_a_time_and_one_with_a_place_goes_on() {
    let Some((brokers, topic)) = topic("since", 3) else { return };
    let base = i64::try_from(now().as_millis()).unwrap() - 1_000_000;
    let messages: Vec<(String, i64)> = (0..100).map(|at| (at.to_string(), base + at * 1_000)).collect();
    send(&brokers, &topic, 0, &messages);
    send(&brokers, &topic, 1, &messages[..20]);
    let since = |at: i64| {
        let options = options(&brokers, &topic, "one", &[]);
        let mut source = KafkaSource::connect(KafkaSourceOptions { since_ms: Some(at), ..options }).unwrap();
        let began = Instant::now();
        while source.open().is_err() {
            assert!(began.elapsed() < PATIENCE);
        }
        source
    };
    let mut source = since(base + 69_500);
    let found = pull(&mut source, 30);
    // Partition 1 has nothing that late, partition 2 nothing at all: what comes from now on is read.
    assert_eq!(found.iter().map(|(partition, ..)| *partition).collect::<BTreeSet<_>>(), BTreeSet::from([0]));
    assert_eq!(found.iter().map(|(_, offset, _)| *offset).collect::<Vec<_>>(), (70..100).collect::<Vec<_>>());
    send(&brokers, &topic, 1, &[("new".to_owned(), base)]);
    assert_eq!(pull(&mut source, 1), [(1, 20, "new".to_owned())]);
    thread::sleep(Duration::from_millis(600));
    drop(source);
    // The group has a place in 0 and 1 now.
    send(&brokers, &topic, 0, &[("next".to_owned(), base)]);
    assert_eq!(pull(&mut since(base), 1), [(0, 100, "next".to_owned())]);
}

#[test]
fn rows_get_their_columns_and_what_a_message_has_beside_its_value() {
    let Some((brokers, topic)) = topic("rows", 2) else { return };
    // Messages of long ago may be gone before they are read: a broker keeps what is a week old.
    let sent = i64::try_from(now().as_millis()).unwrap();
    send(&brokers, &topic, 1, &[("7,\"a,b\"\r\n".to_owned(), sent), ("8,c".to_owned(), sent + 1)]);
    let layout = KafkaLayout {
        format: Some(Format::CSV),
        columns: vec!["ts".to_owned(), "name".to_owned()],
        key: Some("vehicle".to_owned()),
        timestamp: Some("sent".to_owned()),
        headers: BTreeMap::from([("x-tenant".to_owned(), "tenant".to_owned())]),
    };
    let options = options(&brokers, &topic, "one", &[]);
    let mut source = KafkaSource::connect(KafkaSourceOptions { layout, ..options }).unwrap();
    assert_eq!(source.format().unwrap(), Format::CSV);
    let found: Vec<String> = pull(&mut source, 3).into_iter().map(|(_, _, text)| text).collect();
    let rows = [format!("7,\"a,b\",v0,{sent},tenant 0"), format!("8,c,v1,{},tenant 1", sent + 1)];
    assert_eq!(found, [&["ts,name,vehicle,sent,tenant".to_owned()], &rows[..]].concat());
}

#[test]
fn a_source_that_nobody_takes_from_for_long_keeps_its_partitions_and_brings_everything_once() {
    let Some((brokers, topic)) = topic("hold", 1) else { return };
    let base = i64::try_from(now().as_millis()).unwrap();
    let filler = "x".repeat(200);
    let messages: Vec<(String, i64)> = (0..40_000).map(|at| (format!("{at} {filler}"), base)).collect();
    send(&brokers, &topic, 0, &messages);
    // Whoever doesn't ask for 12 s is taken for dead: a nap of a machine that is busy with other things is long.
    let more = [("max.poll.interval.ms", "12000"), ("session.timeout.ms", "10000")];
    let lag = KafkaLag::default();
    let options = KafkaSourceOptions { lag: lag.clone(), ..options(&brokers, &topic, "one", &more) };
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = spawn(Box::new(KafkaSource::connect(options).unwrap()), 1, stop.clone()).unwrap();
    let (mut found, mut next) = (0usize, 0u64);
    while found < 40_000 {
        match running.deliveries.blocking_recv().unwrap() {
            Delivery::Records(chunk, _) => {
                for record in chunk.records() {
                    assert_eq!(record.offset, next);
                    next += 1;
                }
                if found == 0 {
                    thread::sleep(Duration::from_secs(20));
                    assert!(lag.get().is_some_and(|lag| lag > 10_000), "{lag:?}");
                }
                found += chunk.len();
            }
            Delivery::Trouble(error) | Delivery::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    stop.store(true, Ordering::Relaxed);
    running.thread.join().unwrap();
}

#[test]
fn members_share_a_topic_without_stopping_and_what_goes_is_read_on_by_the_other() {
    let Some((brokers, topic)) = topic("share", 4) else { return };
    let base = i64::try_from(now().as_millis()).unwrap();
    let batch = |from: i64| (from..from + 50).map(|at| (at.to_string(), base)).collect::<Vec<_>>();
    let send_all = |from: i64| (0..4).for_each(|partition| send(&brokers, &topic, partition, &batch(from)));
    send_all(0);
    let mut first = KafkaSource::connect(options(&brokers, &topic, "one", &[])).unwrap();
    let mut found: BTreeMap<(u32, u64), u32> = BTreeMap::new();
    let mut count = |records: Vec<(u32, u64, String)>| {
        records.into_iter().for_each(|(partition, offset, _)| *found.entry((partition, offset)).or_default() += 1);
    };
    count(pull(&mut first, 200));
    thread::sleep(Duration::from_millis(400));
    let mut second = KafkaSource::connect(options(&brokers, &topic, "two", &[])).unwrap();
    let began = Instant::now();
    let mut sent = 50;
    let mut by_second = BTreeSet::new();
    while by_second.len() < 2 || sent < 200 {
        assert!(began.elapsed() < PATIENCE, "the second has {by_second:?}");
        send_all(sent);
        sent += 50;
        for _ in 0..10 {
            for (source, is_second) in [(&mut first, false), (&mut second, true)] {
                let mut chunk = Chunk::new();
                let _ = source.pull(&mut chunk, Duration::from_millis(20)).unwrap();
                let of = |record: geocep::wire::Record<'_>| (record.partition, record.offset, String::new());
                let records: Vec<_> = chunk.records().map(of).collect();
                by_second.extend(records.iter().filter(|_| is_second).map(|(partition, ..)| *partition));
                count(records);
                source.delivered();
            }
        }
    }
    for _ in 0..100 {
        for source in [&mut first, &mut second] {
            let mut chunk = Chunk::new();
            let _ = source.pull(&mut chunk, Duration::from_millis(20)).unwrap();
            count(chunk.records().map(|record| (record.partition, record.offset, String::new())).collect());
            source.delivered();
        }
    }
    assert_eq!(by_second.len(), 2, "{by_second:?}");
    assert_eq!(found.len(), 4 * usize::try_from(sent).unwrap(), "each message is read");
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn rules_read_keys_headers_and_times_of_messages() {
    let Some((brokers, topic)) = topic("fields", 1) else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "sources:
  pings:
    kafka:
      brokers: '{brokers}'
      topic: '{topic}'
      group: 'g-{topic}'
      fields: {{ key: vehicle, timestamp: sent, headers: {{ x-tenant: tenant }} }}
      options: {{ group.instance.id: d }}
    idle_timeout: 100 ms
    schema: {{ time: sent, position: none, fields: {{ vehicle: string, tenant: string, n: int }} }}
rules: rules.yaml
sinks: {{ alerts: {{ file: alerts.ndjson }} }}
api: {{ enabled: false }}
"
    );
    let rules = "groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          WHERE tenant = 'tenant 1'
          PARTITION BY vehicle
          MEASURES n, tenant
";
    std::fs::write(dir.path().join("geocep.yaml"), config).unwrap();
    std::fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    let base = i64::try_from(now().as_millis()).unwrap() - 10_000;
    let messages: Vec<(String, i64)> = (0..4).map(|at| (format!("{{\"n\":{at}}}"), base + at)).collect();
    send(&brokers, &topic, 0, &messages);
    let mut run = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let daemon = run.current_dir(dir.path()).arg("run").stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _daemon = Daemon(daemon);
    let began = Instant::now();
    let mut text = String::new();
    while text.lines().count() < 2 {
        assert!(began.elapsed() < PATIENCE, "{text}");
        thread::sleep(Duration::from_millis(50));
        text = std::fs::read_to_string(dir.path().join("alerts.ndjson")).unwrap_or_default();
    }
    let has = |line: &str, what: &str| line.contains(what);
    assert!(text.lines().any(|line| has(line, "\"key\":{\"vehicle\":\"v1\"}") && has(line, "\"n\":1")), "{text}");
    assert!(text.lines().any(|line| has(line, "\"key\":{\"vehicle\":\"v0\"}") && has(line, "\"n\":3")), "{text}");
}
