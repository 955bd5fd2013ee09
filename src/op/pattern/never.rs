//! Where a `tracker` watches what is skipped: absences of what is more than one event, and of one event where only some
//! ways on know of it; and after a greedy or reluctant loop of groups, so that no whole repetition is skipped.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Bound, From, Guard, Kind as StateKind, Pred, StateIx, both, lit},
    item::{Body, Item, Kind},
    place::Place,
    tracker::{Conditions, Tracker, unwatchable},
    wrap::Wrap,
};
use crate::{
    expr::{Expr, Node, Var},
    model::TimeMs,
    plan::{Connect, Loop},
};

/// A loop over a group of more variables than this has every number of repetitions as a way on.
const WATCHED_MAX: usize = 8;

impl Builder<'_> {
    /// `a -> !(b -> c) -> d`: what comes after is watched until an event is taken. At the end of a pattern the window
    /// decides.
    pub(super) fn never(&mut self, place: Place<'_>, what: &Item, sink: StateIx) -> Result<StateIx, BuildError> {
        let strict = place.connect() == Connect::Strict;
        if !self.is_end(sink) {
            self.not_at_an_open_end(place)?;
            let track = self.absent(place, what, None)?;
            let watched = self.wraps.wrap(&mut self.graph, sink, track)?;
            return self.entry(place, watched);
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
        if place.begins() {
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
        let watched = self.wraps.wrap(&mut self.graph, waiting, track)?;
        self.entry(place, watched)
    }

    /// A loop may be left from where its group begins, and then no more once an event was skipped.
    pub(super) fn entry(&mut self, place: Place<'_>, state: StateIx) -> Result<StateIx, BuildError> {
        if place.headed().is_none() {
            return Ok(state);
        }
        // Where the absence waits for the window, it does so before any event was skipped, too.
        let entry = self.graph.state(self.graph.states[state].kind, "absence")?;
        self.graph.edge(entry, Action::Proceed, state, Guard::new());
        Ok(entry)
    }

    /// An absence at the end of the last loop would have to end with each repetition.
    pub(super) fn not_at_an_open_end(&self, place: Place<'_>) -> Result<(), BuildError> {
        let last = place.at + 1 == place.items.len() && place.following.is_none();
        match last && place.group.is_some() {
            true => Err(BuildError::unsupported("an absence at the end of a loop that ends the pattern")),
            false => Ok(()),
        }
    }

    /// Where a loop of groups leads when it is left: what is skipped from then on must not be a whole repetition more. A
    /// greedy loop also has each event that begins or continues one.
    pub(super) fn exit_of_group(
        &mut self,
        place: Place<'_>,
        sink: StateIx,
        mark: Option<u16>,
        first: bool,
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        if self.is_end(sink) || !self.can_be_watched(item) {
            return Ok(sink);
        }
        let connect = if first { place.connect() } else { item.inner };
        let step = place.within_previous();
        let key = (std::ptr::from_ref(item) as usize, mark, first, connect as u8, step);
        if let Some(track) = self.tracks.get(&key) {
            let track = track.clone();
            return self.wraps.wrap(&mut self.graph, sink, track);
        }
        let (mut all, mut head) = (self.until_not(item.until, Guard::new()), Guard::new());
        if let (Some(mark), Some(ms), false) = (mark, item.loop_within, first) {
            let pred = self.in_time(Bound { from: From::Mark(mark), ms })?;
            all = both(&all, &lit(pred, true));
        }
        if let Some(ms) = step {
            let pred = self.in_time(Bound { from: From::Before, ms })?;
            head = both(&head, &lit(pred, true));
        }
        let mut tracker = self.tracker(item, connect, all, head)?;
        tracker.until = item.until.map(|until| self.untils[usize::from(until)]);
        let track = self.wraps.track(tracker, item.mode == Loop::Greedy)?;
        self.tracks.insert(key, track.clone());
        self.wraps.wrap(&mut self.graph, sink, track)
    }

    /// Whether a repetition can be recognized without being matched: its conditions don't look at what would be bound in it.
    fn can_be_watched(&self, item: &Item) -> bool {
        let inside = item.variables();
        if inside.len() > WATCHED_MAX || !is_plain(&item.body) {
            return false;
        }
        let begins = match &item.body {
            Body::Sequence(items) => items.first().filter(|first| first.kind == Kind::Single),
            _ => None,
        };
        let begins = begins.and_then(|first| match first.body {
            Body::Var(var) if !first.optional => Some(var),
            _ => None,
        });
        let later = inside.iter().filter(|var| Some(**var) != begins);
        let conditions = later.filter_map(|var| self.pattern.variables.get(usize::from(*var)));
        let exprs = conditions.flat_map(|variable| variable.conditions.iter().flatten());
        let of = |var: &u16| *var == Var::ANY || inside.contains(var);
        let looks = |node: &Node| match node {
            Node::Var(Var { var, .. }, _) | Node::VarTime(Var { var, .. }) => of(var),
            Node::Aggregate(at) => self.pattern.aggregates.get(usize::from(*at)).is_none_or(|(var, _)| of(var)),
            Node::SpanEnd => true,
            _ => false,
        };
        !exprs.flat_map(Expr::nodes).any(looks)
    }

    fn waiting(&mut self, place: Place<'_>, what: &Item, expires: bool) -> Result<StateIx, BuildError> {
        let var = what.variables().first().copied().unwrap_or(u16::MAX);
        let state = self.state(place, var, expires)?;
        "absence".clone_into(&mut self.graph.states[state].label);
        Ok(state)
    }

    /// Watches for what must not occur. `freed`: where it leads once that is certain, which only a strict one can be.
    fn absent(&mut self, place: Place<'_>, what: &Item, freed: Option<(Action, StateIx)>) -> Result<Wrap, BuildError> {
        let strict = place.connect() == Connect::Strict && !place.begins();
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

/// Whether nothing in it is bounded, stopped or absent, and counts stay small.
fn is_plain(body: &Body) -> bool {
    let plain = |item: &Item| item.times().1 <= 4 && unwatchable(item).is_none() && is_plain(&item.body);
    match body {
        Body::Var(_) => true,
        Body::Not { .. } | Body::Never { .. } => false,
        Body::Sequence(items) => items.iter().all(plain),
        Body::Choice(all) | Body::Permutation(all) => all.iter().flatten().all(plain),
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
