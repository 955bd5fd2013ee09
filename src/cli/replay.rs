//! `geocep replay`: rules over files.

use super::{
    log::{Log, log_to_stderr},
    options::{ConfigOptions, fail, in_words, load_inputs, say, warn},
};
use crate::{
    engine::AtEnd,
    runtime::replay::{Binding, Replay, ReplayOptions, Speed, SvgOptions},
};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Arguments of `geocep replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Files to read: each goes to the stream that its name names, or to the only source; default: the configuration's
    inputs: Vec<PathBuf>,
    /// Rule files or directories; may be given again [default: those of the configuration]
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
    /// Read a stream from a file; may be given again, for more files of a stream too
    #[arg(long, value_name = "NAME=FILE")]
    stream: Vec<String>,
    /// How fast: max, or a multiple of real time such as 1x or 10x
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// Where alerts go instead of the configuration's sinks
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Where alerts of rules with `mode: shadow` go [default: nowhere]
    #[arg(long, value_name = "FILE")]
    shadow: Option<PathBuf>,
    /// Where late events go
    #[arg(long, value_name = "FILE")]
    late: Option<PathBuf>,
    /// Where records go that are no events
    #[arg(long, value_name = "FILE")]
    dead_letter: Option<PathBuf>,
    /// What happens at the end of the input: everything that waits fires, time stops at the last event, or nothing
    #[arg(long, value_enum, default_value_t = End::Drain)]
    at_end: End,
    /// How many shards; the output does not depend on it [default: the configuration's, else 1]
    #[arg(long)]
    shards: Option<u32>,
    /// Draw the regions of all rules that have some, as SVG files with an index.html
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// With --svg: at most so many frames of a rule
    #[arg(long, value_name = "N", default_value_t = 300, requires = "svg")]
    svg_max: usize,
    /// No progress bar and no summary
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum End {
    Drain,
    Last,
    Hold,
}

/// Replays files.
pub(super) fn run(args: &ReplayArgs) -> u8 {
    match replay(args) {
        Ok(summary) => {
            if !args.quiet {
                say(format_args!("{}", summary.trim_end()));
            }
            0
        }
        Err((message, code)) => fail(&message, code),
    }
}

fn replay(args: &ReplayArgs) -> Result<String, (String, u8)> {
    log_to_stderr("warn", Log::Plain).map_err(|error| (error, 2))?;
    let (loaded, Binding { inputs, guessed }) = load_inputs(&args.config, &args.rules, &args.stream, &args.inputs)?;
    let project = loaded.check(&guessed, false).map_err(in_words)?;
    if !args.quiet {
        warn(&project);
    }
    let options = ReplayOptions {
        speed: args.speed,
        at_end: match args.at_end {
            End::Drain => AtEnd::Drain,
            End::Last => AtEnd::Last,
            End::Hold => AtEnd::Hold,
        },
        shards: args.shards,
        alerts: args.alerts.clone(),
        shadow: args.shadow.clone(),
        late: args.late.clone(),
        dead_letter: args.dead_letter.clone(),
        svg: args.svg.clone().map(|dir| SvgOptions { dir, frames_max: args.svg_max }),
        progress: !args.quiet,
    };
    let replay = Replay::new(project, inputs, options).map_err(|error| (error, 2))?;
    replay.run().map_err(|error| (error, 1))
}
