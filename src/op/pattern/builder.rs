//! From elements to a graph. Laid out from the end to the start, so that each element knows the state that comes after it.
//!
//! An element that waits is a state with a take edge (its condition), an ignore edge (what may be skipped) and, where it
//! may be left out or left, a proceed edge. An optional or looping element that skips an event moves to a twin without the
//! proceed edge, so that each way on branches off once.

use super::{
    BuildError,
    graph::{Action, Bound, From, Graph, Guard, Kind as StateKind, Pred, PredIx, StateIx, both, lit},
    item::{Body, Item, Kind, heads},
    wrap::{Wrap, Wraps},
};
use crate::{
    model::TimeMs,
    plan::{Connect, Loop, Pattern},
};
use std::collections::BTreeMap;

/// Where an element stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    items: &'a [Item],
    at: usize,
    group: Option<&'a Group<'a>>,
    following: Option<&'a Item>,
}

/// The group whose repetition is being laid out.
#[derive(Clone, Copy)]
struct Group<'a> {
    item: &'a Item,
    /// Whether this is its first repetition.
    first: bool,
    /// How the head follows; none: as the group says.
    connect: Option<Connect>,
    /// A span from the event before the head.
    within_previous: Option<TimeMs>,
    /// Loops with a bound around this, and whether the head is their first event.
    windows: &'a [(u16, TimeMs, bool)],
}

impl<'a> Place<'a> {
    fn item(&self) -> &'a Item {
        &self.items[self.at]
    }

    /// The group of which this element is the head.
    fn headed(&self) -> Option<&'a Group<'a>> {
        self.group.filter(|_| self.at == 0)
    }

    fn connect(&self) -> Connect {
        match (self.headed(), self.at) {
            (Some(Group { connect: Some(connect), .. }), _) => *connect,
            (Some(group), _) if group.first => group.item.connect,
            (Some(group), _) => group.item.inner,
            // Nothing is skipped before the first event of a match: every event may start one.
            (None, 0) => Connect::Strict,
            (None, _) => self.item().connect,
        }
    }

    fn within_previous(&self) -> Option<TimeMs> {
        let outer = self.headed().and_then(|group| group.within_previous);
        self.item().within_previous.into_iter().chain(outer).min()
    }

    fn windows(&self) -> Vec<(u16, TimeMs, bool)> {
        let of = |group: &Group<'_>| {
            group.windows.iter().map(|(slot, ms, first)| (*slot, *ms, *first && self.at == 0)).collect()
        };
        self.group.map(of).unwrap_or_default()
    }
}

/// Lays out a pattern's graph.
pub(super) struct Builder<'p> {
    pattern: &'p Pattern,
    graph: Graph,
    wraps: Wraps,
    variables: Vec<PredIx>,
    untils: Vec<PredIx>,
    stops: BTreeMap<u16, StateIx>,
    bounds: BTreeMap<Bound, PredIx>,
    marks: u16,
}

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
        marks: 0,
    };
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
    builder.wraps.resolve(&mut builder.graph)?;
    Ok((builder.graph, builder.marks))
}

impl<'p> Builder<'p> {
    /// Lays out a sequence before `sink`; its first state.
    fn sequence<'a>(
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
            last = match item.body {
                Body::Not { var, for_ms: Some(for_ms) } => self.absence_for(place, var, for_ms, last)?,
                Body::Not { var, for_ms: None } if item.connect == Connect::Strict => {
                    self.not_next(place, var, last)?
                }
                Body::Not { var, for_ms: None } => self.absence_at_end(place, var, last)?,
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
        if place.at == 0 {
            self.graph.edge(state, Action::Ignore, state, allowed).within.push(before);
            let start = self.state(place, var, false)?;
            self.graph.edge(start, Action::Take(var), state, forbidden);
            return Ok(start);
        }
        if place.item().connect == Connect::Strict {
            let is_end = self.graph.states[sink].kind == StateKind::Final;
            let action = if is_end { Action::Ignore } else { Action::Proceed };
            self.graph.edge(state, action, sink, allowed).within.push(before);
        } else {
            self.graph.edge(state, Action::Ignore, state, allowed).within.push(before);
        }
        self.add_stops(place, state)?;
        Ok(state)
    }

    fn element(&mut self, place: Place<'_>, sink: StateIx) -> Result<StateIx, BuildError> {
        let item = place.item();
        let mark = match item.loop_within {
            Some(_) if item.kind != Kind::Single => {
                self.marks += 1;
                Some(self.marks - 1)
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
                let exit = self.exit(place, sink, &take, mark)?;
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
        let exit = if can_stop { self.exit(place, proceed, &take, mark)? } else { proceed };
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
        let exit = if from > 1 { proceed } else { exit };
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
        let exit = self.exit(place, sink, &take, mark)?;
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
        let head = self.body(place, false, mark, again)?;
        self.hold_back(place.item(), head, sink, true)?;
        let take = self.own_take(place);
        let exit = self.exit(place, sink, &take, mark)?;
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
            let head = self.body(place, rep.first, rep.mark, rep.sink)?;
            if let Some((exit, after)) = proceed {
                self.hold_back(item, head, after, true)?;
                let always = self.always(place);
                self.graph.edge(head, Action::Proceed, exit, always);
            }
            return Ok(head);
        };
        let single = item.kind == Kind::Single;
        let state = self.state(place, var, single || proceed.is_none())?;
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
            self.add_stops(place, waiting)?;
        }
        self.graph.edge(state, Action::Ignore, waiting, ignore);
        self.hold_if(item, state, held)?;
        Ok(state)
    }

    /// Whether the state gets a proceed edge from the group around it, so that skipping needs a twin.
    fn branches_off(&self, place: Place<'_>) -> bool {
        let Some(group) = place.headed() else { return false };
        if group.first { group.item.optional } else { group.item.mode != Loop::Each }
    }

    /// The states of one repetition of a group, an alternation or a permutation.
    fn body(&mut self, place: Place<'_>, first: bool, mark: Option<u16>, sink: StateIx) -> Result<StateIx, BuildError> {
        let item = place.item();
        let mut windows = place.windows();
        if let (Some(mark), Some(ms)) = (mark, item.loop_within) {
            windows.push((mark, ms, first));
        }
        let within_previous = place.within_previous();
        let connect = first.then(|| place.connect());
        let group = Group { item, first, connect, within_previous, windows: &windows };
        match &item.body {
            Body::Sequence(items) => self.sequence(items, Some(&group), place.following, sink),
            Body::Choice(all) => {
                let all: Vec<_> = all.iter().map(|items| (items.as_slice(), sink)).collect();
                self.choice(place, group, &all)
            }
            Body::Permutation(all) => {
                let mut done = BTreeMap::from([(0u32, sink)]);
                let everything = (1u32 << all.len()) - 1;
                // Ascending sets: each part removed leaves a smaller one, whose state is there already.
                for set in 1..=everything {
                    let parts = (0..all.len()).filter(|part| set & (1 << part) != 0);
                    let ways: Vec<_> = parts.map(|part| (all[part].as_slice(), done[&(set & !(1 << part))])).collect();
                    let group = match set == everything {
                        true => group,
                        false => Group { connect: Some(Connect::Relaxed), within_previous: None, ..group },
                    };
                    let state = self.choice(place, group, &ways)?;
                    done.insert(set, state);
                }
                Ok(done[&everything])
            }
            Body::Var(_) | Body::Not { .. } => Err(BuildError::meaningless("an element that is no group")),
        }
    }

    /// A state from which each way leads on. It skips events itself: what no way can take.
    fn choice<'a>(
        &mut self,
        place: Place<'_>,
        group: Group<'a>,
        ways: &[(&'a [Item], StateIx)],
    ) -> Result<StateIx, BuildError> {
        let state = self.graph.state(StateKind::Normal, "(…|…)")?;
        let inner = Group { connect: Some(Connect::Strict), ..group };
        let mut tops = Vec::new();
        for (items, sink) in ways {
            let head = self.sequence(items, Some(&inner), place.following, *sink)?;
            self.graph.edge(state, Action::Proceed, head, Guard::new());
            tops.push(head);
        }
        let connect = group.connect.unwrap_or(group.item.inner);
        let mut ignore = self.until_not(group.item.until, Guard::new());
        match connect {
            Connect::Strict => return Ok(state),
            Connect::Any => {}
            Connect::Relaxed => {
                for var in ways.iter().flat_map(|(items, _)| heads(items)) {
                    ignore = both(&ignore, &lit(self.variables[usize::from(var)], false));
                }
            }
        }
        let waiting = self.graph.state(StateKind::Normal, "(…|…)")?;
        for head in tops {
            self.graph.edge(waiting, Action::Proceed, head, Guard::new());
        }
        self.graph.edge(waiting, Action::Ignore, waiting, ignore.clone());
        self.graph.edge(state, Action::Ignore, waiting, ignore);
        Ok(state)
    }

    /// Where a loop leads when it is left: a guarded copy, if what it can still take must not be given to what follows.
    fn exit(
        &mut self,
        place: Place<'_>,
        sink: StateIx,
        take: &Guard,
        mark: Option<u16>,
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        let free = item.mode == Loop::Each || !item.is_one_event();
        if free || (item.kind == Kind::Single && !item.optional) {
            return Ok(sink);
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
            self.wraps.hold_back(&mut self.graph, state, sink, whole)?;
        }
        Ok(())
    }

    fn hold_if(&mut self, item: &Item, state: StateIx, sink: Option<StateIx>) -> Result<(), BuildError> {
        sink.map_or(Ok(()), |sink| self.hold_back(item, state, sink, false))
    }

    fn in_time(&mut self, bound: Bound) -> Result<PredIx, BuildError> {
        if let Some(&pred) = self.bounds.get(&bound) {
            return Ok(pred);
        }
        let pred = self.graph.pred(Pred::InTime(bound))?;
        self.bounds.insert(bound, pred);
        Ok(pred)
    }

    fn is_end(&self, state: StateIx) -> bool {
        self.graph.states[state].kind == StateKind::Final
    }

    // Guards.

    fn take_guard(&self, place: Place<'_>, var: u16) -> Guard {
        let own = lit(self.variables[usize::from(var)], true);
        self.until_not(place.group.and_then(|group| group.item.until), own)
    }

    /// What starts the next repetition of an element.
    fn own_take(&mut self, place: Place<'_>) -> Guard {
        let item = place.item();
        if let Body::Var(var) = item.body {
            return self.take_guard(place, var);
        }
        let ways: Vec<Guard> = item.heads().iter().map(|var| lit(self.variables[usize::from(*var)], true)).collect();
        let any = self.graph.pred(Pred::Any(ways));
        self.until_not(item.until, any.map_or_else(|_| Guard::new(), |any| lit(any, true)))
    }

    /// What may be skipped before an element; none: nothing.
    fn ignore_guard(&mut self, place: Place<'_>, connect: Connect) -> Result<Option<Guard>, BuildError> {
        let own = match (connect, &place.item().body) {
            (Connect::Strict, _) => return Ok(None),
            (Connect::Relaxed, Body::Var(var)) => lit(self.variables[usize::from(*var)], false),
            _ => Guard::new(),
        };
        Ok(Some(self.until_not(place.group.and_then(|group| group.item.until), own)))
    }

    fn always(&self, place: Place<'_>) -> Guard {
        self.until_not(place.group.and_then(|group| group.item.until), Guard::new())
    }

    fn until_not(&self, until: Option<u16>, guard: Guard) -> Guard {
        match until {
            Some(until) => both(&lit(self.untils[usize::from(until)], false), &guard),
            None => guard,
        }
    }

    // States and edges.

    fn state(&mut self, place: Place<'_>, var: u16, expires: bool) -> Result<StateIx, BuildError> {
        let name = self.pattern.variables.get(usize::from(var)).map_or("?", |variable| variable.name.as_str());
        let state = self.graph.state(StateKind::Normal, name)?;
        if let Some(ms) = place.within_previous().filter(|_| expires) {
            self.expires(state, Bound { from: From::Before, ms });
        }
        Ok(state)
    }

    fn expires(&mut self, state: StateIx, bound: Bound) {
        let expiry = &mut self.graph.states[state].expiry;
        // Of two bounds the one of the element before is as good as any: both hold on the take edge.
        *expiry = Some(expiry.map_or(bound, |old| if old.ms <= bound.ms { old } else { bound }));
    }

    #[expect(clippy::too_many_arguments, reason = "an edge has that many ends")]
    fn take(
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
        let mut windows = place.windows();
        if let (Some(mark), Some(ms)) = (mark, item.loop_within) {
            windows.push((mark, ms, first));
        }
        let edge = self.graph.edge(state, Action::Take(var), target, guard.clone());
        for (slot, ms, first) in windows {
            match first {
                true => edge.mark = Some(slot),
                false => edge.within.push(Bound { from: From::Mark(slot), ms }),
            }
        }
        // A single element's bound is the state's expiry alone, as in Flink.
        if let Some(ms) = place.within_previous().filter(|_| item.kind != Kind::Single) {
            edge.within.push(Bound { from: From::Before, ms });
        }
    }

    fn stop(&mut self, var: u16, forbidden: &Guard) -> Result<StateIx, BuildError> {
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
                _ if item.optional => {}
                _ => break,
            }
        }
        stops
    }

    fn add_stops(&mut self, place: Place<'_>, state: StateIx) -> Result<(), BuildError> {
        for (var, forbidden) in self.earlier_stops(place) {
            let stop = self.stop(var, &forbidden)?;
            self.graph.edge(state, Action::Proceed, stop, forbidden);
        }
        Ok(())
    }

    fn add_stop_to_loop(&mut self, place: Place<'_>, state: StateIx) -> Result<(), BuildError> {
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
    fn without_earlier_stops(&mut self, place: Place<'_>, sink: StateIx) -> Result<StateIx, BuildError> {
        let stops: Vec<u16> = self.earlier_stops(place).into_iter().map(|(var, _)| var).collect();
        if stops.is_empty() || !place.item().optional {
            return Ok(sink);
        }
        self.copy_without(sink, &stops, &mut BTreeMap::new())
    }

    fn copy_without(
        &mut self,
        state: StateIx,
        stops: &[u16],
        done: &mut BTreeMap<StateIx, StateIx>,
    ) -> Result<StateIx, BuildError> {
        if let Some(&copy) = done.get(&state) {
            return Ok(copy);
        }
        let original = self.graph.states[state].clone();
        if matches!(original.kind, StateKind::Final | StateKind::Stop(_)) {
            return Ok(state);
        }
        let copy = self.graph.state(original.kind, &original.label)?;
        done.insert(state, copy);
        let mut edges = Vec::new();
        for mut edge in original.edges {
            if edge.action == Action::Proceed {
                if matches!(self.graph.states[edge.target].kind, StateKind::Stop(var) if stops.contains(&var)) {
                    continue;
                }
                edge.target = self.copy_without(edge.target, stops, done)?;
            } else if edge.target == state {
                edge.target = copy;
            }
            edges.push(edge);
        }
        let place = &mut self.graph.states[copy];
        (place.edges, place.expiry, place.timer) = (edges, original.expiry, original.timer);
        Ok(copy)
    }
}

/// One repetition: where its take leads, and where it can be left.
struct Repetition {
    sink: StateIx,
    /// The state that leaving leads to, and the one that it is a guarded copy of.
    proceed: Option<(StateIx, StateIx)>,
    first: bool,
    mark: Option<u16>,
}
