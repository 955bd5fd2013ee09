//! `geocep bench`: how fast it is on this machine.

use super::options::{ConfigOptions, fail, in_words, load_inputs, print, warn};
use crate::runtime::{
    bench::{BenchInput, LatencyOptions, measure},
    replay::Binding,
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
    let What::Latency(args) = &args.what;
    match latency(args) {
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
