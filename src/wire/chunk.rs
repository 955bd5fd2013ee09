//! Raw records on their way from a source to a decoder: many in one allocation.

use crate::model::{Reject, RejectReason};

/// Raw records, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    partition: u32,
    offset: u64,
    start: usize,
    end: usize,
    begins: bool,
    fault: Option<Fault>,
}

/// What is wrong with a record before anyone has looked inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has this many bytes; only the first are kept.
    TooLong(u64),
    /// A quote is open at the end of the input.
    OpenQuote,
}

/// One record, borrowed from its chunk.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The partition of the source.
    pub partition: u32,
    /// Its place in the partition; ascends.
    pub offset: u64,
    /// Its bytes, without the newline; of one that is too long the beginning.
    pub bytes: &'a [u8],
    /// Whether it is the first of a file: in CSV that is the header.
    pub begins: bool,
    pub(super) fault: Option<Fault>,
}

impl Record<'_> {
    /// How many bytes it had, also where only its beginning is here.
    pub fn length(&self) -> u64 {
        match self.fault {
            Some(Fault::TooLong(bytes)) => bytes,
            _ => self.bytes.len() as u64,
        }
    }

    /// Why it can't be decoded at all, if so.
    pub fn fault(&self) -> Option<Reject> {
        self.fault.map(|fault| match fault {
            Fault::TooLong(bytes) => {
                Reject::new(RejectReason::TooLong, format!("the record has {bytes} bytes, more than the limit"))
            }
            Fault::OpenQuote => Reject::new(RejectReason::Syntax, "a quote is never closed"),
        })
    }
}

impl Chunk {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record; one longer than `limit` is cut and marked as too long.
    pub fn push(&mut self, partition: u32, offset: u64, record: &[u8], limit: usize) {
        let fault = (record.len() > limit).then_some(Fault::TooLong(record.len() as u64));
        let kept = record.get(..super::split::KEPT_OF_TOO_LONG).filter(|_| fault.is_some()).unwrap_or(record);
        self.add(partition, offset, kept, false, fault);
    }

    /// Adds a record that is the first of a file: in CSV that is the header.
    pub fn push_first(&mut self, partition: u32, offset: u64, record: &[u8]) {
        self.add(partition, offset, record, true, None);
    }

    /// Adds a record of another chunk, as it is.
    pub fn push_record(&mut self, record: &Record<'_>) {
        let Record { partition, offset, bytes, begins, fault } = *record;
        self.add(partition, offset, bytes, begins, fault);
    }

    pub(super) fn add(&mut self, partition: u32, offset: u64, record: &[u8], begins: bool, fault: Option<Fault>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.entries.push(Entry { partition, offset, start, end: self.bytes.len(), begins, fault });
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| Record {
            partition: entry.partition,
            offset: entry.offset,
            bytes: self.bytes.get(entry.start..entry.end).unwrap_or_default(),
            begins: entry.begins,
            fault: entry.fault,
        })
    }

    /// The record at `index`, which is less than `len`.
    pub fn record(&self, index: usize) -> Option<Record<'_>> {
        let entry = self.entries.get(index)?;
        let bytes = self.bytes.get(entry.start..entry.end)?;
        let Entry { partition, offset, begins, fault, .. } = *entry;
        Some(Record { partition, offset, bytes, begins, fault })
    }

    /// The records from `first` on, `count` at most, as a chunk of their own.
    pub fn part(&self, first: usize, count: usize) -> Chunk {
        let mut part = Chunk::new();
        for entry in self.entries.iter().skip(first).take(count) {
            let bytes = self.bytes.get(entry.start..entry.end).unwrap_or_default();
            part.add(entry.partition, entry.offset, bytes, entry.begins, entry.fault);
        }
        part
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all records.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}
