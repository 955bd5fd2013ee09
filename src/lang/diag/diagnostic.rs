//! One mistake in one rule's expression.

use super::{Code, Severity};
use crate::lang::span::Span;

/// One mistake, with its place in the rule's `expr` text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of mistake; it decides the severity.
    pub code: Code,
    /// What to underline.
    pub span: Span,
    /// One line: what is wrong, in lower case, the user's own words in back-ticks.
    pub message: String,
    /// Beside the underline: mostly what was expected there. May be empty.
    pub label: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake with nothing but its message.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), label: String::new(), help: None }
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
