//! `geocep bench`: how fast it is on this machine.

use super::options::{ConfigOptions, fail, in_words, load_inputs, print, warn};
use crate::{
    engine::AtEnd,
    runtime::{
        bench::{self, BenchInput, Door, LatencyOptions, Mode, SweepOptions, Workload},
        project::Project,
        replay::{Binding, BoundInput},
    },
};
use clap::{Args, Subcommand, ValueEnum};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

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
    /// Read files and tell what keys and partial matches take
    Memory(MemoryArgs),
    /// Run files through rules as fast as they go and count events per second, whole or in stages
    Throughput(ThroughputArgs),
}

/// What is run.
#[derive(Debug, Args)]
struct Subject {
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
}

#[derive(Debug, Args)]
struct ThroughputArgs {
    #[command(flatten)]
    subject: Subject,
    /// What is measured
    #[arg(long, value_enum, default_value_t = Measured::E2e)]
    mode: Measured,
    /// Of a workload with windows, count how many close in each 100 ms of event time, in a run of its own
    #[arg(long, requires = "workload")]
    bursts: bool,
    /// How many shards
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    shards: u32,
    /// JSON objects, one a line, instead of a table
    #[arg(long)]
    json: bool,
    /// Print ratios to an earlier run, a file of what --json printed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct MemoryArgs {
    #[command(flatten)]
    subject: Subject,
    /// How many shards
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    shards: u32,
    /// JSON objects, one a line, instead of a table
    #[arg(long)]
    json: bool,
    /// Print ratios to an earlier run, a file of what --json printed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measured {
    /// From the file to encoded alerts
    E2e,
    /// Only the engine: events are decoded beforehand, alerts counted
    Op,
    /// Part by part: reading, decoding, routing, matching, encoding
    Stages,
}

#[derive(Debug, Args)]
struct LatencyArgs {
    /// Sent again, later, where the files are too short
    #[command(flatten)]
    subject: Subject,
    /// Events per second, over all inputs together; several, separated by commas, are measured one after another
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "10000", value_parser = rate)]
    rate: Vec<f64>,
    /// Find the rate that is just kept, and measure at shares of it up to all of it
    #[arg(long, conflicts_with = "rate")]
    sweep: bool,
    /// The ways of the events, separated by commas
    #[arg(long, value_enum, value_name = "WAY,...", value_delimiter = ',', default_value = "in-process")]
    through: Vec<Through>,
    /// The broker of --through kafka: host:port; topics are made and left there
    #[arg(long, value_name = "BROKERS")]
    brokers: Option<String>,
    /// Measure rules that do next to nothing beside, on the same ways
    #[arg(long)]
    empty: bool,
    /// How long to measure, such as 30s
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    duration: Duration,
    /// How long to send events before, which don't count
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = span)]
    warmup: Duration,
    /// How many shards [default: the configuration's, else 1]
    #[arg(long)]
    shards: Option<u32>,
    /// JSON objects, one a line, instead of tables
    #[arg(long)]
    json: bool,
    /// Draw the latencies over the rate
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print ratios to an earlier run, a file of what --json printed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// The way of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Through {
    /// Decoders, rules and encoder in one thread
    InProcess,
    /// A daemon that follows a file
    File,
    /// A daemon that reads topics of --brokers
    Kafka,
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

type Failure = (String, u8);

fn wrong(error: String) -> Failure {
    (error, 2)
}

fn failed(error: String) -> Failure {
    (error, 1)
}

/// Measures.
pub(super) fn run(args: &BenchArgs) -> u8 {
    let done = match &args.what {
        What::Latency(args) => latency(args),
        What::Memory(args) => memory(args),
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

impl Subject {
    fn load(&self) -> Result<(Project, Vec<BoundInput>, Option<Workload>), Failure> {
        let workload = self.workload.as_deref().map(Workload::named).transpose().map_err(wrong)?;
        let (project, inputs) = match (workload, &self.dir) {
            (Some(workload), Some(dir)) => workload.load(dir).map_err(wrong)?,
            _ => {
                let (loaded, Binding { inputs, guessed }) =
                    load_inputs(&self.config, &self.rules, &self.stream, &self.inputs)?;
                (loaded.check(&guessed, false).map_err(in_words)?, inputs)
            }
        };
        if inputs.iter().any(|input| input.path.as_os_str() == "-") {
            return Err(wrong("a measurement reads files, not its input".to_owned()));
        }
        warn(&project);
        Ok((project, inputs, workload))
    }
}

/// What is printed: a run's JSON or its table, and the comparison, which goes behind a table and, with JSON, to stderr.
fn shown(json: bool, lines: String, table: String, compare: Option<&Path>) -> Result<String, Failure> {
    let compared = compare.map(|path| {
        let before = fs::read_to_string(path).map_err(|error| format!("can't read `{}`: {error}", path.display()))?;
        bench::compare(&before, &lines).map_err(|error| format!("`{}`: {error}", path.display()))
    });
    let compared = compared.transpose().map_err(wrong)?.unwrap_or_default();
    if json {
        eprint_text(&compared);
        return Ok(lines);
    }
    Ok(if compared.is_empty() { table } else { format!("{table}\n{compared}") })
}

#[allow(clippy::print_stderr, reason = "it is the program's answer beside its JSON")]
fn eprint_text(text: &str) {
    eprint!("{text}");
}

fn latency(args: &LatencyArgs) -> Result<String, Failure> {
    let door = |through: &Through| match (through, &args.brokers) {
        (Through::InProcess, _) => Ok(Door::InProcess),
        (Through::File, _) => Ok(Door::File),
        (Through::Kafka, Some(brokers)) => Ok(Door::Kafka(brokers.clone())),
        (Through::Kafka, None) => Err(wrong("`--through kafka` needs `--brokers`".to_owned())),
    };
    let doors = args.through.iter().map(door).collect::<Result<Vec<_>, _>>()?;
    let (project, inputs, _) = args.subject.load()?;
    let input = BenchInput::read(&project, inputs.clone()).map_err(wrong)?;
    let rates = if args.sweep { Vec::new() } else { args.rate.clone() };
    let (duration, warmup, shards) = (args.duration, args.warmup, args.shards);
    let each = LatencyOptions { rate: 1.0, duration, warmup, shards };
    let options = SweepOptions { rates, doors, empty: args.empty, each };
    let several = args.sweep || args.rate.len() * args.through.len() > 1 || args.empty;
    let told = |outcome: &bench::LatencyOutcome| {
        if several && args.json {
            eprint_text(&outcome.to_string());
        }
    };
    let outcomes = bench::sweep(&project, &inputs, &input, &options, told).map_err(failed)?;
    if let Some(path) = &args.svg {
        let written = fs::write(path, bench::plot(&outcomes));
        written.map_err(|error| wrong(format!("can't write `{}`: {error}", path.display())))?;
    }
    let lines = outcomes.iter().map(|outcome| outcome.json() + "\n").collect();
    let tables: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
    shown(args.json, lines, tables.join("\n"), args.compare.as_deref())
}

fn throughput(args: &ThroughputArgs) -> Result<String, Failure> {
    let (project, inputs, workload) = args.subject.load()?;
    let mode = match args.mode {
        Measured::E2e => Mode::EndToEnd,
        Measured::Op => Mode::Operator,
        Measured::Stages => {
            let stages = bench::stages(workload, &project, &inputs, args.shards).map_err(failed)?;
            return shown(args.json, stages.json(), stages.to_string(), args.compare.as_deref());
        }
    };
    let outcome = match workload {
        Some(workload) => bench::run_workload(workload, &project, &inputs, mode, args.shards),
        None => bench::run("rules", &project, &inputs, mode, args.shards, AtEnd::Drain),
    };
    let mut outcome = outcome.map_err(failed)?;
    if let (true, Some(workload), Some(dir)) = (args.bursts, workload, &args.subject.dir) {
        outcome.closings = Some(bench::closings(workload, dir).map_err(wrong)?);
    }
    shown(args.json, outcome.json() + "\n", format!("{outcome}\n"), args.compare.as_deref())
}

fn memory(args: &MemoryArgs) -> Result<String, Failure> {
    let (project, inputs, _) = args.subject.load()?;
    let outcomes = bench::memory(&project, &inputs, args.shards).map_err(failed)?;
    let lines = outcomes.iter().map(|outcome| outcome.json() + "\n").collect();
    let table = outcomes.iter().map(|outcome| format!("{outcome}\n")).collect();
    shown(args.json, lines, table, args.compare.as_deref())
}
