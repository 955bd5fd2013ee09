//! Orders and drivers: a surge that spreads and one that doesn't, and a place that the drivers leave.

use crate::scenario::catalog::{START, Setting, minute};
use crate::scenario::city::{TOWN, kmh};
use crate::scenario::draw::Draw;
use crate::scenario::plane::{Spot, km};
use crate::scenario::record::{Field, Record};
use crate::scenario::stream::Feed;
use crate::scenario::track::{Habit, Pilot, Reporter, Sample};
use crate::scenario::truth::Notes;

/// A place in micro-degrees (lon, lat).
type Micro = (i64, i64);

/// Centres of neighbouring H3 cells of resolution 8 in the order in which the surge reaches them. Given as numbers, as those
/// below, so that the scenario does not rest on the trigonometry of the grid; a test holds them to it.
const SPREADS: [Micro; 11] = [
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
/// Where the other surge is, which reaches no further.
const STAYS: [Micro; 4] =
    [(10_084_662, 49_957_589), (10_096_924, 49_956_145), (10_075_679, 49_951_678), (10_087_939, 49_950_235)];
/// Where demand is steady, and the drivers leave.
const MARKET: [Micro; 5] = [
    (9_966_851, 50_013_159),
    (9_954_585, 50_014_586),
    (9_975_829, 50_019_074),
    (9_979_118, 50_011_731),
    (9_963_561, 50_020_501),
];
/// Where hardly anybody orders, and the drivers leave.
const SUBURB: [Micro; 5] = [
    (10_070_699, 50_014_952),
    (10_067_418, 50_022_298),
    (10_079_690, 50_020_860),
    (10_061_709, 50_009_043),
    (10_073_979, 50_007_604),
];

/// How many cells of [`SPREADS`] are hit from which minute on; all until [`SPREAD_END`].
const STEPS: [(f64, usize); 5] = [(20.0, 3), (25.0, 4), (30.0, 6), (35.0, 8), (40.0, 11)];
const SPREAD_END: f64 = 55.0;
const STAY: (f64, f64) = (25.0, 55.0);
const MARKET_OPEN: (f64, f64) = (15.0, 105.0);
/// The minutes at which the drivers leave and set out to come back.
const AWAY: (f64, f64) = (40.0, 72.0);

/// Milliseconds between the orders of a cell: 25 in five minutes, 16, and one in four.
const SURGE_GAP: i64 = 12_000;
const MARKET_GAP: i64 = 18_750;
const SUBURB_GAP: i64 = 240_000;
/// Milliseconds between orders anywhere else.
const BACKGROUND: i64 = 45_000;

/// Orders of one kind: when, where, for how much.
struct Orders {
    setting: Setting,
    places: Vec<(i64, Micro, i64)>,
}

impl Orders {
    /// Orders in a cell for some minutes, one each `gap` milliseconds and up to a third of it late.
    fn cell(&mut self, label: &str, number: usize, cell: Micro, (from, to): (f64, f64), gap: i64) {
        let mut draw = Draw::new(self.setting.seed, label, number as u64);
        let mut t = minute(from);
        while t < minute(to) {
            let late = draw.below(gap.unsigned_abs() / 3) as i64;
            // Within some 140 m of the centre: well inside the cell.
            let place = (cell.0 + draw.below(4_000) as i64 - 2_000, cell.1 + draw.below(2_500) as i64 - 1_250);
            self.places.push((t + late, place, 900 + draw.below(2_400) as i64));
            t += gap;
        }
    }

    fn background(&mut self) {
        let mut draw = Draw::new(self.setting.seed, "regions.orders", 0);
        let mut t = START;
        while t < self.setting.until {
            let spot = km(0.0, 0.0).off(draw.between(-9_000.0, 9_000.0), draw.between(-7_000.0, 5_000.0));
            let late = draw.below(BACKGROUND.unsigned_abs()) as i64;
            self.places.push((t + late, TOWN.micro(spot), 600 + draw.below(1_900) as i64));
            t += BACKGROUND;
        }
    }
}

/// All orders by time.
pub(super) fn orders(setting: Setting, notes: &mut Notes) -> Vec<Record> {
    let mut orders = Orders { setting, places: Vec::new() };
    let mut from = 0;
    for (start, upto) in STEPS {
        for (n, &cell) in SPREADS.iter().enumerate().take(upto).skip(from) {
            orders.cell("regions.spreads", n, cell, (start, SPREAD_END), SURGE_GAP);
        }
        from = upto;
    }
    for (n, cell) in STAYS.into_iter().enumerate() {
        orders.cell("regions.stays", n, cell, STAY, SURGE_GAP);
    }
    for (n, cell) in MARKET.into_iter().enumerate() {
        orders.cell("regions.market", n, cell, MARKET_OPEN, MARKET_GAP);
    }
    for (n, cell) in SUBURB.into_iter().enumerate() {
        orders.cell("regions.suburb", n, cell, (0.0, 115.0), SUBURB_GAP);
    }
    orders.background();
    let span = |(from, to): (f64, f64)| (minute(from), minute(to));
    let spread = span((STEPS[0].0, SPREAD_END));
    notes.situation("surge_spreads", "south", spread, "demand in 3 cells, then 4, 6, 8 and 11, a step each 5 minutes");
    notes.decoy(
        "surge_spreads",
        "south-east",
        span(STAY),
        "as much demand per cell, but in the same 4 cells all the time",
    );
    let away = (minute(AWAY.0), minute(AWAY.1 + 14.0));
    notes.situation("supply_desert", "market", away, "demand in 5 cells goes on while their drivers are away");
    notes.decoy("supply_desert", "suburb", away, "the drivers of 5 cells are away, but hardly anybody orders there");
    let mut places = orders.places;
    places.retain(|&(t, ..)| t < setting.until);
    places.sort_unstable();
    places.into_iter().enumerate().map(|(n, (t, place, price))| order(n, t, place, price)).collect()
}

fn order(n: usize, t: i64, place: Micro, price: i64) -> Record {
    Record::new(t)
        .with("order", Field::text(&format!("o{:06}", n + 1)))
        .at(place)
        .with("price", Field::Fixed { units: price, places: 2 })
}

/// The place of a cell on the flat map.
fn spot(cell: Micro) -> Spot {
    let metres = |micro: i64, origin: i64, degree: f64| (micro - origin) as f64 / 1e6 * degree;
    Spot { x: metres(cell.0, TOWN.lon, TOWN.metres_lon), y: metres(cell.1, TOWN.lat, TOWN.metres_lat) }
}

/// One driver in each cell that surges, all day; two in each of the market and of the suburb, who leave and come back.
pub(super) fn drivers(setting: Setting) -> Vec<Box<dyn Feed>> {
    let mut pilots = Vec::new();
    for cell in SPREADS.into_iter().chain(STAYS) {
        let mut pilot = Pilot::new(START, spot(cell));
        pilot.stay_until(setting.until);
        pilots.push(pilot);
    }
    for (cells, elsewhere) in [(MARKET, km(-9.0, -7.0)), (SUBURB, km(9.0, 7.0))] {
        for (n, home) in cells.into_iter().flat_map(|cell| [spot(cell), spot(cell).off(60.0, -80.0)]).enumerate() {
            let elsewhere = elsewhere.off(150.0 * n as f64, 0.0);
            let mut pilot = Pilot::new(START, home);
            pilot.stay_until(minute(AWAY.0)).go(elsewhere, kmh(55.0)).stay_until(minute(AWAY.1));
            pilot.go(home, kmh(55.0)).stay_until(setting.until);
            pilots.push(pilot);
        }
    }
    pilots.into_iter().zip(0..).map(|(pilot, n)| driver(setting, pilot, n)).collect()
}

fn driver(setting: Setting, pilot: Pilot, n: u64) -> Box<dyn Feed> {
    let id = Field::text(&format!("d{:02}", n + 1));
    Box::new(Reporter {
        track: pilot.track(),
        habit: Habit { every: 120_000, blur: 6.0, share: 0.0, creep: 0.0, silent: Vec::new() },
        plane: TOWN,
        draw: Draw::new(setting.seed, "regions.drivers", n),
        until: setting.until,
        write: move |s: Sample| Record::new(s.t).with("driver", id.clone()).at(s.position),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use h3o::{CellIndex, LatLng, Resolution};

    fn cell((lon, lat): Micro) -> CellIndex {
        LatLng::new(lat as f64 / 1e6, lon as f64 / 1e6).unwrap().to_cell(Resolution::Eight)
    }

    #[test]
    fn the_cells_of_a_place_are_connected_and_all_share_a_coarse_parent() {
        let groups: [&[Micro]; 4] = [&SPREADS, &STAYS, &MARKET, &SUBURB];
        let parent = cell(SPREADS[0]).parent(Resolution::Four);
        for (at, group) in groups.iter().enumerate() {
            let cells: Vec<CellIndex> = group.iter().copied().map(cell).collect();
            for (n, one) in cells.iter().enumerate() {
                assert_eq!(one.parent(Resolution::Four), parent);
                assert!(n == 0 || cells[..n].iter().any(|other| one.is_neighbor_with(*other).unwrap()), "{at}: {n}");
                let others = groups.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, group)| *group);
                for other in others.copied().map(cell) {
                    assert!(one.grid_distance(other).unwrap() > 2, "{at}: {n} is near another place");
                }
            }
        }
    }
}
