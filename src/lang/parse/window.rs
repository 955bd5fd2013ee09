//! The window clause.

use nom::{Parser, combinator::opt};

use super::{
    expr::{close, expression, unquoted},
    input::{Parsed, Tokens, list, must_word, name, shortened, sign},
    literal::{count, duration, must_number},
    token::{Kind, Sign},
};
use crate::lang::{
    ast::{Jitter, JitterKind, WindowClause, WindowKind},
    diag::{Code, Diagnostic, nearest},
    span::Spanned,
};

const ASSIGNERS: &[&str] = &["TUMBLING", "SLIDING", "SESSION", "COUNT", "CUMULATIVE", "RUNNING"];

/// `TUMBLING 5 min …`, from the word `WINDOW` on.
pub(super) fn window(start: Tokens<'_>) -> Parsed<'_, WindowClause> {
    let (mut i, kind) = kind(start.next())?;
    let (mut jitter, mut offset, mut time_zone) = (None, None, None);
    loop {
        let given;
        let here = i;
        if i.is_word("JITTER") {
            given = jitter.is_some();
            let (rest, value) = self::jitter(i)?;
            (i, jitter) = (rest, Some(value));
        } else if i.is_word("OFFSET") {
            given = offset.is_some();
            let (rest, value) = expression(i.next())?;
            (i, offset) = (rest, Some(value));
        } else if i.is_word("TIME") && i.ahead(1).is_word("ZONE") {
            given = time_zone.is_some();
            let (rest, value) = zone(i)?;
            (i, time_zone) = (rest, Some(value));
        } else {
            break;
        }
        if given {
            here.report(
                Diagnostic::new(
                    Code::ClauseTwice,
                    here.span(),
                    format!("{} is given twice", here.peek().text.to_uppercase()),
                )
                .with_label("the second one"),
            );
        }
    }
    Ok((i, WindowClause { kind, jitter, offset, time_zone, span: i.span_from(start.span()) }))
}

fn kind(i: Tokens<'_>) -> Parsed<'_, WindowKind> {
    let rest = i.next();
    if i.is_word("TUMBLING") {
        let (i, size) = duration(rest)?;
        return Ok((i, WindowKind::Tumbling { size }));
    }
    if i.is_word("SLIDING") || i.is_word("CUMULATIVE") {
        let (after, size) = duration(rest)?;
        let (after, _) = must_word("EVERY")(after)?;
        let (after, every) = duration(after)?;
        let kind = if i.is_word("SLIDING") {
            WindowKind::Sliding { size, every }
        } else {
            WindowKind::Cumulative { size, every }
        };
        return Ok((after, kind));
    }
    if i.is_word("SESSION") {
        let (mut i, _) = must_word("GAP")(rest)?;
        let gap;
        (i, gap) = duration(i)?;
        let mut max = None;
        if i.is_word("MAX") {
            let (rest, value) = duration(i.next())?;
            (i, max) = (rest, Some(value));
        }
        return Ok((i, WindowKind::Session { gap, max }));
    }
    if i.is_word("COUNT") {
        let (mut i, size) = count(rest)?;
        let mut every = None;
        if i.is_word("EVERY") {
            let (rest, value) = count(i.next())?;
            (i, every) = (rest, Some(value));
        }
        let mut expire = None;
        if i.is_word("EXPIRE") {
            let (rest, value) = duration(i.next())?;
            (i, expire) = (rest, Some(value));
        }
        return Ok((i, WindowKind::Count { size, every, expire }));
    }
    if i.is_word("RUNNING") {
        let mut expire = None;
        let mut i = rest;
        if i.is_word("EXPIRE") {
            let (rest, value) = duration(i.next())?;
            (i, expire) = (rest, Some(value));
        }
        return Ok((i, WindowKind::Running { expire }));
    }
    if matches!(i.peek().kind, Kind::Word | Kind::Quoted) && i.ahead(1).is_sign(Sign::Open) {
        return custom(i);
    }
    let mut diagnostic = i.surprise("`TUMBLING`, `SLIDING`, `SESSION`, `COUNT`, `CUMULATIVE` or `RUNNING`");
    if let Some(near) = nearest(i.peek().text, ASSIGNERS.iter().copied()) {
        diagnostic = diagnostic.with_help(format!("did you mean `{near}`?"));
    } else if matches!(i.peek().kind, Kind::Int | Kind::Float) {
        diagnostic = diagnostic.with_help(format!("write `WINDOW TUMBLING {} …`", shortened(i.peek().text)));
    }
    i.fail(diagnostic)
}

/// A user's own assigner: `name(args)`.
fn custom(i: Tokens<'_>) -> Parsed<'_, WindowKind> {
    let (i, name) = name("a window's name")(i)?;
    let open = i.span();
    let mut i = i.next();
    let mut args = Vec::new();
    if !i.is_sign(Sign::Close) {
        (i, args) = list(expression)(i)?;
    }
    let i = close(i, open, "the window's list")?;
    Ok((i, WindowKind::Custom { name, args }))
}

fn jitter(start: Tokens<'_>) -> Parsed<'_, Jitter> {
    let i = start.next();
    if i.is_word("NATURAL") {
        let i = i.next();
        return Ok((i, Jitter { kind: JitterKind::Natural, span: i.span_from(start.span()) }));
    }
    if !matches!(i.peek().kind, Kind::Int | Kind::Float | Kind::Sign(Sign::Minus)) {
        return i.unexpected("a percentage such as `100%`, or `NATURAL`");
    }
    let (i, value) = must_number(i)?;
    let (mut i, percent) = opt(sign(Sign::Percent)).parse(i)?;
    if percent.is_none() {
        return i.fail(i.surprise("`%`").with_help("jitter is a part of the window's size: `JITTER 100%`"));
    }
    let mut by = None;
    if i.is_word("BY") {
        let (rest, value) = expression(i.next())?;
        (i, by) = (rest, Some(value));
    }
    Ok((i, Jitter { kind: JitterKind::Percent { value, by }, span: i.span_from(start.span()) }))
}

/// `TIME ZONE 'z'`, from its first word on.
fn zone(i: Tokens<'_>) -> Parsed<'_, Spanned<String>> {
    let i = i.next().next();
    let token = i.peek();
    if token.kind != Kind::Text {
        return i.unexpected("a time zone's name such as `'Europe/Paris'`");
    }
    Ok((i.next(), Spanned::new(unquoted(token.text), token.span)))
}
