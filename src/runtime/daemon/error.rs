//! Why a daemon can't start, or ended badly.

use crate::{
    engine::CompileError,
    io::{
        sink::{SinkError, TransactionError},
        source::SourceError,
    },
};
use std::io;

/// Why a daemon can't start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// No source would ever bring anything.
    #[error("nothing to read: no source of the configuration is read by a rule; rules read {streams}")]
    NoSource {
        /// The streams that rules read.
        streams: String,
    },
    /// Two sources want the process's input.
    #[error("the sources `{first}` and `{second}` both read stdin: only one can")]
    StdinTwice {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A source would be posted to, and nobody listens.
    #[error("the source `{name}` takes records by HTTP, and `api.enabled` is false")]
    NoListener {
        /// Its name.
        name: String,
    },
    /// A source can't be opened.
    #[error("the source `{name}`: {error}")]
    Source {
        /// Its name.
        name: String,
        /// Why.
        error: Box<SourceError>,
    },
    /// A sink can't be opened.
    #[error("a sink of {what}: {error}")]
    Sink {
        /// What should go there.
        what: &'static str,
        /// Why.
        error: Box<SinkError>,
    },
    /// A sink that is to be written exactly once can't be opened.
    #[error("a sink of alerts: {0}")]
    Exact(#[from] Box<TransactionError>),
    /// A sink is to be written exactly once, and there are no checkpoints.
    #[error(
        "`delivery: exactly_once` needs checkpoints, and with a source that can't be read again (stdin, a pipe) there are none"
    )]
    NoCheckpoints,
    /// What an earlier run left can't be used, or nothing can be left for a later one.
    #[error("{0}\n(`state.dir` names another directory; with `state.enabled: false` no checkpoints are taken)")]
    State(String),
    /// A rule that no program can be built from.
    #[error("{0}")]
    Compile(#[from] CompileError),
    /// The system gives no thread.
    #[error("can't start a thread: {0}")]
    Thread(#[from] io::Error),
    /// A source failed, an output was not written, or the engine broke down; everything that could be done was done.
    #[error("{0}")]
    Ended(String),
}

impl DaemonError {
    /// 1 where a run that had begun failed, 2 for wrong configuration.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Ended(_) | Self::Thread(_)) { 1 } else { 2 }
    }
}
