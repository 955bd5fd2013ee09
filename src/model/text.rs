//! Short text without an allocation: most ids, types and names of streams fit in a value itself.

use std::{cmp::Ordering, fmt, hash, ops::Deref, sync::Arc};

const INLINE: usize = 22;

/// UTF-8 text, up to 22 bytes in place, longer ones shared. Cloning never copies more than 24 bytes.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

impl Text {
    /// The text's bytes: comparing and hashing need no more.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Repr::Shared(text) => text.as_bytes(),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // INVARIANT: inline bytes are copied from a `str` whole, so they are UTF-8.
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Repr::Shared(text) => text,
        }
    }

    /// The first 16 bytes of a text that is kept in place, little-endian and zero behind its end, and its length.
    #[inline]
    pub(super) fn word(&self) -> Option<(u128, usize)> {
        match &self.0 {
            Repr::Inline { len, bytes } => Some((u128::from_le_bytes(*bytes.first_chunk()?), usize::from(*len))),
            Repr::Shared(_) => None,
        }
    }

    /// The text as a number that is no other text's, if it has at most 15 bytes and is kept in place.
    #[inline]
    pub(super) fn number(&self) -> Option<u128> {
        let (word, len) = self.word().filter(|(_, len)| *len < size_of::<u128>())?;
        // Bytes behind its end are zero, so the last one is free for the length.
        Some(word | (len as u128) << 120)
    }

    /// The text of the first `len` bytes of two little-endian words, if they are ASCII: at most 16, without a look at each.
    #[inline]
    pub fn of_ascii([low, high]: [u64; 2], len: usize) -> Option<Self> {
        const HIGH: u64 = (u64::MAX / 255) << 7;
        let kept = |word: u64, len: usize| if len < 8 { word & !(u64::MAX << (8 * len)) } else { word };
        // Most are of eight bytes at most.
        let [low, high] = match len {
            0..=8 => [kept(low, len), 0],
            9..=16 => [low, kept(high, len - 8)],
            _ => return None,
        };
        if (low | high) & HIGH != 0 {
            return None;
        }
        let mut bytes = [0; INLINE];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip([low, high]) {
            *place = word.to_le_bytes();
        }
        Some(Text(Repr::Inline { len: len as u8, bytes }))
    }

    /// Whether it is held in place.
    #[inline]
    pub(super) fn is_inline(&self) -> bool {
        matches!(self.0, Repr::Inline { .. })
    }

    /// Bytes on the heap that this text holds on to.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(text) => text.len() + 16,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let source = text.as_bytes();
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..source.len()) {
            Some(place) => {
                place.copy_from_slice(source);
                Text(Repr::Inline { len: source.len() as u8, bytes })
            }
            None => Text(Repr::Shared(text.into())),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.len() <= INLINE { text.as_str().into() } else { Text(Repr::Shared(text.into())) }
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // Unused bytes are zero, so whole arrays compare: two loads rather than a call.
            (Repr::Inline { len: a, bytes: x }, Repr::Inline { len: b, bytes: y }) => a == b && x == y,
            _ => self.as_bytes() == other.as_bytes(),
        }
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl hash::Hash for Text {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_reads_back_and_compares_as_its_bytes() {
        let words =
            ["", "a", "é", "exactly-16-bytes", "exactly-22-bytes-long!", "a text that is longer than the inline space"];
        for left in words {
            assert_eq!(Text::from(left).as_str(), left);
            let mut word = [b'x'; 16];
            let short = left.len() <= 16 && left.is_ascii();
            word.iter_mut().zip(left.bytes()).for_each(|(place, byte)| *place = byte);
            let halves = word.as_chunks::<8>().0;
            let halves = [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])];
            assert_eq!(Text::of_ascii(halves, left.len()), short.then(|| Text::from(left)));
            for right in words {
                assert_eq!(Text::from(left) == Text::from(right.to_owned()), left == right);
                assert_eq!(Text::from(left).cmp(&Text::from(right)), left.cmp(right));
            }
        }
    }
}
