//! What stands in a segment, as bytes and back. Pure.

use crate::model::{DecodeError, Reader, Writer};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"GEOCEPOB";
const VERSION: u32 = 1;

/// The length of what a segment begins with.
pub const HEADER_LEN: usize = 20;
/// The length of a record's frame before its payload.
const FRAME_LEN: usize = 12;

/// Something that happened to alerts of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// One was put in.
    Put {
        /// Its number in the outbox; numbers ascend.
        number: u64,
        /// When, by the wall clock, in milliseconds since 1970.
        wall_ms: i64,
        /// Its id.
        id: u128,
        /// Its rule.
        rule: &'a str,
        /// Its line, without a newline.
        line: &'a [u8],
    },
    /// All with these numbers that weren't yet are settled.
    Settled {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
        /// When, by the wall clock, in milliseconds since 1970.
        wall_ms: i64,
        /// What became of them.
        fate: Fate,
    },
    /// The run came to its end: the next one begins anew, and what it finds again it means again.
    Ended,
}

/// What became of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has acknowledged it.
    Acknowledged,
    /// It is in the dead letters, for this reason.
    Dead(String),
    /// It made room for newer ones.
    Dropped,
}

impl Record<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Record::Put { number, wall_ms, id, rule, line } => {
                out.u8(1);
                out.u64(*number);
                out.i64(*wall_ms);
                out.bytes(&id.to_le_bytes());
                out.bytes(rule.as_bytes());
                out.bytes(line);
            }
            Record::Settled { first, last, wall_ms, fate } => {
                out.u8(2);
                out.u64(*first);
                out.u64(*last);
                out.i64(*wall_ms);
                match fate {
                    Fate::Acknowledged => out.u8(0),
                    Fate::Dropped => out.u8(1),
                    Fate::Dead(why) => {
                        out.u8(2);
                        out.bytes(why.as_bytes());
                    }
                }
            }
            Record::Ended => out.u8(3),
        }
        out.into_bytes()
    }
}

impl<'a> Record<'a> {
    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(payload);
        let record = match from.u8()? {
            1 => Record::Put {
                number: from.u64()?,
                wall_ms: from.i64()?,
                id: u128::from_le_bytes(from.bytes()?.try_into().map_err(|_| DecodeError::Truncated)?),
                rule: text(from.bytes()?)?,
                line: from.bytes()?,
            },
            2 => Record::Settled {
                first: from.u64()?,
                last: from.u64()?,
                wall_ms: from.i64()?,
                fate: match from.u8()? {
                    0 => Fate::Acknowledged,
                    1 => Fate::Dropped,
                    2 => Fate::Dead(text(from.bytes()?)?.to_owned()),
                    _ => return Err(DecodeError::Truncated),
                },
            },
            3 => Record::Ended,
            _ => return Err(DecodeError::Truncated),
        };
        if from.is_done() { Ok(record) } else { Err(DecodeError::Truncated) }
    }
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Truncated)
}

/// What a segment begins with; `first` is the number that its first alert has or would have.
pub fn header(first: u64) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out
}

/// Appends a record with its frame; its length in bytes. None if it is longer than 4 GiB.
pub fn frame(record: &Record<'_>, out: &mut Vec<u8>) -> Option<u32> {
    let payload = record.encode();
    let whole = u32::try_from(payload.len().checked_add(FRAME_LEN)?).ok()?;
    out.extend_from_slice(&(whole - FRAME_LEN as u32).to_le_bytes());
    out.extend_from_slice(&xxh3_64(&payload).to_le_bytes());
    out.extend_from_slice(&payload);
    Some(whole)
}

/// Why a scan came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// Everything was read.
    Whole,
    /// What follows is no whole record.
    Torn,
    /// The segment isn't one of ours, or of another version; nothing was read.
    Foreign,
}

/// The records of a segment, one after another with the place of each frame.
#[derive(Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    first: u64,
    end: Option<ScanEnd>,
}

/// Reads a segment.
pub fn scan(bytes: &[u8]) -> Scan<'_> {
    let number =
        |from: usize| bytes.get(from..from + 8).and_then(|part| Some(u64::from_le_bytes(part.try_into().ok()?)));
    let version = VERSION.to_le_bytes();
    let ours = bytes.get(..8) == Some(MAGIC) && bytes.get(8..12) == Some(&version);
    let (first, end) = match number(12).filter(|_| ours) {
        Some(first) => (first, None),
        // A kill came between the file and its header.
        None if bytes.len() < HEADER_LEN && header(0).starts_with(bytes.get(..12).unwrap_or(bytes)) => {
            (0, Some(ScanEnd::Torn))
        }
        None => (0, Some(ScanEnd::Foreign)),
    };
    Scan { bytes, at: if end.is_none() { HEADER_LEN } else { 0 }, first, end }
}

impl<'a> Scan<'a> {
    /// The number that the segment's first alert has or would have.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many bytes were read; after the last record, how many are good.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Why there are no more records; none: there may be.
    pub fn end(&self) -> Option<ScanEnd> {
        self.end
    }

    fn record(&self) -> Option<(Record<'a>, usize)> {
        let rest = self.bytes.get(self.at..)?;
        let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let sum = u64::from_le_bytes(rest.get(4..FRAME_LEN)?.try_into().ok()?);
        let payload = rest.get(FRAME_LEN..FRAME_LEN.checked_add(length)?)?;
        let record = (xxh3_64(payload) == sum).then(|| Record::decode(payload).ok())??;
        Some((record, FRAME_LEN + length))
    }
}

impl<'a> Iterator for Scan<'a> {
    /// A record, where its frame begins, and how long that is.
    type Item = (Record<'a>, usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() {
            return None;
        }
        if self.at == self.bytes.len() {
            self.end = Some(ScanEnd::Whole);
            return None;
        }
        let Some((record, length)) = self.record() else {
            self.end = Some(ScanEnd::Torn);
            return None;
        };
        let at = self.at;
        self.at += length;
        Some((record, at, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record<'static>> {
        let put = |number| Record::Put { number, wall_ms: -5, id: u128::MAX - 7, rule: "Queue", line: b"{\"a\":1}" };
        let settled = |fate| Record::Settled { first: 3, last: u64::MAX, wall_ms: 9, fate };
        let dead = Fate::Dead("400: no".to_owned());
        vec![put(3), put(4), settled(Fate::Acknowledged), Record::Ended, settled(dead), settled(Fate::Dropped)]
    }

    fn segment() -> Vec<u8> {
        let mut bytes = header(3);
        for record in &records() {
            frame(record, &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn records_come_back_as_they_were() {
        let bytes = segment();
        let mut found = scan(&bytes);
        assert_eq!(found.first(), 3);
        assert_eq!(found.by_ref().map(|(record, ..)| record).collect::<Vec<_>>(), records());
        assert_eq!((found.end(), found.at()), (Some(ScanEnd::Whole), bytes.len()));
    }

    #[test]
    fn cut_anywhere_it_reads_what_is_whole_and_says_where_that_ends() {
        let bytes = segment();
        for end in 0..bytes.len() {
            let mut found = scan(&bytes[..end]);
            let read = found.by_ref().count();
            assert!(read < records().len() && found.at() <= end, "{end}");
            let whole = found.at() == end && end >= HEADER_LEN;
            assert_eq!(found.end(), Some(if whole { ScanEnd::Whole } else { ScanEnd::Torn }), "{end}");
        }
    }

    #[test]
    fn a_bit_that_fell_over_is_noticed_and_ends_the_reading() {
        let bytes = segment();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let mut found = scan(&changed);
            let read: Vec<_> = found.by_ref().map(|(record, ..)| record).collect();
            assert!(records().starts_with(&read));
            // In the number of the first alert nothing shows.
            assert!(found.end() != Some(ScanEnd::Whole) || (12..HEADER_LEN).contains(&at), "{at}");
        }
    }
}
