//! The streams among rules: who reads whom, in which order rules are checked, and circles.

use crate::lang::{
    ast::{Name, Query},
    diag::{Code, Diagnostic},
    file,
};

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
/// read each other in a circle, with what to say of it.
pub(super) struct Order {
    pub(super) rules: Vec<usize>,
    pub(super) in_circle: Vec<bool>,
    pub(super) circles: Vec<(usize, Diagnostic)>,
}

/// Orders the rules.
pub(super) fn order(rules: &[Parsed<'_>]) -> Order {
    let read: Vec<Vec<(usize, &Name)>> = rules.iter().map(|rule| readers(rules, rule)).collect();
    let mut done = vec![false; rules.len()];
    let mut order = Order { rules: Vec::new(), in_circle: vec![false; rules.len()], circles: Vec::new() };
    while order.rules.len() < rules.len() {
        let ready = (0..rules.len()).find(|&at| {
            let free = |(other, _): &(usize, &Name)| done.get(*other) == Some(&true);
            done.get(at) == Some(&false)
                && (order.in_circle.get(at) == Some(&true) || read.get(at).is_some_and(|read| read.iter().all(free)))
        });
        match ready {
            Some(at) => {
                if let Some(done) = done.get_mut(at) {
                    *done = true;
                }
                order.rules.push(at);
            }
            None => circle(rules, &read, &done, &mut order),
        }
    }
    order
}

fn readers<'p>(rules: &[Parsed<'_>], rule: &'p Parsed<'_>) -> Vec<(usize, &'p Name)> {
    let names = rule.query.iter().flat_map(reads);
    // A rule with FEEDBACK reads itself knowingly.
    let is_fed = rule.query.as_ref().is_some_and(|query| query.feedback.is_some());
    let names = names.filter(move |name| !is_fed || name.text != rule.rule.name);
    names.filter_map(|name| Some((rules.iter().position(|other| other.rule.name == name.text)?, name))).collect()
}

/// Finds a circle among the rules that are left, and marks its rules.
fn circle(rules: &[Parsed<'_>], read: &[Vec<(usize, &Name)>], done: &[bool], order: &mut Order) {
    let left = |at: usize| done.get(at) == Some(&false);
    let Some(start) = (0..rules.len()).find(|&at| left(at)) else { return };
    // Each rule that is left reads one that is left, so the way goes on until it meets itself.
    let mut way: Vec<(usize, Option<&Name>)> = vec![(start, None)];
    loop {
        let Some(&(at, _)) = way.last() else { return };
        let Some(&(next, name)) = read.get(at).and_then(|read| read.iter().find(|(next, _)| left(*next))) else {
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
    let message = match names.as_slice() {
        [one, _] => format!("`{one}` reads itself"),
        _ => format!("rules read each other in a circle: {}", names.join(" reads ")),
    };
    let diagnostic = Diagnostic::new(Code::Cycle, name.span, message)
        .with_label("closes the circle")
        .with_help("rules may only read rules that don't depend on them, and with `FEEDBACK n` themselves");
    order.circles.push((first.0, diagnostic));
}
