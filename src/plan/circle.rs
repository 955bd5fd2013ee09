//! Circles: several rules of which each reads another one's stream, back to the first.

use super::{Plan, StreamOrigin};
use std::collections::BTreeSet;

/// `FEEDBACK n` of a rule that other rules lead back to: what they put out comes to it after all of the instant that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// Which of the rule's inputs are streams of rules that depend on it, ascending.
    pub inputs: Vec<u16>,
    /// How often at one instant what comes of it may be fed back: what would be the next hop isn't. At least 1.
    pub hops: u32,
}

impl Plan {
    /// The circles: of each its rules, in the order of the plan, in which each comes after those that it reads but for what is fed
    /// back. By their first rules.
    pub fn circles(&self) -> Vec<Vec<usize>> {
        if self.rules.iter().all(|rule| rule.back.is_none()) {
            return Vec::new();
        }
        circles(
            &self
                .rules
                .iter()
                .map(|rule| rule.inputs.iter().filter_map(|input| self.maker(input.stream)).collect())
                .collect::<Vec<_>>(),
        )
    }

    /// The rule that makes a stream.
    pub fn maker(&self, stream: crate::model::StreamId) -> Option<usize> {
        match self.streams.get(stream.0 as usize)?.origin {
            StreamOrigin::Rule(rule) => Some(rule as usize),
            StreamOrigin::Source => None,
        }
    }
}

/// Of things that lead to others the largest sets of more than one in which each leads to each; each ascending, by their first.
pub fn circles(leads: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut back = vec![Vec::new(); leads.len()];
    for (from, to) in leads.iter().enumerate().flat_map(|(from, to)| to.iter().map(move |to| (from, *to))) {
        if let Some(back) = back.get_mut(to) {
            back.push(from);
        }
    }
    // What is in no circle, nor between two, is soon out of the way.
    let (ends, starts) = (ends(leads, &back), ends(&back, leads));
    let mut is_out: Vec<bool> = ends.iter().zip(&starts).map(|(end, start)| *end || *start).collect();
    let mut found = Vec::new();
    for at in 0..leads.len() {
        if is_out.get(at) != Some(&false) {
            continue;
        }
        let circle: Vec<usize> = reach(leads, at).intersection(&reach(&back, at)).copied().collect();
        for place in &circle {
            is_out.get_mut(*place).into_iter().for_each(|is_out| *is_out = true);
        }
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

/// Which lead to nothing, but for those of which that is so.
fn ends(leads: &[Vec<usize>], back: &[Vec<usize>]) -> Vec<bool> {
    let mut open: Vec<usize> = leads.iter().map(Vec::len).collect();
    let mut ends: Vec<usize> = (0..leads.len()).filter(|&at| open.get(at) == Some(&0)).collect();
    let mut is_end = vec![false; leads.len()];
    while let Some(at) = ends.pop() {
        is_end.get_mut(at).into_iter().for_each(|is_end| *is_end = true);
        for &from in back.get(at).into_iter().flatten() {
            if let Some(open) = open.get_mut(from) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    ends.push(from);
                }
            }
        }
    }
    is_end
}

/// All that is led to, and where it starts.
fn reach(leads: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
    let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(at) = open.pop() {
        open.extend(leads.get(at).into_iter().flatten().filter(|next| seen.insert(**next)));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::circles;
    use proptest::prelude::*;

    #[test]
    fn circles_are_found_and_what_leads_to_them_or_from_them_is_none() {
        // 0 → 1 ⇄ 2 → 3 → 4 → 5 → 3, 6 leads to itself, 7 to nothing.
        let leads = [vec![1], vec![2], vec![1, 3], vec![4], vec![5], vec![3], vec![6], vec![]];
        assert_eq!(circles(&leads), [vec![1, 2], vec![3, 4, 5]]);
        assert!(circles(&[]).is_empty() && circles(&[vec![9]]).is_empty());
    }

    proptest! {
        #[test]
        fn two_are_in_one_circle_if_each_leads_to_the_other(edges in proptest::collection::vec((0..8usize, 0..8usize), 0..20)) {
            let mut leads = vec![Vec::new(); 8];
            edges.iter().for_each(|&(from, to)| leads[from].push(to));
            let mut reaches = [[false; 8]; 8];
            edges.iter().for_each(|&(from, to)| reaches[from][to] = true);
            for over in 0..8 {
                for from in 0..8 {
                    for to in 0..8 {
                        reaches[from][to] |= reaches[from][over] && reaches[over][to];
                    }
                }
            }
            let found = circles(&leads);
            for (a, of_a) in reaches.iter().enumerate() {
                for (b, of_b) in reaches.iter().enumerate().filter(|(b, _)| *b != a) {
                    let together = found.iter().any(|circle| circle.contains(&a) && circle.contains(&b));
                    prop_assert_eq!(together, of_a[b] && of_b[a]);
                }
            }
        }
    }
}
