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
    KafkaSource::connect(KafkaSourceOptions {
        brokers,
        topic,
        group,
        latest: false,
        record_bytes_max: RECORD_BYTES_MAX,
        options,
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
            Delivery::Records(chunk) => found += chunk.len(),
            Delivery::Trouble(error) => eprintln!("{error}"),
            other => panic!("{other:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    running.thread.join().unwrap();
    assert_eq!(found, 50_000);
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
