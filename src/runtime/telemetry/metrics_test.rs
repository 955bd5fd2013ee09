use std::collections::BTreeSet;

use super::*;
use crate::{
    io::receiver::Trouble,
    model::RejectReason,
    runtime::{
        clock::ManualClock,
        telemetry::{ComponentKind, Depth, RuleKind, RuleMode},
    },
};

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

fn rule(name: &str, keys: u64) -> RuleStatus {
    let (group, version) = ("airport".to_owned(), "v1".to_owned());
    let (kind, mode) = (RuleKind::Alert, RuleMode::Active);
    RuleStatus {
        name: name.to_owned(),
        group,
        kind,
        mode,
        version,
        outputs: 3,
        keys,
        open: 2,
        draining: None,
        until: None,
    }
}

/// Telemetry in which every figure has a value.
fn busy(clock: &Arc<ManualClock>) -> Telemetry {
    let telemetry = Telemetry::new(Arc::clone(clock) as Arc<dyn Clock>);
    let pings = telemetry.stream("pings");
    pings.add_events(10);
    pings.add_late(2);
    pings.add_rejected(RejectReason::BadPosition, 3);
    let queue = telemetry.rule("Queue");
    queue.add_alerts("firing", 4);
    queue.add_alerts("timed_out", 1);
    queue.add_missing_key(5);
    queue.add_dropped(9);
    queue.add_skip_misses(8);
    let old = RuleStatus { draining: Some(3), version: "v0".to_owned(), ..rule("Queue", 5) };
    telemetry.set_rules(vec![old, rule("Queue", 7)]);
    telemetry.sink("stdout").add_written(6);
    telemetry.sink("stdout").add_errors(1);
    telemetry.set_intake("pings", 1, 2);
    telemetry.lag_of("pings").set(11);
    let outbox = telemetry.outbox("hook");
    outbox.set_depth(Depth { alerts: 3, bytes: 700, oldest_ms: Some(1_000_000) });
    outbox.failed(Trouble::Timeout);
    telemetry.set_waiting_events(8);
    telemetry.set_watermark(Some(1_000_500));
    telemetry.set_held_back(Some(("pings", "3")));
    telemetry.observe_processing(Duration::from_micros(300));
    telemetry.checkpoints().written(1_234, Duration::from_millis(20));
    telemetry.checkpoints().paused(Duration::from_millis(1));
    telemetry.store().add(40, 30, 1);
    telemetry.count_reload(true);
    telemetry.count_reload(false);
    telemetry.set_rules_hash("old");
    telemetry.set_rules_hash("00ff");
    telemetry.health().watch(ComponentKind::Engine, "engine").ready();
    telemetry
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
}

#[test]
fn what_was_counted_stands_in_the_text() {
    let text = busy(&Arc::new(ManualClock::new(0))).render();
    assert_line(&text, r#"geocep_events_total{stream="pings"} 10"#);
    assert_line(&text, r#"geocep_late_total{stream="pings"} 2"#);
    assert_line(&text, r#"geocep_rejected_total{stream="pings",reason="bad_position"} 3"#);
    assert_line(&text, r#"geocep_rejected_total{stream="pings",reason="syntax"} 0"#);
    assert_line(&text, r#"geocep_alerts_total{rule="Queue",status="firing"} 4"#);
    assert_line(&text, r#"geocep_alerts_total{rule="Queue",status="timed_out"} 1"#);
    assert_line(&text, r#"geocep_missing_key_total{rule="Queue"} 5"#);
    assert_line(&text, r#"geocep_dropped_total{rule="Queue"} 9"#);
    assert_line(&text, r#"geocep_keys{rule="Queue"} 7"#);
    assert_line(&text, r#"geocep_open{rule="Queue"} 2"#);
    assert_line(&text, r#"geocep_skip_misses_total{rule="Queue"} 8"#);
    assert_line(&text, r#"geocep_draining{rule="Queue",version="v0",number="3"} 2"#);
    assert_line(&text, "geocep_waiting_events 8");
    assert_line(&text, r#"geocep_reloads_total{result="ok"} 1"#);
    assert_line(&text, r#"geocep_reloads_total{result="refused"} 1"#);
    assert_line(&text, "geocep_reload_ok 0");
    assert_line(&text, r#"geocep_rules_info{hash="00ff"} 1"#);
    assert!(!text.contains(r#"hash="old""#));
    assert_line(&text, r#"geocep_sink_written_total{sink="stdout"} 6"#);
    assert_line(&text, r#"geocep_sink_errors_total{sink="stdout"} 1"#);
    assert_line(&text, r#"geocep_outbox_alerts{sink="hook"} 3.0"#);
    assert_line(&text, r#"geocep_outbox_failures_total{sink="hook",kind="timeout"} 1"#);
    assert_line(&text, r#"geocep_watermark_held_back_info{stream="pings",partition="3"} 1"#);
    assert_line(&text, r#"geocep_processing_seconds_bucket{le="0.00025"} 0"#);
    assert_line(&text, r#"geocep_processing_seconds_bucket{le="0.0005"} 1"#);
    assert_line(&text, "# UNIT geocep_processing_seconds seconds");
    assert_line(&text, "# EOF");
}

#[test]
fn the_lag_grows_while_the_watermark_stands_still() {
    let clock = Arc::new(ManualClock::new(1_002_000));
    let telemetry = busy(&clock);
    assert_line(&telemetry.render(), "geocep_watermark_seconds 1000.5");
    assert_line(&telemetry.render(), "geocep_watermark_lag_seconds 1.5");
    assert_line(&telemetry.render(), r#"geocep_outbox_oldest_seconds{sink="hook"} 2.0"#);
    clock.advance(Duration::from_secs(60));
    assert_line(&telemetry.render(), "geocep_watermark_lag_seconds 61.5");
    assert_line(&telemetry.render(), "geocep_uptime_seconds 60.0");
}

#[test]
fn without_a_watermark_or_at_the_end_of_input_there_is_no_figure_rather_than_a_wrong_one() {
    let telemetry = Telemetry::new(Arc::new(ManualClock::new(0)));
    assert!(!telemetry.render().contains("geocep_watermark"));
    telemetry.set_watermark(Some(5));
    assert!(telemetry.render().contains("geocep_watermark_lag_seconds"));
    telemetry.set_watermark(Some(TimeMs::MAX));
    telemetry.set_held_back(None);
    assert!(!telemetry.render().contains("geocep_watermark"));
}

#[test]
fn a_rule_that_is_gone_leaves_the_gauges() {
    let telemetry = busy(&Arc::new(ManualClock::new(0)));
    telemetry.set_rules(vec![rule("Other", 1)]);
    assert!(!telemetry.render().contains(r#"geocep_keys{rule="Queue"}"#));
    assert!(!telemetry.render().contains("geocep_draining{"));
    assert_line(&telemetry.render(), r#"geocep_keys{rule="Other"} 1"#);
    assert_eq!(telemetry.rules()[0].name, "Other");
}

#[test]
fn a_name_with_quotes_and_line_ends_stays_one_label() {
    let telemetry = Telemetry::new(Arc::new(ManualClock::new(0)));
    telemetry.stream("a\"b\\c\nd").add_events(1);
    assert_line(&telemetry.render(), r#"geocep_events_total{stream="a\"b\\c\nd"} 1"#);
}

#[test]
fn a_part_that_fails_is_a_zero_in_the_metrics() {
    let telemetry = Telemetry::new(Arc::new(ManualClock::new(0)));
    let sink = telemetry.health().watch(ComponentKind::Sink, "alerts");
    sink.ready();
    assert_line(&telemetry.render(), r#"geocep_component_ready{kind="sink",name="alerts"} 1"#);
    sink.retrying("away");
    assert_line(&telemetry.render(), r#"geocep_component_ready{kind="sink",name="alerts"} 0"#);
}

#[test]
fn every_sample_bears_a_name_that_was_entered() {
    let telemetry = busy(&Arc::new(ManualClock::new(0)));
    let mut seen = BTreeSet::new();
    for line in telemetry.render().lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let plain = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        seen.insert(plain.to_owned());
    }
    assert_eq!(seen, telemetry.names().iter().cloned().collect());
}

#[test]
fn the_manual_lists_every_metric_and_no_other() {
    let in_table = |line: &str| {
        let name = line.strip_prefix("| `geocep_")?;
        let end = name.find(['`', '{'])?;
        Some(format!("geocep_{}", &name[..end]))
    };
    let listed: BTreeSet<String> = OPERATIONS.lines().filter_map(in_table).collect();
    let telemetry = Telemetry::new(Arc::new(ManualClock::new(0)));
    assert_eq!(listed, telemetry.names().iter().cloned().collect(), "the table of metrics in docs/operations.md");
}
