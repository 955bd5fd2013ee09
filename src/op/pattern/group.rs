//! Elements that are made of others: groups, alternations, permutations.

use super::{
    BuildError,
    builder::Builder,
    graph::{Action, Guard, Kind as StateKind, StateIx, both, lit},
    item::{Body, Item, heads},
    place::{Begins, Group, Place},
};
use crate::plan::Connect;
use std::collections::BTreeMap;

impl Builder<'_> {
    /// The states of one repetition of a group, an alternation or a permutation: the first or not, one that may be left out
    /// or not.
    pub(super) fn body(
        &mut self,
        place: Place<'_>,
        (first, leavable): (bool, bool),
        mark: Option<u16>,
        sink: StateIx,
    ) -> Result<StateIx, BuildError> {
        let item = place.item();
        let mut windows = place.windows(first);
        if let (Some(mark), Some(ms)) = (mark, item.loop_within) {
            windows.push((mark, ms, Begins::of_repetition(item, first)));
        }
        let within_previous = place.within_previous();
        let connect = first.then(|| place.connect());
        let leavable = leavable || (first && place.headed().is_some_and(|group| group.leavable));
        let group = Group { item, first, leavable, connect, within_previous, windows: &windows };
        match &item.body {
            Body::Sequence(items) => self.sequence(items, Some(&group), place.following, sink),
            Body::Choice(all) => {
                let all: Vec<_> = all.iter().map(|items| (items.as_slice(), sink)).collect();
                self.choice(place, group, &all)
            }
            Body::Permutation(all) => {
                let mut done = BTreeMap::from([(0u32, sink)]);
                // What is not the first part begins a loop only if the first may be nothing.
                let empty = all.iter().any(|items| items.iter().all(Item::may_be_empty));
                let most = if empty { Begins::Perhaps } else { Begins::No };
                let later: Vec<_> = windows.iter().map(|&(slot, ms, begins)| (slot, ms, begins.min(most))).collect();
                let everything = (1u32 << all.len()) - 1;
                // Ascending sets: each part removed leaves a smaller one, whose state is there already.
                for set in 1..=everything {
                    let parts = (0..all.len()).filter(|part| set & (1 << part) != 0);
                    let ways: Vec<_> = parts.map(|part| (all[part].as_slice(), done[&(set & !(1 << part))])).collect();
                    let group = match set == everything {
                        true => group,
                        false => Group {
                            leavable: false,
                            connect: Some(Connect::Relaxed),
                            within_previous: None,
                            windows: &later,
                            ..group
                        },
                    };
                    let state = self.choice(place, group, &ways)?;
                    done.insert(set, state);
                }
                Ok(done[&everything])
            }
            Body::Var(_) | Body::Not { .. } | Body::Never { .. } => {
                Err(BuildError::meaningless("an element that is no group"))
            }
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
}
