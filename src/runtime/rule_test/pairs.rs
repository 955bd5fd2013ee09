//! Which expected alert is met by which alert: as many pairs as there can be, since an expectation that leaves much open
//! must not take the only alert that a stricter one fits.

/// A largest set of pairs: for each expectation the alert that meets it. `fits[e]` are the alerts that expectation `e`
/// accepts, ascending. Cost: expectations times all entries of `fits`.
pub(super) fn pairs(fits: &[Vec<usize>], alerts: usize) -> Vec<Option<usize>> {
    let mut taken_by: Vec<Option<usize>> = vec![None; alerts];
    let mut found: Vec<Option<usize>> = vec![None; fits.len()];
    for first in 0..fits.len() {
        // Breadth first along alerts that are taken, to one that is free; `from[a]` is the expectation that led to it.
        let mut from: Vec<Option<usize>> = vec![None; alerts];
        let mut queue = std::collections::VecDeque::from([first]);
        let mut free = None;
        'search: while let Some(expectation) = queue.pop_front() {
            for &alert in fits.get(expectation).into_iter().flatten() {
                let Some(seen) = from.get_mut(alert).filter(|seen| seen.is_none()) else { continue };
                *seen = Some(expectation);
                match taken_by.get(alert).copied().flatten() {
                    Some(owner) => queue.push_back(owner),
                    None => {
                        free = Some(alert);
                        break 'search;
                    }
                }
            }
        }
        // Back along the way, each expectation gives up its alert for the one that it led to.
        while let Some(alert) = free {
            let Some(expectation) = from.get(alert).copied().flatten() else { break };
            let before = found.get(expectation).copied().flatten();
            if let (Some(place), Some(owner)) = (found.get_mut(expectation), taken_by.get_mut(alert)) {
                (*place, *owner) = (Some(alert), Some(expectation));
            }
            free = if expectation == first { None } else { before };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest number of pairs, by trying everything.
    fn most(fits: &[Vec<usize>], taken: u32) -> usize {
        let Some((first, rest)) = fits.split_first() else { return 0 };
        let with = first.iter().filter(|&&alert| taken & (1 << alert) == 0);
        let best = with.map(|&alert| 1 + most(rest, taken | (1 << alert))).max().unwrap_or(0);
        best.max(most(rest, taken))
    }

    proptest! {
        #[test]
        fn there_are_as_many_pairs_as_there_can_be(masks in proptest::collection::vec(0u32..64, 0..6)) {
            let fits: Vec<Vec<usize>> =
                masks.iter().map(|mask| (0..6).filter(|alert| mask & (1 << alert) != 0).collect()).collect();
            let found = pairs(&fits, 6);
            let mut alerts: Vec<usize> = found.iter().flatten().copied().collect();
            prop_assert_eq!(alerts.len(), most(&fits, 0));
            prop_assert!(found.iter().zip(&fits).all(|(alert, fits)| alert.is_none_or(|alert| fits.contains(&alert))));
            alerts.sort_unstable();
            alerts.dedup();
            prop_assert_eq!(alerts.len(), found.iter().flatten().count());
        }
    }
}
