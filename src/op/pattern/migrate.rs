//! Partial matches of an edited pattern: which of them are partial matches of the new one, too.
//!
//! A partial match is what led it to its state: events taken and passed over on the states before. If all of that is the same in
//! both automata (states, edges among them, conditions on those edges) the match could have come there under the new pattern, and
//! goes on under it. What the state itself asks of the events to come may be new.

use super::{
    flatten::{FlatEdge, FlatState, What},
    graph::{Guard, Pred, PredIx},
    program::Program,
    state::{Form, KeyState, Single},
};
use xxhash_rust::xxh3::xxh3_64;

/// Larger automata are not compared.
const STATES_MAX: usize = 1_000;
/// How deep predicates may be nested to be compared.
const DEPTH_MAX: u32 = 32;

impl Program {
    /// For each state of `old`, a program of the same inputs, whether a partial match there goes on here. None where none does, as what is
    /// kept of an event is another, or the bounds and ends of matches are.
    pub fn migration(&self, old: &Self) -> Option<Vec<bool>> {
        if self.states.len().max(old.states.len()) > STATES_MAX || kept_of_events(self) != kept_of_events(old) {
            return None;
        }
        // Variables that only one has are on no way that both have.
        let same = |(a, b): (&String, &String)| a == b;
        let links = |program: &Self| -> Vec<_> {
            program.last_links.iter().copied().zip(program.first_links.iter().copied()).collect()
        };
        let both = links(self).into_iter().zip(links(old)).all(|(a, b)| a == b);
        if !both || !self.names.iter().zip(&old.names).all(same) {
            return None;
        }
        Some((0..old.states.len()).map(|state| self.has_come_alike(old, state)).collect())
    }

    /// Whether all that can lead to a state is the same in both.
    fn has_come_alike(&self, old: &Self, state: usize) -> bool {
        let before = leads_to(&self.states, state);
        before == leads_to(&old.states, state)
            && before.iter().zip(0..).filter(|(leads, _)| **leads).all(|(_, at)| {
                match (self.states.get(at), old.states.get(at)) {
                    (Some(new), Some(was)) => {
                        (new.kind, new.expiry, &new.timers) == (was.kind, was.expiry, &was.timers)
                            && self.ways(new, &before, at == state) == old.ways(was, &before, at == state)
                    }
                    _ => false,
                }
            })
    }

    /// The edges of a state that stay among those `before`; of the state where a partial match waits only those that it may have
    /// taken events on. None where they are too intricate to compare.
    fn ways(&self, state: &FlatState, before: &[bool], waits: bool) -> Option<Vec<u64>> {
        let stays = |edge: &&FlatEdge| match edge.what {
            What::Take { target, .. } => before.get(usize::from(target)) == Some(&true),
            What::Ignore { target } => !waits && before.get(usize::from(target)) == Some(&true),
            What::Stop => !waits,
        };
        let ways = state.edges.iter().filter(stays).map(|edge| {
            let FlatEdge { guard, what, within, marks, decides } = edge;
            let asked = self.guard(guard, 0)?;
            Some(xxh3_64(format!("{asked} {what:?} {within:?} {marks:?} {decides}").as_bytes()))
        });
        // Unlike anything where it can't be told.
        ways.collect::<Option<Vec<u64>>>()
    }

    fn guard(&self, guard: &Guard, depth: u32) -> Option<u64> {
        let mut text = String::new();
        for lit in guard {
            text += &format!("{} {:x} ", lit.want, self.pred(lit.pred, depth)?);
        }
        Some(xxh3_64(text.as_bytes()))
    }

    /// What a predicate asks, whatever its number.
    fn pred(&self, pred: PredIx, depth: u32) -> Option<u64> {
        if depth > DEPTH_MAX {
            return None;
        }
        let text = match self.preds.get(usize::from(pred))? {
            Pred::Variable(var) => format!("variable {var} {:?}", self.conditions.get(usize::from(*var))),
            Pred::Until(until) => format!("until {:?}", self.untils.get(usize::from(*until))),
            Pred::InTime(bound) => format!("{bound:?}"),
            Pred::All(guard) => format!("all {:x}", self.guard(guard, depth + 1)?),
            Pred::Any(guards) => {
                let guards: Option<Vec<u64>> = guards.iter().map(|guard| self.guard(guard, depth + 1)).collect();
                format!("any {:?}", guards?)
            }
        };
        Some(xxh3_64(text.as_bytes()))
    }
}

impl KeyState {
    /// Keeps the partial matches in the states that go on in `program`, as [`Program::migration`] says, and drops the others.
    pub fn migrate(&mut self, program: &Program, goes_on: &[bool]) {
        let stays = !self.is_torn(goes_on);
        self.keep_states(program, |state| stays && goes_on.get(usize::from(state)) == Some(&true));
    }

    /// Keeps what [`migrate`](Self::migrate) drops: what `program`, the old version, still has to end.
    pub fn leave(&mut self, program: &Program, goes_on: &[bool]) {
        let stays = !self.is_torn(goes_on);
        self.keep_states(program, |state| !stays || goes_on.get(usize::from(state)) != Some(&true));
    }

    /// Whether a finished match doesn't go on: it waits for an earlier start, so that nothing of the key can go on without it.
    fn is_torn(&self, goes_on: &[bool]) -> bool {
        let Form::Single(single) = &self.form else { return false };
        single.finished.iter().any(|run| goes_on.get(usize::from(run.state)) != Some(&true))
    }

    fn keep_states(&mut self, program: &Program, goes: impl Fn(u16) -> bool) {
        if let Form::Line(line) = &self.form {
            // The new pattern may be longer or shorter, or none such.
            self.form = Form::Single(Box::new(program.unlined(line.clone(), &goes)));
        }
        match &mut self.form {
            Form::Sets(sets) => {
                sets.change(|held| held.keep_states(program.within_ms, &goes));
                if sets.is_idle() {
                    self.form = Form::Blank;
                }
            }
            Form::Single(single) => {
                let Single { runs, finished, buffer, .. } = &mut **single;
                for heap in [runs, finished] {
                    Single::drop_runs(heap, buffer, |run, _| !goes(run.state));
                }
                single.settle();
            }
            Form::Blank | Form::Line(_) => {}
        }
    }
}

/// What is kept of the events that a match takes, and what bounds and ends all matches.
fn kept_of_events(program: &Program) -> String {
    let Program { retained, aggregates, fold_slots, first_any, new_links, layout, within_ms, .. } = program;
    let Program { skip, on_timeout, all_rows, numbers, track, id_slots, compact, .. } = program;
    let kept = format!("{retained:?} {aggregates:?} {fold_slots:?} {first_any:?} {new_links:?} {layout:?} {track:?}");
    format!("{kept} {within_ms:?} {skip:?} {on_timeout} {all_rows} {numbers} {id_slots:?} {compact}")
}

/// For each state whether it is this one, or can lead to it.
fn leads_to(states: &[FlatState], state: usize) -> Vec<bool> {
    let mut before = vec![false; states.len()];
    if let Some(place) = before.get_mut(state) {
        *place = true;
    }
    let mut changed = true;
    while changed {
        changed = false;
        for (at, from) in states.iter().enumerate() {
            let by_event = from.edges.iter().filter_map(|edge| match edge.what {
                What::Take { target, .. } | What::Ignore { target } => Some(target),
                What::Stop => None,
            });
            let mut targets = by_event.chain(from.timers.iter().map(|(_, target)| *target));
            let leads = targets.any(|target| before.get(usize::from(target)) == Some(&true));
            if let Some(place) = before.get_mut(at).filter(|place| leads && !**place) {
                *place = true;
                changed = true;
            }
        }
    }
    // One automaton may have more states that lead nowhere near.
    let last = before.iter().rposition(|leads| *leads).map_or(0, |at| at + 1);
    before.truncate(last);
    before
}
