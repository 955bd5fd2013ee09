//! Absences without a deadline of their own: proceed edges to a state that ends the partial match.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Guard, Kind as StateKind, StateIx},
    item::{Body, Item},
    place::Place,
    wrap::Wrap,
};
use crate::plan::{Connect, Loop};

impl Builder<'_> {
    pub(super) fn stop(&mut self, var: u16, forbidden: &Guard) -> Result<StateIx, BuildError> {
        if let Some(&stop) = self.stops.get(&var) {
            return Ok(stop);
        }
        let name = self.pattern.variables.get(usize::from(var)).map_or("?", |variable| variable.name.as_str());
        let stop = self.graph.state(StateKind::Stop(var), name)?;
        self.graph.edge(stop, Action::Take(var), stop, forbidden.clone());
        self.stops.insert(var, stop);
        Ok(stop)
    }

    /// The absences that an element ends: those right before it, or before optional elements before it.
    fn earlier_stops(&self, place: Place<'_>) -> Vec<(u16, Guard)> {
        let mut stops = Vec::new();
        for item in place.items[..place.at].iter().rev() {
            match item.body {
                Body::Not { var, for_ms: None } if item.connect != Connect::Strict => {
                    stops.push((var, self.take_guard(place, var)));
                }
                // Looking at one event does not end the absences before it; a deadline does.
                Body::Not { for_ms: None, .. } | Body::Never { for_ms: None, .. } => {}
                _ if item.optional => {}
                _ => break,
            }
        }
        stops
    }

    pub(super) fn add_stops(&mut self, place: Place<'_>, state: StateIx) -> Result<(), BuildError> {
        for (var, forbidden) in self.earlier_stops(place) {
            let stop = self.stop(var, &forbidden)?;
            self.graph.edge(state, Action::Proceed, stop, forbidden);
        }
        Ok(())
    }

    pub(super) fn add_stop_to_loop(&mut self, place: Place<'_>, state: StateIx) -> Result<(), BuildError> {
        let Some(Item { body: Body::Not { var, for_ms: None }, connect, .. }) = place.following else { return Ok(()) };
        if *connect == Connect::Strict {
            return Ok(());
        }
        let forbidden = self.take_guard(place, *var);
        let stop = self.stop(*var, &forbidden)?;
        self.graph.edge(state, Action::Proceed, stop, forbidden);
        Ok(())
    }

    /// When an optional element is taken, the absences before it are over: what follows is copied without their stops.
    pub(super) fn without_earlier_stops(&mut self, place: Place<'_>, sink: StateIx) -> Result<StateIx, BuildError> {
        let stops: Vec<u16> = self.earlier_stops(place).into_iter().map(|(var, _)| var).collect();
        if stops.is_empty() || !place.item().optional {
            return Ok(sink);
        }
        let as_flink = place.item().mode == Loop::Each;
        self.wraps.wrap(&mut self.graph, sink, Wrap::Without { stops, as_flink })
    }
}
