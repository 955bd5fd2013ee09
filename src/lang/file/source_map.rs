//! From places in a scalar's text to places in the file.

use std::ops::Range;

use crate::lang::span::Span;

/// Where each piece of a text (a rule's expression, an annotation) stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceMap {
    /// In the order of the text. What lies between two pieces (line breaks, indentation) belongs to the one before.
    pieces: Vec<Piece>,
}

/// A run of bytes that the text and the file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Offset in the text.
    at: usize,
    /// Offset in the file.
    file: usize,
    /// Bytes.
    len: usize,
}

impl SourceMap {
    /// A text of which nothing but its whole place is known.
    pub(super) fn whole(range: Range<usize>) -> Self {
        let piece = Piece { at: 0, file: range.start, len: range.len() };
        Self { pieces: vec![piece] }
    }

    /// Adds a run of bytes; `at` is past all that were added.
    pub(super) fn push(&mut self, at: usize, file: usize, len: usize) {
        self.pieces.push(Piece { at, file, len });
    }

    /// The bytes of the file that a span of the text stands for. A span over several lines covers their indentation too;
    /// a span past the end is the end.
    #[must_use]
    pub fn locate(&self, span: Span) -> Range<usize> {
        self.locate_range(span.range())
    }

    /// As [`SourceMap::locate`], for a plain range.
    #[must_use]
    pub fn locate_range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.offset(range.start);
        // The end is the place after the last byte, which may be on an earlier line than the byte after it.
        let end = if range.end > range.start { self.offset(range.end - 1) + 1 } else { start };
        start..end.max(start)
    }

    /// The line and the column, both from 1, of the first byte of a span.
    #[must_use]
    pub fn line_and_column(&self, span: Span, file: &str) -> (usize, usize) {
        crate::lang::diag::line_and_column(file, self.locate(span).start)
    }

    fn offset(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|p| p.at <= at);
        match after.checked_sub(1).and_then(|n| self.pieces.get(n)) {
            Some(piece) => piece.file + (at - piece.at).min(piece.len),
            None => self.pieces.first().map_or(0, |p| p.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_keeps_to_its_lines() {
        // Two lines of five bytes, indented by four in the file.
        let mut map = SourceMap::default();
        map.push(0, 10, 5);
        map.push(6, 20, 5);
        assert_eq!(map.locate(Span::new(1, 5)), 11..15);
        assert_eq!(map.locate(Span::new(6, 8)), 20..22);
        assert_eq!(map.locate(Span::new(4, 7)), 14..21);
        assert_eq!(map.locate(Span::at(5)), 15..15);
        assert_eq!(map.locate(Span::at(99)), 25..25);
    }
}
