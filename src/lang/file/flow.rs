//! Lists in brackets and maps in braces.

use super::{
    outline::{Entry, Outline, Part},
    scalar::{Form, Scalar, quoted},
};

/// Deeper ones are passed over: the YAML reader has refused them before.
const DEPTH_MAX: u32 = 40;

/// Reads the list or map that opens at `start`, adds its entries, and gives the place after it.
pub(super) fn flow(text: &str, start: usize, path: &[Part], outline: &mut Outline, depth: u32) -> usize {
    let bytes = text.as_bytes();
    let is_map = bytes.get(start) == Some(&b'{');
    if depth > DEPTH_MAX {
        return text.len();
    }
    let mut at = start + 1;
    let mut index = 0;
    loop {
        at = blanks(bytes, at);
        match bytes.get(at) {
            None => return text.len(),
            Some(b'}' | b']') => return at + 1,
            Some(b',') => {
                at += 1;
                index += 1;
                continue;
            }
            _ => {}
        }
        let before = at;
        if is_map {
            let (key, after) = scalar(text, at);
            at = blanks(bytes, after);
            let part = Part::Key(key.text.clone());
            let path: Vec<Part> = path.iter().cloned().chain([part]).collect();
            if bytes.get(at) == Some(&b':') {
                at = value(text, at + 1, path, key.range, outline, depth);
            } else {
                let nothing = Scalar::opaque(Form::Nested, key.range.clone());
                outline.add(path, Entry { key: key.range, value: nothing });
            }
        } else {
            let path: Vec<Part> = path.iter().cloned().chain([Part::Index(index)]).collect();
            at = value(text, at, path, at..at, outline, depth);
        }
        // Whatever was met, go on.
        at = at.max(before + 1);
    }
}

/// Reads one value and adds it; gives the place after it.
fn value(
    text: &str,
    at: usize,
    path: Vec<Part>,
    key: std::ops::Range<usize>,
    outline: &mut Outline,
    depth: u32,
) -> usize {
    let bytes = text.as_bytes();
    let at = blanks(bytes, at);
    let (value, after) = match bytes.get(at) {
        Some(b'{' | b'[') => {
            let after = flow(text, at, &path, outline, depth + 1);
            (Scalar::opaque(Form::Flow, at..after), after)
        }
        Some(b',' | b'}' | b']') | None => (Scalar::opaque(Form::Nested, key.clone()), at),
        _ => scalar(text, at),
    };
    let key = if key.is_empty() { value.range.clone() } else { key };
    outline.add(path, Entry { key, value });
    after
}

fn scalar(text: &str, start: usize) -> (Scalar, usize) {
    let bytes = text.as_bytes();
    match bytes.get(start) {
        Some(b'\'' | b'"') => return quoted(text, start),
        Some(b'*') => {
            let end = plain_end(bytes, start);
            return (Scalar::opaque(Form::Alias, start..end), end);
        }
        Some(b'&' | b'!') => {
            let end = plain_end(bytes, start);
            return (Scalar::opaque(Form::Unclear, start..end), end);
        }
        _ => {}
    }
    let stop = plain_end(bytes, start);
    let content = text.get(start..stop).unwrap_or_default();
    let end = start + content.trim_end().len();
    let scalar = if content.contains('\n') {
        Scalar::opaque(Form::Unclear, start..end)
    } else {
        Scalar::verbatim(text, start..end)
    };
    (scalar, stop)
}

/// Where a plain scalar inside of brackets ends.
fn plain_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match byte {
            b',' | b'{' | b'}' | b'[' | b']' => break,
            b':' if next
                .is_none_or(|n| matches!(n, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'{' | b'}' | b'[' | b']')) =>
            {
                break;
            }
            b' ' | b'\t' if next == Some(&b'#') => break,
            _ => at += 1,
        }
    }
    at
}

/// Skips blanks, line breaks and comments.
fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => {
                while bytes.get(at).is_some_and(|b| *b != b'\n') {
                    at += 1;
                }
            }
            _ => break,
        }
    }
    at
}
