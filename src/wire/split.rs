//! Blocks of bytes → records, the same however the bytes are cut into blocks.

use super::{
    chunk::{Chunk, Fault},
    decoder::Format,
};

/// The longest record that is accepted unless a source says otherwise: 1 MiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// What is kept of a record that is too long, for the dead letter.
pub(super) const KEPT_OF_TOO_LONG: usize = 1_024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts one partition's bytes into records: lines, or in CSV rows, whose quoted cells may hold newlines.
///
/// A record's offset is the number of the line that it begins on, counted from 0; blank lines count and are no records.
/// A carriage return before a newline and a byte order mark at the start are dropped. A record longer than the limit is
/// never held whole; after it, reading goes on at the next newline, be it quoted or not.
#[derive(Debug)]
pub struct Splitter {
    format: Format,
    partition: u32,
    limit: usize,
    /// The number of the current line.
    line: u64,
    /// The line that the current record began on.
    record_line: u64,
    /// What came of the current record so far.
    carry: Vec<u8>,
    /// Its length, where it is past the limit.
    too_long: Option<u64>,
    quotes: Quotes,
    first: bool,
    /// Bytes of all blocks so far.
    taken: u64,
    /// The byte that the current record begins at.
    record_byte: u64,
}

/// A place between two records, to go on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitPlace {
    /// The byte that the next record begins at.
    pub byte: u64,
    /// The line that it begins on.
    pub line: u64,
    /// Whether the file's first record is behind it.
    pub begun: bool,
}

impl Splitter {
    /// For the bytes of this partition, from its beginning.
    pub fn new(format: Format, partition: u32, limit: usize) -> Self {
        let quotes = Quotes::CellStart;
        Self {
            format,
            partition,
            limit,
            line: 0,
            record_line: 0,
            carry: Vec::new(),
            too_long: None,
            quotes,
            first: true,
            taken: 0,
            record_byte: 0,
        }
    }

    /// For the bytes of this partition from a place on.
    pub fn resume(format: Format, partition: u32, limit: usize, place: SplitPlace) -> Self {
        let SplitPlace { byte, line, begun } = place;
        let start = Self::new(format, partition, limit);
        Self { line, record_line: line, first: !begun, taken: byte, record_byte: byte, ..start }
    }

    /// Where the first record begins that isn't complete yet.
    pub fn place(&self) -> SplitPlace {
        SplitPlace { byte: self.record_byte, line: self.record_line, begun: !self.first }
    }

    /// Takes the next block and adds the records that it completes.
    pub fn push(&mut self, block: &[u8], chunk: &mut Chunk) {
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', block) {
            let line = block.get(from..newline).unwrap_or_default();
            from = newline + 1;
            self.take_line(line, chunk);
            if self.carry.is_empty() {
                self.record_byte = self.taken + from as u64;
            }
        }
        self.taken += block.len() as u64;
        let rest = block.get(from..).unwrap_or_default();
        self.follow_quotes(rest);
        self.carry_on(rest);
    }

    /// The end of the input: what came after the last newline is a record.
    pub fn finish(&mut self, chunk: &mut Chunk) {
        if !self.carry.is_empty() {
            let fault = (self.quotes == Quotes::Inside).then_some(Fault::OpenQuote);
            self.emit_carry(fault, chunk);
            self.line += 1;
            self.record_line = self.line;
        }
        self.record_byte = self.taken;
        self.quotes = Quotes::CellStart;
    }

    /// The input was cut off: what came after the last newline is dropped. Returns how many bytes that were.
    pub fn abandon(&mut self) -> u64 {
        let dropped = self.too_long.take().unwrap_or(self.carry.len() as u64);
        self.carry.clear();
        self.quotes = Quotes::CellStart;
        dropped
    }

    /// Another file follows in the same partition: lines go on counting, but a header and a byte order mark may come.
    pub fn restart(&mut self, chunk: &mut Chunk) {
        self.finish(chunk);
        self.first = true;
        (self.taken, self.record_byte) = (0, 0);
    }

    fn take_line(&mut self, line: &[u8], chunk: &mut Chunk) {
        self.follow_quotes(line);
        if self.carry.is_empty() && line.len() <= self.limit && self.quotes != Quotes::Inside {
            self.emit(line, None, chunk);
        } else {
            self.carry_on(line);
            if self.quotes == Quotes::Inside && self.too_long.is_none() {
                self.carry_on(b"\n");
            }
            if self.quotes != Quotes::Inside || self.too_long.is_some() {
                self.emit_carry(None, chunk);
            }
        }
        self.line += 1;
        if self.carry.is_empty() {
            self.quotes = Quotes::CellStart;
            self.record_line = self.line;
        }
    }

    fn follow_quotes(&mut self, bytes: &[u8]) {
        if let Format::Csv { delimiter } = self.format {
            self.quotes = self.quotes.follow(bytes, delimiter);
        }
    }

    fn carry_on(&mut self, bytes: &[u8]) {
        if let Some(length) = &mut self.too_long {
            *length += bytes.len() as u64;
            return;
        }
        self.carry.extend_from_slice(bytes);
        if self.carry.len() > self.limit {
            self.too_long = Some(self.carry.len() as u64);
            self.carry.truncate(KEPT_OF_TOO_LONG.min(self.limit));
        }
    }

    fn emit_carry(&mut self, fault: Option<Fault>, chunk: &mut Chunk) {
        let mut record = std::mem::take(&mut self.carry);
        let fault = self.too_long.take().map(Fault::TooLong).or(fault);
        self.emit(&record, fault, chunk);
        record.clear();
        self.carry = record;
    }

    fn emit(&mut self, mut record: &[u8], fault: Option<Fault>, chunk: &mut Chunk) {
        if self.first {
            record = record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record);
        }
        if fault.is_none() {
            record = record.strip_suffix(b"\r").unwrap_or(record);
        }
        if fault.is_some() || !record.trim_ascii_start().is_empty() {
            chunk.add(self.partition, self.record_line, record, self.first, fault);
            self.first = false;
        }
    }
}

/// Where a CSV row is with regard to quotes: a quote opens only at the start of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    CellStart,
    Plain,
    Inside,
    /// After a quote inside: the end of the cell, or the first half of a doubled one.
    Closing,
}

impl Quotes {
    fn follow(mut self, bytes: &[u8], delimiter: u8) -> Self {
        // Without a quote only an open one matters: most rows end here.
        if memchr::memchr(b'"', bytes).is_none() && self != Self::Closing {
            return match (self, bytes.last()) {
                (Self::Inside, _) | (_, None) => self,
                (_, Some(&last)) => {
                    if last == delimiter {
                        Self::CellStart
                    } else {
                        Self::Plain
                    }
                }
            };
        }
        for &byte in bytes {
            self = match (self, byte) {
                (Self::Inside, b'"') => Self::Closing,
                (Self::Inside, _) => Self::Inside,
                (Self::CellStart | Self::Closing, b'"') => Self::Inside,
                (_, byte) if byte == delimiter => Self::CellStart,
                _ => Self::Plain,
            };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CSV: Format = Format::Csv { delimiter: b',' };

    fn split(format: Format, blocks: &[&[u8]], limit: usize) -> Vec<(u64, Vec<u8>, Option<Fault>)> {
        let mut chunk = Chunk::new();
        let mut splitter = Splitter::new(format, 0, limit);
        for block in blocks {
            splitter.push(block, &mut chunk);
        }
        splitter.finish(&mut chunk);
        chunk.records().map(|record| (record.offset, record.bytes.to_vec(), record.fault)).collect()
    }

    fn texts(format: Format, input: &str) -> Vec<(u64, String)> {
        let records = split(format, &[input.as_bytes()], 1_000);
        records.into_iter().map(|(line, bytes, _)| (line, String::from_utf8(bytes).unwrap())).collect()
    }

    #[test]
    fn lines_lose_their_ends_and_blank_ones_only_count() {
        let expected = vec![(0, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned())];
        assert_eq!(texts(Format::Ndjson, "\u{feff}a\r\n\r\n  \nb\nc"), expected);
        assert_eq!(texts(Format::Ndjson, ""), vec![]);
    }

    #[test]
    fn a_quoted_newline_stays_in_its_row() {
        let expected: Vec<(u64, String)> = [(0, "a,\"x\ny\"\"\n\",b"), (3, "c,d\"e"), (4, "f,\"\""), (5, "g")]
            .map(|(line, text)| (line, text.to_owned()))
            .into();
        assert_eq!(
            texts(CSV, "a,\"x\r\ny\"\"\n\",b\r\nc,d\"e\nf,\"\"\ng\n".replace("x\r\n", "x\n").as_str()),
            expected
        );
    }

    #[test]
    fn a_record_past_the_limit_is_cut_and_the_next_one_is_read() {
        let long = "x".repeat(5_000);
        let input = format!("a\n{long}\nb\n");
        for size in [1, 7, 100, 10_000] {
            let blocks: Vec<&[u8]> = input.as_bytes().chunks(size).collect();
            let records = split(Format::Ndjson, &blocks, 2_000);
            assert_eq!(records.len(), 3, "{size}");
            assert_eq!((records[1].0, records[1].2), (1, Some(Fault::TooLong(5_000))));
            assert_eq!(records[1].1.len(), KEPT_OF_TOO_LONG);
            assert_eq!((records[2].0, &records[2].1[..]), (2, &b"b"[..]));
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_record_at_the_end_and_one_limit_otherwise() {
        assert_eq!(split(CSV, &[b"a\nb,\"c\nd"], 100)[1].2, Some(Fault::OpenQuote));
        let input = format!("\"{}\n", "row\n".repeat(100));
        let records = split(CSV, &[input.as_bytes()], 40);
        assert!(records.len() > 80, "{}", records.len());
    }

    #[test]
    fn what_was_cut_off_is_dropped_when_abandoned() {
        let mut chunk = Chunk::new();
        let mut splitter = Splitter::new(Format::Ndjson, 0, 10);
        splitter.push(b"a\nbc", &mut chunk);
        assert_eq!((splitter.abandon(), splitter.abandon(), chunk.len()), (2, 0, 1));
    }

    proptest! {
        #[test]
        fn from_any_place_on_come_the_records_that_are_left(text in "[ab\",\r\n]{0,60}", cut in 0usize..60, csv: bool, limit in 1usize..30) {
            let format = if csv { CSV } else { Format::Ndjson };
            let (head, _) = text.as_bytes().split_at(cut.min(text.len()));
            let mut splitter = Splitter::new(format, 0, limit);
            let mut chunk = Chunk::new();
            splitter.push(head, &mut chunk);
            let place = splitter.place();
            let mut splitter = Splitter::resume(format, 0, limit, place);
            splitter.push(&text.as_bytes()[place.byte as usize..], &mut chunk);
            splitter.finish(&mut chunk);
            let found: Vec<_> = chunk.records().map(|record| (record.offset, record.bytes.to_vec(), record.fault)).collect();
            prop_assert_eq!(found, split(format, &[text.as_bytes()], limit));
        }

        #[test]
        fn cuts_between_blocks_change_nothing(
            text in "[ab\",\r\n]{0,60}", cuts in prop::collection::vec(1usize..9, 0..40), csv: bool, limit in 1usize..30,
        ) {
            let format = if csv { CSV } else { Format::Ndjson };
            let whole = split(format, &[text.as_bytes()], limit);
            let mut rest = text.as_bytes();
            let mut blocks = Vec::new();
            for cut in cuts {
                let (block, left) = rest.split_at(cut.min(rest.len()));
                blocks.push(block);
                rest = left;
            }
            blocks.push(rest);
            prop_assert_eq!(split(format, &blocks, limit), whole);
        }
    }
}
