//! A finished match as the events that it took, where it is kept otherwise than one by one: its output is made from where they lie.

use super::{
    fold::Fold,
    program::{Program, looks_at},
};
use crate::{
    expr::{Bound, Env, Pick, Var},
    model::{Emission, EmissionKind, EventId, Taken, TimeMs, Value},
};
use smallvec::SmallVec;

/// An event of a match.
pub(super) struct Step<'a> {
    pub(super) var: u16,
    pub(super) time_ms: TimeMs,
    pub(super) id: &'a EventId,
    /// What is kept of it.
    pub(super) values: &'a [Value],
    /// What each aggregate takes of it, by [`Program::summand_slots`].
    pub(super) summands: &'a [Value],
}

/// A match, the first event first.
pub(super) type Path<'a> = SmallVec<[Step<'a>; 8]>;

/// A match as expressions see it.
struct View<'a> {
    program: &'a Program,
    path: &'a [Step<'a>],
}

impl View<'_> {
    fn find(&self, of: Var) -> Option<&Step<'_>> {
        let mut own = self.path.iter().filter(|step| looks_at(of.var, step.var));
        match of.pick {
            Pick::First(n) => own.nth(n.into()),
            Pick::Last(n) => own.nth_back(n.into()),
        }
    }
}

impl Bound for View<'_> {
    fn value(&self, var: Var, slot: u16) -> Option<&Value> {
        self.find(var)?.values.get(usize::from(slot))
    }

    fn time_ms(&self, var: Var) -> Option<TimeMs> {
        Some(self.find(var)?.time_ms)
    }

    fn aggregate(&self, ix: u16) -> Value {
        let Some((of, aggregate)) = self.program.aggregates.get(usize::from(ix)) else { return Value::Null };
        let own = self.path.iter().filter(|step| looks_at(*of, step.var));
        let Some(slot) = self.program.summand_slots.get(usize::from(ix)).copied().flatten() else {
            return Value::Int(own.count() as i64);
        };
        let summands = own.filter_map(|step| step.summands.get(usize::from(slot))).filter(|value| !value.is_null());
        let mut fold = Fold::default();
        // Of each value that is new the fold that met it.
        let mut known: Vec<Fold> = Vec::new();
        for value in summands {
            let mut is_new = false;
            fold = fold.with(aggregate.kind, value.clone(), |value| {
                is_new = !known.iter().any(|fold| fold.met(value));
                !is_new
            });
            if is_new {
                known.push(fold.clone());
            }
        }
        fold.result(aggregate.kind, aggregate.ty)
    }

    fn classifier(&self) -> Option<&str> {
        let var = self.path.last()?.var;
        self.program.names.get(usize::from(var)).map(String::as_str)
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.path.first()?.time_ms, self.path.last()?.time_ms))
    }
}

impl Program {
    /// Evaluates the measures over a match that an event ended and adds the output, unless HAVING refuses it. It tells what bounds have
    /// dropped since the output before. Not for matches of which each event is an output.
    pub(super) fn emit_path(&self, path: &Path<'_>, dropped: &mut u64, env: &Env<'_>, out: &mut Vec<Emission>) {
        let view = View { program: self, path };
        let time_ms = env.event.time_ms();
        let (start_ms, end_ms) = view.span().unwrap_or((time_ms, time_ms));
        let env = env.with_bound(&view);
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return;
        }
        let taken = |step: &Step<'_>| {
            let position = match self.track.and_then(|slot| step.values.get(usize::from(slot))) {
                Some(Value::Point(position)) => Some(*position),
                _ => None,
            };
            Taken { var: step.var, id: step.id.clone(), position }
        };
        out.push(Emission {
            kind: EmissionKind::Match,
            time_ms,
            start_ms,
            end_ms,
            clock: None,
            values: self.outputs.iter().map(|expr| expr.value(&env)).collect(),
            taken: path.iter().map(taken).collect(),
            row: None,
            revision: 0,
            dropped: std::mem::take(dropped),
        });
    }
}
