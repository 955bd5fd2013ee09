//! The immutable part of matching a pattern.

use super::{
    BuildError,
    buffer::{Buffer, Layout},
    builder,
    compact::Courses,
    decide::Decisions,
    flatten::{FlatState, flatten},
    graph::Pred,
    item,
    kinds::Kinds,
    line,
    turn::Turns,
};
use crate::{
    expr::{Expr, Node, Pick, Var},
    model::TimeMs,
    plan::{Aggregate, AggregateKind, Input, OutputField, Pattern, Skip},
};
use std::collections::BTreeSet;

/// So many partial matches a partition holds at most, unless a program says otherwise; beyond, those that began first are
/// dropped and counted.
pub const PARTIAL_MATCHES_MAX: usize = 100_000;

/// So many matches are put out for one event at most, unless a program says otherwise; of more, those that began last are
/// put out and the others counted.
pub const MATCHES_PER_EVENT_MAX: usize = 1_000;

/// Events that a partition's partial matches may hold, for each partial match that it may have.
pub(super) const EVENTS_PER_MATCH: usize = 10;

/// A pattern's automaton with everything that it evaluates. Shared by all partitions and threads.
#[derive(Debug)]
pub struct Program {
    pub(super) states: Vec<FlatState>,
    pub(super) preds: Vec<Pred>,
    /// How the edges that an event goes on are found.
    pub(super) decisions: Decisions,
    /// The same by the kind of an event, where that can be: no condition looks at a partial match.
    pub(super) kinds: Option<Kinds>,
    /// What the events of each kind do to partial matches that are kept in compact form.
    pub(super) courses: Option<Courses>,
    /// Whether a predicate looks at the partial match.
    pub(super) dynamic: Vec<bool>,
    pub(super) names: Vec<String>,
    /// By variable and input.
    pub(super) conditions: Vec<Vec<Option<Expr>>>,
    /// By stop condition and input.
    pub(super) untils: Vec<Vec<Option<Expr>>>,
    pub(super) retained: Vec<Vec<Expr>>,
    pub(super) aggregates: Vec<(u16, Aggregate)>,
    /// The place of each aggregate in the nodes that have it.
    pub(super) fold_slots: Vec<usize>,
    /// The place of what each aggregate takes of an event, where that is kept beside the event; none: it is what its name says, how many
    /// events there are.
    pub(super) summand_slots: Vec<Option<u16>>,
    /// For each variable the shortcut to its last event.
    pub(super) last_links: Vec<Option<u16>>,
    /// For each variable the shortcut to its first event.
    pub(super) first_links: Vec<Option<u16>>,
    /// The shortcut to the match's first event.
    pub(super) first_any: Option<u16>,
    /// For each aggregate that counts different values the shortcut to the last event with a new one.
    pub(super) new_links: Vec<Option<u16>>,
    pub(super) layout: Layout,
    pub(super) within_ms: Option<TimeMs>,
    pub(super) skip: Skip,
    pub(super) on_timeout: bool,
    /// Every event of a match is an output.
    pub(super) all_rows: bool,
    /// Whether a measure looks at the match's number, so that a key must count its matches.
    pub(super) numbers: bool,
    pub(super) track: Option<u16>,
    pub(super) outputs: Vec<Expr>,
    pub(super) having: Option<Expr>,
    pub(super) id_slots: Vec<Option<u16>>,
    /// At most so many partial matches a partition holds (in compact form: so many that began with different events).
    pub(super) limit: usize,
    /// At most so many matches an event ends.
    pub(super) matches_limit: usize,
    /// Whether partial matches are kept in compact form.
    pub(super) compact: bool,
    /// Where in compact form of each first event the first match counts: which states that concerns.
    pub(super) turns: Option<Turns>,
    /// How they are kept by when they began, where that can be and they are not kept in compact form.
    pub(super) line: Option<line::Plan>,
    /// No partial match: where conditions look that look at none.
    pub(super) nothing: Buffer,
}

// One program serves all shards.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Program>();
};

impl Program {
    /// The program of a pattern that reads `inputs` and puts out `outputs` where `having` is true.
    ///
    /// # Errors
    /// What can't be matched, has no meaning, or needs too large an automaton.
    pub fn new(
        pattern: &Pattern,
        inputs: &[Input],
        outputs: &[OutputField],
        having: Option<&Expr>,
    ) -> Result<Self, BuildError> {
        if pattern.variables.len() > 1_000 {
            return Err(BuildError::TooLarge { what: "variables", limit: 1_000 });
        }
        if pattern.within_ms.is_some_and(|within| within <= 0) {
            return Err(BuildError::meaningless("WITHIN must be longer than nothing"));
        }
        let vars = pattern.variables.len();
        let skipped_to = match pattern.skip {
            Skip::ToFirst { var, .. } | Skip::ToLast { var, .. } => Some(var),
            _ => None,
        };
        if skipped_to.is_some_and(|var| usize::from(var) >= vars) {
            return Err(BuildError::meaningless("AFTER MATCH SKIP names no variable of the pattern"));
        }
        let (items, untils) = item::items(pattern)?;
        let (graph, marks) = builder::build(pattern, &items, untils.len())?;
        let states = flatten(&graph)?;
        let conditions: Vec<_> = pattern.variables.iter().map(|variable| variable.conditions.clone()).collect();
        let dynamic = dynamic(&graph.preds, &conditions, &untils);
        let mut picks = picks(&conditions, &untils, &pattern.aggregates, vars);
        let fold_slots = fold_slots(&pattern.aggregates);
        let new_links = pattern.aggregates.iter().map(|(_, aggregate)| {
            let link = (aggregate.kind == AggregateKind::Distinct).then_some(picks.links);
            picks.links += u16::from(link.is_some());
            link
        });
        let new_links = new_links.collect();
        let layout = Layout {
            values: pattern.retained.iter().map(Vec::len).max().unwrap_or_default(),
            links: usize::from(picks.links),
            folds: fold_slots.iter().max().map_or(0, |most| most + 1),
            marks: usize::from(marks),
        };
        let outputs: Vec<Expr> = outputs.iter().filter_map(|field| field.exprs.first().cloned()).collect();
        let numbers = outputs.iter().chain(having).flat_map(Expr::nodes).any(|node| matches!(node, Node::MatchNumber));
        let plain = |pred: &bool| !pred;
        let decisions = Decisions::new(&states, &graph.preds);
        let compact =
            dynamic.iter().all(plain) && states.iter().all(FlatState::is_timeless) && !pattern.on_timeout && !numbers;
        let kinds = dynamic
            .iter()
            .all(plain)
            .then(|| Kinds::new(&decisions, states.len(), &graph.preds, (&conditions, &untils)));
        let turns = if compact && pattern.skip == Skip::ToNextRow { Turns::new(&states, &decisions) } else { None };
        let compact = compact && (matches!(pattern.skip, Skip::Eager | Skip::NoSkip) || turns.is_some());
        let in_line = !compact && !pattern.on_timeout && !numbers && pattern.aggregates.is_empty();
        let line = if in_line { line::Plan::new(&states, &graph.preds, &conditions, pattern.skip) } else { None };
        let kinds = kinds.flatten();
        let courses = kinds.as_ref().filter(|_| compact);
        let courses = courses.and_then(|kinds| Courses::new(kinds, &decisions, &states, &graph.preds));
        Ok(Self {
            decisions,
            kinds,
            courses,
            turns,
            line,
            nothing: Buffer::default(),
            states,
            preds: graph.preds,
            dynamic,
            names: pattern.variables.iter().map(|variable| variable.name.clone()).collect(),
            conditions,
            untils,
            retained: pattern.retained.clone(),
            aggregates: pattern.aggregates.clone(),
            fold_slots,
            summand_slots: summand_slots(&pattern.aggregates),
            last_links: picks.last,
            first_links: picks.first,
            first_any: picks.first_any,
            new_links,
            layout,
            within_ms: pattern.within_ms,
            skip: pattern.skip,
            on_timeout: pattern.on_timeout,
            all_rows: pattern.all_rows,
            numbers,
            track: pattern.track,
            outputs,
            having: having.cloned(),
            id_slots: inputs.iter().map(|input| input.id_slot).collect(),
            limit: PARTIAL_MATCHES_MAX,
            matches_limit: MATCHES_PER_EVENT_MAX,
            compact,
        })
    }

    /// The same with other bounds: on the partial matches of a partition and on the matches that one event ends, each at
    /// least 1.
    #[must_use]
    pub fn with_limits(self, partial_matches: usize, matches_per_event: usize) -> Self {
        let line = self.line.filter(|line| line.len() <= partial_matches);
        Self { limit: partial_matches.max(1), matches_limit: matches_per_event.max(1), line, ..self }
    }

    /// The same with matches that only end: none begins.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.decisions.close();
        Self { kinds: None, courses: None, ..self }
    }

    /// The same with partial matches kept one by one, whatever the conditions.
    #[must_use]
    pub fn one_by_one(self) -> Self {
        Self { compact: false, line: None, ..self }
    }
}

/// The places of aggregates in a node: first those over all events, which every node has, then those of its variable.
fn fold_slots(aggregates: &[(u16, Aggregate)]) -> Vec<usize> {
    let of_all = aggregates.iter().filter(|(var, _)| *var == Var::ANY).count();
    let slot = |(ix, (var, _)): (usize, &(u16, Aggregate))| {
        let before = aggregates.iter().take(ix).filter(|(other, _)| other == var).count();
        if *var == Var::ANY { before } else { of_all + before }
    };
    aggregates.iter().enumerate().map(slot).collect()
}

/// The places of what aggregates take of an event; of those that just count events nothing need be kept.
fn summand_slots(aggregates: &[(u16, Aggregate)]) -> Vec<Option<u16>> {
    let counts = |expr: &Option<Expr>| expr.as_ref().and_then(Expr::as_const).is_some_and(|value| !value.is_null());
    let is_count = |aggregate: &Aggregate| {
        let all = aggregate.args.iter().all(counts) && aggregate.filter.iter().all(Option::is_none);
        aggregate.kind == AggregateKind::Count && all
    };
    let mut slots = 0..;
    aggregates.iter().map(|(_, aggregate)| if is_count(aggregate) { None } else { slots.next() }).collect()
}

/// Which shortcuts nodes have.
struct Picks {
    last: Vec<Option<u16>>,
    first: Vec<Option<u16>>,
    first_any: Option<u16>,
    links: u16,
}

/// Shortcuts for what is looked at while partial matches grow; measures, evaluated once per match, can walk.
fn picks(
    conditions: &[Vec<Option<Expr>>],
    untils: &[Vec<Option<Expr>>],
    aggregates: &[(u16, Aggregate)],
    vars: usize,
) -> Picks {
    let mut picked = BTreeSet::new();
    for node in conditions.iter().chain(untils).flatten().flatten().flat_map(Expr::nodes) {
        if let Node::Var(Var { var, pick }, _) | Node::VarTime(Var { var, pick }) = node {
            picked.insert((*var, matches!(pick, Pick::First(_))));
        }
    }
    picked.extend(aggregates.iter().map(|(var, _)| (*var, false)));
    let mut picks = Picks { last: vec![None; vars], first: vec![None; vars], first_any: None, links: 0 };
    for (var, first) in picked {
        let place = match (var, first) {
            (Var::ANY, true) => Some(&mut picks.first_any),
            (Var::ANY, false) => None,
            (var, true) => picks.first.get_mut(usize::from(var)),
            (var, false) => picks.last.get_mut(usize::from(var)),
        };
        if let Some(place) = place {
            *place = Some(picks.links);
            picks.links += 1;
        }
    }
    picks
}

/// Whether what is asked of a variable, or of any, is asked of this one.
pub(super) fn looks_at(of: u16, var: u16) -> bool {
    of == var || of == Var::ANY
}

/// Whether conditions look at more than the event under test.
pub(super) fn looks(exprs: Option<&Vec<Option<Expr>>>) -> bool {
    exprs.into_iter().flatten().flatten().flat_map(Expr::nodes).any(|node| {
        let looks = matches!(node, Node::Var(..) | Node::VarTime(_) | Node::Aggregate(_));
        looks || matches!(node, Node::SpanStart | Node::SpanEnd)
    })
}

fn dynamic(preds: &[Pred], conditions: &[Vec<Option<Expr>>], untils: &[Vec<Option<Expr>>]) -> Vec<bool> {
    let mut dynamic: Vec<bool> = preds
        .iter()
        .map(|pred| match pred {
            Pred::Variable(var) => looks(conditions.get(usize::from(*var))),
            Pred::Until(until) => looks(untils.get(usize::from(*until))),
            Pred::InTime(_) => true,
            Pred::All(_) | Pred::Any(_) => false,
        })
        .collect();
    // Composite predicates refer to any others, so this goes on until nothing changes.
    let mut changed = true;
    while changed {
        changed = false;
        for (at, pred) in preds.iter().enumerate() {
            let parts: &[_] = match pred {
                Pred::All(guard) => std::slice::from_ref(guard),
                Pred::Any(guards) => guards,
                Pred::Variable(_) | Pred::Until(_) | Pred::InTime(_) => continue,
            };
            let now = parts.iter().flatten().any(|lit| dynamic[usize::from(lit.pred)]);
            changed |= now && !std::mem::replace(&mut dynamic[at], now);
        }
    }
    dynamic
}
