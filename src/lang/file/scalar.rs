//! One scalar of a YAML text: its value as far as a scanner can tell, and where each byte of it stands.

use std::ops::Range;

use super::source_map::SourceMap;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Not on this line: a nested list or map, or nothing.
    Nested,
    /// A scalar whose bytes are known.
    Scalar,
    /// A `>` block.
    Folded,
    /// A list in brackets or a map in braces.
    Flow,
    /// `*name`.
    Alias,
    /// A scalar whose bytes were not worked out: over several lines, or with rare escapes.
    Unclear,
}

/// A value in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) form: Form,
    /// Where it stands, without comments.
    pub(super) range: Range<usize>,
    /// Its value, where the form is [`Form::Scalar`]; empty else.
    pub(super) text: String,
    /// Where each byte of the value stands.
    pub(super) map: SourceMap,
}

impl Scalar {
    /// A value of which only the place is known.
    pub(super) fn opaque(form: Form, range: Range<usize>) -> Self {
        Self { form, map: SourceMap::whole(range.clone()), range, text: String::new() }
    }

    /// A value that stands in the text as it is.
    pub(super) fn verbatim(text: &str, range: Range<usize>) -> Self {
        let value = text.get(range.clone()).unwrap_or_default().to_owned();
        Self { form: Form::Scalar, map: SourceMap::whole(range.clone()), range, text: value }
    }
}

/// A quoted scalar from its opening quote on; gives the place after the closing one.
pub(super) fn quoted(text: &str, start: usize) -> (Scalar, usize) {
    let bytes = text.as_bytes();
    let quote = bytes.get(start).copied().unwrap_or(b'"');
    let (mut value, mut map) = (String::new(), SourceMap::default());
    let mut clear = true;
    // Start of the run of bytes that stand for themselves.
    let mut run = start + 1;
    let mut at = run;
    let flush = |value: &mut String, map: &mut SourceMap, run: usize, at: usize| {
        if run < at {
            map.push(value.len(), run, at - run);
            value.push_str(text.get(run..at).unwrap_or_default());
        }
    };
    while let Some(&byte) = bytes.get(at) {
        let escape: Option<char> = match byte {
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => Some('\''),
            b'\\' if quote == b'"' => match bytes.get(at + 1) {
                Some(b'n') => Some('\n'),
                Some(b't') => Some('\t'),
                Some(&c @ (b'"' | b'\\' | b'/')) => Some(c as char),
                _ => {
                    clear = false;
                    Some(' ')
                }
            },
            _ if byte == quote => {
                flush(&mut value, &mut map, run, at);
                map.push(value.len(), at, 0);
                let form = if clear { Form::Scalar } else { Form::Unclear };
                return (Scalar { form, range: start..at + 1, text: value, map }, at + 1);
            }
            b'\n' => {
                clear = false;
                None
            }
            _ => None,
        };
        if let Some(c) = escape {
            flush(&mut value, &mut map, run, at);
            map.push(value.len(), at, 2);
            value.push(c);
            at += 2;
            run = at;
        } else {
            at += 1;
        }
    }
    (Scalar::opaque(Form::Unclear, start..text.len()), text.len())
}

/// The lines of a text: start, and end without the line break.
pub(super) fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut all = Vec::new();
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end_matches('\n').trim_end_matches('\r').len();
        all.push(start..end);
        start += line.len();
    }
    all
}

/// A block scalar whose header (`|`, `>-`, …) begins at `start` on line `n`, of a node indented by `parent`.
/// Gives the line after it.
pub(super) fn block(text: &str, lines: &[Range<usize>], n: usize, start: usize, parent: usize) -> (Scalar, usize) {
    let header_end = lines.get(n).map_or(text.len(), |l| l.end);
    let header = text.get(start..header_end).unwrap_or_default();
    let explicit = header.chars().skip(1).take(2).find_map(|c| c.to_digit(10)).map(|d| parent + d as usize);
    let indent_of = |line: &Range<usize>| {
        let line = text.get(line.clone()).unwrap_or_default();
        line.len() - line.trim_start_matches(' ').len()
    };
    let is_blank = |line: &Range<usize>| text.get(line.clone()).unwrap_or_default().trim_start_matches(' ').is_empty();
    let body = lines.get(n + 1..).unwrap_or_default();
    let indent =
        explicit.or_else(|| body.iter().find(|l| !is_blank(l)).map(indent_of)).unwrap_or(parent + 1).max(parent + 1);
    let count = body.iter().take_while(|l| is_blank(l) || indent_of(l) >= indent).count();
    let next = n + 1 + count;
    let body = body.get(..count).unwrap_or_default();
    let end = body.iter().rev().find(|l| !is_blank(l)).map_or(header_end, |l| l.end);
    if header.starts_with('>') {
        return (Scalar::opaque(Form::Folded, start..end), next);
    }
    let (mut value, mut map) = (String::new(), SourceMap::default());
    for line in body {
        let from = (line.start + indent).min(line.end);
        map.push(value.len(), from, line.end - from);
        value.push_str(text.get(from..line.end).unwrap_or_default());
        value.push('\n');
    }
    (Scalar { form: Form::Scalar, range: start..end, text: value, map }, next)
}
