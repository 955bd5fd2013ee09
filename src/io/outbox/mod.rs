//! A sink's outbox on disk: alerts that it is to have, and what became of each.
//!
//! A directory of segments, each appended to by one process and never changed after: what was put in, and later what was settled. An
//! alert leaves the outbox when a record says so; a segment goes when all in it and before it are settled and the log is longer than it has
//! to be. Records have checksums. What a kill leaves at the end of the last segment is cut off, and the next process begins a segment
//! of its own.
//!
//! ```text
//! segment    "GEOCEPOB"  version u32  number of the first alert u64
//! record*    length of the payload u32  xxh3-64 of the payload u64  payload
//! ```
//!
//! Numbers of the frame are little-endian; payloads are in the encoding of [`Writer`](crate::model::Writer), see [`Record`].

mod error;
mod files;
mod log;
mod record;

pub use error::OutboxError;
pub use files::{LogReport, Segment, Torn, read_log};
pub use log::{OutboxLog, OutboxLogOptions, Recovered, Slot, Unsynced, Waiting};
pub use record::{Fate, HEADER_LEN, Record, Scan, ScanEnd, frame, header, scan};
