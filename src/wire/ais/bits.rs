//! The bits of a message: six in each character of a sentence.

/// Bits, one a byte; a message has some hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u8>);

impl Bits {
    /// Takes in a sentence's characters, without the last `fill` bits. What is no such character is given back.
    pub(super) fn push(&mut self, payload: &[u8], fill: usize) -> Result<(), u8> {
        for &byte in payload {
            let value = match byte {
                b'0'..=b'W' => byte - b'0',
                b'`'..=b'w' => byte - b'`' + 40,
                other => return Err(other),
            };
            self.0.extend((0..6).rev().map(|bit| (value >> bit) & 1));
        }
        self.0.truncate(self.0.len().saturating_sub(fill));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A whole number of at most 32 bits; none where the message ends before.
    pub(super) fn number(&self, from: usize, to: usize) -> Option<u32> {
        let bits = self.0.get(from..to)?;
        Some(bits.iter().fold(0, |number, bit| number << 1 | u32::from(*bit)))
    }

    /// The same with a sign (two's complement).
    pub(super) fn signed(&self, from: usize, to: usize) -> Option<i32> {
        let shift = 32u32.checked_sub(u32::try_from(to.checked_sub(from)?).ok()?)?;
        // The bit pattern is meant.
        Some(self.number(from, to)?.checked_shl(shift)? as i32 >> shift)
    }

    pub(super) fn flag(&self, at: usize) -> Option<bool> {
        self.0.get(at).map(|bit| *bit == 1)
    }

    /// Text of six bits a character, without the signs that fill it up; none where nothing else is in it.
    pub(super) fn text(&self, from: usize, to: usize) -> Option<String> {
        let to = to.min(self.0.len());
        let mut text = String::new();
        for six in self.0.get(from..to)?.chunks_exact(6) {
            match six.iter().fold(0, |number, bit| number << 1 | *bit) {
                0 => break,
                value @ 1..=31 => text.push(char::from(value + 64)),
                value => text.push(char::from(value)),
            }
        }
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }
}
