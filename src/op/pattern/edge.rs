//! The states and edges of single events, and the guards on them.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Bound, From, Guard, Kind as StateKind, Mark, Pred, StateIx, both, lit},
    item::Body,
    place::{Begins, Place},
};
use crate::plan::Connect;

impl Builder<'_> {
    pub(super) fn state(&mut self, place: Place<'_>, var: u16, expires: bool) -> Result<StateIx, BuildError> {
        let name = self.pattern.variables.get(usize::from(var)).map_or("?", |variable| variable.name.as_str());
        let state = self.graph.state(StateKind::Normal, name)?;
        if let Some(ms) = place.within_previous().filter(|_| expires) {
            self.expires(state, Bound { from: From::Before, ms });
        }
        Ok(state)
    }

    pub(super) fn expires(&mut self, state: StateIx, bound: Bound) {
        let expiry = &mut self.graph.states[state].expiry;
        // Of two bounds the one of the element before is as good as any: both hold on the take edge.
        *expiry = Some(expiry.map_or(bound, |old| if old.ms <= bound.ms { old } else { bound }));
    }

    #[expect(clippy::too_many_arguments, reason = "an edge has that many ends")]
    pub(super) fn take(
        &mut self,
        place: Place<'_>,
        state: StateIx,
        var: u16,
        target: StateIx,
        guard: &Guard,
        first: bool,
        mark: Option<u16>,
    ) {
        let item = place.item();
        let mut windows = place.windows(first);
        if let (Some(mark), Some(ms)) = (mark, item.loop_within) {
            windows.push((mark, ms, Begins::of_repetition(item, first)));
        }
        let edge = self.graph.edge(state, Action::Take(var), target, guard.clone());
        for (slot, ms, begins) in windows {
            match begins {
                Begins::Yes => edge.marks.push((slot, Mark::Begin)),
                Begins::Perhaps => edge.marks.push((slot, Mark::BeginIfNone)),
                Begins::No => {}
            }
            // Where no time is marked the bound holds.
            if begins != Begins::Yes {
                edge.within.push(Bound { from: From::Mark(slot), ms });
            }
        }
        // The expiry of the state is not enough: a partial match may come here from a loop without waiting. In Flink it is all
        // that there is.
        if let Some(ms) = place.within_previous().filter(|_| !item.expires_as_flink()) {
            edge.within.push(Bound { from: From::Before, ms });
        }
    }

    pub(super) fn take_guard(&self, place: Place<'_>, var: u16) -> Guard {
        let own = lit(self.variables[usize::from(var)], true);
        self.until_not(place.group.and_then(|group| group.item.until), own)
    }

    /// What starts the next repetition of an element.
    pub(super) fn own_take(&mut self, place: Place<'_>) -> Guard {
        let item = place.item();
        if let Body::Var(var) = item.body {
            return self.take_guard(place, var);
        }
        let ways: Vec<Guard> = item.heads().iter().map(|var| lit(self.variables[usize::from(*var)], true)).collect();
        let any = self.graph.pred(Pred::Any(ways));
        self.until_not(item.until, any.map_or_else(|_| Guard::new(), |any| lit(any, true)))
    }

    /// What may be skipped before an element; none: nothing.
    pub(super) fn ignore_guard(&mut self, place: Place<'_>, connect: Connect) -> Result<Option<Guard>, BuildError> {
        let own = match (connect, &place.item().body) {
            (Connect::Strict, _) => return Ok(None),
            (Connect::Relaxed, Body::Var(var)) => lit(self.variables[usize::from(*var)], false),
            _ => Guard::new(),
        };
        Ok(Some(self.until_not(place.group.and_then(|group| group.item.until), own)))
    }

    pub(super) fn always(&self, place: Place<'_>) -> Guard {
        self.until_not(place.group.and_then(|group| group.item.until), Guard::new())
    }

    pub(super) fn until_not(&self, until: Option<u16>, guard: Guard) -> Guard {
        match until {
            Some(until) => both(&lit(self.untils[usize::from(until)], false), &guard),
            None => guard,
        }
    }
}
