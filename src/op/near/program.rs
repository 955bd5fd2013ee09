//! A NEAR clause, ready to run.

use super::state::KeyState;
use crate::{
    expr::Expr,
    model::{Emission, Key, TimeMs, Value},
    plan,
};

/// A NEAR clause with what its rule puts out.
#[derive(Debug)]
pub struct Program {
    pub(super) near: plan::Near,
    /// For each input the slots of the event's id and of its position.
    pub(super) slots: Vec<(Option<u16>, Option<u16>)>,
    pub(super) outputs: Vec<Expr>,
    pub(super) having: Option<Expr>,
    /// How many components a pair's key has; the last two are the ids.
    pub(super) key_len: usize,
    /// The three texts of `encounter`, made once.
    pub(super) approached: Value,
    pub(super) together: Value,
    pub(super) separated: Value,
}

impl Program {
    /// The program of a rule with NEAR. The first outputs are the components of its key.
    pub fn new(near: &plan::Near, rule: &plan::Rule) -> Self {
        Self {
            near: near.clone(),
            slots: rule.inputs.iter().map(|input| (input.id_slot, input.position_slot)).collect(),
            outputs: rule.outputs.iter().filter_map(|field| field.exprs.first().cloned()).collect(),
            having: rule.having.clone(),
            key_len: rule.key.len(),
            approached: Value::text("approached"),
            together: Value::text("together"),
            separated: Value::text("separated"),
        }
    }

    /// The state of a partition in which nobody reported.
    pub fn blank(&self) -> KeyState {
        KeyState::new(&self.near)
    }

    /// The pair that an output is of.
    pub fn key(&self, emission: &Emission) -> Key {
        Key::new(emission.values.iter().take(self.key_len))
    }

    /// When [`advance`](Self::advance) may next do something.
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        match self.near.every_ms {
            Some(_) => state.tick_ms.map(after),
            None => state.next_timer(),
        }
    }

    /// The program in words.
    pub fn explain(&self) -> String {
        let plan::Near { within_m, leave_m, valid_ms, align_ms, every_ms, names: [a, b], .. } = &self.near;
        let when = every_ms.map_or("at each position".to_owned(), |every_ms| format!("every {every_ms} ms"));
        let aligned =
            align_ms.map_or(String::new(), |_| ", each taken on to that time by its last two positions".to_owned());
        format!(
            "{a} and {b} meet at {within_m} m or less and part beyond {leave_m} m, or {valid_ms} ms after the last position of one of \
             them; looked at {when}{aligned}\n"
        )
    }
}

/// The first instant after one.
pub(super) fn after(ms: TimeMs) -> TimeMs {
    ms.saturating_add(1)
}
