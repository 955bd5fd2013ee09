//! The closings of many keys, and how long events wait for them.

use crate::kit::Random;
use geocep::{
    engine::{Engine, Inline, Options},
    model::{Batch, Header, StreamId, TimeMs, Value},
    runtime::project::{Loaded, Project, Request},
};
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, fs, sync::Arc, time::Instant};

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema: { time: ts, fields: { id: int } }
";

/// Steps in which events are handed over, and the spans in which work is told.
const STEP_MS: TimeMs = 10;
const SPAN_MS: TimeMs = 100;
const PER_STEP: u64 = 200;

/// A run of one kind of windows.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// For each span of 100 ms of event time: windows closed, and the longest that an event waited, in microseconds.
    pub(crate) spans: Vec<(u64, u64)>,
    busiest_ms: f64,
    waits_us: Histogram<u64>,
    bytes_per_key: usize,
}

pub(crate) fn measure(keys: u64, seconds: i64) -> Vec<Run> {
    let runs =
        [("aligned", ""), ("`JITTER 100%`", " JITTER 100%")].map(|(name, clause)| run(name, clause, keys, seconds));
    println!(
        "| windows of {keys} keys | closings per 100 ms, mean | peak | peak / mean | work per 100 ms, peak | event waits p50 | p99 | p99.9 | at most | bytes per key |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for run in &runs {
        let closed: u64 = run.spans.iter().map(|span| span.0).sum();
        let (mean, peak) = (closed as f64 / run.spans.len() as f64, run.spans.iter().map(|span| span.0).max().unwrap());
        let ms = |us: u64| format!("{:.2} ms", us as f64 / 1_000.0);
        let waits = [0.5, 0.99, 0.999].map(|share| ms(run.waits_us.value_at_quantile(share)));
        println!(
            "| {} | {mean:.0} | {peak} | {:.1} | {:.1} ms | {} | {} | {} |",
            run.name,
            peak as f64 / mean,
            run.busiest_ms,
            waits.join(" | "),
            ms(run.waits_us.max()),
            run.bytes_per_key
        );
    }
    runs.into()
}

fn project(clause: &str) -> Project {
    let rule = format!("FROM pings PARTITION BY id WINDOW TUMBLING 5 min{clause} MEASURES count(*) AS n");
    let text =
        format!("groups:\n  - name: bench\n    rules:\n      - alert: Count\n        expr: |\n          {rule}\n");
    let dir = tempfile::tempdir().unwrap();
    let (config, file) = (dir.path().join("geocep.yaml"), dir.path().join("rules.yaml"));
    fs::write(&config, CONFIG).unwrap();
    fs::write(&file, text).unwrap();
    let loaded = Loaded::read(&Request { config: Some(config), rules: vec![file], ..Request::default() }).unwrap();
    loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"))
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<usize> = pages.and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0) * 4_096
}

fn run(name: &'static str, clause: &str, keys: u64, seconds: i64) -> Run {
    let project = project(clause);
    let (plan, world) = (Arc::clone(&project.plan), Arc::clone(&project.world));
    let fields = &plan.streams[0].schema.fields;
    let (width, slot) = (fields.len(), fields.iter().position(|field| field.name == "id").unwrap());
    // Alerts leave at once, as in the daemon.
    let mut engine = Engine::new(plan, world, Options { eager: true, ..Options::default() }, Box::new(Inline)).unwrap();
    let partition = engine.add_partition(StreamId(0), 0, 0);
    let (mut random, mut offset) = (Random(5), 0u64);
    let mut row = |id: u64| {
        let mut row = vec![Value::Null; width];
        row[slot] = Value::Int(id as i64);
        offset += 1;
        (row, offset)
    };
    let (mut outputs, mut late) = (Vec::new(), Vec::new());
    let mut push = |engine: &mut Engine, at_ms: TimeMs, ids: &mut dyn Iterator<Item = u64>, outputs: &mut Vec<_>| {
        let mut batch = Batch::new(width);
        for id in ids {
            let (row, offset) = row(id);
            batch.push(Header { time_ms: at_ms, partition: 0, offset }, row);
        }
        let start = Instant::now();
        engine.push(partition, batch, &mut late);
        engine.advance();
        engine.take(outputs);
        let closed = outputs.len() as u64;
        outputs.clear();
        let worked = start.elapsed().as_secs_f64();
        assert!(late.is_empty(), "events that count nowhere");
        (worked, closed)
    };
    // Every key has an event before the clock is looked at, and a whole window passes.
    let before = resident();
    for first in (0..keys).step_by(1_000) {
        let at_ms = -300_000 + (first * 300_000 / keys) as TimeMs;
        push(&mut engine, at_ms, &mut (first..(first + 1_000).min(keys)), &mut outputs);
    }
    // What was due in the pause since then is no part of the first step.
    push(&mut engine, -STEP_MS, &mut (0..1), &mut outputs);
    assert_eq!(engine.rule_stats(0).keys as u64, keys);
    let bytes_per_key = resident().saturating_sub(before) / keys as usize;
    let mut waits_us = Histogram::new(3).unwrap();
    let (mut free_at, mut busiest) = (0.0f64, 0.0f64);
    let mut spans = Vec::new();
    for span in 0..seconds * 1_000 / SPAN_MS {
        let (mut closed, mut longest, mut busy) = (0, 0, 0.0);
        for step in 0..SPAN_MS / STEP_MS {
            let at_ms = span * SPAN_MS + step * STEP_MS;
            let mut ids = (0..PER_STEP).map(|_| random.below(keys));
            let (worked, now_closed) = push(&mut engine, at_ms, &mut ids, &mut outputs);
            let here = at_ms as f64 / 1_000.0;
            free_at = free_at.max(here) + worked;
            let wait_us = ((free_at - here) * 1e6) as u64;
            waits_us.record_n(wait_us.max(1), PER_STEP).unwrap();
            (closed, longest, busy) = (closed + now_closed, longest.max(wait_us), busy + worked);
        }
        busiest = busiest.max(busy);
        spans.push((closed, longest));
    }
    Run { name, spans, busiest_ms: busiest * 1_000.0, waits_us, bytes_per_key }
}
