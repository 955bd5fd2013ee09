//! JSON by hand, in a fixed order and without spaces, so that the same output is the same bytes.

use super::{alert::Names, swar::plain};
use crate::model::{TimeMs, Value, write_time};
use std::ops::Range;

/// A text with its quotes and escapes.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if plain(bytes) < bytes.len() {
        // Writing to a vector can't fail, nor can a text be no JSON.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// What is at most so long is copied without a call.
const SHORT: usize = 32;

/// Appends some of these bytes; where they are few, others come along and are cut off again, which is less than a call for them.
#[inline]
fn write_short(out: &mut Vec<u8>, bytes: &[u8], range: Range<usize>) {
    match bytes.get(range.start..).and_then(<[u8]>::first_chunk::<SHORT>) {
        Some(chunk) if range.len() <= SHORT => {
            let end = out.len() + range.len();
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(bytes.get(range).unwrap_or_default()),
    }
}

/// The numbers below a hundred with two digits each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Text that is written from its end to its beginning, as digits come out of a number. It has room for two numbers.
pub(super) struct Backwards {
    bytes: [u8; Self::ROOM + SHORT],
    start: usize,
}

impl Backwards {
    const ROOM: usize = 48;

    pub(super) fn new() -> Self {
        Self { bytes: [0; Self::ROOM + SHORT], start: Self::ROOM }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.start = self.start.wrapping_sub(1);
        if let Some(place) = self.bytes.get_mut(self.start) {
            *place = byte;
        }
    }

    #[inline]
    pub(super) fn push_number(&mut self, mut number: u64) {
        while number >= 10 {
            self.start = self.start.wrapping_sub(2);
            if let Some(place) = self.bytes.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut) {
                *place = PAIRS[(number % 100) as usize];
            }
            number /= 100;
            if number == 0 {
                return;
            }
        }
        self.push(b'0' + number as u8);
    }

    /// Appends it.
    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_short(out, &self.bytes, self.start..Self::ROOM);
    }
}

/// A float as the shortest text that reads back as the same number; what is not finite is null.
pub(super) fn float(out: &mut Vec<u8>, number: f64) {
    // Degrees, speeds and the like have six decimals or fewer: at most 12 digits that count. No two numbers of so few digits are the
    // same float, so that, if this one is it, no other is shorter. Below and above are those with an exponent; zero has a sign.
    let size = number.abs();
    let scaled = (size * 1e6 + 0.5) as i64;
    if !(1e-3..1e6).contains(&size) || scaled as f64 / 1e6 != size {
        let _ = serde_json::to_writer(out, &number);
        return;
    }
    let (mut whole, decimals) = (scaled as u64 / 1_000_000, scaled as u64 % 1_000_000);
    // A sign, at most six digits right-aligned, the point, six digits; what is behind doesn't count.
    let mut text = [b'.'; 14 + SHORT];
    for (at, pair) in [(8, decimals / 10_000), (10, decimals / 100 % 100), (12, decimals % 100)] {
        [text[at], text[at + 1]] = PAIRS[pair as usize];
    }
    let zeros = text[9..14].iter().rev().take_while(|&&digit| digit == b'0').count();
    let mut start = 7;
    loop {
        start -= 1;
        text[start] = b'0' + (whole % 10) as u8;
        whole /= 10;
        if whole == 0 || start == 1 {
            break;
        }
    }
    if number < 0.0 {
        start -= 1;
        text[start] = b'-';
    }
    write_short(out, &text, start..14 - zeros);
}

/// A whole number.
pub(super) fn int(out: &mut Vec<u8>, number: i64) {
    let mut text = Backwards::new();
    text.push_number(number.unsigned_abs());
    if number < 0 {
        text.push(b'-');
    }
    text.write(out);
}

/// A whole number without a sign.
pub(super) fn natural(out: &mut Vec<u8>, number: u64) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    let mut text = Backwards::new();
    text.push_number(number);
    text.write(out);
}

/// The last digits of a number in hexadecimal, as many as the array has.
pub(super) fn hexadecimal<const N: usize>(mut number: u128) -> [u8; N] {
    let mut digits = [0; N];
    for place in digits.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
    digits
}

/// An instant, RFC 3339.
pub(super) fn time(out: &mut Vec<u8>, at_ms: TimeMs) {
    out.push(b'"');
    write_time(out, at_ms);
    out.push(b'"');
}

/// A span as seconds, exactly: `1265`, `0.25`.
pub(super) fn seconds(out: &mut Vec<u8>, span_ms: TimeMs) {
    let (whole, rest) = (span_ms.unsigned_abs() / 1_000, span_ms.unsigned_abs() % 1_000);
    if span_ms < 0 {
        out.push(b'-');
    }
    natural(out, whole);
    if rest > 0 {
        let digits = [b'.', b'0' + (rest / 100) as u8, b'0' + (rest / 10 % 10) as u8, b'0' + (rest % 10) as u8];
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        out.extend_from_slice(digits.get(..digits.len() - zeros).unwrap_or_default());
    }
}

/// The key of an object's member, after a comma unless it is the first.
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    text(out, name);
    out.push(b':');
}

/// A value: durations in seconds, times RFC 3339, cells in hexadecimal, points and geometries as GeoJSON, fences as their ids.
pub(super) fn value(out: &mut Vec<u8>, value: &Value, names: &dyn Names) {
    use super::geometry::write_position;
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(number) => int(out, *number),
        Value::Float(number) => float(out, *number),
        Value::Text(value) => text(out, value),
        Value::Time(at_ms) => time(out, *at_ms),
        Value::Duration(span_ms) => seconds(out, *span_ms),
        Value::Point(position) => {
            out.extend_from_slice(br#"{"type":"Point","coordinates":"#);
            write_position(out, *position);
            out.push(b'}');
        }
        Value::Cell(cell) => text(out, &cell.to_string()),
        Value::Geometry(polygons) => super::geometry::write_polygons(out, polygons),
        Value::Fence(_) | Value::Fences(_) | Value::List(_) => list(out, value, names),
    }
}

fn list(out: &mut Vec<u8>, list: &Value, names: &dyn Names) {
    let mut comma = Comma(false);
    match list {
        Value::Fence(fence) => match names.fence_id(*fence) {
            Some(id) => text(out, id),
            None => out.extend_from_slice(b"null"),
        },
        Value::Fences(fences) => {
            out.push(b'[');
            for fence in fence_refs(fences) {
                comma.write(out);
                value(out, &Value::Fence(fence), names);
            }
            out.push(b']');
        }
        Value::List(list) => {
            out.push(b'[');
            for item in list.iter() {
                comma.write(out);
                value(out, item, names);
            }
            out.push(b']');
        }
        _ => {}
    }
}

/// The fences of a set of them, one by one.
pub(super) fn fence_refs(fences: &crate::model::Fences) -> impl Iterator<Item = crate::model::FenceRef> {
    let set = fences.set();
    fences.as_slice().iter().map(move |&ix| crate::model::FenceRef { set, fence: crate::geo::FenceIx(ix) })
}

/// Commas between the items of a list.
pub(super) struct Comma(pub(super) bool);

impl Comma {
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        if self.0 {
            out.push(b',');
        }
        self.0 = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_their_digits() {
        for number in [0, 7, 10, -1, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            int(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
        assert_eq!(hexadecimal::<16>(0xfe), *b"00000000000000fe");
        assert_eq!(&hexadecimal::<32>(u128::MAX - 1), format!("{:032x}", u128::MAX - 1).as_bytes());
    }

    fn written(number: f64) -> String {
        let mut out = Vec::new();
        float(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn floats_are_written_as_serde_json_writes_them(any: f64, digits in -99_999_999_999i64..99_999_999_999, decimals in 0i32..12, ulps in -2i64..3) {
            let decimal = digits as f64 / 10f64.powi(decimals);
            let near = f64::from_bits(decimal.to_bits().wrapping_add_signed(ulps));
            for number in [any, decimal, near, 0.0, -0.0, 1e-3, 1e6, 999_999.999_999_9, 0.000_999_9] {
                let expected = serde_json::to_string(&number).unwrap();
                prop_assert_eq!(written(number), expected);
            }
        }

        #[test]
        fn texts_are_written_as_serde_json_writes_them(words in ".{0,30}", tail in "[a-z\"\\\\\u{7f}\u{1f}é]{0,3}") {
            let words = words + &tail;
            let mut out = Vec::new();
            text(&mut out, &words);
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&words).unwrap());
        }
    }

    #[test]
    fn spans_are_seconds_without_superfluous_digits() {
        for (span_ms, expected) in [(0, "0"), (1_265_000, "1265"), (250, "0.25"), (-1_500, "-1.5"), (10_001, "10.001")]
        {
            let mut out = Vec::new();
            seconds(&mut out, span_ms);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        seconds(&mut out, i64::MIN);
        assert_eq!(String::from_utf8(out).unwrap(), "-9223372036854775.808");
    }
}
