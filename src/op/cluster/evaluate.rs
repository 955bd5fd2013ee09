//! From changed clusters to records.

use super::{
    component::{Before, Cluster, Components},
    grid::{Facts, NONE},
    region::{Flags, Look, Record, RegionId, Transition},
    sums::{Sums, exact_weight},
    transition::{Fate, Origin, Shared, Side, follow},
};
use crate::{
    geo::{Cell, haversine_m},
    model::TimeMs,
    plan::regions::Overlap,
};
use std::collections::{BTreeMap, BTreeSet};

/// An old region.
struct Old {
    cluster: u32,
    id: RegionId,
    lowest: Cell,
}

/// By pair of clusters, the old one first: the number of shared cells, and their weight in the old state.
type Flows = BTreeMap<(u32, u32), (usize, i128)>;

impl Components {
    /// What became of the regions that changed. Their clusters get their ids.
    pub(super) fn transitions(&mut self, tick: TimeMs, since: Option<TimeMs>) -> Vec<Record> {
        if self.config.overlap == Overlap::Members {
            self.dirty_by_members();
        }
        let flows = self.flows();
        let olds = self.olds();
        let news = self.news();
        let shared = self.shared(&olds, &news, &flows);
        let old_sides: Vec<Side> = olds
            .iter()
            .map(|old| Side { size: self.before(old.cluster).map_or(0, |b| b.size), lowest: old.lowest })
            .collect();
        let new_sides: Vec<Side> =
            news.iter().map(|&(cluster, lowest)| Side { size: self.cluster(cluster).cells.len(), lowest }).collect();
        let followed = follow(&old_sides, &new_sides, &shared, &self.config.limits);

        let ids: Vec<RegionId> = (followed.origins.iter().zip(&news))
            .map(|(origin, &(_, lowest))| match *origin {
                Origin::Survived(old) | Origin::Split(old) => olds[old].id,
                Origin::Emerged | Origin::SplitOff => RegionId { tick, lowest },
            })
            .collect();
        let mut records = Vec::new();
        for (old, fate) in olds.iter().zip(&followed.fates) {
            let (transition, parts, into) = match fate {
                Fate::Survived(_) | Fate::Split { keeper: Some(_), .. } => continue,
                Fate::Absorbed(new) => (Transition::Absorbed, &[][..], Some(ids[*new])),
                Fate::Split { parts, keeper: None } => (Transition::Split, &parts[..], None),
                Fate::Dissolved => (Transition::Dissolved, &[][..], None),
            };
            let Some(before) = self.before(old.cluster) else { continue };
            records.push(Record {
                id: old.id,
                tick,
                transition,
                flags: Flags::default(),
                overlap: None,
                parents: Vec::new(),
                parts: parts.iter().map(|&part| ids[part]).collect(),
                absorbed_into: into,
                look: look(&before.sums, before.size, old.lowest),
                displacement_m: None,
                speed_mps: None,
                has_ended: true,
                is_unchanged: false,
                cluster: None,
            });
        }
        for (new, &(cluster, lowest)) in news.iter().enumerate() {
            let sources = &followed.sources[new];
            let (transition, itself) = match followed.origins[new] {
                Origin::Emerged => (Transition::Emerged, None),
                Origin::Survived(old) => (Transition::Survived, Some(old)),
                Origin::Split(old) => (Transition::Split, Some(old)),
                Origin::SplitOff => (Transition::SplitOff, None),
            };
            let parts = match itself.map(|old| &followed.fates[old]) {
                Some(Fate::Split { parts, .. }) => parts.iter().map(|&part| ids[part]).collect(),
                _ => Vec::new(),
            };
            let overlap = match itself {
                Some(old) => sources.iter().find(|source| source.0 == old).map(|source| source.1),
                None => sources.iter().map(|source| source.1).max_by(f64::total_cmp),
            };
            let now = self.cluster(cluster);
            let look = look(&now.sums, now.cells.len(), lowest);
            let before = itself.and_then(|old| self.before(olds[old].cluster).map(|before| (old, before)));
            let compared = before.map(|(old, before)| {
                let shared = flows.get(&(olds[old].cluster, cluster)).map_or(0, |flow| flow.0);
                let same_cells = shared == before.size && shared == now.cells.len();
                (self.compare(before, olds[old].lowest, &look), same_cells)
            });
            let parents: Vec<RegionId> =
                sources.iter().filter(|source| Some(source.0) != itself).map(|source| olds[source.0].id).collect();
            let displacement_m = compared.map(|((_, displacement), _)| displacement);
            let flags = compared.map(|((flags, _), _)| flags).unwrap_or_default();
            records.push(Record {
                id: ids[new],
                tick,
                transition,
                flags,
                overlap,
                is_unchanged: transition == Transition::Survived
                    && flags == Flags::default()
                    && parents.is_empty()
                    && compared.is_some_and(|(_, same_cells)| same_cells),
                parents,
                parts,
                absorbed_into: None,
                look,
                displacement_m,
                speed_mps: displacement_m.and_then(|metres| per_second(metres, tick, since)),
                has_ended: false,
                cluster: Some(cluster),
            });
        }
        for &cluster in &self.dirty {
            self.clusters[cluster as usize].id = None;
        }
        for (&(cluster, _), id) in news.iter().zip(ids) {
            self.clusters[cluster as usize].id = Some(id);
        }
        records
    }

    /// Regions to which nothing happened.
    pub(super) fn add_untouched(&self, tick: TimeMs, since: Option<TimeMs>, records: &mut Vec<Record>) {
        for (number, Cluster { cells, sums, id, before, .. }) in (0..).zip(&self.clusters) {
            let (Some(id), None, Some((&lowest, _))) = (*id, before, cells.first_key_value()) else { continue };
            records.push(Record {
                id,
                tick,
                transition: Transition::Survived,
                flags: Flags::default(),
                overlap: Some(1.0),
                parents: Vec::new(),
                parts: Vec::new(),
                absorbed_into: None,
                look: look(sums, cells.len(), lowest),
                displacement_m: Some(0.0),
                speed_mps: per_second(0.0, tick, since),
                has_ended: false,
                is_unchanged: true,
                cluster: Some(number),
            });
        }
    }

    fn before(&self, cluster: u32) -> Option<&Before> {
        self.cluster(cluster).before.as_deref()
    }

    /// Changed clusters that were regions.
    fn olds(&self) -> Vec<Old> {
        let old = |&cluster: &u32| {
            let before = self.before(cluster)?;
            Some(Old { cluster, id: before.id?, lowest: before.lowest? })
        };
        self.dirty.iter().filter_map(old).collect()
    }

    /// Changed clusters that are regions, with their lowest cells.
    fn news(&self) -> Vec<(u32, Cell)> {
        let new = |&cluster: &u32| {
            let cells = &self.cluster(cluster).cells;
            let (&lowest, _) = cells.first_key_value()?;
            (cells.len() >= self.config.min_cells).then_some((cluster, lowest))
        };
        self.dirty.iter().filter_map(new).collect()
    }

    /// How the cells of changed clusters went from one to another, or stayed: only cells that were touched are counted,
    /// the others stayed.
    fn flows(&self) -> Flows {
        let mut flows = Flows::new();
        for &cluster in &self.dirty {
            if let Some(before) = self.before(cluster).filter(|before| before.size > 0) {
                flows.insert((cluster, cluster), (before.size, before.sums.units()));
            }
        }
        for &spot in &self.touched {
            let cluster = self.grid.spot(spot).cluster;
            let Facts { before, weight_before, .. } = *self.grid.facts(spot);
            if before == NONE || before == cluster {
                continue;
            }
            let weight = exact_weight(weight_before);
            if let Some(stayed) = flows.get_mut(&(before, before)) {
                stayed.0 -= 1;
                stayed.1 -= weight;
            }
            if cluster != NONE {
                let flow = flows.entry((before, cluster)).or_default();
                flow.0 += 1;
                flow.1 += weight;
            }
        }
        flows
    }

    fn shared(&self, olds: &[Old], news: &[(u32, Cell)], flows: &Flows) -> Vec<Shared> {
        let new_by_cluster: BTreeMap<u32, usize> = news.iter().zip(0..).map(|(new, i)| (new.0, i)).collect();
        let mut shared = Vec::new();
        for (old, region) in olds.iter().enumerate() {
            let Some(before) = self.before(region.cluster) else { continue };
            let mut push = |cluster: u32, amount: i128, whole: i128| {
                if let Some(&new) = new_by_cluster.get(&cluster) {
                    let cells = flows.get(&(region.cluster, cluster)).map_or(0, |flow| flow.0);
                    shared.push(Shared { old, new, cells, amount, overlap: amount as f64 / whole as f64 });
                }
            };
            if self.config.overlap == Overlap::Members && !before.members.is_empty() {
                for (cluster, members) in self.member_flows(before) {
                    push(cluster, members, before.members.len() as i128);
                }
                continue;
            }
            let whole = before.sums.units();
            let by_weight = self.config.overlap == Overlap::Weight && whole > 0;
            for (&(_, cluster), &(cells, weight)) in flows.range((region.cluster, 0)..=(region.cluster, NONE)) {
                match by_weight {
                    _ if cells == 0 => {}
                    true => push(cluster, weight, whole),
                    false => push(cluster, cells as i128, before.size as i128),
                }
            }
        }
        shared
    }

    /// In which clusters the members of an old region are now.
    fn member_flows(&self, before: &Before) -> BTreeMap<u32, i128> {
        let mut flows = BTreeMap::new();
        if let Some(index) = &self.members {
            for cluster in before.members.iter().flat_map(|&member| index.clusters(member)) {
                *flows.entry(cluster).or_insert(0) += 1;
            }
        }
        flows
    }

    /// A member may be in several clusters, and so lead from one that changed to one that didn't; what becomes of that
    /// one's own region has to be decided together with the others'.
    fn dirty_by_members(&mut self) {
        let mut next = 0;
        while let Some(&cluster) = self.dirty.get(next) {
            next += 1;
            let mut members = self.members_of(cluster);
            members.extend(self.before(cluster).into_iter().flat_map(|before| &before.members));
            let index = self.members.iter();
            let reached: BTreeSet<u32> =
                index.flat_map(|index| members.iter().flat_map(|&member| index.clusters(member))).collect();
            reached.into_iter().for_each(|other| self.dirty(other));
        }
    }

    /// What changed within a region that kept its id, and how far it went.
    fn compare(&self, before: &Before, lowest: Cell, now: &Look) -> (Flags, f64) {
        let limits = &self.config.limits;
        let was = look(&before.sums, before.size, lowest);
        let growth = (now.size as f64 - was.size as f64) / was.size as f64;
        let displacement = haversine_m(was.centre, now.centre);
        let radius = (was.area_m2 / std::f64::consts::PI).sqrt();
        let (per_cell, was_per_cell) = (now.weight / now.size as f64, was.weight / was.size as f64);
        // From no weight at all, any weight is more than a share of it.
        let rise = (per_cell - was_per_cell) / was_per_cell;
        let flags = Flags {
            grew: growth >= limits.grow,
            shrank: growth <= -limits.grow,
            moved: displacement > limits.shift * radius,
            denser: rise > limits.dense,
            sparser: rise < -limits.dense,
        };
        (flags, displacement)
    }
}

fn look(sums: &Sums, size: usize, lowest: Cell) -> Look {
    let centre = sums.centre().unwrap_or_else(|| lowest.centre());
    Look { size, lowest, area_m2: sums.area_m2(), centre, weight: sums.weight() }
}

fn per_second(metres: f64, tick: TimeMs, since: Option<TimeMs>) -> Option<f64> {
    let elapsed = tick.checked_sub(since?).filter(|&elapsed| elapsed > 0)?;
    Some(metres / (elapsed as f64 / 1_000.0))
}
