//! The commands and what they have in common.

use super::{bench, check, diff, explain, reconcile, replay, run, simulate, state, test};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Geospatial complex event processing: rules over located event streams.
#[derive(Debug, Parser)]
#[command(name = "geocep", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: read sources until stopped, emit alerts
    Run(run::RunArgs),
    /// Run rules over files
    Replay(replay::ReplayArgs),
    /// Parse, type-check and lint rule files
    Check(check::CheckArgs),
    /// Run rule unit tests: events in, alerts expected
    Test(test::TestArgs),
    /// Compare two editions of rules over the same files: alerts gained, lost, moved
    Diff(diff::DiffArgs),
    /// Show what rules mean: plan, automata, lineage
    Explain(explain::ExplainArgs),
    /// Measure latency
    Bench(bench::BenchArgs),
    /// Look into checkpoints
    State(state::StateArgs),
    /// Compare what was matched with what sinks have
    Reconcile(reconcile::ReconcileArgs),
    /// Make event streams: seeded, deterministic
    Simulate(simulate::SimulateArgs),
}

/// Parses the arguments, runs the command, and gives its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes: clap prints them to stdout.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let code = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::State(args) => state::run(&args),
        Command::Reconcile(args) => reconcile::run(&args),
        Command::Simulate(args) => match simulate::run(&args) {
            Ok(()) => 0,
            Err(error) => super::options::fail(&error, error.exit_code()),
        },
    };
    ExitCode::from(code)
}
