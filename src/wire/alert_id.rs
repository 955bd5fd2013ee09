//! Who an alert is: a hash of what it is about, so that a replay makes the same id and a sink can drop a double.

use super::{
    alert::{Names, Output},
    alert_event::Origins,
    json_out::hexadecimal,
};
use crate::model::TimeMs;
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

/// What is hashed of all outputs of a rule: it comes first.
pub(super) fn alert_id_start(rule: &str, version: &str) -> Vec<u8> {
    let mut bytes = b"geocep-alert-1".to_vec();
    sized(&mut bytes, rule.as_bytes());
    sized(&mut bytes, version.as_bytes());
    bytes
}

/// The id of an output of the rule with this start; `scratch` keeps its memory between calls.
pub(super) fn alert_id(
    start: &[u8],
    output: &Output<'_>,
    (origins, names): (&mut Origins, &dyn Names),
    scratch: &mut Vec<u8>,
) -> AlertId {
    scratch.clear();
    scratch.extend_from_slice(start);
    sized(scratch, output.key.as_bytes());
    scratch.extend_from_slice(&output.start_ms.to_le_bytes());
    scratch.extend_from_slice(&output.end_ms.to_le_bytes());
    scratch.extend_from_slice(&(output.taken.len() as u32).to_le_bytes());
    output.taken.iter().for_each(|taken| origins.hash(taken, names, scratch));
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

/// Appends a part with its length before it.
pub(super) fn sized(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
    bytes.extend_from_slice(part);
}
