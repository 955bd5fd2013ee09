//! A batch of lines in one allocation.

/// Lines, each with a key and its newline.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    keys: Vec<u8>,
    /// Where each line and its key end.
    ends: Vec<(usize, usize)>,
}

impl Lines {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `write` appends as one line; a newline is added if it has none. The key decides the partition where the
    /// sink has some.
    pub fn push_with<T>(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let written = write(&mut self.bytes);
        if self.bytes.last() != Some(&b'\n') || self.bytes.len() == self.ends.last().map_or(0, |end| end.0) {
            self.bytes.push(b'\n');
        }
        self.keys.extend_from_slice(key.as_bytes());
        self.ends.push((self.bytes.len(), self.keys.len()));
        written
    }

    /// All lines as they stand in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keys and lines, the latter without their newlines.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut from = (0, 0);
        self.ends.iter().map(move |&(line, key)| {
            let text = self.bytes.get(from.0..line.saturating_sub(1)).unwrap_or_default();
            let name = self.keys.get(from.1..key).unwrap_or_default();
            from = (line, key);
            (name, text)
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Removes all lines and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_with_their_keys() {
        let mut lines = Lines::new();
        lines.push_with("a", |out| out.extend_from_slice(b"one\n"));
        lines.push_with("", |out| out.extend_from_slice(b"two"));
        lines.push_with("c", |_| ());
        let found: Vec<_> = lines.iter().collect();
        assert_eq!(found, [(&b"a"[..], &b"one"[..]), (b"", b"two"), (b"c", b"")]);
        assert_eq!((lines.bytes(), lines.len()), (&b"one\ntwo\n\n"[..], 3));
    }
}
