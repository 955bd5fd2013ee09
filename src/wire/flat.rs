//! The common record at a glance: one object of numbers, texts without escapes, bools and nulls. Most streams have no other, and
//! for them a scanner costs a fraction of a parser. It takes only what it is sure of and leaves everything else, every error
//! included, to the parser.

use super::{
    json::Target,
    json_value::text_value,
    layout::{Raw, Want},
    swar::{SHIFTS, after_digits, digits, leading_count, leading_digits, plain},
};
use std::ops::Range;

/// So many digits fit 64 bits whatever they are.
const DIGITS_MAX: usize = 18;
/// Whole numbers up to here are floats without rounding.
const EXACT_MAX: u64 = 1 << 53;
/// The powers of ten that are floats without rounding: with an exact numerator the quotient is the nearest float (Clinger 1990).
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A value that is neither a list nor an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A string without escapes: how long it is, and the record from its first byte on.
    Text(usize, &'a [u8]),
}

/// The value that `text` begins with, and what comes after it; none, if it is another one or not one that can be sure of itself.
pub(super) fn scalar(text: &[u8]) -> Option<(Scalar<'_>, &[u8])> {
    match text.first()? {
        b'"' => {
            let text = text.get(1..)?;
            let length = plain(text);
            let after = text.get(length..)?.strip_prefix(b"\"")?;
            Some((Scalar::Text(length, text), after))
        }
        b'-' | b'0'..=b'9' => number(text),
        b't' => Some((Scalar::Bool(true), text.strip_prefix(b"true")?)),
        b'f' => Some((Scalar::Bool(false), text.strip_prefix(b"false")?)),
        b'n' => Some((Scalar::Null, text.strip_prefix(b"null")?)),
        _ => None,
    }
}

/// A whole number of one to 18 digits without a sign, as times are; none, if it is another value.
#[inline]
pub(super) fn whole(text: &[u8]) -> Option<(i64, &[u8])> {
    // Milliseconds since 1970 have 13 digits.
    if let Some((head, after)) = text.split_first_chunk::<8>()
        && let Some(tail) = after.first_chunk::<8>()
        && let (high, 8) = leading_digits(u64::from_le_bytes(*head))
        && let (low, count @ 0..8) = leading_digits(u64::from_le_bytes(*tail))
        && !matches!(tail[count], b'.' | b'e' | b'E')
        && head[0] != b'0'
    {
        return Some(((high * SHIFTS[count] + low) as i64, after.get(count..)?));
    }
    let (number, rest) = digits(0, text);
    let count = text.len() - rest.len();
    let is_whole = count.wrapping_sub(1) < DIGITS_MAX && !matches!(rest.first(), Some(b'.' | b'e' | b'E'));
    (is_whole && (count == 1 || text.first() != Some(&b'0'))).then_some((number as i64, rest))
}

/// A text without the sign that it may begin with, and whether it does.
#[inline]
fn unsigned(text: &[u8]) -> (&[u8], bool) {
    text.strip_prefix(b"-").map_or((text, false), |unsigned| (unsigned, true))
}

/// A decimal fraction below a thousand with one to eight places, as degrees are; none, if it is another value.
#[inline]
pub(super) fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (unsigned, negative) = unsigned(text);
    let (head, tail) = unsigned.first_chunk::<16>()?.split_first_chunk::<4>()?;
    let [a, b, c, _] = head.map(|byte| u64::from(byte.wrapping_sub(b'0')));
    let tail = u64::from_le_bytes(*tail.first_chunk()?);
    // Eight bytes from behind the point on.
    let from = |at: u32| u64::from(u32::from_le_bytes(*head)) >> (8 * at) | tail << (32 - 8 * at);
    let (whole, starts, point, decimals) = match *head {
        [_, _, b'.', _] => (10 * a + b, a.wrapping_sub(1) < 9 && b < 10, 2, from(3)),
        [_, b'.', ..] => (a, a < 10, 1, from(2)),
        [_, _, _, b'.'] => (100 * a + 10 * b + c, a.wrapping_sub(1) < 9 && b < 10 && c < 10, 3, tail),
        _ => return None,
    };
    let (fraction, places) = leading_digits(decimals);
    let rest = unsigned.get(point + 1 + places..)?;
    if !starts || places == 0 || matches!(rest.first(), Some(b'0'..=b'9' | b'e' | b'E')) {
        return None;
    }
    let size = (whole * SHIFTS[places] + fraction) as i64 as f64 / TENS[places];
    Some((if negative { -size } else { size }, rest))
}

/// Goes past a value that nobody needs.
#[inline]
pub(super) fn skip(text: &[u8]) -> Option<&[u8]> {
    if let [b'"', text @ ..] = text {
        return text.get(plain(text)..)?.strip_prefix(b"\"");
    }
    skip_short(text).or_else(|| skip_any(text))
}

/// Goes past a number of at most seven bytes without its sign; none, if it is another value.
#[inline]
fn skip_short(text: &[u8]) -> Option<&[u8]> {
    let (unsigned, _) = unsigned(text);
    let word = u64::from_le_bytes(*unsigned.first_chunk()?);
    let byte = |at: usize| (word >> (8 * at)) as u8;
    let mut end = leading_count(word);
    if !matches!(end, 1..=6) || end > 1 && byte(0) == b'0' {
        return None;
    }
    if byte(end) == b'.' {
        // Behind the word are no digits, it seems: but then no byte is left to follow them.
        let places = leading_count(word >> (8 * (end + 1)));
        end += 1 + places;
        if places == 0 || end > 7 {
            return None;
        }
    }
    if matches!(byte(end), b'e' | b'E') { None } else { unsigned.get(end..) }
}

/// Goes past any value.
fn skip_any(text: &[u8]) -> Option<&[u8]> {
    let unsigned = match text {
        [b'-', unsigned @ ..] => unsigned,
        _ => text,
    };
    let rest = match unsigned {
        [b'1'..=b'9', rest @ ..] => after_digits(rest),
        [b'0', rest @ ..] => rest,
        _ => return Some(scalar(text)?.1),
    };
    match rest {
        [b'.', decimals @ ..] => {
            let rest = after_digits(decimals);
            match rest {
                [b'e' | b'E', ..] => Some(scalar(text)?.1),
                _ => (rest.len() < decimals.len()).then_some(rest),
            }
        }
        [b'e' | b'E', ..] => Some(scalar(text)?.1),
        _ => Some(rest),
    }
}

/// A number that is read without rounding twice.
#[inline]
fn number(text: &[u8]) -> Option<(Scalar<'_>, &[u8])> {
    let negative = text.first() == Some(&b'-');
    let unsigned = if negative { text.get(1..)? } else { text };
    let (whole, after) = digits(0, unsigned);
    let count = unsigned.len() - after.len();
    if count == 0 || count > DIGITS_MAX || count > 1 && unsigned.first() == Some(&b'0') {
        return None;
    }
    match after.first() {
        Some(b'.') => {
            let decimals = after.get(1..)?;
            let (all, rest) = digits(whole, decimals);
            let places = decimals.len() - rest.len();
            if places == 0 {
                return None;
            }
            if count + places > DIGITS_MAX || all > EXACT_MAX || matches!(rest.first(), Some(b'e' | b'E')) {
                return long_number(text, rest);
            }
            let size = all as f64 / TENS.get(places)?;
            Some((Scalar::Float(if negative { -size } else { size }), rest))
        }
        Some(b'e' | b'E') => long_number(text, after),
        // Minus zero is a float.
        _ if negative && whole == 0 => None,
        // At most 18 digits.
        _ => Some((Scalar::Int(if negative { -(whole as i64) } else { whole as i64 }), after)),
    }
}

/// A number with more digits than a float, or with an exponent; `rest` is from the exponent on.
#[cold]
fn long_number<'a>(text: &'a [u8], rest: &'a [u8]) -> Option<(Scalar<'a>, &'a [u8])> {
    let rest = match rest.split_first() {
        Some((b'e' | b'E', exponent)) => {
            let unsigned = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
            let (_, rest) = digits(0, unsigned);
            (rest.len() < unsigned.len()).then_some(rest)?
        }
        _ => rest,
    };
    let number = std::str::from_utf8(text.get(..text.len() - rest.len())?).ok()?.parse::<f64>().ok()?;
    number.is_finite().then_some((Scalar::Float(number), rest))
}

/// A member of a flat object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// Its key and what stands around it, up to its value: from where the value before it ends.
    pub(super) before: Range<usize>,
    /// The key.
    pub(super) key: Range<usize>,
    /// Where it leads.
    pub(super) target: Option<Target>,
}

/// Fills the cells of a flat record, and notes its members; false if it is another record, or none at all: then the cells are in no
/// state.
pub(super) fn read(
    text: &str,
    find: impl Fn(&[u8]) -> Option<Target>,
    cells: &mut [Raw],
    members: &mut Vec<Member>,
) -> bool {
    members.clear();
    fill(text, find, cells, members).is_some()
}

fn fill(
    text: &str,
    find: impl Fn(&[u8]) -> Option<Target>,
    cells: &mut [Raw],
    members: &mut Vec<Member>,
) -> Option<()> {
    let place = |rest: &[u8]| text.len() - rest.len();
    let mut rest = text.as_bytes();
    let mut start = 0;
    rest = space(space(rest).strip_prefix(b"{")?);
    if rest.first() != Some(&b'}') {
        loop {
            let quoted = rest.strip_prefix(b"\"")?;
            let length = plain(quoted);
            let key = place(quoted)..place(quoted) + length;
            rest = space(space(quoted.get(length..)?.strip_prefix(b"\"")?).strip_prefix(b":")?);
            let target = find(text.as_bytes().get(key.clone())?);
            members.push(Member { before: start..place(rest), key, target });
            let (value, after) = scalar(rest)?;
            match target {
                None => {}
                Some(Target::Cell(cell, want)) => *cells.get_mut(cell)? = raw(value, want)?,
                Some(Target::Object(_)) => return None,
            }
            start = place(after);
            rest = space(after);
            match rest.strip_prefix(b",") {
                Some(next) => rest = space(next),
                None => break,
            }
        }
    }
    space(rest.strip_prefix(b"}")?).is_empty().then_some(())
}

/// What comes after white space.
#[inline]
fn space(text: &[u8]) -> &[u8] {
    // Nothing that isn't white space is below it.
    if text.first().is_none_or(|&byte| byte > b' ') {
        return text;
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let end = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

/// What a cell has of a value.
pub(super) fn raw(value: Scalar<'_>, want: Want) -> Option<Raw> {
    Some(match value {
        Scalar::Null => Raw::Null,
        Scalar::Bool(value) => Raw::Bool(value),
        Scalar::Int(number) => Raw::Int(number),
        Scalar::Float(number) => Raw::Float(number),
        Scalar::Text(length, text) => text_value(want, std::str::from_utf8(text.get(..length)?).ok()?),
    })
}

#[cfg(test)]
#[path = "flat_test.rs"]
mod tests;
