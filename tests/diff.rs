//! `geocep diff` as people run it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Fast
        expr: |
          FROM pings
          WHERE speed > 50
          PARTITION BY id
          MEASURES speed
      - alert: Twice
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN x{2}
          WITHIN 1 min
          MEASURES last(x.speed) AS last
          AFTER MATCH NO SKIP
";

fn diff(dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_geocep"));
    let command = command.current_dir(dir).arg("diff").args(arguments).env_remove("GEOCEP_LOG").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A directory with pings and rules.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let ping = |n: i64| {
        let (id, speed) = (["a", "b"][n as usize % 2], 45 + n);
        format!(
            "{{\"ts\":{},\"id\":\"{id}\",\"lon\":1.5,\"lat\":2.5,\"speed\":{speed}}}\n",
            1_700_000_000_000 + n * 1_000
        )
    };
    fs::write(dir.path().join("pings.ndjson"), (0..12).map(ping).collect::<String>()).unwrap();
    fs::write(dir.path().join("a.yaml"), RULES).unwrap();
    dir
}

#[test]
fn the_same_rules_written_in_another_way_say_the_same() {
    let dir = place();
    // Another version: the expression is another, though it means the same.
    fs::write(dir.path().join("b.yaml"), RULES.replace("speed > 50", "speed > 50 AND TRUE")).unwrap();
    for shards in ["1", "3"] {
        let (code, table, messages) = diff(dir.path(), &["a.yaml", "b.yaml", "pings.ndjson", "-q", "--shards", shards]);
        assert_eq!((code, messages.as_str()), (Some(0), ""), "{table}");
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["Fast", "6", "0", "0", "0"], "{table}");
        assert_eq!(rows[2], ["Twice", "10", "0", "0", "0"], "{table}");
    }
}

#[test]
fn what_another_edition_says_differently_is_told_and_counted() {
    let dir = place();
    let other = RULES.replace("speed > 50", "speed BETWEEN 49 AND 54").replace("last(x.speed) AS last", "2 AS last");
    let more = "      - alert: More
        expr: |
          FROM others
          PARTITION BY id
";
    fs::write(dir.path().join("b.yaml"), other + more).unwrap();
    fs::write(dir.path().join("others.ndjson"), fs::read(dir.path().join("pings.ndjson")).unwrap()).unwrap();
    let files = ["a.yaml", "b.yaml", "pings.ndjson", "others.ndjson"];
    let (code, table, messages) = diff(dir.path(), &files);
    assert_eq!(code, Some(1), "{table}{messages}");
    let row = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect::<Vec<u32>>()
    };
    // Speeds are 45 to 56: 51 to 56 were fast, 49 to 54 are.
    assert_eq!(row("Fast"), [4, 2, 2, 0], "{table}");
    assert_eq!(row("Twice"), [0, 0, 0, 10], "{table}");
    assert_eq!(row("More"), [0, 12, 0, 0], "{table}");
    assert_eq!(row("all"), [4, 14, 2, 10], "{table}");
    let lost = "lost    Fast  id=a  2023-11-14T22:13:30Z to 2023-11-14T22:13:30Z";
    assert!(table.lines().any(|line| line == lost), "{table}");
    let moved = "moved   Twice  id=a  2023-11-14T22:13:20Z to 2023-11-14T22:13:22Z: measures.last 47 -> 2";
    assert!(table.lines().any(|line| line == moved), "{table}");

    let (code, json, _) = diff(dir.path(), &[&files[..], &["--json"]].concat());
    assert_eq!(code, Some(1));
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 27);
    assert_eq!(lines[26]["all"], serde_json::json!({ "same": 4, "gained": 14, "lost": 2, "moved": 10 }));
    let moved = lines.iter().find(|line| line["change"] == "moved").unwrap();
    assert_eq!(
        (&moved["fields"][0], &moved["after"]["properties"]["measures"]["last"]),
        (&"measures.last".into(), &2.into())
    );

    let (_, table, _) = diff(dir.path(), &[&files[..], &["--show", "3"]].concat());
    assert!(table.ends_with("23 more differences are not shown\n"), "{table}");
}

#[test]
fn what_cannot_be_compared_is_no_difference() {
    let dir = place();
    fs::write(dir.path().join("b.yaml"), RULES.replace("speed > 50", "speed >")).unwrap();
    let (code, table, messages) = diff(dir.path(), &["a.yaml", "b.yaml", "pings.ndjson"]);
    assert_eq!((code, table.as_str()), (Some(2), ""), "{messages}");
    assert!(messages.contains("b.yaml:"), "{messages}");
    let (code, _, messages) = diff(dir.path(), &["a.yaml", "none.yaml", "pings.ndjson"]);
    assert_eq!(code, Some(2), "{messages}");
}
