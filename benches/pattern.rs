//! What an event costs a pattern while its window grows: time, and bytes held per event in the window.
//!
//! Run with `cargo bench --bench pattern`; it prints the table of `docs/performance.md`. `A ->> B+ ANY ->> C` has every subset of the
//! Bs between an A and a C as a match, so partial matches double with each B; `A ->> B+ EACH ->> C` has one more with each B;
//! `A -> B+ -> C` has one per A. Every tenth event is an A, all others are Bs, and one event after the measured ones is a C.
//! Kept as sets the work is the same however large the window is; one by one it grows with the partial matches.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock")]

use geocep::{
    expr::{Env, Nothing, World},
    lang::{
        check::{Catalog, check},
        file::RuleFile,
    },
    model::{EventRef, Header, Key, StreamId, Value},
    op::pattern::{KeyState, Program, Scratch},
    plan::{Body, Rule},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Milliseconds between two events.
const STEP_MS: i64 = 10;

/// At most so long for each figure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A rule, the slot of `kind` in its events, and how many slots they have.
fn rule(pattern: &str, within_ms: i64) -> (Rule, usize, usize) {
    let expr = format!(
        "FROM events PATTERN {pattern} WITHIN {within_ms} ms DEFINE A AS kind = 'a', B AS kind = 'b', C AS kind = 'c' \
         AFTER MATCH NO SKIP MEASURES count(B.kind) AS n"
    );
    let text =
        format!("groups:\n  - name: bench\n    rules:\n      - alert: Bench\n        expr: |\n          {expr}\n");
    let (file, diagnostics) = RuleFile::parse("bench.yaml", &text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let catalog = Catalog { open: true, ..Catalog::default() };
    let checked = check(&[file.unwrap()], &catalog);
    let Some(plan) = checked.plan else { panic!("{:?}", checked.diagnostics) };
    let fields = &plan.streams[0].schema.fields;
    let slot = fields.iter().position(|field| field.name == "kind").unwrap();
    let width = fields.len();
    (plan.rules.into_iter().next().unwrap(), slot, width)
}

fn program(rule: &Rule) -> Program {
    let Body::Pattern(pattern) = &rule.body else { panic!("a rule without a pattern") };
    Program::new(pattern, &rule.inputs, &rule.outputs, rule.having.as_ref()).unwrap()
}

struct Measured {
    ns: f64,
    /// Bytes held when the window is full, and partial matches.
    bytes: usize,
    open: usize,
    matches: usize,
    list: Duration,
}

/// None where an event costs so much that nobody would wait for it.
fn measure(program: &Program, (slot, width): (usize, usize), events: i64) -> Option<Measured> {
    let (key, world) = (Key::new([]), World::default());
    let row = |name: &str| {
        let mut row = vec![Value::Null; width];
        row[slot] = Value::text(name);
        row
    };
    let names = ["a", "b", "c"].map(row);
    let (mut state, mut scratch, mut out) = (KeyState::default(), Scratch::default(), Vec::new());
    let mut step = |state: &mut KeyState, out: &mut Vec<_>, at: i64, values: &[Value]| {
        let header = Header { time_ms: at * STEP_MS, partition: 0, offset: at as u64 };
        let event = EventRef { stream: StreamId(0), header: &header, values };
        let env =
            Env { event, extra: &[], previous: None, computed: (&[], &[]), key: &key, bound: &Nothing, world: &world };
        program.step(state, &mut scratch, 0, black_box(&env), out);
    };
    let name = |at: i64| if at % 10 == 0 { &names[0] } else { &names[1] };
    let (began, mut at) = (Instant::now(), 0);
    while at < 2 * events {
        step(&mut state, &mut out, at, name(at));
        at += 1;
        if began.elapsed() > PATIENCE {
            return None;
        }
    }
    // The same number of events for each window, in blocks; the most bytes that were held between two of them.
    let (mut count, mut took, mut bytes, mut open, mut blocks) = (0, Duration::ZERO, 0, 0, Vec::new());
    while count < 200_000 && took < PATIENCE {
        let block = Instant::now();
        for _ in 0..100 {
            step(&mut state, &mut out, at, name(at));
            at += 1;
        }
        let block = block.elapsed();
        took += block;
        blocks.push(block);
        count += 100;
        if count % 1_700 == 100 {
            let held = state.heap_bytes();
            (bytes, open) = if held > bytes { (held, state.partial_matches()) } else { (bytes, open) };
        }
    }
    let list = Instant::now();
    step(&mut state, &mut out, at, &names[2]);
    let list = list.elapsed();
    // The middle one: others were held up by something else.
    blocks.sort_unstable();
    let ns = blocks[blocks.len() / 2].as_secs_f64() * 1e9 / 100.0;
    assert!(!out.is_empty(), "no match");
    Some(Measured { ns, bytes, open, matches: black_box(out).len(), list })
}

fn main() {
    println!(
        "| pattern | kept | events in the window | ns per event | bytes per event in the window | listing the matches of one C |"
    );
    println!("| --- | --- | ---: | ---: | ---: | --- |");
    for pattern in ["A ->> B+ ANY ->> C", "A ->> B+ EACH ->> C", "A ->> B+ ->> C", "A -> B+ -> C"] {
        for as_sets in [true, false] {
            for events in [100, 1_000, 10_000] {
                let (rule, slot, width) = rule(pattern, events * STEP_MS);
                let program = program(&rule);
                let program = if as_sets { program } else { program.one_by_one() };
                let kept = if as_sets { "as sets" } else { "one by one" };
                let Some(Measured { ns, bytes, open, matches, list }) = measure(&program, (slot, width), events) else {
                    println!("| `{pattern}` | {kept} | {events} | too long to wait for | | |");
                    continue;
                };
                let per_event = bytes as f64 / events as f64;
                let per_match = if as_sets {
                    String::new()
                } else {
                    format!(" ({:.0} per partial match)", bytes as f64 / open as f64)
                };
                println!(
                    "| `{pattern}` | {kept} | {events} | {ns:.0} | {per_event:.0}{per_match} | {matches} in {:.2} ms |",
                    list.as_secs_f64() * 1e3
                );
            }
        }
    }
}
