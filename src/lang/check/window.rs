//! WINDOW: size, jitter, offset.

use super::{
    compile::{Compiler, Site, named},
    scope::RuleScope,
};
use crate::{
    lang::{
        ast::{self, JitterKind, WindowClause, WindowKind},
        diag::{Code, Diagnostic},
    },
    model::{TimeMs, Type, Value},
    plan,
};

/// Checks the clause; aggregates are put in once the measures are known.
pub(super) fn window(rule: &mut RuleScope<'_>, clause: &WindowClause) -> Option<plan::Window> {
    let WindowKind::Tumbling { size } = &clause.kind else { return None };
    let size_ms = Compiler::new(rule, Site::Constant, 0).positive_ms(size);
    if let (Some(_), Some(offset)) = (&clause.jitter, &clause.offset) {
        rule.report(
            Diagnostic::new(Code::ClauseTwice, offset.span, "windows are shifted by JITTER or by OFFSET, not by both")
                .with_label("the second shift")
                .with_help("leave out one of them"),
        );
        return None;
    }
    let jitter = match (&clause.jitter, &clause.offset) {
        (Some(jitter), _) => drawn(rule, jitter)?,
        (None, Some(offset)) => self::offset(rule, offset, size_ms?)?,
        (None, None) => plan::Jitter::Aligned,
    };
    Some(plan::Window { kind: plan::WindowKind::Tumbling { size_ms: size_ms? }, jitter, aggregates: Vec::new() })
}

fn drawn(rule: &mut RuleScope<'_>, jitter: &ast::Jitter) -> Option<plan::Jitter> {
    let JitterKind::Percent { value, by } = &jitter.kind else {
        rule.unsupported("JITTER NATURAL", jitter.span);
        return None;
    };
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

fn offset(rule: &mut RuleScope<'_>, offset: &ast::Expr, size_ms: TimeMs) -> Option<plan::Jitter> {
    let mut compiler = Compiler::new(rule, Site::Constant, 0);
    let typed = compiler.expr(offset)?;
    match typed.as_const() {
        Some(Value::Duration(offset_ms)) if offset_ms.unsigned_abs() < size_ms.unsigned_abs() => {
            match offset_ms.rem_euclid(size_ms) {
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
