//! Where the keys and values of a YAML text stand.
//!
//! Reads block lists and maps by their indentation, and values in braces and brackets. It knows less than YAML does
//! (no tags, no keys over several lines, no `? key`), so whoever uses a scalar's bytes compares them with the library's
//! value first. Any text is answered; one that isn't YAML gets an outline of no use. Cost: linear in the text.

use std::{collections::BTreeMap, ops::Range};

use super::{
    flow::flow,
    scalar::{Form, Scalar, block, lines, quoted},
};

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Key(String),
    Index(usize),
}

/// The keys and list entries of a text.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// More than one entry where a key is given twice.
    entries: BTreeMap<Vec<Part>, Vec<Entry>>,
}

/// A key or a list entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key, or the dash.
    pub(super) key: Range<usize>,
    pub(super) value: Scalar,
}

/// A list entry or a key that the current line is inside of.
struct Level {
    indent: usize,
    part: Part,
}

impl Outline {
    /// Reads a text.
    pub(super) fn new(text: &str) -> Self {
        Scanner { text, lines: lines(text), stack: Vec::new(), outline: Self::default(), last_plain: None }.run()
    }

    pub(super) fn add(&mut self, path: Vec<Part>, entry: Entry) {
        self.entries.entry(path).or_default().push(entry);
    }

    /// The entries at a path: none, one, or several where a key is given again.
    pub(super) fn all(&self, path: &[Part]) -> &[Entry] {
        self.entries.get(path).map_or(&[], Vec::as_slice)
    }

    /// The place of a key, or of the nearest thing around it that was found; at worst the text's start.
    pub(super) fn key_place(&self, path: &[Part]) -> Range<usize> {
        let found = (1..=path.len()).rev().find_map(|n| self.all(&path[..n]).first());
        found.map_or(0..0, |e| e.key.clone())
    }

    /// The place of a value; of its key where the value is on other lines.
    pub(super) fn value_place(&self, path: &[Part]) -> Range<usize> {
        match self.all(path).first() {
            Some(entry) if entry.value.form != Form::Nested => entry.value.range.clone(),
            _ => self.key_place(path),
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    lines: Vec<Range<usize>>,
    stack: Vec<Level>,
    outline: Outline,
    /// The path of the plain scalar that a line without key goes on with.
    last_plain: Option<Vec<Part>>,
}

impl Scanner<'_> {
    fn run(mut self) -> Outline {
        let mut n = 0;
        while let Some(line) = self.lines.get(n).cloned() {
            n = self.line(n, line);
        }
        self.outline
    }

    /// Reads what begins on a line; gives the next line to read.
    fn line(&mut self, n: usize, line: Range<usize>) -> usize {
        let content = self.text.get(line.clone()).unwrap_or_default();
        let trimmed = content.trim_start_matches([' ', '\u{feff}']);
        let marker = ["---", "...", "%"].iter().any(|m| content.starts_with(m));
        if trimmed.trim_start().is_empty() || trimmed.starts_with('#') || marker {
            return n + 1;
        }
        let mut at = line.end - trimmed.len();
        let mut dash = None;
        while self.byte(at) == Some(b'-') && self.is_blank(at + 1, line.end) {
            self.open_item(at - line.start);
            dash = Some(at..at + 1);
            at = self.skip_blanks(at + 1, line.end);
        }
        if at >= line.end || self.byte(at) == Some(b'#') {
            if let Some(key) = dash {
                let value = Scalar::opaque(Form::Nested, key.clone());
                self.outline.add(self.path(), Entry { key, value });
            }
            return n + 1;
        }
        if let Some((name, key, after)) = self.key(at, line.end) {
            if let Some(dash) = dash {
                let value = Scalar::opaque(Form::Nested, dash.clone());
                self.outline.add(self.path(), Entry { key: dash, value });
            }
            let indent = at - line.start;
            self.stack.truncate(self.stack.iter().position(|l| l.indent >= indent).unwrap_or(self.stack.len()));
            self.stack.push(Level { indent, part: Part::Key(name) });
            return self.value(n, key, after, indent, line.end);
        }
        match dash {
            Some(dash) => self.value(n, dash.clone(), at, dash.start - line.start, line.end),
            None => {
                self.go_on(line.end);
                n + 1
            }
        }
    }

    /// Opens a list entry whose dash stands at a column.
    fn open_item(&mut self, indent: usize) {
        let mut index = 0;
        while let Some(top) = self.stack.last() {
            match &top.part {
                Part::Index(before) if top.indent == indent => index = before + 1,
                // The list's own key may stand at the same column.
                Part::Key(_) if top.indent == indent => break,
                _ if top.indent < indent => break,
                _ => {}
            }
            let sibling = matches!(top.part, Part::Index(_)) && top.indent == indent;
            self.stack.pop();
            if sibling {
                break;
            }
        }
        self.stack.push(Level { indent, part: Part::Index(index) });
    }

    /// `key:` before a blank or the line's end: the key, its place, and the place after the colon.
    fn key(&self, at: usize, end: usize) -> Option<(String, Range<usize>, usize)> {
        if matches!(self.byte(at), Some(b'\'' | b'"')) {
            let (scalar, after) = quoted(self.text, at);
            let colon = self.skip_blanks(after, end);
            let is_key = after <= end && self.byte(colon) == Some(b':') && self.is_blank(colon + 1, end);
            return is_key.then_some((scalar.text, scalar.range, colon + 1));
        }
        if matches!(self.byte(at), Some(b'{' | b'[' | b'|' | b'>' | b'#' | b'*' | b'!')) {
            return None;
        }
        let content = self.text.get(at..end)?;
        let colon = content.char_indices().find(|&(n, c)| c == ':' && self.is_blank(at + n + 1, end))?.0;
        let name = content.get(..colon)?.trim_end();
        (!name.contains(" #")).then(|| (name.to_owned(), at..at + name.len(), at + colon + 1))
    }

    /// Reads the value after a key or a dash; gives the next line to read.
    fn value(&mut self, n: usize, key: Range<usize>, at: usize, indent: usize, end: usize) -> usize {
        self.last_plain = None;
        let mut at = self.skip_blanks(at, end);
        while matches!(self.byte(at), Some(b'&' | b'!')) && at < end {
            at = self.skip_blanks(self.word_end(at, end), end);
        }
        let path = self.path();
        let (value, next) = match self.byte(at) {
            _ if at >= end => (Scalar::opaque(Form::Nested, key.clone()), n + 1),
            Some(b'#') => (Scalar::opaque(Form::Nested, key.clone()), n + 1),
            Some(b'|' | b'>') => block(self.text, &self.lines, n, at, indent),
            Some(b'\'' | b'"') => {
                let (scalar, after) = quoted(self.text, at);
                (scalar, self.line_after(after, n))
            }
            Some(b'{' | b'[') => {
                let after = flow(self.text, at, &path, &mut self.outline, 0);
                (Scalar::opaque(Form::Flow, at..after), self.line_after(after, n))
            }
            Some(b'*') => (Scalar::opaque(Form::Alias, at..self.word_end(at, end)), n + 1),
            _ => {
                self.last_plain = Some(path.clone());
                (Scalar::verbatim(self.text, at..self.plain_end(at, end)), n + 1)
            }
        };
        self.outline.add(path, Entry { key, value });
        next.max(n + 1)
    }

    /// A line that goes on with the plain scalar before it.
    fn go_on(&mut self, end: usize) {
        let Some(path) = &self.last_plain else { return };
        if let Some(entry) = self.outline.entries.get_mut(path).and_then(|all| all.last_mut()) {
            entry.value = Scalar::opaque(Form::Unclear, entry.value.range.start..end);
        }
    }

    fn path(&self) -> Vec<Part> {
        self.stack.iter().map(|l| l.part.clone()).collect()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn is_blank(&self, at: usize, end: usize) -> bool {
        at >= end || matches!(self.byte(at), Some(b' ' | b'\t'))
    }

    fn skip_blanks(&self, mut at: usize, end: usize) -> usize {
        while at < end && self.is_blank(at, end) {
            at += 1;
        }
        at
    }

    fn word_end(&self, mut at: usize, end: usize) -> usize {
        while !self.is_blank(at, end) {
            at += 1;
        }
        at
    }

    /// Where a plain scalar on one line ends: before a comment, without blanks.
    fn plain_end(&self, at: usize, end: usize) -> usize {
        let content = self.text.get(at..end).unwrap_or_default();
        let comment = content.match_indices('#').find(|&(n, _)| n > 0 && self.is_blank(at + n - 1, end));
        let content = comment.map_or(content, |(n, _)| &content[..n]);
        at + content.trim_end().len()
    }

    /// The line after the one that a place is on, looked for from line `n` on.
    fn line_after(&self, at: usize, n: usize) -> usize {
        let from = self.lines.get(n..).unwrap_or_default();
        n + from.iter().take_while(|l| l.start < at).count().max(1)
    }
}
