//! CSV: the first row names the columns.

use super::{TableFileError, TablePlace, grid::Grid};
use crate::wire::layout::Raw;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Reads all rows. Empty cells are null; blank lines are passed over.
pub(super) fn grid(bytes: &[u8], delimiter: u8) -> Result<Grid, Vec<TableFileError>> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|&&byte| byte == b'\n').count() as u64 + 1;
        vec![TableFileError::Row { place: TablePlace::Line(line), reason: "not UTF-8".to_owned() }]
    })?;
    let mut cutter = Cutter::new(text, delimiter);
    let Some((_, header)) = cutter.next() else {
        return Err(vec![TableFileError::File("the file is empty: its first row names the columns".to_owned())]);
    };
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut grid = Grid { names, rows: Vec::new(), textual: true };
    let mut wrong = Vec::new();
    for (line, cells) in cutter {
        let place = TablePlace::Line(line);
        if cells.len() != grid.names.len() {
            let reason = format!("the row has {} columns, the header {}", cells.len(), grid.names.len());
            wrong.push(TableFileError::Row { place, reason });
            continue;
        }
        let raw = |cell: String| if cell.is_empty() { Raw::Null } else { Raw::Text(cell.as_str().into()) };
        grid.rows.push((place, cells.into_iter().map(raw).collect()));
    }
    if wrong.is_empty() { Ok(grid) } else { Err(wrong) }
}

/// Cuts a text into rows of cells, each with its line.
struct Cutter<'t> {
    reader: Reader,
    rest: &'t [u8],
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<'t> Cutter<'t> {
    fn new(text: &'t str, delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, rest: text.as_bytes(), text: vec![0; 1_024], ends: vec![0; 32] }
    }
}

impl Iterator for Cutter<'_> {
    type Item = (u64, Vec<String>);

    fn next(&mut self) -> Option<Self::Item> {
        // The reader passes over blank lines itself, and only then counts them.
        let blank = self.rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
        let skipped = blank.filter(|&&byte| byte == b'\n').count() as u64;
        let line = self.reader.line() + skipped;
        let (mut written, mut cells) = (0, 0);
        loop {
            let (text, ends) = (self.text.get_mut(written..), self.ends.get_mut(cells..));
            let (result, taken, put, ended) =
                self.reader.read_record(self.rest, text.unwrap_or_default(), ends.unwrap_or_default());
            self.rest = self.rest.get(taken..).unwrap_or_default();
            (written, cells) = (written + put, cells + ended);
            match result {
                // Without bytes the reader takes the row for the last one and ends it.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
            }
        }
        let mut start = 0;
        let cut = self.ends.iter().take(cells).map(|&end| {
            // Quotes and delimiters are ASCII, so that cells of UTF-8 are UTF-8.
            let cell = String::from_utf8_lossy(self.text.get(start..end).unwrap_or_default()).into_owned();
            start = end;
            cell
        });
        Some((line, cut.collect()))
    }
}
