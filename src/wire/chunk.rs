//! Raw records on their way from a source to a decoder: many in one allocation.

use super::swar::is_ascii;
use crate::model::{Reject, RejectReason};

/// Raw records, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    specials: Vec<Special>,
    /// Whether some bytes are no ASCII: where all are, nobody has to look again.
    foreign: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    start: usize,
    end: usize,
    partition: u32,
    /// Its place in `specials`, plus one; 0 if there is nothing special about it.
    special: u32,
}

/// What few records have.
#[derive(Clone, Copy, Debug, Default)]
struct Special {
    begins: bool,
    fault: Option<Fault>,
    /// How many bytes after its end say what is wrong.
    said: usize,
}

/// What is wrong with a record before anyone has looked inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has this many bytes; only the first are kept.
    TooLong(u64),
    /// A quote is open at the end of the input.
    OpenQuote,
    /// It is a part of a document of which no record can be made; the record says why.
    Part,
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
    /// The bytes from its first one on, its own and those of others behind it: scanners may look there.
    pub(super) ahead: &'a [u8],
    /// Whether it is ASCII for sure.
    pub(super) ascii: bool,
    pub(super) fault: Option<Fault>,
    /// What is wrong with it, if it is a part of a document.
    pub(super) said: &'a [u8],
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
            Fault::Part => Reject::new(RejectReason::Syntax, String::from_utf8_lossy(self.said)),
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
        let Record { partition, offset, bytes, begins, fault, said, .. } = *record;
        self.add(partition, offset, bytes, begins, fault);
        self.say(said);
    }

    /// Adds what no record can be made of, and why; of it the beginning is kept.
    pub(super) fn push_fault(&mut self, partition: u32, offset: u64, part: &[u8], why: &str) {
        let kept = part.get(..super::split::KEPT_OF_TOO_LONG).unwrap_or(part);
        self.add(partition, offset, kept, false, Some(Fault::Part));
        self.say(why.as_bytes());
    }

    /// Says what is wrong with the last record.
    fn say(&mut self, said: &[u8]) {
        if let Some(special) = self.specials.last_mut().filter(|_| !said.is_empty()) {
            self.bytes.extend_from_slice(said);
            special.said = said.len();
        }
    }

    pub(super) fn add(&mut self, partition: u32, offset: u64, record: &[u8], begins: bool, fault: Option<Fault>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.foreign |= !is_ascii(record);
        let mut special = 0;
        if begins || fault.is_some() {
            self.specials.push(Special { begins, fault, said: 0 });
            special = u32::try_from(self.specials.len()).unwrap_or(u32::MAX);
        }
        self.entries.push(Entry { partition, offset, start, end: self.bytes.len(), special });
    }

    /// Adds the lines that a block begins with, as long as they are ordinary: not blank, and not longer than `limit`. How many bytes
    /// and how many lines that were, newlines included. What comes after the last newline is no line.
    pub(super) fn add_lines(&mut self, partition: u32, offset: u64, block: &[u8], limit: usize) -> (usize, u64) {
        let (base, before) = (self.bytes.len(), self.entries.len());
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', block) {
            let Some(line) = block.get(from..newline) else { break };
            if line.len() > limit || line.first().is_none_or(|&byte| byte <= b' ') {
                break;
            }
            let end = newline - usize::from(line.last() == Some(&b'\r'));
            let offset = offset + (self.entries.len() - before) as u64;
            let (start, end) = (base + from, base + end);
            self.entries.push(Entry { partition, offset, start, end, special: 0 });
            from = newline + 1;
        }
        // All at once: with their newlines, which nobody reads.
        let lines = block.get(..from).unwrap_or_default();
        self.bytes.extend_from_slice(lines);
        self.foreign |= !is_ascii(lines);
        (from, (self.entries.len() - before) as u64)
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// The record at `index`, which is less than `len`.
    pub fn record(&self, index: usize) -> Option<Record<'_>> {
        self.entries.get(index).map(|entry| self.view(entry))
    }

    #[inline]
    fn view(&self, entry: &Entry) -> Record<'_> {
        let Entry { partition, offset, start, end, special } = *entry;
        let ahead = self.bytes.get(start..).unwrap_or_default();
        let bytes = ahead.get(..end - start).unwrap_or_default();
        let Special { begins, fault, said } = match special {
            0 => Special::default(),
            at => self.specials.get(at as usize - 1).copied().unwrap_or_default(),
        };
        let said = if said > 0 { self.bytes.get(end..end + said).unwrap_or_default() } else { &[] };
        Record { partition, offset, bytes, begins, ahead, ascii: !self.foreign, fault, said }
    }

    /// The records from `first` on, `count` at most, as a chunk of their own.
    pub fn part(&self, first: usize, count: usize) -> Chunk {
        let mut part = Chunk::new();
        (first..first.saturating_add(count))
            .map_while(|at| self.record(at))
            .for_each(|record| part.push_record(&record));
        part
    }

    /// Of the record at `index`, if it is ASCII for sure and nothing is special about it, its partition and offset, and the bytes from
    /// its first one on with how many of them are its own.
    #[inline]
    pub(super) fn ascii_line(&self, index: usize) -> Option<((u32, u64), (&[u8], usize))> {
        let Entry { partition, offset, start, end, special } = *self.entries.get(index).filter(|_| !self.foreign)?;
        (special == 0).then_some(())?;
        Some(((partition, offset), (self.bytes.get(start..)?, end - start)))
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
        self.specials.clear();
        self.foreign = false;
    }
}
