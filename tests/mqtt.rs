//! MQTT with a real broker: mosquitto, started on a free port. Where it isn't installed nothing is tested, and that is said.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people, to real processes and a real clock"
)]

#[path = "common/run.rs"]
mod run;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rumqttc::{Client, Connection, Event, MqttOptions, Outgoing, Packet, QoS};
use run::{SCHEMA, SEEN, Scene, TOKEN, get, ping};
use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A broker that keeps sessions and messages through a stop.
struct Broker {
    program: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    tls_port: u16,
    child: Option<Child>,
    publishers: Cell<u32>,
}

impl Broker {
    fn start() -> Option<Self> {
        Self::listening(|_, _| String::new())
    }

    /// With more listeners, whose configuration is made in its directory.
    fn listening(more: impl FnOnce(&Path, u16) -> String) -> Option<Self> {
        let found = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
        let Some(program) = found.iter().map(PathBuf::from).find(|path| path.is_file()) else {
            eprintln!("mosquitto isn't installed: nothing is tested with MQTT");
            return None;
        };
        // Held at the same time they differ.
        let free = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, tls_port] = free.map(|free| free.local_addr().unwrap().port());
        let dir = tempfile::tempdir().unwrap();
        // As root it would become another user, who can't write here.
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nlog_type all\nuser {}\n",
            dir.path().display(),
            std::env::var("USER").unwrap_or_else(|_| "root".to_owned()),
        );
        let config = config + &more(dir.path(), tls_port);
        fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { program, dir, port, tls_port, child: None, publishers: Cell::new(0) };
        broker.go();
        Some(broker)
    }

    fn go(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.dir.path().join("mosquitto.conf"));
        let log = fs::File::options().append(true).create(true).open(self.dir.path().join("log")).unwrap();
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < run::PATIENCE, "the broker doesn't start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asked to stop it writes what it has; killed it would have what it last wrote.
    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status();
            let _ = child.wait();
        }
    }

    fn client(&self, id: &str) -> (Client, Connection) {
        let mut options = MqttOptions::new(id, "127.0.0.1", self.port);
        options.set_keep_alive(Duration::from_secs(30));
        Client::new(options, 100)
    }

    /// Publishes messages and waits until the broker has acknowledged all of them.
    fn publish(&self, topic: &str, messages: &[String]) {
        // An id of its own each time: who has the same throws the one before out.
        let (client, mut connection) =
            self.client(&format!("publisher-{}", self.publishers.replace(self.publishers.get() + 1)));
        thread::scope(|scope| {
            scope.spawn(|| {
                for message in messages {
                    client.publish(topic, QoS::AtLeastOnce, false, message.trim()).unwrap();
                }
            });
            let mut acknowledged = 0;
            for event in connection.iter() {
                acknowledged += usize::from(matches!(event.unwrap(), Event::Incoming(Packet::PubAck(_))));
                if acknowledged == messages.len() {
                    break;
                }
            }
        });
        client.try_disconnect().unwrap();
        for event in connection.iter() {
            if !matches!(event, Ok(ref event) if *event != Event::Outgoing(Outgoing::Disconnect)) {
                break;
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn config(port: u16, sinks: &str) -> String {
    format!(
        "
sources:
  pings: {{ mqtt: {{ broker: '127.0.0.1:{port}', topics: [fleet/+/pings], topic_field: topic }}, {SCHEMA} }}
rules: rules.yaml
sinks: {{ alerts: {sinks} }}
state: {{ interval: 20 ms }}
api: {{ listen: '127.0.0.1:0', token: {TOKEN} }}
"
    )
}

fn pings(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(ping).collect()
}

#[test]
fn no_message_is_lost_whether_the_daemon_or_the_broker_dies() {
    let Some(mut broker) = Broker::start() else { return };
    let rules = SEEN.replace("MEASURES n\n", "MEASURES n, topic\n");
    let config = config(broker.port, "{ file: out.ndjson }").replace("n: int }", "n: int, topic: string }");
    let scene = Scene::new(&config, &rules);
    let first = scene.start(&[]);
    let api = first.api();
    scene.until("the connection", || (get(&api, "/readyz").0 == 200).then_some(()));
    let mut daemon = Some(first);
    for round in 0..6 {
        broker.publish("fleet/a/pings", &pings(round * 100..round * 100 + 50));
        if round % 2 == 0 {
            // Some of it is here, some at the broker.
            thread::sleep(Duration::from_millis(scene.random(30)));
            if let Some(daemon) = daemon.take() {
                daemon.kill();
            }
        }
        broker.publish("fleet/b/pings", &pings(round * 100 + 50..round * 100 + 100));
        if round == 1 || round == 4 {
            broker.stop();
            if let Some(daemon) = &daemon {
                scene.until("that it says so", || {
                    let (status, text) = get(&daemon.api(), "/readyz");
                    (status == 503 && text.contains("can't be reached")).then_some(())
                });
            }
            broker.go();
        }
        if daemon.is_none() {
            daemon = Some(scene.start(&[]));
        }
    }
    drop(daemon);
    let daemon = scene.start(&[]);
    let began = Instant::now();
    loop {
        let found = scene.numbers();
        let missing: Vec<u64> = (0..600).filter(|n| !found.contains(n)).collect();
        if missing.is_empty() {
            break;
        }
        let log = || fs::read_to_string(broker.dir.path().join("log")).unwrap_or_default();
        assert!(began.elapsed() < run::PATIENCE, "missing: {missing:?}\n{}\n{}", scene.log(), log());
        thread::sleep(Duration::from_millis(20));
    }
    let (lines, _) = scene.alerts();
    assert!(lines.iter().any(|line| line.contains("\"topic\":\"fleet/b/pings\"")), "{:?}", lines.first());
    // It may not have begun to listen to signals.
    daemon.api();
    daemon.terminate();
}

#[test]
fn alerts_reach_a_topic_of_their_rule_when_the_broker_was_away_too() {
    let Some(mut broker) = Broker::start() else { return };
    let sink = format!(
        "[{{ mqtt: {{ broker: '127.0.0.1:{}', topic: 'alerts/{{rule}}' }} }}, {{ file: out.ndjson }}]",
        broker.port
    );
    let text = config(broker.port, &sink);
    let head = text.find("sources:").unwrap();
    let rest = text.find("rules:").unwrap();
    let text = format!("{}sources: {{ pings: {{ http: , {SCHEMA} }} }}\n{}", &text[..head], &text[rest..]);
    let scene = Scene::new(&text, SEEN);
    // A session that the broker keeps messages for.
    let mut options = MqttOptions::new("reader", "127.0.0.1", broker.port);
    options.set_clean_session(false);
    let (client, mut connection) = Client::new(options, 10);
    client.subscribe("alerts/Seen", QoS::AtLeastOnce).unwrap();
    assert!(connection.iter().any(|event| matches!(event, Ok(Event::Incoming(Packet::SubAck(_))))));
    drop((client, connection));

    let daemon = scene.start(&[]);
    let api = daemon.api();
    let post = |range: std::ops::Range<u64>| {
        let lines: String = range.map(ping).collect();
        assert_eq!(run::post(&api, &lines).unwrap().0, 200);
    };
    let written = |count: u64| {
        let name = format!("geocep_sink_written_total{{sink=\"alerts/{{rule}}\"}} {count}\n");
        scene.until("acknowledgements", || get(&api, "/metrics").1.contains(&name).then_some(()));
    };
    post(0..150);
    written(150);
    broker.stop();
    post(150..200);
    scene.until("that the sink says so", || get(&api, "/readyz").1.contains("lines wait").then_some(()));
    broker.go();
    post(200..250);
    written(250);
    daemon.terminate();

    let mut options = MqttOptions::new("reader", "127.0.0.1", broker.port);
    options.set_clean_session(false);
    let (_client, mut connection) = Client::new(options, 10);
    let mut found = BTreeSet::new();
    for event in connection.iter() {
        if let Ok(Event::Incoming(Packet::Publish(message))) = event {
            let alert: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            found.insert(alert["properties"]["measures"]["n"].as_u64().unwrap());
        }
        if found.len() == 250 {
            break;
        }
    }
    assert_eq!(found, (0..250).collect());
}

/// Writes an authority, and certificates that it signed for the broker and for us, into a directory.
fn certify(dir: &Path) {
    let write = |name: &str, text: String| fs::write(dir.join(name), text).unwrap();
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    write("ca.pem", params.self_signed(&authority).unwrap().pem());
    let issuer = Issuer::new(params, authority);
    for (name, host) in [("broker", "127.0.0.1"), ("me", "me")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        write(&format!("{name}.pem"), params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

#[test]
fn an_encrypted_connection_is_made_to_a_broker_that_is_trusted_and_knows_us() {
    let broker = Broker::listening(|dir, port| {
        certify(dir);
        let file = |name| dir.join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("broker.pem"), file("broker.key"));
        format!(
            "listener {port} 127.0.0.1\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
        )
    });
    let Some(broker) = broker else { return };
    let dir = broker.dir.path().display();
    let at = |tls: &str| format!("broker: '127.0.0.1:{}', tls: {tls}", broker.tls_port);
    let known = at(&format!("{{ ca: {dir}/ca.pem, certificate: {dir}/me.pem, key: {dir}/me.key }}"));
    let with = |connection: &str| {
        let sink = format!("[{{ mqtt: {{ {known}, topic: alerts }} }}, {{ file: out.ndjson }}]");
        config(0, &sink).replacen("broker: '127.0.0.1:0'", connection, 1)
    };
    let scene = Scene::new(&with(&known), SEEN);
    let daemon = scene.start(&[]);
    let api = daemon.api();
    scene.until("the connection", || (get(&api, "/readyz").0 == 200).then_some(()));
    broker.publish("fleet/a/pings", &pings(0..20));
    scene.until("acknowledgements", || {
        get(&api, "/metrics").1.contains("geocep_sink_written_total{sink=\"alerts\"} 20\n").then_some(())
    });
    daemon.terminate();

    // A broker whose authority isn't trusted, and one that isn't told who we are.
    for (tls, why) in [("true".to_owned(), "UnknownIssuer"), (format!("{{ ca: {dir}/ca.pem }}"), "")] {
        let scene = Scene::new(&with(&at(&tls)), SEEN);
        let daemon = scene.start(&[]);
        let api = daemon.api();
        scene.until("that it says so", || {
            let (status, text) = get(&api, "/readyz");
            (status == 503 && text.contains("can't be reached") && text.contains(why)).then_some(())
        });
        daemon.terminate();
    }
    // What is no certificate is told at the start.
    fs::write(broker.dir.path().join("empty.pem"), "nothing").unwrap();
    for (tls, why) in [
        (format!("{{ ca: {dir}/empty.pem }}"), "empty.pem` has no certificate"),
        (format!("{{ ca: {dir}/gone.pem }}"), "gone.pem` has no certificate"),
        (format!("{{ certificate: {dir}/me.pem, key: {dir}/me.pem }}"), "me.pem` has no private key"),
    ] {
        let scene = Scene::new(&with(&at(&tls)), SEEN);
        let daemon = scene.start(&[]);
        scene.until("that it says so", || scene.log().contains(why).then_some(()));
        drop(daemon);
    }
}
