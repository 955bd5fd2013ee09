//! Files and the process's input, plain or gzip, read in large blocks.

use super::{
    Pulled, Source, SourceError,
    place::{Identity, to_position},
};
use crate::{
    engine::checkpoint::Position,
    wire::{
        Chunk, Document, Format, RECORD_BYTES_MAX, SplitPlace, Splitter,
        document::{DOCUMENT_BYTES_MAX, expand},
    },
};
use flate2::bufread::MultiGzDecoder;
use std::{
    fs::{self, File},
    io::{self, BufReader, Cursor, ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

/// How much is read at once: it is copied into the chunk from there, so it should still be in a core's own cache.
const BLOCK_BYTES: usize = 64 << 10;
/// How much goes out at once unless the reader wants it otherwise.
const CHUNK_BYTES: usize = 256 << 10;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// How records are written; `None`: by the file's name, else by its first bytes.
    pub format: Option<Format>,
    /// The partition that its records are of.
    pub partition: u32,
    /// The longest record that is accepted, bytes; at least 1.
    pub record_bytes_max: usize,
    /// How much goes out in a chunk, bytes, in steps of 64 KiB; at least one.
    pub chunk_bytes: usize,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { format: None, partition: 0, record_bytes_max: RECORD_BYTES_MAX, chunk_bytes: CHUNK_BYTES }
    }
}

/// The files of a path: itself, or a directory's, sorted by name, hidden ones and subdirectories left out. Each is a
/// partition, numbered in this order.
///
/// # Errors
/// The path can't be read, or the directory has no file.
pub fn partitions(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |error| SourceError::Read { name: path.display().to_string(), error };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Of the target, so that links to files count.
        if !hidden && fs::metadata(entry.path()).map_err(failed)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(failed(io::Error::new(ErrorKind::NotFound, "the directory has no file")));
    }
    Ok(files)
}

/// Reads one file, or the process's input, to its end.
pub struct FileSource {
    name: String,
    options: FileOptions,
    stage: Stage,
    block: Vec<u8>,
    /// Whether to fill chunks: not where someone types.
    greedy: bool,
    /// Of a file that can be read again which it is.
    identity: Option<Identity>,
    /// Where the last chunk ended.
    place: SplitPlace,
    /// Where to begin, if not at the beginning.
    from: Option<SplitPlace>,
}

enum Stage {
    /// Nothing was read yet.
    New(Box<dyn Read + Send>),
    Open {
        reader: Box<dyn Read + Send>,
        splitter: Splitter,
        format: Format,
        /// The header of a file that isn't read from its beginning.
        head: Chunk,
    },
    /// Of a document: all its records, and how many went out.
    Document {
        records: Chunk,
        next: usize,
        format: Format,
    },
    Done(Format),
}

impl std::fmt::Debug for FileSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSource").field("name", &self.name).field("options", &self.options).finish_non_exhaustive()
    }
}

impl FileSource {
    /// Opens a file.
    ///
    /// # Errors
    /// The system says no.
    pub fn open(path: &Path, options: FileOptions) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(io::Error::from(ErrorKind::IsADirectory)),
            false => Ok(file),
        });
        let file = file.map_err(|error| SourceError::Read { name: name.clone(), error })?;
        let format = options.format.or_else(|| Format::of_name(&name));
        let identity = Identity::of(path).map_err(|error| SourceError::Read { name: name.clone(), error })?;
        Ok(Self {
            greedy: true,
            identity,
            ..Self::from_reader(name, Box::new(file), FileOptions { format, ..options })
        })
    }

    /// Opens a file at a place where another run had come to.
    ///
    /// # Errors
    /// As [`open`](Self::open); and the file is another one.
    pub fn resume(path: &Path, options: FileOptions, position: &Position) -> Result<Self, SourceError> {
        let source = Self::open(path, options)?;
        match source.identity.as_ref().and_then(|identity| identity.goes_on(path, position)) {
            Some(from) => Ok(Self { from: Some(from), place: from, ..source }),
            None => Err(SourceError::Changed { path: path.to_owned() }),
        }
    }

    /// The process's input.
    pub fn stdin(options: FileOptions) -> Self {
        Self::from_reader("stdin".to_owned(), Box::new(io::stdin()), options)
    }

    /// Any reader. A chunk goes out as soon as a read brought a record.
    pub fn from_reader(name: String, reader: Box<dyn Read + Send>, options: FileOptions) -> Self {
        Self {
            name,
            options,
            stage: Stage::New(reader),
            block: vec![0; BLOCK_BYTES],
            greedy: false,
            identity: None,
            place: SplitPlace::default(),
            from: None,
        }
    }

    fn failed(&mut self, error: io::Error, dropped: u64) -> SourceError {
        self.stage = Stage::Done(self.options.format.unwrap_or(Format::Ndjson));
        let name = self.name.clone();
        match error.kind() {
            ErrorKind::UnexpectedEof => SourceError::CutOff { name, bytes: dropped },
            _ => SourceError::Read { name, error },
        }
    }

    /// Looks at the first bytes: compressed or not, and which format.
    fn start(&mut self) -> Result<Format, SourceError> {
        let reader = match std::mem::replace(&mut self.stage, Stage::Done(Format::Ndjson)) {
            Stage::New(reader) => reader,
            stage @ (Stage::Open { format, .. } | Stage::Document { format, .. } | Stage::Done(format)) => {
                self.stage = stage;
                return Ok(format);
            }
        };
        let started = peek(reader, GZIP_MAGIC.len()).and_then(|(head, reader)| {
            let reader: Box<dyn Read + Send> = match head.starts_with(GZIP_MAGIC) {
                true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK_BYTES, reader))),
                false => reader,
            };
            match self.options.format {
                Some(format) => Ok((format, reader)),
                None => {
                    let (head, reader) = peek(reader, 4_096)?;
                    Ok((Format::of_beginning(&head), reader))
                }
            }
        });
        let (format, mut reader) = started.map_err(|error| self.failed(error, 0))?;
        let (partition, limit) = (self.options.partition, self.options.record_bytes_max);
        if let Format::Document(document) = format {
            return self.read_document(document, reader);
        }
        let mut splitter = Splitter::new(format, partition, limit);
        let mut head = Chunk::new();
        if let Some(from) = self.from {
            let skipped = skip(&mut reader, &mut splitter, from.byte, &mut self.block, &mut head);
            skipped.map_err(|error| self.failed(error, 0))?;
            splitter = Splitter::resume(format, partition, limit, from);
        }
        if !format.has_header() {
            head.clear();
        }
        self.stage = Stage::Open { reader, splitter, format, head };
        Ok(format)
    }

    /// Reads a document whole, and makes its records.
    fn read_document(&mut self, document: Document, reader: Box<dyn Read + Send>) -> Result<Format, SourceError> {
        let format = Format::Document(document).of_records();
        let mut bytes = Vec::new();
        let read = reader.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(error, bytes.len() as u64))?;
        if bytes.len() > DOCUMENT_BYTES_MAX {
            self.stage = Stage::Done(format);
            return Err(SourceError::LargeDocument { name: self.name.clone(), limit: DOCUMENT_BYTES_MAX });
        }
        let mut records = Chunk::new();
        expand(document, &bytes, self.options.partition, self.options.record_bytes_max, &mut records);
        // Another run that goes on makes the same records of it.
        let next = self.from.map_or(0, |from| usize::try_from(from.line).unwrap_or(usize::MAX));
        self.stage = Stage::Document { records, next, format };
        Ok(format)
    }
}

/// Passes so many bytes over, and keeps the first record.
fn skip(
    reader: &mut Box<dyn Read + Send>,
    splitter: &mut Splitter,
    bytes: u64,
    block: &mut [u8],
    head: &mut Chunk,
) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        let place = block.get_mut(..wanted).unwrap_or_default();
        match reader.read(place) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                if head.is_empty() {
                    let mut found = Chunk::new();
                    splitter.push(place.get(..count).unwrap_or_default(), &mut found);
                    found.records().take(1).for_each(|record| head.push_record(&record));
                }
                left -= count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The first bytes, at least as many as asked for if there are, and a reader that still has them.
fn peek(mut reader: Box<dyn Read + Send>, wanted: usize) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = vec![0; wanted];
    let mut filled = 0;
    while let Some(place) = head.get_mut(filled..).filter(|place| !place.is_empty()) {
        match reader.read(place) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What came before the error is still delivered; reading on meets the error again.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
        // A line is enough to tell: someone may be typing.
        if head.get(..filled).is_some_and(|head| head.contains(&b'\n')) {
            break;
        }
    }
    head.truncate(filled);
    let reader = Box::new(Cursor::new(head.clone()).chain(reader));
    Ok((head, reader))
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        self.start()
    }

    fn is_resumable(&self) -> bool {
        self.identity.is_some()
    }

    fn place(&self) -> Option<Position> {
        self.identity.as_ref().map(|identity| to_position(&self.name, identity, self.place))
    }

    fn pull(&mut self, chunk: &mut Chunk, _patience: Duration) -> Result<Pulled, SourceError> {
        self.start()?;
        if let Stage::Document { records, next, format } = &mut self.stage {
            while let Some(record) =
                records.record(*next).filter(|_| chunk.byte_len() < self.options.chunk_bytes.max(1))
            {
                chunk.push_record(&record);
                *next += 1;
            }
            self.place = SplitPlace { byte: 0, line: *next as u64, begun: true };
            if chunk.is_empty() {
                self.stage = Stage::Done(*format);
                return Ok(Pulled::End);
            }
            return Ok(Pulled::Records);
        }
        let Stage::Open { reader, splitter, format, head } = &mut self.stage else { return Ok(Pulled::End) };
        let format = *format;
        for record in head.records() {
            chunk.push_record(&record);
        }
        head.clear();
        loop {
            match reader.read(&mut self.block) {
                Ok(0) => {
                    splitter.finish(chunk);
                    self.place = splitter.place();
                    self.stage = Stage::Done(format);
                    return Ok(if chunk.is_empty() { Pulled::End } else { Pulled::Records });
                }
                Ok(count) => {
                    splitter.push(self.block.get(..count).unwrap_or_default(), chunk);
                    self.place = splitter.place();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // First what is good; the error comes again with the next pull.
                Err(error) if !chunk.is_empty() => {
                    *reader = Box::new(Failing(Some(error)));
                    return Ok(Pulled::Records);
                }
                Err(error) => {
                    let dropped = splitter.abandon();
                    return Err(self.failed(error, dropped));
                }
            }
            // It goes out where another block would make it too large.
            let is_full = chunk.byte_len() + BLOCK_BYTES > self.options.chunk_bytes;
            if !chunk.is_empty() && (!self.greedy || is_full) {
                return Ok(Pulled::Records);
            }
        }
    }
}

/// A reader that has only an error left to give.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
