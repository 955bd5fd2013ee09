//! What the language has and this version does not run: refused with a place, never accepted and ignored.

use super::scope::RuleScope;
use crate::lang::ast::{EmitKind, Operator, Query, WindowKind};

/// Reports every clause of a query that no plan can hold.
pub(super) fn refuse(rule: &mut RuleScope<'_>, query: &Query) {
    if let Some(near) = &query.near {
        rule.unsupported("NEAR", near.span);
    }
    for join in &query.joins {
        rule.unsupported("JOIN", join.span);
    }
    for lookup in &query.lookups {
        rule.unsupported("LOOKUP", lookup.span);
    }
    if let Some(unnest) = &query.unnest {
        rule.unsupported("UNNEST", unnest.span);
    }
    if let Some(span) = query.interpolate {
        rule.unsupported("INTERPOLATE", span);
    }
    if let Some(emit) = &query.emit {
        let what = match emit.kind {
            EmitKind::Every { updated_keys: true, .. } => Some("FOR UPDATED KEYS"),
            EmitKind::Every { .. } if matches!(query.operator, Some(Operator::Window(_))) => None,
            EmitKind::Every { .. } => Some("EMIT EVERY outside of windows"),
            EmitKind::All => Some("EMIT ALL"),
            EmitKind::Changes => Some("EMIT CHANGES"),
        };
        if let Some(what) = what {
            rule.unsupported(what, emit.span);
        }
    }
    if let Some(once) = &query.once {
        rule.unsupported("ONCE", once.span);
    }
    if let Some(feedback) = &query.feedback {
        rule.unsupported("FEEDBACK", feedback.span);
    }
    match &query.operator {
        Some(Operator::Cluster(cluster)) => rule.unsupported("CLUSTER", cluster.span),
        Some(Operator::Latest(latest)) => rule.unsupported("LATEST", latest.span),
        Some(Operator::Window(window)) => {
            if let WindowKind::Custom { .. } = &window.kind {
                rule.unsupported("a window assigner of your own", window.span);
            }
        }
        Some(Operator::Pattern(_)) | None => {}
    }
}
