//! Who an alert is: a hash of what it is about, so that a replay makes the same id and a sink can drop a double.

use super::{
    alert::{Names, Output},
    json_out::{Backwards, hexadecimal, text},
};
use crate::model::{EventId, StreamId, TimeMs};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// The layout of the bytes that are hashed, for other programs that want to make an alert's id. Frozen.
pub const ALERT_ID_LAYOUT: &str = "\
xxh3-128 (seed 0), printed as 32 hexadecimal digits, of, one after another:
  the ASCII bytes `geocep-alert-1`
  rule name, rule version, canonical bytes of the key: each its length as u32 and its bytes
  start, end: i64, milliseconds since 1970
  number of events: u32; then per event, in order of time:
    name of its pattern variable: length u32 and bytes
    0 as u8 and its id: length u32 and bytes; or
    1 as u8, name of its stream: length u32 and bytes, partition u32, offset u64
  revision: u32: how many results of the same window were put out before it, else 0
Of a row of a match (ALL ROWS PER MATCH) it is the same of
  the ASCII bytes `geocep-row-1`
  the match's id as above: 16 bytes
  number of the row, from 1: u32
Of a region (CLUSTER) it is the same of
  the ASCII bytes `geocep-region-1`
  rule name, rule version, canonical bytes of the key, the region's id, its transition: each its length as u32 and its bytes
  the tick: i64, milliseconds since 1970
All numbers little-endian, texts UTF-8.";

/// An alert's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub u128);

impl AlertId {
    /// Its 32 digits.
    pub(super) fn digits(self) -> [u8; 32] {
        hexadecimal(self.0)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The id that an alert's line has; of a line without one a hash of the line.
pub fn alert_id_of(line: &[u8]) -> AlertId {
    const BEFORE: &[u8] = br#"{"type":"Feature","id":""#;
    let digits = line.strip_prefix(BEFORE).and_then(|rest| rest.get(..32));
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let parsed = digits.and_then(|digits| u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
    AlertId(parsed.unwrap_or_else(|| xxh3_128(line)))
}

/// The id of an output; `scratch` keeps its memory between calls.
pub(super) fn alert_id(
    (rule, version, variables): (&str, &str, &[String]),
    output: &Output<'_>,
    names: &dyn Names,
    scratch: &mut Vec<u8>,
) -> AlertId {
    scratch.clear();
    scratch.extend_from_slice(b"geocep-alert-1");
    for part in [rule.as_bytes(), version.as_bytes(), output.key.as_bytes()] {
        sized(scratch, part);
    }
    scratch.extend_from_slice(&output.start_ms.to_le_bytes());
    scratch.extend_from_slice(&output.end_ms.to_le_bytes());
    scratch.extend_from_slice(&(output.taken.len() as u32).to_le_bytes());
    for taken in output.taken {
        sized(scratch, variables.get(usize::from(taken.var)).map_or(&[][..], String::as_bytes));
        match &taken.id {
            EventId::Field(text) => {
                scratch.push(0);
                sized(scratch, text.as_bytes());
            }
            EventId::Offset { stream, partition, offset } => {
                scratch.push(1);
                sized(scratch, stream_name(names, *stream).as_bytes());
                let mut place = [0; 12];
                let (of_partition, of_offset) = place.split_at_mut(4);
                of_partition.copy_from_slice(&partition.to_le_bytes());
                of_offset.copy_from_slice(&offset.to_le_bytes());
                scratch.extend_from_slice(&place);
            }
        }
    }
    scratch.extend_from_slice(&output.revision.to_le_bytes());
    AlertId(xxh3_128(scratch))
}

/// The id of a row of a match.
pub(super) fn row_id(of_match: AlertId, number: u32) -> AlertId {
    let mut bytes = b"geocep-row-1".to_vec();
    bytes.extend_from_slice(&of_match.0.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    AlertId(xxh3_128(&bytes))
}

/// The id of what is said of a region at a tick.
pub(super) fn region_id(parts: [&[u8]; 5], tick_ms: TimeMs) -> AlertId {
    let mut bytes = b"geocep-region-1".to_vec();
    parts.into_iter().for_each(|part| sized(&mut bytes, part));
    bytes.extend_from_slice(&tick_ms.to_le_bytes());
    AlertId(xxh3_128(&bytes))
}

fn sized(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
    bytes.extend_from_slice(part);
}

/// A stream's name. Never its number, which another rule in the same file would change.
fn stream_name(names: &dyn Names, stream: StreamId) -> &str {
    names.stream_name(stream).unwrap_or_default()
}

/// Writes an event's id as JSON text: its own, or `stream:partition:offset`; a derived event's is `stream:` and 16 hex digits.
pub(super) fn write_event_id(out: &mut Vec<u8>, id: &EventId, names: &dyn Names) {
    match id {
        EventId::Field(own) => text(out, own),
        EventId::Offset { stream, partition, offset } => {
            text(out, stream_name(names, *stream));
            // What follows stands within the quotes, and needs no escape.
            out.pop();
            if *partition == u32::MAX {
                out.push(b':');
                out.extend_from_slice(&hexadecimal::<16>(u128::from(*offset)));
                out.push(b'"');
                return;
            }
            let mut place = Backwards::new();
            place.push(b'"');
            place.push_number(*offset);
            place.push(b':');
            place.push_number(u64::from(*partition));
            place.push(b':');
            out.extend_from_slice(place.as_bytes());
        }
    }
}
