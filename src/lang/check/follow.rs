//! FOLLOW: a pattern over regions that goes on where a region does.
//!
//! Partial matches go from a region to those that name it among their parents, so both have to be on one shard. Regions of one
//! key of the CLUSTER rule are: events are routed by that key, and the region is left out of it.

use super::{scope::RuleScope, streams::Streams};
use crate::{
    expr::Node,
    lang::{
        ast::{KeyPart, Name, Operator, Query},
        diag::{Code, Diagnostic},
        span::Span,
    },
    plan::{Body, Follow, Input, Lineage, RegionEnd, RegionField, Role, Rule, Skip},
};

/// The component of the key that is followed, and by what.
fn followed(query: &Query) -> impl Iterator<Item = (usize, &KeyPart, &Name)> {
    let parts = query.partition_by.iter().enumerate();
    parts.filter_map(|(at, part)| part.follow.as_ref().map(|follow| (at, part, follow)))
}

/// Checks what the text alone says of FOLLOW, and notes that the rule has it.
pub(super) fn clause(scope: &mut RuleScope<'_>, query: &Query) {
    let mut all = followed(query);
    let Some((_, _, follow)) = all.next() else { return };
    scope.follows = true;
    let mut wrong = |span: Span, message: &str, help: &str| {
        scope.report(Diagnostic::new(Code::WrongPlace, span, message).with_help(help));
    };
    if let Some((_, _, second)) = all.next() {
        wrong(second.span, "one component of the key can be followed", "leave out one `FOLLOW`");
    }
    let mut clauses = [
        query.through.as_ref().map(|clause| clause.span),
        query.order_by.first().map(|expr| expr.span),
        query.near.as_ref().map(|clause| clause.span),
        query.joins.first().map(|clause| clause.span),
        query.unnest.as_ref().map(|clause| clause.span),
    ]
    .into_iter()
    .flatten();
    if let Some(span) = clauses.next() {
        wrong(span, "this can't stand beside FOLLOW", "make one of the two a `stream:` of its own");
    } else if !matches!(query.operator, Some(Operator::Pattern(_))) {
        wrong(follow.span, "FOLLOW is about partial matches, and the rule has no PATTERN", "leave `FOLLOW` out");
    } else if follow.text != RegionField::Parents.name() {
        wrong(follow.span, "regions are followed by their `parents`", "write `PARTITION BY region FOLLOW parents`");
    }
}

/// Finds out of a rule that is sound otherwise where its events name their parents; what stands against it.
pub(super) fn resolve(rule: &mut Rule, query: &Query, rules: &[Rule], streams: &Streams) -> Vec<Diagnostic> {
    let Some((part, written, follow)) = followed(query).next() else { return Vec::new() };
    let wrong = |span: Span, message: String, help: &str| {
        vec![Diagnostic::new(Code::WrongPlace, span, message).with_help(help)]
    };
    let mut inputs = Vec::new();
    for input in &rule.inputs {
        let origin = streams.rule(input.stream).and_then(|origin| rules.get(origin as usize));
        let found = origin.map(|origin| lineage(input, part, origin));
        match found {
            Some(Ok(lineage)) => inputs.push(lineage),
            Some(Err((message, help))) => return wrong(written.expr.span, message, help),
            None => {
                let message = format!("events of `{}` are of no region", input.name);
                return wrong(written.expr.span, message, "FOLLOW reads streams of rules by region");
            }
        }
    }
    match inputs.iter().flatten().count() {
        0 => {
            let message = "no stream of FROM says what became of regions".to_owned();
            return wrong(follow.span, message, "name the stream of the rule with `CLUSTER BY`");
        }
        1 => {}
        _ => {
            let message = "regions of two rules with CLUSTER are told apart by no id".to_owned();
            return wrong(follow.span, message, "read one of the streams here, and the other in a rule of its own");
        }
    }
    if let Body::Pattern(pattern) = &rule.body
        && !matches!(pattern.skip, Skip::Eager | Skip::NoSkip)
    {
        let span = match &query.operator {
            Some(Operator::Pattern(clause)) => clause.skip.as_ref().map_or(clause.span, |skip| skip.span),
            _ => follow.span,
        };
        let message = "a match can't wait for an earlier one that goes on in several regions".to_owned();
        return wrong(span, message, "FOLLOW goes with `AFTER MATCH EAGER` and `AFTER MATCH NO SKIP`");
    }
    rule.follow = Some(Follow { part: part as u16, inputs });
    if let Some(part) = rule.key.get_mut(part) {
        part.through = true;
    }
    Vec::new()
}

/// Where events of an input name their parents, none where they can't; or what is wrong, and what helps.
fn lineage(input: &Input, part: usize, origin: &Rule) -> Result<Option<Lineage>, (String, &'static str)> {
    let slots: Option<Vec<u16>> = input.key.iter().map(|expr| field(expr.nodes())).collect();
    let keyed = |slot: &u16| origin.outputs.get(usize::from(*slot)).is_some_and(|output| output.role == Role::Key);
    let slots = slots.filter(|slots| slots.iter().all(keyed)).ok_or_else(|| {
        (
            format!("with FOLLOW the key is made of components of the key of `{}`", origin.name),
            "regions that take over from one another must have the same key otherwise",
        )
    })?;
    if !matches!(origin.body, Body::Cluster(_)) {
        return Ok(None);
    }
    if origin.having.is_some() {
        return Err((
            format!("`{}` leaves out some of what becomes of its regions, by HAVING", origin.name),
            "put the condition into DEFINE, or WHERE, of this rule",
        ));
    }
    let region = origin.region_slot(RegionField::Region);
    if slots.get(part).copied() != region {
        return Err(("only `region` can be followed".to_owned(), "write `PARTITION BY region FOLLOW parents`"));
    }
    // An id is one of the key of the CLUSTER rule: another key may have the same.
    let whole = (0..origin.key.len()).all(|own| slots.contains(&(own as u16)));
    if !whole {
        let own: Vec<String> = origin.key.iter().map(|part| format!("`{}`", part.name)).collect();
        return Err((
            format!("regions of `{}` are told apart by {}, too", origin.name, own.join(", ")),
            "name all components of the key of the rule with CLUSTER in PARTITION BY",
        ));
    }
    match (origin.region_slot(RegionField::Parents), RegionEnd::of(origin)) {
        (Some(parents), Some(end)) => Ok(Some(Lineage { parents, end })),
        _ => Err((
            format!("`{}` gives `parents`, `transition` or `displacement` another meaning", origin.name),
            "name its measures otherwise",
        )),
    }
}

fn field(nodes: &[Node]) -> Option<u16> {
    match nodes {
        [Node::Field(slot)] => Some(*slot),
        _ => None,
    }
}
