//! Absences of what is more than one event, and of one event after what may be left out: what waits is watched by a
//! `tracker`, and only the way on that it is on ends where the sequence occurs.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Bound, From, Guard, Kind as StateKind, Pred, StateIx},
    item::{Body, Item, Kind},
    place::Place,
    tracker::{Conditions, Tracker},
    wrap::Wrap,
};
use crate::{model::TimeMs, plan::Connect};

impl Builder<'_> {
    /// `a -> !(b -> c) -> d`: what comes after is watched until an event is taken. At the end of a pattern the window
    /// decides.
    pub(super) fn never(&mut self, place: Place<'_>, what: &Item, sink: StateIx) -> Result<StateIx, BuildError> {
        let strict = place.item().connect == Connect::Strict;
        if !self.is_end(sink) {
            let track = self.absent(place, what, None)?;
            return self.wraps.wrap(&mut self.graph, sink, track);
        }
        if !strict && self.pattern.within_ms.is_none() && place.within_previous().is_none() {
            return Err(BuildError::meaningless("an absence at the end of a pattern needs FOR or WITHIN"));
        }
        let waiting = self.waiting(place, what, true)?;
        if !strict {
            self.graph.states[waiting].kind = StateKind::Pending;
        }
        let always = self.always(place);
        self.graph.edge(waiting, Action::Ignore, waiting, always);
        self.add_stops(place, waiting)?;
        let track = self.absent(place, what, Some((Action::Ignore, sink)))?;
        self.wraps.wrap(&mut self.graph, waiting, track)
    }

    /// `!(b -> c) FOR d`: a state whose timer leads on. At the start of a pattern an event that is all of what must not
    /// occur starts the clock.
    pub(super) fn never_for(
        &mut self,
        place: Place<'_>,
        what: &Item,
        for_ms: TimeMs,
        sink: StateIx,
    ) -> Result<StateIx, BuildError> {
        let waiting = self.waiting(place, what, false)?;
        self.graph.states[waiting].timer = Some((for_ms, sink));
        let always = self.always(place);
        // Once the timer has fired this is no way on, from wherever the partial match came here.
        let before = Bound { from: From::Before, ms: for_ms };
        self.graph.edge(waiting, Action::Ignore, waiting, always).within.push(before);
        if place.at == 0 {
            let track = self.absent(place, what, None)?;
            let watched = self.wraps.wrap(&mut self.graph, waiting, track)?;
            let start = self.waiting(place, what, false)?;
            for var in single_events(what)? {
                let forbidden = self.take_guard(place, var);
                self.graph.edge(start, Action::Take(var), watched, forbidden);
            }
            return Ok(start);
        }
        self.add_stops(place, waiting)?;
        let action = if self.is_end(sink) { Action::Ignore } else { Action::Proceed };
        let track = self.absent(place, what, Some((action, sink)))?;
        self.wraps.wrap(&mut self.graph, waiting, track)
    }

    fn waiting(&mut self, place: Place<'_>, what: &Item, expires: bool) -> Result<StateIx, BuildError> {
        let var = what.variables().first().copied().unwrap_or(u16::MAX);
        let state = self.state(place, var, expires)?;
        "absence".clone_into(&mut self.graph.states[state].label);
        Ok(state)
    }

    /// Watches for what must not occur. `freed`: where it leads once that is certain, which only a strict one can be.
    fn absent(&mut self, place: Place<'_>, what: &Item, freed: Option<(Action, StateIx)>) -> Result<Wrap, BuildError> {
        let strict = place.item().connect == Connect::Strict && place.at > 0;
        let mut tracker = self.tracker(what, Connect::Strict, Guard::new(), Guard::new())?;
        if tracker.can_be_empty() {
            return Err(BuildError::meaningless("what must not occur may be nothing at all"));
        }
        (tracker.anywhere, tracker.freed) = (!strict, freed);
        self.wraps.track(tracker, false)
    }

    /// A tracker of one repetition of an element. `all`, `first`: what is asked of all its events and of the first one
    /// besides their conditions.
    pub(super) fn tracker(
        &mut self,
        item: &Item,
        connect: Connect,
        all: Guard,
        first: Guard,
    ) -> Result<Tracker, BuildError> {
        let names: Vec<String> = self.pattern.variables.iter().map(|variable| variable.name.clone()).collect();
        let graph = &mut self.graph;
        let mut join = |guard: Guard| graph.pred(Pred::All(guard));
        let conditions = Conditions { variables: &self.variables, names: &names, all, first, join: &mut join };
        Tracker::new(item, connect, conditions)
    }
}

/// The variables of what is one event, whichever of several.
fn single_events(what: &Item) -> Result<Vec<u16>, BuildError> {
    let mut vars = Vec::new();
    let mut to_do = vec![what];
    while let Some(item) = to_do.pop() {
        match &item.body {
            Body::Var(var) if item.kind == Kind::Single && !item.optional => vars.push(*var),
            Body::Choice(all) if item.is_one_event() => to_do.extend(all.iter().flatten()),
            Body::Sequence(items) if item.is_one_event() => to_do.extend(items),
            _ => {
                return Err(BuildError::meaningless(
                    "the absence of several events has no beginning at the start of a pattern",
                ));
            }
        }
    }
    vars.sort_unstable();
    Ok(vars)
}
