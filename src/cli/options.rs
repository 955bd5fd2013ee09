//! Options that several commands have, and how they complain.

use crate::runtime::{
    project::{Loaded, Project, ProjectError, Request},
    replay::{Binding, bind},
};
use clap::Args;
use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
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

/// `--rules` takes several values, so what follows them may be meant as input: `--rules a.yaml b.yaml pings.ndjson`. After the
/// first, a value is a rule file if it is named like one, and a directory if such files are in it.
fn rules_and_inputs(rules: &[PathBuf], inputs: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let named_so = |path: &Path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml");
    let holds_some = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        entries.into_iter().any(|entry| named_so(&entry.path()) || entry.path().is_dir())
    };
    let is_rules = |(at, path): (usize, &PathBuf)| at == 0 || named_so(path) || (path.is_dir() && holds_some(path));
    let split = rules.iter().enumerate().position(|value| !is_rules(value)).unwrap_or(rules.len());
    let (rules, rest) = rules.split_at(split);
    (rules.to_vec(), rest.iter().chain(inputs).cloned().collect())
}

/// Reads configuration and rules, and finds the file of each stream: what every command that reads files begins with.
///
/// # Errors
/// What is wrong, and the exit code that says so.
pub(super) fn load_inputs(
    config: &ConfigOptions,
    rules: &[PathBuf],
    streams: &[String],
    inputs: &[PathBuf],
) -> Result<(Loaded, Binding), (String, u8)> {
    let (rules, inputs) = rules_and_inputs(rules, inputs);
    let loaded = Loaded::read(&config.request(&rules)).map_err(in_words)?;
    let streams = stream_files(streams).map_err(|error| (error, 2))?;
    let binding = bind(&loaded, &streams, &inputs).map_err(|error| (error, 2))?;
    Ok((loaded, binding))
}

/// The files that `--stream NAME=FILE` names.
///
/// # Errors
/// One that has another form.
pub(super) fn stream_files(streams: &[String]) -> Result<Vec<(String, PathBuf)>, String> {
    let named = |text: &String| match text.split_once('=') {
        Some((name, path)) => Ok((name.to_owned(), PathBuf::from(path))),
        None => Err(format!("`--stream {text}`: expected NAME=FILE")),
    };
    streams.iter().map(named).collect()
}

/// Why nothing can run, and the exit code that says so.
pub(super) fn in_words(error: ProjectError) -> (String, u8) {
    (error.to_string().trim_end().to_owned(), error.exit_code())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_rule_files_is_input() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let sorted = |rules: &[&str], inputs: &[&str]| rules_and_inputs(&paths(rules), &paths(inputs));
        assert_eq!(
            sorted(&["a.yaml", "b.yml", "x.ndjson", "-"], &["y.csv"]),
            (paths(&["a.yaml", "b.yml"]), paths(&["x.ndjson", "-", "y.csv"]))
        );
        assert_eq!(sorted(&["odd-name"], &[]), (paths(&["odd-name"]), paths(&[])));
        assert_eq!(sorted(&[], &["x"]), (paths(&[]), paths(&["x"])));
    }
}
