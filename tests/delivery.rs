//! Alerts on their way to receivers that fail, hang, go away and come back: the real daemon, a real server.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test talks to a real process and a real clock, and fails by panicking"
)]

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(60);

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Takes,
    Fails,
    Throttles,
    Hangs,
    /// Refuses alerts of this id with 422, and takes others.
    Dislikes(&'static str),
}

/// A request that was answered with 200.
#[derive(Clone, Debug)]
struct Request {
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Clone)]
struct Inbox {
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<Request>>>,
    /// Requests of any outcome.
    asked: Arc<Mutex<u64>>,
}

struct Receiver {
    runtime: Option<Runtime>,
    address: SocketAddr,
    inbox: Inbox,
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> Response {
    *inbox.asked.lock().unwrap() += 1;
    let mood = *inbox.mood.lock().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    match mood {
        Mood::Fails => return (StatusCode::INTERNAL_SERVER_ERROR, "s3cret").into_response(),
        Mood::Throttles => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return StatusCode::OK.into_response();
        }
        Mood::Dislikes(id) if body.contains(&format!("\"key\":{{\"id\":\"{id}\"}}")) => {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        Mood::Dislikes(_) | Mood::Takes => {}
    }
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    inbox.taken.lock().unwrap().push(Request { headers: headers.iter().map(text).collect(), body });
    "ok".into_response()
}

impl Receiver {
    fn start(mood: Mood) -> Self {
        let inbox = Inbox { mood: Arc::new(Mutex::new(mood)), taken: Arc::default(), asked: Arc::default() };
        let mut receiver = Self { runtime: None, address: SocketAddr::from(([127, 0, 0, 1], 0)), inbox };
        receiver.come();
        receiver
    }

    fn come(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new().fallback(post(receive)).with_state(self.inbox.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        self.runtime = Some(runtime);
    }

    /// All connections break off, and nobody listens any more.
    fn go(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    fn set(&self, mood: Mood) {
        *self.inbox.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u64 {
        *self.inbox.asked.lock().unwrap()
    }

    fn requests(&self) -> Vec<Request> {
        self.inbox.taken.lock().unwrap().clone()
    }

    /// The alerts of all requests, as (key, time).
    fn alerts(&self) -> Vec<(String, i64)> {
        let requests = self.requests();
        requests.iter().flat_map(|request| request.body.lines()).map(read).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go();
    }
}

/// The key of an alert, and its measure.
fn read(line: &str) -> (String, i64) {
    let alert: serde_json::Value = serde_json::from_str(line).unwrap();
    let properties = &alert["properties"];
    (properties["key"]["id"].as_str().unwrap().to_owned(), properties["measures"]["n"].as_i64().unwrap())
}

struct Place {
    dir: tempfile::TempDir,
    written: i64,
}

impl Place {
    fn new(alerts: &str, more: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), written: 0 };
        let config = format!(
            "
sources:
  pings:
    file: {{ path: in.ndjson, follow: true, poll: 5 ms }}
    schema: {{ fields: {{ id: string, n: int }} }}
rules: rules.yaml
state: {{ interval: 50 ms }}
api: {{ listen: '127.0.0.1:0' }}
sinks:
  alerts:
{alerts}
{more}
"
        );
        fs::write(place.path("geocep.yaml"), config).unwrap();
        let rules = "
groups:
  - name: g
    rules:
      - alert: Seen
        labels: { severity: page }
        expr: |
          FROM pings
          PARTITION BY id
          MEASURES n
        annotations:
          summary: '{{ $labels.id }} was seen'
";
        fs::write(place.path("rules.yaml"), rules.replace("'{{ $labels.id }} was seen'", "seen")).unwrap();
        fs::write(place.path("in.ndjson"), "").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes on: so many events, of three keys in turn.
    fn write(&mut self, count: i64) {
        let event = |n: i64| {
            let id = ["a", "b", "c"][(n % 3) as usize];
            format!("{{\"ts\":{},\"id\":\"{id}\",\"lon\":1,\"lat\":2,\"n\":{n}}}\n", 1_000_000 + n * 1_000)
        };
        let text: String = (self.written..self.written + count).map(event).collect();
        File::options().append(true).open(self.path("in.ndjson")).unwrap().write_all(text.as_bytes()).unwrap();
        self.written += count;
    }

    fn expected(&self) -> BTreeMap<String, Vec<i64>> {
        let mut expected: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        (0..self.written)
            .for_each(|n| expected.entry(["a", "b", "c"][(n % 3) as usize].to_owned()).or_default().push(n));
        expected
    }

    fn start(&self) -> Running {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_geocep"));
        run.current_dir(self.dir.path()).arg("run").env("GEOCEP_LOG", "info,geocep=debug");
        let child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Running { child, log: self.path("log"), from: fs::metadata(self.path("log")).unwrap().len() as usize }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn file(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

struct Running {
    child: Child,
    log: PathBuf,
    from: usize,
}

impl Running {
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(&mut self) -> i32 {
        assert!(
            Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap().success()
        );
        self.child.wait().unwrap().code().unwrap()
    }

    fn address(&self) -> String {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            if let Some((_, rest)) = log[self.from..].split_once("http://") {
                return rest.split_whitespace().next().unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each key's alerts in the order in which they came for the first time.
fn per_key(alerts: &[(String, i64)]) -> BTreeMap<String, Vec<i64>> {
    let mut seen = BTreeSet::new();
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (key, n) in alerts.iter().filter(|alert| seen.insert((*alert).clone())) {
        found.entry(key.clone()).or_default().push(*n);
    }
    found
}

#[test]
fn a_webhook_that_fails_hangs_goes_and_comes_back_gets_every_alert_in_order_and_delays_nobody() {
    let mut receiver = Receiver::start(Mood::Takes);
    let sinks = format!(
        "    - file: out.ndjson
    - webhook:
        url: 'http://{}/hook'
        timeout: 300 ms
        headers: {{ Authorization: 'Bearer s3cret' }}
        retry: {{ longest: 200 ms }}",
        receiver.address
    );
    let mut place = Place::new(&sinks, "");
    let mut run = place.start();
    for (round, mood) in [Mood::Takes, Mood::Fails, Mood::Hangs, Mood::Throttles, Mood::Takes].into_iter().enumerate() {
        receiver.set(mood);
        let asked = receiver.asked();
        let before = place.written;
        let began = Instant::now();
        place.write(60);
        // The other sink has them at once, whatever the receiver does.
        place.until("the file", || place.file("out.ndjson").len() as i64 == place.written);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{round}: {took:?}");
        if mood == Mood::Takes {
            place.until("the hook", || receiver.alerts().len() as i64 >= place.written);
        } else {
            place.until("attempts", || receiver.asked() >= asked + 2);
            assert!((receiver.alerts().len() as i64) < place.written);
            let ready = run.get("/readyz");
            assert!(ready.contains(" 503 ") && ready.contains("\"webhook\""), "{ready}");
            assert!(before > 0);
        }
        if mood == Mood::Hangs {
            receiver.go();
            place.write(30);
            place.until("the file", || place.file("out.ndjson").len() as i64 == place.written);
            place.until("its absence is told", || place.log().contains("no connection"));
            let metrics = run.get("/metrics");
            assert!(metrics.contains("geocep_outbox_failures_total{sink=\"webhook\",kind=\"timeout\"}"), "{metrics}");
            let waits = metrics.lines().find(|line| line.starts_with("geocep_outbox_alerts{sink=\"webhook\"} "));
            let waits: f64 = waits.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            assert!(waits >= 90.0, "{waits}");
            receiver.come();
        }
    }
    assert_eq!(per_key(&receiver.alerts()), place.expected());
    // Nothing was taken twice: each attempt that was answered was answered once.
    assert_eq!(receiver.alerts().len() as i64, place.written);
    let request = &receiver.requests()[0];
    let id = request.body.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(request.headers["idempotency-key"], id);
    assert_eq!(request.headers["content-type"], "application/geo+json");
    assert_eq!(request.headers["authorization"], "Bearer s3cret");
    assert_eq!(run.stop(), 0, "{}", place.log());
    let log = place.log();
    assert!(!log.contains("s3cret") && !log.contains("/hook"), "{log}");
    assert!(log.contains("it answered 500") && log.contains("it works again"), "{log}");
}

/// Segments of an outbox.
fn segments(place: &Place, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path("geocep-state/outbox").join(name)).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    found.sort();
    found
}

fn reconcile(place: &Place, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = command.current_dir(place.dir.path()).arg("reconcile").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn killed_with_a_full_outbox_it_goes_on_with_it_and_no_alert_is_lost_or_out_of_order() {
    let receiver = Receiver::start(Mood::Fails);
    let sinks = format!(
        "    - webhook:
        name: hook
        url: 'http://{}'
        body: ndjson
        batch: 7
        retry: {{ longest: 200 ms }}
        outbox: {{ size: 100 KiB }}",
        receiver.address
    );
    let mut place = Place::new(&sinks, "");
    let run = place.start();
    // More than fits: the engine waits, and its sources behind it.
    place.write(400);
    let waits = || {
        let metrics = run.get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with("geocep_outbox_bytes{sink=\"hook\"} "));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    };
    place.until("a full outbox", || waits() > 95_000.0);
    thread::sleep(Duration::from_millis(300));
    assert!(waits() <= 102_400.0, "{}", waits());
    run.kill();
    // A write that the kill cut short.
    let last = segments(&place, "hook").pop().unwrap();
    File::options().append(true).open(&last).unwrap().write_all(&[40, 0, 0, 0, 1, 2, 3, 4, 5, 6]).unwrap();
    let (code, text) = reconcile(&place, &[]);
    assert!(code == 0 && text.contains("waiting"), "{text}");
    // Killed again and again while it delivers.
    receiver.set(Mood::Takes);
    for round in 0..6 {
        let run = place.start();
        place.write(40);
        let before = receiver.requests().len();
        place.until("some more", || receiver.requests().len() > before + round);
        run.kill();
    }
    assert!(place.log().contains("cut off"), "{}", place.log());
    let mut run = place.start();
    place.write(10);
    let expected = place.expected();
    place.until("all of them", || per_key(&receiver.alerts()) == expected);
    place.until("an empty outbox", || run.get("/metrics").contains("geocep_outbox_alerts{sink=\"hook\"} 0.0"));
    assert_eq!(run.stop(), 0, "{}", place.log());
    let request = &receiver.requests()[0];
    assert_eq!(request.headers["content-type"], "application/x-ndjson");
    assert_eq!(request.headers["idempotency-key"].len(), 32);
    // At most one request each time was taken and not noted.
    let doubled = receiver.alerts().len() as i64 - place.written;
    assert!((0..=6 * 7).contains(&doubled), "{doubled}");
    // What a replay of the same input finds is what was acknowledged.
    let mut replay = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = replay.current_dir(place.dir.path()).args(["replay", "-q", "in.ndjson"]).output().unwrap();
    fs::write(place.path("replayed.ndjson"), output.stdout).unwrap();
    let (code, text) = reconcile(&place, &["--matched", "replayed.ndjson"]);
    let counts = text.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let all = place.written.to_string();
    assert_eq!(code, 0, "{text}");
    assert_eq!(counts, ["hook", "Seen", &all, &all, "0", "0", "0", "0", "0", "0"], "{text}");
}

#[test]
fn what_a_receiver_never_takes_goes_to_the_dead_letters_and_holds_nobody_up() {
    let hook = Receiver::start(Mood::Dislikes("b"));
    let manager = Receiver::start(Mood::Takes);
    let sinks = format!(
        "    - webhook:
        url: 'http://{}'
        body: ndjson
        dead_letter: refused.ndjson
    - alertmanager:
        url: 'http://{}/am/'
        labels: {{ site: north }}",
        hook.address, manager.address
    );
    let mut place = Place::new(&sinks, "");
    place.write(30);
    let mut run = place.start();
    place.until("the others", || hook.alerts().len() == 20);
    place.until("the dead letters", || place.file("refused.ndjson").len() == 10);
    let mut expected = place.expected();
    let refused = expected.remove("b").unwrap();
    assert_eq!(per_key(&hook.alerts()), expected);
    let letters: Vec<serde_json::Value> =
        place.file("refused.ndjson").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters[0]["reason"], "it answered 422 Unprocessable Entity");
    assert_eq!(letters[0]["sink"], "webhook");
    let found: Vec<i64> =
        letters.iter().map(|letter| letter["alert"]["properties"]["measures"]["n"].as_i64().unwrap()).collect();
    assert_eq!(found, refused);
    let alerts = || -> Vec<serde_json::Value> {
        let requests = manager.requests();
        requests
            .iter()
            .flat_map(|request| serde_json::from_str::<Vec<serde_json::Value>>(&request.body).unwrap())
            .collect()
    };
    place.until("the Alertmanager's", || alerts().len() == 30);
    let labels = serde_json::json!({ "alertname": "Seen", "severity": "page", "id": "a", "site": "north" });
    assert_eq!(alerts()[0]["labels"], labels);
    assert_eq!(alerts()[0]["annotations"]["summary"], "seen");
    let metrics = run.get("/metrics");
    assert!(metrics.contains("geocep_outbox_dead_total{sink=\"webhook\"} 10\n"), "{metrics}");
    assert!(metrics.contains("geocep_sink_written_total{sink=\"alertmanager\"} 30\n"), "{metrics}");
    assert_eq!(run.stop(), 0);
    let (code, text) = reconcile(&place, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("in the dead letters: it answered 422"), "{text}");
    let (_, json) = reconcile(&place, &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&json).unwrap();
    let hook = answer["counts"].as_array().unwrap().iter().find(|counts| counts["sink"] == "webhook").unwrap();
    let found = ["matched", "acknowledged", "missing", "dead"].map(|name| hook[name].as_i64().unwrap());
    assert_eq!(found, [30, 20, 10, 10]);
}

#[test]
fn a_stop_does_not_wait_for_a_receiver_that_is_away_and_the_next_run_delivers() {
    let mut receiver = Receiver::start(Mood::Takes);
    receiver.go();
    let sinks = format!("    - webhook: {{ url: 'http://{}' }}", receiver.address);
    let mut place = Place::new(&sinks, "");
    place.write(20);
    let mut run = place.start();
    place.until("alerts that wait", || run.get("/metrics").contains("geocep_outbox_alerts{sink=\"webhook\"} 20.0"));
    let began = Instant::now();
    assert_eq!(run.stop(), 0, "{}", place.log());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(place.log().contains("stay in its outbox"), "{}", place.log());
    receiver.come();
    let mut run = place.start();
    place.write(10);
    place.until("all of them", || receiver.alerts().len() == 30);
    assert_eq!(per_key(&receiver.alerts()), place.expected());
    assert_eq!(run.stop(), 0);
}

/// Reads server-sent events until there are so many with an id.
fn watch(address: &str, path: &str, last: Option<&str>, count: usize) -> Vec<(String, (String, i64))> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let last = last.map_or(String::new(), |last| format!("Last-Event-ID: {last}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{last}\r\n").unwrap();
    let (mut text, began) = (String::new(), Instant::now());
    let mut buffer = [0; 4_096];
    loop {
        assert!(began.elapsed() < PATIENCE, "of {count} alerts there came: {text}");
        let events: Vec<&str> = text.split("\n\n").filter(|event| event.contains("id: ")).collect();
        let found = events.iter().filter_map(|event| {
            let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            // The last may not be whole yet.
            Some((line("id: ")?.to_owned(), line("data: ").filter(|data| data.ends_with("}}")).map(read)?))
        });
        let found: Vec<_> = found.collect();
        if found.len() >= count {
            return found;
        }
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

#[test]
fn alerts_can_be_watched_and_who_comes_back_goes_on_where_it_was() {
    let mut place = Place::new("    - file: out.ndjson", "");
    let mut run = place.start();
    let address = run.address();
    place.write(10);
    place.until("the file", || place.file("out.ndjson").len() == 10);
    // An id that nobody knows: all that is known.
    let all = watch(&address, "/api/v1/alerts/stream", Some("77"), 10);
    let numbers = |events: &[(String, (String, i64))]| events.iter().map(|(_, (_, n))| *n).collect::<Vec<_>>();
    assert_eq!(numbers(&all), (0..10).collect::<Vec<_>>());
    let (last, _) = &all[3];
    assert_eq!(numbers(&watch(&address, "/api/v1/alerts/stream", Some(last), 6)), [4, 5, 6, 7, 8, 9]);
    // Who comes anew gets what comes from now on. The readers before are let go first, or the figure would be theirs.
    place.until("they are gone", || run.get("/metrics").contains("geocep_stream_readers 0\n"));
    let watching = {
        let address = address.clone();
        thread::spawn(move || watch(&address, "/api/v1/alerts/stream?rule=Seen", None, 5))
    };
    place.until("a reader", || run.get("/metrics").contains("geocep_stream_readers 1\n"));
    place.write(5);
    assert_eq!(numbers(&watching.join().unwrap()), [10, 11, 12, 13, 14]);
    assert!(run.get("/api/v1/alerts/stream?rules=Seen").starts_with("HTTP/1.1 400"));
    place.until("they are gone", || run.get("/metrics").contains("geocep_stream_readers 0\n"));
    // A reader that never reads holds up nobody, and not the end either.
    let mut lazy = TcpStream::connect(&address).unwrap();
    write!(lazy, "GET /api/v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    place.until("a reader", || run.get("/metrics").contains("geocep_stream_readers 1\n"));
    place.write(3_000);
    place.until("the file", || place.file("out.ndjson").len() == 3_015);
    let began = Instant::now();
    assert_eq!(run.stop(), 0, "{}", place.log());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
