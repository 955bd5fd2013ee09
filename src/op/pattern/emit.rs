//! From a match to an output.

use super::{
    program::Program,
    state::{KeyState, Run, Scratch},
    view::View,
};
use crate::{
    expr::Env,
    model::{Clock, Emission, EmissionKind, Taken, TimeMs, Value},
};

impl Program {
    /// Evaluates the measures over a match and adds the output, unless HAVING refuses it. The output tells what bounds have
    /// dropped since the one before.
    pub(super) fn emit(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        run: &Run,
        (kind, time_ms, clock): (EmissionKind, TimeMs, Clock),
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let view = View::new(self, &state.buffer, run);
        let env = env.with_bound(&view);
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return;
        }
        let buffer = &state.buffer;
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
        out.push(Emission {
            kind,
            time_ms,
            start_ms: run.start_ms,
            end_ms: run.since_ms,
            clock,
            values: self.outputs.iter().map(|expr| expr.value(&env)).collect(),
            taken: taken.collect(),
            dropped: state.dropped,
        });
        state.dropped = 0;
    }
}
