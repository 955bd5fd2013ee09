//! The pattern and the clauses that go with it: `WITHIN`, `DEFINE`, `AFTER MATCH`, rows per match.

use nom::{Parser, branch::alt, combinator::map};

use super::{
    clause::{clause_for_sure, clause_here, clause_misspelt, is_reserved},
    expr::{close, expression},
    input::{Parsed, Tokens, must_word, must_words, name, word},
    literal::quantity,
    recover::{Resume, is_definition, next_definition},
    step::step,
    token::{Kind, Sign},
};
use crate::lang::{
    ast::{Connector, Definition, Group, GroupKind, RowsPerMatch, Sequence, Skip, SkipTarget, Step, Within},
    diag::{Code, Diagnostic},
    span::{Span, Spanned},
};

/// `a -> b+ c`, after the word `PATTERN`.
pub(super) fn pattern(i: Tokens<'_>) -> Parsed<'_, Sequence> {
    let (i, pattern) = sequence(i, false)?;
    let what = match i.peek().kind {
        Kind::Sign(Sign::Pipe | Sign::PipePipe) => "an alternative",
        Kind::Sign(Sign::Amp | Sign::AmpAmp) => "a permutation",
        _ => return Ok((i, pattern)),
    };
    i.fail(
        Diagnostic::new(Code::AmbiguousPattern, i.span(), format!("{what} outside of parentheses"))
            .with_label("what belongs to it?")
            .with_help("put it in parentheses: `a -> (b | c) -> d`"),
    )
}

/// Steps up to what can be none.
pub(super) fn sequence(i: Tokens<'_>, in_group: bool) -> Parsed<'_, Sequence> {
    let start = i.span();
    let (mut i, first) = step(i, None, in_group)?;
    let mut steps = vec![first];
    while let Some((rest, connector)) = connector(i) {
        let (rest, next) = step(rest, Some(connector), in_group)?;
        warn_of_quarrel(rest, steps.last(), &next);
        steps.push(next);
        i = rest;
    }
    Ok((i, Sequence { steps, span: i.span_from(start) }))
}

/// How the next step follows, if there is one.
fn connector(i: Tokens<'_>) -> Option<(Tokens<'_>, Spanned<Connector>)> {
    let token = i.peek();
    let connector = match token.kind {
        Kind::Sign(Sign::Arrow) => Connector::Relaxed,
        Kind::Sign(Sign::ArrowAny) => Connector::Any,
        // Side by side: nothing stands between.
        Kind::Sign(Sign::Bang | Sign::Open) | Kind::Quoted => {
            return Some((i, Spanned::new(Connector::Strict, Span::at(token.span.start))));
        }
        Kind::Word if begins_step(i) => return Some((i, Spanned::new(Connector::Strict, Span::at(token.span.start)))),
        _ => return None,
    };
    Some((i.next(), Spanned::new(connector, token.span)))
}

/// Whether the word here, side by side with the step before, is a variable.
pub(super) fn begins_step(i: Tokens<'_>) -> bool {
    clause_here(i).is_none() && !is_reserved(i.peek().text) && clause_misspelt(i).is_none()
}

/// `->> !b` has no meaning of its own.
fn warn_of_quarrel(i: Tokens<'_>, before: Option<&Step>, step: &Step) {
    if let (Some(_), Some(negated), Some(connector)) = (before, step.negated, step.connector)
        && connector.value == Connector::Any
    {
        i.report(
            Diagnostic::new(Code::BadStep, connector.span.to(negated), "`->>` before an absence")
                .with_label("expected `->` or nothing before `!`")
                .with_help("`-> !b` means that b must not occur in between, `!b` that it must not be next"),
        );
    }
}

/// A pattern in parentheses, from the opening one on.
pub(super) fn group(start: Tokens<'_>) -> Parsed<'_, Group> {
    let open = start.span();
    let (mut i, first) = start.next().deeper(|i| sequence(i, true))?;
    let mut members = vec![first];
    let mut kind = GroupKind::Sequence;
    loop {
        let token = i.peek();
        let joined = match token.kind {
            Kind::Sign(Sign::Pipe | Sign::PipePipe) => GroupKind::Alternation,
            Kind::Sign(Sign::Amp | Sign::AmpAmp) => GroupKind::Permutation,
            _ => break,
        };
        if kind != GroupKind::Sequence && kind != joined {
            return i.fail(
                Diagnostic::new(Code::AmbiguousPattern, token.span, "`|` and `&` in one group")
                    .with_label("which binds first?")
                    .with_help("put one of them in parentheses of its own: `(a | (b & c))`"),
            );
        }
        if matches!(token.kind, Kind::Sign(Sign::PipePipe | Sign::AmpAmp)) {
            let sign = &token.text[..1];
            i.report(
                Diagnostic::new(Code::UnexpectedToken, token.span, format!("unexpected `{}`", token.text))
                    .with_label(format!("expected `{sign}`")),
            );
        }
        kind = joined;
        let (rest, next) = i.next().deeper(|i| sequence(i, true))?;
        members.push(next);
        i = rest;
    }
    let i = close(i, open, "the group")?;
    Ok((i, Group { kind, members, span: i.span_from(open) }))
}

/// `d` or `UNBOUNDED`, after the word `WITHIN`.
pub(super) fn within(i: Tokens<'_>) -> Parsed<'_, Within> {
    if i.is_word("UNBOUNDED") {
        return Ok((i.next(), Within::Unbounded(i.span())));
    }
    match quantity(i) {
        Err(nom::Err::Error(_)) => i.unexpected("a duration such as `45 min`, or `UNBOUNDED`"),
        result => result.map(|(i, d)| (i, Within::Duration(d))),
    }
}

/// The definitions after the word `DEFINE`. A bad one is reported and left out; the others still count.
pub(super) fn definitions(mut i: Tokens<'_>) -> Parsed<'_, Vec<Definition>> {
    let mut all = Vec::new();
    loop {
        let start = i;
        let mistake = match definition(i) {
            Ok((rest, definition)) => {
                all.push(definition);
                i = rest;
                if i.is_sign(Sign::Comma) {
                    i = i.next();
                    continue;
                }
                if i.is_word("AS") && i.before().is_some_and(|t| t.kind == Kind::Word) {
                    // `x > 2 b AS …`: what was read as the unit of a number is the next variable.
                    i = i.at_index(i.index() - 1);
                }
                if !is_definition(i) {
                    return Ok((i, all));
                }
                // A comma was forgotten: say so, and go on.
                i.report(i.surprise("`,` between two definitions"));
                continue;
            }
            Err(nom::Err::Failure(mistake) | nom::Err::Error(mistake)) => mistake,
            Err(incomplete) => return Err(incomplete),
        };
        match next_definition(start, mistake) {
            Resume::Entry(place) => i = place,
            Resume::Clause(place) => return Ok((place, all)),
        }
    }
}

/// `name [FROM stream] AS condition`.
fn definition(start: Tokens<'_>) -> Parsed<'_, Definition> {
    if let Some(clause) = clause_for_sure(start) {
        let help = format!("the clause {} begins here; a comma stands between definitions only", clause.words());
        return start.fail(start.surprise("a variable's name and `AS`").with_help(help));
    }
    let (mut i, variable) = name("a variable's name and `AS`")(start)?;
    let mut from = None;
    if i.is_word("FROM") {
        let (rest, stream) = name("a stream's name")(i.next())?;
        from = Some(stream);
        i = rest;
    }
    let (i, _) = must_word("AS")(i)?;
    let (i, condition) = expression(i)?;
    Ok((i, Definition { name: variable, from, condition, span: i.span_from(start.span()) }))
}

/// `AFTER MATCH …`, from its first word on.
pub(super) fn after_match(start: Tokens<'_>) -> Parsed<'_, Skip> {
    let (i, _) = must_words(&["AFTER", "MATCH"])(start)?;
    if i.is_word("SKIP") && i.ahead(1).is_word("TO") {
        let (i, target) = skip_to(i.next().next())?;
        return Ok((i, Skip { target, span: i.span_from(start.span()) }));
    }
    // `SKIP` before `NO SKIP` or `EAGER` is forgiven: that is how the two are read aloud.
    let i = if i.is_word("SKIP") { i.next() } else { i };
    let target = alt((
        map((word("NO"), must_word("SKIP")), |_| SkipTarget::NoSkip),
        map((word("PAST"), must_words(&["LAST", "ROW"])), |_| SkipTarget::PastLastRow),
        map(word("EAGER"), |_| SkipTarget::Eager),
    ))
    .parse(i);
    match target {
        Ok((i, target)) => Ok((i, Skip { target, span: i.span_from(start.span()) })),
        Err(nom::Err::Error(_)) => i.unexpected(
            "`SKIP PAST LAST ROW`, `SKIP TO NEXT ROW`, `SKIP TO FIRST v`, `SKIP TO LAST v`, `NO SKIP` or `EAGER`",
        ),
        Err(failure) => Err(failure),
    }
}

/// After `SKIP TO`.
fn skip_to(i: Tokens<'_>) -> Parsed<'_, SkipTarget> {
    if i.is_word("NEXT") && i.ahead(1).is_word("ROW") {
        return Ok((i.next().next(), SkipTarget::ToNextRow));
    }
    let first = i.is_word("FIRST");
    if !first && !i.is_word("LAST") {
        return i.unexpected("`NEXT ROW`, `FIRST` or `LAST` and a variable");
    }
    let (mut i, variable) = name("a variable's name")(i.next())?;
    let or_fail = i.is_word("OR");
    if or_fail {
        (i, _) = must_words(&["OR", "FAIL"])(i)?;
    }
    let target =
        if first { SkipTarget::ToFirst { variable, or_fail } } else { SkipTarget::ToLast { variable, or_fail } };
    Ok((i, target))
}

/// `ONE ROW PER MATCH`, `ALL ROWS PER MATCH`, from the first word on.
pub(super) fn rows_per_match(i: Tokens<'_>) -> Parsed<'_, Spanned<RowsPerMatch>> {
    let (rows, words): (_, &'static [&'static str]) = if i.is_word("ALL") {
        (RowsPerMatch::All, &["ALL", "ROWS", "PER", "MATCH"])
    } else {
        (RowsPerMatch::One, &["ONE", "ROW", "PER", "MATCH"])
    };
    let (i, span) = must_words(words)(i)?;
    Ok((i, Spanned::new(rows, span)))
}
