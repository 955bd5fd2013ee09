//! `geocep run` as people run it: the real binary, real files and pipes, real signals, a real socket.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test talks to people and to a real clock, and fails by panicking"
)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A directory with a configuration and rules.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(config: &str, rules: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(place.path("geocep.yaml"), config).unwrap();
        fs::write(place.path("rules.yaml"), rules).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = File::options().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self, command: &str) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_geocep"));
        run.current_dir(self.dir.path()).arg(command).env_remove("GEOCEP_LOG");
        run
    }

    fn run(&self, arguments: &[&str]) -> Running {
        Running::start(self.command("run").args(arguments))
    }

    /// Runs to the end: exit code, output, messages.
    fn ends(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command("run").args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

/// A daemon; killed when it is dropped.
struct Running {
    child: Child,
    messages: Arc<Mutex<String>>,
    output: Arc<Mutex<String>>,
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            shared.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    text
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let messages = collect(child.stderr.take().unwrap());
        let output = collect(child.stdout.take().unwrap());
        Self { child, messages, output }
    }

    fn messages(&self) -> String {
        self.messages.lock().unwrap().clone()
    }

    fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Where its API listens.
    fn api(&self) -> String {
        self.until("the API listens", || {
            let messages = self.messages();
            messages.split_once("http://").map(|(_, rest)| rest.split_whitespace().next().unwrap().to_owned())
        })
    }

    fn get(&self, address: &str, path: &str) -> (u16, String) {
        self.get_with(address, path, "")
    }

    fn get_with(&self, address: &str, path: &str, header: &str) -> (u16, String) {
        self.ask("GET", address, path, header)
    }

    fn ask(&self, method: &str, address: &str, path: &str, header: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Waits for something.
    fn until<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        self.within(PATIENCE, found).unwrap_or_else(|| panic!("not in time: {what}\n{}", self.messages()))
    }

    fn within<T>(&self, patience: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(found) = found() {
                return Some(found);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it said last is still on its way.
                thread::sleep(Duration::from_millis(100));
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it doesn't end:\n{}", self.messages());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn city(source: &str, more: &str) -> String {
    let at = |path: &str| repository(path).display().to_string();
    format!(
        "schemas:
  ping: {{ time: ts, fields: {{ vehicle: string, status: string, speed: {{ type: float, unit: km/h }} }} }}
sources:
  pings: {{ schema: ping, {source} }}
geofences: {{ airports: '{}', zones: '{}' }}
rules: ['{}']
api: {{ listen: '127.0.0.1:0' }}
{more}
",
        at("fixtures/city/airports.geojson"),
        at("fixtures/city/zones.geojson"),
        at("rules/fleet/fleet.yaml"),
    )
}

/// What replay says about the same configuration and the city's pings.
fn replayed(place: &Place) -> String {
    let pings = repository("fixtures/city/pings.ndjson");
    let output = place.command("replay").arg("-q").arg(pings).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const SEEN: &str = "
groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          PARTITION BY id
";

const SILENT: &str = "
groups:
  - name: g
    rules:
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN last -> !next FOR 1500 ms
          WITHIN UNBOUNDED
";

fn ping(id: &str, ts: i64) -> String {
    format!("{{\"ts\":{ts},\"id\":\"{id}\",\"lon\":1.5,\"lat\":2.5}}\n")
}

#[test]
fn what_is_piped_in_gives_the_alerts_of_a_replay() {
    let place = Place::new(&city("stdin: {}", ""), "");
    let expected = replayed(&place);
    assert!(expected.lines().count() > 5, "{expected}");
    for shards in ["1", "3"] {
        let mut run = place.run(&["--set", &format!("engine.shards={shards}")]);
        let pings = fs::read(repository("fixtures/city/pings.ndjson")).unwrap();
        let mut stdin = run.child.stdin.take().unwrap();
        // In two pieces, one of which ends within a line.
        let (head, tail) = pings.split_at(pings.len() / 3);
        stdin.write_all(head).unwrap();
        thread::sleep(Duration::from_millis(300));
        stdin.write_all(tail).unwrap();
        drop(stdin);
        assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
        assert_eq!(sorted(&run.output()), sorted(&expected));
        assert!(run.messages().contains("pings: 3146 events"), "{}", run.messages());
    }
}

#[test]
fn files_that_end_are_drained_into_all_sinks() {
    let sinks = "sinks: { alerts: [stdout, { file: out/alerts.ndjson }], dead_letter: out/dead.ndjson }";
    let pings = repository("fixtures/city/pings.ndjson");
    let place = Place::new(&city(&format!("file: '{}'", pings.display()), sinks), "");
    let (code, output, messages) = place.ends(&[]);
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(sorted(&output), sorted(&replayed(&place)));
    // A directory that didn't exist.
    assert_eq!(place.read("out/alerts.ndjson"), output);
    assert_eq!(place.read("out/dead.ndjson"), "");
}

#[test]
fn killed_at_any_moment_and_run_again_it_loses_no_alert_and_tears_no_line() {
    let place = Place::new(&city("stdin: {}", "sinks: { alerts: { file: out.ndjson } }"), "");
    let expected = sorted(&replayed(&place));
    let pings = fs::read(repository("fixtures/city/pings.ndjson")).unwrap();
    for (round, share) in [3, 5, 7, 9].into_iter().enumerate() {
        let mut run = place.run(&[]);
        let mut stdin = run.child.stdin.take().unwrap();
        stdin.write_all(&pings[..pings.len() * share / 10]).unwrap();
        // Each round a little later: while it starts, while it matches, while it writes.
        thread::sleep(Duration::from_millis(40 + 90 * round as u64));
        run.child.kill().unwrap();
        run.wait();
    }
    let torn = "{\"type\":\"Feat";
    place.append("out.ndjson", torn);
    let mut run = place.run(&[]);
    run.child.stdin.take().unwrap().write_all(&pings).unwrap();
    assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
    // What was written more than once is the same line with the same id.
    let mut found = sorted(&place.read("out.ndjson"));
    found.retain(|line| !expected.iter().any(|whole| whole.starts_with(line.as_str()) && whole != line));
    found.dedup();
    assert_eq!(found, expected);
}

#[test]
fn several_sources_give_the_alerts_of_a_replay_with_any_number_of_shards() {
    let place = Place::new("{}", SEEN);
    let config = repository("fixtures/city/geocep.yaml").display().to_string();
    let replay = place.command("replay").args(["-q", "-c", &config]).output().unwrap();
    let expected = sorted(&String::from_utf8(replay.stdout).unwrap());
    assert!(expected.len() > 20);
    for shards in ["1", "2", "8"] {
        let shards = format!("engine.shards={shards}");
        let (code, output, messages) = place.ends(&[
            "-c",
            &config,
            "--set",
            "api.enabled=false",
            "--set",
            "state.enabled=false",
            "--set",
            &shards,
        ]);
        assert_eq!(code, Some(0), "{messages}");
        assert_eq!(sorted(&output), expected);
    }
}

#[test]
fn a_file_that_grows_is_followed_until_a_signal_ends_it() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true, poll: 20 ms }, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson }, dead_letter: dead.ndjson }
api: { enabled: false }
";
    for signal in ["TERM", "INT"] {
        let place = Place::new(config, SEEN);
        let mut run = place.run(&[]);
        for (count, id) in (1..).zip(["a", "b", "c"]) {
            place.append("in.ndjson", &ping(id, 1_000_000 * count));
            let found = || (place.read("out.ndjson").lines().count() == count as usize).then_some(());
            run.until("an alert", found);
        }
        place.append("in.ndjson", "nonsense\n");
        run.until("a dead letter", || place.read("dead.ndjson").contains("nonsense").then_some(()));
        run.signal(signal);
        assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
        let alerts = place.read("out.ndjson");
        assert_eq!(alerts.lines().count(), 3);
        assert!(alerts.ends_with('\n') && alerts.contains("\"Seen\""), "{alerts}");
        assert!(run.messages().contains("pings: 3 events, 1 rejected as syntax"), "{}", run.messages());
    }
}

#[test]
fn an_absence_fires_on_a_quiet_stream_by_the_wall_clock() {
    let config = "
sources:
  pings:
    file: { path: in.ndjson, follow: true, poll: 20 ms }
    disorder: 200 ms
    idle_timeout: 300 ms
    schema: { fields: { id: string } }
rules: rules.yaml
api: { enabled: false }
";
    let place = Place::new(config, SILENT);
    // Long ago: what counts is how much time passes, not what the wall says.
    place.append("in.ndjson", &(ping("a", 1_000_000_000_000) + &ping("b", 1_000_000_001_000)));
    let began = Instant::now();
    let mut run = place.run(&[]);
    run.until("both alerts", || (run.output().lines().count() == 2).then_some(()));
    assert!(began.elapsed() >= Duration::from_millis(1_400), "{:?}", began.elapsed());
    let alerts = run.output();
    let times: Vec<&str> = alerts.lines().map(|line| line.split("\"end\":\"").nth(1).unwrap()).collect();
    assert!(times[0].starts_with("2001-09-09T01:46:41.5"), "{alerts}");
    assert!(times[1].starts_with("2001-09-09T01:46:42.5"), "{alerts}");
    // It comes back: not late, and silent again.
    place.append("in.ndjson", &ping("a", 1_000_000_600_000));
    run.until("a third alert", || (run.output().lines().count() == 3).then_some(()));
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0));
    assert!(!run.messages().contains(" late "), "{}", run.messages());
    // The same that a replay finds at its end.
    let output = place.command("replay").args(["-q", "in.ndjson"]).output().unwrap();
    let replayed = String::from_utf8(output.stdout).unwrap();
    assert_ne!(replayed, run.output(), "what fired them is told");
    assert_eq!(sorted(&replayed), sorted(&run.output().replace("\"clock\":\"wall\"", "\"clock\":\"event\"")));

    // Where silence is never idleness, nothing fires.
    let run = place.run(&["--set", "sources.pings.idle_timeout=never"]);
    let alerts = run.within(Duration::from_secs(3), || (run.output().lines().count() > 2).then_some(()));
    assert!(alerts.is_none(), "{}", run.output());
}

#[test]
fn one_quiet_partition_does_not_hold_the_others_back() {
    let config = "
sources:
  pings:
    file: { path: in, follow: true, poll: 20 ms }
    idle_timeout: 500 ms
    schema: { fields: { id: string } }
rules: rules.yaml
api: { enabled: false }
";
    let place = Place::new(config, SEEN);
    fs::create_dir(place.path("in")).unwrap();
    place.append("in/quiet.ndjson", &ping("q", 1_000));
    place.append("in/busy.ndjson", &ping("b", 2_000));
    let run = place.run(&[]);
    run.until("the first", || run.output().contains("\"q\"").then_some(()));
    for ts in 3..200 {
        place.append("in/busy.ndjson", &ping("b", ts * 1_000));
        thread::sleep(Duration::from_millis(10));
    }
    run.until("the others", || (run.output().lines().count() == 199).then_some(()));
}

#[test]
fn health_and_figures_are_told_over_http() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true, poll: 20 ms }, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson } }
api: { listen: '127.0.0.1:0' }
";
    let place = Place::new(config, SEEN);
    let text: String = (0..50).map(|at| ping("a", 1_000_000_000_000 + at)).collect();
    place.append("in.ndjson", &(text + "{\n"));
    let mut run = place.run(&[]);
    let api = run.api();
    run.until("readiness", || (run.get(&api, "/readyz").0 == 200).then_some(()));
    assert_eq!(run.get(&api, "/healthz").0, 200);
    let line = |name: &str| {
        let metrics = run.get(&api, "/metrics").1;
        metrics.lines().find(|line| line.starts_with(name)).map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    let is = |name: &str, value: &str| {
        run.until(&format!("{name} {value}"), || (line(name).as_deref() == Some(value)).then_some(()));
    };
    is("geocep_events_total{stream=\"pings\"}", "50");
    is("geocep_rejected_total{stream=\"pings\",reason=\"syntax\"}", "1");
    is("geocep_alerts_total{rule=\"Seen\",status=\"firing\"}", "50");
    is("geocep_sink_written_total", "50");
    is("geocep_component_ready{kind=\"engine\",name=\"engine\"}", "1");
    assert!(line("geocep_waiting_events").is_some());
    assert!(line("geocep_watermark_held_back_info{stream=\"pings\",partition=\"0\"}").is_some());
    assert!(line("geocep_processing_seconds_count").is_some_and(|count| count != "0"));
    let (status, rules) = run.get(&api, "/api/v1/rules");
    assert!(status == 200 && rules.contains("\"outputs\":50"), "{rules}");

    // A second daemon can't have the port.
    let (code, _, messages) = place.ends(&["--set", &format!("api.listen={api}"), "--set", "state.dir=other"]);
    assert!(code == Some(2) && messages.contains("choose another port"), "{messages}");
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0));
    assert!(TcpStream::connect(&api).is_err());
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_told_and_does_not_hold_up_a_stop() {
    let config = "
sources:
  pings: { kafka: { brokers: '127.0.0.1:1', topic: pings }, schema: { fields: { id: string } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson } }
api: { listen: '127.0.0.1:0' }
";
    let place = Place::new(config, SEEN);
    let mut run = place.run(&[]);
    let api = run.api();
    run.until("the trouble", || {
        let (status, parts) = run.get(&api, "/readyz");
        (status == 503 && parts.contains("retrying") && parts.contains("pings")).then_some(())
    });
    assert_eq!(run.get(&api, "/healthz").0, 200);
    run.signal("TERM");
    let began = Instant::now();
    assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn without_a_schema_a_file_that_is_still_empty_can_be_followed() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true, poll: 20 ms } } }
rules: rules.yaml
api: { enabled: false }
";
    let place = Place::new(config, SEEN);
    for empty in [false, true] {
        if empty {
            fs::write(place.path("in.ndjson"), "").unwrap();
        }
        let run = place.run(&[]);
        thread::sleep(Duration::from_millis(200));
        place.append("in.ndjson", &ping("a", 1_000));
        run.until("an alert", || run.output().contains("\"Seen\"").then_some(()));
    }
}

#[test]
fn a_token_opens_the_api_and_is_never_shown() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true }, schema: { fields: { id: string } } } }
rules: rules.yaml
api: { listen: '127.0.0.1:0', token: '${GEOCEP_TOKEN}' }
";
    const TOKEN: &str = "a-token-of-more-than-16";
    let place = Place::new(config, SEEN);
    let mut run = Running::start(place.command("run").env("GEOCEP_TOKEN", TOKEN).env("GEOCEP_LOG", "trace"));
    let api = run.api();
    assert_eq!(run.get(&api, "/metrics").0, 401);
    assert_eq!(run.get_with(&api, "/metrics", &format!("Authorization: Bearer {TOKEN}\r\n")).0, 200);
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0));
    assert!(!run.messages().contains(TOKEN), "{}", run.messages());

    let ends = |arguments: &[&str]| {
        let (code, _, messages) = place.ends(arguments);
        assert_eq!(code, Some(2), "{messages}");
        messages
    };
    assert!(ends(&["--set", "api.token=short"]).contains("16 to 1024"));
    assert!(!ends(&["--set", "api.token=12345678901234567890"]).contains("1234567"));
    let open = ends(&["--set", "api.token=", "--set", "api.listen=0.0.0.0:0"]);
    assert!(open.contains("set a token"), "{open}");
}

#[test]
fn a_sink_that_can_not_be_written_is_told_at_once() {
    let config = "
sources: { pings: { stdin: } }
rules: rules.yaml
api: { enabled: false }
";
    let place = Place::new(config, SEEN);
    fs::write(place.path("file"), "").unwrap();
    for (set, what) in [
        ("sinks.alerts={ file: file/alerts.ndjson }", "a sink of alerts: can't write"),
        ("sinks.late=file/late.ndjson", "a sink of late events: can't write"),
        ("sinks.dead_letter=file/dead.ndjson", "a sink of dead letters: can't write"),
    ] {
        let (code, output, messages) = place.ends(&["--set", set]);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{messages}");
        assert!(messages.contains(what) && messages.contains("file/"), "{messages}");
    }
}

#[test]
fn a_sink_that_fails_is_tried_again_and_does_not_block_the_others() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let config = "
sources: { pings: { stdin: {}, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: [{ file: /dev/full }, { file: out.ndjson }] }
api: { listen: '127.0.0.1:0' }
";
    let place = Place::new(config, SEEN);
    let mut run = place.run(&[]);
    let api = run.api();
    let mut stdin = run.child.stdin.take().unwrap();
    stdin.write_all((ping("a", 1_000) + &ping("b", 2_000)).as_bytes()).unwrap();
    run.until("both alerts", || (place.read("out.ndjson").lines().count() == 2).then_some(()));
    run.until("the trouble", || {
        let (status, parts) = run.get(&api, "/readyz");
        (status == 503 && parts.contains("retrying") && parts.contains("/dev/full")).then_some(())
    });
    let metrics = run.get(&api, "/metrics").1;
    assert!(metrics.contains("geocep_sink_written_total{sink=\"/dev/full\"} 0"), "{metrics}");
    drop(stdin);
    // What couldn't be written is told, in the end.
    assert_eq!(run.wait().code(), Some(1));
    assert!(run.messages().contains("the sink `/dev/full` did not take 2 lines"), "{}", run.messages());
}

#[test]
fn a_reader_that_goes_away_ends_it_cleanly() {
    let config = "
sources: { pings: { stdin: {}, schema: { fields: { id: string } } } }
rules: rules.yaml
api: { enabled: false }
";
    let place = Place::new(config, SEEN);
    let mut run = place.command("run");
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let messages = collect(child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ping("a", 1_000).as_bytes()).unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    drop(output);
    // The pipe stays open: it is the missing reader that ends it.
    let began = Instant::now();
    let mut ts = 2_000;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < PATIENCE);
        let _ = stdin.write_all(ping("a", ts).as_bytes());
        ts += 1_000;
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0), "{}", messages.lock().unwrap());
    assert!(first.contains("\"Seen\""), "{first}");
}

#[test]
fn late_events_go_to_their_sink() {
    let config = "
sources: { pings: { stdin: {}, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson }, late: late.ndjson }
api: { enabled: false }
";
    let place = Place::new(config, SEEN);
    let mut run = place.run(&[]);
    let mut stdin = run.child.stdin.take().unwrap();
    stdin.write_all((ping("a", 5_000) + &ping("b", 2_000)).as_bytes()).unwrap();
    drop(stdin);
    assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
    assert_eq!((place.read("out.ndjson").lines().count(), place.read("late.ndjson").lines().count()), (1, 1));
    assert!(place.read("late.ndjson").contains("\\\"b\\\"") || place.read("late.ndjson").contains("\"b\""));
}

#[test]
fn mistakes_in_the_configuration_are_told_with_advice() {
    let good = "{ sources: { pings: { stdin: } }, rules: rules.yaml, api: { enabled: false } }";
    let cases: BTreeMap<&str, (&str, i32, &str)> = BTreeMap::from([
        ("an unknown key", ("{ sinks: { alrts: stdout } }", 2, "did you mean `alerts`")),
        ("no YAML", ("{ sources: ", 2, "error: ")),
        ("no rules", ("{ sources: { pings: { stdin: } } }", 2, "under `rules:`")),
        ("no such file", ("{ sources: { pings: { file: no.ndjson } }, rules: rules.yaml }", 2, "no.ndjson")),
        ("no source", ("{ sources: { pongs: { stdin: } }, rules: rules.yaml }", 1, "pings")),
        ("no variable", ("{ rules: rules.yaml, api: { token: '${GEOCEP_NOT_SET}' } }", 2, "GEOCEP_NOT_SET")),
    ]);
    for (what, (config, expected, message)) in cases {
        let (code, output, messages) = Place::new(config, SEEN).ends(&[]);
        assert_eq!((code, output.as_str()), (Some(expected), ""), "{what}: {messages}");
        assert!(messages.contains(message), "{what}: {messages}");
    }
    let place = Place::new(good, SEEN);
    let (code, _, messages) = place.ends(&["-c", "other.yaml"]);
    assert!(code == Some(2) && messages.contains("other.yaml"), "{messages}");
    let two = "sources.more={ stdin: {} }";
    let rules = SEEN.replace("FROM pings", "FROM pings, more");
    let (code, _, messages) = Place::new(good, &rules).ends(&["--set", two]);
    assert!(code == Some(2) && messages.contains("both read stdin"), "{messages}");
    fs::remove_file(place.path("geocep.yaml")).unwrap();
    let (code, _, messages) = place.ends(&[]);
    assert!(code == Some(2) && messages.contains("there is no `geocep.yaml` here"), "{messages}");
    let (code, _, messages) = Place::new(good, "groups: 3").ends(&[]);
    assert!(code == Some(1) && messages.contains("rules.yaml"), "{messages}");
}

/// Rules that come and go beside those of the fleet; the third edition is wrong.
const EDITIONS: [&str; 4] = [
    "
groups:
  - name: beside
    rules:
      - alert: Beside
        expr: |
          FROM pings
          WHERE speed > 60 km/h
          PARTITION BY vehicle
          PATTERN x{2}
          WITHIN 5 min
",
    "
groups:
  - name: beside
    rules:
      - stream: aaa
        expr: |
          FROM pings
          PARTITION BY status
          WINDOW TUMBLING 1 min
          MEASURES count(*) AS n
      - alert: Beside
        expr: |
          FROM aaa
          PARTITION BY status
          PATTERN x{3}
          WITHIN 5 min
",
    "
groups:
  - name: beside
    rules:
      - alert: Beside
        expr: |
          FROM pings
          WHERE sped > 60 km/h
          PARTITION BY vehicle
",
    "
groups:
  - name: beside
    rules:
      - alert: Zzz
        expr: |
          FROM pings
          WHERE inside(airports)
          PARTITION BY vehicle
",
];

/// `GEOCEP_RELOADS` says how many; 100 is the long form.
#[test]
fn reloaded_under_load_no_event_is_lost_and_the_other_rules_put_out_what_they_always_do() {
    let token = "0123456789abcdef";
    let place = Place::new(&city("stdin: {}", "reload: { watch: never }"), "");
    let (config, fleet) = (place.read("geocep.yaml"), repository("rules/fleet/fleet.yaml"));
    let expected = sorted(&replayed(&place));
    let rules = format!("rules: ['{}']", fleet.display());
    assert!(config.contains(&rules), "{config}");
    let api = format!("api: {{ listen: '127.0.0.1:0', token: '{token}' }}");
    let config = config.replace(&rules, &format!("rules: [beside.yaml, '{}']", fleet.display()));
    fs::write(place.path("geocep.yaml"), config.replace("api: { listen: '127.0.0.1:0' }", &api)).unwrap();
    let rounds = std::env::var("GEOCEP_RELOADS").ok().and_then(|text| text.parse().ok()).unwrap_or(10usize);
    let pings = fs::read(repository("fixtures/city/pings.ndjson")).unwrap();
    for shards in ["1", "3"] {
        fs::write(place.path("beside.yaml"), EDITIONS[0]).unwrap();
        let mut run = place.run(&["--set", &format!("engine.shards={shards}")]);
        let api = run.api();
        let header = format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\n");
        let mut stdin = run.child.stdin.take().unwrap();
        // Pieces end anywhere, and the next one is written while the one before is worked on.
        for (round, piece) in pings.chunks(pings.len() / rounds + 1).enumerate() {
            stdin.write_all(piece).unwrap();
            let edition = (round + 1) % EDITIONS.len();
            fs::write(place.path("beside.yaml"), EDITIONS[edition]).unwrap();
            let (status, answer) = run.ask("POST", &api, "/api/v1/reload", &header);
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            if edition == 2 {
                assert_eq!(status, 422, "{answer}");
                let error = answer["error"].as_str().unwrap();
                assert!(error.contains("beside.yaml:8:17") && error.contains("did you mean `speed`"), "{error}");
            } else {
                assert_eq!(status, 200, "{answer}");
                assert!(answer["kept"].as_u64().unwrap() > 4, "{answer}");
            }
        }
        drop(stdin);
        assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
        let mut found = sorted(&run.output());
        let beside = |line: &String| line.contains("\"rule\":\"Beside\"") || line.contains("\"rule\":\"Zzz\"");
        assert!(found.iter().any(beside), "the others did run");
        found.retain(|line| !beside(line));
        assert!(found == expected, "{} lines became {}", expected.len(), found.len());
        assert!(run.messages().contains("pings: 3146 events"), "{}", run.messages());
    }
}

#[test]
fn files_that_change_and_a_hangup_bring_other_rules() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true, poll: 20 ms }, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson } }
api: { listen: '127.0.0.1:0' }
reload: { watch: 50 ms }
";
    let place = Place::new(config, SEEN);
    place.append("in.ndjson", &ping("a", 1_000_000));
    let mut run = place.run(&[]);
    let api = run.api();
    let alerts = |rule: &str| place.read("out.ndjson").matches(&format!("\"rule\":\"{rule}\"")).count();
    run.until("an alert", || (alerts("Seen") == 1).then_some(()));
    let metric = |name: &str| {
        let metrics = run.get(&api, "/metrics").1;
        metrics.lines().find(|line| line.starts_with(name)).map(str::to_owned)
    };
    let before = metric("geocep_rules_info");
    fs::write(place.path("rules.yaml"), SEEN.replace("Seen", "Other")).unwrap();
    let reloads = |count: u32| run.messages().matches("rules reloaded").count() as u32 >= count;
    run.until("the file's change", || reloads(1).then_some(()));
    place.append("in.ndjson", &ping("a", 2_000_000));
    run.until("another alert", || (alerts("Other") == 1).then_some(()));
    assert_eq!(alerts("Seen"), 1);
    assert_ne!(metric("geocep_rules_info"), before);
    // A mistake is told and changes nothing.
    fs::write(place.path("rules.yaml"), SEEN.replace("PARTITION", "PARTITON")).unwrap();
    run.until("a refusal", || run.messages().contains("reload refused").then_some(()));
    assert!(run.messages().contains("did you mean"), "{}", run.messages());
    run.until("the figure", || (metric("geocep_reload_ok").as_deref() == Some("geocep_reload_ok 0")).then_some(()));
    place.append("in.ndjson", &ping("a", 3_000_000));
    run.until("one more alert", || (alerts("Other") == 2).then_some(()));
    run.signal("HUP");
    run.until("a second refusal", || (run.messages().matches("reload refused").count() == 2).then_some(()));
    fs::write(place.path("rules.yaml"), SEEN).unwrap();
    run.signal("HUP");
    run.until("the hangup's reload", || reloads(2).then_some(()));
    assert_eq!(run.ask("POST", &api, "/api/v1/reload", "").0, 403, "nobody configured a token");
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
}

#[test]
fn a_shadows_alerts_go_to_its_own_sinks_until_it_is_made_active() {
    let config = "
sources: { pings: { file: { path: in.ndjson, follow: true, poll: 20 ms }, schema: { fields: { id: string } } } }
rules: rules.yaml
sinks: { alerts: [{ file: out.ndjson }], shadow: [{ file: shadow.ndjson }] }
api: { listen: '127.0.0.1:0' }
reload: { watch: never }
";
    let rules =
        |mode: &str| SEEN.replace("      - alert: Seen\n", &format!("      - alert: Seen\n        mode: {mode}\n"));
    let place = Place::new(config, &rules("shadow"));
    place.append("in.ndjson", &ping("a", 1_000_000));
    let mut run = place.run(&[]);
    let api = run.api();
    let lines = |file: &str| place.read(file).lines().count();
    run.until("a shadow's alert", || (lines("shadow.ndjson") == 1).then_some(()));
    assert!(run.get(&api, "/api/v1/rules").1.contains("\"mode\":\"shadow\""));
    fs::write(place.path("rules.yaml"), rules("active")).unwrap();
    run.signal("HUP");
    run.until("the reload", || run.messages().contains("rules reloaded").then_some(()));
    assert!(run.messages().contains("kept=1"), "{}", run.messages());
    place.append("in.ndjson", &ping("a", 2_000_000));
    run.until("an alert", || (lines("out.ndjson") == 1).then_some(()));
    fs::write(place.path("rules.yaml"), rules("off")).unwrap();
    run.signal("HUP");
    run.until("the second reload", || (run.messages().matches("rules reloaded").count() == 2).then_some(()));
    place.append("in.ndjson", &ping("a", 3_000_000));
    let events = || run.get(&api, "/metrics").1.contains("geocep_events_total{stream=\"pings\"} 3");
    run.until("the third event", || events().then_some(()));
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0), "{}", run.messages());
    assert_eq!((lines("shadow.ndjson"), lines("out.ndjson")), (1, 1));

    fs::write(place.path("rules.yaml"), rules("shadow")).unwrap();
    let output = place.command("replay").args(["-q", "--shadow", "aside.ndjson"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines("aside.ndjson"), 3);
}
