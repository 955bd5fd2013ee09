//! Syntax tree to canonical text: one blank between tokens, keywords in capitals, clauses in a fixed order.
//!
//! A rule's fingerprint is taken from this text, so layout, comments and the case of keywords don't change it. Reading it
//! again gives the same tree, places apart.

mod clauses;
mod expr;
mod pattern;

use super::ast::{Expr, Query, Sequence};

/// The canonical text of a query, on one line.
#[must_use]
pub fn print_query(query: &Query) -> String {
    let mut out = Printer::default();
    out.query(query);
    out.text
}

/// The canonical text of an expression.
#[must_use]
pub fn print_expr(expr: &Expr) -> String {
    let mut out = Printer::default();
    out.expr(expr);
    out.text
}

/// The canonical text of a pattern.
#[must_use]
pub fn print_pattern(pattern: &Sequence) -> String {
    let mut out = Printer::default();
    out.sequence(pattern);
    out.text
}

/// Text that grows, with a blank before each piece that wants one.
#[derive(Default)]
struct Printer {
    text: String,
}

impl Printer {
    /// A piece that follows a blank, unless it is the first or follows an opening parenthesis.
    fn put(&mut self, piece: &str) {
        if !self.text.is_empty() && !self.text.ends_with(['(', ' ']) {
            self.text.push(' ');
        }
        self.text.push_str(piece);
    }

    /// A piece that follows directly.
    fn glue(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// Entries with commas between them.
    fn list<T>(&mut self, entries: &[T], mut entry: impl FnMut(&mut Self, &T)) {
        for (n, one) in entries.iter().enumerate() {
            if n > 0 {
                self.glue(",");
            }
            entry(self, one);
        }
    }
}

#[cfg(test)]
mod tests;
