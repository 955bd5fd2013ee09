//! WHERE: before the event is part of its partition, or after.
//!
//! It is all or nothing. Where no part of it looks at the previous event or at what THROUGH adds, it decides what the partition
//! consists of. Else, and with FOLLOW, all of it is asked of an event that is part of the partition already: to take its other parts
//! out first would change which event is the previous one, and nobody could see that from the text.

use super::{
    compile::{Compiler, Site},
    scope::RuleScope,
};
use crate::{
    expr::Expr,
    lang::ast,
    model::{Type, Value},
};

/// WHERE for each input, in the one place or the other.
#[derive(Default)]
pub(super) struct Where {
    pub(super) before: Vec<Option<Expr>>,
    pub(super) after: Vec<Option<Expr>>,
    /// With UNNEST, what looks at the element.
    pub(super) keep: Vec<Option<Expr>>,
}

/// Checks WHERE.
pub(super) fn where_parts(rule: &mut RuleScope<'_>, condition: Option<&ast::Expr>) -> Where {
    let mut parts = Where::default();
    let mut later = rule.through.is_some() || rule.follows;
    let mut element = false;
    let mut whole = Vec::new();
    for input in 0..rule.inputs.len() {
        let Some(condition) = condition else {
            whole.push(None);
            continue;
        };
        let mut compiler = Compiler::new(rule, Site::Event, input);
        let typed = compiler.condition(condition);
        // One input's need is every input's: the order of work is the rule's.
        later |= compiler.uses.prev || compiler.uses.extra;
        element |= compiler.uses.element;
        let expr = typed.map(|typed| compiler.finish(&typed));
        whole.push(expr.filter(|expr| expr.as_const() != Some(&Value::Bool(true))));
    }
    let none = vec![None; whole.len()];
    (parts.before, parts.after, parts.keep) = match (element, later) {
        (true, _) => (none.clone(), none, whole),
        (false, true) => (none.clone(), whole, none),
        (false, false) => (whole, none.clone(), none),
    };
    if let Some(condition) = condition {
        let constant = |expr: &Option<Expr>| expr.as_ref().is_none_or(|expr| expr.as_const().is_some());
        let all = || parts.before.iter().chain(&parts.after).chain(&parts.keep);
        let never = all().all(constant);
        if never && !rule.has_errors() {
            let found = all().flatten().next().cloned();
            let truth = Expr::constant(Value::Bool(true), Type::Bool);
            rule.always_same(&found.unwrap_or(truth), condition);
        }
    }
    parts
}
