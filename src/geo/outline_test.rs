use super::*;
use crate::geo::{Resolution, Shape, haversine_m};
use proptest::prelude::*;

fn cell(text: &str) -> Cell {
    text.parse().unwrap()
}

/// The pentagons of a resolution.
fn pentagons(resolution: u8) -> Vec<Cell> {
    let resolution = h3o::Resolution::try_from(resolution).unwrap();
    resolution.pentagons().map(|cell| Cell::new(cell.into()).unwrap()).collect()
}

/// The outline is one that the reader of fences takes, it holds the centres of the cells and no neighbour's, and its area
/// is about theirs (they are of a sphere, it is of the ellipsoid, and near a pole its straight edges are not theirs).
fn check(cells: &[Cell]) {
    let polygons = outline(cells).unwrap();
    let shape = Shape::multi_polygon(&polygons).unwrap();
    for ring in polygons.iter().flatten() {
        assert_eq!(ring.first(), ring.last());
        for pair in ring.windows(2) {
            assert!((pair[0][0] - pair[1][0]).abs() <= 180.0 || pair[0][1].abs() == 90.0, "{pair:?}");
        }
    }
    let mut around: Vec<Cell> = cells.iter().flat_map(|cell| cell.disk(1).unwrap()).collect();
    around.sort_unstable();
    around.dedup();
    for cell in around {
        assert_eq!(shape.contains(cell.centre()), cells.contains(&cell), "{cell}");
    }
    let area: f64 = cells.iter().map(|cell| cell.area_m2()).sum();
    let fine = cells.first().is_none_or(|cell| cell.resolution().value() > 2);
    assert!(!fine || (shape.area_m2() / area - 1.0).abs() < 0.03, "{} vs {area}", shape.area_m2());
}

#[test]
fn one_cell_is_its_boundary() {
    let cell = cell("882a100d2dfffff");
    let [polygon] = &outline(&[cell]).unwrap()[..] else { panic!("one polygon") };
    let [ring] = &polygon[..] else { panic!("one ring") };
    assert_eq!(ring.len(), 7);
    for corner in cell.boundary() {
        assert!(ring.iter().any(|at| haversine_m(Position::new(at[0], at[1]).unwrap(), corner) < 0.001));
    }
}

#[test]
fn a_ring_of_cells_has_a_hole_and_an_island_in_it_is_a_polygon() {
    let centre = cell("882a100d2dfffff");
    let mut cells = centre.disk(3).unwrap();
    let hole = centre.disk(2).unwrap();
    cells.retain(|cell| !hole.contains(cell));
    check(&cells);
    assert_eq!(outline(&cells).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    cells.push(centre);
    check(&cells);
    let mut rings: Vec<usize> = outline(&cells).unwrap().iter().map(Vec::len).collect();
    rings.sort_unstable();
    assert_eq!(rings, [1, 2]);
}

#[test]
fn what_crosses_the_antimeridian_is_cut_there() {
    for resolution in [1, 4, 7] {
        let centre = Cell::at(Position::new(180.0, 10.0).unwrap(), Resolution::new(resolution).unwrap());
        let cells = centre.disk(2).unwrap();
        assert_eq!(outline(&cells).unwrap().len(), 2);
        check(&cells);
        let mut ring = cells.clone();
        ring.retain(|cell| *cell != centre);
        check(&ring);
    }
}

#[test]
fn poles_bands_and_the_whole_world_are_right() {
    let world: Vec<Cell> = h3o::CellIndex::base_cells().map(|cell| Cell::new(cell.into()).unwrap()).collect();
    assert_eq!(
        outline(&world).unwrap(),
        [[[[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]]]]
    );
    for lat in [90.0, -90.0] {
        for resolution in [0, 1, 3, 5] {
            let pole = Cell::at(Position::new(0.0, lat).unwrap(), Resolution::new(resolution).unwrap());
            check(&pole.disk(2).unwrap());
        }
    }
    let centre = |cell: &Cell| cell.centre();
    let band: Vec<Cell> = world.iter().copied().filter(|cell| centre(cell).lat().abs() < 30.0).collect();
    check(&band);
    let most: Vec<Cell> = world
        .iter()
        .copied()
        .filter(|cell| haversine_m(centre(cell), Position::new(40.0, 20.0).unwrap()) > 3e6)
        .collect();
    check(&most);
    let caps: Vec<Cell> = world.iter().copied().filter(|cell| centre(cell).lat().abs() > 50.0).collect();
    check(&caps);
}

#[test]
fn pentagons_at_every_resolution_have_outlines() {
    for resolution in 0..=15 {
        for pentagon in pentagons(resolution) {
            check(&[pentagon]);
            let mut around = pentagon.disk(2).unwrap();
            check(&around);
            around.retain(|cell| *cell != pentagon);
            check(&around);
        }
    }
}

#[test]
fn cells_of_several_resolutions_are_refused_and_none_is_nothing() {
    let cell = cell("882a100d2dfffff");
    assert_eq!(outline(&[cell, cell.parent(Resolution::new(7).unwrap()).unwrap()]), Err(CellError::MixedResolutions));
    assert_eq!(outline(&[]), Ok(vec![]));
}

proptest! {
    #[test]
    fn any_set_of_cells_has_an_outline_that_means_it(
        lon in prop_oneof![-180.0..=180.0, 179.0..=180.0], lat in -85.0..=85.0, r in 3i64..=12,
        keep in prop::collection::vec(any::<bool>(), 91),
    ) {
        let centre = Cell::at(Position::new(lon, lat).unwrap(), Resolution::new(r).unwrap());
        let cells: Vec<Cell> =
            centre.disk(5).unwrap().into_iter().zip(keep).filter_map(|(cell, keep)| keep.then_some(cell)).collect();
        prop_assume!(!cells.is_empty());
        check(&cells);
        let compacted = Cell::compacted(cells.iter().copied()).unwrap();
        prop_assert!(compacted.len() <= cells.len());
    }
}
