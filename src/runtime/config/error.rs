//! What can be wrong with a configuration.

use std::path::PathBuf;

/// A configuration that can't be used. Messages name the place as a path of keys: `sources.pings.kafka.topic`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read `{}`: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The text is no YAML.
    #[error("{0}")]
    Yaml(String),
    /// A key that doesn't belong there.
    #[error("`{path}` is no known key{}", .nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key with its path.
        path: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A key that has to be there.
    #[error("`{path}` is missing")]
    Missing {
        /// The key with its path.
        path: String,
    },
    /// A value of the wrong kind.
    #[error("`{path}` is {found}, expected {expected}")]
    Value {
        /// The key with its path.
        path: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// An environment variable that isn't set.
    #[error("`{path}` needs the environment variable `{name}`, which is not set")]
    Environment {
        /// The key with its path.
        path: String,
        /// The variable.
        name: String,
    },
    /// A rule path that no file answers to.
    #[error("no rule file at `{}`{}", .path.display(), if *.directory { ": the directory has no `.yaml`" } else { "" })]
    NoRules {
        /// The path as it was given.
        path: PathBuf,
        /// Whether it is a directory.
        directory: bool,
    },
    /// A `--set` that can't be applied.
    #[error("`--set {text}`: {why}")]
    Override {
        /// As it was given.
        text: String,
        /// What is wrong.
        why: String,
    },
}
