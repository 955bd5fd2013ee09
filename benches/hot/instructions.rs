//! Instructions of each case under callgrind, and what they were.

use crate::cases::CASES;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

/// Asks for one case, as it runs under callgrind.
pub(crate) const ONE: &str = "--one";
/// How often a case's work is done there.
pub(crate) const ROUNDS: u32 = 4;
/// A rise by more than this share is a mistake.
const TOLERANCE: f64 = 0.03;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.json")
}

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&version).trim().to_owned()
}

/// Instructions for each event.
fn count(name: &str, events: f64) -> Result<f64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_work*"])
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .args([ONE, name])
        .output()
        .map_err(|error| format!("can't run valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("`{name}` failed under valgrind:\n{text}"));
    }
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let counted = line.and_then(|(_, number)| number.trim().parse::<f64>().ok());
    match counted {
        Some(counted) if counted > 0.0 => Ok(counted / f64::from(ROUNDS) / events),
        _ => Err(format!("`{name}`: nothing was counted:\n{text}")),
    }
}

/// Counts all cases; the exit code.
pub(crate) fn run(update: bool) -> i32 {
    let text = fs::read_to_string(file()).unwrap_or_else(|_| "{}".to_owned());
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();
    let compiler = compiler();
    let same_compiler = known["compiler"].as_str() == Some(&compiler);
    let mut now: BTreeMap<&str, u64> = BTreeMap::new();
    let mut risen = 0;
    println!("| case | instructions | were | change |\n| --- | ---: | ---: | ---: |");
    for case in &CASES {
        let counted = match count(case.name, case.events) {
            Ok(counted) => counted,
            Err(error) => {
                println!("{error}");
                return 2;
            }
        };
        now.insert(case.name, counted.round() as u64);
        let Some(before) = known["instructions"][case.name].as_f64() else {
            println!("| {} | {counted:.0} | | new |", case.name);
            continue;
        };
        let change = counted / before.max(1.0) - 1.0;
        risen += u32::from(change > TOLERANCE);
        println!("| {} | {counted:.0} | {before:.0} | {:+.1} % |", case.name, change * 100.0);
    }
    if update {
        let value = serde_json::json!({ "compiler": compiler, "instructions": now });
        fs::write(file(), serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
        return 0;
    }
    if risen > 0 {
        println!(
            "{risen} cases take more than {:.0} % more instructions than benches/instructions.json says",
            TOLERANCE * 100.0
        );
        println!("(if that is meant: cargo bench --bench hot -- --instructions --update)");
    }
    if !same_compiler {
        println!("that file is of {}, this is {compiler}: nothing fails", known["compiler"].as_str().unwrap_or("none"));
    }
    i32::from(risen > 0 && same_compiler)
}
