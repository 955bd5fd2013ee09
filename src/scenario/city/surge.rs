//! Orders: a thin even background, and a surge that spreads over neighbouring H3 cells.

use super::TOWN;
use super::zones::CENTRE;
use crate::scenario::catalog::{START, Setting, minute};
use crate::scenario::draw::Draw;
use crate::scenario::record::{Field, Record};
use crate::scenario::truth::Notes;

/// Centres of neighbouring H3 cells of resolution 8, in micro-degrees (lon, lat), in the order in which they are hit.
/// Given as numbers, so that the scenario does not rest on the trigonometry of the grid; a test holds them to it.
const CELLS: [(i64, i64); 11] = [
    (10_005_406, 49_952_956),
    (9_993_148, 49_954_390),
    (9_996_432, 49_947_039),
    (10_008_689, 49_945_604),
    (10_017_663, 49_951_520),
    (10_014_381, 49_958_871),
    (10_002_122, 49_960_306),
    (9_989_863, 49_961_739),
    (9_980_891, 49_955_822),
    (9_984_176, 49_948_472),
    (9_987_461, 49_941_122),
];

/// How many of the cells are hit from which minute on. All stay hit until [`END`].
const STEPS: [(f64, usize); 5] = [(30.0, 3), (35.0, 4), (40.0, 6), (45.0, 8), (50.0, 11)];
/// The minute at which the surge is over.
const END: f64 = 60.0;
/// Milliseconds between the orders of a cell that is hit: 25 in five minutes, whatever the phase of the window.
const GAP: i64 = 12_000;
/// Milliseconds between orders elsewhere.
const BACKGROUND: i64 = 25_000;

/// All orders by time.
pub(super) fn orders(setting: Setting, notes: &mut Notes) -> Vec<Record> {
    let mut places = background(setting);
    let mut from = 0;
    for (start, upto) in STEPS {
        for (n, cell) in CELLS.iter().enumerate().take(upto).skip(from) {
            let mut draw = Draw::new(setting.seed, "city.surge", n as u64);
            let mut t = minute(start);
            while t < minute(END) {
                let late = draw.below(4_000) as i64;
                // Within some 140 m of the centre: well inside the cell.
                let lon = cell.0 + draw.below(4_000) as i64 - 2_000;
                let lat = cell.1 + draw.below(2_500) as i64 - 1_250;
                places.push((t + late, (lon, lat), 900 + draw.below(2_400) as i64));
                t += GAP;
            }
        }
        from = upto;
    }
    places.retain(|&(t, ..)| t < setting.until);
    places.sort_unstable();
    let span = (minute(30.0), minute(END));
    notes.situation("surge", "south", span, "demand in 3 cells, then 4, 6, 8 and 11, a step each 5 minutes");
    places.into_iter().enumerate().map(|(n, (t, place, price))| order(n, t, place, price)).collect()
}

fn order(n: usize, t: i64, place: (i64, i64), price: i64) -> Record {
    Record::new(t)
        .with("order", Field::text(&format!("o{:06}", n + 1)))
        .at(place)
        .with("price", Field::Fixed { units: price, places: 2 })
}

fn background(setting: Setting) -> Vec<(i64, (i64, i64), i64)> {
    let mut draw = Draw::new(setting.seed, "city.orders", 0);
    let mut places = Vec::new();
    let mut t = START;
    while t < setting.until {
        let spot = CENTRE.off(draw.between(-4000.0, 4000.0), draw.between(-3000.0, 4000.0));
        let late = draw.below(BACKGROUND.unsigned_abs()) as i64;
        places.push((t + late, TOWN.micro(spot), 600 + draw.below(1_900) as i64));
        t += BACKGROUND;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use h3o::{CellIndex, LatLng, Resolution};
    use std::collections::BTreeMap;

    fn cell((lon, lat): (i64, i64)) -> CellIndex {
        LatLng::new(lat as f64 / 1e6, lon as f64 / 1e6).unwrap().to_cell(Resolution::Eight)
    }

    fn place(order: &Record) -> (i64, i64) {
        match (order.field("lon"), order.field("lat")) {
            (Some(Field::Fixed { units: lon, .. }), Some(Field::Fixed { units: lat, .. })) => (*lon, *lat),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cells_hit_at_each_step_are_connected_and_share_a_coarse_parent() {
        let cells: Vec<_> = CELLS.into_iter().map(cell).collect();
        for (n, one) in cells.iter().enumerate().skip(1) {
            let touches = cells[..n].iter().any(|other| one.is_neighbor_with(*other).unwrap());
            assert!(touches, "cell {n} touches none before it");
            assert_eq!(one.parent(Resolution::Four), cells[0].parent(Resolution::Four));
        }
    }

    #[test]
    fn at_any_window_phase_the_hot_cells_grow_step_by_step() {
        for seed in 0..5 {
            let orders = orders(Setting { seed, until: minute(90.0) }, &mut Notes::default());
            for phase in [0, 61_000, 150_000, 299_000] {
                let mut counts: BTreeMap<i64, BTreeMap<u64, u32>> = BTreeMap::new();
                for order in &orders {
                    let window = (order.ts - START - phase).div_euclid(300_000);
                    *counts.entry(window).or_default().entry(cell(place(order)).into()).or_default() += 1;
                }
                let hot = counts.values().map(|cells| cells.values().filter(|&&n| n >= 20).count());
                let mut sizes: Vec<_> = hot.filter(|&n| n > 0).collect();
                sizes.dedup();
                assert!(sizes.starts_with(&[3, 4, 6, 8]) && sizes[4..].contains(&11), "{phase}: {sizes:?}");
            }
        }
    }
}
