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
    /// A file that this version didn't write, or whose beginning is corrupt: it is left alone.
    #[error("`{}` is no segment of an outbox of format version 1; move it away, and what is in it is not delivered", .path.display())]
    Foreign {
        /// The file.
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
