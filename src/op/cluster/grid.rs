//! The cells that are hot or lately were, numbered, and who is near whom.

use super::sums::Patch;
use crate::{geo::Cell, model::Value, plan::regions::Config};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

/// No cell, no cluster.
pub(super) const NONE: u32 = u32::MAX;

/// What a hot cell holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// Its weight, not negative: `denser` and `OVERLAP BY WEIGHT` count it. 2⁶⁰ at most, in steps of 2⁻⁴⁰.
    pub weight: f64,
    /// Who is in it (for `OVERLAP BY MEMBERS`): numbers that the caller gives, such as a key's hash. In any order.
    pub members: Vec<u64>,
    /// The measures of the cell, by column; null where the cell has no value.
    pub values: Vec<Value>,
}

/// What searches look at: a third of a cache line.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) cell: Cell,
    /// The cluster it belongs to; none if it is cold or noise.
    pub(super) cluster: u32,
    /// The core cell that a border cell belongs to.
    pub(super) anchor: u32,
    /// Hot cells within the reach of `DENSITY`, itself apart.
    hot_near: u32,
    pub(super) is_hot: bool,
    pub(super) is_core: bool,
    /// Still a core to searches, but about to be none.
    pub(super) is_leaving: bool,
}

/// What else there is to know of a cell.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) patch: Patch,
    pub(super) load: Load,
    /// Cluster and weight in the last state, if `stamp` is the current evaluation.
    pub(super) before: u32,
    pub(super) weight_before: f64,
    pub(super) stamp: u64,
}

/// Near cells by their numbers.
type Near = SmallVec<[u32; 6]>;

/// All cells known. Numbers aren't stable beyond [`Grid::sweep`].
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) spots: Vec<Spot>,
    /// By number, too.
    pub(super) facts: Vec<Facts>,
    numbers: HashMap<Cell, u32, FxBuildHasher>,
    /// By number: the known cells in reach.
    reach: Vec<Near>,
    /// By number: the known cells within the reach of `DENSITY`, where that is another.
    dense: Vec<Near>,
    config: Config,
    hot: usize,
}

/// At least so many cold cells are kept.
const COLD_MIN: usize = 16_384;

impl Grid {
    pub(super) fn new(config: Config) -> Self {
        Self {
            spots: Vec::new(),
            facts: Vec::new(),
            numbers: HashMap::default(),
            reach: Vec::new(),
            dense: Vec::new(),
            config,
            hot: 0,
        }
    }

    /// Whether `DENSITY` counts over other distances than `REACH`.
    fn has_dense(&self) -> bool {
        self.config.density.is_some_and(|density| density.within != self.config.reach)
    }

    pub(super) fn number(&self, cell: Cell) -> Option<u32> {
        self.numbers.get(&cell).copied()
    }

    /// Known cells in reach, itself apart.
    pub(super) fn near(&self, spot: u32) -> &[u32] {
        &self.reach[spot as usize]
    }

    /// Known cells that count for `DENSITY`, itself apart.
    pub(super) fn dense(&self, spot: u32) -> &[u32] {
        if self.has_dense() { &self.dense[spot as usize] } else { &self.reach[spot as usize] }
    }

    pub(super) fn spot(&self, spot: u32) -> &Spot {
        &self.spots[spot as usize]
    }

    pub(super) fn spot_mut(&mut self, spot: u32) -> &mut Spot {
        &mut self.spots[spot as usize]
    }

    pub(super) fn facts(&self, spot: u32) -> &Facts {
        &self.facts[spot as usize]
    }

    pub(super) fn facts_mut(&mut self, spot: u32) -> &mut Facts {
        &mut self.facts[spot as usize]
    }

    /// How many cells are hot.
    pub(super) fn hot(&self) -> usize {
        self.hot
    }

    /// The number of a cell, which is known from now on.
    pub(super) fn learn(&mut self, cell: Cell) -> u32 {
        if let Some(number) = self.number(cell) {
            return number;
        }
        let number = u32::try_from(self.spots.len()).expect("a state has fewer than 2^32 cells");
        self.numbers.insert(cell, number);
        let link = |k: u32, lists: &mut Vec<Near>, numbers: &HashMap<Cell, u32, FxBuildHasher>| {
            let disk = cell.disk(k).expect("the number of rings is checked with the clause");
            let near: Near = disk
                .into_iter()
                .filter(|other| *other != cell)
                .filter_map(|other| numbers.get(&other).copied())
                .collect();
            near.iter().for_each(|&other| lists[other as usize].push(number));
            lists.push(near);
        };
        link(self.config.reach, &mut self.reach, &self.numbers);
        if let Some(density) = self.config.density.filter(|_| self.has_dense()) {
            link(density.within, &mut self.dense, &self.numbers);
        }
        let hot_near = self.dense(number).iter().filter(|&&other| self.spot(other).is_hot).count() as u32;
        self.spots.push(Spot {
            cell,
            cluster: NONE,
            anchor: NONE,
            hot_near,
            is_hot: false,
            is_core: false,
            is_leaving: false,
        });
        self.facts.push(Facts {
            patch: Patch::of(cell),
            load: Load::default(),
            before: NONE,
            weight_before: 0.0,
            stamp: 0,
        });
        number
    }

    /// Makes a cell hot or cold, and its neighbours count it. Whether cells are cores isn't touched.
    pub(super) fn set_hot(&mut self, spot: u32, is_hot: bool) {
        if self.spot(spot).is_hot == is_hot {
            return;
        }
        self.spot_mut(spot).is_hot = is_hot;
        self.hot = if is_hot { self.hot + 1 } else { self.hot - 1 };
        if self.config.density.is_some() {
            let lists = if self.has_dense() { &self.dense } else { &self.reach };
            for &other in &lists[spot as usize] {
                let near = &mut self.spots[other as usize].hot_near;
                *near = if is_hot { *near + 1 } else { *near - 1 };
            }
        }
    }

    /// Whether a cell should be a core.
    pub(super) fn deserves_core(&self, spot: u32) -> bool {
        let Spot { is_hot, hot_near, .. } = *self.spot(spot);
        is_hot && self.config.density.is_none_or(|density| hot_near.saturating_add(1) >= density.cells)
    }

    /// Forgets cold cells once they are many times the hot ones. Gives the new number of each old one then.
    pub(super) fn sweep(&mut self) -> Option<Vec<u32>> {
        let cold = self.spots.len() - self.hot;
        if cold <= COLD_MIN.max(4 * self.hot) {
            return None;
        }
        let mut next = 0;
        let numbers: Vec<u32> = self
            .spots
            .iter()
            .map(|spot| {
                let number = if spot.is_hot { next } else { NONE };
                next += u32::from(spot.is_hot);
                number
            })
            .collect();
        let new = |old: u32| numbers.get(old as usize).copied().unwrap_or(NONE);
        for lists in [&mut self.reach, &mut self.dense] {
            let mut old = 0;
            lists.retain_mut(|near| {
                old += 1;
                near.retain(|other| new(*other) != NONE);
                near.iter_mut().for_each(|other| *other = new(*other));
                new(old - 1) != NONE
            });
        }
        let mut old = 0;
        self.facts.retain(|_| {
            old += 1;
            new(old - 1) != NONE
        });
        self.spots.retain(|spot| spot.is_hot);
        self.spots.iter_mut().for_each(|spot| spot.anchor = new(spot.anchor));
        self.numbers = self.spots.iter().map(|spot| spot.cell).zip(0..).collect();
        Some(numbers)
    }
}

impl Load {
    /// A weight that isn't negative, members ascending and once each.
    pub(super) fn tidy(mut self) -> Self {
        // `max` takes the other side of NaN.
        self.weight = self.weight.max(0.0);
        self.members.sort_unstable();
        self.members.dedup();
        self
    }
}
