//! Bad input through the built program: clear messages, nothing lost but counted, no panic.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test may fail, and say why it did nothing"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad")
}

/// A directory with a configuration, a rule that gives an alert for each event, and one that reads `speed` as well.
struct Bench {
    dir: TempDir,
}

/// What came of a replay.
struct Outcome {
    code: i32,
    alerts: usize,
    dead: Vec<serde_json::Value>,
    dead_bytes: u64,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Times in the files go back and forth; what is late is another matter.
        let config = "sources:\n  pings:\n    file: unread\n    disorder: 1000d\n    schema:\n      time: ts\n      \
                      position: { lon: lon, lat: lat }\n      fields: { id: string, speed: float }\n";
        fs::write(dir.path().join("geocep.yaml"), config).unwrap();
        for (name, measure) in [("plain", "time AS at"), ("speed", "speed")] {
            let expr = format!("FROM pings\n          PARTITION BY id\n          MEASURES {measure}");
            let rules = format!(
                "groups:\n  - name: test\n    rules:\n      - alert: Seen\n        expr: |\n          {expr}\n"
            );
            fs::write(dir.path().join(format!("{name}.yaml")), rules).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn geocep(&self, args: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_geocep")).args(args).current_dir(self.dir.path()).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        output
    }

    /// Replays a file with the rules of this name.
    fn replay(&self, rules: &str, file: &Path, more: &[&str]) -> Outcome {
        let (alerts, dead) = (self.path("alerts"), self.path("dead"));
        let rules = self.path(&format!("{rules}.yaml")).display().to_string();
        let stream = format!("pings={}", file.display());
        let (alerts_text, dead_text) = (alerts.display().to_string(), dead.display().to_string());
        let mut args = vec!["replay", "--rules", &rules, "--stream", &stream, "--alerts", &alerts_text];
        args.extend(["--dead-letter", &dead_text]);
        args.extend(more);
        let output = self.geocep(&args);
        let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        Outcome {
            code: output.status.code().unwrap(),
            alerts: lines(&alerts).lines().count(),
            dead: lines(&dead).lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            dead_bytes: fs::metadata(&dead).map_or(0, |file| file.len()),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The rows of the table of event files in the fixtures' README: file, good, bad, bad if `speed` is read.
fn table() -> Vec<(String, Option<usize>, Option<usize>, Option<usize>)> {
    let text = fs::read_to_string(fixtures().join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, file, good, bad, more, _, _] = cells[..] else { return None };
        let file = file.strip_prefix('`')?.strip_suffix('`')?;
        Some((file.to_owned(), good.parse().ok(), bad.parse().ok(), more.parse().ok()))
    });
    rows.collect()
}

#[test]
fn good_lines_go_on_and_bad_ones_are_counted_as_the_table_says() {
    let bench = Bench::new();
    let mut tried = 0;
    for (file, good, bad, more) in table() {
        let (Some(good), Some(bad), Some(more)) = (good, bad, more) else { continue };
        tried += 1;
        for (rules, good, bad) in [("plain", good + more, bad), ("speed", good, bad + more)] {
            let outcome = bench.replay(rules, &fixtures().join(&file), &[]);
            assert_eq!(
                (outcome.code, outcome.alerts, outcome.dead.len()),
                (0, good, bad),
                "{file} with {rules}: code, good, bad\n{}",
                outcome.stderr
            );
            assert!(outcome.stderr.contains(&format!("pings: {good} events")), "{file}: {}", outcome.stderr);
            let counts = outcome.stderr.lines().find(|line| line.starts_with("pings: ")).unwrap();
            let rejected: usize = counts
                .split(", ")
                .filter_map(|part| part.split_once(" rejected as "))
                .map(|(count, _)| count.parse::<usize>().unwrap())
                .sum();
            assert_eq!(rejected, bad, "{file}: {counts}");
            for letter in &outcome.dead {
                assert_eq!(letter["source"], "pings", "{letter}");
                assert!(letter["reason"].is_string() && letter["offset"].is_u64(), "{letter}");
            }
        }
    }
    assert!(tried >= 11, "the table is not where this test looks: {tried} rows");
}

#[test]
fn files_without_a_fixed_number_are_at_least_read_whole_and_the_same_each_time() {
    let bench = Bench::new();
    // (file, events and rejected records): a record of the CSV file may be several lines.
    for (file, good, bad) in [("duplicate_keys.ndjson", 5, 0), ("bad.csv", 5, 4)] {
        for _ in 0..2 {
            let outcome = bench.replay("plain", &fixtures().join(file), &[]);
            let found = (outcome.code, outcome.alerts, outcome.dead.len());
            assert_eq!(found, (0, good, bad), "{file}\n{}", outcome.stderr);
        }
    }
}

#[test]
fn compressed_data_that_is_cut_off_delivers_what_was_read_and_says_so() {
    let outcome = Bench::new().replay("plain", &fixtures().join("truncated.ndjson.gz"), &[]);
    assert_eq!((outcome.code, outcome.alerts, outcome.dead.len()), (1, 241, 0));
    assert!(outcome.stderr.contains("is cut off"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("pings: 241 events"), "{}", outcome.stderr);
}

#[test]
fn a_line_of_ten_megabytes_is_one_bad_record() {
    let bench = Bench::new();
    let good = r#"{"ts":1,"id":"a","lon":1,"lat":2}"#;
    let long = format!(r#"{{"ts":1,"id":"a","lon":1,"lat":2,"note":"{}"}}"#, "x".repeat(10 << 20));
    for text in [format!("{good}\n{long}\n{good}\n"), format!("{good}\n{good}\n{long}")] {
        let file = bench.path("long.ndjson");
        fs::write(&file, text).unwrap();
        let outcome = bench.replay("plain", &file, &[]);
        assert_eq!((outcome.code, outcome.alerts, outcome.dead.len()), (0, 2, 1), "{}", outcome.stderr);
        assert_eq!(outcome.dead[0]["reason"], "too_long");
        assert!(outcome.dead_bytes < 10_000, "the dead letter keeps the beginning only");
        // Who wants such lines can have them.
        let outcome = bench.replay("plain", &file, &["--set", "sources.pings.record_bytes_max=16MiB"]);
        assert_eq!((outcome.code, outcome.alerts, outcome.dead.len()), (0, 3, 0), "{}", outcome.stderr);
    }
}

#[test]
fn a_broken_fence_file_stops_the_program_with_its_place_in_the_file() {
    let bench = Bench::new();
    let events = fixtures().join("bom.ndjson");
    for (file, words) in [
        ("truncated.geojson", "not valid JSON at line"),
        ("bowtie.geojson", "(id `bowtie`)"),
        ("lat91.geojson", "(id `too-far-north`)"),
        ("unclosed.geojson", "not closed"),
        ("duplicate_id.geojson", "(id `twice`)"),
        ("not_geojson.geojson", "found `Topology`"),
    ] {
        let path = fixtures().join(file);
        let set = format!("geofences.zones={}", path.display());
        let outcome = bench.replay("plain", &events, &["--set", &set]);
        assert_eq!((outcome.code, outcome.alerts), (2, 0), "{file}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains(file), "{file}: {}", outcome.stderr);
    }
    for file in ["bowtie", "lat91", "unclosed", "duplicate_id"] {
        let path = fixtures().join(format!("{file}.geojson"));
        let set = format!("geofences.zones={{ path: {}, lenient: true }}", path.display());
        let outcome = bench.replay("plain", &events, &["--set", &set]);
        assert_eq!((outcome.code, outcome.alerts), (0, 3), "{file}: {}", outcome.stderr);
    }
}

#[test]
fn what_is_no_rule_file_is_refused_with_a_message() {
    let bench = Bench::new();
    let deep = format!("groups: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let aliases = (1..40)
        .fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1));
    let nested = format!(
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n          FROM pings WHERE {}1{}\n",
        "(".repeat(50_000),
        ")".repeat(50_000)
    );
    let many =
        format!("groups:\n  - name: g\n    rules:\n{}", "      - alert: A\n        expr: FROM pings\n".repeat(2_000));
    let texts: [(&str, &[u8]); 9] = [
        ("empty", b""),
        ("bytes", b"\xff\xfe\x00\x01"),
        ("nul", b"groups: \0"),
        ("scalar", b"hello"),
        ("list", b"[1, 2, 3]"),
        ("deep", deep.as_bytes()),
        ("aliases", aliases.as_bytes()),
        ("nested", nested.as_bytes()),
        ("many", many.as_bytes()),
    ];
    for (name, text) in texts {
        let file = bench.path("rules.yaml");
        fs::write(&file, text).unwrap();
        let output = bench.geocep(&["check", &file.display().to_string()]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {:?} {stderr}", output.status);
        assert!(!stderr.trim().is_empty(), "{name} says nothing");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let bench = Bench::new();
    let outcome = bench.replay("plain", Path::new("nowhere.ndjson"), &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("nowhere.ndjson"), "{}", outcome.stderr);
    let outcome = bench.replay("absent", &fixtures().join("bom.ndjson"), &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("absent.yaml"), "{}", outcome.stderr);
    let set = "geofences.zones=nowhere.geojson";
    let outcome = bench.replay("plain", &fixtures().join("bom.ndjson"), &["--set", set]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("nowhere.geojson"), "{}", outcome.stderr);
}

#[test]
fn a_mistake_in_a_rule_is_told_before_what_follows_from_it() {
    let bench = Bench::new();
    let rules = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: FROM pings WINDO COUNT 3\n";
    fs::write(bench.path("broken.yaml"), rules).unwrap();
    // No rule that could be read reads the stream.
    let outcome = bench.replay("broken", &fixtures().join("bom.ndjson"), &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("did you mean `WINDOW`?"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("no rule reads"), "{}", outcome.stderr);
    let test =
        "rule_files: [broken.yaml]\ntests:\n  - name: t\n    events: { pings: [{ ts: 1, id: a }] }\n    alerts: []\n";
    fs::write(bench.path("t.yaml"), test).unwrap();
    let output = bench.geocep(&["test", "t.yaml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("did you mean `WINDOW`?"), "{stderr}");
}

#[test]
fn the_directories_of_outputs_are_made() {
    let bench = Bench::new();
    let alerts = bench.path("new/dir/alerts.ndjson");
    let input = fixtures().join("bom.ndjson");
    let args = ["replay", "--quiet", "--rules", "plain.yaml", "--alerts", "new/dir/alerts.ndjson", "--stream"];
    let output = bench.geocep(&[&args[..], &[&format!("pings={}", input.display())]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(alerts.is_file());
}
