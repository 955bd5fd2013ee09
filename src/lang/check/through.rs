//! THROUGH and INTERPOLATE: fences that an entity passes.

use super::{
    compile::{Compiler, Site},
    scope::RuleScope,
};
use crate::{
    lang::{
        ast::{Query, ThroughClause},
        diag::{Code, Diagnostic},
    },
    model::Type,
    plan::{FirstPosition, Interpolate, Through},
};

/// What THROUGH adds to an event, with INTERPOLATE or without, by name: its slot and type.
pub(super) fn added(interpolate: bool) -> impl Iterator<Item = (&'static str, u16, Type)> {
    let always = [("passage", 0, Type::Text), ("fence", 1, Type::Fence), ("dwell", 2, Type::Duration)];
    let on_way = [("crossed_at", Through::CROSSED_AT, Type::Time), ("crossing", Through::CROSSED_AT + 1, Type::Point)];
    always.into_iter().chain(on_way.into_iter().filter(move |_| interpolate))
}

/// INTERPOLATE, where it is right.
pub(super) fn interpolate(scope: &mut RuleScope<'_>, query: &Query) -> Option<Interpolate> {
    let clause = query.interpolate.as_ref()?;
    let other = query
        .near
        .as_ref()
        .map(|_| "NEAR takes positions as they are")
        .or_else(|| (!query.joins.is_empty()).then_some("JOIN makes pairs, and a pair follows nobody"));
    if let Some(why) = other {
        scope.report(Diagnostic::new(Code::WrongPlace, clause.span, format!("{why}: there is nothing to interpolate")));
        return None;
    }
    let max_gap_ms = match &clause.max_gap {
        Some(gap) => Some(Compiler::new(scope, Site::Constant, 0).positive_ms(gap)?),
        None => None,
    };
    Some(Interpolate { max_gap_ms })
}

/// Reports an INTERPOLATE that changes nothing.
pub(super) fn unused(scope: &mut RuleScope<'_>, query: &Query) {
    let Some(clause) = query.interpolate.as_ref().filter(|_| query.through.is_none() && !scope.interpolated) else {
        return;
    };
    scope.report(
        Diagnostic::new(
            Code::WrongPlace,
            clause.span,
            "no fence is passed in this rule, so there is nothing to interpolate",
        )
        .with_help("INTERPOLATE belongs to THROUGH, or to a condition with `entered`, `exited` or `crossed`"),
    );
}

/// With THROUGH a partition is one entity and one fence: without the entity nobody passes through, without the fence the
/// passages of overlapping fences would get mixed up.
pub(super) fn key(scope: &mut RuleScope<'_>, clause: &ThroughClause) {
    let names_fence = scope.keys.iter().any(|key| matches!(key.text.as_str(), "fence" | "fence.id"));
    let (message, help) = if scope.keys.iter().all(|key| key.through) {
        (
            "the key names fences only, and no entity that passes through them",
            "write `PARTITION BY vehicle, fence`; a rule that reads this one's stream may partition by `fence` alone",
        )
    } else if !names_fence {
        (
            "the key doesn't name the fence, and an entity can be in several at once",
            "add `fence` to PARTITION BY: `PARTITION BY vehicle, fence`",
        )
    } else {
        return;
    };
    scope.report(Diagnostic::new(Code::WrongPlace, clause.span, message).with_help(help));
}

/// THROUGH; `None` where it is wrong.
#[allow(clippy::option_option, reason = "a rule without the clause is not a rule with a wrong one")]
pub(super) fn through(scope: &mut RuleScope<'_>, query: &Query) -> Option<Option<Through>> {
    let Some(clause) = &query.through else { return Some(None) };
    let (set, more) = clause.sets.split_first()?;
    if let Some(second) = more.first() {
        scope.report(
            Diagnostic::new(Code::WrongPlace, second.span, "THROUGH takes one geofence set")
                .with_label("a second one")
                .with_help("make one set of both in the configuration (a directory of files is one set), or write a rule for each"),
        );
        // What `fence` means is known all the same.
        scope.through = scope.fence_set(set);
        return None;
    }
    if !scope.partitioned {
        scope.report(
            Diagnostic::new(
                Code::WrongPlace,
                clause.span,
                "THROUGH follows an entity's positions, and the rule doesn't say what an entity is",
            )
            .with_label("needs PARTITION BY")
            .with_help("for example `PARTITION BY vehicle, fence`"),
        );
    }
    for input in 0..scope.inputs.len() {
        Compiler::new(scope, Site::Event, input).position("THROUGH", clause.span);
    }
    let set = scope.fence_set(set)?;
    scope.through = Some(set);
    let buffer_m = match &clause.buffer {
        Some(buffer) => Compiler::new(scope, Site::Constant, 0).metres(buffer)?,
        None => 0.0,
    };
    let at_least = match clause.at_least.as_ref().map(|count| (u32::try_from(count.value), count.span)) {
        None => 1,
        Some((Ok(count @ 1..=1_000), _)) => count,
        Some((_, span)) => {
            let message = "AT LEAST takes 1 to 1,000 events in a row";
            scope.report(Diagnostic::new(Code::OutOfRange, span, message));
            return None;
        }
    };
    if query.interpolate.is_some() && (buffer_m > 0.0 || at_least > 1) {
        scope.report(
            Diagnostic::new(
                Code::WrongPlace,
                clause.span,
                "BUFFER and AT LEAST judge positions, and INTERPOLATE finds passages between them",
            )
            .with_label(if buffer_m > 0.0 { "has BUFFER" } else { "has AT LEAST" })
            .with_help("leave one of them out; positions that jump are dropped before by a rule with `WHERE NOT teleported(…)`"),
        );
        return None;
    }
    let first = if clause.first_enters == Some(false) { FirstPosition::Ignored } else { FirstPosition::Enters };
    Some(Some(Through { set, first, buffer_m, at_least, interpolate: scope.interpolate }))
}
