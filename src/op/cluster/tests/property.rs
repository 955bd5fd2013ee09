use super::{
    super::*,
    model::{Line, Model, clusters},
};
use crate::{
    geo::{Cell, Position, Resolution},
    model::{Reader, Value, Writer},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Where cells are taken from: all around one of the twelve pentagons, on the antimeridian, at a pole, or anywhere.
fn place() -> impl Strategy<Value = Cell> {
    let resolution = 2u8..=9;
    let pentagon = (0usize..12, resolution.clone()).prop_map(|(i, r)| {
        let resolution = h3o::Resolution::try_from(r).unwrap();
        Cell::new(resolution.pentagons().nth(i).unwrap().into()).unwrap()
    });
    let at = |lon: f64, lat: f64, r: u8| Cell::at(Position::new(lon, lat).unwrap(), Resolution::new(r.into()).unwrap());
    prop_oneof![
        4 => pentagon,
        1 => (-80.0..=80.0, resolution.clone()).prop_map(move |(lat, r)| at(180.0, lat, r)),
        1 => (prop_oneof![Just(90.0), Just(-90.0)], resolution.clone()).prop_map(move |(lat, r)| at(0.0, lat, r)),
        1 => (-180.0..=180.0, -90.0..=90.0, resolution).prop_map(move |(lon, lat, r)| at(lon, lat, r)),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let density = prop_oneof![
        2 => Just(None),
        3 => (1u32..=6, 1u32..=2).prop_map(|(cells, within)| Some(Density { cells, within })),
    ];
    let overlap = prop_oneof![Just(Overlap::Cells), Just(Overlap::Weight), Just(Overlap::Members)];
    let limits = (prop_oneof![Just(0.5), 0.5..0.8], prop_oneof![Just(0.25), 0.1..0.5])
        .prop_map(|(survive, split)| Limits { survive, split, ..Limits::default() });
    (1u32..=2, density, 1usize..=4, overlap, limits).prop_map(|(reach, density, min_cells, overlap, limits)| Config {
        reach,
        density,
        min_cells,
        overlap,
        limits,
    })
}

/// One change: which cell of the disk, and its load if it is hot.
type Step = (usize, Option<Load>);

fn step() -> impl Strategy<Value = Step> {
    // Weights in quarters add up without rounding in the model, too.
    let load = (0u32..20, prop::collection::vec(0u64..12, 0..3)).prop_map(|(weight, members)| Load {
        weight: f64::from(weight) / 4.0,
        members,
        values: vec![Value::Float(f64::from(weight)), Value::Null],
    });
    (any::<prop::sample::Index>(), prop::option::weighted(0.6, load)).prop_map(|(at, load)| (at.index(1 << 20), load))
}

fn apply(regions: &mut Regions, cells: &[Cell], steps: &[Step]) {
    for (at, load) in steps {
        let cell = cells[at % cells.len()];
        match load {
            Some(load) => regions.heat(cell, load.clone()),
            None => regions.cool(cell),
        }
    }
}

fn saved(regions: &Regions) -> Vec<u8> {
    let mut writer = Writer::new();
    regions.save(&mut writer);
    writer.into_bytes()
}

fn restored(config: Config, bytes: &[u8]) -> Regions {
    let mut regions = Regions::new(config).unwrap();
    let mut reader = Reader::new(bytes);
    regions.load(&mut reader).unwrap();
    assert!(reader.is_done());
    regions
}

fn cells_of(regions: &Regions) -> BTreeSet<BTreeSet<Cell>> {
    regions.all().iter().map(|(_, view)| view.cells().collect()).collect()
}

/// Each old region has exactly one of four ends, each new one exactly one of four beginnings, and ids are single.
fn check_monic(before: &BTreeSet<RegionId>, after: &BTreeSet<RegionId>, lines: &[Line]) {
    use Transition::*;
    let mut of_old: BTreeMap<RegionId, usize> = BTreeMap::new();
    let mut of_new: BTreeMap<RegionId, usize> = BTreeMap::new();
    for line in lines {
        let is_old = before.contains(&line.id);
        let is_new = after.contains(&line.id);
        match line.transition {
            Survived => assert!(is_old && is_new),
            Split => assert!(is_old && line.parts.len() >= 2),
            Absorbed | Dissolved => assert!(is_old && !is_new),
            Emerged | SplitOff => assert!(!is_old && is_new),
        }
        *of_old.entry(line.id).or_default() += usize::from(is_old);
        *of_new.entry(line.id).or_default() += usize::from(is_new);
        assert_eq!(line.absorbed_into.is_some(), line.transition == Absorbed);
        assert!(line.absorbed_into.iter().chain(&line.parts).all(|id| after.contains(id)));
        assert!(line.parents.iter().all(|id| before.contains(id) && *id != line.id));
        assert!(line.transition != SplitOff || !line.parents.is_empty());
        assert!(line.transition != Emerged || line.parents.is_empty());
    }
    assert!(before.iter().all(|id| of_old.get(id) == Some(&1)));
    assert!(after.iter().all(|id| of_new.get(id) == Some(&1)));
}

fn follows_the_model(centre: Cell, config: Config, ticks: &[Vec<Step>], save_at: usize) {
    let cells = centre.disk(3).unwrap();
    let mut model = Model::new(config);
    let mut regions = Regions::new(config).unwrap();
    let mut changes = Regions::new(config).unwrap();
    for (tick, steps) in (0..).zip(ticks) {
        apply(&mut regions, &cells, steps);
        if tick as usize == save_at {
            // With changes that wait.
            regions = restored(config, &saved(&regions));
        }
        apply(&mut changes, &cells, steps);
        for (at, load) in steps {
            match load {
                Some(load) => model.hot.insert(cells[at % cells.len()], load.clone()),
                None => model.hot.remove(&cells[at % cells.len()]),
            };
        }
        let before: BTreeSet<RegionId> = model.regions.iter().map(|region| region.id).collect();
        let expected = model.evaluate(tick);
        let records = regions.evaluate(tick, Emit::All);
        let found: Vec<Line> = records.iter().map(Line::of).collect();
        assert_eq!(found, expected, "tick {tick}");
        let after: BTreeSet<RegionId> = model.regions.iter().map(|region| region.id).collect();
        check_monic(&before, &after, &found);
        assert_eq!(cells_of(&regions), clusters(&model.hot, &config).into_iter().collect());
        for record in records.iter().filter(|record| !record.has_ended) {
            let view = regions.view(record).unwrap();
            let area: f64 = view.cells().map(Cell::area_m2).sum();
            assert!((record.look.area_m2 / area - 1.0).abs() < 1e-9);
            assert_eq!(record.look.weight, view.loads().map(|(_, load)| load.weight).sum::<f64>());
            assert_eq!(Some(record.look.lowest), view.lowest());
        }
        let found: Vec<Line> = changes.evaluate(tick, Emit::Changes).iter().map(Line::of).collect();
        let expected: Vec<Line> = expected.into_iter().filter(|line| !line.is_unchanged).collect();
        assert_eq!(found, expected, "tick {tick}, changes");
        assert_eq!(saved(&regions), saved(&changes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn regions_are_those_of_a_computation_from_scratch(
        centre in place(), config in config(),
        ticks in prop::collection::vec(prop::collection::vec(step(), 0..25), 1..10), save_at in 0usize..10,
    ) {
        follows_the_model(centre, config, &ticks, save_at);
    }

    #[test]
    fn single_changes_are_followed_as_well(
        centre in place(), config in config(), start in prop::collection::vec(step(), 20..60),
        then in prop::collection::vec(prop::collection::vec(step(), 1..3), 1..20),
    ) {
        let ticks: Vec<Vec<Step>> = std::iter::once(start).chain(then).collect();
        follows_the_model(centre, config, &ticks, 5);
    }

    #[test]
    fn the_order_of_the_cells_of_one_instant_does_not_matter(
        centre in place(), config in config(),
        ticks in prop::collection::vec(prop::collection::btree_map(0usize..31, prop::option::weighted(0.6, 0u32..20), 0..20), 1..6),
        seed in any::<u64>(),
    ) {
        let cells = centre.disk(3).unwrap();
        let (mut one, mut other) = (Regions::new(config).unwrap(), Regions::new(config).unwrap());
        for (tick, changes) in (0..).zip(ticks) {
            let steps: Vec<Step> = changes
                .into_iter()
                .map(|(at, weight)| (at, weight.map(|weight| Load { weight: f64::from(weight), ..Load::default() })))
                .collect();
            let mut shuffled = steps.clone();
            shuffled.sort_by_key(|(at, _)| (*at as u64 + 1).wrapping_mul(seed | 1));
            apply(&mut one, &cells, &steps);
            apply(&mut other, &cells, &shuffled);
            let lines = |regions: &mut Regions| -> Vec<Record> {
                let mut records = regions.evaluate(tick, Emit::All);
                records.iter_mut().for_each(|record| record.cluster = None);
                records
            };
            prop_assert_eq!(lines(&mut one), lines(&mut other));
            prop_assert_eq!(saved(&one), saved(&other));
        }
    }

    #[test]
    fn broken_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Regions::new(Config::default()).unwrap().load(&mut Reader::new(&bytes));
        let _ = Heat::new(Some(5), Confirm::default()).unwrap().load(&mut Reader::new(&bytes));
    }
}

#[test]
fn being_near_is_mutual_around_every_pentagon() {
    for resolution in 0..=15 {
        let resolution = h3o::Resolution::try_from(resolution).unwrap();
        for pentagon in resolution.pentagons() {
            let pentagon = Cell::new(pentagon.into()).unwrap();
            for cell in pentagon.disk(2).unwrap() {
                for k in 1..=3 {
                    for other in cell.disk(k).unwrap() {
                        assert!(other.disk(k).unwrap().contains(&cell), "{cell} {other} {k}");
                    }
                }
            }
        }
    }
}
