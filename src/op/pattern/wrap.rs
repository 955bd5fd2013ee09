//! Guarded copies of waiting states. A copy of a state and of all that can be reached from it without taking an event has
//! the same edges with something added; taking an event leads back to the original. Copies are made when the graph is
//! complete, since what is copied may not be when the copy is asked for.

use super::{
    BuildError,
    graph::{Action, Edge, Graph, Guard, Kind, Pred, PredIx, StateIx, both, lit},
    tracker::{Set, Tracker},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is added in a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wrap {
    /// What the loop before can take does not pass: the loop has it. After the stop condition the loop is over.
    Loop {
        /// What the loop takes.
        take: Guard,
        /// Its stop condition.
        until: Option<PredIx>,
        /// Whether the loop goes first where both can take an event; reluctant ones don't.
        takes: bool,
    },
    /// An event that must not occur.
    Stop {
        /// The state of its violation.
        stop: StateIx,
        /// The event.
        forbidden: Guard,
    },
    /// What is skipped must not make up a whole sequence: what must not occur, or another repetition of the loop before.
    Track {
        /// The sequence.
        tracker: u16,
        /// How far it has come.
        set: Set,
        /// Whether an event that is part of it is not to be taken otherwise.
        takes: bool,
    },
    /// The absences of these variables are over; in Flink's loops only until an event is skipped.
    Without { stops: Vec<u16>, as_flink: bool },
}

const EDGES_MAX: usize = 32_768;

/// Copies that are asked for.
#[derive(Debug, Default)]
pub(super) struct Wraps {
    /// By the state that is no copy and all that was added to it. In loops copies are wrapped again and again; that the
    /// same is added once makes an end of it.
    copies: BTreeMap<(StateIx, BTreeSet<Wrap>), StateIx>,
    origins: BTreeMap<StateIx, (StateIx, BTreeSet<Wrap>)>,
    /// First come, first served: a copy of a copy is asked for after the copy.
    to_do: VecDeque<(StateIx, Wrap, StateIx)>,
    /// By what follows, and the place up to which variables don't follow.
    held: BTreeMap<(StateIx, usize), PredIx>,
    trackers: Vec<Tracker>,
    edges: usize,
}

impl Wraps {
    /// The copy of a state; it gets its edges in [`Wraps::resolve`].
    pub(super) fn wrap(&mut self, graph: &mut Graph, state: StateIx, wrap: Wrap) -> Result<StateIx, BuildError> {
        if matches!(graph.states[state].kind, Kind::Final | Kind::Stop(_)) {
            return Ok(state);
        }
        let (base, wraps) = self.origins.get(&state).cloned().unwrap_or((state, BTreeSet::new()));
        let added = add(wraps.clone(), wrap.clone());
        if added == wraps {
            return Ok(state);
        }
        let origin = (base, added);
        if let Some(&copy) = self.copies.get(&origin) {
            return Ok(copy);
        }
        let label = self.label(graph, &origin);
        let copy = graph.state(graph.states[state].kind, &label)?;
        self.copies.insert(origin.clone(), copy);
        self.origins.insert(copy, origin);
        self.to_do.push_back((state, wrap, copy));
        Ok(copy)
    }

    /// Adds a sequence to be watched, and the addition that begins to watch it.
    pub(super) fn track(&mut self, tracker: Tracker, takes: bool) -> Result<Wrap, BuildError> {
        let limit = usize::from(u16::MAX);
        if self.trackers.len() >= limit {
            return Err(BuildError::TooLarge { what: "sequences to watch for", limit });
        }
        let set = tracker.start();
        self.trackers.push(tracker);
        Ok(Wrap::Track { tracker: (self.trackers.len() - 1) as u16, set, takes })
    }

    fn label(&self, graph: &Graph, (base, wraps): &(StateIx, BTreeSet<Wrap>)) -> String {
        let mut label = graph.states[*base].label.clone();
        for wrap in wraps {
            if let Wrap::Track { tracker, set, .. } = wrap {
                label = format!("{label} !{}", self.trackers[usize::from(*tracker)].label(*set));
            }
        }
        label
    }

    /// From `state` no event is taken or skipped that could be taken from `sink` for a variable after the `last` one;
    /// `whole`: nor proceeded with. What a loop around leads back to does not follow: all would wait for each other.
    pub(super) fn hold_back(
        &mut self,
        graph: &mut Graph,
        state: StateIx,
        (sink, last): (StateIx, usize),
        whole: bool,
    ) -> Result<(), BuildError> {
        let pred = match self.held.get(&(sink, last)) {
            Some(&pred) => pred,
            None => {
                let pred = graph.pred(Pred::Any(Vec::new()))?;
                self.held.insert((sink, last), pred);
                pred
            }
        };
        for edge in &mut graph.states[state].edges {
            if whole || edge.action != Action::Proceed {
                edge.exit = both(&edge.exit, &lit(pred, false));
            }
        }
        Ok(())
    }

    /// Makes all copies.
    pub(super) fn resolve(mut self, graph: &mut Graph) -> Result<(), BuildError> {
        while let Some((state, wrap, copy)) = self.to_do.pop_front() {
            self.fill(graph, state, &wrap, copy)?;
        }
        for ((sink, last), pred) in std::mem::take(&mut self.held) {
            let ways = takes_from(graph, sink, last);
            graph.preds[usize::from(pred)] = Pred::Any(ways);
        }
        Ok(())
    }

    fn fill(&mut self, graph: &mut Graph, state: StateIx, wrap: &Wrap, copy: StateIx) -> Result<(), BuildError> {
        let original = graph.states[state].clone();
        let mut edges = Vec::new();
        for edge in original.edges {
            match wrap {
                Wrap::Loop { take, until, takes } => {
                    let not_taken = graph.not(take)?;
                    self.after_loop(graph, edge, wrap, (&not_taken, *until, *takes), &mut edges)?;
                }
                Wrap::Track { tracker, set, takes } => {
                    self.tracked(graph, edge, wrap, (*tracker, *set, *takes), &mut edges)?;
                }
                Wrap::Without { stops, as_flink } => {
                    if matches!(graph.states[edge.target].kind, Kind::Stop(var) if stops.contains(&var)) {
                        continue;
                    }
                    edges.push(match (as_flink, edge.action) {
                        (true, Action::Ignore) if edge.target == state => Edge { target: copy, ..edge },
                        (true, Action::Ignore) => edge,
                        _ => self.onward(graph, edge, wrap)?,
                    });
                }
                Wrap::Stop { .. } => edges.push(self.onward(graph, edge, wrap)?),
            }
        }
        self.edges += edges.len();
        if self.edges > EDGES_MAX {
            return Err(BuildError::TooLarge { what: "guarded transitions", limit: EDGES_MAX });
        }
        let place = &mut graph.states[copy];
        (place.edges, place.expiry, place.timer) = (edges, original.expiry, original.timer);
        if let Wrap::Stop { stop, forbidden } = wrap {
            graph.edge(copy, Action::Proceed, *stop, forbidden.clone());
        }
        Ok(())
    }

    /// The edge, leading to a copy unless it takes.
    fn onward(&mut self, graph: &mut Graph, edge: Edge, wrap: &Wrap) -> Result<Edge, BuildError> {
        let target = match edge.action {
            Action::Take(_) => edge.target,
            Action::Ignore | Action::Proceed => self.wrap(graph, edge.target, wrap.clone())?,
        };
        Ok(Edge { target, ..edge })
    }

    fn after_loop(
        &mut self,
        graph: &mut Graph,
        edge: Edge,
        wrap: &Wrap,
        (not_taken, until, takes): (&Guard, Option<PredIx>, bool),
        edges: &mut Vec<Edge>,
    ) -> Result<(), BuildError> {
        let mut guarded = edge.clone();
        if matches!(edge.action, Action::Take(_)) {
            if takes {
                guarded.exit = both(&guarded.exit, not_taken);
            }
            edges.push(guarded);
            return Ok(());
        }
        guarded.target = self.wrap(graph, edge.target, wrap.clone())?;
        // Of a reluctant loop's way out only skipping is guarded: proceeding leads to takes that are free.
        if takes || edge.action == Action::Ignore {
            guarded.exit = both(&guarded.exit, not_taken);
        }
        if let Some(until) = until {
            let mut over = edge;
            over.exit = both(&over.exit, &lit(until, true));
            edges.push(over);
            guarded.exit = both(&guarded.exit, &lit(until, false));
        }
        edges.push(guarded);
        Ok(())
    }

    fn tracked(
        &mut self,
        graph: &mut Graph,
        edge: Edge,
        wrap: &Wrap,
        (at, set, takes): (u16, Set, bool),
        edges: &mut Vec<Edge>,
    ) -> Result<(), BuildError> {
        let tracker = &self.trackers[usize::from(at)];
        if edge.action != Action::Ignore {
            let mut edge = self.onward(graph, edge, wrap)?;
            if takes && matches!(edge.action, Action::Take(_)) {
                edge.exit = both(&edge.exit, &self.trackers[usize::from(at)].untouched(set));
            }
            edges.push(edge);
            return Ok(());
        }
        let freed = tracker.freed;
        for (guard, set) in tracker.ways(set)? {
            let mut way = Edge { guard: both(&edge.guard, &guard), ..edge.clone() };
            match (set, freed) {
                (0, Some(freed)) => (way.action, way.target) = freed,
                (0, None) => {}
                _ => way.target = self.wrap(graph, edge.target, Wrap::Track { tracker: at, set, takes })?,
            }
            edges.push(way);
        }
        Ok(())
    }
}

/// What is added, and one thing more. Of one sequence the positions come together.
fn add(mut wraps: BTreeSet<Wrap>, wrap: Wrap) -> BTreeSet<Wrap> {
    let mut wrap = wrap;
    if let Wrap::Track { tracker, set, .. } = &mut wrap {
        wraps.retain(|other| match other {
            Wrap::Track { tracker: same, set: more, .. } if same == tracker => {
                *set |= more;
                false
            }
            _ => true,
        });
    }
    wraps.insert(wrap);
    wraps
}

/// The guards of all takes that can be reached without taking, for variables after the last one.
fn takes_from(graph: &Graph, state: StateIx, last: usize) -> Vec<Guard> {
    let follows = |var: u16| graph.places.get(usize::from(var)).is_some_and(|place| *place > last);
    let (mut ways, mut seen, mut to_do) = (Vec::new(), BTreeSet::new(), vec![(state, Guard::new())]);
    while let Some((state, guard)) = to_do.pop() {
        if !seen.insert(state) || matches!(graph.states[state].kind, Kind::Stop(_)) {
            continue;
        }
        for edge in &graph.states[state].edges {
            let guard = both(&guard, &edge.guard);
            match edge.action {
                Action::Take(var) if follows(var) => ways.push(guard),
                Action::Proceed => to_do.push((edge.target, guard)),
                Action::Take(_) | Action::Ignore => {}
            }
        }
    }
    ways
}
