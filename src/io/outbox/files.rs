//! The segments of an outbox's directory.

use super::{
    OutboxError,
    record::{Record, ScanEnd, scan},
};
use crate::io::numbered;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const EXTENSION: &str = "seg";

/// A segment of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its own number: segments are in this order.
    pub number: u64,
    /// The number that its first alert has or would have.
    pub first: u64,
    /// How long its good part is.
    pub bytes: u64,
}

/// A segment that isn't whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// How many bytes from its beginning are good.
    pub good: u64,
    /// How many are there.
    pub bytes: u64,
    /// Whether it is the last segment: then a kill or a power cut explains it, and it is nothing that was counted on.
    pub last: bool,
}

/// What was found in a directory.
#[derive(Debug, Default)]
pub struct LogReport {
    /// The segments, in order.
    pub segments: Vec<Segment>,
    /// Those that aren't whole.
    pub torn: Vec<Torn>,
}

/// The file of a segment.
pub(super) fn file_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{EXTENSION}"))
}

fn numbers(dir: &Path) -> Result<Vec<u64>, OutboxError> {
    numbered::numbers(dir, EXTENSION).map_err(|error| OutboxError::File { path: dir.to_owned(), error })
}

/// Reads the whole log in order: `take` gets each record, the number of its segment, and place and length of its frame. Changes nothing, so that a log
/// can be read while it is written; what isn't whole yet is [`Torn`].
///
/// # Errors
/// The system says no, or a segment isn't one.
pub fn read_log(dir: &Path, mut take: impl FnMut(Record<'_>, u64, usize, usize)) -> Result<LogReport, OutboxError> {
    let mut report = LogReport::default();
    let numbers = numbers(dir)?;
    for (at, &number) in numbers.iter().enumerate() {
        let path = file_of(dir, number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Its time had come since the names were read.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(OutboxError::File { path, error }),
        };
        let mut records = scan(&bytes);
        for (record, at, length) in records.by_ref() {
            take(record, number, at, length);
        }
        let good = records.at() as u64;
        if records.end() == Some(ScanEnd::Foreign) {
            return Err(OutboxError::Foreign { path });
        }
        report.segments.push(Segment { number, first: records.first(), bytes: good });
        if records.end() != Some(ScanEnd::Whole) {
            report.torn.push(Torn { path, good, bytes: bytes.len() as u64, last: at + 1 == numbers.len() });
        }
    }
    Ok(report)
}
