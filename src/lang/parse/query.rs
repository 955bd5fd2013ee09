//! A whole query: clause after clause.

use super::{
    TEXT_MAX_BYTES,
    clause::{clause_here, clause_misspelt, inside_of, nearest_clause, other_join, ours_for},
    draft::Draft,
    input::{Mistake, Shared, Tokens},
    recover::next_clause,
    token::{Kind, Sign, tokenize},
};
use crate::lang::{
    ast::Query,
    diag::{Code, Diagnostic},
    span::Span,
};

/// Reads the text of one rule.
///
/// Gives a query exactly if there is no error among the diagnostics, which come in the order of their places.
/// Cost: linear in the text.
#[must_use]
pub fn parse_query(text: &str) -> (Option<Query>, Vec<Diagnostic>) {
    if text.len() > TEXT_MAX_BYTES {
        let message = format!("an expression of {} bytes, beyond the limit of {TEXT_MAX_BYTES}", text.len());
        let diagnostic = Diagnostic::new(Code::TooLong, Span::at(0), message)
            .with_label("begins here")
            .with_help("split it over several rules: one makes a stream that the next reads");
        return (None, vec![diagnostic]);
    }
    let (tokens, complaints) = tokenize(text);
    if let [end] = tokens.as_slice()
        && complaints.is_empty()
    {
        let diagnostic = Diagnostic::new(Code::EmptyText, end.span, "an empty expression")
            .with_label("expected a rule")
            .with_help("a rule begins with the streams that it reads: `FROM pings`");
        return (None, vec![diagnostic]);
    }
    let shared = Shared::new(tokens, complaints);
    let query = clauses(shared.start()).filter(|_| !shared.has_errors());
    (query, shared.into_diagnostics())
}

fn clauses(start: Tokens<'_>) -> Option<Query> {
    let mut draft = Draft::default();
    let mut i = start;
    while !i.is_end() {
        let clause = clause_here(i).or_else(|| {
            let (clause, word) = clause_misspelt(i)?;
            i.report(unknown(i).with_help(format!("did you mean `{word}`?")));
            Some(clause)
        });
        let result = match clause {
            Some(clause) => draft.read(clause, i),
            None => Err(nom::Err::Failure(Mistake { at: i.index(), diagnostic: Some(Box::new(no_clause(i))) })),
        };
        i = match result {
            Ok(rest) => rest,
            Err(nom::Err::Failure(mistake) | nom::Err::Error(mistake)) => next_clause(i, mistake),
            // Nothing here waits for more input.
            Err(nom::Err::Incomplete(_)) => i.next(),
        };
    }
    draft.finish(i)
}

/// What stands here begins no clause.
fn no_clause(i: Tokens<'_>) -> Diagnostic {
    let token = i.peek();
    match token.kind {
        Kind::Sign(Sign::Close) => {
            i.surprise("the next clause, or the end").with_help("there is no `(` that this one closes")
        }
        Kind::Word if i.index() == 0 => {
            let near = ours_for(token.text).or_else(|| nearest_clause(token.text));
            let help = near.map_or_else(
                || "a rule begins with the streams that it reads: `FROM pings`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            i.surprise("`FROM`").with_help(help)
        }
        Kind::Word if !super::clause::is_reserved(token.text) => {
            let help = if let Some(instead) = other_join(i) {
                Some(instead.to_owned())
            } else if let Some(outer) = inside_of(token.text) {
                Some(format!("{} stands straight after {outer}", token.text.to_uppercase()))
            } else if let Some(ours) = ours_for(token.text) {
                Some(format!("here that is {ours}"))
            } else {
                nearest_clause(token.text).map(|near| format!("did you mean `{near}`?"))
            };
            let diagnostic = unknown(i);
            match help {
                Some(help) => diagnostic.with_help(help),
                None => diagnostic,
            }
        }
        _ => i.surprise("an operator, the next clause, or the end"),
    }
}

fn unknown(i: Tokens<'_>) -> Diagnostic {
    let message = format!("`{}` begins no clause", super::input::shortened(i.peek().text));
    Diagnostic::new(Code::UnknownClause, i.span(), message).with_label("expected an operator, a clause, or the end")
}
