//! Options that several commands have, and how they complain.

use crate::runtime::project::{Project, Request};
use clap::Args;
use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    path::PathBuf,
};

/// Where the configuration is.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ConfigOptions {
    /// Configuration file [default: geocep.yaml, if it is there]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Override a key of the configuration, such as sources.pings.disorder=10s; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

impl ConfigOptions {
    /// What to load, with these rule files or those of the configuration.
    pub(super) fn request(&self, rules: &[PathBuf]) -> Request {
        Request {
            config: self.config.clone(),
            overrides: self.set.clone(),
            rules: rules.to_vec(),
            coloured: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

/// Says what went wrong and gives the exit code back.
pub(super) fn fail(error: &dyn Display, code: u8) -> u8 {
    say(format_args!("error: {error}"));
    code
}

/// A line to stderr; if that is gone, nobody is there to be told.
pub(super) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text to stdout, for machines. A reader that has gone away is no error: what it wanted, it has.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Passes a project's warnings on.
pub(super) fn warn(project: &Project) {
    for warning in &project.warnings {
        say(format_args!("{}", warning.trim_end()));
    }
}
