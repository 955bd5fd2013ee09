//! Numbers, and what stands with them: units, percentages, counts.

use nom::{Parser, combinator::opt};

use super::{
    clause::{clause_misspelt, ends_quantity},
    input::{Parsed, Tokens, sign},
    token::{Kind, Sign},
};
use crate::lang::{
    ast::{Number, Quantity, Ratio},
    diag::{Code, Diagnostic},
    span::{Span, Spanned},
};

/// A number and its unit, if a number begins here. A minus sign in front belongs to the number.
pub(super) fn quantity(i: Tokens<'_>) -> Parsed<'_, Quantity> {
    let start = i.span();
    let (i, value) = signed_number(i)?;
    let (i, unit) = opt(unit).parse(i)?;
    Ok((i, Quantity { value: value.value, unit, span: i.span_from(start) }))
}

/// A quantity that must be here; `what` says of what kind, for the message.
pub(super) fn must_quantity<'a>(what: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Quantity> {
    move |i| match quantity(i) {
        Err(nom::Err::Error(_)) => i.unexpected(what),
        result => result,
    }
}

/// A duration that must be here.
pub(super) fn duration(i: Tokens<'_>) -> Parsed<'_, Quantity> {
    must_quantity("a duration such as `45 min`")(i)
}

/// A whole number from 0 that must be here.
pub(super) fn count(i: Tokens<'_>) -> Parsed<'_, Spanned<u64>> {
    let token = i.peek();
    if token.kind != Kind::Int {
        return i.unexpected("a whole number");
    }
    match token.text.parse() {
        Ok(value) => Ok((i.next(), Spanned::new(value, token.span))),
        Err(_) => i.fail(too_large(token.text, token.span)),
    }
}

/// A share that must be here: `0.25`, `25%`.
pub(super) fn ratio(i: Tokens<'_>) -> Parsed<'_, Ratio> {
    let (i, value) = must_number(i)?;
    let (i, percent) = opt(sign(Sign::Percent)).parse(i)?;
    Ok((i, Ratio { value: value.value, percent: percent.is_some(), span: i.span_from(value.span) }))
}

/// A number that must be here, without unit.
pub(super) fn must_number(i: Tokens<'_>) -> Parsed<'_, Spanned<Number>> {
    match signed_number(i) {
        Err(nom::Err::Error(_)) => i.unexpected("a number"),
        result => result,
    }
}

fn signed_number(i: Tokens<'_>) -> Parsed<'_, Spanned<Number>> {
    let start = i.span();
    let (after_sign, minus) = opt(sign(Sign::Minus)).parse(i)?;
    let token = after_sign.peek();
    let digits = match minus {
        Some(_) => format!("-{}", token.text),
        None => token.text.to_owned(),
    };
    let span = start.to(token.span);
    let value = match token.kind {
        Kind::Int => digits.parse().ok().map(Number::Int),
        Kind::Float => digits.parse().ok().filter(|f: &f64| f.is_finite()).map(Number::Float),
        _ => return i.miss(),
    };
    match value {
        Some(value) => Ok((after_sign.next(), Spanned::new(value, span))),
        None => after_sign.fail(too_large(&digits, span)),
    }
}

fn too_large(digits: &str, span: Span) -> Diagnostic {
    let message = format!("`{}` is too large a number", super::input::shortened(digits));
    Diagnostic::new(Code::BadNumber, span, message)
        .with_label("doesn't fit 64 bits")
        .with_help("a whole number lies between -9223372036854775808 and 9223372036854775807")
}

/// `min`, `km2`, `km/h`: a `/` belongs to the unit where no blank stands beside it.
fn unit(i: Tokens<'_>) -> Parsed<'_, Spanned<String>> {
    let token = i.peek();
    let touches = i.before().is_some_and(|number| number.span.end == token.span.start);
    if token.kind != Kind::Word || ends_quantity(i) || (!touches && clause_misspelt(i).is_some()) {
        return i.miss();
    }
    let mut text = token.text.to_owned();
    let mut span = token.span;
    let mut i = i.next();
    loop {
        let (slash, below) = (i.peek(), i.ahead(1));
        let adjacent = slash.span.start == span.end && below.span.start == slash.span.end;
        let after = i.ahead(2);
        let called = matches!(after.kind, Kind::Sign(Sign::Open | Sign::Dot)) && after.span.start == below.span.end;
        if !(slash.is_sign(Sign::Slash) && below.kind == Kind::Word && adjacent) || called {
            break;
        }
        text.push('/');
        text.push_str(below.text);
        span = span.to(below.span);
        i = i.next().next();
    }
    Ok((i, Spanned::new(text, span)))
}
