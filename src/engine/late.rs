//! Late events: which rules take them all the same.
//!
//! Whether a rule with ALLOWED LATENESS takes an event is a function of the event, its key and the watermark at which it was found
//! to be late, and of no state. So it is known when the event comes that somebody takes it, and said again when it is its turn.

use super::{
    compile::Compiled,
    route::{Router, Subscription},
};
use crate::{
    expr::Env,
    model::{EventRef, Key, TimeMs},
    op::window,
    plan::Plan,
};
use std::sync::Arc;

/// By source, the rules that take late events of it, in the order of subscriptions.
#[derive(Debug)]
pub(super) struct LateReaders(Vec<Vec<(Subscription, Arc<window::Program>)>>);

impl LateReaders {
    /// Of the readers of streams that read sources alone, by stream, those that take late events.
    pub(super) fn new(plan: &Plan, compiled: &[Compiled], readers: &[Vec<Subscription>]) -> Self {
        let program = |to: &Subscription| {
            let window = compiled.get(to.rule as usize)?.window.as_ref()?;
            let plain = plan.rules.get(to.rule as usize)?.through.is_none();
            (plain && window.takes_late()).then(|| (*to, Arc::clone(window)))
        };
        let of_stream = |readers: &Vec<Subscription>| readers.iter().filter_map(program).collect();
        Self(readers.iter().map(of_stream).collect())
    }

    /// Tells which rules take an event that was found to be late, each with the event's key.
    pub(super) fn route(
        &self,
        router: &Router,
        event: EventRef<'_>,
        found_ms: TimeMs,
        mut to: impl FnMut(Subscription, &Key),
    ) {
        for (reader, program) in self.0.get(event.stream.0 as usize).into_iter().flatten() {
            router.alone(*reader, event, |env: &Env<'_>, key| {
                if program.takes(reader.input as usize, env, found_ms) {
                    to(*reader, key);
                }
            });
        }
    }
}
