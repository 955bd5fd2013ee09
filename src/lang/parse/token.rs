//! Tokens: the words, numbers, texts and signs of the language, each with its place. Comments and blanks leave none.

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::{char, digit1, multispace1, one_of},
    combinator::{map, opt, recognize, value},
    multi::fold_many0,
    sequence::{pair, preceded},
};

use super::input::shortened;
use crate::lang::{
    diag::{Code, Diagnostic},
    span::Span,
};

/// A piece of the text that the grammar sees as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// As written; quotes included.
    pub(super) text: &'a str,
    /// Where.
    pub(super) span: Span,
}

/// The kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A letter or `_`, then letters, digits and `_`: a keyword or a name.
    Word,
    /// A name in back-ticks.
    Quoted,
    /// Digits.
    Int,
    /// Digits with a point or an exponent.
    Float,
    /// A text in single quotes.
    Text,
    /// Anything else that means something.
    Sign(Sign),
    /// The end of the text.
    End,
}

/// The signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// `->`
    Arrow,
    /// `->>`
    ArrowAny,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `=` or `==`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `!`
    Bang,
    /// `?`
    Question,
    /// `|`
    Pipe,
    /// `||`
    PipePipe,
    /// `&`
    Amp,
    /// `&&`
    AmpAmp,
}

/// Cuts a text into tokens; the last is always [`Kind::End`]. What is no token is reported and left out.
pub(super) fn tokenize(text: &str) -> (Vec<Token<'_>>, Vec<Diagnostic>) {
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut rest = blanks(text);
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        let (after, kind) = match token(rest) {
            Ok((after, kind)) => (after, Some(kind)),
            Err(_) => match mistake(rest) {
                Mistake::Text(after) => (after, Some(Kind::Text)),
                Mistake::Name(after) => (after, Some(Kind::Quoted)),
                Mistake::Nothing(after) => (after, None),
            },
        };
        let end = text.len() - after.len();
        let span = Span::new(start as u32, end as u32);
        let piece = &text[start..end];
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: piece, span });
        }
        if let Some(diagnostic) = complaint(kind, piece, span) {
            match diagnostics.last_mut() {
                // One diagnostic for a run of strange characters.
                Some(last) if kind.is_none() && last.code == Code::UnknownCharacter && last.span.end == span.start => {
                    last.span = last.span.to(span);
                }
                _ => diagnostics.push(diagnostic),
            }
        }
        rest = blanks(after);
    }
    tokens.push(Token { kind: Kind::End, text: "", span: Span::at(text.len() as u32) });
    (tokens, diagnostics)
}

/// Skips blanks and comments.
fn blanks(text: &str) -> &str {
    let comment = preceded(tag::<_, _, ()>("--"), take_while(|c| c != '\n'));
    let mut all = fold_many0(alt((multispace1, comment)), || (), |(), _| ());
    all.parse(text).map_or(text, |(rest, ())| rest)
}

fn token(text: &str) -> IResult<&str, Kind, ()> {
    alt((word, number, map(string, |_| Kind::Text), map(quoted, |_| Kind::Quoted), map(sign, Kind::Sign))).parse(text)
}

fn word(text: &str) -> IResult<&str, Kind, ()> {
    let first = take_while1(|c: char| c.is_ascii_alphabetic() || c == '_');
    let more = take_while(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let (rest, kind) = value(Kind::Word, pair(first, more)).parse(text)?;
    // A word with letters of another script is one mistake, not a word and the rest of it.
    if rest.starts_with(char::is_alphabetic) { Err(nom::Err::Error(())) } else { Ok((rest, kind)) }
}

fn number(text: &str) -> IResult<&str, Kind, ()> {
    let fraction = pair(char('.'), digit1);
    let exponent = (one_of("eE"), opt(one_of("+-")), digit1);
    let (rest, (_, fraction, exponent)) = (digit1, opt(recognize(fraction)), opt(recognize(exponent))).parse(text)?;
    let kind = if fraction.is_none() && exponent.is_none() { Kind::Int } else { Kind::Float };
    Ok((rest, kind))
}

/// `'it''s'`, on one line.
fn string(text: &str) -> IResult<&str, &str, ()> {
    let piece = take_while1(|c| c != '\'' && c != '\n' && c != '\r');
    let inside = fold_many0(alt((piece, tag("''"))), || (), |(), _| ());
    recognize((char('\''), inside, char('\''))).parse(text)
}

/// A name in back-ticks, on one line, not empty.
fn quoted(text: &str) -> IResult<&str, &str, ()> {
    recognize((char('`'), take_while1(|c| c != '`' && c != '\n' && c != '\r'), char('`'))).parse(text)
}

fn sign(text: &str) -> IResult<&str, Sign, ()> {
    // Longer ones first.
    let long = alt((
        value(Sign::ArrowAny, tag("->>")),
        value(Sign::Arrow, tag("->")),
        value(Sign::DotDot, tag("..")),
        value(Sign::Equal, tag("==")),
        value(Sign::NotEqual, alt((tag("!="), tag("<>")))),
        value(Sign::LessEqual, tag("<=")),
        value(Sign::GreaterEqual, tag(">=")),
        value(Sign::PipePipe, tag("||")),
        value(Sign::AmpAmp, tag("&&")),
    ));
    let brackets = alt((
        value(Sign::Open, char('(')),
        value(Sign::Close, char(')')),
        value(Sign::OpenBrace, char('{')),
        value(Sign::CloseBrace, char('}')),
        value(Sign::Comma, char(',')),
        value(Sign::Dot, char('.')),
    ));
    let short = alt((
        value(Sign::Plus, char('+')),
        value(Sign::Minus, char('-')),
        value(Sign::Star, char('*')),
        value(Sign::Slash, char('/')),
        value(Sign::Percent, char('%')),
        value(Sign::Equal, char('=')),
        value(Sign::Less, char('<')),
        value(Sign::Greater, char('>')),
        value(Sign::Bang, char('!')),
        value(Sign::Question, char('?')),
        value(Sign::Pipe, char('|')),
        value(Sign::Amp, char('&')),
    ));
    alt((long, brackets, short)).parse(text)
}

/// What to go on with where no token begins; the value is the text after it.
enum Mistake<'a> {
    /// Stands for a text.
    Text(&'a str),
    /// Stands for a name.
    Name(&'a str),
    /// Left out.
    Nothing(&'a str),
}

fn mistake(rest: &str) -> Mistake<'_> {
    // Each arm looks no further than what it takes, so that many mistakes in a row stay linear.
    let until = |from: usize, stop: &dyn Fn(char) -> bool| {
        rest.get(from..).and_then(|r| r.find(stop)).map_or(rest.len(), |at| from + at)
    };
    let is_break = |c: char| c == '\n' || c == '\r';
    let mut characters = rest.char_indices();
    let first = characters.next().map_or(' ', |(_, c)| c);
    let second = characters.next().map_or(rest.len(), |(at, _)| at);
    match first {
        '\'' => Mistake::Text(&rest[until(0, &is_break)..]),
        '"' => {
            let end = until(1, &|c| c == '"' || is_break(c));
            let end = if rest[end..].starts_with('"') { end + 1 } else { end };
            Mistake::Text(&rest[end..])
        }
        '`' if rest.starts_with("``") => Mistake::Name(&rest[2..]),
        // To the end of the word, so that the rest of the line still counts.
        '`' => Mistake::Name(&rest[until(1, &|c| !c.is_ascii_alphanumeric() && c != '_')..]),
        _ if first.is_alphabetic() || first == '_' => {
            Mistake::Name(&rest[until(0, &|c| !c.is_alphanumeric() && c != '_')..])
        }
        _ => Mistake::Nothing(&rest[second..]),
    }
}

/// What is wrong with a piece, judged from how it begins and ends.
fn complaint(kind: Option<Kind>, piece: &str, span: Span) -> Option<Diagnostic> {
    let closed = |quote: char| piece.len() > 1 && piece.ends_with(quote);
    match kind {
        Some(Kind::Text) if piece.starts_with('"') => Some(
            Diagnostic::new(Code::UnknownCharacter, span, "texts stand in single quotes")
                .with_label("double quotes mean nothing here")
                .with_help(format!(
                    "write `'{}'`; names with strange characters stand in back-ticks",
                    piece.trim_matches('"')
                )),
        ),
        // `string` gave it a closing quote, or it is the rest of a line.
        Some(Kind::Text) if string(piece).is_err() => Some(
            Diagnostic::new(Code::UnclosedText, span, "a text without its closing quote")
                .with_label("expected `'` before the end of the line")
                .with_help("a quote inside a text is written twice: `'it''s'`"),
        ),
        Some(Kind::Quoted) if !piece.starts_with('`') => Some(
            Diagnostic::new(Code::UnknownCharacter, span, format!("`{}` is no word of the language", shortened(piece)))
                .with_label("letters other than a to z")
                .with_help("a name with such letters stands in back-ticks"),
        ),
        Some(Kind::Quoted) if piece == "``" => Some(
            Diagnostic::new(Code::UnclosedText, span, "an empty name")
                .with_label("expected a name between the back-ticks"),
        ),
        Some(Kind::Quoted) if !closed('`') => Some(
            Diagnostic::new(Code::UnclosedText, span, "a name without its closing back-tick")
                .with_label("expected a back-tick before the end of the line"),
        ),
        None => {
            let diagnostic = Diagnostic::new(Code::UnknownCharacter, span, format!("`{piece}` means nothing here"));
            Some(match piece {
                ";" => {
                    diagnostic.with_label("not needed").with_help("a rule has one expression, which needs no end mark")
                }
                _ => diagnostic
                    .with_label("no part of the language")
                    .with_help("a name with characters other than letters, digits and `_` stands in back-ticks"),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokenize(text).0.iter().map(|t| t.text).collect()
    }

    #[test]
    fn the_longest_sign_wins() {
        assert_eq!(
            texts("a->>b->c-d>=1<>2..3"),
            ["a", "->>", "b", "->", "c", "-", "d", ">=", "1", "<>", "2", "..", "3", ""]
        );
    }

    #[test]
    fn numbers_leave_units_and_ranges_alone() {
        assert_eq!(
            texts("1.5e3 2e 3.4 5km/h 1..2"),
            ["1.5e3", "2", "e", "3.4", "5", "km", "/", "h", "1", "..", "2", ""]
        );
    }

    #[test]
    fn comments_and_blanks_leave_no_token() {
        assert_eq!(texts("a -- 'b' ->\r\n--\n  c--"), ["a", "c", ""]);
    }

    #[test]
    fn quotes_hold_texts_and_names() {
        assert_eq!(texts("'it''s' `WITHIN` ''"), ["'it''s'", "`WITHIN`", "''", ""]);
    }

    #[test]
    fn every_strange_piece_is_one_complaint() {
        for (text, code) in [
            ("a = 'b", Code::UnclosedText),
            ("a = 'b''", Code::UnclosedText),
            ("`a -> b", Code::UnclosedText),
            ("``", Code::UnclosedText),
            ("a = \"b\"", Code::UnknownCharacter),
            ("a €€ b", Code::UnknownCharacter),
            ("a;", Code::UnknownCharacter),
            ("a = spëëd", Code::UnknownCharacter),
        ] {
            let codes: Vec<Code> = tokenize(text).1.iter().map(|d| d.code).collect();
            assert_eq!(codes, [code], "{text}");
        }
    }
}
