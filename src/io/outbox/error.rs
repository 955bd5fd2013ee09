//! What can be wrong with an outbox.

use std::{io, path::PathBuf};

/// An outbox that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The system says no.
    #[error("the outbox `{}`: {error}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has it.
    #[error("another geocep uses the outbox `{}`", .path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// What was asked for isn't there as it was written.
    #[error("the outbox `{}` is corrupt at byte {at}", .path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where.
        at: u64,
    },
}
