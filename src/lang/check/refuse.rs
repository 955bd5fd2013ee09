//! What the language has and this version does not run: refused with a place, never accepted and ignored.

use super::scope::RuleScope;
use crate::lang::{
    ast::{EmitKind, Operator, Query},
    diag::{Code, Diagnostic},
};

/// Reports every clause of a query that no plan can hold.
pub(super) fn refuse(rule: &mut RuleScope<'_>, query: &Query) {
    if let Some(emit) = &query.emit {
        let what = match emit.kind {
            EmitKind::Every { updated_keys: true, .. } if !super::latest::is_snapshot(query) => {
                Some("FOR UPDATED KEYS")
            }
            EmitKind::Every { .. } if matches!(query.operator, Some(Operator::Pattern(_) | Operator::Cluster(_))) => {
                Some("EMIT EVERY of patterns and clusters")
            }
            EmitKind::Every { .. } => None,
            EmitKind::All | EmitKind::Changes if matches!(query.operator, Some(Operator::Cluster(_))) => None,
            EmitKind::All | EmitKind::Changes => {
                rule.report(
                    Diagnostic::new(Code::WrongPlace, emit.span, "EMIT ALL and EMIT CHANGES are about regions")
                        .with_help("they belong to CLUSTER; of a window `EMIT EVERY` gives results so far"),
                );
                None
            }
        };
        if let Some(what) = what {
            rule.unsupported(what, emit.span);
        }
    }
}
