//! Expressions, by binding strength.
//!
//! From weak to strong: `OR`, `AND`, `NOT`, comparisons (which don't chain), `+ -`, `* / %`, the sign. Nesting is bounded
//! by the input, the height of left-deep chains here.

use nom::{Parser, combinator::opt};

use super::{
    HEIGHT_MAX,
    clause::{clause_for_sure, is_reserved},
    input::{Parsed, Tokens, list, must_word, name, name_of, sign, word},
    literal::quantity,
    token::{Kind, Sign},
};
use crate::lang::{
    ast::{BinaryOp, Call, Expr, ExprKind, Path, Semantics, UnaryOp, WhenArm},
    diag::{Code, Diagnostic},
    span::{Span, Spanned},
};

/// Binding strengths.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const SIGN: u8 = 7;

/// An expression and the height of its tree.
struct Tall {
    expr: Expr,
    height: u32,
}

/// An expression that must be here.
pub(super) fn expression(i: Tokens<'_>) -> Parsed<'_, Expr> {
    let (i, tall) = full(i)?;
    Ok((i, tall.expr))
}

fn full(i: Tokens<'_>) -> Parsed<'_, Tall> {
    i.deeper(|i| binary(i, OR))
}

/// An operand, and the operators after it that bind at least as strongly as `weakest`.
fn binary(i: Tokens<'_>, weakest: u8) -> Parsed<'_, Tall> {
    let (mut i, mut left) = prefix(i)?;
    // Once a comparison is read, another one may not follow.
    let mut compared = false;
    while let Some((level, op)) = operator(i) {
        if level < weakest {
            break;
        }
        let op_span = i.span();
        if level == COMPARISON && compared {
            return i.fail(
                Diagnostic::new(Code::ChainedComparison, op_span, "comparisons don't chain")
                    .with_label("a second comparison")
                    .with_help("join two comparisons with AND, write `x BETWEEN a AND b`, or put one in parentheses"),
            );
        }
        (i, left) = match op {
            Op::Binary(BinaryOp::Rem) if ends_here(i.next()) => {
                // `50%` in a condition: a percentage is a number as any other.
                return i.fail(
                    i.surprise("an operator, a clause, or the end").with_help("write a share as a number: `0.5`"),
                );
            }
            Op::Binary(op) => {
                let (rest, right) = binary(i.next(), level + 1)?;
                let height = 1 + left.height.max(right.height);
                let span = left.expr.span.to(right.expr.span);
                let kind = ExprKind::Binary {
                    op: Spanned::new(op, op_span),
                    left: Box::new(left.expr),
                    right: Box::new(right.expr),
                };
                (rest, tall(i, kind, span, height)?)
            }
            Op::Test => test(i, left)?,
        };
        compared |= level == COMPARISON;
    }
    Ok((i, left))
}

/// Whether no operand can begin here.
fn ends_here(i: Tokens<'_>) -> bool {
    i.is_end() || matches!(i.peek().kind, Kind::Sign(Sign::Close | Sign::Comma)) || clause_for_sure(i).is_some()
}

/// What stands after an operand.
enum Op {
    Binary(BinaryOp),
    /// `IN`, `BETWEEN`, `LIKE`, `IS`, perhaps after `NOT`.
    Test,
}

fn operator(i: Tokens<'_>) -> Option<(u8, Op)> {
    let token = i.peek();
    let (level, op) = match token.kind {
        Kind::Word => {
            let test = |t: super::token::Token<'_>| ["IN", "BETWEEN", "LIKE"].iter().any(|w| t.is_word(w));
            return if token.is_word("OR") {
                Some((OR, Op::Binary(BinaryOp::Or)))
            } else if token.is_word("AND") {
                Some((AND, Op::Binary(BinaryOp::And)))
            } else if token.is_word("IS") || test(token) || (token.is_word("NOT") && test(i.ahead(1))) {
                Some((COMPARISON, Op::Test))
            } else {
                None
            };
        }
        Kind::Sign(sign) => match sign {
            Sign::Equal => (COMPARISON, BinaryOp::Eq),
            Sign::NotEqual => (COMPARISON, BinaryOp::Ne),
            Sign::Less => (COMPARISON, BinaryOp::Lt),
            Sign::LessEqual => (COMPARISON, BinaryOp::Le),
            Sign::Greater => (COMPARISON, BinaryOp::Gt),
            Sign::GreaterEqual => (COMPARISON, BinaryOp::Ge),
            Sign::Plus => (SUM, BinaryOp::Add),
            Sign::Minus => (SUM, BinaryOp::Sub),
            Sign::Star => (PRODUCT, BinaryOp::Mul),
            Sign::Slash => (PRODUCT, BinaryOp::Div),
            Sign::Percent => (PRODUCT, BinaryOp::Rem),
            // Reported, and read as what was meant.
            Sign::AmpAmp => {
                i.report(foreign(token.span, "&&", "AND"));
                (AND, BinaryOp::And)
            }
            Sign::PipePipe => {
                i.report(foreign(token.span, "||", "OR"));
                (OR, BinaryOp::Or)
            }
            _ => return None,
        },
        _ => return None,
    };
    Some((level, Op::Binary(op)))
}

fn foreign(span: Span, written: &str, meant: &str) -> Diagnostic {
    Diagnostic::new(Code::UnexpectedToken, span, format!("unexpected `{written}`"))
        .with_label(format!("expected `{meant}`"))
        .with_help(format!("conditions are joined with the word {meant}"))
}

/// `[NOT] IN (…)`, `[NOT] BETWEEN a AND b`, `[NOT] LIKE p`, `IS [NOT] NULL` after their operand.
fn test(i: Tokens<'_>, operand: Tall) -> Parsed<'_, Tall> {
    let start = i;
    let (i, not) = opt(word("NOT")).parse(i)?;
    let token = i.peek();
    let first = operand.expr.span;
    let Tall { expr, mut height } = operand;
    let operand = Box::new(expr);
    let mut negated = not.is_some();
    let (i, kind) = if token.is_word("IN") {
        let i = i.next();
        let open = i.span();
        let (i, _) = must_sign(i, Sign::Open, "`(` and the choices")?;
        let (i, choices) = list(full)(i)?;
        let i = close(i, open, "the list of `IN`")?;
        height = choices.iter().fold(height, |h, c| h.max(c.height));
        let list = choices.into_iter().map(|c| c.expr).collect();
        (i, ExprKind::In { operand, list, negated })
    } else if token.is_word("BETWEEN") {
        let (i, low) = binary(i.next(), SUM)?;
        let (i, _) = must_word("AND")(i)?;
        let (i, high) = binary(i, SUM)?;
        height = height.max(low.height).max(high.height);
        let (low, high) = (Box::new(low.expr), Box::new(high.expr));
        (i, ExprKind::Between { operand, low, high, negated })
    } else if token.is_word("LIKE") {
        let (i, pattern) = binary(i.next(), SUM)?;
        height = height.max(pattern.height);
        (i, ExprKind::Like { operand, pattern: Box::new(pattern.expr), negated })
    } else {
        let (i, not) = opt(word("NOT")).parse(i.next())?;
        negated = not.is_some();
        let (i, _) = must_word("NULL")(i)?;
        (i, ExprKind::IsNull { operand, negated })
    };
    Ok((i, tall(start, kind, i.span_from(first), height + 1)?))
}

fn prefix(i: Tokens<'_>) -> Parsed<'_, Tall> {
    let span = i.span();
    let (op, weakest) = if i.is_word("NOT") {
        (UnaryOp::Not, NOT)
    } else if i.is_sign(Sign::Bang) {
        i.report(foreign(span, "!", "NOT"));
        (UnaryOp::Not, NOT)
    } else if i.is_sign(Sign::Minus) && !matches!(i.ahead(1).kind, Kind::Int | Kind::Float) {
        (UnaryOp::Neg, SIGN)
    } else {
        return primary(i);
    };
    let (rest, operand) = i.next().deeper(|i| binary(i, weakest))?;
    let whole = span.to(operand.expr.span);
    let kind = ExprKind::Unary { op: Spanned::new(op, span), operand: Box::new(operand.expr) };
    Ok((rest, tall(i, kind, whole, operand.height + 1)?))
}

fn primary(i: Tokens<'_>) -> Parsed<'_, Tall> {
    let token = i.peek();
    let leaf = |i: Tokens<'_>, kind| Tall { expr: Expr { kind, span: i.span_from(token.span) }, height: 1 };
    match token.kind {
        Kind::Int | Kind::Float | Kind::Sign(Sign::Minus) => {
            let (i, quantity) = quantity(i)?;
            Ok((i, leaf(i, ExprKind::Number(quantity))))
        }
        Kind::Text => Ok((i.next(), leaf(i.next(), ExprKind::String(unquoted(token.text))))),
        Kind::Sign(Sign::Open) => {
            let (i, inner) = full(i.next())?;
            let i = close(i, token.span, "this parenthesis")?;
            Ok((i, inner))
        }
        Kind::Quoted => named(i),
        Kind::Word => {
            let next = i.ahead(1);
            if token.is_word("TRUE") || token.is_word("FALSE") {
                return Ok((i.next(), leaf(i.next(), ExprKind::Bool(token.is_word("TRUE")))));
            }
            if token.is_word("NULL") {
                return Ok((i.next(), leaf(i.next(), ExprKind::Null)));
            }
            if token.is_word("TIME") && next.kind == Kind::Text {
                let time = Spanned::new(unquoted(next.text), next.span);
                let i = i.next().next();
                return Ok((i, leaf(i, ExprKind::Time(time))));
            }
            if token.is_word("CASE") && next.is_word("WHEN") {
                return case(i);
            }
            if let Some(clause) = clause_for_sure(i) {
                let help = format!("the clause {} begins here", clause.words());
                return i.fail(i.surprise("an expression").with_help(help));
            }
            if is_reserved(token.text) {
                return i.unexpected("an expression");
            }
            named(i)
        }
        Kind::Sign(Sign::Dot) if i.ahead(1).kind == Kind::Int => {
            i.fail(i.surprise("an expression").with_help(format!("write `0.{}`", i.ahead(1).text)))
        }
        _ => i.unexpected("an expression"),
    }
}

/// A path or a call, whose first token is a name.
fn named(i: Tokens<'_>) -> Parsed<'_, Tall> {
    let (first, next) = (i.peek(), i.ahead(1));
    if next.is_sign(Sign::Open) {
        return call(i, None);
    }
    let semantics = if first.is_word("RUNNING") {
        Some(Semantics::Running)
    } else if first.is_word("FINAL") {
        Some(Semantics::Final)
    } else {
        None
    };
    if semantics.is_some() && matches!(next.kind, Kind::Word | Kind::Quoted) && i.ahead(2).is_sign(Sign::Open) {
        return call(i.next(), semantics.map(|s| Spanned::new(s, first.span)));
    }
    let mut parts = vec![name_of(first)];
    let mut i = i.next();
    while i.is_sign(Sign::Dot) {
        let token = i.ahead(1);
        if !matches!(token.kind, Kind::Word | Kind::Quoted) {
            return i.next().unexpected("a name after the dot");
        }
        parts.push(name_of(token));
        i = i.next().next();
    }
    let span = i.span_from(first.span);
    Ok((i, Tall { expr: Expr { kind: ExprKind::Path(Path { parts, span }), span }, height: 1 }))
}

fn call<'a>(start: Tokens<'a>, semantics: Option<Spanned<Semantics>>) -> Parsed<'a, Tall> {
    let (i, name) = name("a function's name")(start)?;
    let open = i.span();
    let what = format!("the call of `{}`", name.text);
    let mut i = i.next();
    let (mut distinct, mut star, mut args) = (None, None, Vec::new());
    if i.is_sign(Sign::Star) {
        star = Some(i.span());
        i = i.next();
    } else if !i.is_sign(Sign::Close) {
        // `DISTINCT` is the keyword where an argument follows, else a field of that name.
        let argument = matches!(i.ahead(1).kind, Kind::Word | Kind::Quoted | Kind::Int | Kind::Float | Kind::Text);
        if i.is_word("DISTINCT") && (argument || i.ahead(1).is_sign(Sign::Open)) && !operator_follows(i.next()) {
            distinct = Some(i.span());
            i = i.next();
        }
        (i, args) = list(full)(i)?;
    }
    let mut i = close(i, open, &what)?;
    let mut filter = None;
    if i.is_word("FILTER") && i.ahead(1).is_sign(Sign::Open) {
        let open = i.ahead(1).span;
        let (rest, _) = must_word("WHERE")(i.next().next())?;
        let (rest, condition) = full(rest)?;
        i = close(rest, open, "FILTER")?;
        filter = Some(condition);
    }
    let height = args.iter().chain(&filter).map(|a| a.height).max().unwrap_or(0) + 1;
    let span = i.span_from(semantics.map_or(name.span, |s| s.span));
    let call = Call {
        name,
        semantics,
        distinct,
        star,
        args: args.into_iter().map(|a| a.expr).collect(),
        filter: filter.map(|f| Box::new(f.expr)),
    };
    Ok((i, tall(start, ExprKind::Call(call), span, height)?))
}

fn operator_follows(i: Tokens<'_>) -> bool {
    i.peek().kind == Kind::Word && operator(i).is_some()
}

fn case(i: Tokens<'_>) -> Parsed<'_, Tall> {
    let start = i;
    let mut i = i.next();
    let (mut arms, mut height) = (Vec::new(), 0);
    while i.is_word("WHEN") {
        let (rest, condition) = full(i.next())?;
        let (rest, _) = must_word("THEN")(rest)?;
        let (rest, value) = full(rest)?;
        height = height.max(condition.height).max(value.height);
        arms.push(WhenArm { condition: condition.expr, value: value.expr });
        i = rest;
    }
    let mut otherwise = None;
    if i.is_word("ELSE") {
        let (rest, value) = full(i.next())?;
        height = height.max(value.height);
        otherwise = Some(Box::new(value.expr));
        i = rest;
    }
    if !i.is_word("END") {
        return i.unexpected("`WHEN`, `ELSE` or `END`");
    }
    let i = i.next();
    Ok((i, tall(start, ExprKind::Case { arms, otherwise }, i.span_from(start.span()), height + 1)?))
}

/// A node, if it isn't too tall.
fn tall(i: Tokens<'_>, kind: ExprKind, span: Span, height: u32) -> Result<Tall, nom::Err<super::input::Mistake>> {
    if height > HEIGHT_MAX {
        i.fail::<()>(
            Diagnostic::new(Code::TooDeep, i.span(), format!("an expression higher than {HEIGHT_MAX} operators"))
                .with_label("one operator too many")
                .with_help("write `x IN (a, b, …)` instead of many comparisons, or split it over several rules"),
        )?;
    }
    Ok(Tall { expr: Expr { kind, span }, height })
}

fn must_sign<'a>(i: Tokens<'a>, expected: Sign, what: &str) -> Parsed<'a, Span> {
    match sign(expected)(i) {
        Err(nom::Err::Error(_)) => i.unexpected(what),
        result => result,
    }
}

/// The closing parenthesis of what was opened.
pub(super) fn close<'a>(i: Tokens<'a>, open: Span, what: &str) -> Result<Tokens<'a>, nom::Err<super::input::Mistake>> {
    if i.is_sign(Sign::Close) {
        return Ok(i.next());
    }
    let mut diagnostic = i.surprise("`)`");
    diagnostic.code = Code::UnclosedParenthesis;
    if i.is_end() {
        // The end of the text shows nothing: the opening one does.
        diagnostic.span = open;
        diagnostic.message = format!("{what} is never closed");
        diagnostic.label = "opened here".to_owned();
    } else {
        diagnostic.message.push_str(&format!(" while {what} is open"));
    }
    i.fail::<()>(diagnostic).map(|(i, ())| i)
}

/// What a text's quotes hold.
pub(super) fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix(['\'', '"']).unwrap_or(text);
    let inside = inside.strip_suffix(['\'', '"']).unwrap_or(inside);
    inside.replace("''", "'")
}
