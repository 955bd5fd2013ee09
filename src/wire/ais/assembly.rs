//! Messages of several sentences, whose parts may lie among others'.

use super::{bits::Bits, sentence::Sentence};
use crate::model::{DecodeError, Reader, Reject, RejectReason, TimeMs, Writer};
use std::collections::BTreeMap;

/// After so many sentences of the partition the rest of a message isn't waited for any more. A transmitter sends the parts in one go.
const WAIT_MAX: u64 = 256;

/// What tells messages apart: own, total, sequence, channel.
type Tag = (bool, u8, Option<u8>, Option<u8>);

/// A message of which parts are missing.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    /// How many parts are there; they come in order.
    parts: u8,
    time_ms: Option<TimeMs>,
    station: Option<String>,
    /// Payloads and fill bits.
    payloads: Vec<(Vec<u8>, u8)>,
    /// Its first sentence, for the dead letter, and the record that it was.
    first: Vec<u8>,
    offset: u64,
    /// Sentences of the partition up to its last part.
    seen: u64,
}

/// The parts of a partition's messages. At most one message per tag is open: some hundred at worst.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Assembly {
    open: BTreeMap<Tag, Open>,
    seen: u64,
}

/// A whole message.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    pub(super) bits: Bits,
    pub(super) time_ms: Option<TimeMs>,
    pub(super) station: Option<String>,
}

/// A message that will never be whole.
#[derive(Debug, PartialEq)]
pub struct Lost {
    /// The record of its first sentence.
    pub offset: u64,
    /// That sentence.
    pub record: Vec<u8>,
    /// Why.
    pub reject: Reject,
}

fn bits(payloads: &[(Vec<u8>, u8)]) -> Result<Bits, Reject> {
    let mut bits = Bits::default();
    for (payload, fill) in payloads {
        bits.push(payload, usize::from(*fill)).map_err(|byte| {
            let detail = format!("`{}` is no character of a message", char::from(byte).escape_default());
            Reject::new(RejectReason::Syntax, detail)
        })?;
    }
    Ok(bits)
}

impl Assembly {
    /// Takes a sentence: a message, if that makes one whole. Messages that were given up are added to `lost`.
    pub(super) fn take(
        &mut self,
        sentence: &Sentence<'_>,
        (line, offset): (&[u8], u64),
        lost: &mut Vec<Lost>,
    ) -> Result<Option<Whole>, Reject> {
        self.seen += 1;
        self.give_up(lost);
        let Sentence { time_ms, station, own, total, number, sequence, channel, payload, fill } = *sentence;
        let payload = (payload.to_vec(), fill);
        if total == 1 {
            let bits = bits(&[payload])?;
            return Ok(Some(Whole { bits, time_ms, station: station.map(str::to_owned) }));
        }
        let tag = (own, total, sequence, channel);
        if number == 1 {
            let open = Open {
                parts: 1,
                time_ms,
                station: station.map(str::to_owned),
                payloads: vec![payload],
                first: line.to_vec(),
                offset,
                seen: self.seen,
            };
            if let Some(other) = self.open.insert(tag, open) {
                lost.push(other.lost(tag, "another message began in its place"));
            }
            return Ok(None);
        }
        let Some(mut open) = self.open.remove(&tag) else {
            let detail = format!("sentence {number} of {total}, and what comes before it in the message is missing");
            return Err(Reject::new(RejectReason::Incomplete, detail));
        };
        if number != open.parts + 1 {
            let detail =
                format!("sentence {number} of {total}, and of the message there is only {} so far", open.parts);
            lost.push(open.lost(tag, "another sentence came in place of the next"));
            return Err(Reject::new(RejectReason::Incomplete, detail));
        }
        (open.parts, open.seen) = (number, self.seen);
        open.payloads.push(payload);
        open.time_ms = open.time_ms.or(time_ms);
        open.station = open.station.or_else(|| station.map(str::to_owned));
        if number < total {
            self.open.insert(tag, open);
            return Ok(None);
        }
        Ok(Some(Whole { bits: bits(&open.payloads)?, time_ms: open.time_ms, station: open.station }))
    }

    fn give_up(&mut self, lost: &mut Vec<Lost>) {
        if self.open.values().all(|open| self.seen - open.seen <= WAIT_MAX) {
            return;
        }
        let old: Vec<Tag> =
            self.open.iter().filter(|(_, open)| self.seen - open.seen > WAIT_MAX).map(|(tag, _)| *tag).collect();
        for tag in old {
            if let Some(open) = self.open.remove(&tag) {
                lost.push(open.lost(tag, "the rest never came"));
            }
        }
    }

    /// Gives up everything: there is no more.
    pub(super) fn end(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.open).into_iter().map(|(tag, open)| open.lost(tag, "the rest never came")).collect()
    }

    /// What is open, as bytes; none where nothing is.
    pub(super) fn save(&self) -> Vec<u8> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let mut writer = Writer::new();
        writer.len(self.open.len());
        for ((own, total, sequence, channel), open) in &self.open {
            writer.bool(*own);
            writer.u8(*total);
            for choice in [sequence, channel] {
                writer.u64(choice.map_or(0, |value| u64::from(value) + 1));
            }
            writer.time(open.time_ms);
            writer.bool(open.station.is_some());
            writer.bytes(open.station.as_deref().unwrap_or_default().as_bytes());
            writer.bytes(&open.first);
            writer.u64(open.offset);
            writer.u64(self.seen - open.seen);
            writer.len(open.payloads.len());
            for (payload, fill) in &open.payloads {
                writer.bytes(payload);
                writer.u8(*fill);
            }
        }
        writer.into_bytes()
    }

    /// Reads what [`save`](Self::save) wrote.
    pub(super) fn load(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wrong = |found: u64| DecodeError::Unexpected { found, expected: "parts of a message" };
        let mut assembly = Self { open: BTreeMap::new(), seen: WAIT_MAX };
        if bytes.is_empty() {
            return Ok(assembly);
        }
        let mut reader = Reader::new(bytes);
        for _ in 0..reader.len()? {
            let (own, total) = (reader.bool()?, reader.u8()?);
            let mut choice = || match reader.u64()? {
                0 => Ok(None),
                value => u8::try_from(value - 1).map(Some).map_err(|_| wrong(value)),
            };
            let tag = (own, total, choice()?, choice()?);
            let time_ms = reader.time()?;
            let known = reader.bool()?;
            let station = std::str::from_utf8(reader.bytes()?).map_err(|_| wrong(0))?.to_owned();
            let (first, offset, age) = (reader.bytes()?.to_vec(), reader.u64()?, reader.u64()?);
            let mut payloads = Vec::new();
            for _ in 0..reader.len()? {
                payloads.push((reader.bytes()?.to_vec(), reader.u8()?));
            }
            let parts = u8::try_from(payloads.len()).map_err(|_| wrong(0))?;
            if !(1..total).contains(&parts) || total > 9 || age > WAIT_MAX {
                return Err(wrong(u64::from(parts)));
            }
            let station = known.then_some(station);
            let open = Open { parts, time_ms, station, payloads, first, offset, seen: WAIT_MAX - age };
            assembly.open.insert(tag, open);
        }
        Ok(assembly)
    }
}

impl Open {
    fn lost(self, (_, total, ..): Tag, why: &str) -> Lost {
        let detail = format!("{} of the message's {total} sentences: {why}", self.parts);
        Lost { offset: self.offset, record: self.first, reject: Reject::new(RejectReason::Incomplete, detail) }
    }
}
