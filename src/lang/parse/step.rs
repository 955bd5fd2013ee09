//! One step of a pattern: what it matches, how often, and the words after it.

use super::{
    clause::{STEP_WORDS, clause_for_sure, clause_here, clause_misspelt, is_reserved},
    expr::expression,
    input::{Parsed, Tokens, name},
    literal::{duration, must_quantity},
    pattern::group,
    token::{Kind, Sign, Token},
};
use crate::lang::{
    ast::{Connector, Contiguity, Quantifier, Step, StepBound, Term},
    diag::{Code, Diagnostic},
    span::Spanned,
};

/// One step that must be here.
pub(super) fn step(start: Tokens<'_>, connector: Option<Spanned<Connector>>, in_group: bool) -> Parsed<'_, Step> {
    let negated = start.is_sign(Sign::Bang).then(|| start.span());
    let i = if negated.is_some() { start.next() } else { start };
    let (i, term) = term(i)?;
    let (i, quantifier) = quantifier(i)?;
    let mut step = Step {
        span: start.span(),
        connector,
        negated,
        term,
        absent_for: None,
        quantifier,
        contiguity: None,
        each: None,
        until: None,
        within: None,
    };
    let mut i = i;
    while let Some(rest) = modifier(i, &mut step, in_group)? {
        i = rest;
    }
    step.span = i.span_from(start.span());
    judge(i, &step);
    Ok((i, step))
}

fn term(i: Tokens<'_>) -> Parsed<'_, Term> {
    if i.is_sign(Sign::Open) {
        let (i, group) = group(i)?;
        return Ok((i, Term::Group(group)));
    }
    if i.is_sign(Sign::Bang) {
        return i.unexpected("a variable or a group after `!`");
    }
    if let Some(clause) = clause_for_sure(i) {
        let help = format!("the clause {} begins here", clause.words());
        return i.fail(i.surprise("a variable or a group").with_help(help));
    }
    let (rest, variable) = name("a variable's name or a group")(i)?;
    Ok((rest, Term::Variable(variable)))
}

/// `+ * ? {n} {n,} {n,m} {,m}`, then perhaps `?`.
fn quantifier(start: Tokens<'_>) -> Parsed<'_, Option<Quantifier>> {
    let (i, min, max) = match start.peek().kind {
        Kind::Sign(Sign::Plus) => (start.next(), 1, None),
        Kind::Sign(Sign::Star) => (start.next(), 0, None),
        Kind::Sign(Sign::Question) => (start.next(), 0, Some(1)),
        Kind::Sign(Sign::OpenBrace) => {
            let (i, (min, max)) = braces(start)?;
            (i, min, max)
        }
        _ => return Ok((start, None)),
    };
    let reluctant = i.is_sign(Sign::Question);
    let i = if reluctant { i.next() } else { i };
    if matches!(i.peek().kind, Kind::Sign(Sign::Plus | Sign::Star | Sign::Question | Sign::OpenBrace)) {
        return i.fail(
            i.surprise("a connector, a word on the step, or the next step")
                .with_help("a step has one quantifier; to repeat a loop put it in parentheses: `(a+){3}`"),
        );
    }
    let span = i.span_from(start.span());
    if max == Some(0) || max.is_some_and(|max| max < min) {
        let help = match max {
            Some(0) => "to say that it must not occur write `!a`".to_owned(),
            max => format!("write `{{{},{min}}}`", max.unwrap_or(0)),
        };
        start.report(
            Diagnostic::new(Code::BadQuantifier, span, "a quantifier that nothing can match")
                .with_label("expected `{n}`, `{n,}`, `{n,m}` or `{,m}` with n not above m, and m above 0")
                .with_help(help),
        );
    }
    Ok((i, Some(Quantifier { min, max, reluctant, span })))
}

/// `{n,m}`, both optional, from the brace on.
fn braces(start: Tokens<'_>) -> Parsed<'_, (u32, Option<u32>)> {
    let i = start.next();
    let (i, min) = repetitions(i)?;
    let (i, max) = if i.is_sign(Sign::Comma) { repetitions(i.next())? } else { (i, min) };
    if min.is_none() && max.is_none() {
        return i.unexpected("a number: `{3}`, `{3,}`, `{3,5}` or `{,5}`");
    }
    if !i.is_sign(Sign::CloseBrace) {
        let mut diagnostic = i.surprise("`}`");
        diagnostic.code = Code::UnclosedParenthesis;
        return i.fail(diagnostic);
    }
    Ok((i.next(), (min.unwrap_or(0), max)))
}

fn repetitions(i: Tokens<'_>) -> Parsed<'_, Option<u32>> {
    let token = i.peek();
    if token.kind != Kind::Int {
        return Ok((i, None));
    }
    match token.text.parse() {
        Ok(n) => Ok((i.next(), Some(n))),
        Err(_) => i.fail(
            Diagnostic::new(Code::BadNumber, token.span, "too many repetitions")
                .with_label(format!("expected a number up to {}", u32::MAX)),
        ),
    }
}

/// One word after a step, if there is one.
fn modifier<'a>(
    i: Tokens<'a>,
    step: &mut Step,
    in_group: bool,
) -> Result<Option<Tokens<'a>>, nom::Err<super::input::Mistake>> {
    let token = i.peek();
    let rest = if token.is_word("STRICT") || token.is_word("ANY") {
        let kind = if token.is_word("ANY") { Contiguity::Any } else { Contiguity::Strict };
        once(i, step.contiguity.is_some(), "`STRICT` or `ANY`");
        step.contiguity = Some(Spanned::new(kind, token.span));
        i.next()
    } else if token.is_word("EACH") {
        once(i, step.each.is_some(), "`EACH`");
        step.each = Some(token.span);
        i.next()
    } else if token.is_word("UNTIL") {
        let (rest, condition) = until(i)?;
        once(i, step.until.is_some(), "`UNTIL`");
        step.until = Some(condition);
        rest
    } else if token.is_word("FOR") {
        let (rest, deadline) = duration(i.next())?;
        once(i, step.absent_for.is_some(), "`FOR`");
        step.absent_for = Some(deadline);
        rest
    } else if token.is_word("WITHIN") {
        let Some((rest, bound)) = bound(i, step, in_group)? else { return Ok(None) };
        once(i, step.within.is_some(), "`WITHIN`");
        step.within = Some(bound);
        rest
    } else {
        return Ok(None);
    };
    Ok(Some(rest))
}

fn once(i: Tokens<'_>, given: bool, what: &str) {
    if given {
        i.report(
            Diagnostic::new(Code::BadStep, i.span(), format!("{what} twice on one step")).with_label("the second one"),
        );
    }
}

/// `UNTIL condition`. Without parentheses the condition must end where no step can begin.
fn until(start: Tokens<'_>) -> Parsed<'_, crate::lang::ast::Expr> {
    let parenthesised = start.next().is_sign(Sign::Open);
    let (i, condition) = expression(start.next())?;
    let next = i.peek();
    let joined = match next.kind {
        Kind::Quoted | Kind::Sign(Sign::Bang | Sign::Open) => true,
        Kind::Word => clause_here(i).is_none() && !is_step_word(next) && !is_reserved(next.text),
        _ => false,
    };
    if joined && !parenthesised && clause_misspelt(i).is_none() {
        return i.fail(
            Diagnostic::new(Code::AmbiguousPattern, condition.span, "where does the condition of UNTIL end?")
                .with_label("needs parentheses here")
                .with_help("write `UNTIL (condition)` before a step that follows side by side"),
        );
    }
    Ok((i, condition))
}

/// `WITHIN d [OF PREVIOUS]`, where it belongs to the step and isn't the clause.
///
/// It belongs to the step in a group, before `OF PREVIOUS`, and where the pattern or another `WITHIN` follows.
fn bound<'a>(
    start: Tokens<'a>,
    step: &Step,
    in_group: bool,
) -> Result<Option<(Tokens<'a>, StepBound)>, nom::Err<super::input::Mistake>> {
    if start.ahead(1).is_word("UNBOUNDED") {
        return Ok(None);
    }
    let (i, duration) = must_quantity("a duration such as `45 min`, or `UNBOUNDED`")(start.next())?;
    if i.is_word("OF") {
        let (i, _) = super::input::must_words(&["OF", "PREVIOUS"])(i)?;
        return Ok(Some((i, StepBound { duration, of_previous: true, span: i.span_from(start.span()) })));
    }
    if step.negated.is_some() && !in_group {
        return Ok(None);
    }
    let next = i.peek();
    let goes_on = match next.kind {
        Kind::Quoted => true,
        Kind::Sign(sign) => {
            matches!(sign, Sign::Arrow | Sign::ArrowAny | Sign::Bang | Sign::Open | Sign::Pipe | Sign::Amp)
        }
        Kind::Word => is_step_word(next) || super::pattern::begins_step(i),
        _ => false,
    };
    if !in_group && !goes_on {
        return Ok(None);
    }
    Ok(Some((i, StepBound { duration, of_previous: false, span: i.span_from(start.span()) })))
}

fn is_step_word(token: Token<'_>) -> bool {
    STEP_WORDS.iter().any(|w| token.is_word(w))
}

/// Words that don't go together.
fn judge(i: Tokens<'_>, step: &Step) {
    let complain = |span, message: &str, help: &str| {
        i.report(Diagnostic::new(Code::BadStep, span, message).with_label("doesn't go with this step").with_help(help));
    };
    if step.negated.is_some() {
        let loop_word = step
            .quantifier
            .map(|q| q.span)
            .or(step.contiguity.map(|c| c.span))
            .or(step.each)
            .or(step.until.as_ref().map(|u| u.span))
            .or(step.within.as_ref().filter(|w| !w.of_previous).map(|w| w.span));
        if let Some(span) = loop_word {
            let help = "an absence says `!a`, `!a FOR 10 min` or `!a WITHIN 10 min OF PREVIOUS`";
            complain(span, "an absence can't be repeated", help);
        }
        return;
    }
    if let Some(absent_for) = &step.absent_for {
        complain(
            absent_for.span,
            "`FOR` on a step that isn't an absence",
            "write `!a FOR 10 min`, or `a WITHIN 10 min OF PREVIOUS`",
        );
    }
    // On a step that occurs once EACH says how its bound is meant.
    let bounded = step.within.as_ref().is_some_and(|within| within.of_previous);
    let each = step.each.filter(|_| !bounded);
    if step.quantifier.is_none()
        && let Some(span) = step.contiguity.map(|c| c.span).or(each).or(step.until.as_ref().map(|u| u.span))
    {
        complain(
            span,
            "a word about repetitions on a step that has none",
            "give the step a quantifier: `a+ STRICT`, `a{3} ANY`, `a* UNTIL (…)`",
        );
    }
}
