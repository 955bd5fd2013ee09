//! A broker that is away for a while, but loses nothing: connections cut at random and in the middle of commits, requests held back, a broker
//! frozen for longer than a transaction may take, one stopped and started whose content is compared. Whoever reads what is committed sees
//! what an uninterrupted run sends, each alert once. Needs a broker, as `.ci/broker start` makes one; without, each test says that it was
//! skipped. `GEOCEP_ROUNDS=20 cargo test --test outages -- --nocapture --test-threads=1` is the long form, `GEOCEP_SEED` plays other moments.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people, to a real process and a real clock, and fails by panicking"
)]

#[path = "outages/broker.rs"]
mod broker;
#[path = "outages/proxy.rs"]
mod proxy;
#[path = "exactly/scene.rs"]
mod scene;

use broker::Broker;
use proxy::Proxy;
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, Producer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use scene::Scene;
use std::{thread, time::Duration};

/// How often each test is played, with other moments.
fn rounds() -> u64 {
    std::env::var("GEOCEP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

fn seed() -> u64 {
    std::env::var("GEOCEP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn nap(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

/// A scene whose daemon goes through a door; what it asks in vain it asks again soon.
fn behind_a_door(scene: &mut Scene, round: u64, more: &str) -> Proxy {
    scene.seed(seed().wrapping_add(round));
    let proxy = Proxy::start(&scene.brokers, seed().wrapping_mul(7_919).wrapping_add(round));
    scene.door = proxy.address();
    let soon = "reconnect.backoff.ms: 10, reconnect.backoff.max.ms: 100";
    scene.options = [soon.to_owned(), format!("{soon}, {more}")];
    scene.exact("exact");
    proxy
}

#[test]
fn connections_cut_at_random_and_in_the_middle_of_commits_cost_no_alert_and_double_none() {
    for round in 0..rounds() {
        let Some(mut scene) = Scene::new("cut") else { return };
        let proxy = behind_a_door(&mut scene, round, "");
        proxy.rough(true);
        let mut child = scene.start("exact", &[]);
        let pieces = 80;
        for piece in 0..pieces {
            scene.send(scene.pings.len() / (pieces + 20));
            nap(scene.random(60));
            if scene.random(12) == 0 {
                proxy.cut();
            }
            if piece == pieces / 2 {
                scene.kill(&mut child);
                child = scene.start("exact", &[]);
            }
        }
        scene.send(usize::MAX / 2);
        nap(300);
        proxy.rough(false);
        scene.finish("exact", child);
        let told = proxy.told();
        scene.assert_exact_or(&format!("round {round}: {}", proxy.report()), &told);
    }
}

#[test]
fn requests_held_back_for_longer_than_a_transaction_may_take_cost_no_alert_and_double_none() {
    for round in 0..rounds() {
        let Some(mut scene) = Scene::new("held") else { return };
        let limits = "socket.timeout.ms: 800, transaction.timeout.ms: 1000, message.timeout.ms: 1000";
        let proxy = behind_a_door(&mut scene, round, limits);
        let mut child = scene.start("exact", &[]);
        for pause in 0..4 {
            for _ in 0..6 {
                scene.send(scene.pings.len() / 30);
                nap(scene.random(50));
            }
            proxy.hold(true);
            nap(1_500 + scene.random(1_500));
            if pause == 2 {
                // What the one that is gone had sent comes when the next has begun, or before.
                scene.kill(&mut child);
                child = scene.start("exact", &[]);
                nap(scene.random(300));
            }
            proxy.hold(false);
        }
        scene.send(usize::MAX / 2);
        scene.finish("exact", child);
        let told = proxy.told();
        scene.assert_exact_or(&format!("round {round}: 4 times nothing passed"), &told);
    }
}

#[test]
fn a_broker_that_is_frozen_for_longer_than_a_transaction_may_take_costs_no_alert_and_doubles_none() {
    let Some(broker) = Broker::start() else { return };
    for round in 0..rounds() {
        let mut scene = Scene::at("frozen", broker.address());
        let limits = "socket.timeout.ms: 800, transaction.timeout.ms: 1000, message.timeout.ms: 1000";
        let proxy = behind_a_door(&mut scene, round, limits);
        let mut child = scene.start("exact", &[]);
        for pause in 0..3 {
            for _ in 0..6 {
                scene.send(scene.pings.len() / 24);
                nap(scene.random(50));
            }
            broker.freeze(Duration::from_millis(1_500 + scene.random(1_500)));
            if pause == 1 {
                scene.kill(&mut child);
                child = scene.start("exact", &[]);
            }
        }
        scene.send(usize::MAX / 2);
        scene.finish("exact", child);
        let told = proxy.told();
        scene.assert_exact_or(&format!("round {round}: 3 times frozen"), &told);
    }
}

/// Whether a broker that is stopped while a transaction is open has what was sent in it when it is started and committed. That of these tests
/// hasn't, and says all the same that it has committed it: what is sent in such a transaction is lost, whoever sends it.
fn keeps_open_transactions(broker: &Broker) -> bool {
    let topic = format!("open-{}", std::process::id());
    scene::make_topic(&broker.address(), &topic, 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("transactional.id", &topic);
    let producer: BaseProducer = config.create().unwrap();
    let patience = Duration::from_secs(30);
    producer.init_transactions(patience).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to(&topic).payload("sent")).unwrap();
    producer.flush(patience).unwrap();
    broker.stop();
    broker.go_on();
    let committed = producer.commit_transaction(patience);
    let found = scene::read(&broker.address(), &topic, 1, true, |_| {});
    eprintln!("an open transaction over a stop of the broker: {committed:?}, and {found} of 1 message is there");
    found == 1 || committed.is_err()
}

#[test]
fn a_broker_that_stops_and_starts_under_load_costs_no_alert_and_doubles_none() {
    let Some(broker) = Broker::start() else { return };
    let keeps_open = keeps_open_transactions(&broker);
    for round in 0..rounds() {
        let mut scene = Scene::at("stopped", broker.address());
        let proxy = behind_a_door(&mut scene, round, "");
        let mut child = scene.start("exact", &[]);
        let (mut changed, mut stops) = (Vec::new(), 0);
        while scene.is_left() {
            for _ in 0..3 {
                scene.send(scene.pings.len() / 12);
                nap(scene.random(40));
            }
            // The daemon finds nobody from here on, and what the broker had taken can be looked at.
            if keeps_open {
                proxy.close(true);
            } else {
                proxy.close_between();
            }
            let before = scene.content();
            broker.stop();
            nap(200 + scene.random(800));
            if stops == 2 {
                // Killed and started while nobody answers.
                scene.kill(&mut child);
                child = scene.start("exact", &[]);
                nap(300);
            }
            broker.go_on();
            let after = scene.content();
            if before != after {
                changed.push(format!("{before:?} is {after:?}"));
            }
            proxy.close(false);
            stops += 1;
        }
        scene.finish("exact", child);
        if changed.is_empty() {
            scene.assert_exact_or(&format!("round {round}: {stops} stops of a broker that kept all"), &proxy.told());
        } else {
            eprintln!("round {round} doesn't count: the broker lost something: {changed:?}");
        }
    }
}

#[test]
fn a_member_that_the_group_locks_out_joins_anew_and_goes_on_where_it_was() {
    let cluster = MockCluster::new(1).unwrap();
    let make = |_: &str, topic: &str, partitions| cluster.create_topic(topic, partitions, 1).unwrap();
    let mut scene = Scene::with("locked", cluster.bootstrap_servers(), make);
    scene.options[0] = "heartbeat.interval.ms: 200".to_owned();
    scene.by_default("exact");
    let child = scene.start("exact", &[]);
    scene.send(scene.pings.len() / 2);
    scene.until("alerts", || scene.alerts("default").len() > 100);
    cluster.request_errors(RDKafkaApiKey::Heartbeat, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID]);
    scene.until("a new member", || scene.log().contains("locked out of the group: joining anew"));
    scene.send(usize::MAX / 2);
    scene.finish("exact", child);
    scene.assert_none_lost("locked out once");
}

#[test]
fn by_default_a_broker_that_is_down_or_says_no_costs_no_alert() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE as NO_COORDINATOR,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as FEW_REPLICAS, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NO_LEADER,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as LATE, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as UNKNOWN,
    };
    for round in 0..rounds() {
        let cluster = MockCluster::new(1).unwrap();
        let make = |_: &str, topic: &str, partitions| cluster.create_topic(topic, partitions, 1).unwrap();
        let mut scene = Scene::with("mock", cluster.bootstrap_servers(), make);
        scene.seed(seed().wrapping_add(round));
        let soon = "reconnect.backoff.ms: 10, reconnect.backoff.max.ms: 100";
        scene.options = [soon.to_owned(), soon.to_owned()];
        scene.by_default("exact");
        let child = scene.start("exact", &[]);
        for step in 0..20 {
            scene.send(scene.pings.len() / 24);
            let errors = [
                (RDKafkaApiKey::Produce, [FEW_REPLICAS, NO_LEADER, LATE]),
                (RDKafkaApiKey::Fetch, [NO_LEADER, UNKNOWN, NO_LEADER]),
                (RDKafkaApiKey::OffsetCommit, [NO_COORDINATOR, LATE, NO_COORDINATOR]),
            ];
            for (api, errors) in errors {
                let from = scene.random(4) as usize;
                cluster.request_errors(api, errors.get(from..).unwrap_or_default());
            }
            nap(scene.random(60));
            if step % 5 == 4 {
                cluster.broker_down(1).unwrap();
                nap(scene.random(1_000));
                cluster.broker_up(1).unwrap();
            }
            // Not for those who send the input.
            [RDKafkaApiKey::Produce, RDKafkaApiKey::Fetch, RDKafkaApiKey::OffsetCommit]
                .into_iter()
                .for_each(|api| cluster.clear_request_errors(api));
        }
        scene.send(usize::MAX / 2);
        scene.finish("exact", child);
        scene.assert_none_lost(&format!("round {round}: 4 times down, and errors"));
    }
}
