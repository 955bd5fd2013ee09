//! `geocep bench`: how fast it is on this machine.

use super::options::{ConfigOptions, fail, in_words, load_inputs, print, warn};
use crate::{
    engine::AtEnd,
    runtime::{
        bench::{self, BenchInput, LatencyOptions, Mode, ThroughputOutcome, Workload, measure},
        replay::Binding,
    },
};
use clap::{Args, Subcommand};
use std::{path::PathBuf, time::Duration};

/// Arguments of `geocep bench`.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send events on a fixed schedule and measure from the intended instant of each (open loop)
    Latency(LatencyArgs),
    /// Run files through rules as fast as they go and count events per second, whole or in stages
    Throughput(ThroughputArgs),
}

#[derive(Debug, Args)]
struct ThroughputArgs {
    /// Files to read, as `geocep replay` takes them [default: the configuration's]
    inputs: Vec<PathBuf>,
    /// Rule files or directories; may be given again [default: those of the configuration]
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with = "workload")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
    /// Read a stream from a file; may be given again
    #[arg(long, value_name = "NAME=FILE")]
    stream: Vec<String>,
    /// A named workload, such as w1, over the files of --dir
    #[arg(long, value_name = "NAME", requires = "dir", conflicts_with_all = ["inputs", "config", "stream"])]
    workload: Option<String>,
    /// Where a workload's files are
    #[arg(long, value_name = "DIR", requires = "workload")]
    dir: Option<PathBuf>,
    /// What is measured
    #[arg(long, value_enum, default_value_t = Measured::E2e)]
    mode: Measured,
    /// How many shards
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    shards: u32,
    /// JSON objects, one a line, instead of a table
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measured {
    /// From the file to encoded alerts
    E2e,
    /// Only the engine: events are decoded beforehand, alerts counted
    Op,
    /// One after another: reading, reading and decoding, the engine alone, and everything
    Stages,
}

#[derive(Debug, Args)]
struct LatencyArgs {
    /// Files to read, as `geocep replay` takes them; sent again, later, where they are too short [default: the configuration's]
    inputs: Vec<PathBuf>,
    /// Rule files or directories; may be given again [default: those of the configuration]
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
    /// Read a stream from a file; may be given again
    #[arg(long, value_name = "NAME=FILE")]
    stream: Vec<String>,
    /// Events per second, over all inputs together
    #[arg(long, value_name = "N", default_value_t = 10_000.0, value_parser = rate)]
    rate: f64,
    /// How long to measure, such as 30s
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    duration: Duration,
    /// How long to send events before, which don't count
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = span)]
    warmup: Duration,
    /// How many shards [default: the configuration's, else 1]
    #[arg(long)]
    shards: Option<u32>,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// The longest measurement.
const SPAN_MAX_MS: i64 = 24 * 3_600_000;

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e8).contains(&rate) => Ok(rate),
        _ => Err("expected events per second, from 0.001 to 100000000".to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    match crate::runtime::config::parse_span_ms(text) {
        Some(span_ms @ 0..=SPAN_MAX_MS) => Ok(Duration::from_millis(span_ms.unsigned_abs())),
        _ => Err("expected a span of at most a day, such as `500ms`, `30s` or `2min`".to_owned()),
    }
}

/// Measures.
pub(super) fn run(args: &BenchArgs) -> u8 {
    let done = match &args.what {
        What::Latency(args) => latency(args),
        What::Throughput(args) => throughput(args),
    };
    match done {
        Ok(text) => {
            print(&text);
            0
        }
        Err((message, code)) => fail(&message, code),
    }
}

fn latency(args: &LatencyArgs) -> Result<String, (String, u8)> {
    let (loaded, Binding { inputs, guessed }) = load_inputs(&args.config, &args.rules, &args.stream, &args.inputs)?;
    if inputs.iter().any(|input| input.path.as_os_str() == "-") {
        return Err(("a measurement reads files, not its input".to_owned(), 2));
    }
    let project = loaded.check(&guessed, false).map_err(in_words)?;
    warn(&project);
    let input = BenchInput::read(&project, inputs).map_err(|error| (error, 2))?;
    let options = LatencyOptions { rate: args.rate, duration: args.duration, warmup: args.warmup, shards: args.shards };
    let outcome = measure(&project, &input, &options).map_err(|error| (error, 1))?;
    Ok(if args.json { outcome.json() + "\n" } else { outcome.to_string() })
}

fn throughput(args: &ThroughputArgs) -> Result<String, (String, u8)> {
    let wrong = |error: String| (error, 2);
    let workload = args.workload.as_deref().map(Workload::named).transpose().map_err(wrong)?;
    let (project, inputs) = match (workload, &args.dir) {
        (Some(workload), Some(dir)) => workload.load(dir).map_err(wrong)?,
        _ => {
            let (loaded, Binding { inputs, guessed }) =
                load_inputs(&args.config, &args.rules, &args.stream, &args.inputs)?;
            (loaded.check(&guessed, false).map_err(in_words)?, inputs)
        }
    };
    if inputs.iter().any(|input| input.path.as_os_str() == "-") {
        return Err(wrong("a measurement reads files, not its input".to_owned()));
    }
    warn(&project);
    let modes: &[Mode] = match args.mode {
        Measured::E2e => &[Mode::EndToEnd],
        Measured::Op => &[Mode::Operator],
        Measured::Stages => &[Mode::Read, Mode::Decode, Mode::Operator, Mode::EndToEnd],
    };
    let mut text = String::new();
    for &mode in modes {
        let outcome: ThroughputOutcome = match workload {
            Some(workload) => bench::run_workload(workload, &project, &inputs, mode, args.shards),
            None => bench::run("rules", &project, &inputs, mode, args.shards, AtEnd::Drain),
        }
        .map_err(|error| (error, 1))?;
        text += &if args.json { outcome.json() } else { outcome.to_string() };
        text.push('\n');
    }
    Ok(text)
}
