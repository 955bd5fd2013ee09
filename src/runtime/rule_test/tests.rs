use super::*;
use std::fs;

const RULES: &str = "groups:
  - name: g
    rules:
      - stream: slow
        expr: |
          FROM pings WHERE speed < 5 km/h PARTITION BY vehicle
      - alert: Slow
        expr: |
          FROM slow PARTITION BY vehicle MEASURES speed AS speed, time AS at
        labels: { severity: info }
        annotations:
          summary: \"{{ key }} is slow\"
";

const CONFIG: &str = "sources:
  pings:
    stdin:
    schema:
      time: t
      position: { lon: lon, lat: lat }
      fields: { vehicle: string, speed: { type: float, unit: km/h } }
";

/// Runs a file of tests beside the rules and configuration above.
fn run(tests: &str) -> Result<Vec<Outcome>, String> {
    run_with(RULES, tests)
}

fn run_with(rules: &str, tests: &str) -> Result<Vec<Outcome>, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    fs::write(dir.path().join("geocep.yaml"), CONFIG).unwrap();
    let path = dir.path().join("t.yaml");
    fs::write(&path, format!("rule_files: [rules.yaml]\nconfig: geocep.yaml\ntests:\n{tests}")).unwrap();
    let outcome = run_file(&path, "", false);
    let shown = dir.path().display().to_string();
    outcome.map(|file| file.tests).map_err(|error| error.to_string().replace(&format!("{shown}/"), ""))
}

fn failures(tests: &str) -> Vec<String> {
    run(tests).unwrap().into_iter().flat_map(|test| test.failures).collect()
}

#[test]
fn a_test_passes_when_exactly_the_expected_alerts_come() {
    let text = "
  - name: two of three are slow
    events:
      pings:
        - { t: 2026-01-01T00:00:00Z, vehicle: v1, lon: 1, lat: 2, speed: 3 }
        - { at: 1 min, vehicle: v2, lon: 1, lat: 2, speed: 50 }
        - { at: { from: 2 min, every: 10 s, times: 2 }, vehicle: v3, lon: 1, lat: 2, speed: 4 }
    alerts:
      - { rule: Slow, key: { vehicle: v3 } }
      - { rule: Slow, key: { vehicle: v3 }, start: 130 s, measures: { at: 1767225730000, speed: 4.0 } }
      - { rule: Slow, key: { vehicle: v1 }, severity: info, status: firing, annotations: { summary: v1 is slow } }
";
    assert_eq!(failures(text), Vec::<String>::new());
}

#[test]
fn what_is_missing_and_what_is_unexpected_is_told_with_the_nearest() {
    let text = "
  - name: wrong
    events: { pings: [{ at: 0 s, vehicle: v1, lon: 1, lat: 2, speed: 3 }] }
    alerts:
      - { rule: Slow, key: { vehicle: v1 }, measures: { speed: 4 } }
";
    let found = failures(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("- missing     { rule: Slow, key: { vehicle: \"v1\" }, measures: { speed: 4 } }"));
    assert!(found[0].contains("t.yaml:8:7") && found[0].ends_with("nearest: measures.speed is 3.0, expected 4"));
    assert!(found[1].starts_with("+ unexpected  { rule: Slow, key: { vehicle: \"v1\" }, measures: { speed: 3"));
    let none =
        text.replace("alerts:\n      - { rule: Slow, key: { vehicle: v1 }, measures: { speed: 4 } }", "alerts: []");
    assert_eq!(failures(&none).len(), 1);
}

#[test]
fn rejected_events_fail_the_test_with_their_place_and_rows_may_stand_in_any_order() {
    let found = failures(
        "
  - name: bad events
    events:
      pings:
        - { at: 5 s, vehicle: v1, lon: 1, lat: 91, speed: 30 }
        - { at: 5 s, vehicle: v1, lon: 1, lat: 1, speed: fast }
        - { at: 9 s, vehicle: v1, lon: 1, lat: 1, speed: 30 }
        - { at: 4 s, vehicle: v1, lon: 1, lat: 1, speed: 30 }
    alerts: []
",
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("t.yaml:8:9: an event of `pings` was rejected"), "{found:?}");
    assert!(found[1].contains("t.yaml:9:9"), "{found:?}");
}

#[test]
fn a_wrong_file_is_refused_with_the_place() {
    let event = "events: { pings: [{ at: 0 s, vehicle: v1, lon: 1, lat: 2, speed: 3 }] }";
    for (text, line, words) in [
        (format!("  - name: a\n    {event}\n"), 4, "`alerts` is missing"),
        (format!("  - name: a\n    {event}\n    alert: []\n"), 6, "did you mean `alerts`?"),
        (format!("  - name: a\n    {event}\n    alerts:\n      - {{ rule: Slw }}\n"), 7, "did you mean `Slow`?"),
        (format!("  - name: a\n    {event}\n    alerts:\n      - {{ rule: slow }}\n"), 7, "is a stream"),
        (format!("  - name: a\n    {event}\n    alerts: [{{ rule: Slow, key: {{ vehicel: x }} }}]\n"), 6, "`vehicle`?"),
        (format!("  - name: a\n    {event}\n    alerts: []\n    at_end: never\n"), 7, "one of `drain`"),
        (format!("  - name: a\n    {event}\n    alerts: []\n    alerts_of: [X]\n"), 7, "no alert `X`"),
        (format!("  - name: a\n    {event}\n    alerts: []\n    name: b\n"), 7, "is there twice"),
        ("  - name: a\n    alerts: []\n".to_owned(), 4, "neither `events` nor `files`"),
        ("  - name: a\n    events: { pngs: [] }\n    alerts: []\n".to_owned(), 5, "did you mean `pings`?"),
        ("  - name: a\n    files: { pings: none.ndjson }\n    alerts: []\n".to_owned(), 5, "none.ndjson"),
        ("  - name: a\n  events: {}\n".to_owned(), 5, ""),
    ] {
        let error = run(&text).expect_err(&text);
        assert!(error.starts_with(&format!("t.yaml:{line}:")) && error.contains(words), "{text}\n{error}");
    }
}

#[test]
fn a_field_that_the_schema_lacks_is_a_slip_of_the_test() {
    let found = failures(
        "
  - name: slip
    events: { pings: [{ at: 0 s, vehicle: v1, lon: 1, lat: 2, sped: 3 }] }
    alerts: []
",
    );
    assert!(found[0].contains("no field `sped` (did you mean `speed`?)"), "{found:?}");
}

#[test]
fn a_match_that_ran_out_of_time_is_expected_with_its_status_its_clock_and_nulls() {
    let rules = "groups:
  - name: g
    rules:
      - alert: Slower
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN fast -> slow{2}
          WITHIN 5 min
          ON TIMEOUT
          DEFINE fast AS speed > 50 km/h, slow AS speed < 5 km/h
          MEASURES fast.speed AS before, first(slow.speed) AS one, first(slow.speed, 1) AS two
";
    let tests = "
  - name: one goes on, one slows down
    events:
      pings:
        - { at: 0 s, vehicle: v1, lon: 1, lat: 2, speed: 60 }
        - { at: 1 min, vehicle: v2, lon: 1, lat: 2, speed: 70 }
        - { at: 2 min, vehicle: v1, lon: 1, lat: 2, speed: 3 }
        - { at: { from: 3 min, every: 1 min, times: 2 }, vehicle: v2, lon: 1, lat: 2, speed: 4 }
    alerts:
      - { rule: Slower, key: { vehicle: v1 }, status: timed_out, clock: event, start: 0 s, end: 5 min, measures: { before: 60, one: 3, two: null } }
      - { rule: Slower, key: { vehicle: v2 }, status: firing, start: 1 min, end: 4 min, measures: { before: 70, one: 4, two: 4 } }
";
    let failures = |tests: &str| -> Vec<String> {
        run_with(rules, tests).unwrap().into_iter().flat_map(|test| test.failures).collect()
    };
    assert_eq!(failures(tests), Vec::<String>::new());
    let found = failures(&tests.replace("clock: event", "clock: wall"));
    assert!(found.iter().any(|text| text.contains("clock is \"event\", expected \"wall\"")), "{found:?}");
}
