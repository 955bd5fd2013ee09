//! Records to events, whatever their format.

use super::{
    AisDecoder, AisMessages, Chunk, CsvDecoder, Document, JsonDecoder, Record, RecordSchema,
    ais::Lost,
    record::{FieldSource, SlotSource},
};
use crate::model::{Batch, DecodeError, Reject};

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
    /// Sentences of AIS, one a line (or message).
    Ais(AisMessages),
    /// A GeoJSON feature per line (or message), or per text of a GeoJSON text sequence (RFC 8142).
    GeoJson,
    /// One document in a file, of which records are made.
    Document(Document),
}

impl Format {
    /// Comma-separated values.
    pub const CSV: Format = Format::Csv { delimiter: b',' };

    /// The names of formats in configurations.
    pub const NAMES: &'static [(&'static str, Format)] = &[
        ("ndjson", Format::Ndjson),
        ("csv", Format::CSV),
        ("tsv", Format::Csv { delimiter: b'\t' }),
        ("ais", Format::Ais(AisMessages::Positions)),
        ("ais-static", Format::Ais(AisMessages::Static)),
        ("geojson", Format::Document(Document::Features)),
        ("geojsonseq", Format::GeoJson),
        ("mfjson", Format::Document(Document::MovingFeatures)),
        ("gpx", Format::Document(Document::Gpx)),
    ];

    /// The format of a file with this name, ignoring `.gz`; `None` if the name doesn't say.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::CSV),
            "tsv" => Some(Self::Csv { delimiter: b'\t' }),
            "json" | "ndjson" | "jsonl" => Some(Self::Ndjson),
            "nmea" | "ais" => Some(Self::Ais(AisMessages::Positions)),
            "geojson" => Some(Self::Document(Document::Features)),
            "geojsonl" | "geojsons" | "geojsonseq" | "ndgeojson" => Some(Self::GeoJson),
            "mfjson" => Some(Self::Document(Document::MovingFeatures)),
            "gpx" => Some(Self::Document(Document::Gpx)),
            _ => None,
        }
    }

    /// The format of a file that begins so: an object is JSON, `!` or a tag block AIS, a record separator a GeoJSON text sequence,
    /// `<` GPX; else it is CSV with the delimiter that the first line has most of.
    pub fn of_beginning(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
        match bytes.first() {
            None | Some(b'{' | b'[') => return Self::Ndjson,
            Some(b'!' | b'\\') => return Self::Ais(AisMessages::Positions),
            Some(&super::split::RECORD_SEPARATOR) => return Self::GeoJson,
            Some(b'<') => return Self::Document(Document::Gpx),
            _ => {}
        }
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        if ["!AIVDM,", "!AIVDO,"].iter().any(|word| memchr::memmem::find(line, word.as_bytes()).is_some()) {
            return Self::Ais(AisMessages::Positions);
        }
        let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
        let delimiters = [b'|', b';', b'\t', b','];
        let delimiter = delimiters.into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',');
        if count(delimiter) == 0 { Self::Ndjson } else { Self::Csv { delimiter } }
    }

    /// How the records are written that are made of a file: of a document they are JSON.
    pub fn of_records(self) -> Self {
        match self {
            Self::Document(Document::Features) => Self::GeoJson,
            Self::Document(Document::MovingFeatures | Document::Gpx) => Self::Ndjson,
            records => records,
        }
    }

    /// Whether the first record of a file says how to read the others.
    pub fn has_header(self) -> bool {
        matches!(self, Self::Csv { .. })
    }
}

/// Decodes the records of one partition.
#[derive(Debug)]
pub enum Decoder {
    /// JSON objects.
    Json(Box<JsonDecoder>),
    /// CSV rows.
    Csv(Box<CsvDecoder>),
    /// AIS.
    Ais(Box<AisDecoder>),
    /// GeoJSON features.
    GeoJson(Box<JsonDecoder>),
}

impl Decoder {
    /// A decoder for records of this format that look so.
    pub fn new(schema: &RecordSchema, format: Format) -> Self {
        match format.of_records() {
            Format::Csv { delimiter } => Self::Csv(Box::new(CsvDecoder::new(schema, delimiter))),
            Format::Ais(messages) => Self::Ais(Box::new(AisDecoder::new(schema, messages))),
            Format::GeoJson => Self::GeoJson(Box::new(JsonDecoder::new(&of_feature(schema)))),
            Format::Ndjson | Format::Document(_) => Self::Json(Box::new(JsonDecoder::new(schema))),
        }
    }

    /// A decoder for the same partition's records from here on, of which other fields are read.
    pub fn successor(&self, schema: &RecordSchema, format: Format) -> Self {
        let mut next = Self::new(schema, format);
        match (self, &mut next) {
            // What was read before is as this wrote it.
            (Self::Ais(last), Self::Ais(next)) => {
                let _ = next.go_on(&last.open());
            }
            (Self::Csv(last), Self::Csv(next)) => next.follow(last),
            _ => {}
        }
        next
    }

    /// Decodes a record and adds the event to `batch`, whose width is that of the schema's slots. Returns whether there is
    /// an event: a CSV file's header is none, nor is a part of a message.
    ///
    /// # Errors
    /// Why the record is no event; then nothing is added.
    pub fn decode(&mut self, record: &Record<'_>, batch: &mut Batch) -> Result<bool, Reject> {
        if let Some(reject) = record.fault() {
            return Err(reject);
        }
        match self {
            Self::Json(json) => {
                let place = (record.partition, record.offset);
                json.decode_ahead((record.ahead, record.bytes.len(), record.ascii), place, batch)?;
            }
            Self::GeoJson(json) => {
                let text = record.bytes.strip_prefix(&[super::split::RECORD_SEPARATOR]).unwrap_or(record.bytes);
                json.decode(text, record.partition, record.offset, batch)?;
            }
            Self::Ais(ais) => return ais.decode(record.bytes, record.partition, record.offset, batch),
            Self::Csv(csv) if record.begins => {
                csv.header(record.bytes)?;
                return Ok(false);
            }
            Self::Csv(csv) => csv.decode(record.bytes, record.partition, record.offset, batch)?,
        }
        Ok(true)
    }

    /// Decodes all records of a chunk, and adds the events to `batch`; how many there are. `refuse` is told why a record is none, its
    /// partition and offset, and its bytes.
    pub fn decode_all(
        &mut self,
        chunk: &Chunk,
        batch: &mut Batch,
        mut refuse: impl FnMut(&Reject, (u32, u64, &[u8])),
    ) -> u64 {
        let mut events = 0;
        for index in 0..chunk.len() {
            // Nearly all go this way, where nobody asks what else they could be.
            if let Self::Json(json) = self
                && let Some((place, line)) = chunk.ascii_line(index)
                && json.read_line(line, place, batch).is_some()
            {
                events += 1;
                continue;
            }
            let Some(record) = chunk.record(index) else { continue };
            match self.decode(&record, batch) {
                Ok(event) => events += u64::from(event),
                Err(reject) => refuse(&reject, (record.partition, record.offset, record.bytes)),
            }
            for lost in self.take_lost() {
                refuse(&lost.reject, (record.partition, lost.offset, &lost.record));
            }
        }
        events
    }

    /// Records that turned out to be no events after they had been decoded: parts of messages whose rest never came.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        match self {
            Self::Ais(ais) => ais.take_lost(),
            _ => Vec::new(),
        }
    }

    /// The partition has ended.
    pub fn end(&mut self) {
        if let Self::Ais(ais) = self {
            ais.end();
        }
    }

    /// What was read of records that aren't whole yet, as bytes; mostly none. Who goes on reading where this one stops needs it.
    pub fn open(&self) -> Vec<u8> {
        match self {
            Self::Ais(ais) => ais.open(),
            _ => Vec::new(),
        }
    }

    /// Goes on with what [`open`](Self::open) gave of a decoder of the same partition.
    ///
    /// # Errors
    /// The bytes are of another format, or broken.
    pub fn go_on(&mut self, open: &[u8]) -> Result<(), DecodeError> {
        match self {
            _ if open.is_empty() => Ok(()),
            Self::Ais(ais) => ais.go_on(open),
            _ => Err(DecodeError::Unexpected { found: open.len() as u64, expected: "no parts of records" }),
        }
    }
}

/// The schema of features whose properties are the fields: a name is that of a property, and a path begins at the feature. The
/// position is its geometry, unless the schema says otherwise.
fn of_feature(schema: &RecordSchema) -> RecordSchema {
    let path = |name: &str| match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("/properties/{}", name.replace('~', "~0").replace('/', "~1")),
    };
    let paths = |names: &[String]| names.iter().map(|name| path(name)).collect();
    let field = |field: &FieldSource| FieldSource { path: path(&field.path), ..field.clone() };
    let mut mapped = schema.clone();
    mapped.time.fields = paths(&schema.time.fields);
    if let Some(position) = &mut mapped.position {
        let whole = !position.geometry.is_empty();
        position.lon = if whole { Vec::new() } else { paths(&position.lon) };
        position.lat = if whole { Vec::new() } else { paths(&position.lat) };
    }
    for slot in &mut mapped.slots {
        if let SlotSource::Field(source) = slot {
            *source = field(source);
        }
    }
    mapped.checks = schema.checks.iter().map(field).collect();
    mapped
}

#[cfg(test)]
#[path = "decoder_test.rs"]
mod tests;
