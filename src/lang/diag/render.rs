//! Diagnostics as text for a terminal or a log: place, source line, underline, help.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Code, Diagnostic, Severity};

/// One mistake, with its place in a file. [`Diagnostic`] is the same inside of one expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiagnostic {
    /// The kind of mistake; it decides the severity.
    pub code: Code,
    /// What to underline: bytes of the file's text.
    pub range: Range<usize>,
    /// One line: what is wrong.
    pub message: String,
    /// Beside the underline. May be empty.
    pub label: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl FileDiagnostic {
    /// A mistake with nothing but its message.
    #[must_use]
    pub fn new(code: Code, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, range, message: message.into(), label: String::new(), help: None }
    }

    /// A mistake of an expression, at its place in the file.
    #[must_use]
    pub fn placed(diagnostic: Diagnostic, range: Range<usize>) -> Self {
        let Diagnostic { code, message, label, help, .. } = diagnostic;
        Self { code, range, message, label, help }
    }

    /// Says something beside the underline.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says how to put it right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Warning or error.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether it stops the rule.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// Whether text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// None: for files, pipes and golden texts.
    Plain,
    /// ANSI colours: for a terminal.
    Coloured,
}

/// The line and the column, both from 1, of a byte of a text. The column counts characters, not bytes; a place past
/// the end is the end.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let at = floor_boundary(text, at);
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Writes one diagnostic with the lines of `text` that it is about; `path` is only shown. No line break at the end.
///
/// Ranges outside of the text are cut to it. Cost: the length of the text up to the place.
#[must_use]
pub fn render(diagnostic: &FileDiagnostic, path: &str, text: &str, style: Style) -> String {
    let start = floor_boundary(text, diagnostic.range.start);
    let end = floor_boundary(text, diagnostic.range.end.max(start));
    // Only the lines concerned are handed on; a long range shows its first lines.
    let first = text[..start].rfind('\n').map_or(0, |n| n + 1);
    let last = text[end..].find('\n').map_or(text.len(), |n| end + n);
    let lines = lines_of(&text[first..last], 4);
    let clip = |at: usize| floor_boundary(lines, at - first);
    let span = clip(start)..clip(end);
    let annotation = AnnotationKind::Primary.span(span).label(diagnostic.label.as_str());
    let snippet =
        Snippet::source(lines).path(path).line_start(text[..first].matches('\n').count() + 1).annotation(annotation);
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.text());
    let mut group: Group<'_> = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    renderer.render(&[group])
}

/// The first lines of a text, without the carriage return of the last.
fn lines_of(text: &str, count: usize) -> &str {
    let end = text.match_indices('\n').nth(count - 1).map_or(text.len(), |(at, _)| at);
    text[..end].trim_end_matches('\r')
}

/// The nearest start of a character at or before a byte, within the text.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
