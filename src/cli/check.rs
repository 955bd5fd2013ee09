//! `geocep check`: parse, type-check, lint, and say how much work each rule is per event.

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
            let engine = Engine::new(project.plan.clone(), project.world, Options::default(), Box::new(Inline));
            let engine = match engine {
                Ok(engine) => engine,
                Err(error) => return fail(&error, 1),
            };
            for (at, rule) in project.plan.rules.iter().enumerate() {
                if let Some((class, _)) = engine.class(at as u32) {
                    say(format_args!("{}: {class}", rule.name));
                }
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
