//! What goes wrong with checkpoint files.

use crate::engine::checkpoint::CheckpointError;
use std::{io, path::PathBuf};

/// A directory or file of checkpoints that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system says no.
    #[error("can't use `{}`: {error}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has the directory.
    #[error("another geocep uses `{}`: give each its own `state.dir`", .path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// A file's content.
    #[error("`{}`: {error}", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: CheckpointError,
    },
}

/// A checkpoint that was passed over.
#[derive(Debug)]
pub struct Refused {
    /// Its number.
    pub number: u64,
    /// Why.
    pub error: StateError,
}
