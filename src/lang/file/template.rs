//! Annotations: text with `{{ name }}` in it.

use std::ops::Range;

use super::source_map::SourceMap;
use crate::lang::diag::{Code, Diagnostic};
use crate::lang::span::Span;

/// An annotation, cut into what is written and what is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// In order. Neighbouring texts are one part; an empty annotation has none.
    pub parts: Vec<TemplatePart>,
}

/// A part of an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// As it is.
    Text(String),
    /// `{{ airport }}`, `{{ airport.name }}`: a measure, the key, or a property of one.
    Placeholder {
        /// The names between the dots; at least one.
        path: Vec<String>,
        /// Where the names stand in the file.
        range: Range<usize>,
    },
}

/// Reads an annotation. The map says where its text stands in the file; the spans of diagnostics are in the text.
pub(super) fn parse_template(text: &str, map: &SourceMap) -> (Template, Vec<Diagnostic>) {
    let mut parts = Vec::new();
    let mut diagnostics = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|n| at + n) {
        push_text(&mut parts, &text[at..open], at, &mut diagnostics);
        let Some(close) = text[open..].find("}}").map(|n| open + n) else {
            diagnostics
                .push(bad(open..open + 2, "a placeholder that is never closed").with_label("expected `}}` after this"));
            return (Template { parts }, diagnostics);
        };
        let inside = open + 2..close;
        match placeholder(&text[inside.clone()]) {
            Ok((path, names)) => {
                let range = map.locate_range(inside.start + names.start..inside.start + names.end);
                parts.push(TemplatePart::Placeholder { path, range });
            }
            Err(label) => {
                diagnostics.push(bad(open..close + 2, "a placeholder that can't be read").with_label(label).with_help(
                    "a placeholder is a measure's name, or a property of one: `{{ airport }}`, `{{ airport.name }}`",
                ))
            }
        }
        at = close + 2;
    }
    push_text(&mut parts, &text[at..], at, &mut diagnostics);
    (Template { parts }, diagnostics)
}

fn push_text(parts: &mut Vec<TemplatePart>, text: &str, at: usize, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(close) = text.find("}}") {
        diagnostics
            .push(bad(at + close..at + close + 2, "`}}` that closes nothing").with_label("expected `{{` before this"));
    }
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text.to_owned()));
    }
}

/// The names of a placeholder and their place in it.
fn placeholder(inside: &str) -> Result<(Vec<String>, Range<usize>), &'static str> {
    let names = inside.trim();
    if names.is_empty() {
        return Err("expected a name between the braces");
    }
    if names.contains('|') {
        return Err("formats after `|` are not supported");
    }
    let path: Vec<String> = names.split('.').map(|n| n.trim().to_owned()).collect();
    let is_name = |n: &String| {
        n.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()))
            && !n.is_empty()
    };
    if !path.iter().all(is_name) {
        return Err("expected names with dots between them");
    }
    let start = inside.len() - inside.trim_start().len();
    Ok((path, start..start + names.len()))
}

fn bad(range: Range<usize>, message: &str) -> Diagnostic {
    Diagnostic::new(Code::BadTemplate, Span::new(range.start as u32, range.end as u32), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Vec<TemplatePart>, usize) {
        let (template, diagnostics) = parse_template(text, &SourceMap::whole(0..text.len()));
        (template.parts, diagnostics.len())
    }

    #[test]
    fn text_and_placeholders_are_told_apart() {
        let (parts, mistakes) = parse("{{ key }} left {{a.b}}!");
        assert_eq!(mistakes, 0);
        let key = TemplatePart::Placeholder { path: vec!["key".into()], range: 3..6 };
        let ab = TemplatePart::Placeholder { path: vec!["a".into(), "b".into()], range: 17..20 };
        assert_eq!(parts, [key, TemplatePart::Text(" left ".into()), ab, TemplatePart::Text("!".into())]);
        assert_eq!(parse(""), (vec![], 0));
    }

    #[test]
    fn malformed_templates_are_mistakes() {
        for text in ["{{ a", "{{ }}", "{{ a b }}", "{{ a | upper }}", "a }} b", "{{ a. }}", "{{ 1a }}"] {
            assert_eq!(parse(text).1, 1, "{text}");
        }
    }
}
