//! Kinds of events, where a pattern's conditions are few and quick and look at the event alone: which of them an event meets, by bits, and
//! for each state and kind the way that a partial match goes. So the conditions are asked once per event, whatever is open.

use super::{
    decide::Decisions,
    graph::{Pred, PredIx},
};
use crate::{
    expr::{Env, Expr},
    model::Value,
};
use std::collections::BTreeSet;

/// More conditions are asked as they come up.
const CONDITIONS_MAX: usize = 5;

/// The ways by state and kind.
#[derive(Debug)]
pub(super) struct Kinds {
    /// By condition and input.
    conditions: Vec<Vec<Option<Expr>>>,
    /// Of the match that has not begun, by kind.
    starts: Vec<u32>,
    /// By state and kind.
    ways: Vec<u32>,
}

/// A condition as each input has it.
type ByInput = Vec<Option<Expr>>;

impl Kinds {
    /// The kinds of a program none of whose conditions looks at the match.
    pub(super) fn new(
        decisions: &Decisions,
        states: usize,
        preds: &[Pred],
        (conditions, untils): (&[ByInput], &[ByInput]),
    ) -> Option<Self> {
        let roots = (0..states as u16).map(|state| decisions.root(state)).collect::<Option<Vec<u32>>>()?;
        let start = decisions.start()?;
        let all = roots.iter().copied().chain([start]);
        let asked: BTreeSet<PredIx> = all.flat_map(|root| decisions.asked(root)).collect();
        if asked.len() > CONDITIONS_MAX {
            return None;
        }
        let of = |pred: &PredIx| match preds.get(usize::from(*pred))? {
            Pred::Variable(var) => conditions.get(usize::from(*var)).cloned(),
            Pred::Until(until) => untils.get(usize::from(*until)).cloned(),
            Pred::InTime(_) | Pred::All(_) | Pred::Any(_) => None,
        };
        let conditions = asked.iter().map(of).collect::<Option<Vec<_>>>()?;
        let quick = |expr: &Expr| expr.is_quick() || matches!(expr.as_const(), Some(Value::Bool(_)));
        if !conditions.iter().flatten().flatten().all(quick) {
            return None;
        }
        let asked: Vec<PredIx> = asked.into_iter().collect();
        let count = 1u32 << asked.len();
        let way = |root: u32, kind: u32| {
            let met = |pred| asked.iter().position(|asked| *asked == pred).is_some_and(|bit| kind & 1 << bit != 0);
            decisions.decide(root, met)
        };
        let by_kind = |root: u32| (0..count).map(move |kind| way(root, kind));
        Some(Self { starts: by_kind(start).collect(), ways: roots.into_iter().flat_map(by_kind).collect(), conditions })
    }

    /// The kind of an event of an input.
    #[inline]
    pub(super) fn of(&self, input: usize, env: &Env<'_>) -> u32 {
        let mut kind = 0;
        for (bit, condition) in self.conditions.iter().enumerate() {
            let met = condition.get(input).and_then(Option::as_ref).is_some_and(|expr| expr.is_true(env));
            kind |= u32::from(met) << bit;
        }
        kind
    }

    /// The way of the match that has not begun.
    #[inline]
    pub(super) fn start(&self, kind: u32) -> Option<u32> {
        self.starts.get(kind as usize).copied()
    }

    /// The way of a partial match in a state.
    #[inline]
    pub(super) fn way(&self, state: u16, kind: u32) -> Option<u32> {
        self.ways.get(usize::from(state) * self.starts.len() + kind as usize).copied()
    }
}
