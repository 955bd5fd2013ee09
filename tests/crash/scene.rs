//! A daemon that reads a file which is written to, and is killed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    /// The city's pings, and how much of them was written so far.
    pub(crate) input: Vec<u8>,
    pub(crate) written: usize,
    random: u64,
}

impl Scene {
    pub(crate) fn new(rules: &str) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "
sources:
  pings:
    file: {{ path: in.ndjson, follow: true, poll: 5 ms }}
    disorder: 5 s
    idle_timeout: never
    schema: {{ time: ts, fields: {{ vehicle: string, status: string, speed: {{ type: float, unit: km/h }} }} }}
geofences: {{ airports: '{0}/airports.geojson', zones: '{0}/zones.geojson' }}
rules: [rules.yaml, '{1}']
sinks: {{ alerts: {{ file: out.ndjson }} }}
state: {{ interval: 20 ms }}
api: {{ enabled: false }}
",
            repository.join("fixtures/city").display(),
            repository.join("rules/fleet/fleet.yaml").display(),
        );
        fs::write(dir.path().join("geocep.yaml"), config).unwrap();
        fs::write(dir.path().join("rules.yaml"), rules).unwrap();
        fs::write(dir.path().join("in.ndjson"), "").unwrap();
        let input = fs::read(repository.join("fixtures/city/pings.ndjson")).unwrap();
        let seed = std::env::var("GEOCEP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        Self { dir, input, written: 0, random: seed }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    /// Writes on, not caring for lines.
    pub(crate) fn write(&mut self, bytes: usize) {
        let end = (self.written + bytes).min(self.input.len());
        let mut file = File::options().append(true).open(self.path("in.ndjson")).unwrap();
        file.write_all(&self.input[self.written..end]).unwrap();
        self.written = end;
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_geocep"));
        run.current_dir(self.dir.path()).arg("run").args(arguments).env("GEOCEP_LOG", "info,geocep=debug");
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn checkpoints(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("geocep-state")).into_iter().flatten().filter_map(Result::ok);
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "ckpt"));
        found.sort();
        found
    }

    pub(crate) fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn wait(&self, child: &mut Child) -> i32 {
        let mut code = None;
        self.until("its end", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }

    pub(crate) fn signal(&self, child: &Child) {
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
    }

    pub(crate) fn terminate(&self, child: &mut Child) {
        self.signal(child);
        assert_eq!(self.wait(child), 0, "{}", self.log());
    }

    /// The rest is written, read to its end, and everything fires.
    pub(crate) fn finish(&mut self, arguments: &[&str]) {
        self.write(usize::MAX / 2);
        let mut last = vec!["--set", "sources.pings.file.follow=false"];
        last.extend(arguments);
        let mut child = self.start(&last);
        assert_eq!(self.wait(&mut child), 0, "{}", self.log());
    }

    pub(crate) fn lines(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.path("out.ndjson")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What an uninterrupted run finds.
    pub(crate) fn expected(&self) -> BTreeSet<String> {
        let input = self.path("all.ndjson");
        fs::write(&input, &self.input).unwrap();
        let mut replay = Command::new(env!("CARGO_BIN_EXE_geocep"));
        let output = replay.current_dir(self.dir.path()).args(["replay", "-q"]).arg(&input).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        let (expected, mut found) = (self.expected(), self.lines());
        assert!(expected.len() > 400, "{}", expected.len());
        // A piece of a line that a kill left behind.
        found.retain(|line| line.ends_with('}'));
        let lost: Vec<_> = expected.difference(&found).collect();
        let strange: Vec<_> = found.difference(&expected).collect();
        let counts = (lost.len(), strange.len());
        let text = format!(
            "{:#?}\n{:#?}",
            lost.iter().take(3).collect::<Vec<_>>(),
            strange.iter().take(3).collect::<Vec<_>>()
        );
        assert_eq!(counts, (0, 0), "lost and strange ones of {}: {text}\n{}", expected.len(), self.log());
    }
}
