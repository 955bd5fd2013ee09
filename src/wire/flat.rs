//! The common record at a glance: one object of numbers, texts without escapes, bools and nulls. Most streams have no other, and
//! for them a scanner that knows which key comes next costs a fraction of a parser. It takes only what it is sure of and leaves
//! everything else, every error included, to the parser.

use super::{
    json::Target,
    json_value::text_value,
    layout::{Raw, Want},
};

/// How many keys are remembered of the first records.
const KEYS_MAX: usize = 64;
/// So many digits fit 64 bits whatever they are.
const DIGITS_MAX: usize = 18;
/// Whole numbers up to here are floats without rounding.
const EXACT_MAX: u64 = 1 << 53;
/// The powers of ten that are floats without rounding: with an exact numerator the quotient is the nearest float (Clinger 1990).
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Bytes that end the plain part of a string: its quote, an escape, and what may not stand in it.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        stops[byte] = true;
        byte += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

/// The keys in the order in which the records so far had them: those of the next record are compared before they are looked up.
#[derive(Debug, Default)]
pub(super) struct Habit {
    keys: Vec<(Box<[u8]>, Option<Target>)>,
}

impl Habit {
    /// Fills the cells of a flat record; false if it is another one, or none at all: then the cells are in no state.
    pub(super) fn read(&mut self, text: &str, find: impl Fn(&[u8]) -> Option<Target>, cells: &mut [Raw]) -> bool {
        self.members(text, find, cells).is_some()
    }

    fn members(&mut self, text: &str, find: impl Fn(&[u8]) -> Option<Target>, cells: &mut [Raw]) -> Option<()> {
        let mut scan = Scan { text, bytes: text.as_bytes(), at: 0 };
        scan.space();
        scan.take(b'{')?;
        scan.space();
        if scan.take(b'}').is_none() {
            let mut index = 0;
            loop {
                let target = self.key(&mut scan, index, &find)?;
                index += 1;
                scan.space();
                match target {
                    None => scan.skip()?,
                    Some(Target::Cell(cell, want)) => *cells.get_mut(cell)? = scan.value(want)?,
                    Some(Target::Object(_)) => return None,
                }
                scan.space();
                if scan.take(b',').is_none() {
                    break;
                }
                scan.space();
            }
            scan.take(b'}')?;
        }
        scan.space();
        (scan.at == scan.bytes.len()).then_some(())
    }

    /// Goes past a key and its colon: where it leads.
    #[inline]
    fn key(
        &mut self,
        scan: &mut Scan<'_>,
        index: usize,
        find: &impl Fn(&[u8]) -> Option<Target>,
    ) -> Option<Option<Target>> {
        if let Some((quoted, target)) = self.keys.get(index)
            && scan.bytes.get(scan.at..).is_some_and(|rest| rest.starts_with(quoted))
        {
            scan.at += quoted.len();
            return Some(*target);
        }
        let start = scan.at;
        let target = find(scan.string()?.as_bytes());
        scan.space();
        scan.take(b':')?;
        // With the colon, where writers put it: what is compared is one stretch of bytes.
        if index == self.keys.len() && index < KEYS_MAX {
            self.keys.push((scan.bytes.get(start..scan.at)?.into(), target));
        }
        Some(target)
    }
}

/// The number that eight digits are, if they are digits: pairs, then fours, then all are put together within one word.
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text);
    let high = word & 0xF0F0_F0F0_F0F0_F0F0;
    let above_nine = word.wrapping_add(0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0;
    if high != 0x3030_3030_3030_3030 || above_nine != 0x3030_3030_3030_3030 {
        return None;
    }
    let digits = word - 0x3030_3030_3030_3030;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// A place in a record.
struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// The byte here; past the end a zero, which is nothing that JSON begins with.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    #[inline]
    fn space(&mut self) {
        // Nothing that isn't white space is below it.
        if self.peek() > b' ' {
            return;
        }
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// A string without escapes.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        self.at += rest.iter().position(|&byte| STOPS[usize::from(byte)])?;
        let plain = self.text.get(start..self.at)?;
        self.take(b'"')?;
        Some(plain)
    }

    fn word(&mut self, word: &str, value: Raw) -> Option<Raw> {
        self.bytes.get(self.at..)?.starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    #[inline]
    fn value(&mut self, want: Want) -> Option<Raw> {
        match self.peek() {
            b'"' => Some(text_value(want, self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Raw::Bool(true)),
            b'f' => self.word("false", Raw::Bool(false)),
            b'n' => self.word("null", Raw::Null),
            _ => None,
        }
    }

    /// A value that nobody needs: checked, not made.
    #[inline]
    fn skip(&mut self) -> Option<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            _ => self.value(Want::default()).map(drop),
        }
    }

    /// The digits here behind `number`, and how many they are.
    #[inline]
    fn digits(&mut self, mut number: u64) -> (u64, usize) {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let start = rest.len();
        if let Some((chunk, after)) = rest.split_first_chunk::<8>()
            && let Some(eight) = eight_digits(*chunk)
        {
            number = number.wrapping_mul(100_000_000).wrapping_add(eight);
            rest = after;
        }
        while let Some((byte, after)) = rest.split_first()
            && let digit @ 0..=9 = byte.wrapping_sub(b'0')
        {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            rest = after;
        }
        let count = start - rest.len();
        self.at += count;
        (number, count)
    }

    /// A number without an exponent that can be read without rounding twice.
    #[inline]
    fn number(&mut self) -> Option<Raw> {
        let negative = self.take(b'-').is_some();
        let leads_with_zero = self.peek() == b'0';
        let (whole, count) = self.digits(0);
        if count == 0 || count > DIGITS_MAX || leads_with_zero && count > 1 {
            return None;
        }
        let number = match self.peek() {
            b'.' => {
                self.at += 1;
                let (all, fraction) = self.digits(whole);
                if fraction == 0 || count + fraction > DIGITS_MAX || all > EXACT_MAX {
                    return None;
                }
                let size = all as f64 / TENS.get(fraction)?;
                Raw::Float(if negative { -size } else { size })
            }
            // Minus zero is a float.
            _ if negative && whole == 0 => return None,
            // At most 18 digits.
            _ => Raw::Int(if negative { -(whole as i64) } else { whole as i64 }),
        };
        (!matches!(self.peek(), b'e' | b'E' | b'.')).then_some(number)
    }
}
