//! The writing half of the log.

use super::{
    Records,
    segment::{FRAME_LEN, HEADER_LEN, file_of, frame, header, segments, whole},
};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A log that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system says no.
    #[error("the log of what came in, `{}`: {error}", .path.display())]
    File {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The last segment isn't one of ours.
    #[error("`{}` is no segment of the log of what came in: move it away", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A record in the midst of the log isn't what was written.
    #[error(
        "`{}` is corrupt at byte {byte}: what came in as number {number} and after it can't be read; \
         the file has to be restored, or moved away to go on with what came after it", .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        byte: u64,
        /// The record's number.
        number: u64,
    },
}

/// The log of one source; one process writes it.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    /// First records of all segments with their sizes; the last one is written to.
    segments: VecDeque<(u64, u64)>,
    file: File,
    /// The number of the next record.
    next: u64,
    /// A segment that is larger is followed by another.
    segment_bytes: u64,
    /// What was written last may or may not be there: begin another file.
    is_doubtful: bool,
}

impl Journal {
    /// Opens the log in a directory, which is made. A last record that was not written whole was never acknowledged and is cut off.
    /// `from` is where a checkpoint was: numbers never fall below it.
    pub(super) fn open(dir: &Path, from: u64, segment_bytes: u64) -> Result<Self, JournalError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| JournalError::File { path, error }
        };
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let mut known: VecDeque<(u64, u64)> = VecDeque::new();
        for first in segments(dir).map_err(failed(dir))? {
            let path = file_of(dir, first);
            known.push_back((first, fs::metadata(&path).map_err(failed(&path))?.len()));
        }
        let mut last = None;
        while let Some((first, size)) = known.pop_back() {
            let path = file_of(dir, first);
            let bytes = fs::read(&path).map_err(failed(&path))?;
            let Some((count, end)) = whole(first, &bytes) else {
                // A file that was made when the process was killed, and holds nothing yet.
                if size <= HEADER_LEN as u64 {
                    fs::remove_file(&path).map_err(failed(&path))?;
                    continue;
                }
                return Err(JournalError::Foreign { path });
            };
            let file = File::options().read(true).write(true).open(&path).map_err(failed(&path))?;
            if end < bytes.len() {
                tracing::warn!(path = %path.display(), bytes = bytes.len() - end, "the end of the log was not written whole, and is cut off");
                file.set_len(end as u64).and_then(|()| file.sync_all()).map_err(failed(&path))?;
            }
            known.push_back((first, end as u64));
            last = Some((file, first.saturating_add(count)));
            break;
        }
        let found = last.as_ref().map_or(0, |(_, next)| *next);
        if found < from && last.is_some() {
            tracing::error!(dir = %dir.display(), found, checkpoint = from, "the log of what came in ends before the checkpoint");
        }
        let next = found.max(from);
        let dir = dir.to_owned();
        match last {
            Some((file, _)) if next == found => {
                Ok(Self { dir, segments: known, file, next, segment_bytes, is_doubtful: false })
            }
            _ => {
                let file = begin(&dir, next).map_err(failed(&dir))?;
                known.push_back((next, HEADER_LEN as u64));
                Ok(Self { dir, segments: known, file, next, segment_bytes, is_doubtful: false })
            }
        }
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The size of the log.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, size)| size).sum()
    }

    /// Appends records and makes them durable. After an error none of them is there.
    pub(super) fn append<'a>(&mut self, batches: impl Iterator<Item = &'a Records>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut number = self.next;
        for record in batches.flat_map(Records::iter) {
            bytes.reserve(FRAME_LEN + record.len());
            frame(number, record, &mut bytes);
            number += 1;
        }
        let size = self.segments.back().map_or(0, |(_, size)| *size);
        if self.is_doubtful || size >= self.segment_bytes {
            self.rotate()?;
        }
        let size = self.segments.back().map_or(0, |(_, size)| *size);
        if let Err(error) = self.write(size, &bytes) {
            // The system may have dropped pages that it couldn't write: they are never counted on again.
            self.is_doubtful = true;
            let _ = self.file.set_len(size);
            return Err(error);
        }
        self.next = number;
        if let Some((_, size)) = self.segments.back_mut() {
            *size += bytes.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }

    /// Whether something can be written again, where it couldn't; the log stays as it is.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        let size = self.segments.back().map_or(0, |(_, size)| *size);
        let written = self.write(size, &[0; 4_096]);
        self.file.set_len(size)?;
        written
    }

    /// Begins another segment; the last one ends where it is whole.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(&(first, size)) = self.segments.back() else { return Ok(()) };
        if self.is_doubtful {
            self.file.set_len(size)?;
            self.file.sync_all()?;
        }
        // Without a record in it it would have the name of the next.
        if first != self.next {
            self.file = begin(&self.dir, self.next)?;
            self.segments.push_back((self.next, HEADER_LEN as u64));
        }
        self.is_doubtful = false;
        Ok(())
    }

    /// Removes segments all of whose records are below `offset`: checkpoints have them.
    pub(super) fn release(&mut self, offset: u64) {
        while let (Some(&(first, _)), Some(&(following, _))) = (self.segments.front(), self.segments.get(1)) {
            if following > offset {
                return;
            }
            match fs::remove_file(file_of(&self.dir, first)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(first, %error, "an old segment of the log can't be removed");
                    return;
                }
                _ => drop(self.segments.pop_front()),
            }
        }
    }
}

/// Makes a segment's file, durable under its name.
fn begin(dir: &Path, first: u64) -> io::Result<File> {
    let path = file_of(dir, first);
    let made = File::options().read(true).write(true).create(true).truncate(true).open(&path).and_then(|mut file| {
        file.write_all(&header(first))?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(file)
    });
    if made.is_err() {
        let _ = fs::remove_file(&path);
    }
    made
}

#[cfg(test)]
#[path = "journal_test.rs"]
mod tests;
