//! What the hot rooms take for each event, alone: decode, expression, pattern, windows, cells, fences, regions, checkpoint.
//!
//!     cargo bench --bench hot                                   nanoseconds, the fastest of some rounds; further arguments name cases
//!     cargo bench --bench hot -- --instructions                 instructions under callgrind, against benches/instructions.json
//!     cargo bench --bench hot -- --instructions --update        write them there
//!
//! Times are those of the processor, on Linux. Instructions don't depend on how busy the machine is, so a rise of more than
//! 3 % fails; with another compiler than the one that the file names it is only told. Cases that put events through an engine
//! include what making the events takes, which is the same in each.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its results and may stop at a mistake")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench needs a clock and files")]

#[path = "hot/cases.rs"]
mod cases;
#[path = "hot/instructions.rs"]
mod instructions;

use cases::CASES;
use std::{fs, time::Instant};

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The only function in which instructions are counted: its name is looked for.
#[inline(never)]
fn counted_work(work: &mut dyn FnMut(), rounds: u32) {
    for _ in 0..rounds {
        work();
    }
}

/// Seconds of the processor that this thread has used; where the system doesn't tell, of the clock.
fn cpu_s(began: Instant) -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    ns.map_or_else(|| began.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// Nanoseconds for each event, the fastest of five rounds of at least 50 ms.
fn nanoseconds(case: &cases::Case) -> f64 {
    let (mut work, began, mut rounds) = ((case.make)(), Instant::now(), 1);
    let mut best = f64::INFINITY;
    let mut measured = 0;
    while measured < 5 {
        let start = cpu_s(began);
        counted_work(work.as_mut(), rounds);
        let took = cpu_s(began) - start;
        if took < 0.05 {
            rounds *= 2;
            continue;
        }
        best = best.min(took * 1e9 / f64::from(rounds) / case.events);
        measured += 1;
    }
    best
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    if let Some(at) = args.iter().position(|arg| arg == instructions::ONE) {
        let case = CASES.iter().find(|case| Some(case.name) == args.get(at + 1).map(String::as_str)).unwrap();
        let mut work = (case.make)();
        // Tables have their size, caches of what was compiled are full.
        work();
        counted_work(work.as_mut(), instructions::ROUNDS);
        return;
    }
    if has("--instructions") {
        std::process::exit(instructions::run(has("--update")));
    }
    let named: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    println!("| case | what | ns |\n| --- | --- | ---: |");
    for case in CASES.iter().filter(|case| named.is_empty() || named.iter().any(|name| *name == case.name)) {
        println!("| {} | {} | {:.1} |", case.name, case.what, nanoseconds(case));
    }
}
