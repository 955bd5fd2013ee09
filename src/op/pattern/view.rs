//! A partial or finished match as expressions see it.

use super::{
    buffer::Buffer,
    program::Program,
    state::{NONE, Run},
};
use crate::{
    expr::{Bound, Pick, Var},
    model::{TimeMs, Value},
};

/// A match, or a row of it: the events taken so far; the event under test is not among them.
pub(super) struct View<'a> {
    program: &'a Program,
    buffer: &'a Buffer,
    node: u32,
    span: Option<(TimeMs, TimeMs)>,
    number: Option<u64>,
    /// The whole match, where this is a row of it.
    end: Option<&'a View<'a>>,
}

impl<'a> View<'a> {
    pub(super) fn new(program: &'a Program, buffer: &'a Buffer, run: &Run) -> Self {
        let span = (run.node != NONE).then_some((run.start_ms, run.since_ms));
        Self { program, buffer, node: run.node, span, number: None, end: None }
    }

    /// The same as the match with this number.
    pub(super) fn numbered(self, number: Option<u64>) -> Self {
        Self { number, ..self }
    }

    /// The match as it was when it took the event of one of its nodes.
    pub(super) fn row<'b>(&'b self, node: u32) -> View<'b> {
        View { node, end: Some(self), ..*self }
    }

    fn find(&self, var: Var) -> Option<u32> {
        find(self.program, self.buffer, self.node, var)
    }
}

impl Bound for View<'_> {
    fn value(&self, var: Var, slot: u16) -> Option<&Value> {
        self.buffer.value(self.find(var)?, slot)
    }

    fn time_ms(&self, var: Var) -> Option<TimeMs> {
        Some(self.buffer.event_of(self.find(var)?)?.time_ms)
    }

    fn aggregate(&self, ix: u16) -> Value {
        let Some((var, aggregate)) = self.program.aggregates.get(usize::from(ix)) else { return Value::Null };
        let slot = self.program.fold_slots.get(usize::from(ix)).copied().unwrap_or_default();
        let last = last_of(self.program, self.buffer, self.node, *var);
        let fold = last.and_then(|node| self.buffer.folds(node).get(slot));
        fold.unwrap_or(&super::fold::Fold::Empty).result(aggregate.kind, aggregate.ty)
    }

    fn classifier(&self) -> Option<&str> {
        let var = self.buffer.node(self.node)?.var;
        self.program.names.get(usize::from(var)).map(String::as_str)
    }

    fn number(&self) -> Option<u64> {
        self.number
    }

    fn at_end(&self) -> Option<&dyn Bound> {
        self.end.map(|end| end as &dyn Bound)
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        self.span
    }
}

/// The newest node of a variable at or before a node.
pub(super) fn last_of(program: &Program, buffer: &Buffer, node: u32, var: u16) -> Option<u32> {
    if var == Var::ANY {
        return buffer.node(node).map(|_| node);
    }
    match program.last_links.get(usize::from(var)) {
        Some(Some(slot)) => buffer.links(node).get(usize::from(*slot)).copied().filter(|&node| node != NONE),
        _ => buffer.chain(node).find(|(_, node)| node.var == var).map(|(at, _)| at),
    }
}

fn first_of(program: &Program, buffer: &Buffer, node: u32, var: u16) -> Option<u32> {
    let slot = match var {
        Var::ANY => program.first_any,
        var => program.first_links.get(usize::from(var)).copied().flatten(),
    };
    match slot {
        Some(slot) => buffer.links(node).get(usize::from(slot)).copied().filter(|&node| node != NONE),
        None => buffer.chain(node).filter(|(_, node)| var == Var::ANY || node.var == var).last().map(|(at, _)| at),
    }
}

/// The node that a pick means.
pub(super) fn find(program: &Program, buffer: &Buffer, node: u32, var: Var) -> Option<u32> {
    match var.pick {
        Pick::First(0) => first_of(program, buffer, node, var.var),
        Pick::First(n) => {
            let all: Vec<u32> = buffer
                .chain(node)
                .filter(|(_, node)| var.var == Var::ANY || node.var == var.var)
                .map(|(at, _)| at)
                .collect();
            all.len().checked_sub(usize::from(n) + 1).and_then(|at| all.get(at)).copied()
        }
        Pick::Last(n) => {
            let mut at = last_of(program, buffer, node, var.var)?;
            for _ in 0..n {
                at = last_of(program, buffer, buffer.node(at)?.prev, var.var)?;
            }
            Some(at)
        }
    }
}
