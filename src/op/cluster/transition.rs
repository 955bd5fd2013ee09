//! What became of each old region, and where each new one comes from: the transitions, after MONIC.
//!
//! A pure function of two states. An old region has exactly one [`Fate`], a new one exactly one [`Origin`].

use crate::{geo::Cell, plan::regions::Limits};
use std::cmp::Reverse;

/// A region as far as transitions look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The number of its cells.
    pub size: usize,
    /// Its lowest cell. No two regions of one state share one.
    pub lowest: Cell,
}

/// What an old region and a new one have in common; pairs without anything in common aren't listed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shared {
    /// The old region's place in the list.
    pub old: usize,
    /// The new region's.
    pub new: usize,
    /// How many cells they share.
    pub cells: usize,
    /// `|X∩Y|`, in any unit.
    pub amount: i128,
    /// `overlap(X→Y) = |X∩Y| / |X|`.
    pub overlap: f64,
}

/// What became of an old region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on as this new region.
    Survived(usize),
    /// It is within this new region, which goes on under another's id.
    Absorbed(usize),
    /// It fell into parts, in order of their lowest cells.
    Split {
        /// The new regions that are its parts.
        parts: Vec<usize>,
        /// The part that keeps its id, if one does.
        keeper: Option<usize>,
    },
    /// Nothing is left that could be called it.
    Dissolved,
}

/// Where a new region comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No old region maps to it.
    Emerged,
    /// It goes on as this old region.
    Survived(usize),
    /// It is the part of this old region that keeps its id.
    Split(usize),
    /// It is a part of an old region, with an id of its own.
    SplitOff,
}

/// What [`follow`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// By old region.
    pub fates: Vec<Fate>,
    /// By new region.
    pub origins: Vec<Origin>,
    /// By new region: the old ones that map to it, with their overlaps, in order of their lowest cells; the one whose id
    /// it keeps is among them.
    pub sources: Vec<Vec<(usize, f64)>>,
}

/// Follows regions from one state to the next. The result doesn't depend on the order of the lists.
pub fn follow(olds: &[Side], news: &[Side], shared: &[Shared], limits: &Limits) -> Followed {
    let mut by_old: Vec<Vec<&Shared>> = vec![Vec::new(); olds.len()];
    for pair in shared {
        by_old[pair.old].push(pair);
    }
    // The largest part first, then the lower lowest cell.
    for pairs in &mut by_old {
        pairs.sort_by(|a, b| b.amount.cmp(&a.amount).then(news[a.new].lowest.cmp(&news[b.new].lowest)));
    }
    let mut in_order: Vec<usize> = (0..olds.len()).collect();
    in_order.sort_by_key(|&old| olds[old].lowest);

    let mut fates = vec![Fate::Dissolved; olds.len()];
    let mut origins = vec![Origin::Emerged; news.len()];
    let mut sources = vec![Vec::new(); news.len()];
    let mut heirs: Vec<Option<&Shared>> = vec![None; news.len()];
    let larger = |a: &Shared, b: &Shared| {
        let (x, y) = (&olds[a.old], &olds[b.old]);
        (a.amount, x.size, y.lowest) > (b.amount, y.size, x.lowest)
    };
    for &old in &in_order {
        // Only by members, who may be in several regions, can there be more than one; cells in common then tell where
        // the region is.
        let matching = by_old[old].iter().copied().filter(|pair| pair.overlap > limits.survive);
        let Some(pair) = matching.max_by_key(|pair| (pair.amount, pair.cells, Reverse(news[pair.new].lowest))) else {
            continue;
        };
        fates[old] = Fate::Absorbed(pair.new);
        sources[pair.new].push((old, pair.overlap));
        if heirs[pair.new].is_none_or(|heir| larger(pair, heir)) {
            heirs[pair.new] = Some(pair);
        }
    }
    for heir in heirs.into_iter().flatten() {
        fates[heir.old] = Fate::Survived(heir.new);
        origins[heir.new] = Origin::Survived(heir.old);
    }
    for &old in &in_order {
        if fates[old] != Fate::Dissolved {
            continue;
        }
        let parts: Vec<&Shared> = by_old[old].iter().copied().filter(|pair| pair.overlap >= limits.split).collect();
        if parts.len() < 2 || parts.iter().map(|pair| pair.overlap).sum::<f64>() <= limits.survive {
            continue;
        }
        let is_free = |new: usize| matches!(origins[new], Origin::Emerged | Origin::SplitOff);
        let keeper = parts.iter().map(|pair| pair.new).find(|&new| is_free(new));
        for pair in &parts {
            sources[pair.new].push((old, pair.overlap));
            if origins[pair.new] == Origin::Emerged {
                origins[pair.new] = Origin::SplitOff;
            }
        }
        if let Some(keeper) = keeper {
            origins[keeper] = Origin::Split(old);
        }
        let mut parts: Vec<usize> = parts.iter().map(|pair| pair.new).collect();
        parts.sort_by_key(|&new| news[new].lowest);
        fates[old] = Fate::Split { parts, keeper };
    }
    for of_new in &mut sources {
        of_new.sort_by_key(|&(old, _)| olds[old].lowest);
    }
    Followed { fates, origins, sources }
}
