//! From an event to the subscriptions that it may concern: by equality first, then by ranges and conditions in common.

use super::{
    access::{Access, Atom},
    block::{Block, Demand},
    memo::Ask,
    pool::Pool,
};
use crate::{
    expr::Expr,
    model::{Text, Value},
};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that rules ask of a stream's events, by the items that they ask about.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Items looked up by their value; for each the rules that ask for it.
    by_value: Vec<ByValue>,
    /// The others.
    others: Vec<Block>,
}

#[derive(Clone, Debug)]
struct ByValue {
    item: u32,
    places: Places,
    buckets: Vec<Vec<Block>>,
}

/// Where values lead to.
#[derive(Clone, Debug)]
enum Places {
    /// Few texts are compared sooner than hashed.
    Few(Vec<(Text, u32)>),
    Many(HashMap<Atom, u32, FxBuildHasher>),
}

/// So many texts are few.
const FEW: usize = 8;

impl Places {
    fn new(places: Vec<(Atom, u32)>) -> Self {
        let text = |(atom, place): &(Atom, u32)| match atom {
            Atom::Text(text) => Some((text.clone(), *place)),
            _ => None,
        };
        let texts = if places.len() <= FEW { places.iter().map(text).collect() } else { None };
        texts.map_or_else(|| Self::Many(places.into_iter().collect()), Self::Few)
    }

    #[inline]
    fn get(&self, value: &Value) -> Option<u32> {
        match (self, value) {
            (Self::Few(texts), Value::Text(text)) => texts.iter().find(|(own, _)| own == text).map(|(_, place)| *place),
            (Self::Few(_), _) => None,
            (Self::Many(places), value) => places.get(&Atom::of(value)?).copied(),
        }
    }
}

/// An index while it is made.
#[derive(Default)]
pub(super) struct Demands {
    all: Vec<Demand>,
}

impl Demands {
    /// Adds an alternative of what a subscription asks for. Items go to `items`, what is only evaluated to `conditions`.
    pub(super) fn add(&mut self, sub: u32, alternative: &[Expr], items: &mut Pool, conditions: &mut Pool) {
        let mut demand = Demand { sub, ..Demand::default() };
        for condition in alternative {
            match Access::of(condition) {
                // None of no values: no event.
                Access::Equal(_, atoms) if atoms.is_empty() => return,
                Access::Equal(item, atoms) => {
                    demand.equal.entry(items.add(item)).or_insert(atoms);
                }
                Access::Range(item, range) => {
                    let known = demand.ranges.entry(items.add(item)).or_insert(range);
                    *known = known.and(range);
                }
                Access::Holds => {
                    demand.holds.insert(conditions.add(condition.clone()));
                }
            }
        }
        self.all.push(demand);
    }

    /// What a subscription asks for, for people: one text for each alternative.
    pub(super) fn describe(&self, sub: u32, items: &Pool, conditions: &Pool) -> Vec<String> {
        let text = |pool: &Pool, ix: u32| pool.get(ix).map(ToString::to_string).unwrap_or_default();
        let of = |demand: &Demand| {
            let mut parts = Vec::new();
            for (&item, atoms) in &demand.equal {
                let item = text(items, item);
                match atoms.as_slice() {
                    [atom] => parts.push(format!("{item} = {atom}")),
                    [first, .., last] if atoms.len() > 4 => {
                        parts.push(format!("{item} one of {} from {first} to {last}", atoms.len()));
                    }
                    atoms => {
                        let atoms: Vec<String> = atoms.iter().map(ToString::to_string).collect();
                        parts.push(format!("{item} in ({})", atoms.join(", ")));
                    }
                }
            }
            parts.extend(demand.ranges.iter().map(|(&item, range)| format!("{} {range}", text(items, item))));
            parts.extend(demand.holds.iter().map(|&condition| text(conditions, condition)));
            parts.join(", ")
        };
        self.all.iter().filter(|demand| demand.sub == sub).map(of).collect()
    }

    /// Leaves out the conditions that no other subscription has: to look them up is to evaluate them.
    pub(super) fn forget_rare(&mut self) {
        let mut subs: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for demand in &self.all {
            for &condition in &demand.holds {
                subs.entry(condition).or_default().insert(demand.sub);
            }
        }
        for demand in &mut self.all {
            demand.holds.retain(|condition| subs.get(condition).is_some_and(|subs| subs.len() > 1));
        }
    }

    /// The index.
    pub(super) fn index(self) -> Index {
        let mut values: BTreeMap<u32, BTreeSet<&Atom>> = BTreeMap::new();
        for demand in &self.all {
            for (&item, atoms) in &demand.equal {
                values.entry(item).or_default().extend(atoms);
            }
        }
        // The item with the most values leaves the fewest rules for each of them.
        let rank = |item: &u32| (values.get(item).map_or(0, BTreeSet::len), std::cmp::Reverse(*item));
        let mut by_value: BTreeMap<u32, BTreeMap<Atom, Vec<Demand>>> = BTreeMap::new();
        let mut others = Vec::new();
        for demand in &self.all {
            match demand.equal.keys().copied().max_by_key(rank) {
                None => others.push(demand.clone()),
                Some(item) => {
                    let mut rest = demand.clone();
                    for atom in rest.equal.remove(&item).unwrap_or_default() {
                        by_value.entry(item).or_default().entry(atom).or_default().push(rest.clone());
                    }
                }
            }
        }
        let by_value = by_value.into_iter().map(|(item, of_atoms)| {
            let (mut places, mut buckets) = (Vec::new(), Vec::new());
            for (atom, demands) in of_atoms {
                places.push((atom, buckets.len() as u32));
                buckets.push(blocks(demands));
            }
            ByValue { item, places: Places::new(places), buckets }
        });
        Index { by_value: by_value.collect(), others: blocks(others) }
    }
}

/// Blocks of demands by their shape; those of rare shapes share one, and are asked one by one.
fn blocks(demands: Vec<Demand>) -> Vec<Block> {
    let mut by_shape: BTreeMap<[Vec<u32>; 3], Vec<Demand>> = BTreeMap::new();
    for demand in demands {
        by_shape.entry(demand.shape()).or_default().push(demand);
    }
    let mut rare = Vec::new();
    let mut blocks = Vec::new();
    for (_, demands) in by_shape {
        if Block::is_worth(&demands) {
            blocks.push(Block::new(&demands));
        } else {
            rare.extend(demands);
        }
    }
    if !rare.is_empty() {
        rare.sort_by_key(|demand| demand.sub);
        blocks.push(Block::plain(&rare));
    }
    blocks
}

impl Index {
    /// The subscriptions that the event may concern, ascending, each once.
    pub(super) fn find(&self, ask: &mut Ask<'_, '_>, found: &mut Vec<u32>) {
        found.clear();
        let mut sources = 0;
        let mut collect = |blocks: &[Block], ask: &mut Ask<'_, '_>| {
            for block in blocks {
                block.collect(ask, found);
                sources += 1;
            }
        };
        for by_value in &self.by_value {
            let place = ask.item(by_value.item).and_then(|value| by_value.places.get(value));
            if let Some(blocks) = place.and_then(|place| by_value.buckets.get(place as usize)) {
                collect(blocks, ask);
            }
        }
        collect(&self.others, ask);
        if sources > 1 || found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}
