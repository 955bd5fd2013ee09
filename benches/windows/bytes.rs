//! What a key costs, by its aggregate.

use crate::kit::{program, step, values};
use geocep::{
    expr::World,
    op::window::{KeyState, Scratch},
    plan::{AggregateKind, WindowKind},
};
use std::{fs, hint::black_box, process::Command};

const KEYS: usize = 20_000;
const VALUES: [u64; 3] = [1, 100, 1_000];

pub(crate) fn measure() {
    println!("| aggregate | 1 value | 100 different values | 1,000 |");
    println!("| --- | ---: | ---: | ---: |");
    for (at, kind) in AggregateKind::all().enumerate() {
        let cells = VALUES.map(|count| {
            let exe = std::env::current_exe().unwrap();
            let output = Command::new(exe).args(["--bytes-of", &format!("{at},{count}")]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        });
        println!("| `{}` | {} |", name(kind), cells.join(" | "));
    }
}

fn name(kind: AggregateKind) -> String {
    let text = format!("{kind:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<usize> = pages.and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0) * 4_096
}

/// In a process of its own: prints the bytes per key.
pub(crate) fn measure_one(case: &str) {
    let (at, count) = case.split_once(',').unwrap();
    let (at, count): (usize, u64) = (at.parse().unwrap(), count.parse().unwrap());
    let kind = AggregateKind::all().nth(at).unwrap();
    let program = program(kind, WindowKind::Tumbling { size_ms: 300_000 });
    let (mut scratch, world, mut out) = (Scratch::default(), World::default(), vec![]);
    let events: Vec<_> = (0..count).map(|at| (at as i64, values(at))).collect();
    // Large states: as many keys as show in the figures of whole pages.
    let keys = if count == 1_000 { KEYS / 4 } else { KEYS };
    let mut states: Vec<KeyState> = Vec::with_capacity(keys + 10);
    let mut before = 0;
    for number in 0..keys + 10 {
        // After the first few, what is allocated once is there.
        if number == 10 {
            before = resident();
        }
        let mut state = KeyState::default();
        for (time_ms, values) in &events {
            step(&program, &mut state, &mut scratch, &world, (*time_ms, values), &mut out);
        }
        states.push(state);
    }
    black_box(&states);
    println!("{}", resident().saturating_sub(before) / keys);
}
