//! How state is written: little-endian fixed numbers, LEB128 lengths, values with a tag. One writer and one reader for every
//! room, so that a checkpoint has one dialect.

use super::{EventId, FenceRef, Fences, Key, RenumberedStream, Renumbering, StreamId, Text, TimeMs, Value};
use crate::geo::{Cell, FenceIx, Position};
use std::sync::Arc;

/// Bytes that are not what a writer made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("state ends too early")]
    Truncated,
    /// A tag or length has a value that no writer makes.
    #[error("state has {found} where {expected} belongs")]
    Unexpected {
        /// The number found.
        found: u64,
        /// What should be there.
        expected: &'static str,
    },
}

/// Appends state to a byte vector.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A length, index or count, LEB128.
    pub fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// An unsigned number, LEB128.
    pub fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed number, eight bytes.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A float, eight bytes, its bits as they are.
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// A flag.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Bytes with their length.
    pub fn bytes(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// A time that may be absent.
    pub fn time(&mut self, value: Option<TimeMs>) {
        self.bool(value.is_some());
        if let Some(value) = value {
            self.i64(value);
        }
    }

    /// A key.
    pub fn key(&mut self, key: &Key) {
        self.bytes(key.as_bytes());
    }

    /// An event's id.
    pub fn event_id(&mut self, id: &EventId) {
        match id {
            EventId::Field(text) => {
                self.u8(0);
                self.bytes(text.as_bytes());
            }
            EventId::Offset { stream, partition, offset } => {
                self.u8(1);
                self.u64(u64::from(stream.0));
                self.u64(u64::from(*partition));
                self.u64(*offset);
            }
        }
    }

    /// A value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.u8(0),
            Value::Bool(value) => self.u8(1 + u8::from(*value)),
            Value::Int(value) => {
                self.u8(3);
                self.i64(*value);
            }
            Value::Float(value) => {
                self.u8(4);
                self.f64(*value);
            }
            Value::Text(text) => {
                self.u8(5);
                self.bytes(text.as_bytes());
            }
            Value::Time(value) => {
                self.u8(6);
                self.i64(*value);
            }
            Value::Duration(value) => {
                self.u8(7);
                self.i64(*value);
            }
            Value::Point(position) => {
                self.u8(8);
                self.f64(position.lon());
                self.f64(position.lat());
            }
            Value::Cell(cell) => {
                self.u8(9);
                self.i64(cell.number() as i64);
            }
            Value::Fence(fence) => {
                self.u8(10);
                self.u64(u64::from(fence.set));
                self.u64(u64::from(fence.fence.0));
            }
            Value::Fences(fences) => {
                self.u8(11);
                self.u64(u64::from(fences.set()));
                self.len(fences.as_slice().len());
                for &ix in fences.as_slice() {
                    self.u64(u64::from(ix));
                }
            }
            Value::List(list) => {
                self.u8(12);
                self.len(list.len());
                for value in list.iter() {
                    self.value(value);
                }
            }
        }
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
    numbers: Option<&'a Renumbering>,
}

/// A stream as a state names it.
#[derive(Clone, Copy, Debug)]
pub struct SavedStream<'a> {
    /// Its number now; none: there is no such stream any more.
    pub stream: Option<StreamId>,
    numbers: Option<&'a RenumberedStream>,
}

impl SavedStream<'_> {
    /// A row that was saved, with the slots of now.
    pub fn row(&self, values: Vec<Value>) -> Vec<Value> {
        self.numbers.map_or_else(|| values.clone(), |numbers| numbers.row(&values))
    }

    /// How many slots a row has now, where it had so many.
    pub fn width(&self, saved: usize) -> usize {
        self.numbers.map_or(saved, |numbers| numbers.slots.len())
    }
}

const DEPTH_MAX: u8 = 32;

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0, numbers: None }
    }

    /// A reader of what a run with other numbers wrote; none: with the same numbers.
    pub fn renumbered(bytes: &'a [u8], numbers: Option<&'a Renumbering>) -> Self {
        Self { rest: bytes, depth: 0, numbers }
    }

    /// Whether everything was read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*chunk)
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// An unsigned number.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Unexpected { found: value, expected: "a number of at most 64 bits" })
    }

    /// An unsigned number of 32 bits.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        let found = self.u64()?;
        u32::try_from(found).map_err(|_| DecodeError::Unexpected { found, expected: "a number of 32 bits" })
    }

    /// An unsigned number of 16 bits.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        let found = self.u64()?;
        u16::try_from(found).map_err(|_| DecodeError::Unexpected { found, expected: "a number of 16 bits" })
    }

    /// A count of things of at least one byte each, so never more than the bytes that are left.
    #[allow(clippy::len_without_is_empty, reason = "it reads a length; `is_done` says whether bytes are left")]
    pub fn len(&mut self) -> Result<usize, DecodeError> {
        let found = self.u64()?;
        match usize::try_from(found) {
            Ok(len) if len <= self.rest.len() => Ok(len),
            _ => Err(DecodeError::Truncated),
        }
    }

    /// A signed number.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.take().map(i64::from_le_bytes)
    }

    /// A float.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.take().map(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))
    }

    /// A flag.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(DecodeError::Unexpected { found: found.into(), expected: "a flag" }),
        }
    }

    /// Bytes with their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.len()?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A time that may be absent.
    pub fn time(&mut self) -> Result<Option<TimeMs>, DecodeError> {
        if self.bool()? { self.i64().map(Some) } else { Ok(None) }
    }

    /// A key.
    pub fn key(&mut self) -> Result<Key, DecodeError> {
        self.bytes().map(Key::from_canonical)
    }

    fn text(&mut self) -> Result<Text, DecodeError> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(Text::from).map_err(|_| DecodeError::Unexpected { found: 0, expected: "UTF-8 text" })
    }

    /// A stream's number.
    ///
    /// # Errors
    /// No number.
    pub fn stream(&mut self) -> Result<SavedStream<'a>, DecodeError> {
        let saved = self.u32()?;
        let Some(table) = self.numbers else { return Ok(SavedStream { stream: Some(StreamId(saved)), numbers: None }) };
        let numbers = table.streams.get(saved as usize).and_then(Option::as_ref);
        Ok(SavedStream { stream: numbers.map(|numbers| numbers.stream), numbers })
    }

    /// A rule's number now; none: there is no such rule any more.
    ///
    /// # Errors
    /// No number.
    pub fn rule(&mut self) -> Result<Option<u32>, DecodeError> {
        let saved = self.u32()?;
        Ok(self.numbers.map_or(Some(saved), |table| table.rules.get(saved as usize).copied().flatten()))
    }

    /// The number now of a fence in the set that now has this number; none: it is gone.
    ///
    /// # Errors
    /// No number.
    pub fn fence_of(&mut self, set: u16) -> Result<Option<u32>, DecodeError> {
        let saved = self.u32()?;
        let Some(table) = self.numbers else { return Ok(Some(saved)) };
        Ok(table.fences_of(set).and_then(|fences| fences.get(saved as usize).copied().flatten()))
    }

    /// An event's id.
    pub fn event_id(&mut self) -> Result<EventId, DecodeError> {
        match self.u8()? {
            0 => Ok(EventId::Field(self.text()?)),
            1 => {
                let gone = DecodeError::Unexpected { found: 1, expected: "an event of a stream that is still there" };
                let stream = self.stream()?.stream.ok_or(gone)?;
                Ok(EventId::Offset { stream, partition: self.u32()?, offset: self.u64()? })
            }
            found => Err(DecodeError::Unexpected { found: found.into(), expected: "an event id" }),
        }
    }

    /// A value.
    pub fn value(&mut self) -> Result<Value, DecodeError> {
        Ok(match self.u8()? {
            0 => Value::Null,
            1 => Value::Bool(false),
            2 => Value::Bool(true),
            3 => Value::Int(self.i64()?),
            4 => Value::Float(self.f64()?),
            5 => Value::Text(self.text()?),
            6 => Value::Time(self.i64()?),
            7 => Value::Duration(self.i64()?),
            8 => {
                let expected = "a position";
                let position = Position::new(self.f64()?, self.f64()?);
                Value::Point(position.map_err(|_| DecodeError::Unexpected { found: 8, expected })?)
            }
            9 => {
                let found = self.i64()? as u64;
                Value::Cell(Cell::new(found).map_err(|_| DecodeError::Unexpected { found, expected: "an H3 cell" })?)
            }
            10 => {
                let (set, fence) = (self.u16()?, self.u32()?);
                let now = self.numbers.map_or(Some((set, fence)), |table| table.fence(set, fence));
                now.map_or(Value::Null, |(set, fence)| Value::Fence(FenceRef { set, fence: FenceIx(fence) }))
            }
            11 => {
                let saved = self.u16()?;
                let numbers = (0..self.len()?).map(|_| self.u32()).collect::<Result<Vec<_>, _>>()?;
                let (mut set, mut fences) = (saved, numbers);
                if let Some(table) = self.numbers {
                    // Numbers ascend with ids, so those that are left keep their order.
                    fences = fences.iter().filter_map(|&fence| table.fence(saved, fence)).map(|(_, now)| now).collect();
                    set = table.fence_sets.get(usize::from(saved)).and_then(Option::as_ref).map_or(saved, |now| now.0);
                }
                let fences: Vec<FenceIx> = fences.into_iter().map(FenceIx).collect();
                Value::Fences(Fences::new(set, &fences))
            }
            12 => {
                if self.depth >= DEPTH_MAX {
                    return Err(DecodeError::Unexpected { found: self.depth.into(), expected: "a shallower list" });
                }
                self.depth += 1;
                let list = (0..self.len()?).map(|_| self.value()).collect::<Result<Vec<_>, _>>()?;
                self.depth -= 1;
                Value::List(Arc::new(list))
            }
            found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a value" }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_reads_back() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(-0.5),
            Value::text("a text longer than twenty-two bytes"),
            Value::Fences(Fences::new(3, &[FenceIx(1), FenceIx(2), FenceIx(3), FenceIx(9), FenceIx(70_000)])),
            Value::List(Arc::new(vec![Value::Cell(Cell::new(0x8828308281fffff).unwrap()), Value::Time(-1)])),
        ];
        let mut writer = Writer::new();
        values.iter().for_each(|value| writer.value(value));
        writer.time(Some(-5));
        writer.event_id(&EventId::Offset { stream: StreamId(1), partition: 2, offset: u64::MAX });
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        for value in &values {
            assert_eq!(&reader.value().unwrap(), value);
        }
        assert_eq!(reader.time(), Ok(Some(-5)));
        assert!(reader.event_id().is_ok() && reader.is_done());
    }

    proptest! {
        #[test]
        fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_done() && reader.value().is_ok() {}
        }
    }
}
