//! What is wrong with a checkpoint.

use super::format::BlockId;
use crate::model::DecodeError;

/// Bytes that are no checkpoint, or one that doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It doesn't begin or end as a checkpoint does.
    #[error("it is no checkpoint, or it was cut off: {0}")]
    NoCheckpoint(&'static str),
    /// A later version wrote it.
    #[error(
        "it has format version {found}, and this geocep reads {expected}: use the geocep that wrote it, or a later one"
    )]
    Version {
        /// Its version.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// A block isn't what was written.
    #[error("the block {block} has the checksum {found:016x}, and {expected:016x} was written: it is corrupt")]
    Corrupt {
        /// Which.
        block: BlockId,
        /// The checksum of the bytes there.
        found: u64,
        /// The one that was noted.
        expected: u64,
    },
    /// A block isn't where it should be.
    #[error("the block {block} isn't there")]
    Missing {
        /// Which.
        block: BlockId,
    },
    /// A block can't be read from its file.
    #[error("the block {block} can't be read: {reason}")]
    Read {
        /// Which.
        block: BlockId,
        /// What the system says.
        reason: String,
    },
    /// A block whose checksum is right holds something else than expected.
    #[error("the block {block} can't be read: {error}")]
    Decode {
        /// Which.
        block: BlockId,
        /// Why.
        error: DecodeError,
    },
    /// It was written with another seed, or for another number of key groups.
    #[error(
        "it was written with `engine.{key}: {saved}`, and the configuration has {now}: set it back, or begin anew with another `state.dir`"
    )]
    Setting {
        /// Which setting.
        key: &'static str,
        /// In the checkpoint.
        saved: u64,
        /// Now.
        now: u64,
    },
    /// Keys are hashed in another way.
    #[error("its keys are hashed by version {saved}, and this geocep has {now}: begin anew with another `state.dir`")]
    Hash {
        /// In the checkpoint.
        saved: u32,
        /// Now.
        now: u32,
    },
}
