//! A walk over an expression's tree. The parser bounds its depth.

use crate::lang::ast::{Expr, ExprKind};

/// Calls `visit` with an expression and all in it, parents first.
pub(super) fn walk<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Call(call) => {
            for arg in call.args.iter().chain(call.filter.as_deref()) {
                walk(arg, visit);
            }
        }
        ExprKind::Unary { operand, .. } | ExprKind::IsNull { operand, .. } => walk(operand, visit),
        ExprKind::Binary { left, right, .. } => {
            walk(left, visit);
            walk(right, visit);
        }
        ExprKind::In { operand, list, .. } => {
            walk(operand, visit);
            for choice in list {
                walk(choice, visit);
            }
        }
        ExprKind::Between { operand, low, high, .. } => {
            for part in [operand, low, high] {
                walk(part, visit);
            }
        }
        ExprKind::Like { operand, pattern, .. } => {
            walk(operand, visit);
            walk(pattern, visit);
        }
        ExprKind::Case { arms, otherwise } => {
            for arm in arms {
                walk(&arm.condition, visit);
                walk(&arm.value, visit);
            }
            if let Some(otherwise) = otherwise {
                walk(otherwise, visit);
            }
        }
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Bool(_)
        | ExprKind::Null
        | ExprKind::Time(_)
        | ExprKind::Path(_) => {}
    }
}
