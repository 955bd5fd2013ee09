//! Rules that take late events, through a whole session: what becomes of the events, of the results, and of who reads them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Mode, Scene, ping, rule_file};
use geocep::{
    engine::AtEnd,
    runtime::session::{Letters, Lines},
    wire::Chunk,
};

/// What came of a scene.
struct Played {
    /// For each alert rule, key, start and end in seconds, count and revision.
    alerts: Vec<String>,
    letters: Letters,
    /// Late, and late but taken.
    counts: (u64, u64),
    /// Of each rule the late events that it took.
    taken: Vec<u64>,
}

fn play(scene: &Scene) -> Played {
    let (mut session, lanes) = scene.session(&Mode::default(), 2);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    for (from, lane) in scene.lanes.iter().zip(lanes) {
        for (offset, record) in from.records.iter().enumerate() {
            let mut chunk = Chunk::new();
            chunk.push(from.partition, offset as u64, record, 1 << 20);
            session.push(lane, &chunk, &mut letters);
            session.advance(&mut lines);
        }
    }
    session.finish(AtEnd::Drain, &mut lines);
    let alert = |line: &str| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let properties = &alert["properties"];
        let second = |name: &str| geocep::model::parse_time(properties[name].as_str().unwrap()).unwrap() / 1_000;
        let revision = properties["revision"].as_i64().unwrap_or(0);
        let (rule, key) = (properties["rule"].as_str().unwrap(), properties["key"]["id"].as_str().unwrap());
        format!("{rule} {key} {}..{} n={} r{revision}", second("start"), second("end"), properties["measures"]["n"])
    };
    let counts = &session.sources()[0];
    Played {
        alerts: std::str::from_utf8(&lines.bytes).unwrap().lines().map(alert).collect(),
        letters,
        counts: (counts.late, counts.late_taken),
        taken: (0..scene.project.plan.rules.len()).map(|rule| session.engine().rule_stats(rule as u32).late).collect(),
    }
}

fn of(played: &Played, rule: &str) -> Vec<String> {
    let of_rule = |line: &String| line.strip_prefix(&format!("{rule} ")).map(str::to_owned);
    played.alerts.iter().filter_map(of_rule).collect()
}

fn at(second: i64, id: &str, speed: f64) -> String {
    ping(second * 1_000, id, 10.0, 50.0, speed)
}

#[test]
fn a_late_event_goes_to_the_rules_that_take_it_and_to_the_late_output_if_none_does() {
    let rules = rule_file(&[
        (
            "alert",
            "Short",
            "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0 ALLOWED LATENESS 10 s",
        ),
        (
            "alert",
            "Long",
            "FROM pings WHERE speed > 5 km/h PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0 ALLOWED LATENESS 60 s",
        ),
        ("alert", "None", "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0"),
        ("alert", "Read", "FROM Long WHERE revision > 0 PARTITION BY id MEASURES n, revision"),
    ]);
    let records = vec![
        at(1, "a", 9.0),
        at(25, "a", 9.0),
        at(22, "a", 9.0),
        at(2, "a", 9.0),
        at(3, "a", 1.0),
        at(29, "b", 9.0),
        at(4, "a", 9.0),
        at(100, "b", 9.0),
        at(5, "a", 9.0),
    ];
    let played = play(&Scene::pings(&rules, vec![records]));
    // 22 is late, and its window is open: both rules count it among the others. 2 comes at 25: for Short its window is over for too
    // long. 3 is nobody's: too late for the one, and the other doesn't ask for it. 4 comes at 29, and 5 at 100, too late for all.
    assert_eq!(of(&played, "Short"), ["a 0..10 n=1 r0", "a 20..30 n=2 r0", "b 20..30 n=1 r0", "b 100..110 n=1 r0"]);
    let long = [
        "a 0..10 n=1 r0",
        "a 0..10 n=2 r1",
        "a 0..10 n=3 r2",
        "a 20..30 n=2 r0",
        "b 20..30 n=1 r0",
        "b 100..110 n=1 r0",
    ];
    assert_eq!(of(&played, "Long"), long);
    assert_eq!(of(&played, "None"), ["a 0..10 n=1 r0", "a 20..30 n=1 r0", "b 20..30 n=1 r0", "b 100..110 n=1 r0"]);
    assert_eq!(of(&played, "Read"), ["a 25..25 n=2 r0", "a 29..29 n=3 r0"]);
    assert_eq!(played.counts, (2, 3));
    assert_eq!(played.taken.iter().sum::<u64>(), 4, "22 twice, 2 and 4 once: {:?}", played.taken);
    let late = String::from_utf8(played.letters.late).unwrap();
    assert_eq!(late.lines().count(), 2, "{late}");
}

#[test]
fn results_that_having_drops_are_no_revisions() {
    let rules = rule_file(&[(
        "alert",
        "Count",
        "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n, avg(speed) AS mean HAVING n > 1 AND mean < 10 km/h ALLOWED LATENESS 60 s",
    )]);
    let speeds = [
        (1, 5.0),
        (20, 5.0),
        (2, 5.0),
        (3, 90.0),
        (4, 5.0),
        (5, 1.0),
        (6, 1.0),
        (7, 1.0),
        (8, 1.0),
        (9, 1.0),
        (0, 1.0),
        (1, 1.0),
        (2, 1.0),
    ];
    let records = speeds.iter().map(|&(second, speed)| at(second, "a", speed)).collect();
    let played = play(&Scene::pings(&rules, vec![records]));
    // With 90 the mean is too high for a while; the result before stays as it is.
    assert_eq!(of(&played, "Count"), ["a 0..10 n=2 r0", "a 0..10 n=12 r1"]);
}

#[test]
fn the_result_that_once_keeps_may_be_one_that_a_late_event_brings() {
    let rules = rule_file(&[(
        "alert",
        "First",
        "FROM pings PARTITION BY id WINDOW TUMBLING 10 s MEASURES count(*) AS n HAVING n > 0 ONCE ALLOWED LATENESS 60 s",
    )]);
    let records = vec![at(25, "v1", 1.0), at(5, "v2", 1.0), at(6, "v2", 1.0), at(40, "v1", 1.0)];
    let played = play(&Scene::pings(&rules, vec![records]));
    assert_eq!(of(&played, "First"), ["v2 0..10 n=1 r0", "v1 20..30 n=1 r0"]);
    assert_eq!((played.counts, played.letters.late.len()), ((0, 2), 0));
}
