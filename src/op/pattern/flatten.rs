//! From a graph to the flat states that events are run against: every state's takes and skips with the guards of the
//! proceed edges on the way, in one list. A proceed edge that leads back on its own way adds nothing and is cut, so a loop
//! over what may be empty ends.

use super::{
    BuildError,
    graph::{Action, Bound, Edge, From, Graph, Guard, Kind, Marks, State, StateIx, both, contradicts},
};
use crate::model::TimeMs;
use smallvec::SmallVec;

/// What an edge does with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Takes it for a variable and goes to a state.
    Take { var: u16, target: u16 },
    /// Skips it and goes to a state.
    Ignore { target: u16 },
    /// An absence is violated.
    Stop,
}

/// A flat edge.
#[derive(Clone, Debug)]
pub(super) struct FlatEdge {
    pub(super) guard: Guard,
    pub(super) what: What,
    pub(super) within: SmallVec<[Bound; 1]>,
    pub(super) marks: Marks,
    /// Whether the event decides an absence that has a deadline: what comes after it counts from here.
    pub(super) decides: bool,
}

/// A flat state.
#[derive(Clone, Debug)]
pub(super) struct FlatState {
    pub(super) kind: Kind,
    pub(super) label: String,
    pub(super) edges: Vec<FlatEdge>,
    /// Guards of the ways on which the whole pattern is met without another event.
    pub(super) finals: Vec<Guard>,
    pub(super) expiry: Option<Bound>,
    /// So long after the element before the partial match (also) goes to that state.
    pub(super) timers: SmallVec<[(TimeMs, u16); 1]>,
    /// Whether no event leads on from here once the last timer has fired: then the partial match leaves it.
    pub(super) leaves: bool,
}

impl FlatState {
    /// Whether time changes nothing for what is here, but for the bound on the whole match.
    pub(super) fn is_timeless(&self) -> bool {
        let bounded = self.edges.iter().any(|edge| !edge.within.is_empty());
        self.kind != Kind::Pending && self.expiry.is_none() && self.timers.is_empty() && !bounded
    }
}

const EDGES_MAX: usize = 16_384;
/// Steps on the way to all of them.
const VISITS_MAX: usize = 8 * EDGES_MAX;

/// The states that can be reached, the start first.
pub(super) fn flatten(graph: &Graph) -> Result<Vec<FlatState>, BuildError> {
    if let Some(label) = endless_timer(graph) {
        return Err(BuildError::unsupported(format!("a loop that may consist of the absence of `{label}` alone")));
    }
    let mut flat = Vec::new();
    let mut place = vec![None; graph.states.len()];
    let mut order = vec![graph.start];
    place[graph.start] = Some(0u16);
    let mut at = 0;
    let (mut total, mut visits) = (0, 0);
    while let Some(&state) = order.get(at) {
        at += 1;
        let mut closed = close(graph, state, EDGES_MAX.saturating_sub(total), &mut visits)?;
        total += closed.edges.len() + closed.finals.len();
        let mut find = |target: StateIx| {
            *place[target].get_or_insert_with(|| {
                order.push(target);
                (order.len() - 1) as u16
            })
        };
        let mut edges = Vec::with_capacity(closed.edges.len());
        for Reached { guard, within, edge, decides } in closed.edges {
            let what = match edge.action {
                _ if matches!(graph.states[edge.target].kind, Kind::Stop(_)) => What::Stop,
                Action::Take(var) => What::Take { var, target: find(edge.target) },
                _ => What::Ignore { target: find(edge.target) },
            };
            edges.push(FlatEdge { guard, what, within, marks: edge.marks.clone(), decides });
        }
        closed.timers.sort_unstable();
        closed.timers.dedup();
        let timers: SmallVec<[_; 1]> = closed.timers.iter().map(|(ms, target)| (*ms, find(*target))).collect();
        let leaves = timers.last().is_some_and(|&(last, _)| edges.iter().all(|edge| is_over(edge, last)));
        let State { kind, label, expiry, .. } = &graph.states[state];
        flat.push(FlatState {
            kind: *kind,
            label: label.clone(),
            edges,
            finals: closed.finals,
            expiry: *expiry,
            timers,
            leaves,
        });
    }
    Ok(flat)
}

#[derive(Default)]
struct Closed<'g> {
    edges: Vec<Reached<'g>>,
    finals: Vec<Guard>,
    timers: Vec<(TimeMs, StateIx)>,
}

/// Whether an edge is no way on so long after the element before.
fn is_over(edge: &FlatEdge, after: TimeMs) -> bool {
    edge.what == What::Stop || edge.within.iter().any(|bound| bound.from == From::Before && bound.ms <= after)
}

/// A way on which states are still to be visited: its end, what the event must meet on it, the same without what only
/// leaving loops asks for, and the states on it.
struct Way {
    state: StateIx,
    guard: Guard,
    taken: Guard,
    within: SmallVec<[Bound; 1]>,
    path: SmallVec<[StateIx; 8]>,
    /// Whether an absence with a deadline lies behind it, which the event decides: time alone does not come this way.
    decides: bool,
}

/// An edge at the end of a way, with all that is asked on it.
struct Reached<'g> {
    guard: Guard,
    within: SmallVec<[Bound; 1]>,
    edge: &'g Edge,
    decides: bool,
}

fn same(one: &Reached<'_>, other: &Reached<'_>) -> bool {
    let ends = |reached: &Reached<'_>| (reached.edge.action, reached.edge.target, reached.decides);
    let same_set = |a: &Guard, b: &Guard| a.len() == b.len() && a.iter().all(|lit| b.contains(lit));
    let ends = ends(one) == ends(other) && one.edge.marks == other.edge.marks;
    ends && one.within == other.within && same_set(&one.guard, &other.guard)
}

fn close<'g>(graph: &'g Graph, state: StateIx, limit: usize, visits: &mut usize) -> Result<Closed<'g>, BuildError> {
    let mut closed = Closed::default();
    let begin = Way {
        state,
        guard: Guard::new(),
        taken: Guard::new(),
        within: SmallVec::new(),
        path: SmallVec::new(),
        decides: false,
    };
    let mut to_do = vec![begin];
    // Last in, first out: the order of edges decides the order of partial matches of one start.
    while let Some(mut way) = to_do.pop() {
        *visits += 1;
        if closed.edges.len() + closed.finals.len() > limit || *visits > VISITS_MAX {
            return Err(BuildError::TooLarge { what: "transitions", limit: EDGES_MAX });
        }
        way.path.push(way.state);
        let state = &graph.states[way.state];
        if let Some((ms, target)) = state.timer.filter(|_| !way.decides) {
            closed.timers.push((ms, target));
        }
        for edge in &state.edges {
            let guard = both(&both(&way.guard, &edge.guard), &edge.exit);
            // What waits after a decided absence counts from the event that decides.
            let own = |bound: &&Bound| !(way.decides && edge.action == Action::Ignore && bound.from == From::Before);
            let within: SmallVec<_> = way.within.iter().chain(edge.within.iter().filter(own)).copied().collect();
            if edge.action != Action::Proceed {
                let decides = way.decides && edge.action == Action::Ignore;
                let new = Reached { guard, within, edge, decides };
                // Two ways to the same end, as loops over what may be empty have them, are two matches in Flink.
                let known = graph.chooses && closed.edges.iter().any(|old| same(old, &new));
                if !contradicts(&new.guard) && !known {
                    closed.edges.push(new);
                }
                continue;
            }
            let taken = both(&way.taken, &edge.guard);
            if way.path.contains(&edge.target) || contradicts(&taken) {
                continue;
            }
            if graph.states[edge.target].kind == Kind::Final {
                closed.finals.push(taken);
            } else {
                let decides = way.decides || state.timer.is_some();
                to_do.push(Way { state: edge.target, guard, taken, within, path: way.path.clone(), decides });
            }
        }
    }
    Ok(closed)
}

/// A state whose timer can lead back to it without an event taken: time alone would turn in a circle.
fn endless_timer(graph: &Graph) -> Option<&str> {
    let next = |state: StateIx| {
        let State { edges, timer, .. } = &graph.states[state];
        let proceeds = edges.iter().filter(|edge| edge.action == Action::Proceed).map(|edge| edge.target);
        proceeds.chain(timer.map(|(_, target)| target))
    };
    for (at, state) in graph.states.iter().enumerate() {
        let Some((_, target)) = state.timer else { continue };
        let (mut seen, mut to_do) = (vec![false; graph.states.len()], vec![target]);
        while let Some(state) = to_do.pop() {
            if state == at {
                return Some(&graph.states[at].label);
            }
            if !std::mem::replace(&mut seen[state], true) {
                to_do.extend(next(state));
            }
        }
    }
    None
}
