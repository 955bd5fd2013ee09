//! `geocep explain --transitions DIR`: what each transition of a region means, as pictures of two states. Cells are hot by hand;
//! what becomes of the regions is what the kernel says.

use crate::{
    geo::{Cell, CellError, Position, Resolution},
    op::cluster::{ClusterError, Config, Emit, Load, Record, Regions},
    picture::{Backdrop, Entry, Map, Mark, Panel, Polygon, RegionShape, Scene, panels},
};
use std::{collections::BTreeMap, fs, io, path::Path};
use thiserror::Error;

/// Why pictures weren't made.
#[derive(Debug, Error)]
pub(super) enum TransitionError {
    /// The kernel doesn't take the clause.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No cell there.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// A file can't be written.
    #[error("can't write `{path}`: {error}")]
    Io {
        /// Which one.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

/// A place on the made-up grid: steps to the east, and steps to the north-east.
type Step = (i32, i32);

/// Two states, and what they show.
struct Case {
    /// The file is `transition-NAME.svg`.
    name: &'static str,
    title: &'static str,
    /// The hot cells, each with its weight.
    before: Vec<(Step, u32)>,
    after: Vec<(Step, u32)>,
}

/// The middle cell and its six neighbours.
const FLOWER: [Step; 7] = [(0, 0), (1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)];
/// Four beside each other, to the east of the flower.
const RHOMB: [Step; 4] = [(4, -1), (5, -1), (4, 0), (3, 0)];

fn weigh(steps: impl IntoIterator<Item = Step>, weight: u32) -> Vec<(Step, u32)> {
    steps.into_iter().map(|step| (step, weight)).collect()
}

/// Cells of three rows, from one column to another.
fn rows(from: i32, to: i32) -> Vec<Step> {
    (-1..=1).flat_map(|row| (from..to).map(move |column| (column - (row > 0) as i32, row))).collect()
}

fn cases() -> Vec<Case> {
    let flower = || weigh(FLOWER, 3);
    let with = |more: &[Step]| weigh(FLOWER.into_iter().chain(more.iter().copied()), 3);
    let two = || with(&RHOMB);
    let bridge: [Step; 2] = [(2, 0), (2, -1)];
    let long: Vec<Step> = (0..5).flat_map(|column| [(column, 0), (column, -1)]).collect();
    let parts = long.iter().copied().filter(|step| step.0 != 2).collect::<Vec<_>>();
    let case = |name, title, before, after| Case { name, title, before, after };
    vec![
        case("emerged", "emerged: no region was there before", Vec::new(), flower()),
        case(
            "survived",
            "survived: over half of it is there, and nothing else changed much",
            flower(),
            weigh(FLOWER.into_iter().filter(|step| *step != (-1, 1)).chain([(1, 1)]), 3),
        ),
        case("grew", "grew: by a tenth of its cells or more", flower(), with(&[(2, -1), (1, 1), (-2, 1), (-1, -1)])),
        case(
            "shrank",
            "shrank: by a tenth of its cells or more",
            with(&[(2, -1), (1, 1), (-2, 1), (-1, -1)]),
            flower(),
        ),
        case("moved", "moved: its centre went further than 0.3 radii", weigh(rows(-2, 2), 3), weigh(rows(-1, 3), 3)),
        case("denser", "denser: the weight of a cell rose by more than 30 %", flower(), weigh(FLOWER, 5)),
        case("sparser", "sparser: the weight of a cell fell by more than 30 %", weigh(FLOWER, 5), flower()),
        case(
            "absorbed",
            "absorbed: two have become one, and the larger goes on",
            two(),
            with(&[&RHOMB[..], &bridge].concat()),
        ),
        case("split", "split: one has become two, the largest part keeps the id", weigh(long, 3), weigh(parts, 3)),
        case("dissolved", "dissolved: nothing is left that could be called it", flower(), weigh([(0, 1), (2, -2)], 3)),
    ]
}

/// Draws all transitions into a directory, which is made if it isn't there.
///
/// # Errors
/// A file that can't be written.
pub(super) fn write(dir: &Path) -> Result<(), TransitionError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| TransitionError::Io { path, error }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    for (name, text) in pictures()? {
        let path = dir.join(name);
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

/// The files' names and texts.
fn pictures() -> Result<Vec<(String, String)>, TransitionError> {
    let grid = Grid::new()?;
    let draw = |case: &Case| Ok((format!("transition-{}.svg", case.name), picture(&grid, case)?));
    cases().iter().map(draw).collect()
}

/// The cells by their steps, at 50° N, 10° E.
struct Grid {
    middle: Position,
    /// Degrees of a step to the east, and of one to the north-east.
    steps: [[f64; 2]; 2],
    resolution: Resolution,
}

impl Grid {
    fn new() -> Result<Self, CellError> {
        let resolution = Resolution::new(8)?;
        let middle = Cell::at(Position::new(10.0, 50.0).map_err(|_| CellError::Resolution(8))?, resolution);
        let (from, mut ring) = (middle.centre(), middle.disk(1)?);
        ring.retain(|cell| *cell != middle);
        let way = |cell: &Cell| [cell.centre().lon() - from.lon(), cell.centre().lat() - from.lat()];
        let mut ways: Vec<[f64; 2]> = ring.iter().map(way).collect();
        // Anticlockwise from the east: the first two are the steps.
        let angle = |way: &[f64; 2]| {
            (way[1].atan2(way[0] * from.lat().to_radians().cos()) + 0.5).rem_euclid(std::f64::consts::TAU)
        };
        ways.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
        let step = |at: usize| ways.get(at).copied().unwrap_or_default();
        Ok(Self { middle: from, steps: [step(0), step(1)], resolution })
    }

    fn cell(&self, (east, north_east): Step) -> Result<Cell, CellError> {
        let [a, b] = self.steps;
        let (m, n) = (f64::from(east), f64::from(north_east));
        let (lon, lat) = (self.middle.lon() + m * a[0] + n * b[0], self.middle.lat() + m * a[1] + n * b[1]);
        Ok(Cell::at(Position::new(lon, lat).map_err(|_| CellError::Resolution(8))?, self.resolution))
    }
}

fn picture(grid: &Grid, case: &Case) -> Result<String, TransitionError> {
    let mut regions = Regions::new(Config { min_cells: 2, ..Config::default() })?;
    let mut before: BTreeMap<String, RegionShape> = BTreeMap::new();
    let mut scenes = Vec::new();
    let mut marks = Vec::new();
    let mut around: Vec<Cell> = Vec::new();
    let mut hot: Vec<Cell> = Vec::new();
    for (tick_ms, cells) in [(0, &case.before), (60_000, &case.after)] {
        let cells = cells.iter().map(|(step, weight)| Ok((grid.cell(*step)?, *weight)));
        let cells: Vec<(Cell, u32)> = cells.collect::<Result<_, CellError>>()?;
        for &cell in hot.iter().filter(|cell| cells.iter().all(|(other, _)| other != *cell)) {
            regions.cool(cell);
        }
        for &(cell, weight) in &cells {
            regions.heat(cell, Load { weight: f64::from(weight), ..Load::default() });
            around.extend(cell.disk(1)?);
        }
        hot = cells.iter().map(|(cell, _)| *cell).collect();
        let records = regions.evaluate(tick_ms, Emit::All);
        let shapes = records.iter().map(|record| shape(&regions, record, &before)).collect::<Vec<_>>();
        let mark = |(cell, weight): &(Cell, u32)| Mark { at: place(cell.centre()), text: weight.to_string() };
        marks.push(cells.iter().map(mark).collect::<Vec<_>>());
        scenes.push(shapes.iter().map(|shape| (shape.clone(), before.get(&shape.id).cloned())).collect::<Vec<_>>());
        before = shapes.into_iter().map(|shape| (shape.id.clone(), shape)).collect();
    }
    around.sort_unstable();
    around.dedup();
    let backdrop = Backdrop {
        polygons: around.iter().flat_map(|cell| crate::geo::outline(&[*cell]).unwrap_or_default()).collect(),
    };
    let map = Map::around(&backdrop.polygons, 340.0, 260.0);
    let both: Vec<Scene<'_>> = scenes
        .iter()
        .enumerate()
        .map(|(at, shapes)| {
            let entries =
                shapes.iter().map(|(shape, before)| Entry { shape, before: before.as_ref(), is_news: at == 1 });
            Scene { tick_ms: 0, entries: entries.collect() }
        })
        .collect();
    let both: Vec<Panel<'_>> = both
        .iter()
        .zip(["before", "after"])
        .zip(marks)
        .map(|((scene, caption), marks)| Panel { caption: Some(caption.to_owned()), scene, marks, notices: Vec::new() })
        .collect();
    Ok(panels(case.title, &map, &backdrop, 2, &both))
}

fn place(at: Position) -> [f64; 2] {
    [at.lon(), at.lat()]
}

fn shape(regions: &Regions, record: &Record, before: &BTreeMap<String, RegionShape>) -> RegionShape {
    let id = record.id.to_string();
    let last = || before.get(&id).map(|shape| shape.polygons.clone()).unwrap_or_default();
    let polygons: Vec<Polygon> = regions.view(record).map_or_else(last, |view| view.outline());
    RegionShape {
        tick_ms: record.tick,
        transition: record.transition.name().to_owned(),
        flags: record.flags.names().map(str::to_owned).collect(),
        size: record.look.size,
        polygons,
        centre: Some(place(record.look.centre)),
        parents: record.parents.iter().map(ToString::to_string).collect(),
        absorbed_into: record.absorbed_into.map(|id| id.to_string()),
        has_ended: record.has_ended,
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn committed() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/regions")
    }

    /// With `UPDATE_FIXTURES=1` in the environment the committed pictures are drawn anew instead.
    #[test]
    fn the_pictures_of_the_documentation_are_what_the_command_draws() {
        if std::env::var_os("UPDATE_FIXTURES").is_some_and(|v| v == "1") {
            write(&committed()).unwrap();
        }
        for (name, text) in pictures().unwrap() {
            let there = fs::read_to_string(committed().join(&name)).unwrap_or_default();
            assert!(there == text, "docs/regions/{name} differs: UPDATE_FIXTURES=1 draws it anew");
        }
    }

    #[test]
    fn each_picture_shows_what_it_is_named_after() {
        for (case, (name, text)) in cases().iter().zip(pictures().unwrap()) {
            let word = case.name;
            let shown = text.contains(&format!(">{word}")) || text.contains(&format!("· {word}"));
            assert!(shown || word == "survived", "{name} doesn't show it");
            assert!(text.len() < 40_000, "{name}: {} bytes", text.len());
        }
        let of = |name: &str| pictures().unwrap().into_iter().find(|(file, _)| file.contains(name)).unwrap().1;
        assert!(of("absorbed").contains("took in") && of("absorbed").contains("absorbed into"));
        assert!(of("split").contains(">split ·") && of("split").contains(">split off<"));
        let survived = of("survived");
        assert!(["emerged", "grew", "moved", "shrank"].iter().all(|word| !survived.contains(&format!(">{word}"))));
    }
}
