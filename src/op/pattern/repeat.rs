//! Elements that take events, once or again and again.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Bound, From, Guard, Kind as StateKind, Pred, PredIx, StateIx, both, lit},
    item::{Body, Item, Kind},
    place::Place,
    wrap::Wrap,
};
use crate::{
    model::TimeMs,
    plan::{Connect, Loop},
};

/// One repetition: where its take leads, and where it can be left.
struct Repetition {
    sink: StateIx,
    /// The state that leaving leads to, and the one that it is a guarded copy of.
    proceed: Option<(StateIx, StateIx)>,
    first: bool,
    mark: Option<u16>,
}

impl Builder<'_> {
    pub(super) fn element(&mut self, place: Place<'_>, sink: StateIx) -> Result<StateIx, BuildError> {
        let item = place.item();
        if item.mode == Loop::Reluctant && item.optional && self.is_end(sink) {
            // Nothing is what it must take, and nothing comes after that could ask for more.
            return Ok(sink);
        }
        let mark = match item.loop_within {
            Some(_) if item.kind != Kind::Single => {
                self.marked.push(item.variables());
                Some((self.marked.len() - 1) as u16)
            }
            _ => None,
        };
        let first = match item.kind {
            Kind::Looping(_) => {
                let after = self.without_earlier_stops(place, sink)?;
                let looping = self.looping(place, after, mark)?;
                self.times(place, looping, sink, mark)?
            }
            Kind::Times(..) => self.times(place, sink, sink, mark)?,
            Kind::Single => {
                let take = self.own_take(place);
                let exit = self.exit(place, sink, &take, (mark, true))?;
                let rep = Repetition { sink, proceed: Some((exit, sink)), first: true, mark };
                let ignore = self.ignore_guard(place, place.connect())?;
                self.repetition(place, rep, take, ignore)?
            }
        };
        self.add_stops(place, first)?;
        Ok(first)
    }

    /// The counted repetitions before `sink`; `proceed`: where it goes when no more are needed.
    fn times(
        &mut self,
        place: Place<'_>,
        sink: StateIx,
        proceed: StateIx,
        mark: Option<u16>,
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        let (from, to) = item.times();
        let until = item.until;
        let own = self.own_take(place);
        let take = self.until_not(until, own);
        let inner = self.ignore_guard(place, item.inner)?.map(|ignore| self.until_not(until, ignore));
        let can_stop = from < to || matches!(item.kind, Kind::Looping(_)) || item.optional;
        let exit = if can_stop { self.exit(place, proceed, &take, (mark, false))? } else { proceed };
        let to = if item.mode == Loop::Reluctant && self.is_end(sink) { from } else { to };
        let mut last = sink;
        for _ in from..to {
            let rep = Repetition { sink: last, proceed: Some((exit, proceed)), first: false, mark };
            last = self.repetition(place, rep, take.clone(), inner.clone())?;
            self.add_stop_to_loop(place, last)?;
        }
        for _ in 1..from {
            let rep = Repetition { sink: last, proceed: None, first: false, mark };
            last = self.repetition(place, rep, take.clone(), inner.clone())?;
            self.add_stop_to_loop(place, last)?;
        }
        // Before its first event a loop has nothing to stop, so its stop condition is not looked at.
        let ignore = self.ignore_guard(place, place.connect())?;
        // Where more than one is needed the first is no repetition yet, and what follows may have the event as well.
        let exit = match item.optional && from == 1 {
            true => self.exit(place, proceed, &take, (mark, true))?,
            false => proceed,
        };
        let rep = Repetition { sink: last, proceed: item.optional.then_some((exit, proceed)), first: true, mark };
        self.repetition(place, rep, take, ignore)
    }

    /// The repetitions without an upper bound.
    fn looping(&mut self, place: Place<'_>, sink: StateIx, mark: Option<u16>) -> Result<StateIx, BuildError> {
        let item = place.item();
        if item.mode == Loop::Reluctant && self.is_end(sink) {
            return Ok(sink);
        }
        let Body::Var(var) = item.body else { return self.looping_group(place, sink, mark) };
        let until = item.until;
        let own = self.own_take(place);
        let take = self.until_not(until, own);
        let ignore = self.ignore_guard(place, item.inner)?.map(|ignore| self.until_not(until, ignore));
        let state = self.state(place, var, false)?;
        let always = self.always(place);
        let exit = self.exit(place, sink, &take, (mark, false))?;
        match until.filter(|_| exit != sink) {
            Some(until) => {
                let until = self.untils[usize::from(until)];
                self.graph.edge(state, Action::Proceed, sink, both(&always, &lit(until, true)));
                self.graph.edge(state, Action::Proceed, exit, both(&always, &lit(until, false)));
            }
            None => {
                self.graph.edge(state, Action::Proceed, exit, always);
            }
        }
        self.take(place, state, var, state, &take, false, mark);
        self.add_stop_to_loop(place, state)?;
        let mut twin = None;
        if let Some(ignore) = ignore {
            let waiting = self.state(place, var, false)?;
            self.take(place, waiting, var, state, &take, false, mark);
            self.graph.edge(waiting, Action::Ignore, waiting, ignore.clone());
            self.graph.edge(state, Action::Ignore, waiting, ignore);
            self.add_stop_to_loop(place, waiting)?;
            twin = Some(waiting);
        }
        for state in std::iter::once(state).chain(twin) {
            self.hold_back(item, state, sink, false)?;
        }
        Ok(state)
    }

    fn looping_group(&mut self, place: Place<'_>, sink: StateIx, mark: Option<u16>) -> Result<StateIx, BuildError> {
        let again = self.graph.state(StateKind::Normal, "(…)")?;
        let head = self.body(place, (false, true), mark, again)?;
        self.hold_back_group(place, (again, head), sink)?;
        let take = self.own_take(place);
        let exit = self.exit(place, sink, &take, (mark, false))?;
        let always = self.always(place);
        self.graph.edge(head, Action::Proceed, exit, always);
        self.graph.edge(again, Action::Proceed, head, Guard::new());
        Ok(head)
    }

    /// One repetition of an element.
    fn repetition(
        &mut self,
        place: Place<'_>,
        rep: Repetition,
        take: Guard,
        ignore: Option<Guard>,
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        // Of a single element only being optional makes it skippable; repetitions say so themselves.
        let proceed = rep.proceed.filter(|_| item.kind != Kind::Single || item.optional);
        let Body::Var(var) = item.body else {
            let before = self.graph.states.len();
            let head = self.body(place, (rep.first, proceed.is_some()), rep.mark, rep.sink)?;
            if let Some((exit, after)) = proceed {
                self.hold_back_group(place, (before, head), after)?;
                let always = self.always(place);
                self.graph.edge(head, Action::Proceed, exit, always);
            }
            return Ok(head);
        };
        let leavable = proceed.is_some() || place.headed().is_some_and(|group| group.leavable);
        let state = self.state(place, var, !leavable || item.expires_as_flink())?;
        let target = self.without_earlier_stops(place, rep.sink)?;
        self.take(place, state, var, target, &take, rep.first, rep.mark);
        if let Some((exit, _)) = proceed {
            let always = self.always(place);
            self.graph.edge(state, Action::Proceed, exit, always);
        }
        if let Some(mark) = rep.mark.filter(|_| proceed.is_none() && !rep.first) {
            let ms = item.loop_within.unwrap_or(TimeMs::MAX);
            self.expires(state, Bound { from: From::Mark(mark), ms });
        }
        let held = proceed.map(|(_, after)| after);
        let Some(ignore) = ignore else {
            self.hold_if(item, state, held)?;
            return Ok(state);
        };
        let mut waiting = state;
        if proceed.is_some() || self.branches_off(place) {
            waiting = self.state(place, var, false)?;
            self.take(place, waiting, var, target, &take, rep.first, rep.mark);
            self.graph.edge(waiting, Action::Ignore, waiting, ignore.clone());
            self.hold_if(item, waiting, held)?;
            // In Flink's loops an absence before a counted loop holds between its repetitions, too.
            if rep.first || item.mode == Loop::Each {
                self.add_stops(place, waiting)?;
            }
        }
        self.graph.edge(state, Action::Ignore, waiting, ignore);
        self.hold_if(item, state, held)?;
        Ok(state)
    }

    /// Whether the state gets a proceed edge from the group around it, so that skipping needs a twin.
    fn branches_off(&self, place: Place<'_>) -> bool {
        let Some(group) = place.headed() else { return false };
        group.leavable && (group.first || group.item.mode != Loop::Each)
    }

    /// Where a loop leads when it is left: a guarded copy, if what it can still take must not be given to what follows.
    /// With the loop's mark: whether it is left before its first repetition.
    fn exit(
        &mut self,
        place: Place<'_>,
        sink: StateIx,
        take: &Guard,
        (mark, first): (Option<u16>, bool),
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        if item.mode == Loop::Each || (item.kind == Kind::Single && !item.optional) {
            return Ok(sink);
        }
        if !item.is_one_event() {
            self.graph.chooses = true;
            return self.exit_of_group(place, sink, mark, first);
        }
        let until = item.until.map(|until| self.untils[usize::from(until)]);
        let takes = item.mode == Loop::Greedy;
        // What comes too late for the loop is not the loop's.
        let mut take = take.clone();
        let whole = mark.zip(item.loop_within).map(|(mark, ms)| Bound { from: From::Mark(mark), ms });
        let step = place.within_previous().map(|ms| Bound { from: From::Before, ms });
        for bound in whole.into_iter().chain(step) {
            let pred = self.in_time(bound)?;
            take = both(&take, &lit(pred, true));
        }
        self.wraps.wrap(&mut self.graph, sink, Wrap::Loop { take, until, takes })
    }

    /// A reluctant loop leaves an event to what follows, where that can take it. `whole`: all ways from the state are the
    /// loop's; else its proceed edges are not.
    fn hold_back(&mut self, item: &Item, state: StateIx, sink: StateIx, whole: bool) -> Result<(), BuildError> {
        if item.mode == Loop::Reluctant && item.is_one_event() {
            let last = self.last_place(item);
            self.wraps.hold_back(&mut self.graph, state, (sink, last), whole)?;
        }
        Ok(())
    }

    /// Where the last variable of an element stands.
    fn last_place(&self, item: &Item) -> usize {
        let places = item.variables().into_iter().filter_map(|var| self.graph.places.get(usize::from(var)).copied());
        places.max().unwrap_or_default()
    }

    /// The same for a group: what follows has an event even where the repetition has begun. Strictly it can't follow any
    /// more then. The states from the first on were laid out for the repetition.
    fn hold_back_group(
        &mut self,
        place: Place<'_>,
        (first, head): (StateIx, StateIx),
        sink: StateIx,
    ) -> Result<(), BuildError> {
        let item = place.item();
        if item.mode != Loop::Reluctant {
            return Ok(());
        }
        let last = self.last_place(item);
        self.wraps.hold_back(&mut self.graph, head, (sink, last), true)?;
        if item.is_one_event() {
            // What has skipped an event waits in a state of its own.
            let skips = self.graph.states[head].edges.iter().filter(|edge| edge.action == Action::Ignore);
            let waiting: Vec<StateIx> = skips.map(|edge| edge.target).filter(|&target| target != head).collect();
            for state in waiting {
                self.wraps.hold_back(&mut self.graph, state, (sink, last), true)?;
            }
        }
        let strict = place.following.is_none_or(|following| following.connect == Connect::Strict);
        if strict || item.is_one_event() {
            return Ok(());
        }
        for state in first..self.graph.states.len() {
            self.wraps.hold_back(&mut self.graph, state, (sink, last), false)?;
        }
        Ok(())
    }

    fn hold_if(&mut self, item: &Item, state: StateIx, sink: Option<StateIx>) -> Result<(), BuildError> {
        sink.map_or(Ok(()), |sink| self.hold_back(item, state, sink, false))
    }

    pub(super) fn in_time(&mut self, bound: Bound) -> Result<PredIx, BuildError> {
        if let Some(&pred) = self.bounds.get(&bound) {
            return Ok(pred);
        }
        let pred = self.graph.pred(Pred::InTime(bound))?;
        self.bounds.insert(bound, pred);
        Ok(pred)
    }
}
