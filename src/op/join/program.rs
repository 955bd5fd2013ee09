//! What a join does, the same for all keys.

use super::{KeyState, state::Row};
use crate::{
    expr::Expr,
    model::{TimeMs, Value, format_duration},
    plan,
};
use std::{collections::VecDeque, fmt::Write};

/// Without a limit of its own a key keeps so many events, of both sides together.
pub const EVENTS_MAX: usize = 100_000;

/// Without a limit of its own so many pairs are put out for one event.
const PAIRS_MAX: usize = 100_000;

/// A plan that is no join; the checker makes none such.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Not two inputs.
    #[error("a join reads two streams, not {inputs}")]
    Inputs {
        /// How many.
        inputs: usize,
    },
    /// Bounds of time the wrong way round.
    #[error("a join from {lower_ms} ms to {upper_ms} ms: nothing lies between")]
    Bounds {
        /// The lower one.
        lower_ms: TimeMs,
        /// The upper one.
        upper_ms: TimeMs,
    },
    /// An output without an expression.
    #[error("the output `{name}` has no expression")]
    Output {
        /// Its name.
        name: String,
    },
}

/// A join clause, ready to run; immutable.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) outer: bool,
    pub(super) lower_ms: TimeMs,
    pub(super) upper_ms: TimeMs,
    pub(super) sides: [Side; 2],
    pub(super) position: Option<(u16, u16)>,
    pub(super) on: Vec<Expr>,
    pub(super) conditions: Vec<Expr>,
    pub(super) outputs: Vec<Expr>,
    pub(super) events_max: usize,
    pub(super) pairs_max: usize,
    names: [String; 2],
    /// Whether events only meet those that wait, and don't wait themselves.
    pub(super) closed: bool,
}

/// What is done with an event of one side.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) id_slot: Option<u16>,
    pub(super) kept: Vec<Expr>,
}

impl Program {
    /// The program of a rule's JOIN clause. HAVING has no meaning for a join, and WHERE is the plan's `conditions`.
    ///
    /// # Errors
    /// When the plan is not one that the checker makes.
    pub fn new(
        join: &plan::Join,
        inputs: &[plan::Input],
        outputs: &[plan::OutputField],
        limits: plan::Limits,
    ) -> Result<Self, BuildError> {
        let [left, right] = inputs else { return Err(BuildError::Inputs { inputs: inputs.len() }) };
        let plan::Join { outer, lower_ms, upper_ms, .. } = *join;
        if lower_ms > upper_ms {
            return Err(BuildError::Bounds { lower_ms, upper_ms });
        }
        let [kept_left, kept_right] = join.kept.clone();
        // Outputs look at the pair and the key only, so the first of an output's expressions is all of them.
        let values = outputs.iter().map(|output| {
            output.exprs.first().cloned().ok_or_else(|| BuildError::Output { name: output.name.clone() })
        });
        let or = |limit: Option<u32>, default: usize| limit.map_or(default, |limit| limit as usize);
        Ok(Self {
            outer,
            lower_ms,
            upper_ms,
            sides: [Side { id_slot: left.id_slot, kept: kept_left }, Side { id_slot: right.id_slot, kept: kept_right }],
            position: join.position,
            on: join.on.clone(),
            conditions: join.conditions.clone(),
            outputs: values.collect::<Result<_, _>>()?,
            events_max: or(limits.partial_matches, EVENTS_MAX).max(1),
            pairs_max: or(limits.matches_per_event, PAIRS_MAX).max(1),
            names: [left.name.clone(), right.name.clone()],
            closed: false,
        })
    }

    /// The same where events only meet those that wait already.
    #[must_use]
    pub fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    /// A state that knows the right events that wait in an old version, so that a left event that meets one isn't taken for one that met
    /// nobody. What the old version kept of them is what ON can look at.
    pub fn follow(&self, old: &Self, state: &KeyState) -> KeyState {
        let [_, right] = &self.sides;
        let [_, was] = &old.sides;
        let words = |expr: &Expr| format!("{expr:?}");
        let was: Vec<String> = was.kept.iter().map(words).collect();
        let slots: Vec<Option<usize>> =
            right.kept.iter().map(|expr| was.iter().position(|was| *was == words(expr))).collect();
        if !self.outer {
            return KeyState::default();
        }
        let row = |row: &Row| {
            let value = |slot: &Option<usize>| slot.and_then(|slot| row.values.get(slot)).cloned();
            Row { values: slots.iter().map(|slot| value(slot).unwrap_or(Value::Null)).collect(), ..row.clone() }
        };
        let right: VecDeque<Row> = state.right.iter().map(row).collect();
        KeyState { shared: right.len(), right, ..KeyState::default() }
    }

    /// What it does, in lines for people.
    pub fn explain(&self) -> String {
        let [left, right] = &self.names;
        let (lower, upper) = (format_duration(self.lower_ms), format_duration(self.upper_ms));
        let mut text = format!("pairs of {left} and {right} with {right}.time - {left}.time from {lower} to {upper}");
        // Writing to a string can't fail.
        let _ = match self.outer {
            true => writeln!(text, "; of {left} also those that found none"),
            false => writeln!(text),
        };
        for (name, side) in self.names.iter().zip(&self.sides) {
            let kept: Vec<String> = side.kept.iter().map(ToString::to_string).collect();
            let what = if kept.is_empty() { "nothing but the time".to_owned() } else { kept.join(" ; ") };
            let _ = writeln!(text, "keeps of {name}: {what}");
        }
        for (what, exprs) in [("on", &self.on), ("where", &self.conditions)] {
            for expr in exprs {
                let _ = writeln!(text, "{what} {expr}");
            }
        }
        text
    }

    /// The first instant at which no right event can come for a left one of this time.
    pub(super) fn left_ends_ms(&self, time_ms: TimeMs) -> TimeMs {
        time_ms.saturating_add(self.upper_ms).saturating_add(1)
    }

    /// The first instant at which no left event can come for a right one of this time.
    pub(super) fn right_ends_ms(&self, time_ms: TimeMs) -> TimeMs {
        time_ms.saturating_sub(self.lower_ms).saturating_add(1)
    }
}
