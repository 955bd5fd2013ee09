//! From elements to a graph. Laid out from the end to the start, so that each element knows the state that comes after it.
//!
//! An element that waits is a state with a take edge (its condition), an ignore edge (what may be skipped) and, where it
//! may be left out or left, a proceed edge. An optional or looping element that skips an event moves to a twin without the
//! proceed edge, so that each way on branches off once.

use super::{
    BuildError,
    graph::{Action, Bound, From, Graph, Kind as StateKind, Mark, Pred, PredIx, StateIx},
    item::{Body, Item},
    place::{Group, Place},
    wrap::{Wrap, Wraps},
};
use crate::{
    model::TimeMs,
    plan::{Connect, Pattern},
};
use std::collections::{BTreeMap, BTreeSet};

/// Lays out a pattern's graph.
pub(super) struct Builder<'p> {
    pub(super) pattern: &'p Pattern,
    pub(super) graph: Graph,
    pub(super) wraps: Wraps,
    pub(super) variables: Vec<PredIx>,
    pub(super) untils: Vec<PredIx>,
    pub(super) stops: BTreeMap<u16, StateIx>,
    pub(super) bounds: BTreeMap<Bound, PredIx>,
    /// Of each loop whose begin is remembered the variables in it.
    pub(super) marked: Vec<Vec<u16>>,
    /// What watches for further repetitions, by the loop and how its next repetition follows.
    pub(super) tracks: BTreeMap<LoopKey, Wrap>,
}

/// A loop in its place: the element, its mark, whether it is its first repetition, how that follows, and within what.
type LoopKey = (usize, Option<u16>, bool, u8, Option<TimeMs>);

/// A graph, and how many loops remember when they began.
pub(super) fn build(pattern: &Pattern, items: &[Item], untils: usize) -> Result<(Graph, u16), BuildError> {
    let mut builder = Builder {
        pattern,
        graph: Graph::default(),
        wraps: Wraps::default(),
        variables: Vec::new(),
        untils: Vec::new(),
        stops: BTreeMap::new(),
        bounds: BTreeMap::new(),
        marked: Vec::new(),
        tracks: BTreeMap::new(),
    };
    builder.graph.places = vec![0; pattern.variables.len()];
    for (place, var) in items.iter().flat_map(Item::variables).enumerate() {
        builder.graph.places[usize::from(var)] = place;
    }
    for var in 0..pattern.variables.len() {
        let pred = builder.graph.pred(Pred::Variable(var as u16))?;
        builder.variables.push(pred);
    }
    for until in 0..untils {
        let pred = builder.graph.pred(Pred::Until(until as u16))?;
        builder.untils.push(pred);
    }
    let end = builder.graph.state(StateKind::Final, "match")?;
    builder.graph.start = builder.sequence(items, None, None, end)?;
    if builder.graph.start == end {
        return Err(BuildError::meaningless("a pattern of reluctant loops that may all be left out takes nothing"));
    }
    builder.wraps.resolve(&mut builder.graph)?;
    forget_outside(&mut builder.graph, &builder.marked);
    Ok((builder.graph, builder.marked.len() as u16))
}

/// Where a loop may begin with one event or another, the time at which it began before must not be mistaken for the new one:
/// what is outside the loop forgets it.
fn forget_outside(graph: &mut Graph, marked: &[Vec<u16>]) {
    let edges = || graph.states.iter().flat_map(|state| &state.edges);
    let unsure = edges().flat_map(|edge| &edge.marks).filter(|(_, mark)| *mark == Mark::BeginIfNone);
    let unsure: BTreeSet<u16> = unsure.map(|(slot, _)| *slot).collect();
    for edge in graph.states.iter_mut().flat_map(|state| &mut state.edges) {
        let Action::Take(var) = edge.action else { continue };
        let outside = |slot: &&u16| marked.get(usize::from(**slot)).is_some_and(|inside| !inside.contains(&var));
        edge.marks.extend(unsure.iter().filter(outside).map(|slot| (*slot, Mark::Forget)));
    }
}

impl Builder<'_> {
    /// Lays out a sequence before `sink`; its first state.
    pub(super) fn sequence<'a>(
        &mut self,
        items: &'a [Item],
        group: Option<&'a Group<'a>>,
        following: Option<&'a Item>,
        sink: StateIx,
    ) -> Result<StateIx, BuildError> {
        let (mut last, mut following) = (sink, following);
        for at in (0..items.len()).rev() {
            let place = Place { items, at, group, following };
            let item = place.item();
            last = match &item.body {
                Body::Not { var, for_ms: Some(for_ms) } => self.absence_for(place, *var, *for_ms, last)?,
                Body::Not { var, for_ms: None } if place.connect() == Connect::Strict => {
                    self.not_next(place, *var, last)?
                }
                Body::Not { var, for_ms: None } => self.absence_at_end(place, *var, last)?,
                Body::Never { what, for_ms: Some(for_ms) } => self.never_for(place, what, *for_ms, last)?,
                Body::Never { what, for_ms: None } => self.never(place, what, last)?,
                _ => self.element(place, last)?,
            };
            following = Some(item);
        }
        Ok(last)
    }

    /// `a -> !b` is a stop edge on what comes after; at the end of the pattern it is decided by the window, at the end of a
    /// group it is a stop edge on what comes after the group.
    fn absence_at_end(&mut self, place: Place<'_>, var: u16, sink: StateIx) -> Result<StateIx, BuildError> {
        if place.at + 1 < place.items.len() {
            return Ok(sink);
        }
        let forbidden = self.take_guard(place, var);
        if self.graph.states[sink].kind != StateKind::Final {
            self.not_at_an_open_end(place)?;
            let stop = self.stop(var, &forbidden)?;
            return self.wraps.wrap(&mut self.graph, sink, Wrap::Stop { stop, forbidden });
        }
        if self.pattern.within_ms.is_none() && place.within_previous().is_none() {
            return Err(BuildError::meaningless("an absence at the end of a pattern needs FOR or WITHIN"));
        }
        let pending = self.state(place, var, true)?;
        self.graph.states[pending].kind = StateKind::Pending;
        let stop = self.stop(var, &forbidden)?;
        let allowed = self.graph.not(&forbidden)?;
        self.graph.edge(pending, Action::Proceed, stop, forbidden);
        self.graph.edge(pending, Action::Ignore, pending, allowed);
        self.add_stops(place, pending)?;
        Ok(pending)
    }

    /// `a !b`: a state that looks at one event.
    fn not_next(&mut self, place: Place<'_>, var: u16, sink: StateIx) -> Result<StateIx, BuildError> {
        let state = self.state(place, var, true)?;
        let forbidden = self.take_guard(place, var);
        let allowed = self.graph.not(&forbidden)?;
        let stop = self.stop(var, &forbidden)?;
        // A proceed edge to the end would count at once: the deciding event has to come.
        let is_end = self.graph.states[sink].kind == StateKind::Final;
        self.graph.edge(state, if is_end { Action::Ignore } else { Action::Proceed }, sink, allowed);
        self.graph.edge(state, Action::Proceed, stop, forbidden);
        self.add_stops(place, state)?;
        Ok(state)
    }

    /// `!b FOR d`: a state that a forbidden event ends and whose timer leads on. At the start of a pattern each forbidden
    /// event is taken and starts the clock.
    fn absence_for(
        &mut self,
        place: Place<'_>,
        var: u16,
        for_ms: TimeMs,
        sink: StateIx,
    ) -> Result<StateIx, BuildError> {
        let state = self.state(place, var, false)?;
        let forbidden = self.take_guard(place, var);
        let allowed = self.graph.not(&forbidden)?;
        self.graph.states[state].timer = Some((for_ms, sink));
        // Once the timer has fired this is no way on, from wherever the partial match came here.
        let before = Bound { from: From::Before, ms: for_ms };
        if place.begins() {
            self.graph.edge(state, Action::Ignore, state, allowed).within.push(before);
            let start = self.state(place, var, false)?;
            self.graph.edge(start, Action::Take(var), state, forbidden);
            return Ok(start);
        }
        if place.connect() == Connect::Strict {
            let is_end = self.graph.states[sink].kind == StateKind::Final;
            let action = if is_end { Action::Ignore } else { Action::Proceed };
            self.graph.edge(state, action, sink, allowed).within.push(before);
        } else {
            self.graph.edge(state, Action::Ignore, state, allowed).within.push(before);
        }
        self.add_stops(place, state)?;
        self.entry(place, state)
    }

    pub(super) fn is_end(&self, state: StateIx) -> bool {
        self.graph.states[state].kind == StateKind::Final
    }
}
