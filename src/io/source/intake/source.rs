//! The intake as the source that the engine reads.

use super::{Intake, IntakeOptions, JournalError, door::Shared, reader::Reader};
use crate::{
    engine::checkpoint::Position,
    io::source::{Pulled, Source, SourceError},
    wire::{Chunk, Format},
};
use std::{sync::Arc, time::Duration};

const CHUNK_BYTES: usize = 256 << 10;
const CHUNK_RECORDS: usize = 10_000;

/// Reads what an intake has taken, as one partition of JSON records. Dropped, it closes the intake.
#[derive(Debug)]
pub struct IntakeSource {
    name: String,
    shared: Arc<Shared>,
    /// None: in memory.
    reader: Option<Reader>,
    next: u64,
    /// Records below were taken by an earlier process, and aren't among the bytes that wait.
    counted_from: u64,
    record_bytes_max: usize,
}

impl IntakeSource {
    /// An intake and the source that reads it.
    ///
    /// # Errors
    /// The log can't be opened.
    pub fn open(name: &str, options: &IntakeOptions, record_bytes_max: usize) -> Result<(Intake, Self), JournalError> {
        let (intake, shared) = Intake::open(name, options)?;
        let reader = options.dir.as_ref().map(|dir| Reader::new(dir, options.from));
        let next = if reader.is_some() { options.from } else { 0 };
        let counted_from = shared.lock().end;
        Ok((intake, Self { name: name.to_owned(), shared, reader, next, counted_from, record_bytes_max }))
    }

    /// Takes from memory what there is, as far as a chunk goes.
    fn take(&mut self, chunk: &mut Chunk, bytes_max: usize, records_max: usize) {
        let mut state = self.shared.lock();
        while chunk.byte_len() < bytes_max && chunk.len() < records_max {
            let Some(record) = state.memory.pop_front() else { return };
            state.waiting_bytes = state.waiting_bytes.saturating_sub(record.len() as u64);
            chunk.push(0, self.next, &record, self.record_bytes_max);
            self.next += 1;
        }
    }
}

impl Source for IntakeSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        Ok(Format::Ndjson)
    }

    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError> {
        let (end, trouble) = {
            let state = self.shared.wait(self.next, patience);
            (state.end, state.trouble.clone())
        };
        if end <= self.next {
            return match trouble {
                None => Ok(Pulled::Idle),
                Some(error) => Err(SourceError::Log { name: self.name.clone(), error, is_final: false }),
            };
        }
        let Some(reader) = &mut self.reader else {
            self.take(chunk, CHUNK_BYTES, CHUNK_RECORDS);
            return Ok(Pulled::Records);
        };
        let enough = |chunk: &Chunk| chunk.byte_len() >= CHUNK_BYTES || chunk.len() >= CHUNK_RECORDS;
        let read = reader.read(end, chunk, enough, self.record_bytes_max);
        self.next = reader.next();
        let counted = chunk.records().filter(|record| record.offset >= self.counted_from);
        let bytes: u64 = counted.map(|record| record.length()).sum();
        let mut state = self.shared.lock();
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
        drop(state);
        match read {
            Err(error) if chunk.is_empty() => {
                let is_final = !matches!(error, JournalError::File { .. });
                Err(SourceError::Log { name: self.name.clone(), error: error.to_string(), is_final })
            }
            // What was read before is brought first; the error comes again.
            _ if chunk.is_empty() => Ok(Pulled::Idle),
            _ => Ok(Pulled::Records),
        }
    }

    fn is_back(&self) -> bool {
        let state = self.shared.lock();
        state.trouble.is_none() || state.end > self.next
    }

    fn is_resumable(&self) -> bool {
        self.reader.is_some()
    }

    fn place(&self) -> Option<Position> {
        self.reader.as_ref().map(|_| Position::Offset(self.next))
    }

    fn last(&mut self) -> Option<Chunk> {
        self.shared.close();
        let mut chunk = Chunk::new();
        if self.reader.is_none() {
            self.take(&mut chunk, usize::MAX, usize::MAX);
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Drop for IntakeSource {
    fn drop(&mut self) {
        self.shared.close();
    }
}
