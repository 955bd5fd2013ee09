//! The wall clock is set back, and forth: nothing is lost or doubled, and what happens every so often goes on happening.

#![allow(clippy::unwrap_used, clippy::disallowed_types, reason = "a test talks to a real daemon and a real clock")]

use geocep::runtime::{
    clock::{Clock, SystemClock},
    daemon::Daemon,
    project::{Loaded, Request},
    shutdown::Shutdown,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const DAY_MS: i64 = 86_400_000;

/// The machine's clock, whose wall somebody sets.
#[derive(Debug)]
struct Unsteady {
    machine: SystemClock,
    off_ms: AtomicI64,
}

impl Clock for Unsteady {
    fn wall_ms(&self) -> i64 {
        self.machine.wall_ms() + self.off_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Minutes
        expr: |
          FROM pings
          PARTITION BY vehicle
          WINDOW TUMBLING 5 min
          MEASURES count(*) AS n, avg(speed) AS mean
      - alert: Braked
        expr: |
          FROM pings
          WHERE speed < prev(speed) - 40 km/h
          PARTITION BY vehicle
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN last -> !next FOR 90 s
          WITHIN UNBOUNDED
      - alert: Arrived
        expr: |
          FROM pings
          WINDOW TUMBLING 1 s CLOCK WALL
          MEASURES count(*) AS n
";

struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<Unsteady>,
    input: Vec<u8>,
    written: usize,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&mut self, bytes: usize) {
        let end = (self.written + bytes).min(self.input.len());
        let mut file = File::options().append(true).create(true).open(self.path("in.ndjson")).unwrap();
        file.write_all(&self.input[self.written..end]).unwrap();
        self.written = end;
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.path("out.ndjson")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn newest(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path("geocep-state")).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ext| ext == "ckpt")).max()
    }

    fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < Duration::from_secs(60), "not in time: {what}: {} lines", self.lines().len());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a daemon while `meanwhile` does something; it is then asked to stop, or ends by itself.
    fn run(&mut self, overrides: &[&str], stops: bool, meanwhile: impl FnOnce(&mut Self)) {
        let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
        let request = Request { config: Some(self.path("geocep.yaml")), overrides, ..Request::default() };
        let project = Loaded::read(&request).unwrap().check(&BTreeMap::new(), false).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let daemon = Daemon::open(project, BTreeMap::new(), clock).unwrap_or_else(|error| panic!("{error}"));
        let shutdown = Shutdown::new();
        let asked = shutdown.clone();
        let running = thread::spawn(move || daemon.run(&asked).map_err(|error| error.to_string()));
        meanwhile(self);
        if stops {
            shutdown.request();
        }
        running.join().unwrap().unwrap();
    }
}

#[test]
fn a_clock_that_is_set_back_loses_and_doubles_nothing() {
    let city = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/city");
    let clock = Arc::new(Unsteady { machine: SystemClock::new(), off_ms: AtomicI64::new(0) });
    let input = fs::read(city.join("pings.ndjson")).unwrap();
    let mut bench = Bench { dir: tempfile::tempdir().unwrap(), clock, input, written: 0 };
    let config = "
sources:
  pings:
    file: { path: in.ndjson, follow: true, poll: 5 ms }
    idle_timeout: never
    schema: { time: ts, fields: { vehicle: string, status: string, speed: { type: float, unit: km/h } } }
rules: rules.yaml
sinks: { alerts: { file: out.ndjson } }
state: { interval: 20 ms }
api: { enabled: false }
";
    fs::write(bench.path("geocep.yaml"), config).unwrap();
    fs::write(bench.path("rules.yaml"), RULES).unwrap();
    let (share, events) =
        (bench.input.len() / 4, bench.input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count());
    bench.run(&[], true, |bench| {
        for (off_ms, what) in [(-2 * DAY_MS, "two days back"), (DAY_MS, "forth"), (-1_500, "a little back")] {
            let before = bench.lines().len();
            bench.write(share / 2);
            bench.until(what, || bench.lines().len() > before + 5);
            bench.clock.off_ms.store(off_ms, Ordering::Relaxed);
            bench.write(share / 2);
            // Intervals are counted on the other scale.
            let number = bench.newest();
            bench.until("a checkpoint", || bench.newest() > number);
        }
    });
    // The next process lives before the one that wrote the checkpoint.
    bench.clock.off_ms.store(-30 * DAY_MS, Ordering::Relaxed);
    bench.write(usize::MAX / 2);
    bench.run(&["sources.pings.file.follow=false"], false, |_| {});

    let arrived = |line: &&String| line.contains("\"Arrived\"");
    let count = |line: &String| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        alert["properties"]["measures"]["n"].as_u64().unwrap()
    };
    let found = bench.lines();
    assert_eq!(found.iter().filter(arrived).map(count).sum::<u64>(), events as u64, "each event arrived once");
    let mut found: Vec<String> = found.into_iter().filter(|line| !arrived(&line)).collect();
    let rules = RULES.split("      - alert: Arrived").next().unwrap();
    fs::write(bench.path("rules.yaml"), rules).unwrap();
    let mut replay = std::process::Command::new(env!("CARGO_BIN_EXE_geocep"));
    let output = replay.current_dir(bench.dir.path()).args(["replay", "-q", "in.ndjson"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut expected: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    found.sort();
    expected.sort();
    assert!(expected.len() > 200, "{}", expected.len());
    let strange = found.iter().find(|line| !expected.contains(line));
    let lost = expected.iter().find(|line| !found.contains(line));
    assert!(found == expected, "{} and {}: {strange:?} {lost:?}", found.len(), expected.len());
}
