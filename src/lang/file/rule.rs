//! A rule as its file gives it: the managed part read, the expression still text.

use std::{collections::BTreeMap, ops::Range};

use super::{read, source_map::SourceMap, template::Template};
use crate::lang::{
    ast::Query,
    diag::{Diagnostic, FileDiagnostic, Style, render},
    parse::parse_query,
    span::Span,
};
use crate::plan::{Limits, Mode};

/// What one rule file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// The file's name, for messages only.
    pub path: String,
    /// The file's text.
    pub text: String,
    /// The rules that could be read, in the file's order. Names are unique among them.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name of the alert or of the stream: a letter or `_`, then letters, digits and `_`.
    pub name: String,
    /// Where the name stands in the file.
    pub name_range: Range<usize>,
    /// Whether it makes alerts or a stream only.
    pub kind: RuleKind,
    /// The name of its group.
    pub group: String,
    /// The expression's text.
    pub expr: String,
    /// Where the expression stands in the file.
    pub expr_map: SourceMap,
    /// Whether it runs, and who hears of its alerts.
    pub mode: Mode,
    /// Bounds on what a key may hold and put out.
    pub limits: Limits,
    /// Labels of its alerts.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its alerts.
    pub annotations: BTreeMap<String, Template>,
}

/// What a rule makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// `alert:`
    Alert,
    /// `stream:`: a derived stream, no alert.
    Stream,
}

impl RuleFile {
    /// Reads a file's text; `path` is only shown.
    ///
    /// Gives a file unless the text is no YAML or no rule file at all; rules that could not be read are left out of it
    /// and are among the diagnostics, so that the others can still be checked. Nothing may run while there is an error.
    /// Expressions are not parsed here: [`Rule::query`] does that.
    #[must_use]
    pub fn parse(path: &str, text: &str) -> (Option<Self>, Vec<FileDiagnostic>) {
        let (rules, diagnostics) = read::read(text);
        let file = rules.map(|rules| Self { path: path.to_owned(), text: text.to_owned(), rules });
        (file, diagnostics)
    }

    /// A diagnostic as text, with the lines of this file that it is about.
    #[must_use]
    pub fn render(&self, diagnostic: &FileDiagnostic, style: Style) -> String {
        render(diagnostic, &self.path, &self.text, style)
    }
}

impl Rule {
    /// Parses the expression; the diagnostics have their places in the file.
    #[must_use]
    pub fn query(&self) -> (Option<Query>, Vec<FileDiagnostic>) {
        let (query, diagnostics) = parse_query(&self.expr);
        (query, diagnostics.into_iter().map(|d| self.place(d)).collect())
    }

    /// Puts a diagnostic of the expression at its place in the file.
    #[must_use]
    pub fn place(&self, diagnostic: Diagnostic) -> FileDiagnostic {
        let range = self.expr_map.locate(diagnostic.span);
        FileDiagnostic::placed(diagnostic, range)
    }

    /// The line and the column, both from 1, in the file's text of a place in the expression.
    #[must_use]
    pub fn line_and_column(&self, span: Span, file: &str) -> (usize, usize) {
        self.expr_map.line_and_column(span, file)
    }
}
