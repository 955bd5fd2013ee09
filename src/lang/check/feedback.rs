//! FEEDBACK: a rule that reads its own stream.
//!
//! Its fields are known only once it is checked, so it is checked first with a stream of which every name is accepted, then
//! with the fields that it was found to put out, until they stay as they are.

use super::{catalog::Catalog, output, rule::check_rule, scope::RuleScope, streams::Streams};
use crate::{
    expr::Node,
    lang::{
        ast::{Emit, EmitKind, Operator, Query},
        diag::{Code, Diagnostic},
        file,
        span::Span,
    },
    model::Schema,
    plan::{Body, Element, Feedback, Pattern, Rule, TablePlan, Term},
};

/// How often fields may change from check to check.
const ROUNDS_MAX: usize = 4;

/// Whether a rule reads its own stream, and says that it does.
pub(super) fn reads_itself(rule: &file::Rule, query: &Query) -> bool {
    query.feedback.is_some() && query.from.iter().any(|source| source.stream.text == rule.name)
}

/// Adds the stream of a rule that reads it to the streams: with the fields that the rule puts out where they are taken as given. Where the
/// rule is wrong, with what shows that.
pub(super) fn add_own(
    rule: &file::Rule,
    query: &Query,
    (streams, catalog): (&mut Streams, &Catalog),
    (fence_sets, tables): (&[String], &[TablePlan]),
    number: u32,
) {
    let mut schema: Option<Schema> = None;
    for _ in 0..ROUNDS_MAX {
        let mut trial = streams.clone();
        trial.add_derived(&rule.name, number, 0, schema.clone());
        let outcome = check_rule(rule, query, &mut trial, catalog, &mut fence_sets.to_vec(), &mut tables.to_vec());
        let Some(found) = outcome.rule.map(|rule| output::schema(&rule.outputs)) else { break };
        if schema.as_ref() == Some(&found) {
            break;
        }
        schema = Some(found);
    }
    streams.add_derived(&rule.name, number, 0, schema);
}

/// Checks what the text says of FEEDBACK.
pub(super) fn clause(scope: &mut RuleScope<'_>, query: &Query, name: &str) {
    let Some(feedback) = &query.feedback else { return };
    let mut wrong = |span: Span, message: String, help: &str| {
        scope.report(Diagnostic::new(Code::WrongPlace, span, message).with_help(help));
    };
    if !query.from.iter().any(|source| source.stream.text == name) {
        let message = format!("the rule doesn't read `{name}`, its own stream");
        return wrong(feedback.span, message, "FEEDBACK lets a rule read what it put out itself: name it in FROM");
    }
    if query.from.len() < 2 {
        let message = "a rule that reads nothing but itself never begins".to_owned();
        return wrong(feedback.span, message, "name another stream in FROM, beside its own");
    }
    if feedback.value == 0 || feedback.value > u64::from(Feedback::HOPS_MAX) {
        let message = format!("FEEDBACK takes 1 to {} hops", Feedback::HOPS_MAX);
        scope.report(Diagnostic::new(Code::OutOfRange, feedback.span, message));
        return;
    }
    let operator = match &query.operator {
        None | Some(Operator::Pattern(_)) => None,
        Some(other) => Some(other.span()),
    };
    let snapshot = match &query.emit {
        Some(Emit { kind: EmitKind::Every { .. }, span }) => Some(*span),
        _ => None,
    };
    let clauses = [
        operator,
        snapshot,
        query.through.as_ref().map(|clause| clause.span),
        query.near.as_ref().map(|clause| clause.span),
        query.joins.first().map(|clause| clause.span),
        query.unnest.as_ref().map(|clause| clause.span),
        query.order_by.first().map(|expr| expr.span),
        query.partition_by.iter().find_map(|part| part.follow.as_ref()).map(|follow| follow.span),
    ];
    if let Some(span) = clauses.into_iter().flatten().next() {
        wrong(
            span,
            "this can't stand beside FEEDBACK".to_owned(),
            "FEEDBACK is of filters and patterns by their key alone",
        );
    }
}

/// Finds out of a rule that is sound otherwise how it reads itself; what stands against it.
pub(super) fn resolve(rule: &mut Rule, query: &Query, streams: &Streams) -> Vec<Diagnostic> {
    let Some(feedback) = &query.feedback else { return Vec::new() };
    let wrong =
        |message: String, help: &str| vec![Diagnostic::new(Code::WrongPlace, feedback.span, message).with_help(help)];
    let own = streams.find(&rule.name);
    let Some(at) = rule.inputs.iter().position(|input| Some(input.stream) == own) else { return Vec::new() };
    let Some(input) = rule.inputs.get(at) else { return Vec::new() };
    // The components of the key are the first outputs.
    let stays =
        (0u16..).zip(&input.key).all(|(slot, expr)| matches!(expr.nodes(), [Node::Field(field)] if *field == slot));
    if !stays {
        return wrong(
            "what is fed back must be of the partition that put it out".to_owned(),
            "name the components of the key by the names that they have as fields: `PARTITION BY vehicle`",
        );
    }
    if streams.schema(input.stream) != Some(&output::schema(&rule.outputs)) {
        return wrong(
            "the types of the rule's fields depend on themselves".to_owned(),
            "make a measure of one type, whatever was fed back",
        );
    }
    if let Body::Pattern(pattern) = &rule.body
        && is_timed(pattern)
    {
        return wrong(
            "what time decides can't be fed back: timers would wake one another for ever".to_owned(),
            "leave out ON TIMEOUT, `FOR`, and an absence at the end; or make them a rule of their own that this one reads",
        );
    }
    rule.feedback = Some(Feedback { input: at as u16, hops: feedback.value as u32 });
    Vec::new()
}

/// Whether time alone may complete a match.
fn is_timed(pattern: &Pattern) -> bool {
    let mut timed = pattern.on_timeout;
    let mut look = |element: &Element| timed |= matches!(element.term, Term::Not { for_ms: Some(_), .. });
    pattern.elements.iter().for_each(|element| element.each(&mut look));
    if let Some(last) = pattern.elements.last() {
        last.each(&mut |element| timed |= matches!(element.term, Term::Not { .. }));
    }
    timed
}
