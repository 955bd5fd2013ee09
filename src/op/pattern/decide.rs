//! Which edges an event goes on, found with as few questions as it takes: for each state of the automaton a tree of the
//! conditions that its edges ask about, made once. At most events most partial matches wait on as they are, and a look or two tells.

use super::{
    flatten::{FlatEdge, FlatState, What},
    graph::{Guard, Pred, PredIx},
    state::is_end,
};

/// At most so many questions for one state; where there are more, each edge is asked by itself.
const QUESTIONS_MAX: usize = 127;

/// The trees of all states.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    nodes: Vec<Node>,
    /// By state: the tree's root, if it has a tree.
    roots: Vec<Option<u32>>,
    /// The same for the match that has not begun, which is always in the first state and skips what it doesn't take.
    start: Option<u32>,
    ways: Vec<Way>,
    edges: Vec<u16>,
    /// By state whether the pattern ends there.
    ends: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    /// Whether the event meets a predicate that asks nothing of others.
    Ask {
        pred: PredIx,
        yes: u32,
        no: u32,
    },
    Found {
        way: u32,
    },
}

/// What is left once everything is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    from: u32,
    to: u32,
    /// An absence is violated; says nothing where edges have bounds in time.
    pub(super) stops: bool,
    /// Edges among these have bounds in time, which are still to be asked; those that stop are among them then.
    pub(super) timed: bool,
    /// The partial match waits on as it is.
    pub(super) stays: bool,
    /// An edge leads to the end of the pattern.
    pub(super) ends: bool,
}

impl Decisions {
    pub(super) fn new(states: &[FlatState], preds: &[Pred]) -> Self {
        let mut all = Self { ends: states.iter().map(is_end).collect(), ..Self::default() };
        for (at, state) in states.iter().enumerate() {
            let edges: Vec<(u16, &FlatEdge)> = (0..).zip(&state.edges).collect();
            let root = all.grow(at, &edges, preds);
            all.roots.push(root);
        }
        if let Some(first) = states.first() {
            let takes = (0..).zip(&first.edges).filter(|(_, edge)| matches!(edge.what, What::Take { .. }));
            all.start = all.grow(0, &takes.collect::<Vec<_>>(), preds);
        }
        all
    }

    /// The root of a state's tree.
    pub(super) fn root(&self, state: u16) -> Option<u32> {
        self.roots.get(usize::from(state)).copied().flatten()
    }

    /// The root for the match that has not begun.
    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }

    /// From now on no match begins.
    pub(super) fn close(&mut self) {
        let nowhere = self.edges.len() as u32;
        let way = self.ways.len() as u32;
        self.ways.push(Way { from: nowhere, to: nowhere, stops: false, timed: false, stays: false, ends: false });
        self.start = Some(self.nodes.len() as u32);
        self.nodes.push(Node::Found { way });
    }

    /// Goes down a tree; `meets` answers what is asked.
    #[inline]
    pub(super) fn decide(&self, root: u32, mut meets: impl FnMut(PredIx) -> bool) -> u32 {
        let mut at = root;
        loop {
            match self.nodes[at as usize] {
                Node::Ask { pred, yes, no } => at = if meets(pred) { yes } else { no },
                Node::Found { way } => return way,
            }
        }
    }

    #[inline]
    pub(super) fn way(&self, way: u32) -> Way {
        self.ways[way as usize]
    }

    /// The edges of a way, by their places in the state, ascending.
    #[inline]
    pub(super) fn edges(&self, way: Way) -> &[u16] {
        &self.edges[way.from as usize..way.to as usize]
    }

    /// What a tree asks.
    pub(super) fn asked(&self, root: u32) -> Vec<PredIx> {
        let (mut asked, mut to_do) = (Vec::new(), vec![root]);
        while let Some(at) = to_do.pop() {
            if let Some(&Node::Ask { pred, yes, no }) = self.nodes.get(at as usize) {
                asked.push(pred);
                to_do.extend([yes, no]);
            }
        }
        asked
    }

    fn grow(&mut self, state: usize, edges: &[(u16, &FlatEdge)], preds: &[Pred]) -> Option<u32> {
        let before = (self.nodes.len(), self.ways.len(), self.edges.len());
        let root = self.split(state, edges, preds, &mut Vec::new(), before.0 + QUESTIONS_MAX);
        if root.is_none() {
            self.nodes.truncate(before.0);
            self.ways.truncate(before.1);
            self.edges.truncate(before.2);
        }
        root
    }

    /// The tree below what is known; none if it is too large.
    fn split(
        &mut self,
        state: usize,
        edges: &[(u16, &FlatEdge)],
        preds: &[Pred],
        known: &mut Vec<(PredIx, bool)>,
        limit: usize,
    ) -> Option<u32> {
        if self.nodes.len() >= limit {
            return None;
        }
        let open = edges.iter().find_map(|(_, edge)| match all(&edge.guard, preds, known) {
            Answer::Depends(pred) => Some(pred),
            Answer::Known(_) => None,
        });
        let at = self.nodes.len() as u32;
        let Some(pred) = open else {
            let met: Vec<(u16, &FlatEdge)> = edges
                .iter()
                .filter(|(_, edge)| matches!(all(&edge.guard, preds, known), Answer::Known(true)))
                .copied()
                .collect();
            let way = self.ways.len() as u32;
            self.found(state, &met);
            self.nodes.push(Node::Found { way });
            return Some(at);
        };
        self.nodes.push(Node::Ask { pred, yes: 0, no: 0 });
        let mut below = |met: bool| {
            known.push((pred, met));
            let root = self.split(state, edges, preds, known, limit);
            known.pop();
            root
        };
        let (yes, no) = (below(true)?, below(false)?);
        *self.nodes.get_mut(at as usize)? = Node::Ask { pred, yes, no };
        Some(at)
    }

    fn found(&mut self, state: usize, met: &[(u16, &FlatEdge)]) {
        let timed = met.iter().any(|(_, edge)| !edge.within.is_empty());
        let is_stop = |edge: &FlatEdge| edge.what == What::Stop;
        let from = self.edges.len() as u32;
        self.edges.extend(met.iter().filter(|(_, edge)| timed || !is_stop(edge)).map(|(at, _)| *at));
        let stops = met.iter().any(|(_, edge)| is_stop(edge));
        let stays = match met {
            [(_, edge)] => !timed && edge.what == What::Ignore { target: state as u16 },
            _ => false,
        };
        let ends = met.iter().any(|(_, edge)| match edge.what {
            What::Take { target, .. } | What::Ignore { target } => self.ends.get(usize::from(target)) == Some(&true),
            What::Stop => false,
        });
        self.ways.push(Way { from, to: self.edges.len() as u32, stops, timed, stays, ends });
    }
}

/// Whether a guard holds; none where what is known doesn't say.
pub(super) fn is_met(guard: &Guard, preds: &[Pred], known: &[(PredIx, bool)]) -> Option<bool> {
    match all(guard, preds, known) {
        Answer::Known(met) => Some(met),
        Answer::Depends(_) => None,
    }
}

/// What is known of a guard.
enum Answer {
    Known(bool),
    /// This is to be asked first.
    Depends(PredIx),
}

fn all(guard: &Guard, preds: &[Pred], known: &[(PredIx, bool)]) -> Answer {
    let mut open = None;
    for lit in guard {
        match one(lit.pred, preds, known) {
            Answer::Known(met) if met != lit.want => return Answer::Known(false),
            Answer::Known(_) => {}
            Answer::Depends(pred) => open = open.or(Some(pred)),
        }
    }
    open.map_or(Answer::Known(true), Answer::Depends)
}

fn one(pred: PredIx, preds: &[Pred], known: &[(PredIx, bool)]) -> Answer {
    match preds.get(usize::from(pred)) {
        Some(Pred::All(guard)) => all(guard, preds, known),
        Some(Pred::Any(guards)) => {
            let mut open = None;
            for guard in guards {
                match all(guard, preds, known) {
                    Answer::Known(true) => return Answer::Known(true),
                    Answer::Known(false) => {}
                    Answer::Depends(pred) => open = open.or(Some(pred)),
                }
            }
            open.map_or(Answer::Known(false), Answer::Depends)
        }
        Some(_) => {
            let found = known.iter().find(|(known, _)| *known == pred);
            found.map_or(Answer::Depends(pred), |(_, met)| Answer::Known(*met))
        }
        None => Answer::Known(false),
    }
}
