//! Eight bytes at a time, as one word: where a JSON string's plain part ends, and what number digits are.
//!
//! A byte of a word is marked by its highest bit. The first mark, counted from the lowest byte, is exact; of those behind it some may be
//! too many, since a borrow runs on from there.

const ONES: u64 = 0x0101_0101_0101_0101;
const MARKS: u64 = ONES << 7;

/// The bytes that end the plain part of a string, marked: its quote, an escape, and what may not stand in it.
#[inline]
fn stops(word: u64) -> u64 {
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (quotes, escapes) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
    (zeros(quotes) | zeros(escapes) | (word.wrapping_sub(ONES * 0x20) & !word)) & MARKS
}

/// How many of 16 bytes a JSON string could hold as they stand; none if all.
#[inline]
pub(super) fn plain_short([low, high]: [u64; 2]) -> Option<usize> {
    let end = |marks: u64| (marks.trailing_zeros() / 8) as usize;
    match [stops(low), stops(high)] {
        [0, 0] => None,
        [0, high] => Some(8 + end(high)),
        [low, _] => Some(end(low)),
    }
}

/// How many bytes a JSON string could hold as they stand: up to a quote, an escape or a control character, or all.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let marks = stops(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return bytes.len() - rest.len() + (marks.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let stop = rest.iter().position(|&byte| byte < 0x20 || matches!(byte, b'"' | b'\\'));
    bytes.len() - rest.len() + stop.unwrap_or(rest.len())
}

/// What a number is multiplied by when so many digits are put behind it.
pub(super) const SHIFTS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The bytes that are no digits, marked by some bits of theirs; none behind the first is exact.
#[inline]
fn others(word: u64) -> u64 {
    // Digits are 0x30 to 0x39: the upper half of the byte tells, also of the byte with 6 added.
    let upper = |word: u64| (word & (ONES * 0xf0)) ^ (ONES * 0x30);
    upper(word) | upper(word.wrapping_add(ONES * 6))
}

/// The number that eight digits are, each the lower half of a byte: pairs, then fours, then all are put together.
#[inline]
fn together(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// How many digits eight bytes begin with.
#[inline]
pub(super) fn leading_count(word: u64) -> usize {
    (others(word).trailing_zeros() / 8) as usize
}

/// The number that the digits at the beginning of eight bytes are, and how many they are.
#[inline]
pub(super) fn leading_digits(word: u64) -> (u64, usize) {
    let others = others(word);
    let digits = word & (ONES * 0x0f);
    if others == 0 {
        return (together(digits), 8);
    }
    let count = others.trailing_zeros() / 8;
    // Zeros come in before the digits; in two steps, since all eight bytes may have to go.
    (together((digits << 1) << (63 - 8 * count)), count as usize)
}

/// The digits that `text` begins with, behind those of `number`, and what comes after them. Past 64 bits the number is wrong.
#[inline]
pub(super) fn digits(mut number: u64, text: &[u8]) -> (u64, &[u8]) {
    let mut rest = text;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let (value, count) = leading_digits(u64::from_le_bytes(*chunk));
        number = number.wrapping_mul(SHIFTS.get(count).copied().unwrap_or(1)).wrapping_add(value);
        if count < 8 {
            return (number, rest.get(count..).unwrap_or_default());
        }
        rest = after;
    }
    while let Some((byte, after)) = rest.split_first()
        && let digit @ 0..=9 = byte.wrapping_sub(b'0')
    {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        rest = after;
    }
    (number, rest)
}

/// What comes after the digits that `text` begins with.
#[inline]
pub(super) fn after_digits(mut text: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Whether all bytes are ASCII.
#[inline]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    // Of a line its end is looked at twice rather than byte by byte; of much the library is faster.
    match bytes.last_chunk::<32>() {
        Some(end) if bytes.len() < 512 => {
            let any = |chunk: &[u8; 32]| chunk.iter().fold(0, |any, byte| any | byte);
            let (chunks, _) = bytes.as_chunks::<32>();
            chunks.iter().fold(any(end), |sum, chunk| sum | any(chunk)) < 0x80
        }
        _ => bytes.is_ascii(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_plain_part_ends_where_the_first_stop_is(bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 20 => 0x20u8..0xff], 0..40)) {
            let stop = bytes.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            prop_assert_eq!(plain(&bytes), stop.unwrap_or(bytes.len()));
            prop_assert_eq!(is_ascii(&bytes), bytes.is_ascii());
            let long = [&[b' '; 40], &bytes[..], &[b' '; 40]].concat();
            prop_assert_eq!(is_ascii(&long), bytes.is_ascii());
        }

        #[test]
        fn digits_are_the_number_that_they_are(start in "[0-9]{0,18}", rest in prop::collection::vec(any::<u8>(), 0..20)) {
            let bytes = [start.as_bytes(), &rest].concat();
            let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, after) = digits(0, &bytes);
            prop_assert_eq!((after, after_digits(&bytes)), (&bytes[count..], &bytes[count..]));
            if count <= 18 {
                prop_assert_eq!(number, std::str::from_utf8(&bytes[..count]).unwrap().parse().unwrap_or(0));
            }
            // Bytes that are nearly digits, at each place of a word.
            for (at, byte) in (0..8).flat_map(|at| [b'/', b':', 0xb0, 0xfa, 0].map(|byte| (at, byte))) {
                let mut text = *b"12345678";
                text[at] = byte;
                prop_assert_eq!(digits(0, &text).1.len(), 8 - at);
            }
        }
    }
}
