//! CSV: the header's columns are the fields; a row becomes an event by the same rules as a JSON object does.

use super::{
    layout::{Layout, Raw},
    record::RecordSchema,
};
use crate::model::{Batch, Reject, RejectReason};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Decodes the rows of one partition: its state is the header, so partitions can't share a decoder.
///
/// Cells are text: numbers, bools (`true`, `false`) and cells of the grid are read from it as the schema says; an empty cell
/// is null. A field that is declared to be a list or a point can't come from a cell.
#[derive(Debug)]
pub struct CsvDecoder {
    layout: Layout,
    row: Row,
    /// For each column the cell that it fills.
    columns: Option<Vec<Option<usize>>>,
    /// The header as it stands.
    header: Vec<u8>,
    cells: Vec<Raw>,
}

impl CsvDecoder {
    /// A decoder for rows with this delimiter.
    pub fn new(schema: &RecordSchema, delimiter: u8) -> Self {
        let layout = Layout::new(schema, true);
        let cells = vec![Raw::Absent; layout.names().len()];
        Self { layout, row: Row::new(delimiter), columns: None, header: Vec::new(), cells }
    }

    /// Takes a file's first row.
    ///
    /// # Errors
    /// It is not UTF-8. Until a header was taken, every row is rejected.
    pub fn header(&mut self, row: &[u8]) -> Result<(), Reject> {
        self.columns = None;
        let names = self.layout.names();
        let columns = self.row.read(row)?.map(|column| {
            let column = column.trim();
            names.iter().position(|name| name == column || name.strip_prefix('/') == Some(column))
        });
        self.columns = Some(columns.collect());
        self.header = row.to_vec();
        Ok(())
    }

    /// Goes on under another decoder's header.
    pub(super) fn follow(&mut self, last: &Self) {
        if last.columns.is_some() {
            // It could be read before.
            let _ = self.header(&last.header);
        }
    }

    /// Decodes a row and adds the event to `batch`.
    ///
    /// # Errors
    /// Why the row is no event; then nothing is added.
    pub fn decode(&mut self, row: &[u8], partition: u32, offset: u64, batch: &mut Batch) -> Result<(), Reject> {
        let Some(columns) = &self.columns else {
            return Err(Reject::new(RejectReason::Syntax, "the file has no readable header row"));
        };
        self.cells.fill(Raw::Absent);
        let mut found = 0;
        for (at, text) in self.row.read(row)?.enumerate() {
            found += 1;
            if let Some(place) = columns.get(at).copied().flatten().and_then(|cell| self.cells.get_mut(cell)) {
                *place = if text.is_empty() { Raw::Null } else { Raw::Text(text.into()) };
            }
        }
        if found != columns.len() {
            let detail = format!("the row has {found} columns, the header {}", columns.len());
            return Err(Reject::new(RejectReason::Syntax, detail));
        }
        self.layout.finish(&self.cells, partition, offset, batch)
    }
}

/// Cuts one row into cells, in memory that is used again.
#[derive(Debug)]
pub(super) struct Row {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Row {
    pub(super) fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, text: vec![0; 1_024], ends: vec![0; 32] }
    }

    pub(super) fn read(&mut self, row: &[u8]) -> Result<impl Iterator<Item = &str>, Reject> {
        let not_utf8 = |at| Reject::new(RejectReason::Syntax, format!("not UTF-8 from byte {at} on"));
        std::str::from_utf8(row).map_err(|error| not_utf8(error.valid_up_to()))?;
        self.reader.reset();
        let (mut read, mut written, mut cells) = (0, 0, 0);
        loop {
            let input = row.get(read..).unwrap_or_default();
            let (text, ends) = (self.text.get_mut(written..), self.ends.get_mut(cells..));
            let (result, taken, put, ended) =
                self.reader.read_record(input, text.unwrap_or_default(), ends.unwrap_or_default());
            (read, written, cells) = (read + taken, written + put, cells + ended);
            match result {
                // Without bytes the reader takes the row for the last one and ends it.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        // Quotes and delimiters are ASCII, so cutting there leaves UTF-8.
        let text = std::str::from_utf8(self.text.get(..written).unwrap_or_default());
        let text = text.map_err(|error| not_utf8(error.valid_up_to()))?;
        let mut start = 0;
        Ok(self.ends.iter().take(cells).map(move |&end| {
            let cell = text.get(start..end).unwrap_or_default();
            start = end;
            cell
        }))
    }
}
