//! A checkpoint as bytes: pure encoding and decoding, no file. `docs/state.md` has the layout; `io::state` keeps the files.

mod content;
mod epochs;
mod error;
mod format;
mod names;

pub use content::{Head, Place, Position, Undelivered};
pub use epochs::{Epoch, SinkEpochs};
pub use error::CheckpointError;
pub use format::{
    Block, BlockId, BlockKind, FORMAT_VERSION, HEADER_LEN, Manifest, Stored, block_frame, footer, header,
};
pub use names::{NamedDrain, NamedOwner, NamedRule, NamedStream, Names};
