//! A file that grows, as `tail -F` follows one: by name, through rotation and truncation.

use super::{
    Pulled, Source, SourceError,
    place::{Identity, Moved, to_position},
};
use crate::{
    engine::checkpoint::Position,
    wire::{Chunk, Format, RECORD_BYTES_MAX, SplitPlace, Splitter},
};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

const BLOCK_BYTES: usize = 64 << 10;
const CHUNK_BYTES: usize = 256 << 10;

/// How a file is followed.
#[derive(Clone, Copy, Debug)]
pub struct TailOptions {
    /// How records are written; `None`: by the file's name, else JSON lines.
    pub format: Option<Format>,
    /// The partition that its records are of.
    pub partition: u32,
    /// The longest record that is accepted, bytes; at least 1.
    pub record_bytes_max: usize,
    /// Start with what is written from now on. What is there is still read once, to count lines and find the header.
    pub from_end: bool,
    /// How often to look for more.
    pub poll: Duration,
}

impl Default for TailOptions {
    fn default() -> Self {
        let poll = Duration::from_millis(250);
        Self { format: None, partition: 0, record_bytes_max: RECORD_BYTES_MAX, from_end: false, poll }
    }
}

/// Follows a file for ever; one that isn't there yet is waited for. A line without a newline is no record until its newline
/// comes or the file is replaced. Line numbers go on counting through rotations, so that offsets ascend.
#[derive(Debug)]
pub struct TailSource {
    path: PathBuf,
    name: String,
    options: TailOptions,
    format: Format,
    splitter: Splitter,
    open: Option<Opened>,
    block: Vec<u8>,
    /// Records up to the first end of the file are dropped, save the first.
    skipping: bool,
    /// The header of a file that isn't read from its beginning.
    head: Chunk,
}

#[derive(Debug)]
struct Opened {
    file: File,
    read: u64,
    identity: Identity,
}

impl TailSource {
    /// A follower of this path.
    pub fn new(path: &Path, options: TailOptions) -> Self {
        let name = path.display().to_string();
        let format = options.format.or_else(|| Format::of_name(&name)).unwrap_or(Format::Ndjson);
        let splitter = Splitter::new(format, options.partition, options.record_bytes_max);
        let (path, block) = (path.to_owned(), vec![0; BLOCK_BYTES]);
        let head = Chunk::new();
        Self { path, name, options, format, splitter, open: None, block, skipping: options.from_end, head }
    }

    /// A follower that goes on where another run had come to: in the file itself, in one that it was renamed to in the same directory, or,
    /// where neither is there, at the beginning of the file that now has the name.
    ///
    /// # Errors
    /// The system says no.
    pub fn resume(path: &Path, options: TailOptions, position: &Position) -> Result<Self, SourceError> {
        let mut source = Self::new(path, TailOptions { from_end: false, ..options });
        let failed = |error| SourceError::Read { name: path.display().to_string(), error };
        let Position::File { line, .. } = *position else { return Ok(source) };
        let (format, partition, limit) = (source.format, options.partition, options.record_bytes_max);
        match Moved::find(path, position).map_err(failed)? {
            Moved::To { mut file, identity, place } => {
                source.splitter = Splitter::resume(format, partition, limit, place);
                source.head = header(&mut file, format, place).map_err(failed)?;
                file.seek(SeekFrom::Start(place.byte)).map_err(failed)?;
                source.open = Some(Opened { file, read: place.byte, identity });
            }
            Moved::Gone => {
                tracing::warn!(path = %path.display(), "what was read of it is gone: reading the file that is there now");
                let place = SplitPlace { byte: 0, line, begun: false };
                source.splitter = Splitter::resume(format, partition, limit, place);
            }
        }
        Ok(source)
    }

    /// Reads on until there are records enough or the file's end. Returns whether the end was reached.
    fn read_on(&mut self, chunk: &mut Chunk) -> Result<bool, io::Error> {
        let Some(open) = &mut self.open else { return Ok(true) };
        while chunk.byte_len() < CHUNK_BYTES {
            let count = match open.file.read(&mut self.block) {
                Ok(0) => return Ok(true),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let block = self.block.get(..count).unwrap_or_default();
            if open.read == 0 && block.starts_with(&[0x1f, 0x8b]) {
                return Err(io::Error::from(ErrorKind::Unsupported));
            }
            open.read += count as u64;
            if self.skipping {
                skip(&mut self.splitter, self.format, block, chunk);
            } else {
                self.splitter.push(block, chunk);
            }
        }
        Ok(false)
    }

    /// Opens the file where it isn't, or is another than it was, or is shorter. Returns whether there is something new.
    fn reopen(&mut self, chunk: &mut Chunk) -> Result<bool, io::Error> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // Between two files of a rotation; or not there yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Some(open) = &mut self.open {
            if open.identity.is(&metadata) {
                if metadata.len() >= open.read {
                    return Ok(false);
                }
                open.file.rewind()?;
                open.read = 0;
                self.splitter.restart(chunk);
                return Ok(true);
            }
            self.splitter.restart(chunk);
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let identity = Identity::of_open(&file)?;
        self.open = Some(Opened { file, read: 0, identity });
        Ok(true)
    }
}

/// The header of a CSV file of which something has been read.
fn header(file: &mut File, format: Format, place: SplitPlace) -> io::Result<Chunk> {
    let mut head = Chunk::new();
    if !format.has_header() || !place.begun {
        return Ok(head);
    }
    let mut splitter = Splitter::new(format, 0, RECORD_BYTES_MAX);
    let mut block = vec![0; BLOCK_BYTES];
    while head.is_empty() {
        let count = file.read(&mut block)?;
        if count == 0 {
            break;
        }
        let mut found = Chunk::new();
        splitter.push(block.get(..count).unwrap_or_default(), &mut found);
        found.records().take(1).for_each(|record| head.push_record(&record));
    }
    Ok(head)
}

/// Passes a block over, but for the header of a CSV file.
fn skip(splitter: &mut Splitter, format: Format, block: &[u8], chunk: &mut Chunk) {
    let mut passed = Chunk::new();
    splitter.push(block, &mut passed);
    if format.has_header() {
        passed.records().filter(|record| record.begins).for_each(|record| chunk.push_record(&record));
    }
}

impl Source for TailSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        Ok(self.format)
    }

    fn is_resumable(&self) -> bool {
        true
    }

    fn place(&self) -> Option<Position> {
        let open = self.open.as_ref()?;
        // Of a file that has grown more is known than when it was opened.
        let identity = Identity::of_open(&open.file).unwrap_or(open.identity);
        Some(to_position(&self.name, &identity, self.splitter.place()))
    }

    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError> {
        let mut left = patience;
        self.head.records().for_each(|record| chunk.push_record(&record));
        self.head.clear();
        loop {
            let moved = self.read_on(chunk).and_then(|at_end| {
                if at_end && self.open.is_some() {
                    self.skipping = false;
                }
                // At the end only: a file that was renamed is read out first.
                if at_end { self.reopen(chunk) } else { Ok(true) }
            });
            let moved = moved.map_err(|error| match error.kind() {
                ErrorKind::Unsupported => SourceError::CompressedTail { path: self.path.clone() },
                _ => SourceError::Read { name: self.name.clone(), error },
            })?;
            if !chunk.is_empty() {
                return Ok(Pulled::Records);
            }
            if !moved {
                if left.is_zero() {
                    return Ok(Pulled::Idle);
                }
                let nap = self.options.poll.min(left);
                sleep(nap);
                left -= nap;
            }
        }
    }
}

#[cfg(test)]
#[path = "tail_test.rs"]
mod tests;
