//! What the parsers of the grammar eat: a place in the tokens, and what all of them share.

use std::cell::{Cell, RefCell};

use nom::{
    IResult,
    error::{ErrorKind, ParseError},
};

use super::{
    DIAGNOSTICS_MAX, NESTING_MAX,
    clause::is_reserved,
    token::{Kind, Sign, Token},
};
use crate::lang::{
    ast::Name,
    diag::{Code, Diagnostic},
    span::Span,
};

/// A place in the tokens of one text. Small and copied freely.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    shared: &'a Shared<'a>,
    at: usize,
}

/// What all places of one text share.
pub(super) struct Shared<'a> {
    /// Ends with [`Kind::End`].
    tokens: Vec<Token<'a>>,
    log: RefCell<Vec<Diagnostic>>,
    depth: Cell<u32>,
}

/// What a parser gives: the place after, and what it read.
///
/// `Err::Error` is "not this, and nothing was read" and costs nothing; `Err::Failure` is a mistake, with its diagnostic.
pub(super) type Parsed<'a, T> = IResult<Tokens<'a>, T, Mistake>;

/// Why a parser gave nothing.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Index of the token where it happened.
    pub(super) at: usize,
    /// None for "not this".
    pub(super) diagnostic: Option<Box<Diagnostic>>,
}

impl<'a> ParseError<Tokens<'a>> for Mistake {
    fn from_error_kind(input: Tokens<'a>, _: ErrorKind) -> Self {
        Self { at: input.at, diagnostic: None }
    }

    fn append(_: Tokens<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a> Shared<'a> {
    /// Takes the tokens of a text, and what their reading had to complain about.
    pub(super) fn new(tokens: Vec<Token<'a>>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { tokens, log: RefCell::new(diagnostics), depth: Cell::new(0) }
    }

    /// The first place.
    pub(super) fn start(&'a self) -> Tokens<'a> {
        Tokens { shared: self, at: 0 }
    }

    /// Everything that was complained about, in the order of places.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut all = self.log.into_inner();
        all.sort_by_key(|d| (d.span, d.code));
        all.dedup_by_key(|d| (d.span, d.code));
        all.truncate(DIAGNOSTICS_MAX);
        all
    }

    /// Whether an error was reported.
    pub(super) fn has_errors(&self) -> bool {
        self.log.borrow().iter().any(Diagnostic::is_error)
    }
}

impl<'a> Tokens<'a> {
    /// The index of the token here.
    pub(super) fn index(self) -> usize {
        self.at
    }

    /// The same text at another index; past the end is the end.
    pub(super) fn at_index(self, at: usize) -> Self {
        Self { at: at.min(self.shared.tokens.len() - 1), ..self }
    }

    /// The token here.
    pub(super) fn peek(self) -> Token<'a> {
        self.ahead(0)
    }

    /// The token `n` further; past the end is the end.
    pub(super) fn ahead(self, n: usize) -> Token<'a> {
        self.shared.tokens[(self.at + n).min(self.shared.tokens.len() - 1)]
    }

    /// The token before, if there is one.
    pub(super) fn before(self) -> Option<Token<'a>> {
        self.at.checked_sub(1).map(|at| self.shared.tokens[at])
    }

    /// One token on.
    pub(super) fn next(self) -> Self {
        self.at_index(self.at + 1)
    }

    /// The place of the token here.
    pub(super) fn span(self) -> Span {
        self.peek().span
    }

    /// The place from the start of a token to the end of the last token before this one.
    pub(super) fn span_from(self, start: Span) -> Span {
        self.before().map_or(start, |last| start.to(last.span))
    }

    /// Whether the token here is this word, whatever its case.
    pub(super) fn is_word(self, word: &str) -> bool {
        self.ahead(0).is_word(word)
    }

    /// Whether the token here is this sign.
    pub(super) fn is_sign(self, sign: Sign) -> bool {
        self.ahead(0).is_sign(sign)
    }

    /// Whether all tokens are read.
    pub(super) fn is_end(self) -> bool {
        self.peek().kind == Kind::End
    }

    /// Reports something without stopping.
    pub(super) fn report(self, diagnostic: Diagnostic) {
        self.shared.log.borrow_mut().push(diagnostic);
    }

    /// "Not this."
    pub(super) fn miss<T>(self) -> Parsed<'a, T> {
        Err(nom::Err::Error(Mistake { at: self.at, diagnostic: None }))
    }

    /// A mistake at this token.
    pub(super) fn fail<T>(self, diagnostic: Diagnostic) -> Parsed<'a, T> {
        Err(nom::Err::Failure(Mistake { at: self.at, diagnostic: Some(Box::new(diagnostic)) }))
    }

    /// The token here is not what was expected.
    pub(super) fn unexpected<T>(self, expected: &str) -> Parsed<'a, T> {
        self.fail(self.surprise(expected))
    }

    /// The diagnostic of [`Tokens::unexpected`].
    pub(super) fn surprise(self, expected: &str) -> Diagnostic {
        let token = self.peek();
        let message = match token.kind {
            Kind::End => "the expression ends too early".to_owned(),
            _ => format!("unexpected `{}`", shortened(token.text)),
        };
        let mut diagnostic =
            Diagnostic::new(Code::UnexpectedToken, token.span, message).with_label(format!("expected {expected}"));
        if token.kind == Kind::Word && is_reserved(token.text) && expected.contains("name") {
            diagnostic = diagnostic
                .with_help(format!("it is a keyword; as a name it stands in back-ticks: `` `{}` ``", token.text));
        }
        diagnostic
    }

    /// Runs a parser one level deeper.
    pub(super) fn deeper<T>(self, parser: impl FnOnce(Self) -> Parsed<'a, T>) -> Parsed<'a, T> {
        let depth = self.shared.depth.get();
        if depth >= NESTING_MAX {
            let message = format!("nested deeper than {NESTING_MAX} levels");
            return self.fail(
                Diagnostic::new(Code::TooDeep, self.span(), message)
                    .with_label("one level too many")
                    .with_help("split it over several rules, or write fewer parentheses"),
            );
        }
        self.shared.depth.set(depth + 1);
        let result = parser(self);
        self.shared.depth.set(depth);
        result
    }
}

impl Token<'_> {
    /// Whether it is this word, whatever its case.
    pub(super) fn is_word(self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this sign.
    pub(super) fn is_sign(self, sign: Sign) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// One word, whatever its case.
pub(super) fn word<'a>(expected: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |i| if i.is_word(expected) { Ok((i.next(), i.span())) } else { i.miss() }
}

/// One sign.
pub(super) fn sign<'a>(expected: Sign) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |i| if i.is_sign(expected) { Ok((i.next(), i.span())) } else { i.miss() }
}

/// One word that must be here.
pub(super) fn must_word<'a>(expected: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |i| if i.is_word(expected) { Ok((i.next(), i.span())) } else { i.unexpected(&format!("`{expected}`")) }
}

/// Several words that must be here, one after another.
pub(super) fn must_words<'a>(expected: &'static [&'static str]) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |mut i| {
        let start = i.span();
        for w in expected {
            (i, _) = must_word(w)(i)?;
        }
        Ok((i, i.span_from(start)))
    }
}

/// A name that must be here; `what` says of what, for the message ("a stream's name").
pub(super) fn name<'a>(what: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Name> {
    move |i| {
        let token = i.peek();
        match token.kind {
            Kind::Quoted => {}
            Kind::Word if !is_reserved(token.text) => {}
            _ => return i.unexpected(what),
        }
        Ok((i.next(), name_of(token)))
    }
}

/// The name in a word or a quoted name.
pub(super) fn name_of(token: Token<'_>) -> Name {
    Name { text: token.text.trim_matches('`').to_owned(), span: token.span }
}

/// A list with commas between the entries; at least one.
pub(super) fn list<'a, T>(entry: impl Fn(Tokens<'a>) -> Parsed<'a, T>) -> impl Fn(Tokens<'a>) -> Parsed<'a, Vec<T>> {
    move |i| {
        let (mut i, first) = entry(i)?;
        let mut entries = vec![first];
        while i.is_sign(Sign::Comma) {
            let (rest, next) = entry(i.next())?;
            entries.push(next);
            i = rest;
        }
        Ok((i, entries))
    }
}

/// At most 40 letters of a user's text, for a message of one line.
pub(super) fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let head: String = letters.by_ref().take(40).collect();
    if letters.next().is_some() { format!("{head}…") } else { head }
}
