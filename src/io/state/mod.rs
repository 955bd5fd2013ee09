//! Checkpoints as files: one directory, one file for each checkpoint, and files never change once they have their names.

mod dir;
mod error;
mod read;
mod store;
mod writer;

pub use dir::{StateDir, checkpoints};
pub use error::{Refused, StateError};
pub use read::{Saved, StoredBlocks, newest_names, read};
pub use store::SpillStore;
pub use writer::{CheckpointWriter, Contents, Written};
