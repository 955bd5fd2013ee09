//! What is known of the event at hand: each shared condition, item and key is evaluated once.

use super::{access::Atom, stream::Stream};
use crate::{
    expr::{Env, Expr, Node},
    model::{Key, Value},
};
use smallvec::SmallVec;
use std::cell::OnceCell;

/// Results for the event at hand, and space for the work on it. One for each stream and thread.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memo {
    /// Of the stream's shared subexpressions.
    pub(super) cells: Vec<OnceCell<Value>>,
    pub(super) known: Known,
    /// Subscriptions that the event may concern.
    pub(super) found: Vec<u32>,
    /// How often a rule was asked whether an event concerns it.
    pub(super) asked: u64,
}

/// Results, each valid if its stamp is the event's.
#[derive(Debug, Default)]
pub(super) struct Known {
    stamp: u64,
    conditions: Vec<(u64, bool)>,
    items: Vec<(u64, Value)>,
    keys: Vec<(u64, Option<Key>)>,
}

impl Memo {
    /// Space for a stream.
    pub(super) fn new(conditions: usize, items: usize, keys: usize, computed: usize) -> Self {
        Self {
            cells: (0..computed).map(|_| OnceCell::new()).collect(),
            known: Known {
                stamp: 0,
                conditions: vec![(0, false); conditions],
                items: vec![(0, Value::Null); items],
                keys: vec![(0, None); keys],
            },
            ..Self::default()
        }
    }

    /// Forgets the event before.
    pub(super) fn begin(&mut self) {
        self.cells.iter_mut().for_each(|cell| drop(cell.take()));
        self.known.stamp += 1;
    }
}

/// Asks about one event.
pub(super) struct Ask<'a, 'e> {
    pub(super) stream: &'a Stream,
    pub(super) env: &'a Env<'e>,
    pub(super) known: &'a mut Known,
}

impl Ask<'_, '_> {
    /// Whether a condition is true.
    pub(super) fn holds(&mut self, condition: u32) -> bool {
        let Some((stamp, known)) = self.known.conditions.get_mut(condition as usize) else { return false };
        if *stamp != self.known.stamp {
            let expr = self.stream.conditions.get(condition as usize);
            (*stamp, *known) = (self.known.stamp, expr.is_some_and(|expr| expr.is_true(self.env)));
        }
        *known
    }

    /// An item as a number, if it is one.
    pub(super) fn number(&mut self, item: u32) -> Option<f64> {
        self.item(item)?.number()
    }

    /// An item as what is looked up, if it can be.
    pub(super) fn atom(&mut self, item: u32) -> Option<Atom> {
        self.item(item).and_then(Atom::of)
    }

    /// An item.
    #[inline]
    pub(super) fn item(&mut self, item: u32) -> Option<&Value> {
        let expr = self.stream.items.get(item as usize)?;
        if let Some(slot) = as_slot(expr) {
            return self.env.event.values.get(usize::from(slot));
        }
        let (stamp, known) = self.known.items.get_mut(item as usize)?;
        if *stamp != self.known.stamp {
            (*stamp, *known) = (self.known.stamp, expr.value(self.env));
        }
        Some(known)
    }

    /// A key; none if a component is null.
    pub(super) fn key(&mut self, key: u32) -> Option<&Key> {
        let (stamp, known) = self.known.keys.get_mut(key as usize)?;
        if *stamp != self.known.stamp {
            let exprs = self.stream.keys.get(key as usize).map(Vec::as_slice).unwrap_or_default();
            *stamp = self.known.stamp;
            *known = match exprs {
                // Most keys are a field, which needn't be copied to be written.
                [only] if let Some(value) = only.in_place(self.env) => {
                    (!value.is_null()).then(|| Key::new(std::iter::once(value)))
                }
                exprs => {
                    let parts: SmallVec<[Value; 2]> = exprs.iter().map(|expr| expr.value(self.env)).collect();
                    let whole = !parts.iter().any(Value::is_null);
                    whole.then(|| Key::new(&parts))
                }
            };
        }
        known.as_ref()
    }

    /// Whether a component of a key is null.
    pub(super) fn lacks_key(&mut self, key: u32) -> bool {
        let exprs = self.stream.keys.get(key as usize).map(Vec::as_slice).unwrap_or_default();
        let values = self.env.event.values;
        let mut slots = exprs.iter().map(|expr| as_slot(expr).and_then(|slot| values.get(usize::from(slot))));
        // A look at the values is enough for most keys.
        match slots.try_fold(false, |null, value| value.map(|value| null || value.is_null())) {
            Some(null) => null,
            None => self.key(key).is_none(),
        }
    }
}

/// The field that an expression is, if it is but that.
pub(super) fn as_slot(expr: &Expr) -> Option<u16> {
    match expr.at(expr.root()) {
        Some(Node::Field(slot)) => Some(*slot),
        _ => None,
    }
}
