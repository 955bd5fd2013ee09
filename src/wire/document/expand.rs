//! A document → its records.

use super::{features, gpx, moving};
use crate::{
    model::{TimeMs, parse_time},
    wire::Chunk,
};
use serde_json::{Map, Value as Json};

/// The largest document, bytes after decompression: 64 MiB.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A GeoJSON FeatureCollection, or a single feature.
    Features,
    /// OGC Moving Features JSON, Trajectory or Prism (19-045r3): moving points.
    MovingFeatures,
    /// GPX: track points.
    Gpx,
}

/// What becomes of a part of a document.
pub(super) enum Part {
    /// A record, with its time if it is known.
    Record(Option<TimeMs>, String),
    /// Nothing: the part, and why.
    Fault(String, String),
}

/// The parts as they are found.
#[derive(Default)]
pub(super) struct Parts(pub(super) Vec<Part>);

impl Parts {
    pub(super) fn record(&mut self, fields: Map<String, Json>) {
        let time_ms = fields.get("ts").or_else(|| fields.get("time")).and_then(instant);
        self.0.push(Part::Record(time_ms, Json::Object(fields).to_string()));
    }

    pub(super) fn fault(&mut self, part: impl Into<String>, why: impl Into<String>) {
        self.0.push(Part::Fault(part.into(), why.into()));
    }
}

/// The instant of a JSON value: RFC 3339, or milliseconds since 1970.
pub(super) fn instant(value: &Json) -> Option<TimeMs> {
    match value {
        Json::String(text) => parse_time(text).ok(),
        Json::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|ms| ms.floor() as TimeMs)),
        _ => None,
    }
}

/// Adds the records of a document to `chunk`, numbered from 0; one longer than `limit` is cut and marked as too long.
pub fn expand(document: Document, bytes: &[u8], partition: u32, limit: usize, chunk: &mut Chunk) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut parts = Parts::default();
    match document {
        Document::Features => features::read(bytes, &mut parts),
        Document::MovingFeatures => moving::read(bytes, &mut parts),
        Document::Gpx => gpx::read(bytes, &mut parts),
    }
    let mut parts = parts.0;
    if document != Document::Features {
        // What has no time stays where it is: behind what stands before it.
        let mut last_ms = TimeMs::MIN;
        let mut timed: Vec<(TimeMs, Part)> = Vec::with_capacity(parts.len());
        for part in parts {
            if let Part::Record(Some(time_ms), _) = &part {
                last_ms = *time_ms;
            }
            timed.push((last_ms, part));
        }
        timed.sort_by_key(|(time_ms, _)| *time_ms);
        parts = timed.into_iter().map(|(_, part)| part).collect();
    }
    for (offset, part) in (0..).zip(parts) {
        match part {
            Part::Record(_, text) => chunk.push(partition, offset, text.as_bytes(), limit),
            Part::Fault(part, why) => chunk.push_fault(partition, offset, part.as_bytes(), &why),
        }
    }
}
