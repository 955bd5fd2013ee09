//! Over real connections, in raw HTTP.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::runtime::{
    clock::ManualClock,
    shutdown::Shutdown,
    telemetry::{ComponentKind, RuleKind, RuleMode, RuleStatus, Telemetry},
};

const SECRET: &str = "0123456789abcdef";

struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    telemetry: Arc<Telemetry>,
    shutdown: Shutdown,
}

async fn start(token: bool, limits: Limits) -> Server {
    let telemetry = Arc::new(Telemetry::new(Arc::new(ManualClock::new(0))));
    let state = Arc::new(ApiState::new(Arc::clone(&telemetry)));
    let shutdown = Shutdown::new();
    let token = token.then(|| Token::new(SECRET).unwrap());
    let config = ApiConfig { listen: "127.0.0.1:0".to_owned(), token, limits };
    let (address, task) = serve(config, state, shutdown.clone()).await.unwrap();
    Server { address, task, telemetry, shutdown }
}

impl Server {
    /// Sends `head` (lines of a request) and reads the whole answer.
    async fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        // A server that refuses a request may close before it has read all of it.
        let _ = stream.write_all(request.as_bytes()).await;
        read_all(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}", self.address)).await
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("an answer in time");
    if let Err(error) = read {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(answer).unwrap()
}

#[track_caller]
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn json(answer: &str) -> serde_json::Value {
    serde_json::from_str(body(answer)).unwrap()
}

#[tokio::test]
async fn health_is_ok_until_the_engine_has_stopped() {
    let server = start(false, Limits::default()).await;
    let engine = server.telemetry.health().watch(ComponentKind::Engine, "engine");
    server.telemetry.health().watch(ComponentKind::Sink, "alerts").failed("disk full");
    let answer = server.get("/healthz").await;
    assert_eq!((status(&answer), body(&answer)), (200, "ok\n"));
    engine.failed("out of groups");
    let answer = server.get("/healthz").await;
    assert_eq!((status(&answer), body(&answer)), (503, "the engine has stopped: out of groups\n"));
}

#[tokio::test]
async fn readiness_names_the_part_that_is_missing_and_why() {
    let server = start(false, Limits::default()).await;
    assert_eq!(status(&server.get("/readyz").await), 503, "nothing is announced yet");
    let engine = server.telemetry.health().watch(ComponentKind::Engine, "engine");
    let source = server.telemetry.health().watch(ComponentKind::Source, "pings");
    engine.ready();
    source.retrying("connection refused");
    let answer = server.get("/readyz").await;
    assert_eq!(status(&answer), 503);
    let expected = serde_json::json!({ "ready": false, "components": [
        { "kind": "engine", "name": "engine", "state": "ready", "reason": null },
        { "kind": "source", "name": "pings", "state": "retrying", "reason": "connection refused" },
    ]});
    assert_eq!(json(&answer), expected);
    source.ready();
    assert_eq!(status(&server.get("/readyz").await), 200);
}

#[tokio::test]
async fn metrics_are_open_metrics_and_not_cached() {
    let server = start(false, Limits::default()).await;
    server.telemetry.stream("pings").add_events(3);
    let answer = server.get("/metrics").await;
    assert_eq!(status(&answer), 200);
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains("cache-control: no-store\r\n"));
    assert!(body(&answer).contains("geocep_events_total{stream=\"pings\"} 3\n"));
    assert!(body(&answer).ends_with("# EOF\n"));
}

#[tokio::test]
async fn rules_are_those_that_the_runtime_has_set() {
    let server = start(false, Limits::default()).await;
    assert_eq!(json(&server.get("/api/v1/rules").await), serde_json::json!({ "rules": [] }));
    server.telemetry.set_rules(vec![RuleStatus {
        name: "Queue".to_owned(),
        group: "airport".to_owned(),
        kind: RuleKind::Alert,
        mode: RuleMode::Shadow,
        version: "9f".to_owned(),
        outputs: 1,
        keys: 2,
        open: 3,
        draining: None,
        until: None,
    }]);
    let expected = serde_json::json!({ "rules": [
        { "name": "Queue", "group": "airport", "kind": "alert", "mode": "shadow", "version": "9f", "outputs": 1, "keys": 2, "open": 3 },
    ]});
    assert_eq!(json(&server.get("/api/v1/rules").await), expected);
}

#[tokio::test]
async fn what_is_not_there_and_what_can_not_be_done_are_json_too() {
    let server = start(false, Limits::default()).await;
    let answer = server.get("/nowhere").await;
    assert_eq!(status(&answer), 404);
    assert!(json(&answer)["help"].as_str().unwrap().contains("/metrics"));
    let answer = server.ask("DELETE /metrics HTTP/1.1\r\nHost: localhost").await;
    assert_eq!(status(&answer), 405);
    assert!(json(&answer)["error"].is_string());
    assert_eq!(status(&server.ask("HEAD /healthz HTTP/1.1\r\nHost: localhost").await), 200);
    assert_eq!(status(&server.ask("so what").await), 400);
}

#[tokio::test]
async fn what_changes_the_daemon_takes_a_token_even_on_loopback() {
    let post = |header: &str| format!("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0{header}");
    let right = format!("\r\nAuthorization: Bearer {SECRET}");
    let open = start(false, Limits::default()).await;
    let answer = open.ask(&post("")).await;
    assert_eq!(status(&answer), 403);
    assert!(json(&answer)["help"].as_str().unwrap().contains("api.token"), "{answer}");
    assert_eq!(status(&open.ask(&post(&right)).await), 403, "a token that nobody configured is none");
    let server = start(true, Limits::default()).await;
    assert_eq!(status(&server.ask(&post("")).await), 401);
    assert_eq!(status(&server.ask(&post(&right)).await), 501, "this server has nothing to reload");
    let get = format!("GET /api/v1/reload HTTP/1.1\r\nHost: localhost{right}");
    let answer = server.ask(&get).await;
    assert_eq!(status(&answer), 405);
    assert!(answer.contains("allow: POST"), "{answer}");
}

#[tokio::test]
async fn with_a_token_only_who_has_it_gets_in() {
    let server = start(true, Limits::default()).await;
    let engine = server.telemetry.health().watch(ComponentKind::Engine, "engine");
    let with = |path: &str, header: &str| format!("GET {path} HTTP/1.1\r\nHost: geocep.example\r\n{header}");
    for path in ["/readyz", "/metrics", "/api/v1/rules", "/nowhere"] {
        assert_eq!(status(&server.get(path).await), 401, "{path}");
    }
    for header in
        ["Authorization: Bearer 0123456789abcdeF", "Authorization: Basic 0123456789abcdef", "Authorization: B"]
    {
        let answer = server.ask(&with("/metrics", header)).await;
        assert_eq!(status(&answer), 401, "{header}");
        assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    }
    let right = format!("Authorization: bearer {SECRET}");
    assert_eq!(status(&server.ask(&with("/metrics", &right)).await), 200);
    assert_eq!(status(&server.get("/healthz").await), 200, "a probe has no token");
    engine.failed("something inside");
    assert_eq!(body(&server.get("/healthz").await), "the engine has stopped\n");
    assert!(body(&server.ask(&with("/healthz", &right)).await).contains("something inside"));
}

#[tokio::test]
async fn a_web_page_can_not_read_it_under_a_name_of_its_own() {
    let server = start(false, Limits::default()).await;
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1:80", "localhost@evil.example"]
    {
        let answer = server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: {host}")).await;
        assert!(matches!(status(&answer), 400 | 421), "{host}: {answer}");
    }
    for host in ["localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]:8080"] {
        assert_eq!(status(&server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: {host}")).await), 200, "{host}");
    }
}

#[tokio::test]
async fn an_address_for_everybody_needs_a_token() {
    let state = Arc::new(ApiState::new(Arc::new(Telemetry::new(Arc::new(ManualClock::new(0))))));
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let config = ApiConfig { listen: listen.to_owned(), ..ApiConfig::default() };
        let error = serve(config, Arc::clone(&state), Shutdown::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains(listen) && error.to_string().contains("token"), "{error}");
    }
    let token = Some(Token::new(SECRET).unwrap());
    let config = ApiConfig { listen: "0.0.0.0:0".to_owned(), token, ..ApiConfig::default() };
    let (_, task) = serve(config, state, Shutdown::new()).await.unwrap();
    task.abort();
}

#[tokio::test]
async fn an_address_that_can_not_be_had_is_named_with_advice() {
    let state = Arc::new(ApiState::new(Arc::new(Telemetry::new(Arc::new(ManualClock::new(0))))));
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let config = ApiConfig { listen: listen.clone(), ..ApiConfig::default() };
    let error = serve(config, Arc::clone(&state), Shutdown::new()).await.unwrap_err().to_string();
    assert!(error.contains(&listen) && error.contains("another port"), "{error}");
    let config = ApiConfig { listen: "8080".to_owned(), ..ApiConfig::default() };
    let error = serve(config, state, Shutdown::new()).await.unwrap_err().to_string();
    assert!(error.contains("`8080`") && error.contains("127.0.0.1:8080"), "{error}");
}

#[tokio::test]
async fn who_drips_a_request_is_cut_off() {
    let limits = Limits { patience: Duration::from_millis(200), ..Limits::default() };
    let server = start(false, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let dripped = async {
        let line = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
        for byte in line.iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), dripped).await.expect("the connection is closed");
    assert_eq!(status(&server.get("/healthz").await), 200);
}

#[tokio::test]
async fn connections_that_only_sit_there_hold_others_up_for_no_longer_than_the_patience() {
    let limits = Limits { connections: 2, patience: Duration::from_millis(300), ..Limits::default() };
    let server = start(false, limits).await;
    let _first = TcpStream::connect(server.address).await.unwrap();
    let _second = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let early = timeout(Duration::from_millis(100), server.get("/healthz")).await;
    assert!(early.is_err(), "both places are taken");
    assert_eq!(status(&server.get("/healthz").await), 200);
}

#[tokio::test]
async fn a_long_body_is_refused_unread() {
    let server = start(false, Limits::default()).await;
    let answer = server.ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000").await;
    assert_eq!(status(&answer), 413);
    let answer =
        server.ask(&format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Big: {}", "x".repeat(1 << 20))).await;
    assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
}

#[tokio::test]
async fn a_stop_ends_the_server_even_when_a_client_stays() {
    let limits = Limits { grace: Duration::from_millis(100), ..Limits::default() };
    let server = start(false, limits).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: ").await.unwrap();
    assert_eq!(status(&server.get("/healthz").await), 200);
    server.shutdown.request();
    timeout(Duration::from_secs(5), server.task).await.expect("it ends in time").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn where_there_is_no_room_nothing_of_a_batch_is_taken_and_the_answer_says_when_to_come_again() {
    use crate::{
        io::source::Source,
        runtime::{
            config::{Config, Input},
            connect::Resumption,
            intake::{Door, Doors},
        },
    };
    let text = "sources: { pings: { http: { queue: 60, token: none } } }";
    let config = Config::parse(text, std::path::Path::new(""), &[], &|_| None).unwrap();
    let source = &config.sources["pings"];
    let Input::Http(http) = &source.input else { panic!() };
    let (door, mut reader) = Door::open("pings", source, http, &Resumption::default()).unwrap();
    let telemetry = Arc::new(Telemetry::new(Arc::new(ManualClock::new(0))));
    let state = ApiState::new(Arc::clone(&telemetry)).with_doors(Doors::from([("pings".to_owned(), Arc::new(door))]));
    let config = ApiConfig { listen: "127.0.0.1:0".to_owned(), ..ApiConfig::default() };
    let shutdown = Shutdown::new();
    let (address, task) = serve(config, Arc::new(state), shutdown.clone()).await.unwrap();
    let server = Server { address, task, telemetry, shutdown };
    let post = async |count: usize| {
        let body = "{\"ts\":1,\"lon\":1,\"lat\":2}\n".repeat(count);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/v1/ingest/pings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nConnection: close";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    };
    assert_eq!(status(&post(2).await), 200);
    let full = post(1).await;
    assert_eq!(status(&full), 429, "{full}");
    assert!(full.contains("retry-after: 1\r\n") && body(&full).contains("no line was accepted"), "{full}");
    let mut chunk = crate::wire::Chunk::new();
    reader.pull(&mut chunk, Duration::ZERO).unwrap();
    assert_eq!(chunk.len(), 2, "nothing of the one that was refused");
    assert_eq!(status(&post(1).await), 200);
    drop(reader);
    let closed = post(1).await;
    assert!(status(&closed) == 503 && closed.contains("shutting down"), "{closed}");
    server.shutdown.request();
    server.task.await.unwrap();
}
