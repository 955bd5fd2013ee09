//! The window of everything so far.

use super::{
    KeyState, Program, Shape, Span, WindowAssigner,
    state::OpenWindow,
    step::{Coming, Decision},
};
use crate::model::{Emission, Taken, TimeMs, Value};

/// One window per key, which begins with its first event and never closes; each event gives the result so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoFar;

impl WindowAssigner for SoFar {
    fn assign(&self, time_ms: TimeMs, _: TimeMs, windows: &mut Vec<Span>) {
        windows.push(Span { start_ms: time_ms, end_ms: TimeMs::MAX });
    }

    fn next(&self, _: Span, _: TimeMs) -> Option<Span> {
        None
    }

    fn shape(&self) -> Shape {
        Shape::Running
    }

    fn describe(&self) -> String {
        "running".to_owned()
    }
}

impl Program {
    /// Adds an event to all that came before it, and gives the result. The window reaches to just past its last event.
    pub(super) fn run_on(&self, state: &mut KeyState, coming: Coming<'_>, out: &mut Vec<Emission>) {
        let event = coming.env.event;
        let time_ms = event.header.time_ms;
        if state.open.is_empty() {
            let span = Span { start_ms: time_ms, end_ms: time_ms.saturating_add(1) };
            state.open.push(OpenWindow { span, empty: false, early: 0, accumulators: self.blank() });
        }
        let Some(open) = state.open.first_mut() else { return };
        open.span.end_ms = time_ms.saturating_add(1);
        self.add(&mut open.accumulators, coming);
        let span = Span { end_ms: time_ms, ..open.span };
        let decision = Decision { time_ms, clock: None, revision: 0 };
        if !self.emit(span, decision, (&open.accumulators, &[]), coming.env, out) {
            return;
        }
        // Two events of one instant are two results: the event tells them apart.
        let (id_slot, position_slot) = self.reads.get(coming.input).copied().unwrap_or_default();
        let position = match position_slot.and_then(|slot| event.values.get(usize::from(slot))) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        };
        if let Some(emission) = out.last_mut() {
            emission.taken.push(Taken { var: 0, id: event.id(id_slot), position });
        }
    }
}
