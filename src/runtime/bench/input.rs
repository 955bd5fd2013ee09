//! The events of a measurement, ready to be sent, again and again.

use crate::{
    engine::{Inline, Options},
    io::source::{FileOptions, FileSource, Pulled, Source},
    runtime::{config::StreamSchema, project::Project, replay::BoundInput, session::Session},
    wire::{Chunk, Format, TimeUnit},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, time::Duration};

/// The most records that are held.
const RECORDS_MAX: usize = 20_000_000;

/// All records of all inputs in order of event time.
///
/// A measurement may need more events than there are. Then they are sent again, later by a whole number of
/// [`period_ms`](Self::period_ms), so that event time goes on and nothing is late. For that the time has to be a top-level
/// field of JSON objects; of other inputs each event is sent once.
#[derive(Debug)]
pub struct BenchInput {
    /// The partitions, in the order in which a session gets them, each with its number within its source.
    pub(super) partitions: Vec<(BoundInput, u32)>,
    formats: Vec<Format>,
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// The event times of `records`, which ascend.
    times_ms: Vec<i64>,
    /// Whether times can be written anew.
    repeats: bool,
    /// Records that are no events and are not sent.
    pub(super) rejected: u64,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    start: usize,
    end: usize,
    partition: u32,
    begins: bool,
}

/// A record of which only the time is missing: `{"ts":` and the rest.
struct Reader<'a> {
    schema: &'a StreamSchema,
    shiftable: bool,
}

impl BenchInput {
    /// Reads all files of a project's inputs.
    ///
    /// # Errors
    /// A file that can't be read, or that there is no event for the project's rules, in words.
    pub fn read(project: &Project, inputs: Vec<BoundInput>) -> Result<Self, String> {
        let mut session =
            Session::new(project, Options::default(), Box::new(Inline)).map_err(|error| error.to_string())?;
        session.has_no_arrivals()?;
        let mut input = Self {
            partitions: Vec::new(),
            formats: Vec::new(),
            bytes: Vec::new(),
            records: Vec::new(),
            times_ms: Vec::new(),
            repeats: true,
            rejected: 0,
        };
        let mut entries: Vec<(i64, Record)> = Vec::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for bound in inputs {
            let number = numbers.entry(bound.source.clone()).or_insert(0);
            let partition = std::mem::replace(number, *number + 1);
            let options = FileOptions {
                format: bound.format,
                partition,
                record_bytes_max: bound.record_bytes_max,
                ..FileOptions::default()
            };
            let mut file = FileSource::open(&bound.path, options).map_err(|error| error.to_string())?;
            let format = file.format().map_err(|error| error.to_string())?;
            let Some(lane) = session.add_partition(&bound.source, &bound.schema, format, partition, 0) else {
                continue;
            };
            let reader = Reader { schema: &bound.schema, shiftable: shiftable(&bound.schema, format) };
            input.repeats &= reader.shiftable;
            let index = input.partitions.len() as u32;
            let mut chunk = Chunk::new();
            loop {
                chunk.clear();
                match file.pull(&mut chunk, Duration::ZERO) {
                    Ok(Pulled::End) => break,
                    Ok(_) => {}
                    Err(error) => return Err(error.to_string()),
                }
                let batch = session.decode(lane, &chunk);
                let mut times = batch.headers().iter().peekable();
                for record in chunk.records() {
                    // What was rejected has no header, and neither has the line that names a table's columns.
                    let time_ms = times.next_if(|header| header.offset == record.offset).map(|header| header.time_ms);
                    if time_ms.is_none() && !record.begins {
                        input.rejected += 1;
                        continue;
                    }
                    let start = input.bytes.len();
                    reader.keep(record.bytes, &mut input.bytes);
                    let end = input.bytes.len();
                    let record = Record { start, end, partition: index, begins: time_ms.is_none() };
                    entries.push((time_ms.unwrap_or(i64::MIN), record));
                    if entries.len() > RECORDS_MAX {
                        return Err(format!("the input has more than {RECORDS_MAX} records: name a part of it"));
                    }
                }
            }
            input.partitions.push((bound, partition));
            input.formats.push(format);
        }
        entries.sort_by_key(|(time_ms, _)| *time_ms);
        (input.times_ms, input.records) = entries.into_iter().unzip();
        if input.times_ms.last().is_none_or(|last| *last == i64::MIN) {
            return Err("the input has no event that a rule reads".to_owned());
        }
        // Headers of tables come first; as events they count at the first event's time.
        let first_ms = input.times_ms.iter().copied().find(|time_ms| *time_ms != i64::MIN).unwrap_or(0);
        for time_ms in input.times_ms.iter_mut().take_while(|time_ms| **time_ms == i64::MIN) {
            *time_ms = first_ms;
        }
        Ok(input)
    }

    /// How the partition's records are written.
    pub(super) fn format(&self, partition: usize) -> Format {
        self.formats.get(partition).copied().unwrap_or(Format::Ndjson)
    }

    /// Whether all of it is JSON objects, a line each, whose time can be written anew: what can be sent through a file or a topic.
    pub(super) fn is_lines(&self) -> bool {
        self.repeats
    }

    /// How many events can be sent.
    pub(super) fn available(&self) -> u64 {
        if self.repeats { u64::MAX } else { self.records.len() as u64 }
    }

    /// By how much a round of the input is later than the one before: its span and one mean distance of events, at least 1 ms.
    pub fn period_ms(&self) -> i64 {
        let span_ms =
            self.times_ms.last().zip(self.times_ms.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
        span_ms.saturating_add((span_ms / self.records.len().max(1) as i64).max(1))
    }

    /// The number of the first event, in order of sending, whose event time is at least this: the one that decided what
    /// happens at that instant.
    pub(super) fn decider(&self, time_ms: i64) -> u64 {
        let first_ms = self.times_ms.first().copied().unwrap_or(0);
        let period_ms = self.period_ms();
        let rounds = if self.repeats { time_ms.saturating_sub(first_ms).div_euclid(period_ms).max(0) } else { 0 };
        let within_ms = time_ms.saturating_sub(rounds.saturating_mul(period_ms));
        let at = self.times_ms.partition_point(|time| *time < within_ms);
        (rounds as u64).saturating_mul(self.records.len() as u64).saturating_add(at as u64)
    }

    /// Appends event `number` to the chunk of its partition.
    pub(super) fn send(&self, number: u64, chunks: &mut [Chunk], scratch: &mut Vec<u8>) {
        let count = self.records.len() as u64;
        let (round, at) = (number / count.max(1), (number % count.max(1)) as usize);
        let (Some(record), Some(time_ms)) = (self.records.get(at), self.times_ms.get(at)) else { return };
        let (Some(chunk), Some((bound, partition))) =
            (chunks.get_mut(record.partition as usize), self.partitions.get(record.partition as usize))
        else {
            return;
        };
        let kept = self.bytes.get(record.start..record.end).unwrap_or_default();
        scratch.clear();
        if shiftable(&bound.schema, self.format(record.partition as usize)) {
            let shift_ms = self.period_ms().saturating_mul(i64::try_from(round).unwrap_or(i64::MAX));
            write_time(time_ms.saturating_add(shift_ms), &bound.schema, scratch);
        }
        scratch.extend_from_slice(kept);
        if record.begins {
            chunk.push_first(*partition, number, scratch);
        } else {
            chunk.push(*partition, number, scratch, usize::MAX);
        }
    }
}

/// Whether times of such records can be written anew.
fn shiftable(schema: &StreamSchema, format: Format) -> bool {
    format == Format::Ndjson && schema.time.fields.first().is_some_and(|field| !field.starts_with('/'))
}

impl Reader<'_> {
    /// Keeps a record; one whose time is to be written anew without what its schema takes for the time, and without the
    /// opening brace.
    fn keep(&self, record: &[u8], kept: &mut Vec<u8>) {
        if !self.shiftable {
            kept.extend_from_slice(record);
            return;
        }
        let mut object: Map<String, Value> = serde_json::from_slice(record).unwrap_or_default();
        object.retain(|name, _| !self.schema.time.fields.contains(name));
        let rest = serde_json::to_vec(&object).unwrap_or_default();
        if object.is_empty() {
            kept.push(b'}');
        } else {
            kept.push(b',');
            kept.extend_from_slice(rest.get(1..).unwrap_or_default());
        }
    }
}

/// `{"ts":1772431200000`, in the schema's unit.
fn write_time(time_ms: i64, schema: &StreamSchema, out: &mut Vec<u8>) {
    use std::io::Write;
    let field = schema.time.fields.first().map_or("ts", String::as_str);
    // Writing to a vector can't fail.
    let _ = write!(out, "{{{}:", Value::from(field));
    let _ = match schema.time.unit {
        TimeUnit::Auto | TimeUnit::Milliseconds => write!(out, "{time_ms}"),
        TimeUnit::Seconds => write!(out, "{}", time_ms as f64 / 1_000.0),
        TimeUnit::Microseconds => write!(out, "{}", time_ms.saturating_mul(1_000)),
        TimeUnit::Rfc3339 => write!(out, "\"{}\"", crate::model::format_time(time_ms)),
    };
}
