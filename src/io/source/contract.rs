//! What every source promises.

use crate::{
    engine::checkpoint::Position,
    wire::{Chunk, Format},
};
use std::{path::PathBuf, time::Duration};

/// What a pull brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Records are in the chunk.
    Records,
    /// Nothing came in time; there may be more later.
    Idle,
    /// There is no more, and never will be.
    End,
}

/// What has to be known of a source before its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How its records are written.
    pub format: Format,
    /// How many partitions it brings, numbered from 0; none where it is a single one, numbered by who opened it.
    pub partitions: Option<u32>,
}

/// A source of raw records.
pub trait Source: Send {
    /// What it is called in messages: a path, a topic.
    fn name(&self) -> &str;

    /// How its records are written; may have to wait for the first bytes to tell.
    ///
    /// # Errors
    /// It can't be read.
    fn format(&mut self) -> Result<Format, SourceError>;

    /// What has to be known before the first pull; may have to wait, as [`format`](Self::format).
    ///
    /// # Errors
    /// It can't be read, for good or just now.
    fn open(&mut self) -> Result<Opened, SourceError> {
        Ok(Opened { format: self.format()?, partitions: None })
    }

    /// Appends the next records to `chunk`, some 10,000 at most. Waits up to `patience` where it can (Kafka, a file that
    /// grows); a plain file or pipe waits for as long as the system does.
    ///
    /// # Errors
    /// It can't be read any further, or not now: [`SourceError::is_final`] tells. What came before the error was brought by
    /// earlier calls. After a final error the next call says [`Pulled::End`].
    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError>;

    /// Where there are several partitions: those that have been read to their present end, when that is news. A source without
    /// them says so with [`Pulled::Idle`].
    fn caught_up(&mut self) -> Option<Vec<u32>> {
        None
    }

    /// After an error that may pass: whether it is known to have passed, so that nobody waits any longer.
    fn is_back(&self) -> bool {
        false
    }

    /// Whether another run can read on from a place in it. If not, nothing that depends on it can be resumed.
    fn is_resumable(&self) -> bool {
        false
    }

    /// Where all that was pulled so far ends, of a source with one partition that can be resumed. Of a source with several the offsets of
    /// the records tell.
    fn place(&self) -> Option<Position> {
        None
    }

    /// The last call where a stop was asked for: what was taken from somebody who counts on it, and what no other run can read again.
    fn last(&mut self) -> Option<Chunk> {
        None
    }

    /// Nothing can be taken just now, for a while already; called again and again until the next [`pull`](Self::pull). A source that
    /// somebody has to hear from stays in touch.
    fn hold(&mut self) {}

    /// All that was pulled so far is in good hands: a source that remembers its place may move it here.
    fn delivered(&mut self) {}
}

/// A source that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system says no.
    #[error("can't read `{name}`: {error}")]
    Read {
        /// The file.
        name: String,
        /// Why.
        error: std::io::Error,
    },
    /// Compressed data ends before its end. What came before was read.
    #[error("`{name}` is cut off: its compressed data ends too early{}", dropped(*.bytes))]
    CutOff {
        /// The file.
        name: String,
        /// Bytes of an incomplete last record, which were dropped.
        bytes: u64,
    },
    /// A document is held whole, and this one is too large for that.
    #[error("`{name}` is a document of more than {} MiB: split it, or write it as a feature or object per line", .limit >> 20)]
    LargeDocument {
        /// The file.
        name: String,
        /// The largest, bytes.
        limit: usize,
    },
    /// A file that grows can't be compressed.
    #[error("`{}` is compressed: it can be read, but not followed", .path.display())]
    CompressedTail {
        /// The file.
        path: PathBuf,
    },
    /// A file isn't the one that a checkpoint has read.
    #[error(
        "`{}` is not the file that the checkpoint has read: its beginning is another, or it is shorter; put the file back, or begin anew with another `state.dir`", .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// What is pushed can't be kept, or what was kept can't be read.
    #[error("`{name}`: {error}")]
    Log {
        /// The source.
        name: String,
        /// Why.
        error: String,
        /// Whether trying again is of no use.
        is_final: bool,
    },
    /// Kafka says no.
    #[error("can't read the topic `{topic}`: {error}")]
    Kafka {
        /// The topic.
        topic: String,
        /// Why.
        error: rdkafka::error::KafkaError,
        /// Whether trying again is of no use.
        is_final: bool,
    },
}

impl SourceError {
    /// Whether trying again is of no use.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Kafka { is_final: false, .. } | Self::Log { is_final: false, .. })
    }
}

fn dropped(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!("; {bytes} bytes of an incomplete record were dropped") }
}
