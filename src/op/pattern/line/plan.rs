//! Which patterns are lines, and what they ask.

use crate::{
    expr::{Compare, Expr, Node, Pick, Var},
    model::Value,
    op::pattern::{
        flatten::{FlatState, What},
        graph::{Kind, Lit, Pred},
        state::is_end,
    },
    plan::Skip,
};
use std::collections::BTreeMap;

/// A pattern as a line of variables.
#[derive(Clone, Debug)]
pub(in crate::op::pattern) struct Plan {
    /// By place in the match.
    pub(super) steps: Vec<Step>,
    /// The questions that are asked of an event: of each the places that ask it, by bits.
    pub(super) questions: Vec<u64>,
    /// Of the place of a variable the same, to look up.
    pub(super) place_of: Vec<Option<u16>>,
    pub(super) skip: Skip,
    /// By place and input what is compared, where a condition is but a comparison with an event before.
    pub(super) beside: Vec<Vec<Option<Beside>>>,
}

/// A comparison of a field, as a number, with what is kept of an event before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub(super) slot: u16,
    pub(super) op: Compare,
    /// How many events before.
    pub(super) back: usize,
    pub(super) kept: u16,
}

/// What an event must be to come at a place in the match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) var: u16,
    /// Whether the variable's condition is asked at all.
    pub(super) asks: bool,
}

/// The open matches of a partition fit in a word.
const LEN_MAX: usize = 64;

impl Plan {
    /// The line that an automaton is, if it is one.
    pub(in crate::op::pattern) fn new(
        states: &[FlatState],
        preds: &[Pred],
        conditions: &[Vec<Option<Expr>>],
        skip: Skip,
    ) -> Option<Self> {
        let mut steps: Vec<Step> = Vec::new();
        let mut place_of = vec![None; conditions.len()];
        let mut questions = BTreeMap::new();
        let mut at = 0;
        while let Some(state) = states.get(at).filter(|state| !is_end(state)) {
            let timeless = state.kind == Kind::Normal && state.is_timeless() && state.finals.is_empty();
            // The match that has not begun skips everything anyway.
            let mut edges = state.edges.iter().filter(|edge| at > 0 || matches!(edge.what, What::Take { .. }));
            let (Some(edge), None, true) = (edges.next(), edges.next(), timeless) else { return None };
            let What::Take { var, target } = edge.what else { return None };
            if usize::from(target) != at + 1 || !edge.marks.is_empty() || !edge.within.is_empty() {
                return None;
            }
            let asks = match edge.guard.as_slice() {
                [] => false,
                [Lit { pred, want: true }] => {
                    matches!(preds.get(usize::from(*pred)), Some(Pred::Variable(of)) if *of == var)
                }
                _ => return None,
            };
            if !asks && !edge.guard.is_empty() {
                return None;
            }
            let always = |expr: &Option<Expr>| expr.as_ref().and_then(Expr::as_const) == Some(&Value::Bool(true));
            let asks = asks && !conditions.get(usize::from(var))?.iter().all(always);
            let place = place_of.get_mut(usize::from(var)).filter(|place| place.is_none())?;
            *place = Some(at as u16);
            steps.push(Step { var, asks });
            at += 1;
        }
        let ends = states.get(at).is_some_and(is_end) && at + 1 == states.len();
        if !ends || steps.len() < 2 || steps.len() > LEN_MAX {
            return None;
        }
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.asks) {
            let text = conditions.get(usize::from(step.var)).and_then(|exprs| seen_from(exprs, at, &place_of));
            // Places ask the same if they do of an event and of those directly before it.
            *questions.entry(text.unwrap_or_else(|| format!("place {at}"))).or_insert(0) |= 1u64 << at;
        }
        let beside = |(at, step): (usize, &Step)| {
            let beside = |expr: &Option<Expr>| {
                let (slot, op, var, kept) = expr.as_ref()?.beside()?;
                let is_only = matches!(var.pick, Pick::First(0) | Pick::Last(0));
                let place = place_of.get(usize::from(var.var)).copied().flatten().filter(|_| is_only)?;
                let back = at.checked_sub(usize::from(place)).filter(|back| *back > 0)?;
                Some(Beside { slot, op, back, kept })
            };
            conditions.get(usize::from(step.var)).into_iter().flatten().map(beside).collect()
        };
        let beside = steps.iter().enumerate().map(beside).collect();
        Some(Self { steps, questions: questions.into_values().collect(), place_of, skip, beside })
    }

    /// What the condition of a place compares of an input's events, where that is all.
    #[inline]
    pub(super) fn beside(&self, place: usize, input: usize) -> Option<&Beside> {
        self.beside.get(place)?.get(input)?.as_ref()
    }

    /// How many events a match has.
    pub(in crate::op::pattern) fn len(&self) -> usize {
        self.steps.len()
    }

    /// How many events are kept at most.
    pub(super) fn kept(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    /// How many events a match that has taken so many began before the one that is meant; none where the match has none such.
    pub(super) fn place(&self, of: Var, taken: usize) -> Option<usize> {
        if of.var == Var::ANY {
            return match of.pick {
                Pick::First(n) => Some(usize::from(n)).filter(|place| *place < taken),
                Pick::Last(n) => taken.checked_sub(usize::from(n) + 1),
            };
        }
        let is_only = matches!(of.pick, Pick::First(0) | Pick::Last(0));
        let place = usize::from(self.place_of.get(usize::from(of.var)).copied().flatten()?);
        (is_only && place < taken).then_some(place)
    }
}

/// What a condition asks at a place, as text in which other events of the match are told by how long they were ago; none where it
/// looks at more of the match than that.
fn seen_from(exprs: &[Option<Expr>], at: usize, place_of: &[Option<u16>]) -> Option<String> {
    let mut text = String::new();
    for expr in exprs {
        let Some(expr) = expr else {
            text.push('-');
            continue;
        };
        for node in expr.nodes() {
            let back = |var: &Var| {
                let place = place_of.get(usize::from(var.var)).copied().flatten()?;
                let is_only = matches!(var.pick, Pick::First(0) | Pick::Last(0));
                is_only.then(|| at.checked_sub(usize::from(place)).filter(|back| *back > 0)).flatten()
            };
            match node {
                Node::Var(var, slot) => text += &format!("var {} {slot};", back(var)?),
                Node::VarTime(var) => text += &format!("time {};", back(var)?),
                Node::Aggregate(_) | Node::SpanStart | Node::SpanEnd | Node::Classifier | Node::MatchNumber => {
                    return None;
                }
                Node::AtEnd(_) => return None,
                node => text += &format!("{node:?};"),
            }
        }
        text += &format!("root {:?};", expr.root());
    }
    Some(text)
}
