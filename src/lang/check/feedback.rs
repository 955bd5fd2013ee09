//! FEEDBACK: a rule that reads its own stream, and rules that read each other in a circle.
//!
//! Their fields are known only once they are checked, so they are checked first with streams of which every name is accepted, then
//! with the fields that they were found to put out, until those stay as they are.

use super::{catalog::Catalog, graph::reads, output, rule::check_rule, scope::RuleScope, streams::Streams};
use crate::{
    expr::Node,
    lang::{
        ast::{Clock, Emit, EmitKind, Operator, Query},
        diag::{Code, Diagnostic},
        file,
        span::Span,
    },
    model::{Schema, StreamId},
    plan::{Back, Body, Element, Feedback, Pattern, Rule, TablePlan, Term},
};

/// How often fields may change from check to check.
const ROUNDS_MAX: usize = 4;

/// Whether a rule reads its own stream, and says that it does.
pub(super) fn reads_itself(name: &str, query: &Query) -> bool {
    query.feedback.is_some() && reads(query).any(|read| read.text == name)
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

/// A rule of a circle, with its expression if that is sound.
pub(super) type Member<'a> = (&'a file::Rule, Option<&'a Query>);

/// Rules that read each other; none where a rule is in no circle.
#[derive(Debug, Default)]
pub(super) struct Circle {
    streams: Vec<StreamId>,
}

impl Circle {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.streams.is_empty()
    }

    /// Puts all of its rules one level above what they read of others. They need whole instants, so none is on the first.
    pub(super) fn set_levels(&self, streams: &mut Streams, rules: &[Rule]) {
        let own = rules.iter().filter(|rule| streams.find(&rule.name).is_some_and(|own| self.streams.contains(&own)));
        let read = own.flat_map(|rule| &rule.inputs).map(|input| input.stream);
        let others = read.filter(|stream| !self.streams.contains(stream));
        let level = others.map(|stream| streams.level(stream)).max().unwrap_or(0).max(1) + 1;
        self.streams.iter().for_each(|&stream| streams.set_level(stream, level));
    }
}

/// Adds the streams of rules that read each other, from the rule `first` of the plan on: with the fields that they put out where those of all
/// are taken as given.
pub(super) fn add_circle(
    members: &[Member<'_>],
    (streams, catalog): (&mut Streams, &Catalog),
    (fence_sets, tables): (&[String], &[TablePlan]),
    first: usize,
) -> Circle {
    let add = |streams: &mut Streams, schemas: &[Option<Schema>]| {
        for (number, ((rule, _), schema)) in (first as u32..).zip(members.iter().zip(schemas)) {
            streams.add_derived(&rule.name, number, 0, schema.clone());
        }
    };
    let mut schemas: Vec<Option<Schema>> = vec![None; members.len()];
    // What a rule puts out may be known only once that of those before it is.
    for _ in 0..ROUNDS_MAX + members.len() {
        let mut trial = streams.clone();
        add(&mut trial, &schemas);
        let (mut sets, mut tables) = (fence_sets.to_vec(), tables.to_vec());
        let mut found = |(rule, query): &Member<'_>| {
            let outcome = check_rule(rule, (*query)?, &mut trial, catalog, &mut sets, &mut tables);
            outcome.rule.map(|rule| output::schema(&rule.outputs))
        };
        let found: Vec<Option<Schema>> = members.iter().map(&mut found).collect();
        if found == schemas {
            break;
        }
        schemas = found;
    }
    add(streams, &schemas);
    Circle { streams: members.iter().filter_map(|(rule, _)| streams.find(&rule.name)).collect() }
}

/// Checks what the text says of FEEDBACK.
pub(super) fn clause(scope: &mut RuleScope<'_>, query: &Query, name: &str) {
    let Some(feedback) = &query.feedback else { return };
    if feedback.value == 0 || feedback.value > u64::from(Feedback::HOPS_MAX) {
        let message = format!("FEEDBACK takes 1 to {} hops", Feedback::HOPS_MAX);
        scope.report(Diagnostic::new(Code::OutOfRange, feedback.span, message));
        return;
    }
    if !reads_itself(name, query) {
        return;
    }
    let mut wrong = |span: Span, message: String, help: &str| {
        scope.report(Diagnostic::new(Code::WrongPlace, span, message).with_help(help));
    };
    if query.from.len() < 2 {
        let message = "a rule that reads nothing but itself never begins".to_owned();
        return wrong(feedback.span, message, "name another stream in FROM, beside its own");
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
pub(super) fn resolve(rule: &mut Rule, query: &Query, streams: &Streams, circle: &Circle) -> Vec<Diagnostic> {
    if !circle.is_none() {
        return resolve_round(rule, query, streams, circle);
    }
    let Some(feedback) = &query.feedback else { return Vec::new() };
    let wrong =
        |message: String, help: &str| vec![Diagnostic::new(Code::WrongPlace, feedback.span, message).with_help(help)];
    if !reads_itself(&rule.name, query) {
        return wrong(
            format!("nothing that `{0}` reads depends on `{0}`", rule.name),
            "FEEDBACK belongs to a rule that reads itself, or a rule that it leads to: name one in FROM",
        );
    }
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

/// The same of a rule of a circle.
fn resolve_round(rule: &mut Rule, query: &Query, streams: &Streams, circle: &Circle) -> Vec<Diagnostic> {
    let mut wrong: Vec<Diagnostic> = unfit(query)
        .map(|(span, why, help)| {
            let message = format!("`{}` reads rules that depend on it, and {why}", rule.name);
            Diagnostic::new(Code::WrongPlace, span, message).with_help(help)
        })
        .collect();
    let own = streams.find(&rule.name);
    for read in reads(query).filter(|read| read.text == rule.name) {
        let message = format!("`{}` reads itself, and rules that depend on it, too", rule.name);
        let diagnostic = Diagnostic::new(Code::WrongPlace, read.span, message);
        wrong.push(diagnostic.with_help("read itself in one rule, and have the others read that"));
    }
    let is_known = own.and_then(|own| streams.schema(own)) == Some(&output::schema(&rule.outputs));
    if let (false, Some(source)) = (is_known, query.from.first()) {
        let message = "the types of the rule's fields depend on themselves".to_owned();
        let diagnostic = Diagnostic::new(Code::WrongPlace, source.span, message);
        wrong.push(diagnostic.with_help("make a measure of one type, whatever was fed back"));
    }
    if let Some(feedback) = &query.feedback {
        let inputs = (0u16..).zip(&rule.inputs).filter(|(_, input)| circle.streams.contains(&input.stream));
        let inputs = inputs.map(|(at, _)| at).collect();
        rule.back = Some(Back { inputs, hops: feedback.value as u32 });
    }
    wrong
}

/// What can't stand in a rule of a circle: where, why, and what to do.
fn unfit(query: &Query) -> impl Iterator<Item = (Span, &'static str, &'static str)> {
    let follow = query.partition_by.iter().find_map(|part| part.follow.as_ref());
    let clock = query.clock.filter(|clock| clock.value != Clock::EventOrWall);
    let changes = match &query.operator {
        Some(Operator::Cluster(cluster)) if cluster.every.is_none() => Some(cluster.span),
        _ => None,
    };
    let why = [
        (
            query.order_by.first().map(|expr| expr.span),
            "events of an instant come to it in rounds: they can't be ordered",
            "order them in a rule of its own that this one reads",
        ),
        (
            follow.map(|follow| follow.span),
            "regions are followed over whole instants, which come to it in rounds",
            "follow them in a rule of its own that no other leads back to",
        ),
        (
            query.near.as_ref().map(|near| near.span),
            "who is near is known only right after an instant",
            "pair them in a rule of its own that this one reads",
        ),
        (
            query.allowed_lateness.as_ref().map(|lateness| lateness.span),
            "what is late has missed its instant",
            "take late events in a rule of its own that this one reads",
        ),
        (clock.map(|clock| clock.span), "its timers and its events go by one clock", "leave out CLOCK"),
        (
            changes,
            "regions that are compared after each change could change one another for ever",
            "compare them at ticks, as with `EVERY 1 min`",
        ),
    ];
    why.into_iter().filter_map(|(span, why, help)| Some((span?, why, help)))
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
