//! Regions computed from scratch: all hot cells, every pair of states, nothing remembered but the last state.

use super::super::*;
use crate::{
    geo::{Cell, haversine_m},
    model::TimeMs,
};
use std::collections::{BTreeMap, BTreeSet};

/// A region of a state.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) id: RegionId,
    pub(super) cells: BTreeMap<Cell, Load>,
}

impl Region {
    fn lowest(&self) -> Cell {
        *self.cells.keys().next().unwrap()
    }

    fn members(&self) -> BTreeSet<u64> {
        self.cells.values().flat_map(|load| load.members.iter().copied()).collect()
    }

    fn weight(&self) -> f64 {
        self.cells.values().map(|load| load.weight).sum()
    }
}

/// Grid DBSCAN over all hot cells.
pub(super) fn clusters(hot: &BTreeMap<Cell, Load>, config: &Config) -> Vec<BTreeSet<Cell>> {
    let near = |cell: Cell, k: u32| {
        cell.disk(k).unwrap().into_iter().filter(|other| hot.contains_key(other)).collect::<Vec<_>>()
    };
    let is_core =
        |cell: &Cell| config.density.is_none_or(|density| near(*cell, density.within).len() >= density.cells as usize);
    let cores: BTreeSet<Cell> = hot.keys().copied().filter(is_core).collect();
    let mut left = cores.clone();
    let mut found: Vec<BTreeSet<Cell>> = Vec::new();
    while let Some(first) = left.pop_first() {
        let (mut cluster, mut next) = (BTreeSet::from([first]), vec![first]);
        while let Some(cell) = next.pop() {
            for other in near(cell, config.reach) {
                if left.remove(&other) {
                    cluster.insert(other);
                    next.push(other);
                }
            }
        }
        found.push(cluster);
    }
    let core_clusters = found.clone();
    for border in hot.keys().filter(|cell| !cores.contains(cell)) {
        if let Some(core) = near(*border, config.reach).into_iter().filter(|other| cores.contains(other)).min() {
            let of = core_clusters.iter().position(|cluster| cluster.contains(&core)).unwrap();
            found[of].insert(*border);
        }
    }
    found.retain(|cluster| cluster.len() >= config.min_cells);
    found
}

/// The model of one rule.
pub(super) struct Model {
    pub(super) config: Config,
    pub(super) hot: BTreeMap<Cell, Load>,
    pub(super) regions: Vec<Region>,
}

/// What the kernel's records are compared by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) id: RegionId,
    pub(super) transition: Transition,
    pub(super) flags: Flags,
    pub(super) overlap: Option<f64>,
    pub(super) parents: Vec<RegionId>,
    pub(super) parts: Vec<RegionId>,
    pub(super) absorbed_into: Option<RegionId>,
    pub(super) size: usize,
    pub(super) is_unchanged: bool,
}

impl Line {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            id: record.id,
            transition: record.transition,
            flags: record.flags,
            overlap: record.overlap,
            parents: record.parents.clone(),
            parts: record.parts.clone(),
            absorbed_into: record.absorbed_into,
            size: record.look.size,
            is_unchanged: record.is_unchanged,
        }
    }
}

impl Model {
    pub(super) fn new(config: Config) -> Self {
        Self { config, hot: BTreeMap::new(), regions: Vec::new() }
    }

    fn common_cells(old: &Region, new: &Region) -> usize {
        old.cells.keys().filter(|cell| new.cells.contains_key(cell)).count()
    }

    fn shared(&self, old: &Region, new: &Region) -> (i128, f64) {
        let cells = Self::common_cells(old, new);
        let by_cells = (cells as i128, cells as f64 / old.cells.len() as f64);
        match self.config.overlap {
            Overlap::Members if !old.members().is_empty() => {
                let members = old.members().intersection(&new.members()).count();
                (members as i128, members as f64 / old.members().len() as f64)
            }
            Overlap::Weight if old.weight() > 0.0 => {
                let weight: f64 = old
                    .cells
                    .iter()
                    .filter(|(cell, _)| new.cells.contains_key(cell))
                    .map(|(_, load)| load.weight)
                    .sum();
                // Cells in common without weight are none.
                ((weight * 1024.0) as i128, weight / old.weight())
            }
            _ => by_cells,
        }
    }

    /// Everything at a tick, as under `EMIT ALL`. The words of the design, one after the other.
    pub(super) fn evaluate(&mut self, tick: TimeMs) -> Vec<Line> {
        let olds = std::mem::take(&mut self.regions);
        let clusters = clusters(&self.hot, &self.config);
        let mut news: Vec<(Option<RegionId>, Region)> = clusters
            .into_iter()
            .map(|cluster| {
                let cells: BTreeMap<Cell, Load> =
                    cluster.into_iter().map(|cell| (cell, self.hot[&cell].clone())).collect();
                let lowest = *cells.keys().next().unwrap();
                (None, Region { id: RegionId { tick, lowest }, cells })
            })
            .collect();
        news.sort_by_key(|(_, region)| region.lowest());
        let overlap = |x: usize, y: usize| self.shared(&olds[x], &news[y].1);
        let table: Vec<Vec<(i128, f64)>> =
            (0..olds.len()).map(|x| (0..news.len()).map(|y| overlap(x, y)).collect()).collect();
        let limits = self.config.limits;
        // Who matches whom; by members two may be over the limit: the largest, then more cells, then the lowest.
        let matched: Vec<Option<usize>> = (0..olds.len())
            .map(|x| {
                (0..news.len())
                    .filter(|&y| table[x][y].1 > limits.survive)
                    .max_by_key(|&y| (table[x][y].0, Self::common_cells(&olds[x], &news[y].1), std::cmp::Reverse(y)))
            })
            .collect();
        let mut words: Vec<&str> = vec![""; olds.len()];
        let mut maps: Vec<Vec<usize>> = vec![Vec::new(); olds.len()];
        let mut kept: Vec<Option<usize>> = vec![None; news.len()];
        for y in 0..news.len() {
            let matching: Vec<usize> = (0..olds.len()).filter(|&x| matched[x] == Some(y)).collect();
            let best = matching
                .iter()
                .copied()
                .max_by_key(|&x| (table[x][y].0, olds[x].cells.len(), std::cmp::Reverse(olds[x].lowest())));
            for x in matching {
                words[x] = if Some(x) == best { "survived" } else { "absorbed" };
                maps[x] = vec![y];
            }
            kept[y] = best;
        }
        let mut by_lowest: Vec<usize> = (0..olds.len()).collect();
        by_lowest.sort_by_key(|&x| olds[x].lowest());
        let mut origins: Vec<&str> = kept.iter().map(|x| if x.is_some() { "survived" } else { "emerged" }).collect();
        for &x in by_lowest.iter().filter(|&&x| matched[x].is_none()) {
            let parts: Vec<usize> = (0..news.len()).filter(|&y| table[x][y].1 >= limits.split).collect();
            if parts.len() >= 2 && parts.iter().map(|&y| table[x][y].1).sum::<f64>() > limits.survive {
                words[x] = "split";
                let keeper = parts
                    .iter()
                    .copied()
                    .filter(|&y| kept[y].is_none())
                    .max_by_key(|&y| (table[x][y].0, std::cmp::Reverse(y)));
                for &y in &parts {
                    if origins[y] == "emerged" {
                        origins[y] = "split_off";
                    }
                }
                if let Some(y) = keeper {
                    kept[y] = Some(x);
                    origins[y] = "split";
                }
                maps[x] = parts;
            } else {
                words[x] = "dissolved";
            }
        }
        for y in 0..news.len() {
            if let Some(x) = kept[y] {
                news[y].1.id = olds[x].id;
            }
        }
        let mut lines = Vec::new();
        let ids = |parts: &[usize]| parts.iter().map(|&y| news[y].1.id).collect::<Vec<_>>();
        for &x in &by_lowest {
            if kept.contains(&Some(x)) {
                continue;
            }
            lines.push(Line {
                id: olds[x].id,
                transition: word(words[x]),
                flags: Flags::default(),
                overlap: None,
                parents: vec![],
                parts: if words[x] == "split" { ids(&maps[x]) } else { vec![] },
                absorbed_into: (words[x] == "absorbed").then(|| news[maps[x][0]].1.id),
                size: olds[x].cells.len(),
                is_unchanged: false,
            });
        }
        for (y, (_, new)) in news.iter().enumerate() {
            let sources: Vec<usize> = by_lowest.iter().copied().filter(|&x| maps[x].contains(&y)).collect();
            let parents: Vec<RegionId> = sources.iter().filter(|&&x| kept[y] != Some(x)).map(|&x| olds[x].id).collect();
            let flags = kept[y].map(|x| flags(&olds[x], new, &limits)).unwrap_or_default();
            let same = kept[y].is_some_and(|x| olds[x].cells.keys().eq(new.cells.keys()));
            lines.push(Line {
                id: new.id,
                transition: word(origins[y]),
                flags,
                overlap: match kept[y] {
                    Some(x) => Some(table[x][y].1),
                    None => sources.iter().map(|&x| table[x][y].1).max_by(f64::total_cmp),
                },
                is_unchanged: origins[y] == "survived" && flags == Flags::default() && parents.is_empty() && same,
                parents,
                parts: if origins[y] == "split" { ids(&maps[kept[y].unwrap()]) } else { vec![] },
                absorbed_into: None,
                size: new.cells.len(),
            });
        }
        self.regions = news.into_iter().map(|(_, region)| region).collect();
        lines
    }
}

fn word(name: &str) -> Transition {
    use Transition::*;
    [Emerged, Survived, Split, SplitOff, Absorbed, Dissolved].into_iter().find(|t| t.name() == name).unwrap()
}

fn flags(old: &Region, new: &Region, limits: &Limits) -> Flags {
    let size = |region: &Region| region.cells.len() as f64;
    let per_cell = |region: &Region| region.weight() / size(region);
    let centre = |region: &Region| {
        let mut sum = [0.0; 3];
        for cell in region.cells.keys() {
            let (lat, lon) = (cell.centre().lat().to_radians(), cell.centre().lon().to_radians());
            sum[0] += lat.cos() * lon.cos();
            sum[1] += lat.cos() * lon.sin();
            sum[2] += lat.sin();
        }
        let lat = sum[2].atan2(f64::hypot(sum[0], sum[1])).to_degrees();
        crate::geo::Position::new(sum[1].atan2(sum[0]).to_degrees(), lat).unwrap()
    };
    let area: f64 = old.cells.keys().map(|cell| cell.area_m2()).sum();
    let growth = (size(new) - size(old)) / size(old);
    let rise = (per_cell(new) - per_cell(old)) / per_cell(old);
    Flags {
        grew: growth >= limits.grow,
        shrank: growth <= -limits.grow,
        moved: haversine_m(centre(old), centre(new)) > limits.shift * (area / std::f64::consts::PI).sqrt(),
        denser: rise > limits.dense,
        sparser: rise < -limits.dense,
    }
}
