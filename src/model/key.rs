//! Keys of partitions: canonical bytes, so that a key hashes, orders and prints the same in every run.

use super::{Fences, Text, Value};
use crate::geo::{Cell, Position};
use smallvec::SmallVec;
use std::{cmp::Ordering, hash, sync::Arc};
use xxhash_rust::xxh3::xxh3_64;

/// How keys are written and hashed: xxh3-64 of the canonical bytes. States that were written under another version don't fit.
pub const KEY_HASH_VERSION: u32 = 1;

/// One of a fixed number of groups that keys hash to; state moves between shards by group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyGroup(pub u32);

/// A partition's key: the values of PARTITION BY as canonical bytes.
///
/// Per value a tag byte, then: bool one byte; int, time, duration and cell eight bytes, big-endian, signed ones with the
/// sign bit flipped; float eight bytes in IEEE total order (−0 as 0); text its bytes with 0x00 written as 0x00 0xFF, and
/// 0x00 0x00 at its end. So the order of the bytes is the order of the values, and no key is a prefix of another of the
/// same shape. This layout is frozen: jitter, key groups and checkpoints depend on it.
#[derive(Clone, Debug)]
pub struct Key {
    bytes: Bytes,
    hash: u64,
}

/// Canonical bytes. Keys are compared and copied once per event at least, so short ones are words of one size and not a list.
#[derive(Clone, Debug)]
enum Bytes {
    /// Those past `len` are zero.
    Short {
        len: u8,
        bytes: [u8; IN_PLACE],
    },
    Long(Arc<[u8]>),
}

/// The bytes of a key while it is written.
type Written = SmallVec<[u8; IN_PLACE]>;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const BOOL: u8 = 1;
    pub(super) const INT: u8 = 2;
    pub(super) const FLOAT: u8 = 3;
    pub(super) const TEXT: u8 = 4;
    pub(super) const TIME: u8 = 5;
    pub(super) const DURATION: u8 = 6;
    pub(super) const POINT: u8 = 7;
    pub(super) const CELL: u8 = 8;
    pub(super) const LIST: u8 = 9;
}

/// So many bytes are kept without an allocation.
const IN_PLACE: usize = 30;

const SIGN: u64 = 1 << 63;

impl Key {
    /// The key of these values.
    #[inline]
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut values = values.into_iter();
        let (first, second) = (values.next(), values.next());
        // Ids of entities are what most keys are made of.
        if let (Some(Value::Text(text)), None) = (first, second)
            && let Some(key) = Self::of_short_text(text)
        {
            return key;
        }
        Self::of_values(first.into_iter().chain(second).chain(values))
    }

    fn of_values<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        let mut bytes = Written::new();
        values.for_each(|value| write_value(&mut bytes, value));
        Self::from_bytes(&bytes)
    }

    /// The key of a text of at most 16 bytes: written and copied as one word, and one byte more where it doesn't fit with its tag and its end.
    #[inline]
    fn of_short_text(text: &Text) -> Option<Self> {
        let (word, len) = text.word().filter(|(word, len)| *len <= 16 && !has_zero(*word, *len))?;
        let mut bytes = [0; IN_PLACE];
        bytes[16] = (word >> 120) as u8;
        let word = (word << 8 | u128::from(tag::TEXT)).to_le_bytes();
        bytes[..16].copy_from_slice(&word);
        let len = len + 3;
        // Of one word where that will do: it needn't be read back from where it was just put.
        let hash = xxh3_64(word.get(..len).or_else(|| bytes.get(..len))?);
        Some(Self { bytes: Bytes::Short { len: len as u8, bytes }, hash })
    }

    /// The key of this one's values and of these after them.
    #[inline]
    pub fn with(&self, values: impl IntoIterator<Item = Value>) -> Self {
        let mut values = values.into_iter();
        let (first, second) = (values.next(), values.next());
        // The id of a fence after that of an entity.
        if let (Some(Value::Text(text)), None) = (&first, &second)
            && let Some(key) = self.with_short_text(text)
        {
            return key;
        }
        self.with_values(first.into_iter().chain(second).chain(values))
    }

    fn with_values(&self, values: impl Iterator<Item = Value>) -> Self {
        let mut bytes = Written::from_slice(self.as_bytes());
        for value in values {
            write_value(&mut bytes, &value);
        }
        Self::from_bytes(&bytes)
    }

    /// The same with a text of at most 16 bytes, if all of it is short: what is copied is of one size, whatever is in it.
    #[inline]
    fn with_short_text(&self, text: &Text) -> Option<Self> {
        const WORD: usize = 16;
        let Bytes::Short { len: own, bytes: before } = &self.bytes else { return None };
        let (word, len) = text.word().filter(|(word, len)| *len <= WORD && !has_zero(*word, *len))?;
        let own = usize::from(*own);
        let whole = own + len + 3;
        // Tag and text may end past the key's place before it is seen that they do.
        let mut room = [0; IN_PLACE + 1 + WORD];
        room.first_chunk_mut::<IN_PLACE>()?.copy_from_slice(before);
        let (tag, place) = room.get_mut(own..)?.split_first_mut()?;
        *tag = tag::TEXT;
        place.first_chunk_mut::<WORD>()?.copy_from_slice(&word.to_le_bytes());
        let bytes = *room.first_chunk::<IN_PLACE>()?;
        let hash = xxh3_64(bytes.get(..whole)?);
        Some(Self { bytes: Bytes::Short { len: whole as u8, bytes }, hash })
    }

    fn from_bytes(written: &[u8]) -> Self {
        let mut bytes = [0; IN_PLACE];
        let hash = xxh3_64(written);
        let bytes = match bytes.get_mut(..written.len()) {
            Some(place) => {
                place.copy_from_slice(written);
                Bytes::Short { len: written.len() as u8, bytes }
            }
            None => Bytes::Long(written.into()),
        };
        Self { bytes, hash }
    }

    /// The key with these canonical bytes, as a checkpoint holds them.
    pub fn from_canonical(bytes: &[u8]) -> Self {
        Self::from_bytes(bytes)
    }

    /// The canonical bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Bytes::Long(bytes) => bytes,
        }
    }

    /// xxh3-64 of the canonical bytes, seed 0.
    pub fn hash64(&self) -> u64 {
        self.hash
    }

    /// The key's group of `groups`, by multiply-shift.
    pub fn group(&self, groups: u32) -> KeyGroup {
        KeyGroup(((u128::from(self.hash) * u128::from(groups)) >> 64) as u32)
    }

    /// One of the values back; null if there are not so many.
    pub fn part(&self, ix: usize) -> Value {
        let mut rest = self.as_bytes();
        for _ in 0..ix {
            let Some((_, left)) = read_value(rest) else { return Value::Null };
            rest = left;
        }
        read_value(rest).map_or(Value::Null, |(value, _)| value)
    }

    /// The values back, fences as their ids; empty if the bytes are no canonical key.
    pub fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        let mut rest = self.as_bytes();
        while !rest.is_empty() {
            match read_value(rest) {
                Some((value, left)) => {
                    values.push(value);
                    rest = left;
                }
                None => return Vec::new(),
            }
        }
        values
    }
}

/// Whether there is a zero, which needs an escape, among the first bytes of a word; at most 16. What is behind them is no byte of the text.
#[inline]
fn has_zero(word: u128, len: usize) -> bool {
    const ONES: u128 = u128::MAX / 255;
    let filled = if len < 16 { word | u128::MAX << (8 * len) } else { word };
    filled.wrapping_sub(ONES) & !filled & ONES << 7 != 0
}

fn write_value(bytes: &mut Written, value: &Value) {
    let mut put = |tag: u8, number: u64| {
        bytes.push(tag);
        bytes.extend_from_slice(&number.to_be_bytes());
    };
    match value {
        Value::Null => bytes.push(tag::NULL),
        Value::Bool(value) => bytes.extend_from_slice(&[tag::BOOL, u8::from(*value)]),
        Value::Int(value) => put(tag::INT, *value as u64 ^ SIGN),
        Value::Time(value) => put(tag::TIME, *value as u64 ^ SIGN),
        Value::Duration(value) => put(tag::DURATION, *value as u64 ^ SIGN),
        Value::Float(value) => put(tag::FLOAT, ordered(*value)),
        Value::Cell(cell) => put(tag::CELL, cell.number()),
        Value::Point(position) => {
            put(tag::POINT, ordered(position.lon()));
            bytes.extend_from_slice(&ordered(position.lat()).to_be_bytes());
        }
        Value::Text(text) => write_text(bytes, text.as_bytes()),
        // A fence's index changes with its set, so rules key by its id; this keeps the function total.
        Value::Fence(fence) => put(tag::INT, u64::from(fence.fence.0) ^ SIGN),
        Value::Fences(fences) => write_list(bytes, &fence_list(fences)),
        Value::List(list) => write_list(bytes, list),
        // The language lets no geometry be a key; this keeps the function total.
        Value::Geometry(polygons) => {
            let corners: Vec<Value> =
                polygons.all_corners().map(|[lon, lat]| Value::Point(Position::wrapped(lon, lat))).collect();
            write_list(bytes, &corners);
        }
    }
}

fn fence_list(fences: &Fences) -> Vec<Value> {
    fences.as_slice().iter().map(|&ix| Value::Int(i64::from(ix))).collect()
}

fn write_list(bytes: &mut Written, list: &[Value]) {
    bytes.push(tag::LIST);
    bytes.extend_from_slice(&(list.len() as u32).to_be_bytes());
    for value in list {
        write_value(bytes, value);
    }
}

fn write_text(bytes: &mut Written, text: &[u8]) {
    bytes.push(tag::TEXT);
    if text.contains(&0) {
        for &byte in text {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(0xFF);
            }
        }
    } else {
        bytes.extend_from_slice(text);
    }
    bytes.extend_from_slice(&[0, 0]);
}

fn ordered(value: f64) -> u64 {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    if bits & SIGN == 0 { bits ^ SIGN } else { !bits }
}

fn unordered(bits: u64) -> f64 {
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits ^ SIGN })
}

fn read_value(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let number = |rest: &'_ [u8]| rest.first_chunk::<8>().map(|chunk| u64::from_be_bytes(*chunk));
    let after = |count: usize| rest.get(count..);
    Some(match tag {
        tag::NULL => (Value::Null, rest),
        tag::BOOL => (Value::Bool(*rest.first()? != 0), after(1)?),
        tag::INT => (Value::Int((number(rest)? ^ SIGN) as i64), after(8)?),
        tag::TIME => (Value::Time((number(rest)? ^ SIGN) as i64), after(8)?),
        tag::DURATION => (Value::Duration((number(rest)? ^ SIGN) as i64), after(8)?),
        tag::FLOAT => (Value::Float(unordered(number(rest)?)), after(8)?),
        tag::CELL => (Value::Cell(Cell::new(number(rest)?).ok()?), after(8)?),
        tag::POINT => {
            let (lon, lat) = (unordered(number(rest)?), unordered(number(after(8)?)?));
            (Value::Point(Position::new(lon, lat).ok()?), after(16)?)
        }
        tag::TEXT => read_text(rest)?,
        tag::LIST => {
            let count = u32::from_be_bytes(*rest.first_chunk::<4>()?);
            let mut rest = after(4)?;
            let mut list = Vec::new();
            for _ in 0..count {
                let (value, left) = read_value(rest)?;
                list.push(value);
                rest = left;
            }
            (Value::List(list.into()), rest)
        }
        _ => return None,
    })
}

fn read_text(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    if bytes.get(end + 1) != Some(&0xFF) {
        let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
        return Some((Value::text(text), bytes.get(end + 2..)?));
    }
    let mut text = Vec::new();
    let mut at = 0;
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1).copied()) {
            (0, Some(0xFF)) => {
                text.push(0);
                at += 2;
            }
            (0, _) => break,
            (byte, _) => {
                text.push(byte);
                at += 1;
            }
        }
    }
    Some((Value::Text(Text::from(String::from_utf8(text).ok()?)), bytes.get(at + 2..)?))
}

impl Default for Key {
    /// No key: what stands where none is asked for.
    #[inline]
    fn default() -> Self {
        Self { bytes: Bytes::Short { len: 0, bytes: [0; IN_PLACE] }, hash: 0 }
    }
}

impl PartialEq for Bytes {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short { len: a, bytes: x }, Self::Short { len: b, bytes: y }) => a == b && x == y,
            (Self::Long(x), Self::Long(y)) => x == y,
            _ => false,
        }
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl hash::Hash for Key {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::Time),
            any::<f64>().prop_filter("finite", |x| x.is_finite() && *x != 0.0).prop_map(Value::Float),
            "\\PC{0,40}|a\u{0}b|\u{0}".prop_map(|text: String| Value::Text(text.into())),
        ]
    }

    #[test]
    fn a_key_with_more_values_is_the_key_of_all() {
        let values = [Value::text("v1"), Value::Int(7), Value::text("a zone with a name that doesn't fit in place")];
        for at in 0..=values.len() {
            let (first, more) = values.split_at(at);
            assert_eq!(Key::new(first).with(more.iter().cloned()), Key::new(&values));
        }
    }

    proptest! {
        #[test]
        fn canonical_bytes_read_back_as_the_values(values in prop::collection::vec(value(), 0..4)) {
            let key = Key::new(&values);
            prop_assert_eq!(key.values(), values);
            prop_assert_eq!(Key::from_canonical(key.as_bytes()), key);
        }

        #[test]
        fn a_key_with_any_values_more_is_the_key_of_all(values in prop::collection::vec(value(), 0..4), at in 0usize..4) {
            let (first, more) = values.split_at(at.min(values.len()));
            let key = Key::new(first).with(more.iter().cloned());
            let whole = Key::new(&values);
            prop_assert_eq!((key.hash64(), key.as_bytes()), (whole.hash64(), whole.as_bytes()));
            prop_assert_eq!(key, whole);
        }

        #[test]
        fn the_order_of_bytes_is_the_order_of_values(a in any::<i64>(), b in any::<i64>(), x in "\\PC{0,9}", y in "\\PC{0,9}") {
            prop_assert_eq!(Key::new(&[Value::Int(a)]).cmp(&Key::new(&[Value::Int(b)])), a.cmp(&b));
            prop_assert_eq!(Key::new(&[Value::text(&x)]).cmp(&Key::new(&[Value::text(&y)])), x.as_bytes().cmp(y.as_bytes()));
            let (p, q) = (a as f64 / 3.0, b as f64 / 3.0);
            prop_assert_eq!(Key::new(&[Value::Float(p)]).cmp(&Key::new(&[Value::Float(q)])), p.total_cmp(&q));
        }

        #[test]
        fn broken_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Key::from_canonical(&bytes).values();
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        let key = Key::new(&[Value::text("v1"), Value::Int(-1), Value::Bool(true)]);
        assert_eq!(key.as_bytes(), [4, b'v', b'1', 0, 0, 2, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 1]);
        assert_eq!(key.hash64(), xxh3_64(key.as_bytes()));
        assert!(key.group(1024).0 < 1024);
        assert_eq!(key.group(1), KeyGroup(0));
    }
}
