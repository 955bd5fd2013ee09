//! The cluster and the latest clause.

use super::{
    expr::expression,
    input::{Parsed, Tokens, list, must_word, must_words},
    literal::{count, duration, ratio},
};
use crate::lang::{
    ast::{ClusterClause, Confirm, Density, LatestClause, Overlap},
    diag::{Code, Diagnostic},
    span::{Span, Spanned},
};

/// `CLUSTER BY cell WHERE …`, from its first word on.
pub(super) fn cluster(start: Tokens<'_>) -> Parsed<'_, ClusterClause> {
    let (i, _) = must_words(&["CLUSTER", "BY"])(start)?;
    let (i, by) = expression(i)?;
    let (i, _) = must_word("WHERE")(i)?;
    let (mut i, hot) = expression(i)?;
    let mut clause = ClusterClause {
        by,
        hot,
        cold: None,
        min_cells: None,
        reach: None,
        density: None,
        expire: None,
        every: None,
        weight: None,
        members: None,
        confirm: None,
        overlap: None,
        survive: None,
        split: None,
        grow: None,
        move_: None,
        dense: None,
        span: start.span(),
    };
    while let Some(rest) = part(i, &mut clause)? {
        i = rest;
    }
    clause.span = i.span_from(start.span());
    Ok((i, clause))
}

/// One of the parts that come in any order, if one is here.
fn part<'a>(i: Tokens<'a>, clause: &mut ClusterClause) -> Result<Option<Tokens<'a>>, nom::Err<super::input::Mistake>> {
    let rest = if i.is_word("COLD") {
        let (rest, _) = must_words(&["COLD", "WHEN"])(i)?;
        put(i, &mut clause.cold, expression(rest)?)
    } else if i.is_word("MIN") {
        let (rest, _) = must_words(&["MIN", "CELLS"])(i)?;
        put(i, &mut clause.min_cells, count(rest)?)
    } else if i.is_word("REACH") {
        put(i, &mut clause.reach, count(i.next())?)
    } else if i.is_word("DENSITY") {
        put(i, &mut clause.density, density(i)?)
    } else if i.is_word("EXPIRE") {
        put(i, &mut clause.expire, duration(i.next())?)
    } else if i.is_word("EVERY") {
        put(i, &mut clause.every, duration(i.next())?)
    } else if i.is_word("WEIGHT") {
        put(i, &mut clause.weight, expression(i.next())?)
    } else if i.is_word("MEMBERS") {
        put(i, &mut clause.members, expression(i.next())?)
    } else if i.is_word("CONFIRM") {
        put(i, &mut clause.confirm, confirm(i)?)
    } else if i.is_word("OVERLAP") {
        put(i, &mut clause.overlap, overlap(i)?)
    } else if i.is_word("SURVIVE") {
        put(i, &mut clause.survive, ratio(i.next())?)
    } else if i.is_word("SPLIT") {
        put(i, &mut clause.split, ratio(i.next())?)
    } else if i.is_word("GROW") {
        put(i, &mut clause.grow, ratio(i.next())?)
    } else if i.is_word("MOVE") {
        put(i, &mut clause.move_, ratio(i.next())?)
    } else if i.is_word("DENSE") {
        put(i, &mut clause.dense, ratio(i.next())?)
    } else {
        return Ok(None);
    };
    Ok(Some(rest))
}

/// Fills a slot that may be filled once; gives the place after.
pub(super) fn put<'a, T>(start: Tokens<'a>, slot: &mut Option<T>, (rest, value): (Tokens<'a>, T)) -> Tokens<'a> {
    if slot.replace(value).is_some() {
        report_twice(start, rest.span_from(start.span()), &start.peek().text.to_uppercase());
    }
    rest
}

/// Says that a clause is given a second time.
pub(super) fn report_twice(i: Tokens<'_>, span: Span, what: &str) {
    i.report(Diagnostic::new(Code::ClauseTwice, span, format!("{what} is given twice")).with_label("the second one"));
}

fn density(start: Tokens<'_>) -> Parsed<'_, Density> {
    let (i, cells) = count(start.next())?;
    let (i, _) = must_word("WITHIN")(i)?;
    let (i, within) = count(i)?;
    Ok((i, Density { count: cells, within, span: i.span_from(start.span()) }))
}

fn confirm(start: Tokens<'_>) -> Parsed<'_, Confirm> {
    let (i, hits) = count(start.next())?;
    let (i, _) = must_word("OF")(i)?;
    let (i, results) = count(i)?;
    Ok((i, Confirm { hits, results, span: i.span_from(start.span()) }))
}

fn overlap(start: Tokens<'_>) -> Parsed<'_, Spanned<Overlap>> {
    let (i, _) = must_words(&["OVERLAP", "BY"])(start)?;
    let overlap = if i.is_word("CELLS") {
        Overlap::Cells
    } else if i.is_word("WEIGHT") {
        Overlap::Weight
    } else if i.is_word("MEMBERS") {
        Overlap::Members
    } else {
        return i.unexpected("`CELLS`, `WEIGHT` or `MEMBERS`");
    };
    Ok((i.next(), Spanned::new(overlap, start.span().to(i.span()))))
}

/// `LATEST BY key [MAX AGE d]`, from its first word on.
pub(super) fn latest(start: Tokens<'_>) -> Parsed<'_, LatestClause> {
    let (i, _) = must_words(&["LATEST", "BY"])(start)?;
    let (mut i, by) = list(expression)(i)?;
    let mut max_age = None;
    if i.is_word("MAX") {
        let (rest, _) = must_words(&["MAX", "AGE"])(i)?;
        i = put(i, &mut max_age, duration(rest)?);
    }
    Ok((i, LatestClause { by, max_age, span: i.span_from(start.span()) }))
}
