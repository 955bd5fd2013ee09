//! Records that are posted: from a body to the intake of a source.

use super::{
    config::{HttpInput, SourceConfig},
    connect::{Resumption, open_intake},
};
use crate::{
    io::source::{Intake, IntakeSource, NotTaken, Records, SourceError},
    model::{Batch, Schema},
    wire::{Chunk, Decoder, Format, RecordSchema},
};
use std::{collections::BTreeMap, io::Read, sync::Arc};

/// Of so many rejected records the answer says what is wrong with them.
const FAULTS_MAX: usize = 100;
/// An unpacked body may be so many times as long as one that wasn't packed.
const UNPACKED_FACTOR: u64 = 8;

/// Where records are handed in, by source.
pub type Doors = BTreeMap<String, Arc<Door>>;

/// Where records of one source are handed in.
#[derive(Debug)]
pub struct Door {
    intake: Intake,
    schema: RecordSchema,
    record_bytes_max: usize,
    body_bytes_max: u64,
    token_required: bool,
}

/// A body, read.
#[derive(Clone, Debug, Default)]
pub struct Posted {
    /// All of its records, those that are no events as well: they are dead letters, as from any source.
    pub records: Records,
    /// How many are no events.
    pub rejected: u64,
    /// The first of these.
    pub faults: Vec<Fault>,
}

/// A record that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its line in the body, from 1.
    pub line: u64,
    /// The reason, as in metrics and dead letters.
    pub reason: &'static str,
    /// In words.
    pub detail: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A JSON object a line.
    Lines,
    /// One JSON object.
    One,
}

/// A body that can't be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It is longer than it may be.
    #[error("the unpacked body is longer than {0} bytes")]
    TooLong(u64),
    /// It is no gzip.
    #[error("the body is no valid gzip: {0}")]
    Corrupt(String),
}

impl Door {
    /// A door, and the source that reads what comes in.
    ///
    /// # Errors
    /// The log can't be opened.
    pub fn open(
        name: &str,
        config: &SourceConfig,
        http: &HttpInput,
        resume: &Resumption,
    ) -> Result<(Self, IntakeSource), SourceError> {
        let (intake, source) = open_intake(name, config, &http.queue, resume)?;
        // What makes a record an event whatever rules read: they may be exchanged.
        let schema = config.schema.record_schema(&Schema { open: false, ..Schema::default() });
        let (record_bytes_max, body_bytes_max) = (config.record_bytes_max, http.body_bytes_max);
        Ok((Self { intake, schema, record_bytes_max, body_bytes_max, token_required: http.token_required }, source))
    }

    /// What holds the records.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Whether only who has the token may post.
    pub fn token_required(&self) -> bool {
        self.token_required
    }

    /// The longest body, as sent.
    pub fn body_bytes_max(&self) -> u64 {
        self.body_bytes_max
    }

    /// Whether what is taken survives the process.
    pub fn is_durable(&self) -> bool {
        self.intake.is_durable()
    }

    /// Unpacks a body.
    ///
    /// # Errors
    /// It is no gzip, or too long.
    pub fn unpack(&self, body: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let limit = self.body_bytes_max.saturating_mul(UNPACKED_FACTOR);
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(body).take(limit.saturating_add(1));
        decoder.read_to_end(&mut unpacked).map_err(|error| UnpackError::Corrupt(error.to_string()))?;
        if unpacked.len() as u64 > limit { Err(UnpackError::TooLong(limit)) } else { Ok(unpacked) }
    }

    /// The records of a body, and which of them are no events.
    pub fn read(&self, body: &[u8], kind: Body) -> Posted {
        let mut posted = Posted::default();
        let mut decoder = Decoder::new(&self.schema, Format::Ndjson);
        let mut batch = Batch::new(self.schema.slots.len());
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let newline = |byte: &u8| *byte == b'\n' && kind == Body::Lines;
        for (at, line) in body.split(newline).enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            posted.records.push(line);
            let mut chunk = Chunk::new();
            chunk.push(0, 0, line, self.record_bytes_max);
            let Some(Err(reject)) = chunk.record(0).map(|record| decoder.decode(&record, &mut batch)) else {
                if batch.len() >= 1_000 {
                    batch = Batch::new(self.schema.slots.len());
                }
                continue;
            };
            posted.rejected += 1;
            if posted.faults.len() < FAULTS_MAX {
                let (line, reason) = (at as u64 + 1, reject.reason.name());
                posted.faults.push(Fault { line, reason, detail: reject.detail.to_string() });
            }
        }
        posted
    }

    /// Hands in records; when this returns they are durable, where anything is.
    ///
    /// # Errors
    /// None of them was taken.
    pub async fn submit(&self, records: Records) -> Result<(), NotTaken> {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let answered = move |result| drop(sender.send(result));
        self.intake.submit(records, Box::new(answered))?;
        answer.await.unwrap_or(Err(NotTaken::Closed))
    }
}
