//! The streams among rules: who reads whom, in which order rules are checked, and circles.

use crate::{
    lang::{
        ast::{Name, Query},
        diag::{Code, Diagnostic},
        file,
    },
    plan::circles,
};
use std::collections::BTreeMap;

/// A rule with its expression read.
pub(super) struct Parsed<'a> {
    /// The index of its file.
    pub(super) file: usize,
    pub(super) rule: &'a file::Rule,
    /// None where it has mistakes of grammar.
    pub(super) query: Option<Query>,
}

/// The names of all streams that a query reads.
pub(super) fn reads(query: &Query) -> impl Iterator<Item = &Name> {
    let joined = query.joins.iter().map(|join| &join.source.stream);
    let near = query.near.iter().map(|near| &near.source.stream);
    query.from.iter().map(|source| &source.stream).chain(near).chain(joined)
}

/// The order in which every rule comes after those it reads, by place in the files where that is free; and the rules that
/// read each other in a circle that no FEEDBACK closes, with what to say of it.
pub(super) struct Order {
    /// Single rules, and those of a circle together: in a circle a rule comes after those that it reads but for what FEEDBACK brings it.
    pub(super) units: Vec<Vec<usize>>,
    pub(super) in_circle: Vec<bool>,
    pub(super) circles: Vec<(usize, Diagnostic)>,
}

/// For each rule those that it reads, and where it names them.
type Read<'p> = Vec<Vec<(usize, &'p Name)>>;

/// Orders the rules.
pub(super) fn order(rules: &[Parsed<'_>]) -> Order {
    let by_name: BTreeMap<&str, usize> =
        rules.iter().enumerate().rev().map(|(at, rule)| (rule.rule.name.as_str(), at)).collect();
    let read: Read<'_> = rules.iter().map(|rule| readers(&by_name, rule)).collect();
    let ids: Vec<Vec<usize>> = read.iter().map(|read| read.iter().map(|(other, _)| *other).collect()).collect();
    let mut order = Order { units: Vec::new(), in_circle: vec![false; rules.len()], circles: Vec::new() };
    let mut units = circles(&ids);
    let mut alone = vec![true; rules.len()];
    for at in units.iter().flatten() {
        alone.get_mut(*at).into_iter().for_each(|alone| *alone = false);
    }
    units.extend((0..rules.len()).filter(|&at| alone.get(at) == Some(&true)).map(|at| vec![at]));
    units.sort();
    let mut done = vec![false; rules.len()];
    while !units.is_empty() {
        let is_free = |unit: &Vec<usize>| {
            let read = unit.iter().filter_map(|&at| ids.get(at)).flatten();
            read.into_iter().all(|other| done.get(*other) == Some(&true) || unit.contains(other))
        };
        // Of sets of rules that all read each other none reads another in a circle.
        let Some(next) = units.iter().position(is_free) else { break };
        let unit = unroll(rules, &read, units.remove(next), &mut order);
        for at in &unit {
            done.get_mut(*at).into_iter().for_each(|done| *done = true);
        }
        order.units.push(unit);
    }
    order
}

fn readers<'p>(by_name: &BTreeMap<&str, usize>, rule: &'p Parsed<'_>) -> Vec<(usize, &'p Name)> {
    let names = rule.query.iter().flat_map(reads);
    // A rule with FEEDBACK reads itself knowingly.
    let names = names.filter(move |name| !is_fed(rule) || name.text != rule.rule.name);
    names.filter_map(|name| Some((by_name.get(name.text.as_str()).copied()?, name))).collect()
}

fn is_fed(rule: &Parsed<'_>) -> bool {
    rule.query.as_ref().is_some_and(|query| query.feedback.is_some())
}

/// Orders rules of which each leads to each: what leads to one with FEEDBACK is fed back. A circle without one is told of, and marked.
fn unroll(rules: &[Parsed<'_>], read: &Read<'_>, mut left: Vec<usize>, order: &mut Order) -> Vec<usize> {
    let closes = |at: usize| rules.get(at).is_some_and(is_fed);
    let mut unit = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready = left.iter().position(|&at| {
            let mut read = read.get(at).into_iter().flatten();
            order.in_circle.get(at) == Some(&true) || closes(at) || read.all(|(other, _)| !left.contains(other))
        });
        match ready {
            Some(ready) => unit.push(left.remove(ready)),
            None => circle(rules, read, &left, order),
        }
    }
    unit
}

/// Finds a circle among the rules that are left, of which each reads one, and marks its rules.
fn circle(rules: &[Parsed<'_>], read: &Read<'_>, left: &[usize], order: &mut Order) {
    let Some(&start) = left.first() else { return };
    let mut way: Vec<(usize, Option<&Name>)> = vec![(start, None)];
    loop {
        let Some(&(at, _)) = way.last() else { return };
        let Some(&(next, name)) = read.get(at).and_then(|read| read.iter().find(|(next, _)| left.contains(next)))
        else {
            return;
        };
        if let Some(from) = way.iter().position(|(rule, _)| *rule == next) {
            way.push((next, Some(name)));
            way.drain(..from);
            break;
        }
        way.push((next, Some(name)));
    }
    let names: Vec<&str> =
        way.iter().filter_map(|(at, _)| rules.get(*at)).map(|rule| rule.rule.name.as_str()).collect();
    for (at, _) in &way {
        if let Some(mark) = order.in_circle.get_mut(*at) {
            *mark = true;
        }
    }
    let (Some(first), Some(name)) = (way.first(), way.get(1).and_then(|(_, name)| *name)) else { return };
    let (message, help) = match names.as_slice() {
        [one, _] => (
            format!("`{one}` reads itself"),
            "a filter or a pattern may read itself if it says how often in a row: `FEEDBACK 3`".to_owned(),
        ),
        all => (
            format!("rules read each other in a circle: {}", names.join(" reads ")),
            format!(
                "if that is meant, say in one of them how often what it puts out may come back to it at one instant: `FEEDBACK 3`, in `{}` for example",
                all.first().copied().unwrap_or_default()
            ),
        ),
    };
    let diagnostic = Diagnostic::new(Code::Cycle, name.span, message).with_label("closes the circle").with_help(help);
    order.circles.push((first.0, diagnostic));
}
