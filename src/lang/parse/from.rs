//! What a rule reads: `FROM`, `THROUGH`, `NEAR`, `JOIN`, `LOOKUP`, `UNNEST`.

use super::{
    clause::{clause_here, clause_misspelt, is_reserved, other_join},
    cluster::put,
    expr::expression,
    input::{Parsed, Tokens, list, must_word, must_words, name, name_of},
    literal::{count, duration, must_quantity},
    token::{Kind, Sign},
};
use crate::lang::ast::{
    Align, InterpolateClause, JoinBounds, JoinClause, JoinKind, LookupClause, NearClause, Number, Quantity, Source,
    ThroughClause, UnnestClause,
};

/// Words that go on with `NEAR` and `JOIN` after a source.
const NEAR_WORDS: &[&str] = &["LEAVE", "EVERY", "MAX", "ON", "ALIGN"];

/// `stream [[AS] alias]`.
pub(super) fn source(start: Tokens<'_>) -> Parsed<'_, Source> {
    let (mut i, stream) = name("a stream's name")(start)?;
    let mut alias = None;
    if i.is_word("AS") {
        let (rest, given) = name("another name for the stream")(i.next())?;
        (i, alias) = (rest, Some(given));
    } else if is_alias(i) {
        alias = Some(name_of(i.peek()));
        i = i.next();
    }
    Ok((i, Source { stream, alias, span: i.span_from(start.span()) }))
}

/// Whether the token here is an alias rather than the next clause or part of one.
fn is_alias(i: Tokens<'_>) -> bool {
    let token = i.peek();
    let part = |w: &&str| token.is_word(w);
    token.kind == Kind::Quoted
        || (token.kind == Kind::Word
            && !is_reserved(token.text)
            && clause_here(i).is_none()
            && clause_misspelt(i).is_none()
            && other_join(i).is_none()
            && !NEAR_WORDS.iter().any(part)
            && goes_on(i.next()))
}

/// Whether the clause can go on here: else the word before begins no clause, rather than being an alias.
fn goes_on(i: Tokens<'_>) -> bool {
    let token = i.peek();
    match token.kind {
        Kind::End | Kind::Sign(Sign::Comma) => true,
        Kind::Word => {
            clause_here(i).is_some()
                || clause_misspelt(i).is_some()
                || other_join(i).is_some()
                || NEAR_WORDS.iter().any(|w| token.is_word(w))
        }
        _ => false,
    }
}

/// The sources after the word `FROM`.
pub(super) fn sources(i: Tokens<'_>) -> Parsed<'_, Vec<Source>> {
    list(source)(i)
}

/// `THROUGH sets [BUFFER d] [AT LEAST n EVENTS] [FIRST …]`, from the word on.
pub(super) fn through(start: Tokens<'_>) -> Parsed<'_, ThroughClause> {
    let (mut i, sets) = list(name("a geofence set's name"))(start.next())?;
    let (mut buffer, mut at_least, mut first_enters) = (None, None, None);
    loop {
        i = if i.is_word("BUFFER") {
            put(i, &mut buffer, must_quantity("a distance such as `30 m`")(i.next())?)
        } else if i.is_word("AT") && i.ahead(1).is_word("LEAST") {
            let (rest, number) = count(i.next().next())?;
            let (rest, _) = must_word("EVENTS")(rest)?;
            put(i, &mut at_least, (rest, number))
        } else if i.is_word("FIRST") {
            match i.ahead(1) {
                word if word.is_word("ENTERS") => put(i, &mut first_enters, (i.next().next(), true)),
                word if word.is_word("IGNORED") => put(i, &mut first_enters, (i.next().next(), false)),
                _ => return i.next().unexpected("`ENTERS` or `IGNORED`"),
            }
        } else {
            break;
        };
    }
    Ok((i, ThroughClause { sets, buffer, at_least, first_enters, span: i.span_from(start.span()) }))
}

/// `INTERPOLATE [MAX GAP d]`, from the word on.
pub(super) fn interpolate(start: Tokens<'_>) -> Parsed<'_, InterpolateClause> {
    let (mut i, mut max_gap) = (start.next(), None);
    if i.is_word("MAX") {
        let (rest, _) = must_words(&["MAX", "GAP"])(i)?;
        i = put(i, &mut max_gap, duration(rest)?);
    }
    Ok((i, InterpolateClause { max_gap, span: i.span_from(start.span()) }))
}

/// `NEAR b WITHIN 500 m …`, from the word on.
pub(super) fn near(start: Tokens<'_>) -> Parsed<'_, NearClause> {
    let (mut i, source) = source(start.next())?;
    let (mut within, mut leave_at, mut on, mut every, mut max_age, mut align) = (None, None, None, None, None, None);
    loop {
        i = if i.is_word("WITHIN") && within.is_none() {
            let (mut rest, distance) = must_quantity("a distance such as `500 m`")(i.next())?;
            let mut time = None;
            if rest.is_word("AND") {
                let (after, value) = duration(rest.next())?;
                (rest, time) = (after, Some(value));
            }
            put(i, &mut within, (rest, (distance, time)))
        } else if i.is_word("LEAVE") {
            let (rest, _) = must_words(&["LEAVE", "AT"])(i)?;
            put(i, &mut leave_at, must_quantity("a distance such as `700 m`")(rest)?)
        } else if i.is_word("ON") && !i.ahead(1).is_word("TIMEOUT") {
            put(i, &mut on, expression(i.next())?)
        } else if i.is_word("EVERY") {
            put(i, &mut every, duration(i.next())?)
        } else if i.is_word("MAX") {
            let (rest, _) = must_words(&["MAX", "AGE"])(i)?;
            put(i, &mut max_age, duration(rest)?)
        } else if i.is_word("ALIGN") {
            let between = match i.ahead(1) {
                word if word.is_word("EXTRAPOLATE") => false,
                word if word.is_word("INTERPOLATE") => true,
                _ => return i.next().unexpected("`EXTRAPOLATE` and a duration such as `30 s`"),
            };
            let (rest, bound) = duration(i.next().next())?;
            let clause = Align { between, bound, span: rest.span_from(i.span()) };
            put(i, &mut align, (rest, clause))
        } else {
            break;
        };
    }
    let Some((distance, time)) = within else {
        return i.unexpected("`WITHIN` and a distance: `NEAR pings b WITHIN 500 m`");
    };
    Ok((i, NearClause { source, distance, time, leave_at, on, every, max_age, align, span: i.span_from(start.span()) }))
}

/// `[INNER | LEFT [OUTER]] JOIN b ON condition [WITHIN a .. b | WITHIN d]`, from its first word on.
pub(super) fn join(start: Tokens<'_>) -> Parsed<'_, JoinClause> {
    let kind = if start.is_word("LEFT") { JoinKind::Left } else { JoinKind::Inner };
    let i = if start.is_word("JOIN") { start } else { start.next() };
    let i = if kind == JoinKind::Left && i.is_word("OUTER") { i.next() } else { i };
    let (i, _) = must_word("JOIN")(i)?;
    let (i, source) = source(i)?;
    let (i, _) = must_word("ON")(i)?;
    let (mut i, on) = expression(i)?;
    let mut within = None;
    if i.is_word("WITHIN") && !i.ahead(1).is_word("UNBOUNDED") {
        let (rest, from) = duration(i.next())?;
        (i, within) = if rest.is_sign(Sign::DotDot) {
            let (rest, to) = duration(rest.next())?;
            (rest, Some(JoinBounds { from, to }))
        } else {
            // One duration is how far apart they may be, whichever comes first.
            (rest, Some(JoinBounds { from: negative(&from), to: from }))
        };
    }
    Ok((i, JoinClause { kind, source, on, within, span: i.span_from(start.span()) }))
}

fn negative(quantity: &Quantity) -> Quantity {
    let value = match quantity.value {
        Number::Int(value) => Number::Int(value.saturating_neg()),
        Number::Float(value) => Number::Float(-value),
    };
    Quantity { value, ..quantity.clone() }
}

/// `LOOKUP table ON condition`, from the word on.
pub(super) fn lookup(start: Tokens<'_>) -> Parsed<'_, LookupClause> {
    let (i, table) = source(start.next())?;
    let (i, _) = must_word("ON")(i)?;
    let (i, on) = expression(i)?;
    Ok((i, LookupClause { table, on, span: i.span_from(start.span()) }))
}

/// `UNNEST list [AS name]`, from the word on.
pub(super) fn unnest(start: Tokens<'_>) -> Parsed<'_, UnnestClause> {
    let (mut i, list) = expression(start.next())?;
    let mut element = None;
    if i.is_word("AS") {
        let (rest, given) = name("a name for the element")(i.next())?;
        (i, element) = (rest, Some(given));
    }
    Ok((i, UnnestClause { list, name: element, span: i.span_from(start.span()) }))
}
