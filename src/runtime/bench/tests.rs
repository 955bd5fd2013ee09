use super::*;
use crate::{
    runtime::{
        project::{Loaded, Project, Request},
        replay::bind,
    },
    wire::Chunk,
};
use serde_json::Value;
use std::{path::Path, time::Duration};

fn city() -> (Project, BenchInput) {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/city/geocep.yaml");
    let loaded = Loaded::read(&Request { config: Some(config), ..Request::default() }).unwrap();
    let binding = bind(&loaded, &[], &[]).unwrap();
    let project = loaded.check(&binding.guessed, false).unwrap();
    let input = BenchInput::read(&project, binding.inputs).unwrap();
    (project, input)
}

/// The records that events `from` to `upto` are sent as, in order.
fn sent(input: &BenchInput, from: u64, upto: u64) -> Vec<Value> {
    let mut scratch = Vec::new();
    let record = |number| {
        let mut chunks: Vec<Chunk> = input.partitions.iter().map(|_| Chunk::new()).collect();
        input.send(number, &mut chunks, &mut scratch);
        let bytes: Vec<&[u8]> = chunks.iter().flat_map(|chunk| chunk.records().map(|record| record.bytes)).collect();
        assert_eq!(bytes.len(), 1);
        serde_json::from_slice(bytes[0]).unwrap()
    };
    (from..upto).map(record).collect()
}

#[test]
fn events_go_in_order_of_time_and_come_again_later_with_all_else_the_same() {
    let (_, input) = city();
    let count = 942 + 1_291 + 3_146;
    let (first, again) = (sent(&input, 0, count), sent(&input, count, 2 * count));
    let times =
        |records: &[Value]| -> Vec<i64> { records.iter().map(|record| record["ts"].as_i64().unwrap()).collect() };
    let all = [times(&first), times(&again)].concat();
    assert!(all.is_sorted());
    for (mut first, mut again) in first.into_iter().zip(again) {
        let [before, after] = [&mut first, &mut again].map(|record| record.as_object_mut().unwrap().remove("ts"));
        assert_eq!(before.unwrap().as_i64().unwrap() + input.period_ms(), after.unwrap().as_i64().unwrap());
        assert_eq!(first, again);
    }
    // The first event at an instant or after it, in any round.
    for (number, time_ms) in all.iter().enumerate().step_by(97) {
        assert_eq!(input.decider(*time_ms) as usize, all.partition_point(|time| time < time_ms), "{number}");
        assert_eq!(input.decider(time_ms + 1) as usize, all.partition_point(|time| *time < time_ms + 1), "{number}");
    }
}

#[test]
fn a_measurement_counts_every_event_and_alert_once_and_leaves_out_the_warm_up() {
    let (project, input) = city();
    let options = |warmup_ms, duration_ms| LatencyOptions {
        rate: 2_500.0,
        duration: Duration::from_millis(duration_ms),
        warmup: Duration::from_millis(warmup_ms),
        shards: None,
    };
    // A little more than one round, so that all alerts of the first are out.
    let all = measure(&project, &input, &options(0, 2_160)).unwrap();
    assert_eq!((all.sent, all.late, all.rejected), (5_400, 0, 0));
    // The last ones wait for the other partitions' time.
    let count = |outcome: &LatencyOutcome| outcome.events.unwrap().count;
    assert!((5_380..5_400).contains(&count(&all)), "{all}");
    assert_eq!(all.alerts.unwrap().count, 30);
    let part = measure(&project, &input, &options(1_080, 1_080)).unwrap();
    assert_eq!(count(&part) + 2_700, count(&all));
    assert_eq!(part.alerts.unwrap().count + part.warmup_alerts, 30);
    assert!(part.warmup_alerts > 0);
}

#[test]
fn a_rate_that_nothing_can_keep_is_told() {
    let (project, input) = city();
    let (duration, warmup) = (Duration::from_millis(100), Duration::ZERO);
    let outcome = measure(&project, &input, &LatencyOptions { rate: 1e8, duration, warmup, shards: None }).unwrap();
    assert!(!outcome.kept() && outcome.sent < outcome.wanted);
    assert!(outcome.to_string().contains("the rate was not kept"));
    let json: Value = serde_json::from_str(&outcome.json()).unwrap();
    assert_eq!(json["rate_kept"], false);
}

#[test]
fn every_workload_is_a_rule_set_that_runs_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let event = |ts: u64, kind: &str, speed: f64, lon: f64| {
        format!(
            "{{\"ts\":{ts},\"id\":\"v1\",\"type\":\"{kind}\",\"zone\":\"z\",\"lon\":{lon},\"lat\":0.5,\"speed\":{speed},\
             \"heading\":9,\"cell\":\"c\"}}\n"
        )
    };
    let vehicles = event(1, "stop", 1.0, 0.5) + &event(2, "idle", 2.0, 0.5) + &event(3, "move", 3.0, 5.0);
    for name in ["w1", "w2", "w4", "w5"] {
        write(&format!("{name}.ndjson"), &vehicles);
    }
    write("w3.ndjson", &(event(1, "enter", 1.0, 0.5) + &event(1_800_001, "ping", 1.0, 0.5)));
    write("w4.zones.ndjson", "{\"zone\":\"z1\",\"ring\":[[0,0],[1,0],[1,1],[0,1],[0,0]]}\n");
    write("w6.rules.ndjson", "{\"rule\":\"r1\",\"type\":\"idle\",\"lo\":1.5,\"hi\":2.5,\"h0\":0,\"h1\":10}\n");
    let wanted = [("w1", 1), ("w1s", 1), ("w2", 0), ("w2k", 0), ("w3", 1), ("w4", 2), ("w4-10", 2), ("w5", 0)];
    for (name, matches) in wanted.into_iter().chain([("w5h3", 0), ("w5j", 0), ("w6", 1), ("w6-1", 3), ("none", 0)]) {
        let workload = Workload::named(name).unwrap();
        let (project, inputs) = workload.load(dir.path()).unwrap();
        for mode in [Mode::EndToEnd, Mode::Operator] {
            for shards in [1, 2] {
                let outcome = run_workload(workload, &project, &inputs, mode, shards).unwrap();
                assert_eq!(outcome.matches, matches, "{name} {mode:?}");
            }
        }
    }
    assert_eq!(Workload::named("w1").unwrap().is_right(100_000, 1), Some(false));
    let w5 = Workload::named("w5").unwrap();
    assert_eq!(closings(w5, dir.path()).map(|closings| (closings.windows, closings.burst)), Ok((1, 1)));
    assert!(closings(Workload::named("w1").unwrap(), dir.path()).is_err());
}

#[test]
fn a_daemon_behind_a_file_is_measured_beside_the_loop_and_beside_nothing_to_do() {
    let (project, input) = city();
    let each =
        LatencyOptions { rate: 20_000.0, duration: Duration::from_millis(270), warmup: Duration::ZERO, shards: None };
    let inputs: Vec<_> = input.partitions.iter().map(|(bound, _)| bound.clone()).collect();
    let doors = vec![Door::InProcess, Door::File];
    let options = SweepOptions { rates: vec![5_000.0], doors, empty: true, each };
    let mut told = 0;
    let outcomes = sweep(&project, &inputs, &input, &options, |_| told += 1).unwrap();
    let names: Vec<_> = outcomes.iter().map(|outcome| (outcome.path, outcome.pipeline)).collect();
    assert_eq!(names, [("in-process", "empty"), ("in-process", "rules"), ("file", "empty"), ("file", "rules")]);
    assert_eq!(told, 4);
    let counts: Vec<u64> = outcomes.iter().map(|outcome| outcome.alerts.map_or(0, |alerts| alerts.count)).collect();
    // A machine that has too much else to do sends a part only; and what the daemon's other partitions hold back at the end is not measured.
    assert!(counts[1] == 30 || outcomes[1].sent < 5_400, "{counts:?}");
    assert!((1..=30).contains(&counts[3]) && counts[2] > 0, "{counts:?}");
    let svg = plot(&outcomes);
    assert_eq!(svg.matches("<polyline").count(), 2 * 5 * 2);
}

#[test]
fn memory_is_told_for_each_rule_and_for_all() {
    let (project, input) = city();
    let inputs: Vec<_> = input.partitions.iter().map(|(bound, _)| bound.clone()).collect();
    let lines = memory(&project, &inputs, 1).unwrap();
    assert_eq!(lines.len(), project.plan.rules.len() + 1);
    let (all, rules) = lines.split_last().unwrap();
    assert_eq!(all.keys, rules.iter().map(|line| line.keys).sum::<u64>());
    assert!(rules.iter().any(|line| line.keys > 0 && line.bytes_per_key.unwrap() > 1.0), "{lines:?}");
}

#[test]
fn stages_come_one_after_another_and_their_parts_are_the_whole() {
    let (project, input) = city();
    let inputs: Vec<_> = input.partitions.iter().map(|(bound, _)| bound.clone()).collect();
    let stages = stages(None, &project, &inputs, 1).unwrap();
    let modes: Vec<_> = stages.runs.iter().map(|run| run.mode).collect();
    assert_eq!(modes, ["read", "decode", "route", "op", "e2e"]);
    let whole = stages.runs[4].ns_per_event;
    assert!((stages.parts().iter().map(|(_, ns)| ns).sum::<f64>() - whole).abs() < 1e-6 * whole.max(1.0));
}
