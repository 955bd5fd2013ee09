//! From a match to its output, or to one output for each of its events.

use super::{
    program::Program,
    state::{Run, Scratch, Single},
    view::View,
};
use crate::{
    expr::Env,
    model::{Clock, Emission, EmissionKind, Row, Taken, TakenEvents, TimeMs, Value},
};
use std::sync::Arc;

impl Program {
    /// Evaluates the measures over a match and adds the output, or one per row, unless HAVING refuses it. `clock` is that of
    /// the timer that decided it, if one did. The first one tells what bounds
    /// have dropped since the output before.
    pub(super) fn emit(
        &self,
        state: &mut Single,
        scratch: &mut Scratch,
        run: &Run,
        (kind, time_ms, clock): (EmissionKind, TimeMs, Option<Clock>),
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        // Before HAVING, which may look at it. What timed out is no match.
        let number = (self.numbers && kind == EmissionKind::Match).then(|| {
            state.matches += 1;
            state.matches
        });
        let buffer = &state.buffer;
        let view = View::new(self, buffer, run).numbered(number);
        let output = |view: &View<'_>, taken: TakenEvents, row: Option<Row>| {
            let env = env.with_bound(view);
            let passes = self.having.as_ref().is_none_or(|having| having.is_true(&env));
            passes.then(|| Emission {
                kind,
                time_ms,
                start_ms: run.start_ms,
                end_ms: run.since_ms,
                clock,
                values: self.outputs.iter().map(|expr| expr.value(&env)).collect(),
                taken,
                row,
                revision: 0,
                dropped: 0,
            })
        };
        scratch.path.clear();
        scratch.path.extend(buffer.chain(run.node).map(|(at, _)| at));
        let taken = scratch.path.iter().rev().filter_map(|&at| {
            let (node, event) = (buffer.node(at)?, buffer.event_of(at)?);
            let position = match self.track.and_then(|slot| buffer.value(at, slot)) {
                Some(Value::Point(position)) => Some(*position),
                _ => None,
            };
            Some(Taken { var: node.var, id: event.id.clone(), position })
        });
        let first = out.len();
        if self.all_rows {
            let all: Arc<[Taken]> = taken.collect();
            for ((number, &node), own) in (1..).zip(scratch.path.iter().rev()).zip(all.iter()) {
                out.extend(output(
                    &view.row(node),
                    TakenEvents::from_iter([own.clone()]),
                    Some(Row { number, of: Arc::clone(&all) }),
                ));
            }
        } else {
            out.extend(output(&view, taken.collect(), None));
        }
        if let Some(emission) = out.get_mut(first) {
            emission.dropped = std::mem::take(&mut state.dropped);
        }
    }
}
