//! Every set of real events against its expected answers:
//!
//! ```sh
//! cargo run --release --example references -- DIR [--shards N]
//! ```
//!
//! `DIR` holds the sets; default: the environment variable `GEOCEP_DATA`, else `../shared/data`. Exit code 1 on any difference.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program is for")]

#[path = "references/mod.rs"]
mod references;

use references::{Verdict, find_sets, run_set};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut dir, mut shards) = (None, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--shards" {
            shards = args.next().and_then(|count| count.parse().ok()).ok_or("`--shards`: expected a number")?;
        } else {
            dir = Some(PathBuf::from(arg));
        }
    }
    let dir = dir.or_else(|| std::env::var_os("GEOCEP_DATA").map(PathBuf::from));
    let dir = dir.unwrap_or_else(|| root.join("../shared/data"));
    let sets = find_sets(&dir)?;
    if sets.is_empty() {
        return Err(format!("no set in `{}`: a set has `events.ndjson.gz` and `expected/`", dir.display()));
    }
    print("set", "reference", ["expected", "equal", "missing", "extra"].map(str::to_owned), "verdict");
    let (mut fine, mut covered, mut rows) = (true, 0, 0);
    for set in &sets {
        for verdict in run_set(set, &root.join("tests/references"), shards) {
            show(&verdict);
            fine &= verdict.is_fine();
            covered += usize::from(verdict.covered);
            rows += verdict.equal;
        }
    }
    println!("{covered} references, {rows} rows equal; {}", if fine { "no difference" } else { "DIFFERENCES" });
    Ok(fine)
}

fn show(verdict: &Verdict) {
    let Verdict { set, reference, expected, equal, missing, extra, covered, details } = verdict;
    if !covered {
        return print(set, reference, ["-"; 4].map(str::to_owned), "not covered yet");
    }
    let numbers = [expected, equal, missing, extra].map(ToString::to_string);
    print(set, reference, numbers, if verdict.is_fine() { "equal" } else { "DIFFERENT" });
    for detail in details {
        println!("    {detail}");
    }
}

fn print(set: &str, reference: &str, numbers: [String; 4], verdict: &str) {
    let [expected, equal, missing, extra] = numbers;
    println!("{set:<20} {reference:<42} {expected:>8} {equal:>8} {missing:>8} {extra:>8}  {verdict}");
}
