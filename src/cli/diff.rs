//! `geocep diff`: what another edition of rules would have said.

use super::{
    log::{Log, log_to_stderr},
    options::{ConfigOptions, fail, print, say, stream_files, warn},
};
use crate::{
    engine::AtEnd,
    runtime::{
        diff::{Diff, DiffOptions},
        project::{Loaded, ProjectError},
        replay::{Binding, bind_names, progress_bar},
    },
};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `geocep diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The rules as they are: a file or directory
    before: PathBuf,
    /// The rules as they are to be
    after: PathBuf,
    /// Files to read, as `geocep replay` takes them [default: the configuration's]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
    /// Read a stream from a file; may be given again
    #[arg(long, value_name = "NAME=FILE")]
    stream: Vec<String>,
    /// How many shards [default: the configuration's, else 1]
    #[arg(long)]
    shards: Option<u32>,
    /// How many differences the table shows
    #[arg(long, value_name = "N", default_value_t = 50)]
    show: usize,
    /// JSON objects, one a line: all differences with their alerts, then the counts
    #[arg(long)]
    json: bool,
    /// No progress bar and no warnings
    #[arg(short, long)]
    quiet: bool,
}

/// Compares: 0 where all alerts are the same, 1 where they differ, 2 where there is nothing to compare.
pub(super) fn run(args: &DiffArgs) -> u8 {
    match diff(args) {
        Ok((text, differs)) => {
            print(&text);
            u8::from(differs)
        }
        // As with other tools that compare, 1 means that there is a difference.
        Err(error) => fail(&error.trim_end(), 2),
    }
}

fn diff(args: &DiffArgs) -> Result<(String, bool), String> {
    log_to_stderr("warn", Log::Plain)?;
    let in_words = |error: ProjectError| error.to_string();
    let load = |rules: &PathBuf| Loaded::read(&args.config.request(std::slice::from_ref(rules))).map_err(in_words);
    let (before, after) = (load(&args.before)?, load(&args.after)?);
    let mut names = before.source_names();
    names.extend(after.source_names());
    names.sort();
    names.dedup();
    let streams = stream_files(&args.stream)?;
    let Binding { inputs, guessed } = bind_names(&after, &names, &streams, &args.inputs)?;
    let (before, after) =
        (before.check(&guessed, false).map_err(in_words)?, after.check(&guessed, false).map_err(in_words)?);
    if !args.quiet {
        warn(&before);
        warn(&after);
    }
    let options = DiffOptions { at_end: AtEnd::Drain, shards: args.shards };
    let bar = progress_bar(!args.quiet);
    let comparison = Diff::new(&before, &after, inputs, options)?.run(&mut |records| bar.inc(records))?;
    bar.finish_and_clear();
    if comparison.rules.is_empty() && !args.quiet {
        say(format_args!("neither edition puts out any alert"));
    }
    let text = if args.json { comparison.json() } else { comparison.table(args.show) };
    Ok((text, comparison.differs()))
}
