//! Memory stays bounded whatever keys come. In a file of its own: other tests' memory would be counted.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Scene, ping, rule_file};
use geocep::{
    engine::{AtEnd, Inline, Options, Shed},
    runtime::session::{Letters, Lines, Session},
    wire::{Chunk, Format},
};

const CONFIG: &str = "
sources:
  pings:
    file: pings.ndjson
    schema: { time: ts, fields: { id: string, speed: { type: float, unit: km/h } } }
";

/// Resident memory of this process, bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1_024)
}

/// Keys that never come again.
fn attack(shed: &str, count: u64) -> (Shed, usize) {
    let rules = rule_file(&[
        ("alert", "Jump", "FROM pings\nWHERE speed > prev(speed) + 500 km/h\nPARTITION BY id"),
        (
            "alert",
            "Silent",
            "FROM pings\nPARTITION BY id\nPATTERN a -> b\nWITHIN 30 d\nDEFINE a AS speed >= 0 km/h, b AS speed > 500 km/h",
        ),
    ]);
    let config = format!("{CONFIG}limits: {{ keys: 100000, bytes: 64 MiB, shed: {shed} }}\n");
    let scene = Scene::with_config(&config, &rules, vec![("pings", Vec::new())]);
    let mut session =
        Session::new(&scene.project, Options { eager: true, ..Options::default() }, Box::new(Inline)).unwrap();
    let schema = &scene.project.config.sources["pings"].schema;
    let lane = session.add_partition("pings", schema, Format::Ndjson, 0, 0).unwrap();
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let (mut before, mut highest) = (0, 0);
    let mut chunk = Chunk::new();
    for n in 0..count {
        let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let record = ping(1_000_000_000_000 + n as i64, &format!("{key:016x}"), 1.0, 2.0, 10.0);
        chunk.push(0, n, record.as_bytes(), 1 << 20);
        if chunk.len() == 10_000 {
            session.push(lane, &chunk, &mut letters);
            session.advance(&mut lines);
            lines.clear();
            chunk.clear();
            let now = resident().unwrap_or(0);
            // When it is full: what comes after that must not make it grow.
            if n < 250_000 {
                before = before.max(now);
            }
            highest = highest.max(now);
        }
    }
    session.finish(AtEnd::Hold, &mut lines);
    assert!(highest - before < 48 << 20, "grew by {} MiB", (highest - before) >> 20);
    let keys = (0..2).map(|rule| session.engine().rule_stats(rule).keys).sum();
    let shed = (0..2).map(|rule| session.engine_mut().take_left_out(rule)).fold(Shed::default(), Shed::and);
    (shed, keys)
}

#[test]
fn memory_stays_bounded_under_two_million_keys_that_never_come_again() {
    let (shed, keys) = attack("reject", 2_000_000);
    assert!((80_000..=100_000).contains(&keys) && shed.rejected_keys > 3_800_000, "{keys} {shed:?}");
    assert_eq!((shed.evicted_keys, shed.dropped_events), (0, 0));
    let (shed, keys) = attack("evict", 600_000);
    assert!((70_000..=100_000).contains(&keys) && shed.evicted_keys > 1_000_000, "{keys} {shed:?}");
    assert_eq!((shed.rejected_keys, shed.dropped_events), (0, 0));
}
