//! WINDOW: size, time zone, jitter, offset, early results.

use super::{
    compile::{Compiler, Site, named},
    late,
    scope::RuleScope,
};
use crate::{
    lang::{
        ast::{self, EmitKind, JitterKind, Quantity, Query, WindowClause, WindowKind},
        diag::{Code, Diagnostic, nearest},
        span::Spanned,
    },
    model::{TimeMs, Type, Value, Zone},
    plan,
};

/// So many windows one event may be in.
const RESULTS_MAX: i64 = 100_000;

/// Checks the clause; aggregates are put in once the measures are known.
pub(super) fn window(rule: &mut RuleScope<'_>, clause: &WindowClause, query: &Query) -> Option<plan::Window> {
    if let (Some(_), Some(offset)) = (&clause.jitter, &clause.offset) {
        rule.report(
            Diagnostic::new(Code::ClauseTwice, offset.span, "windows are shifted by JITTER or by OFFSET, not by both")
                .with_label("the second shift")
                .with_help("leave out one of them"),
        );
        return None;
    }
    let kind = kind(rule, clause);
    let early_ms = early(rule, clause, kind.as_ref(), query);
    let late_ms = late::lateness(rule, clause, query);
    let jitter = match (&clause.jitter, &clause.offset, &kind) {
        (Some(jitter), ..) => drawn(rule, jitter, kind.as_ref()),
        (None, Some(offset), Some(kind)) => self::offset(rule, offset, kind),
        (None, Some(_), None) => None,
        (None, None, _) => Some(plan::Jitter::Aligned),
    };
    let (mut kind, mut jitter) = (kind?, jitter?);
    if let (plan::WindowKind::Calendar { offset_ms, size_ms, .. }, plan::Jitter::Offset { offset_ms: shift_ms }) =
        (&mut kind, &jitter)
    {
        // By hand they are shifted on the clocks of the place, so that they begin at one hour all year round.
        *offset_ms = offset_ms.saturating_add(*shift_ms).rem_euclid(*size_ms);
        jitter = plan::Jitter::Aligned;
    }
    Some(plan::Window { kind, jitter, early_ms: early_ms?, late_ms: late_ms?, aggregates: Vec::new() })
}

fn kind(rule: &mut RuleScope<'_>, clause: &WindowClause) -> Option<plan::WindowKind> {
    let zone = match &clause.time_zone {
        Some(zone) => Some(self::zone(rule, zone, &clause.kind)?),
        None => None,
    };
    let mut ms = |quantity: &Quantity| Compiler::new(rule, Site::Constant, 0).positive_ms(quantity);
    match &clause.kind {
        WindowKind::Tumbling { size } => {
            let size_ms = ms(size)?;
            let Some(zone) = zone else { return Some(plan::WindowKind::Tumbling { size_ms }) };
            if size_ms < HOUR_MS {
                return rule.report_none(
                    Diagnostic::new(Code::OutOfRange, size.span, "windows of a time zone last an hour or more")
                        .with_help("shorter ones are the same in every zone: leave out TIME ZONE"),
                );
            }
            // 1970-01-01 was a Thursday; weeks begin on Monday.
            let weeks = size.unit.as_ref().is_some_and(|unit| unit.value == "w");
            let offset_ms = if weeks { (-3 * DAY_MS).rem_euclid(size_ms) } else { 0 };
            Some(plan::WindowKind::Calendar { size_ms, offset_ms, zone })
        }
        WindowKind::Sliding { size, every } => {
            let (size_ms, step) = (ms(size), ms(every));
            let (size_ms, every_ms) = (size_ms?, step?);
            if size_ms / every_ms <= RESULTS_MAX {
                return Some(plan::WindowKind::Sliding { size_ms, every_ms });
            }
            let message = format!("every event would be in more than {RESULTS_MAX} windows, each a result");
            rule.report_none(
                Diagnostic::new(Code::OutOfRange, every.span, message)
                    .with_label("the step")
                    .with_help("a step of a thousandth of the size is fine already"),
            )
        }
        WindowKind::Cumulative { size, every } => {
            let (size_ms, step) = (ms(size), ms(every));
            let (size_ms, every_ms) = (size_ms?, step?);
            if size_ms % every_ms == 0 && size_ms / every_ms <= RESULTS_MAX {
                return Some(plan::WindowKind::Cumulative { size_ms, every_ms });
            }
            rule.report_none(
                Diagnostic::new(
                    Code::OutOfRange,
                    every.span,
                    format!("the size is no whole number of steps, up to {RESULTS_MAX}"),
                )
                .with_label("the step")
                .with_help("for example `WINDOW CUMULATIVE 1 d EVERY 1 h`"),
            )
        }
        WindowKind::Session { gap, max } => {
            let gap_ms = ms(gap);
            let max_ms = match max {
                Some(max) => Some(ms(max)?),
                None => None,
            };
            Some(plan::WindowKind::Session { gap_ms: gap_ms?, max_ms })
        }
        WindowKind::Count { size, every, expire } => {
            let expire_ms = match expire {
                Some(expire) => Some(ms(expire)?),
                None => None,
            };
            let step = every.as_ref().unwrap_or(size);
            let wrong = [size, step].into_iter().find(|count| !(1..=COUNT_MAX).contains(&count.value));
            match wrong {
                None => Some(plan::WindowKind::Count { size: size.value, every: step.value, expire_ms }),
                Some(wrong) => rule.report_none(
                    Diagnostic::new(Code::OutOfRange, wrong.span, "so many events make no window")
                        .with_help(format!("from 1 to {COUNT_MAX}")),
                ),
            }
        }
        WindowKind::Running { expire } => {
            let expire_ms = match expire {
                Some(expire) => Some(ms(expire)?),
                None => None,
            };
            Some(plan::WindowKind::Running { expire_ms })
        }
        WindowKind::Custom { name, args } => custom(rule, name, args),
    }
}

/// An embedding program's own windows: the name must be known, and what they are made with constant.
fn custom(rule: &mut RuleScope<'_>, name: &ast::Name, args: &[ast::Expr]) -> Option<plan::WindowKind> {
    let known = &rule.catalog.windows;
    if !known.contains(&name.text) {
        let near = nearest(&name.text, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let listed = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = near.unwrap_or_else(|| match known.is_empty() {
            true => {
                "windows of one's own are added by a program that embeds the library, and this one has none".to_owned()
            }
            false => format!("this program has {}", listed()),
        });
        let message = format!("there are no windows called `{}`", name.text);
        return rule.report_none(Diagnostic::new(Code::UnknownFunction, name.span, message).with_help(help));
    }
    let mut values = Vec::new();
    for arg in args {
        let typed = Compiler::new(rule, Site::Constant, 0).expr(arg)?;
        match typed.as_const() {
            Some(value) => values.push(value.clone()),
            None => {
                let message = "windows are made with constants";
                return rule.report_none(Diagnostic::new(Code::WrongPlace, arg.span, message));
            }
        }
    }
    Some(plan::WindowKind::Custom { name: name.text.clone(), args: values })
}

const HOUR_MS: TimeMs = 3_600_000;
const DAY_MS: TimeMs = 24 * HOUR_MS;
const COUNT_MAX: u64 = 1_000_000_000;

fn zone(rule: &mut RuleScope<'_>, zone: &Spanned<String>, kind: &WindowKind) -> Option<Zone> {
    if !matches!(kind, WindowKind::Tumbling { .. }) {
        let message = "days begin as they do in a place for TUMBLING windows only";
        return rule.report_none(Diagnostic::new(Code::WrongPlace, zone.span, message));
    }
    if let Some(zone) = Zone::new(&zone.value) {
        return Some(zone);
    }
    let names = Zone::names();
    let mut diagnostic =
        Diagnostic::new(Code::OutOfRange, zone.span, format!("no time zone is called `{}`", zone.value));
    diagnostic = match nearest(&zone.value, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.with_help(format!("did you mean `'{near}'`?")),
        None => diagnostic.with_help("names are those of the IANA database, such as `'Europe/Paris'`"),
    };
    rule.report_none(diagnostic)
}

/// EMIT EVERY of a window: results so far. `Some(None)` where the rule has none, `None` where it is wrong.
#[allow(clippy::option_option, reason = "a rule without the clause is not a rule with a wrong one")]
fn early(
    rule: &mut RuleScope<'_>,
    clause: &WindowClause,
    kind: Option<&plan::WindowKind>,
    query: &Query,
) -> Option<Option<TimeMs>> {
    let Some(emit) = &query.emit else { return Some(None) };
    let EmitKind::Every { period, updated_keys: false } = &emit.kind else { return Some(None) };
    if !matches!(clause.kind, WindowKind::Tumbling { .. } | WindowKind::Session { .. }) {
        rule.report(
            Diagnostic::new(
                Code::WrongPlace,
                emit.span,
                "EMIT EVERY gives what a TUMBLING or SESSION window has so far",
            )
            .with_help("CUMULATIVE windows do so as they are, and of SLIDING ones EVERY says how often"),
        );
        return None;
    }
    let period_ms = Compiler::new(rule, Site::Constant, 0).positive_ms(period)?;
    let longest_ms = match kind {
        Some(plan::WindowKind::Tumbling { size_ms }) => Some(*size_ms),
        Some(plan::WindowKind::Session { max_ms, .. }) => *max_ms,
        // Where clocks change some last longer.
        _ => None,
    };
    if longest_ms.is_some_and(|longest_ms| period_ms >= longest_ms) {
        let message = "the window is over before its first result so far";
        let help = "EMIT EVERY is shorter than the window; without it there is one result at the end";
        return rule.report_none(Diagnostic::new(Code::OutOfRange, period.span, message).with_help(help));
    }
    Some(Some(period_ms))
}

fn drawn(rule: &mut RuleScope<'_>, jitter: &ast::Jitter, kind: Option<&plan::WindowKind>) -> Option<plan::Jitter> {
    use plan::WindowKind::{Calendar, Count, Running, Session};
    let JitterKind::Percent { value, by } = &jitter.kind else {
        return match kind {
            // They begin with a key's first event as they are.
            Some(Session { .. } | Count { .. } | Running { .. }) => Some(plan::Jitter::Aligned),
            Some(Calendar { .. }) => rule.report_none(
                Diagnostic::new(
                    Code::WrongPlace,
                    jitter.span,
                    "windows begin with the first event or as days do, not both",
                )
                .with_help("leave out JITTER NATURAL or TIME ZONE"),
            ),
            _ => Some(plan::Jitter::Natural),
        };
    };
    if let Some(Count { .. } | Running { .. }) = kind {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, jitter.span, "these windows have no time to be shifted by")
                .with_help("they begin with a key's first event, so keys are spread as they are"),
        );
    }
    let percent = value.value.as_f64();
    let by = match by {
        Some(by) => Some(drawn_from(rule, by)?),
        None => None,
    };
    if !(0.0..=100.0).contains(&percent) {
        return rule.report_none(
            Diagnostic::new(Code::OutOfRange, value.span, "jitter is a share of the window's size")
                .with_label("out of range")
                .with_help("from 0% to 100%"),
        );
    }
    Some(if percent == 0.0 { plan::Jitter::Aligned } else { plan::Jitter::Drawn { percent, by } })
}

fn drawn_from(rule: &mut RuleScope<'_>, by: &ast::Expr) -> Option<plan::JitterBy> {
    let mut exprs = Vec::new();
    for input in 0..rule.inputs.len() {
        let mut compiler = Compiler::new(rule, Site::Event, input);
        let typed = compiler.expr(by)?;
        if compiler.uses.prev {
            let message = "a key's offset can't depend on the previous event";
            return compiler.error(Diagnostic::new(Code::WrongPlace, by.span, message));
        }
        let typed = compiler.output(typed);
        exprs.push(compiler.finish(&typed));
    }
    Some(plan::JitterBy { exprs })
}

fn offset(rule: &mut RuleScope<'_>, offset: &ast::Expr, kind: &plan::WindowKind) -> Option<plan::Jitter> {
    use plan::WindowKind::{Calendar, Count, Cumulative, Custom, Running, Session, Sliding, Tumbling};
    let (size_ms, period_ms) = match kind.clone() {
        Tumbling { size_ms } | Calendar { size_ms, .. } | Cumulative { size_ms, .. } => (size_ms, size_ms),
        Sliding { size_ms, every_ms } => (size_ms.max(every_ms), every_ms),
        Custom { name, .. } => {
            let message = format!("how long `{name}` windows are is theirs to say: no OFFSET can be held to it");
            return rule.report_none(Diagnostic::new(Code::WrongPlace, offset.span, message));
        }
        Session { .. } | Count { .. } | Running { .. } => {
            let message = "these windows begin with a key's first event, which no OFFSET can shift";
            return rule.report_none(Diagnostic::new(Code::WrongPlace, offset.span, message));
        }
    };
    let mut compiler = Compiler::new(rule, Site::Constant, 0);
    let typed = compiler.expr(offset)?;
    match typed.as_const() {
        Some(Value::Duration(offset_ms)) if offset_ms.unsigned_abs() < size_ms.unsigned_abs() => {
            match offset_ms.rem_euclid(period_ms) {
                0 => Some(plan::Jitter::Aligned),
                offset_ms => Some(plan::Jitter::Offset { offset_ms }),
            }
        }
        Some(Value::Duration(_)) => compiler.error(
            Diagnostic::new(Code::OutOfRange, offset.span, "the offset is not shorter than the window")
                .with_help("an offset of one whole window changes nothing"),
        ),
        _ => {
            let given = if typed.ty == Type::Any { "something else".to_owned() } else { named(typed.ty) };
            compiler.error(
                Diagnostic::new(Code::WrongType, offset.span, format!("OFFSET takes a constant duration, not {given}"))
                    .with_help("for example `OFFSET 2 h`"),
            )
        }
    }
}
