//! Guarded copies of waiting states. A copy of a state and of all that can be reached from it without taking an event has
//! the same edges with something added; taking an event leads back to the original. Copies are made when the graph is
//! complete, since what is copied may not be when the copy is asked for.

use super::{
    BuildError,
    graph::{Action, Graph, Guard, Kind, Pred, PredIx, StateIx, both, lit},
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
}

/// Copies that are asked for.
#[derive(Debug, Default)]
pub(super) struct Wraps {
    /// By the state that is no copy and all that was added to it. In loops copies are wrapped again and again; that the
    /// same is added once makes an end of it.
    copies: BTreeMap<(StateIx, BTreeSet<Wrap>), StateIx>,
    origins: BTreeMap<StateIx, (StateIx, BTreeSet<Wrap>)>,
    /// First come, first served: a copy of a copy is asked for after the copy.
    to_do: VecDeque<(StateIx, Wrap, StateIx)>,
    held: BTreeMap<StateIx, PredIx>,
}

impl Wraps {
    /// The copy of a state; it gets its edges in [`Wraps::resolve`].
    pub(super) fn wrap(&mut self, graph: &mut Graph, state: StateIx, wrap: Wrap) -> Result<StateIx, BuildError> {
        if matches!(graph.states[state].kind, Kind::Final | Kind::Stop(_)) {
            return Ok(state);
        }
        let (base, mut wraps) = self.origins.get(&state).cloned().unwrap_or((state, BTreeSet::new()));
        if !wraps.insert(wrap.clone()) {
            return Ok(state);
        }
        let origin = (base, wraps);
        if let Some(&copy) = self.copies.get(&origin) {
            return Ok(copy);
        }
        let (kind, label) = (graph.states[state].kind, graph.states[state].label.clone());
        let copy = graph.state(kind, &label)?;
        self.copies.insert(origin.clone(), copy);
        self.origins.insert(copy, origin);
        self.to_do.push_back((state, wrap, copy));
        Ok(copy)
    }

    /// From `state` no event is taken or skipped that could be taken from `sink`; `whole`: nor proceeded with.
    pub(super) fn hold_back(
        &mut self,
        graph: &mut Graph,
        state: StateIx,
        sink: StateIx,
        whole: bool,
    ) -> Result<(), BuildError> {
        let pred = match self.held.get(&sink) {
            Some(&pred) => pred,
            None => {
                let pred = graph.pred(Pred::Any(Vec::new()))?;
                self.held.insert(sink, pred);
                pred
            }
        };
        let mut states = vec![state];
        if whole {
            // What has skipped an event waits elsewhere.
            let skips = graph.states[state].edges.iter().filter(|edge| edge.action == Action::Ignore);
            states.extend(skips.map(|edge| edge.target).filter(|&target| target != state));
        }
        for state in states {
            for edge in &mut graph.states[state].edges {
                if whole || edge.action != Action::Proceed {
                    edge.exit = both(&edge.exit, &lit(pred, false));
                }
            }
        }
        Ok(())
    }

    /// Makes all copies.
    pub(super) fn resolve(mut self, graph: &mut Graph) -> Result<(), BuildError> {
        while let Some((state, wrap, copy)) = self.to_do.pop_front() {
            self.fill(graph, state, &wrap, copy)?;
        }
        for (sink, pred) in std::mem::take(&mut self.held) {
            let ways = takes_from(graph, sink);
            graph.preds[usize::from(pred)] = Pred::Any(ways);
        }
        Ok(())
    }

    fn fill(&mut self, graph: &mut Graph, state: StateIx, wrap: &Wrap, copy: StateIx) -> Result<(), BuildError> {
        let original = graph.states[state].clone();
        let mut edges = Vec::new();
        let not_taken = match wrap {
            Wrap::Loop { take, .. } => graph.not(take)?,
            Wrap::Stop { .. } => Guard::new(),
        };
        for edge in original.edges {
            let mut guarded = edge.clone();
            match wrap {
                Wrap::Stop { .. } => {
                    if !matches!(edge.action, Action::Take(_)) {
                        guarded.target = self.wrap(graph, edge.target, wrap.clone())?;
                    }
                }
                Wrap::Loop { until, takes, .. } => {
                    if matches!(edge.action, Action::Take(_)) {
                        if *takes {
                            guarded.exit = both(&guarded.exit, &not_taken);
                        }
                        edges.push(guarded);
                        continue;
                    }
                    guarded.target = self.wrap(graph, edge.target, wrap.clone())?;
                    // Of a reluctant loop's way out only skipping is guarded: proceeding leads to takes that are free.
                    if *takes || edge.action == Action::Ignore {
                        guarded.exit = both(&guarded.exit, &not_taken);
                    }
                    if let Some(until) = until {
                        let mut over = edge.clone();
                        over.exit = both(&over.exit, &lit(*until, true));
                        edges.push(over);
                        guarded.exit = both(&guarded.exit, &lit(*until, false));
                    }
                }
            }
            edges.push(guarded);
        }
        let place = &mut graph.states[copy];
        (place.edges, place.expiry, place.timer) = (edges, original.expiry, original.timer);
        if let Wrap::Stop { stop, forbidden } = wrap {
            graph.edge(copy, Action::Proceed, *stop, forbidden.clone());
        }
        Ok(())
    }
}

/// The guards of all takes that can be reached without taking.
fn takes_from(graph: &Graph, state: StateIx) -> Vec<Guard> {
    let (mut ways, mut seen, mut to_do) = (Vec::new(), BTreeSet::new(), vec![(state, Guard::new())]);
    while let Some((state, guard)) = to_do.pop() {
        if !seen.insert(state) || matches!(graph.states[state].kind, Kind::Stop(_)) {
            continue;
        }
        for edge in &graph.states[state].edges {
            let guard = both(&guard, &edge.guard);
            match edge.action {
                Action::Take(_) => ways.push(guard),
                Action::Proceed => to_do.push((edge.target, guard)),
                Action::Ignore => {}
            }
        }
    }
    ways
}
