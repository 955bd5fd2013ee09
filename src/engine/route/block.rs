//! Rules that ask about the same items: for each item and each span of its values a row of bits, one bit a rule. The rules that
//! an event may concern are where all rows of its values have a bit.

use super::{
    access::{Atom, Range},
    memo::Ask,
};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer rules than this are asked one by one.
const RULES_MIN: usize = 4;

/// At most so many rows of an item's values: then neighbouring spans share one, and a few rules more are asked.
const ROWS_MAX: usize = 1_024;

/// At most so many words for the rows of an item: then fewer rows.
const WORDS_MAX: usize = 1 << 17;

/// What a rule asks for, beside what led to its block.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    /// The rule's place among the stream's subscriptions.
    pub(super) sub: u32,
    /// Items that are one of some values, in the order of items.
    pub(super) equal: BTreeMap<u32, Vec<Atom>>,
    /// Items that are in a range.
    pub(super) ranges: BTreeMap<u32, Range>,
    /// Conditions that hold.
    pub(super) holds: BTreeSet<u32>,
}

impl Demand {
    /// The items and conditions that it asks about; demands with the same ones share a block.
    pub(super) fn shape(&self) -> [Vec<u32>; 3] {
        [
            self.equal.keys().copied().collect(),
            self.ranges.keys().copied().collect(),
            self.holds.iter().copied().collect(),
        ]
    }
}

/// Demands of one shape.
#[derive(Clone, Debug)]
pub(super) struct Block {
    subs: Vec<u32>,
    words: usize,
    holds: Vec<u32>,
    ranges: Vec<Spans>,
    equal: Vec<Values>,
}

#[derive(Clone, Debug)]
struct Spans {
    item: u32,
    /// Ascending; row i is for values from bound i − 1, itself included, to bound i.
    bounds: Vec<f64>,
    rows: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Values {
    item: u32,
    row_of: HashMap<Atom, u32, FxBuildHasher>,
    rows: Vec<u64>,
}

impl Block {
    /// Whether rows for these demands of one shape are cheaper than to ask each rule.
    pub(super) fn is_worth(demands: &[Demand]) -> bool {
        demands.len() >= RULES_MIN
    }

    /// A block of demands of one shape.
    pub(super) fn new(demands: &[Demand]) -> Self {
        let mut block = Self::plain(demands);
        if let Some(first) = demands.first() {
            block.holds = first.holds.iter().copied().collect();
            block.ranges = first.ranges.keys().map(|&item| Spans::new(item, block.words, demands)).collect();
            block.equal = first.equal.keys().filter_map(|&item| Values::new(item, block.words, demands)).collect();
        }
        block
    }

    /// A block of demands that are asked one by one.
    pub(super) fn plain(demands: &[Demand]) -> Self {
        let subs: Vec<u32> = demands.iter().map(|demand| demand.sub).collect();
        let words = subs.len().div_ceil(64);
        Self { subs, words, holds: Vec::new(), ranges: Vec::new(), equal: Vec::new() }
    }

    /// Adds the subscriptions that the event may concern.
    pub(super) fn collect(&self, ask: &mut Ask<'_, '_>, found: &mut Vec<u32>) {
        if self.holds.iter().any(|&condition| !ask.holds(condition)) {
            return;
        }
        let mut rows: SmallVec<[&[u64]; 4]> = SmallVec::new();
        for spans in &self.ranges {
            let Some(number) = ask.number(spans.item) else { return };
            let row = spans.bounds.partition_point(|bound| *bound <= number);
            rows.push(spans.rows.get(row * self.words..(row + 1) * self.words).unwrap_or_default());
        }
        for values in &self.equal {
            let Some(row) = ask.atom(values.item).and_then(|atom| values.row_of.get(&atom)) else { return };
            let row = *row as usize;
            rows.push(values.rows.get(row * self.words..(row + 1) * self.words).unwrap_or_default());
        }
        let Some((first, others)) = rows.split_first() else {
            found.extend_from_slice(&self.subs);
            return;
        };
        for (word, bits) in first.iter().enumerate() {
            let mut bits = others.iter().fold(*bits, |bits, row| bits & row.get(word).copied().unwrap_or(0));
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                found.extend(self.subs.get(at));
            }
        }
    }
}

impl Spans {
    fn new(item: u32, words: usize, demands: &[Demand]) -> Self {
        let ranges = || demands.iter().map(|demand| demand.ranges.get(&item).copied());
        let mut bounds: Vec<f64> =
            ranges().flatten().flat_map(|range| [range.from, range.to]).filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let limit = ROWS_MAX.min(WORDS_MAX / words.max(1)).max(2) - 1;
        if bounds.len() > limit {
            let count = bounds.len();
            bounds = (0..limit).filter_map(|at| bounds.get(at * count / limit).copied()).collect();
        }
        let mut rows = vec![0; (bounds.len() + 1) * words];
        for (at, range) in ranges().enumerate() {
            let (first, last) = match range {
                None => (0, bounds.len()),
                Some(range) => (
                    bounds.partition_point(|bound| *bound <= range.from),
                    bounds.partition_point(|bound| if range.open { *bound < range.to } else { *bound <= range.to }),
                ),
            };
            (first..=last).for_each(|row| set(&mut rows, row, words, at));
        }
        Self { item, bounds, rows }
    }
}

impl Values {
    /// None where there are so many values that rows for them would be too large.
    fn new(item: u32, words: usize, demands: &[Demand]) -> Option<Self> {
        let atoms: BTreeSet<&Atom> = demands.iter().flat_map(|demand| demand.equal.get(&item)).flatten().collect();
        if atoms.len().saturating_mul(words) > WORDS_MAX {
            return None;
        }
        let row_of: HashMap<Atom, u32, FxBuildHasher> =
            atoms.into_iter().enumerate().map(|(row, atom)| (atom.clone(), row as u32)).collect();
        let mut rows = vec![0; row_of.len() * words];
        for (at, demand) in demands.iter().enumerate() {
            for atom in demand.equal.get(&item).into_iter().flatten() {
                if let Some(&row) = row_of.get(atom) {
                    set(&mut rows, row as usize, words, at);
                }
            }
        }
        Some(Self { item, row_of, rows })
    }
}

fn set(rows: &mut [u64], row: usize, words: usize, at: usize) {
    if let Some(word) = rows.get_mut(row * words + at / 64) {
        *word |= 1 << (at % 64);
    }
}
