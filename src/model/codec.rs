//! How state is written: little-endian fixed numbers, LEB128 lengths, values with a tag. One writer and one reader for every
//! room, so that a checkpoint has one dialect.

use super::{EventId, FenceMap, FenceRef, Fences, Key, Renumbering, SavedStream, StreamId, Text, TimeMs, Value};
use crate::geo::{Cell, FenceIx, Polygons, Position};
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

    /// Bytes that another writer made, as they are.
    pub fn raw(&mut self, value: &[u8]) {
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

    fn polygons(&mut self, polygons: &Polygons) {
        self.len(polygons.as_slice().len());
        for rings in polygons.as_slice() {
            self.len(rings.len());
            for ring in rings {
                self.len(ring.len());
                ring.iter().flatten().for_each(|&coordinate| self.f64(coordinate));
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
            Value::Geometry(polygons) => {
                self.u8(13);
                self.polygons(polygons);
            }
        }
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
    /// Of streams and rules.
    numbers: Option<&'a Renumbering>,
    fences: Option<&'a FenceMap>,
}

const DEPTH_MAX: u8 = 32;

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0, numbers: None, fences: None }
    }

    /// The same for what a run with other numbers wrote; none: with the same numbers.
    pub fn of_run(bytes: &'a [u8], numbers: Option<&'a Renumbering>) -> Self {
        Self { numbers, fences: numbers.map(|numbers| &numbers.fences), ..Self::new(bytes) }
    }

    /// The same for bytes of this run whose fences have other numbers now.
    pub fn renumbering(bytes: &'a [u8], fences: &'a FenceMap) -> Self {
        Self { fences: Some(fences), ..Self::new(bytes) }
    }

    /// The new numbers of fences, where they have any: for those who read numbers of fences that are no values.
    pub fn fences(&self) -> Option<&'a FenceMap> {
        self.fences
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

    /// An event's id.
    pub fn event_id(&mut self) -> Result<EventId, DecodeError> {
        match self.u8()? {
            0 => Ok(EventId::Field(self.text()?)),
            1 => {
                // Only what is itself dropped speaks of an event whose stream is gone.
                let stream = self.stream()?.stream.unwrap_or(StreamId(u32::MAX));
                Ok(EventId::Offset { stream, partition: self.u32()?, offset: self.u64()? })
            }
            found => Err(DecodeError::Unexpected { found: found.into(), expected: "an event id" }),
        }
    }

    fn renumbered(&self, value: Value) -> Value {
        match self.fences {
            Some(fences) => fences.value(value),
            None => value,
        }
    }

    fn polygons(&mut self) -> Result<Polygons, DecodeError> {
        let mut polygons = Vec::new();
        for _ in 0..self.len()? {
            let mut rings = Vec::new();
            for _ in 0..self.len()? {
                rings.push((0..self.len()?).map(|_| Ok([self.f64()?, self.f64()?])).collect::<Result<Vec<_>, _>>()?);
            }
            polygons.push(rings);
        }
        Polygons::new(polygons).ok_or(DecodeError::Unexpected { found: 13, expected: "polygons" })
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
                let fence = FenceRef { set: self.u16()?, fence: FenceIx(self.u32()?) };
                self.renumbered(Value::Fence(fence))
            }
            11 => {
                let set = self.u16()?;
                let fences = (0..self.len()?).map(|_| self.u32().map(FenceIx)).collect::<Result<Vec<_>, _>>()?;
                self.renumbered(Value::Fences(Fences::new(set, &fences)))
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
            13 => Value::Geometry(Arc::new(self.polygons()?)),
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
            Value::Geometry(Arc::new(Polygons::new(vec![vec![vec![[0.0, 1.0], [2.0, 1.0], [0.0, 3.0]]; 2]]).unwrap())),
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
