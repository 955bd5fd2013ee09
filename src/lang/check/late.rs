//! ALLOWED LATENESS: what can take an event that comes late.

use super::{
    compile::{Compiler, Site},
    scope::RuleScope,
};
use crate::{
    lang::{
        ast::{JitterKind, Query, WindowClause, WindowKind},
        diag::{Code, Diagnostic},
    },
    model::TimeMs,
    plan::{AggregateKind, Body, ClockPolicy, Rule, WindowKind as Planned},
};

/// A late event puts out as many results as windows that hold it closed within the lateness: so many at most.
const RESULTS_MAX: TimeMs = 10_000;

/// The lateness of a window. `Some(None)` where the rule has none, `None` where it is wrong.
#[allow(clippy::option_option, reason = "a rule without the clause is not a rule with a wrong one")]
pub(super) fn lateness(rule: &mut RuleScope<'_>, clause: &WindowClause, query: &Query) -> Option<Option<TimeMs>> {
    let Some(lateness) = &query.allowed_lateness else { return Some(None) };
    let refused = match &clause.kind {
        WindowKind::Session { .. } => Some((
            "a late event may make one session of two, and what was told of them can't be taken back",
            "TUMBLING, SLIDING and CUMULATIVE windows can be put out again",
        )),
        WindowKind::Count { .. } => Some((
            "a late event would move every later one to the next window",
            "windows of so many events have no time to be late for",
        )),
        _ => None,
    };
    let natural = clause.jitter.as_ref().is_some_and(|jitter| matches!(jitter.kind, JitterKind::Natural));
    let natural = natural.then_some((
        "a key's windows begin with its first event, and a late one may have come before it",
        "leave out JITTER NATURAL; `JITTER 100%` spreads keys as well",
    ));
    if let Some((message, help)) = refused.or(natural) {
        rule.report(Diagnostic::new(Code::WrongPlace, lateness.span, message).with_help(help));
        return None;
    }
    Compiler::new(rule, Site::Constant, 0).positive_ms(lateness).map(Some)
}

/// What else of a rule a late event couldn't be given to.
pub(super) fn rule(scope: &mut RuleScope<'_>, rule: &Rule, query: &Query) {
    let Some(lateness) = &query.allowed_lateness else { return };
    let derived = rule.inputs.iter().find(|input| scope.streams.level(input.stream) > 0);
    let derived = derived.map(|input| input.name.clone());
    let looks_back = rule.looks_back() > 0 || rule.inputs.iter().any(|input| input.after.is_some());
    let (message, help) = match &rule.body {
        Body::Window(_) if derived.is_some() => (
            format!("`{}` is a rule, and what a rule puts out is never late", derived.unwrap_or_default()),
            "ALLOWED LATENESS belongs to the rules that read sources; those that read them get its updates as events",
        ),
        Body::Window(_) if rule.through.is_some() => (
            "THROUGH follows positions in order, and a late one is out of it".to_owned(),
            "leave out ALLOWED LATENESS, or raise the `disorder` of the source",
        ),
        Body::Window(_) if looks_back => (
            "a late event has no previous event, and the rule looks at it".to_owned(),
            "leave out ALLOWED LATENESS, or raise the `disorder` of the source",
        ),
        Body::Window(_) if !rule.order.is_empty() => (
            "ORDER BY orders whole instants, and the instant of a late event is over".to_owned(),
            "leave out one of them",
        ),
        Body::Window(_) if rule.clock != ClockPolicy::EventOrWall => (
            "lateness is measured by the watermark, and CLOCK says that something else closes windows".to_owned(),
            "leave out one of them",
        ),
        Body::Window(window) => {
            let ordered = window.aggregates.iter().find_map(|aggregate| match aggregate.kind {
                AggregateKind::First => Some("first"),
                AggregateKind::Last => Some("last"),
                AggregateKind::PathLength => Some("path_length"),
                AggregateKind::Displacement => Some("displacement"),
                AggregateKind::Straightness => Some("straightness"),
                AggregateKind::Ewma { .. } => Some("ewma"),
                AggregateKind::List => Some("collect"),
                _ => None,
            });
            let every_ms = match window.kind {
                Planned::Sliding { every_ms, .. } | Planned::Cumulative { every_ms, .. } => every_ms,
                _ => TimeMs::MAX,
            };
            match (ordered, window.late_ms) {
                (Some(name), _) => (
                    format!("`{name}` depends on the order of events, and a late one is out of it"),
                    "all aggregates but `first`, `last`, `path_length`, `displacement`, `straightness`, `ewma` and `collect(x)` take late events",
                ),
                (None, Some(late_ms)) if late_ms / every_ms.max(1) > RESULTS_MAX => (
                    format!("a late event would put out more than {RESULTS_MAX} results"),
                    "a shorter lateness, or a longer EVERY",
                ),
                _ => return,
            }
        }
        Body::Filter | Body::Pattern(_) | Body::Cluster(_) | Body::Join(_) | Body::Near(_) | Body::Latest(_) => (
            "ALLOWED LATENESS is about windows: what else a rule decides is decided in order".to_owned(),
            "leave it out, or raise the `disorder` of the source",
        ),
    };
    scope.report(Diagnostic::new(Code::WrongPlace, lateness.span, message).with_help(help));
}
