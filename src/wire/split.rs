//! Blocks of bytes → records, the same however the bytes are cut into blocks.

use super::{
    chunk::{Chunk, Fault},
    decoder::Format,
};

/// The longest record that is accepted unless a source says otherwise: 1 MiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// What is kept of a record that is too long, for the dead letter.
pub(super) const KEPT_OF_TOO_LONG: usize = 1_024;

/// What every text of a GeoJSON text sequence begins with (RFC 8142).
pub(super) const RECORD_SEPARATOR: u8 = 0x1e;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts one partition's bytes into records: lines, or in CSV rows, whose quoted cells may hold newlines.
///
/// A text of a GeoJSON text sequence goes on over newlines until its brackets are closed, or the next text begins.
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
    /// Of a text that began with a record separator how deep it is in lists and objects: it may hold newlines.
    nesting: Nesting,
    /// Whether nothing came of the current line yet.
    line_begins: bool,
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
            nesting: Nesting::default(),
            line_begins: true,
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
        let mut from = self.push_lines(block, 0, chunk);
        while let Some(length) = block.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let line = block.get(from..from + length).unwrap_or_default();
            self.begin_line(line, from, chunk);
            from += length + 1;
            self.take_line(line, chunk);
            if self.carry.is_empty() {
                self.record_byte = self.taken + from as u64;
            }
            from = self.push_lines(block, from, chunk);
        }
        let rest = block.get(from..).unwrap_or_default();
        self.begin_line(rest, from, chunk);
        self.taken += block.len() as u64;
        self.follow(rest);
        self.carry_on(rest);
    }

    /// Takes lines of which nothing has to be known, each a record as it stands; up to where that is.
    fn push_lines(&mut self, block: &[u8], from: usize, chunk: &mut Chunk) -> usize {
        let lines_are_records = !matches!(self.format, Format::Csv { .. } | Format::GeoJson);
        if !lines_are_records || self.first || !self.carry.is_empty() || self.too_long.is_some() {
            return from;
        }
        let rest = block.get(from..).unwrap_or_default();
        let (bytes, lines) = chunk.add_lines(self.partition, self.line, rest, self.limit);
        let to = from + bytes;
        if lines > 0 {
            self.line += lines;
            self.record_line = self.line;
            self.record_byte = self.taken + to as u64;
        }
        to
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
        (self.quotes, self.nesting, self.line_begins) = (Quotes::CellStart, Nesting::default(), true);
    }

    /// The input was cut off: what came after the last newline is dropped. Returns how many bytes that were.
    pub fn abandon(&mut self) -> u64 {
        let dropped = self.too_long.take().unwrap_or(self.carry.len() as u64);
        self.carry.clear();
        (self.quotes, self.nesting, self.line_begins) = (Quotes::CellStart, Nesting::default(), true);
        dropped
    }

    /// Another file follows in the same partition: lines go on counting, but a header and a byte order mark may come.
    pub fn restart(&mut self, chunk: &mut Chunk) {
        self.finish(chunk);
        self.first = true;
        (self.taken, self.record_byte) = (0, 0);
    }

    /// What comes of a line; a text begins with it, whatever became of the one before.
    fn begin_line(&mut self, piece: &[u8], from: usize, chunk: &mut Chunk) {
        let Some(&first) = piece.first().filter(|_| self.format == Format::GeoJson && self.line_begins) else { return };
        self.line_begins = false;
        if first == RECORD_SEPARATOR {
            if !self.carry.is_empty() {
                self.emit_carry(None, chunk);
                (self.record_line, self.record_byte) = (self.line, self.taken + from as u64);
            }
            self.nesting = Nesting { counts: true, ..Nesting::default() };
        }
    }

    /// Whether the record goes on after a newline.
    fn goes_on(&self) -> bool {
        self.quotes == Quotes::Inside || self.nesting.is_open()
    }

    fn take_line(&mut self, line: &[u8], chunk: &mut Chunk) {
        self.follow(line);
        if self.carry.is_empty() && line.len() <= self.limit && !self.goes_on() {
            self.emit(line, None, chunk);
        } else {
            self.carry_on(line);
            if self.goes_on() && self.too_long.is_none() {
                self.carry_on(b"\n");
            }
            if !self.goes_on() || self.too_long.is_some() {
                self.emit_carry(None, chunk);
            }
        }
        self.line += 1;
        self.line_begins = true;
        if self.carry.is_empty() {
            (self.quotes, self.nesting) = (Quotes::CellStart, Nesting::default());
            self.record_line = self.line;
        }
    }

    fn follow(&mut self, bytes: &[u8]) {
        match self.format {
            Format::Csv { delimiter } => self.quotes = self.quotes.follow(bytes, delimiter),
            Format::GeoJson => self.nesting.follow(bytes),
            _ => {}
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

/// How deep a JSON text is in lists and objects.
#[derive(Clone, Copy, Debug, Default)]
struct Nesting {
    /// Whether that counts: of texts that began with a record separator.
    counts: bool,
    depth: u32,
    quoted: bool,
    escaped: bool,
}

impl Nesting {
    fn is_open(&self) -> bool {
        self.counts && (self.depth > 0 || self.quoted)
    }

    fn follow(&mut self, bytes: &[u8]) {
        if !self.counts {
            return;
        }
        for &byte in bytes {
            match (self.quoted, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.quoted = !self.quoted,
                (false, b'[' | b'{') => self.depth = self.depth.saturating_add(1),
                (false, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
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

    #[test]
    fn a_text_of_a_sequence_ends_with_its_brackets_or_with_the_next_text() {
        let input = "\u{1e}{\"a\":\n \"}\\\"\"\n}\n\u{1e}{\"cut\":\n\u{1e}{}\n{}\n";
        let expected = [(0, "\u{1e}{\"a\":\n \"}\\\"\"\n}"), (3, "\u{1e}{\"cut\":\n"), (4, "\u{1e}{}"), (5, "{}")];
        assert_eq!(texts(Format::GeoJson, input), expected.map(|(line, text)| (line, text.to_owned())));
    }

    fn format() -> impl Strategy<Value = Format> {
        prop_oneof![Just(CSV), Just(Format::Ndjson), Just(Format::GeoJson)]
    }

    proptest! {
        #[test]
        fn from_any_place_on_come_the_records_that_are_left(text in "[ab\",\r\n{}\u{1e}]{0,60}", cut in 0usize..60, format in format(), limit in 1usize..30) {
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
            text in "[ab\",\r\n{}\u{1e}]{0,60}", cuts in prop::collection::vec(1usize..9, 0..40), format in format(), limit in 1usize..30,
        ) {
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
