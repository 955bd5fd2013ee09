//! A pair as expressions see it: two variables, each bound to an entity's latest event.

use super::entity::Entity;
use crate::{
    expr::{Bound, Var},
    model::{TimeMs, Value},
};

#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) a: &'a Entity,
    pub(super) b: &'a Entity,
    pub(super) since_ms: TimeMs,
    pub(super) now_ms: TimeMs,
}

impl<'a> View<'a> {
    fn entity(&self, var: Var) -> Option<&'a Entity> {
        match var.var {
            0 => Some(self.a),
            1 => Some(self.b),
            _ => None,
        }
    }
}

impl Bound for View<'_> {
    fn value(&self, var: Var, slot: u16) -> Option<&Value> {
        self.entity(var)?.kept.get(usize::from(slot))
    }

    fn time_ms(&self, var: Var) -> Option<TimeMs> {
        self.entity(var).map(|entity| entity.time_ms)
    }

    fn aggregate(&self, _: u16) -> Value {
        Value::Null
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.since_ms, self.now_ms))
    }
}
