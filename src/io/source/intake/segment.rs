//! A segment of the log: a header, then a frame for each record.
//!
//! ```text
//! header   "GEOCEPLG"  version u32  number of the first record u64
//! frame*   length u32  xxh3-64 of the record, seeded with its number, u64  record
//! ```
//!
//! Numbers are little-endian. A file is named after its first record, so that the next one's name is known at its end.

use std::{
    fs, io,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const MAGIC: &[u8; 8] = b"GEOCEPLG";
const VERSION: u32 = 1;
/// The length of the header.
pub(super) const HEADER_LEN: usize = 20;
/// What stands before each record.
pub(super) const FRAME_LEN: usize = 12;
/// No record is longer: configured limits are below.
pub(super) const RECORD_MAX: usize = 1 << 30;
const EXTENSION: &str = "log";

/// The file of the segment that begins with this record.
pub(super) fn file_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.{EXTENSION}"))
}

/// The first records of the segments in a directory, ascending.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let (Some(first), true) = (first, path.extension().is_some_and(|extension| extension == EXTENSION)) {
            found.push(first);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The header of the segment that begins with this record.
pub(super) fn header(first: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    for (at, byte) in MAGIC.iter().copied().chain(VERSION.to_le_bytes()).chain(first.to_le_bytes()).enumerate() {
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
    }
    bytes
}

/// Adds a record's frame.
pub(super) fn frame(number: u64, record: &[u8], out: &mut Vec<u8>) {
    // Longer ones were refused.
    out.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&xxh3_64_with_seed(record, number).to_le_bytes());
    out.extend_from_slice(record);
}

/// The length and the checksum that a frame says.
pub(super) fn frame_head(bytes: [u8; FRAME_LEN]) -> (usize, u64) {
    let [a, b, c, d, sum @ ..] = bytes;
    (u32::from_le_bytes([a, b, c, d]) as usize, u64::from_le_bytes(sum))
}

/// Whether a record is what its frame says.
pub(super) fn is_whole(number: u64, record: &[u8], checksum: u64) -> bool {
    xxh3_64_with_seed(record, number) == checksum
}

/// How far a segment's bytes are whole: how many records, and where the last ends; none where the header isn't this segment's.
pub(super) fn whole(first: u64, bytes: &[u8]) -> Option<(u64, usize)> {
    if bytes.get(..HEADER_LEN)? != header(first) {
        return None;
    }
    let (mut count, mut end) = (0, HEADER_LEN);
    while let Some((head, rest)) = bytes.get(end..).and_then(<[u8]>::split_first_chunk::<FRAME_LEN>) {
        let (length, checksum) = frame_head(*head);
        match rest.get(..length) {
            Some(record) if is_whole(first.saturating_add(count), record, checksum) => {
                end += FRAME_LEN + length;
                count += 1;
            }
            _ => break,
        }
    }
    Some((count, end))
}
