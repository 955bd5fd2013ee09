//! A real daemon in a directory of its own, that is fed, killed and started again.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TOKEN: &str = "0123456789abcdef";

/// An alert for each event, with the event's number.
pub(crate) const SEEN: &str = "
groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          PARTITION BY id
          MEASURES n
";

/// The schema of its source.
pub(crate) const SCHEMA: &str = "schema: { time: ts, fields: { id: string, n: int } }";

pub(crate) fn ping(n: u64) -> String {
    // All at one time: who posts at once doesn't know who is first, and nobody is late.
    format!("{{\"ts\":1000000,\"id\":\"v{}\",\"n\":{n},\"lon\":1,\"lat\":2}}\n", n % 7)
}

/// A directory with a configuration and rules.
pub(crate) struct Scene {
    pub(crate) dir: PathBuf,
    _own: Option<tempfile::TempDir>,
    random: Cell<u64>,
}

impl Scene {
    pub(crate) fn new(config: &str, rules: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let scene = Self { dir: own.path().to_owned(), _own: Some(own), random: Cell::new(1) };
        fs::write(scene.path("geocep.yaml"), config).unwrap();
        fs::write(scene.path("rules.yaml"), rules).unwrap();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn random(&self, below: u64) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random.set(next);
        (next >> 33) % below.max(1)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Daemon<'_> {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let from = self.log().len();
        let mut run = Command::new(env!("CARGO_BIN_EXE_geocep"));
        run.current_dir(&self.dir).arg("run").args(arguments).env("GEOCEP_LOG", "info,geocep=debug");
        let child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { scene: self, child, from }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The alerts in `out.ndjson`: distinct lines, and of the whole ones the events' numbers.
    pub(crate) fn alerts(&self) -> (BTreeSet<String>, BTreeSet<u64>) {
        self.alerts_of("out.ndjson")
    }

    fn alerts_of(&self, name: &str) -> (BTreeSet<String>, BTreeSet<u64>) {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let lines: BTreeSet<String> = text.lines().filter(|line| line.ends_with('}')).map(str::to_owned).collect();
        let number = |line: &String| {
            let alert: serde_json::Value = serde_json::from_str(line).ok()?;
            alert.pointer("/properties/measures/n").and_then(serde_json::Value::as_u64)
        };
        let numbers = lines.iter().filter_map(number).collect();
        (lines, numbers)
    }

    pub(crate) fn numbers_of(&self, name: &str) -> BTreeSet<u64> {
        self.alerts_of(name).1
    }

    pub(crate) fn numbers(&self) -> BTreeSet<u64> {
        self.alerts().1
    }
}

/// Killed when it is dropped.
pub(crate) struct Daemon<'a> {
    scene: &'a Scene,
    child: Child,
    /// Where its part of the log begins.
    from: usize,
}

impl Daemon<'_> {
    pub(crate) fn log(&self) -> String {
        self.scene.log()[self.from..].to_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn api(&self) -> String {
        self.scene.until("the API listens", || {
            let log = self.log();
            let (_, rest) = log.split_once("http://")?;
            rest.contains('\n').then(|| rest.split_whitespace().next().unwrap().to_owned())
        })
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(&mut self) -> i32 {
        let status = self.scene.until("its end", || self.child.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }

    pub(crate) fn signal(&self) {
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status().unwrap().success());
    }

    pub(crate) fn terminate(mut self) {
        self.signal();
        assert_eq!(self.wait(), 0, "{}", self.log());
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request, and the whole answer if there is one.
pub(crate) fn ask(address: &str, head: &str, body: &[u8]) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    // Who refuses a body may not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

/// Posts lines; the status, if there was an answer.
pub(crate) fn post(address: &str, lines: &str) -> Option<(u16, String)> {
    let head = format!(
        "POST /api/v1/ingest/pings HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/x-ndjson"
    );
    ask(address, &head, lines.as_bytes())
}

pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}"), b"").unwrap()
}
