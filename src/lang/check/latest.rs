//! Snapshots: LATEST BY and filters with EMIT EVERY.

use super::{
    compile::{Compiler, Site},
    scope::RuleScope,
};
use crate::{
    expr::Expr,
    lang::{
        ast::{EmitKind, LatestClause, Operator, Query},
        diag::{Code, Diagnostic},
    },
    model::TimeMs,
    plan,
};

/// So many snapshots of one event are too many.
const SNAPSHOTS_MAX: TimeMs = 100_000;

/// Whether a rule's outputs are snapshots of events.
pub(super) fn is_snapshot(query: &Query) -> bool {
    match &query.operator {
        Some(operator) => matches!(operator, Operator::Latest(_)),
        None => query.emit.is_some() && query.near.is_none(),
    }
}

/// Checks the clauses of a rule whose outputs are snapshots.
pub(super) fn latest(rule: &mut RuleScope<'_>, query: &Query) -> Option<plan::Latest> {
    let clause: Option<&LatestClause> = match &query.operator {
        Some(Operator::Latest(clause)) => Some(clause),
        _ => None,
    };
    if let (Some(_), Some(part)) = (clause, query.partition_by.first()) {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, part.expr.span, "LATEST BY is the key of the rule")
                .with_help("name all that an entity is known by in LATEST BY"),
        );
    }
    let (emit, period, updated_keys) = match (&query.emit, clause) {
        (Some(emit), _) => match &emit.kind {
            EmitKind::Every { period, updated_keys } => (emit, period, *updated_keys),
            // Refused already.
            EmitKind::All | EmitKind::Changes => return None,
        },
        (None, Some(clause)) => {
            rule.unsupported("LATEST without EMIT EVERY", clause.span);
            return None;
        }
        (None, None) => return None,
    };
    let every_ms = Compiler::new(rule, Site::Constant, 0).positive_ms(period)?;
    let max_age = clause.and_then(|clause| clause.max_age.as_ref());
    let max_age_ms = match max_age {
        Some(max_age) => Some(Compiler::new(rule, Site::Constant, 0).positive_ms(max_age)?),
        None => None,
    };
    match (max_age, max_age_ms, updated_keys) {
        (Some(max_age), _, true) => {
            return rule.report_none(
                Diagnostic::new(
                    Code::ClauseTwice,
                    max_age.span,
                    "an event is in one snapshot, or in all while it is valid",
                )
                .with_help("leave out MAX AGE or FOR UPDATED KEYS"),
            );
        }
        (None, _, false) => {
            return rule.report_none(
                Diagnostic::new(Code::MissingWithin, emit.span, "a key that falls silent would be put out for ever")
                    .with_help("say how long an event counts, `LATEST BY vehicle MAX AGE 5 min EMIT EVERY 1 min`, or show only what is new: `FOR UPDATED KEYS`"),
            );
        }
        (Some(max_age), Some(max_age_ms), false) if max_age_ms / every_ms > SNAPSHOTS_MAX => {
            return rule.report_none(
                Diagnostic::new(Code::OutOfRange, max_age.span, "an event would be in too many snapshots")
                    .with_help(format!("{SNAPSHOTS_MAX} at most")),
            );
        }
        _ => {}
    }
    let having = having(rule, query)?;
    Some(plan::Latest { every_ms, max_age_ms, having })
}

/// HAVING, asked of the latest event.
fn having(rule: &mut RuleScope<'_>, query: &Query) -> Option<Vec<Option<Expr>>> {
    let mut exprs = Vec::new();
    for input in 0..rule.inputs.len() {
        let Some(having) = &query.having else {
            exprs.push(None);
            continue;
        };
        let mut compiler = Compiler::new(rule, Site::Event, input);
        compiler.having = true;
        let typed = compiler.condition(having)?;
        exprs.push(Some(compiler.finish(&typed)));
    }
    Some(exprs)
}
