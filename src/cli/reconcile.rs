//! `geocep reconcile`: what was matched against what sinks have.

use super::options::{fail, print};
use crate::runtime::{
    config::Config,
    project::DEFAULT_CONFIG,
    reconcile::{Reconciled, reconcile},
};
use clap::Args;
use serde_json::json;
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// Arguments of `geocep reconcile`.
#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// Configuration file [default: geocep.yaml]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a key of the configuration; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Alerts that should have arrived, such as what a replay of the same input puts out [default: all that some sink was given]
    #[arg(long, value_name = "FILE")]
    matched: Vec<PathBuf>,
    /// Alerts that a sink's receiver has got, in place of what is known of the sink; may be given again
    #[arg(long, value_name = "SINK=FILE")]
    acknowledged: Vec<String>,
    /// How many alerts are listed
    #[arg(long, default_value_t = 50, value_name = "N")]
    show: usize,
    /// One JSON object, with all alerts
    #[arg(long)]
    json: bool,
}

/// Compares and shows; exit code 1 if an alert is missing.
pub(super) fn run(args: &ReconcileArgs) -> u8 {
    match compared(args) {
        Ok(answer) => {
            print(&if args.json { as_json(&answer) } else { as_text(&answer, args.show) });
            u8::from(answer.missing() > 0)
        }
        Err(message) => fail(&message, 2),
    }
}

fn compared(args: &ReconcileArgs) -> Result<Reconciled, String> {
    let path = args.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG));
    let config = Config::load(path, &args.set).map_err(|error| error.to_string())?;
    let named = |text: &String| match text.split_once('=') {
        Some((name, path)) => Ok((name.to_owned(), PathBuf::from(path))),
        None => Err(format!("`--acknowledged {text}`: expected SINK=FILE")),
    };
    let acknowledged = args.acknowledged.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    reconcile(&config, &args.matched, &acknowledged).map_err(|error| error.to_string())
}

fn as_text(answer: &Reconciled, show: usize) -> String {
    let head =
        ["sink", "rule", "matched", "acknowledged", "waiting", "missing", "dead", "dropped", "doubled", "strange"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|word| (*word).to_owned()).collect()];
    for ((sink, rule), counts) in &answer.counts {
        let numbers = [
            counts.matched,
            counts.acknowledged,
            counts.waiting,
            counts.missing,
            counts.dead,
            counts.dropped,
            counts.doubled,
            counts.strange,
        ];
        let mut row = vec![sink.clone(), rule.clone()];
        row.extend(numbers.iter().map(u64::to_string));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    for finding in answer.findings.iter().take(show) {
        let _ =
            writeln!(text, "{}  {}  {}  {}  {}", finding.what, finding.sink, finding.rule, finding.id, finding.detail);
    }
    let more = answer.findings.len().saturating_sub(show);
    if more > 0 {
        let _ = writeln!(text, "... and {more} more");
    }
    for note in &answer.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn as_json(answer: &Reconciled) -> String {
    let counts = answer.counts.iter().map(|((sink, rule), counts)| {
        json!({
            "sink": sink,
            "rule": rule,
            "matched": counts.matched,
            "acknowledged": counts.acknowledged,
            "waiting": counts.waiting,
            "missing": counts.missing,
            "dead": counts.dead,
            "dropped": counts.dropped,
            "doubled": counts.doubled,
            "strange": counts.strange,
        })
    });
    let findings = answer.findings.iter().map(|finding| {
        json!({
            "what": finding.what,
            "sink": finding.sink,
            "rule": finding.rule,
            "id": finding.id.to_string(),
            "detail": finding.detail,
        })
    });
    let whole = json!({
        "counts": counts.collect::<Vec<_>>(),
        "alerts": findings.collect::<Vec<_>>(),
        "notes": answer.notes,
    });
    format!("{whole}\n")
}
