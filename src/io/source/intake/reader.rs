//! The reading half of the log.

use super::{
    JournalError,
    segment::{FRAME_LEN, HEADER_LEN, RECORD_MAX, file_of, frame_head, header, is_whole, segments},
};
use crate::wire::Chunk;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Reads records in order, from any on.
#[derive(Debug)]
pub(super) struct Reader {
    dir: PathBuf,
    /// The number of the next record.
    next: u64,
    open: Option<Segment>,
    record: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    file: BufReader<File>,
    byte: u64,
}

impl Reader {
    /// A reader that begins with this record.
    pub(super) fn new(dir: &Path, from: u64) -> Self {
        Self { dir: dir.to_owned(), next: from, open: None, record: Vec::new() }
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Reads records below `end`, which are durable, until there are enough in `chunk`.
    pub(super) fn read(
        &mut self,
        end: u64,
        chunk: &mut Chunk,
        enough: impl Fn(&Chunk) -> bool,
        record_bytes_max: usize,
    ) -> Result<(), JournalError> {
        while self.next < end && !enough(chunk) {
            if self.open.is_none() {
                self.seek(end)?;
                continue;
            }
            if self.read_record()? {
                chunk.push(0, self.next, &self.record, record_bytes_max);
                self.next += 1;
            } else {
                self.open = None;
            }
        }
        // What was read ahead may be of records that are being written, and come to nothing.
        if let Some(Segment { path, file, byte }) = &mut self.open {
            let path = path.clone();
            file.seek(SeekFrom::Start(*byte)).map_err(|error| JournalError::File { path, error })?;
        }
        Ok(())
    }

    /// Opens the segment that holds the next record; where it is gone, the one after it.
    fn seek(&mut self, end: u64) -> Result<(), JournalError> {
        let failed = |path: &Path, error| JournalError::File { path: path.to_owned(), error };
        let known = segments(&self.dir).map_err(|error| failed(&self.dir, error))?;
        let holds = known.iter().rev().find(|first| **first <= self.next).copied();
        let following = known.iter().find(|first| **first > self.next).copied();
        let mut tried = None;
        if let Some(first) = holds {
            self.open_at(first)?;
            let wanted = self.next;
            self.next = first;
            tried = Some(first);
            while self.next < wanted {
                if !self.read_record()? {
                    break;
                }
                self.next += 1;
            }
            let ends_before = self.next < wanted;
            self.next = wanted;
            if !ends_before && !self.at_end()? {
                return Ok(());
            }
            self.open = None;
        }
        let lost_to = following.unwrap_or(end).min(end);
        let records = lost_to.saturating_sub(self.next);
        tracing::error!(dir = %self.dir.display(), from = self.next, records, segment = tried, "a segment of the log is gone, and what came in with it");
        self.next = lost_to;
        Ok(())
    }

    fn open_at(&mut self, first: u64) -> Result<(), JournalError> {
        let path = file_of(&self.dir, first);
        let failed = |error| JournalError::File { path: path.clone(), error };
        let mut file = BufReader::with_capacity(128 << 10, File::open(&path).map_err(failed)?);
        let mut found = [0; HEADER_LEN];
        file.read_exact(&mut found).map_err(failed)?;
        if found != header(first) {
            return Err(JournalError::Foreign { path });
        }
        self.open = Some(Segment { path, file, byte: HEADER_LEN as u64 });
        Ok(())
    }

    /// Whether the open segment has no more bytes.
    fn at_end(&mut self) -> Result<bool, JournalError> {
        let Some(Segment { path, file, .. }) = &mut self.open else { return Ok(true) };
        match file.fill_buf() {
            Ok(bytes) => Ok(bytes.is_empty()),
            Err(error) => Err(JournalError::File { path: path.clone(), error }),
        }
    }

    /// Reads the next record; false at the segment's end.
    fn read_record(&mut self) -> Result<bool, JournalError> {
        let (number, record) = (self.next, &mut self.record);
        let Some(Segment { path, file, byte }) = &mut self.open else { return Ok(false) };
        let mut head = [0; FRAME_LEN];
        match read_up_to(file, &mut head) {
            Ok(0) => return Ok(false),
            Ok(FRAME_LEN) => {}
            Ok(_) => return Err(JournalError::Corrupt { path: path.clone(), byte: *byte, number }),
            Err(error) => return Err(JournalError::File { path: path.clone(), error }),
        }
        let (length, checksum) = frame_head(head);
        let corrupt = || JournalError::Corrupt { path: path.clone(), byte: *byte, number };
        if length > RECORD_MAX {
            return Err(corrupt());
        }
        record.clear();
        let read = file.by_ref().take(length as u64).read_to_end(record);
        read.map_err(|error| JournalError::File { path: path.clone(), error })?;
        if record.len() < length || !is_whole(number, record, checksum) {
            return Err(corrupt());
        }
        *byte += (FRAME_LEN + length) as u64;
        Ok(true)
    }
}

/// Reads until the buffer is full or the input ends.
fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(place) = buffer.get_mut(filled..).filter(|place| !place.is_empty()) {
        match file.read(place) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
