//! WHERE, parted into what looks at the event alone and what needs the previous event or THROUGH.

use super::{
    compile::{Compiler, Site},
    scope::RuleScope,
};
use crate::{
    expr::Expr,
    lang::ast::{self, BinaryOp, ExprKind},
};

/// The two parts of WHERE, for each input.
#[derive(Default)]
pub(super) struct Where {
    pub(super) before: Vec<Option<Expr>>,
    pub(super) after: Vec<Option<Expr>>,
}

/// Checks WHERE.
pub(super) fn where_parts(rule: &mut RuleScope<'_>, condition: Option<&ast::Expr>) -> Where {
    let mut conjuncts = Vec::new();
    if let Some(condition) = condition {
        conjuncts_of(condition, &mut conjuncts);
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for conjunct in conjuncts {
        // One input's need is every input's: the order of work is the rule's.
        let mut later = false;
        for input in 0..rule.inputs.len() {
            let mut compiler = Compiler::new(rule, Site::Event, input);
            compiler.condition(conjunct);
            later |= compiler.uses.prev || compiler.uses.extra;
        }
        if later { after.push(conjunct) } else { before.push(conjunct) }
    }
    let mut parts = Where::default();
    for input in 0..rule.inputs.len() {
        parts.before.push(all(rule, &before, input));
        parts.after.push(all(rule, &after, input));
    }
    if let Some(condition) = condition {
        let constant = |expr: &Option<Expr>| expr.as_ref().is_none_or(|expr| expr.as_const().is_some());
        let never = parts.before.iter().chain(&parts.after).all(constant);
        if never && !rule.has_errors() {
            let found = parts.before.iter().chain(&parts.after).flatten().next().cloned();
            let truth = Expr::constant(crate::model::Value::Bool(true), crate::model::Type::Bool);
            rule.always_same(&found.unwrap_or(truth), condition);
        }
    }
    parts
}

/// The operands of a chain of ANDs.
fn conjuncts_of<'e>(condition: &'e ast::Expr, found: &mut Vec<&'e ast::Expr>) {
    match &condition.kind {
        ExprKind::Binary { op, left, right } if op.value == BinaryOp::And => {
            conjuncts_of(left, found);
            conjuncts_of(right, found);
        }
        _ => found.push(condition),
    }
}

/// The conjunction for one input; none where it is always true.
fn all(rule: &mut RuleScope<'_>, conjuncts: &[&ast::Expr], input: usize) -> Option<Expr> {
    let (first, last) = (conjuncts.first()?, conjuncts.last()?);
    let mut compiler = Compiler::new(rule, Site::Event, input);
    let parts = conjuncts.iter().map(|conjunct| compiler.condition(conjunct)).collect::<Option<Vec<_>>>()?;
    let whole = compiler.all_or_any(true, parts, first.span.to(last.span));
    if whole.as_const() == Some(&crate::model::Value::Bool(true)) {
        return None;
    }
    Some(compiler.finish(&whole))
}
