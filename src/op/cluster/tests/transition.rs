use super::super::*;
use crate::geo::Cell;
use proptest::prelude::*;

/// Cells in ascending order.
fn cells(count: usize) -> Vec<Cell> {
    let centre: Cell = "882a100d2dfffff".parse().unwrap();
    centre.disk(9).unwrap().into_iter().take(count).collect()
}

/// Two states as lists of regions, each a list of numbers of cells.
fn followed(olds: &[&[usize]], news: &[&[usize]]) -> Followed {
    let cells = cells(100);
    let side = |region: &&[usize]| Side { size: region.len(), lowest: cells[*region.iter().min().unwrap()] };
    let mut shared = Vec::new();
    for (old, x) in olds.iter().enumerate() {
        for (new, y) in news.iter().enumerate() {
            let both = x.iter().filter(|cell| y.contains(cell)).count();
            if both > 0 {
                shared.push(Shared {
                    old,
                    new,
                    cells: both,
                    amount: both as i128,
                    overlap: both as f64 / x.len() as f64,
                });
            }
        }
    }
    let (olds, news): (Vec<Side>, Vec<Side>) = (olds.iter().map(side).collect(), news.iter().map(side).collect());
    follow(&olds, &news, &shared, &Limits::default())
}

#[test]
fn more_than_half_survives_and_half_does_not() {
    assert_eq!(followed(&[&[0, 1, 2, 3]], &[&[1, 2, 3, 9]]).fates, [Fate::Survived(0)]);
    let half = followed(&[&[0, 1, 2, 3]], &[&[2, 3, 9]]);
    assert_eq!((half.fates, half.origins), (vec![Fate::Dissolved], vec![Origin::Emerged]));
}

#[test]
fn of_several_the_one_with_most_in_common_survives_then_the_larger_then_the_lower() {
    let three = followed(&[&[0, 1], &[4, 5, 6], &[8, 9]], &[&[0, 1, 4, 5, 6, 8, 9]]);
    assert_eq!(three.fates, [Fate::Absorbed(0), Fate::Survived(0), Fate::Absorbed(0)]);
    assert_eq!(three.sources, [[(0, 1.0), (1, 1.0), (2, 1.0)]]);
    let larger = followed(&[&[0, 1, 2], &[4, 5, 6, 7]], &[&[0, 1, 2, 4, 5, 6]]);
    assert_eq!(larger.fates, [Fate::Absorbed(0), Fate::Survived(0)]);
    let lower = followed(&[&[4, 5, 6], &[0, 1, 2]], &[&[0, 1, 2, 4, 5, 6]]);
    assert_eq!(lower.fates, [Fate::Absorbed(0), Fate::Survived(0)]);
}

#[test]
fn a_split_needs_two_parts_of_a_quarter_that_are_more_than_half_together() {
    let even = followed(&[&[0, 1, 2, 3]], &[&[2, 3], &[0, 1]]);
    assert_eq!(even.fates, [Fate::Split { parts: vec![1, 0], keeper: Some(1) }]);
    assert_eq!(even.origins, [Origin::SplitOff, Origin::Split(0)]);
    let quarters = followed(&[&[0, 1, 2, 3]], &[&[0], &[1]]);
    assert_eq!(quarters.fates, [Fate::Dissolved]);
    let one = followed(&[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]], &[&[0, 1, 2, 3, 4], &[5, 6]]);
    assert_eq!(one.fates, [Fate::Dissolved]);
}

#[test]
fn the_largest_part_that_is_free_keeps_the_id() {
    // The larger part goes on as another region.
    let taken = followed(&[&[0, 1, 2, 3, 4], &[20, 21, 22, 23]], &[&[0, 1, 20, 21, 22, 23], &[3, 4]]);
    assert_eq!(taken.fates, [Fate::Split { parts: vec![0, 1], keeper: Some(1) }, Fate::Survived(0)]);
    assert_eq!(taken.origins, [Origin::Survived(1), Origin::Split(0)]);
    assert_eq!(taken.sources[0], [(0, 0.4), (1, 1.0)]);
    // All parts do.
    let none = followed(&[&[0, 1, 2, 3], &[20, 21, 22], &[30, 31, 32]], &[&[0, 1, 20, 21, 22], &[2, 3, 30, 31, 32]]);
    assert_eq!(none.fates[0], Fate::Split { parts: vec![0, 1], keeper: None });
    // Two splits share their parts: the first one by lowest cell chooses first.
    let two = followed(&[&[2, 3, 4, 5], &[0, 1, 6, 7]], &[&[0, 1, 2, 3], &[4, 5, 6, 7]]);
    assert_eq!(two.fates[1], Fate::Split { parts: vec![0, 1], keeper: Some(0) });
    assert_eq!(two.fates[0], Fate::Split { parts: vec![0, 1], keeper: Some(1) });
}

proptest! {
    #[test]
    fn every_region_has_one_fate_or_origin_whatever_the_order(
        olds in prop::collection::vec(0usize..6, 100), news in prop::collection::vec(0usize..6, 100),
    ) {
        let group = |of: &[usize]| -> Vec<Vec<usize>> {
            // Group 0 is in no region.
            let groups = (1..6).map(|g| (0..100).filter(|&i| of[i] == g).collect::<Vec<_>>());
            groups.filter(|group| !group.is_empty()).collect()
        };
        let (olds, news) = (group(&olds), group(&news));
        let run = |olds: &[Vec<usize>], news: &[Vec<usize>]| {
            followed(&olds.iter().map(Vec::as_slice).collect::<Vec<_>>(), &news.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        let one = run(&olds, &news);
        prop_assert_eq!(one.fates.len(), olds.len());
        for (old, fate) in one.fates.iter().enumerate() {
            let heirs = one.origins.iter().filter(|origin| matches!(origin, Origin::Survived(x) | Origin::Split(x) if *x == old)).count();
            let keeps = matches!(fate, Fate::Survived(_) | Fate::Split { keeper: Some(_), .. });
            prop_assert_eq!(heirs, usize::from(keeps));
            let mapped = one.sources.iter().filter(|of| of.iter().any(|source| source.0 == old)).count();
            let expected = match fate {
                Fate::Survived(_) | Fate::Absorbed(_) => 1,
                Fate::Split { parts, .. } => parts.len(),
                Fate::Dissolved => 0,
            };
            prop_assert_eq!(mapped, expected);
        }
        for (origin, sources) in one.origins.iter().zip(&one.sources) {
            prop_assert_eq!(*origin == Origin::Emerged, sources.is_empty());
        }
        // Turned round, the same regions have the same fates.
        let turned: Vec<Vec<usize>> = olds.iter().cloned().rev().collect();
        let other = run(&turned, &news);
        let words = |fate: &Fate| match fate {
            Fate::Survived(y) => (0, vec![*y], None),
            Fate::Absorbed(y) => (1, vec![*y], None),
            Fate::Split { parts, keeper } => (2, parts.clone(), *keeper),
            Fate::Dissolved => (3, vec![], None),
        };
        prop_assert!(one.fates.iter().map(words).eq(other.fates.iter().rev().map(words)));
    }
}
