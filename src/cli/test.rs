//! `geocep test`: rule unit tests.

use super::options::{fail, say};
use crate::runtime::rule_test::{run_file, test_files};
use clap::Args;
use std::{io::IsTerminal, path::PathBuf};

/// Arguments of `geocep test`.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Files of tests; of a directory those in directories called `tests`, in it and below
    #[arg(required = true)]
    tests: Vec<PathBuf>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,
    /// Name the tests that pass, too
    #[arg(short, long)]
    verbose: bool,
}

/// Runs tests: 0 all passed, 1 some failed, 2 a file of tests is wrong.
pub(super) fn run(args: &TestArgs) -> u8 {
    let files = match test_files(&args.tests) {
        Ok(files) => files,
        Err(error) => return fail(&error, 2),
    };
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (mut passed, mut failed, mut wrong) = (0u32, 0u32, 0u32);
    for file in &files {
        let outcome = match run_file(file, &args.name, coloured) {
            Ok(outcome) => outcome,
            Err(error) => {
                fail(&error.to_string().trim_end(), 2);
                wrong += 1;
                continue;
            }
        };
        for test in outcome.tests {
            if test.failures.is_empty() {
                passed += 1;
                if args.verbose {
                    say(format_args!("ok      {}  {}", test.name, test.place));
                }
                continue;
            }
            failed += 1;
            say(format_args!("FAILED  {}  {}", test.name, test.place));
            for failure in test.failures {
                for line in failure.lines() {
                    say(format_args!("    {line}"));
                }
            }
        }
    }
    let unread = match wrong {
        0 => String::new(),
        1 => ", 1 file is wrong".to_owned(),
        wrong => format!(", {wrong} files are wrong"),
    };
    say(format_args!("{passed} passed, {failed} failed{unread}"));
    match (wrong, failed, passed) {
        (0, 0, 0) => fail(&"no test was run", 2),
        (0, 0, _) => 0,
        (0, ..) => 1,
        _ => 2,
    }
}
