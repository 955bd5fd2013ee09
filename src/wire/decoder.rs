//! Records to events, whatever their format.

use super::{CsvDecoder, JsonDecoder, Record, RecordSchema};
use crate::model::{Batch, Reject};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object per line (or per message).
    Ndjson,
    /// Rows under a header.
    Csv {
        /// What stands between cells.
        delimiter: u8,
    },
}

impl Format {
    /// Comma-separated values.
    pub const CSV: Format = Format::Csv { delimiter: b',' };

    /// The format of a file with this name, ignoring `.gz`; `None` if the name doesn't say.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::CSV),
            "tsv" => Some(Self::Csv { delimiter: b'\t' }),
            "json" | "ndjson" | "jsonl" | "geojsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// The format of a file that begins so: an object is JSON, else it is CSV with the delimiter that the first line has
    /// most of.
    pub fn of_beginning(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
        if bytes.is_empty() || matches!(bytes.first(), Some(b'{' | b'[')) {
            return Self::Ndjson;
        }
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
        let delimiters = [b'|', b';', b'\t', b','];
        let delimiter = delimiters.into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',');
        if count(delimiter) == 0 { Self::Ndjson } else { Self::Csv { delimiter } }
    }
}

/// Decodes the records of one partition.
#[derive(Debug)]
pub enum Decoder {
    /// JSON objects.
    Json(Box<JsonDecoder>),
    /// CSV rows.
    Csv(Box<CsvDecoder>),
}

impl Decoder {
    /// A decoder for records of this format that look so.
    pub fn new(schema: &RecordSchema, format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Json(Box::new(JsonDecoder::new(schema))),
            Format::Csv { delimiter } => Self::Csv(Box::new(CsvDecoder::new(schema, delimiter))),
        }
    }

    /// Decodes a record and adds the event to `batch`, whose width is that of the schema's slots. Returns whether there is
    /// an event: a CSV file's header is none.
    ///
    /// # Errors
    /// Why the record is no event; then nothing is added.
    pub fn decode(&mut self, record: &Record<'_>, batch: &mut Batch) -> Result<bool, Reject> {
        if let Some(reject) = record.fault() {
            return Err(reject);
        }
        match self {
            Self::Json(json) => json.decode(record.bytes, record.partition, record.offset, batch)?,
            Self::Csv(csv) if record.begins => {
                csv.header(record.bytes)?;
                return Ok(false);
            }
            Self::Csv(csv) => csv.decode(record.bytes, record.partition, record.offset, batch)?,
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "decoder_test.rs"]
mod tests;
