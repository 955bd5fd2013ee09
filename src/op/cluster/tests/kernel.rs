use super::super::*;
use crate::{
    geo::{Cell, Position, haversine_m},
    model::Value,
    plan::AggregateKind::{Avg, Count, Max, Sum},
};

fn centre() -> Cell {
    "882a100d2dfffff".parse().unwrap()
}

fn load(weight: f64) -> Load {
    Load { weight, members: vec![], values: vec![Value::Float(weight), Value::Null] }
}

fn heat(regions: &mut Regions, cells: impl IntoIterator<Item = Cell>, weight: f64) {
    cells.into_iter().for_each(|cell| regions.heat(cell, load(weight)));
}

#[test]
fn a_region_says_what_it_looks_like() {
    let mut regions = Regions::new(Config::default()).unwrap();
    let cells = centre().disk(1).unwrap();
    heat(&mut regions, cells.iter().copied(), 2.0);
    let records = regions.evaluate(60_000, Emit::Changes);
    let [record] = &records[..] else { panic!("one region") };
    assert_eq!(record.id.to_string(), format!("60000:{}", cells[0]));
    assert_eq!((record.transition, record.look.size, record.look.weight), (Transition::Emerged, 7, 14.0));
    assert!(haversine_m(record.look.centre, centre().centre()) < 20.0);
    let view = regions.view(record).unwrap();
    let kinds = [(0, Count), (0, Sum), (0, Max), (0, Avg), (1, Avg), (7, Count)];
    let found = kinds.map(|(column, kind)| view.column(column, kind));
    let [two, sum] = [Value::Float(2.0), Value::Float(14.0)];
    assert_eq!(found, [Value::Int(7), sum, two.clone(), two, Value::Null, Value::Int(0)]);
    let outline = view.outline();
    assert_eq!((outline.len(), outline[0].len(), outline[0][0].len()), (1, 1, 19));
    assert!(view.compacted().len() <= 7);

    // Two rings further, and twice as heavy per cell.
    heat(&mut regions, centre().disk(2).unwrap(), 4.0);
    let records = regions.evaluate(120_000, Emit::Changes);
    let [record] = &records[..] else { panic!("one region") };
    assert_eq!(record.flags.names().collect::<Vec<_>>(), ["grew", "denser"]);
    assert_eq!((record.age_ms(), record.overlap, record.look.size), (60_000, Some(1.0), 19));
    assert_eq!(record.speed_mps, record.displacement_m.map(|metres| metres / 60.0));
    assert!(regions.evaluate(180_000, Emit::Changes).is_empty());
    assert_eq!(regions.evaluate(240_000, Emit::All).len(), 1);
}

#[test]
fn a_border_cell_of_two_clusters_belongs_to_that_of_the_lowest_core() {
    // A line of cells: three hot ones, one border between, three hot ones.
    let row = line(9);
    let config = Config { density: Some(Density { cells: 3, within: 1 }), ..Config::default() };
    let mut regions = Regions::new(config).unwrap();
    // Cores are the middles of 0 1 2 and of 4 5 6; 2 and 4 are border cells; 3 is cold.
    heat(&mut regions, [0, 1, 2, 4, 5, 6].map(|i| row[i]), 1.0);
    let sizes: Vec<usize> = regions.evaluate(1, Emit::All).iter().map(|record| record.look.size).collect();
    assert_eq!(sizes, [3, 3]);
    // With 8 hot and 7 cold nothing changes: 8 is noise.
    heat(&mut regions, [row[8]], 1.0);
    assert!(regions.evaluate(2, Emit::Changes).is_empty());
    assert_eq!(regions.hot_cells(), 7);
    // Cores 1 and 3 with a border cell between them: it belongs to the lower one.
    let mut regions = Regions::new(config).unwrap();
    let centre = centre();
    let ring: Vec<Cell> = around(centre);
    let far = |i: usize| {
        around(ring[i]).into_iter().filter(|cell| !centre.disk(1).unwrap().contains(cell)).collect::<Vec<_>>()
    };
    let cells: Vec<Cell> = [ring[0], ring[3]].into_iter().chain(far(0)).chain(far(3)).collect();
    let config = Config { density: Some(Density { cells: 5, within: 1 }), ..Config::default() };
    let mut dense = Regions::new(config).unwrap();
    heat(&mut dense, cells.iter().copied().chain([centre]), 1.0);
    let records = dense.evaluate(1, Emit::All);
    assert_eq!(records.len(), 2);
    let holder = records.iter().find(|record| dense.view(record).unwrap().cells().any(|cell| cell == centre)).unwrap();
    assert!(dense.view(holder).unwrap().cells().any(|cell| cell == ring[0].min(ring[3])));
    assert!(regions.evaluate(1, Emit::All).is_empty());
}

/// The neighbours, anticlockwise.
fn around(cell: Cell) -> Vec<Cell> {
    let mut ring = cell.disk(1).unwrap();
    ring.retain(|other| *other != cell);
    let angle = |other: &Cell| {
        let (a, b): (Position, Position) = (cell.centre(), other.centre());
        (b.lat() - a.lat()).atan2((b.lon() - a.lon()) * a.lat().to_radians().cos())
    };
    ring.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
    ring
}

/// Cells one after another in one direction.
fn line(count: usize) -> Vec<Cell> {
    let mut line = vec![centre()];
    let mut next = around(centre())[0];
    while line.len() < count {
        let before = *line.last().unwrap();
        line.push(next);
        // The neighbour opposite of where we came from.
        let ring = around(next);
        let back = ring.iter().position(|cell| *cell == before).unwrap();
        next = ring[(back + 3) % 6];
    }
    line
}

#[test]
fn a_long_region_falls_into_parts_and_comes_together_again() {
    let row = line(9);
    let mut regions = Regions::new(Config::default()).unwrap();
    heat(&mut regions, row.iter().copied(), 1.0);
    let id = regions.evaluate(1, Emit::Changes)[0].id;
    regions.cool(row[4]);
    let records = regions.evaluate(2, Emit::Changes);
    assert_eq!(records.iter().map(|record| record.transition.name()).filter(|name| *name == "split").count(), 1);
    let split = records.iter().find(|record| record.transition == Transition::Split).unwrap();
    let off = records.iter().find(|record| record.transition == Transition::SplitOff).unwrap();
    assert_eq!((split.id, &off.parents[..], split.parts.len()), (id, &[id][..], 2));
    regions.heat(row[4], load(1.0));
    let records = regions.evaluate(3, Emit::Changes);
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].transition, records[0].absorbed_into), (Transition::Absorbed, Some(records[1].id)));
    assert_eq!(records[1].parents, [records[0].id]);
}

#[test]
fn cold_cells_are_forgotten_in_the_long_run() {
    let mut regions = Regions::new(Config::default()).unwrap();
    let cells = centre().disk(120).unwrap();
    for (tick, part) in (0..).zip(cells.chunks(500)) {
        heat(&mut regions, part.iter().copied(), 1.0);
        regions.evaluate(2 * tick, Emit::Changes);
        part.iter().for_each(|&cell| regions.cool(cell));
        regions.evaluate(2 * tick + 1, Emit::Changes);
    }
    assert!(regions.components.grid.spots.len() < 20_000, "{}", regions.components.grid.spots.len());
    heat(&mut regions, centre().disk(2).unwrap(), 1.0);
    assert_eq!(regions.evaluate(1_000_000, Emit::All)[0].look.size, 19);
}

#[test]
fn members_lead_a_region_to_where_they_went() {
    let config = Config { overlap: Overlap::Members, ..Config::default() };
    let mut regions = Regions::new(config).unwrap();
    let row = line(9);
    let with = |members: &[u64]| Load { weight: 1.0, members: members.to_vec(), values: vec![] };
    regions.heat(row[0], with(&[1, 2]));
    regions.heat(row[1], with(&[3]));
    let id = regions.evaluate(1, Emit::Changes)[0].id;
    regions.cool(row[0]);
    regions.cool(row[1]);
    regions.heat(row[4], with(&[2, 3, 9]));
    let records = regions.evaluate(2, Emit::Changes);
    let [record] = &records[..] else { panic!("one region: {records:?}") };
    assert_eq!((record.id, record.transition, record.overlap), (id, Transition::Survived, Some(2.0 / 3.0)));
    assert!(record.flags.moved);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let wrong = |config: Config| Regions::new(config).unwrap_err().to_string();
    assert_eq!(wrong(Config { reach: 0, ..Config::default() }), "`REACH` of 0 rings is not between 1 and 32");
    let density = Some(Density { cells: 3, within: 33 });
    assert_eq!(wrong(Config { density, ..Config::default() }), "`DENSITY` of 33 rings is not between 1 and 32");
    assert_eq!(wrong(Config { min_cells: 0, ..Config::default() }), "`MIN CELLS` of no cells means nothing");
    let limits = Limits { survive: 1.0, ..Limits::default() };
    assert_eq!(
        wrong(Config { limits, ..Config::default() }),
        "`SURVIVE` is 1, it must be at least 0.5 and less than 1"
    );
    let limits = Limits { shift: f64::NAN, ..Limits::default() };
    assert_eq!(wrong(Config { limits, ..Config::default() }), "`MOVE` is NaN, it must be more than 0");
}
