//! ORDER BY: the order of events of one instant.

use super::{
    compile::{Compiler, Site, named},
    scope::RuleScope,
};
use crate::{
    expr::Expr as Program,
    lang::{
        ast::{Expr, ExprKind},
        diag::{Code, Diagnostic},
    },
    model::Type,
};

/// For each input by what events of one instant are ordered; empty where nothing but time is named. `None` where it is wrong.
pub(super) fn order(rule: &mut RuleScope<'_>, clause: &[Expr]) -> Option<Vec<Vec<Program>>> {
    let Some((first, rest)) = clause.split_first() else { return Some(Vec::new()) };
    if !is_time(first) {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, first.span, "events are in the order of time, whatever else orders them")
                .with_label("expected `time`")
                .with_help("ORDER BY orders the events of one instant: `ORDER BY time, seq`"),
        );
    }
    // Time alone, as SQL asks for it, says nothing new.
    if rest.iter().all(is_time) {
        return Some(Vec::new());
    }
    let mut orders = Vec::new();
    for input in 0..rule.inputs.len() {
        let parts: Vec<Option<Program>> =
            rest.iter().filter(|expr| !is_time(expr)).map(|expr| part(rule, expr, input)).collect();
        orders.push(parts.into_iter().collect::<Option<Vec<_>>>());
    }
    orders.into_iter().collect()
}

fn is_time(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Path(path) if matches!(path.parts.as_slice(), [name] if name.text == "time"))
}

fn part(rule: &mut RuleScope<'_>, expr: &Expr, input: usize) -> Option<Program> {
    let mut compiler = Compiler::new(rule, Site::Event, input);
    let typed = compiler.expr(expr)?;
    if compiler.uses.prev || compiler.uses.extra || compiler.uses.element {
        return compiler.error(
            Diagnostic::new(Code::WrongPlace, expr.span, "an event's place in the order must be its own")
                .with_label("looks at more than the event")
                .with_help("order by fields of the event, for example a sequence number"),
        );
    }
    if matches!(typed.ty, Type::Point | Type::Fence | Type::Fences | Type::Geometry | Type::List) {
        let message = format!("{} has no order", named(typed.ty));
        return compiler.error(Diagnostic::new(Code::WrongType, expr.span, message));
    }
    Some(compiler.finish(&typed))
}
