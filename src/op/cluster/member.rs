//! Which clusters a member is in.

use super::grid::NONE;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

/// By member: its clusters, with the number of their cells that it is in.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberIndex {
    clusters: HashMap<u64, SmallVec<[(u32, u32); 2]>, FxBuildHasher>,
}

impl MemberIndex {
    /// A cell with these members is in a cluster from now on.
    pub(super) fn add(&mut self, cluster: u32, members: &[u64]) {
        if cluster == NONE {
            return;
        }
        for &member in members {
            let of_member = self.clusters.entry(member).or_default();
            match of_member.iter_mut().find(|(other, _)| *other == cluster) {
                Some((_, cells)) => *cells += 1,
                None => of_member.push((cluster, 1)),
            }
        }
    }

    /// A cell with these members is in a cluster no longer.
    pub(super) fn remove(&mut self, cluster: u32, members: &[u64]) {
        if cluster == NONE {
            return;
        }
        for member in members {
            let Some(of_member) = self.clusters.get_mut(member) else { continue };
            if let Some(at) = of_member.iter().position(|(other, _)| *other == cluster) {
                of_member[at].1 -= 1;
                if of_member[at].1 == 0 {
                    of_member.swap_remove(at);
                }
            }
            if of_member.is_empty() {
                self.clusters.remove(member);
            }
        }
    }

    /// A cell of a cluster has other members from now on.
    pub(super) fn replace(&mut self, cluster: u32, old: &[u64], new: &[u64]) {
        self.remove(cluster, old);
        self.add(cluster, new);
    }

    /// The clusters that a member is in, in no order.
    pub(super) fn clusters(&self, member: u64) -> impl Iterator<Item = u32> + '_ {
        self.clusters.get(&member).into_iter().flatten().map(|&(cluster, _)| cluster)
    }
}
