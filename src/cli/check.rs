//! `geocep check`: parse, type-check, lint.

use super::options::{ConfigOptions, fail, say, warn};
use crate::{
    engine::{Engine, Inline, Options},
    runtime::project::{Loaded, ProjectError},
};
use clap::Args;
use std::{collections::BTreeMap, path::PathBuf};

/// Arguments of `geocep check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Rule files or directories [default: those of the configuration]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Checks rule files; without a configuration streams and fence sets that nobody declared are taken as they are used.
pub(super) fn run(args: &CheckArgs) -> u8 {
    let loaded = Loaded::read(&args.config.request(&args.rules));
    match loaded.and_then(|loaded| loaded.check(&BTreeMap::new(), true)) {
        Ok(project) => {
            warn(&project);
            // What only shows when programs are built, such as an automaton that is too large, is told here as well.
            if let Err(error) = Engine::new(project.plan.clone(), project.world, Options::default(), Box::new(Inline)) {
                return fail(&error, 1);
            }
            let rules = project.plan.rules.len();
            say(format_args!("{rules} {} checked, no error", if rules == 1 { "rule" } else { "rules" }));
            0
        }
        Err(ProjectError::Rules { rendered, errors }) => {
            say(format_args!("{}", rendered.trim_end()));
            say(format_args!("\n{errors} {}", if errors == 1 { "error" } else { "errors" }));
            1
        }
        Err(error) => fail(&error, error.exit_code()),
    }
}
