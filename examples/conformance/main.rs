//! Checked answers of Flink CEP against this engine, through the text of rules:
//!
//! ```sh
//! cargo run --release --example conformance -- FILE.json[.gz]...
//! ```
//!
//! Each case becomes a rule, which is parsed, checked, compiled and run. A case that differs is shown with its rule; where it
//! differs on purpose, or the language is wider on purpose, is named at the end, under the heading that it has in
//! `docs/flink.md`; those count as skipped, so that "passed" says "as in Flink". Exit code 1 if any failed, 2 if a file can't be read. `--verbose` shows the deviating ones in full as well.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the lines are what this program is for")]

mod case;
mod condition;
mod run;
mod translate;
mod unroll;
mod verdict;

use case::Case;
use std::{collections::BTreeMap, path::Path, process::ExitCode};
use verdict::{Judged, Verdict, judge};

fn main() -> ExitCode {
    let (flags, files): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let verbose = flags.iter().any(|flag| flag == "--verbose");
    if files.is_empty() {
        eprintln!("usage: conformance [--verbose] FILE.json[.gz]...");
        return ExitCode::from(2);
    }
    let (mut passed, mut failed, mut counted) = (0, 0, [0; 3]);
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &files {
        let cases = match case::read(Path::new(file)) {
            Ok(cases) => cases,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        };
        for case in &cases {
            let judged = judge(case, false);
            let label = match &judged.verdict {
                Verdict::Passed => {
                    passed += 1;
                    continue;
                }
                Verdict::Failed => {
                    failed += 1;
                    show("FAILED", case, &judged);
                    continue;
                }
                Verdict::Deviates(quirk) => {
                    counted[0] += 1;
                    format!("deviates: {quirk}")
                }
                Verdict::Extends(what) => {
                    counted[1] += 1;
                    format!("extends: {what}")
                }
                Verdict::Skipped(why) => {
                    counted[2] += 1;
                    format!("skipped: {why}")
                }
            };
            if verbose {
                show(&label, case, &judged);
            }
            others.entry(label).or_default().push(case.name.clone());
        }
    }
    for (label, names) in &others {
        println!("{label} ({}): {}", names.len(), names.join(" "));
    }
    let [deviates, extends, skipped] = counted;
    println!("not compared: {deviates} deviates, {extends} extends, {skipped} for other reasons");
    println!("{passed} passed, {failed} failed, {} skipped", deviates + extends + skipped);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn show(label: &str, case: &Case, judged: &Judged) {
    println!("{label} {}: expected {}; got {}; rule: {}", case.name, judged.expected, judged.got, judged.text);
    println!("    {}", case.story());
}
