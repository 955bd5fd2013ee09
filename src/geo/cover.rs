//! The cells of a shape: those whose centre is in it, as H3 itself fills polygons.

use super::{Cell, Position, Resolution, Shape};
use std::collections::BTreeSet;

/// Cells of a shape, at most; beyond, a coarser resolution says as much.
pub const MAX_COVER: usize = 100_000;

impl Shape {
    /// The cells of a resolution whose centre is in the shape, ascending. So cells of shapes that tile a place tile it too, none twice.
    /// None if they are more than [`MAX_COVER`], or the border is too long to be followed in steps of their size.
    pub fn cells(&self, resolution: Resolution) -> Option<Vec<Cell>> {
        let size_m = Cell::at(self.centroid(), resolution).area_m2().sqrt();
        // Cells differ by a factor of two over the earth.
        if self.area_m2() > 2.0 * size_m * size_m * MAX_COVER as f64 {
            return None;
        }
        // Where cells inside end, the border runs between two centres: so next to a cell on the border there is one of each
        // connected part.
        let mut near = BTreeSet::new();
        let mut steps = 0;
        for ring in self.rings().flatten() {
            for edge in ring.windows(2) {
                let [from, to] = edge else { continue };
                let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
                // No way over the earth is longer than this.
                let length_m = (dx.abs() + dy.abs()) * 111_700.0;
                let parts = (length_m / (0.25 * size_m)).ceil().max(1.0);
                steps += parts.min(1e9) as usize;
                if steps > 20 * MAX_COVER {
                    return None;
                }
                for part in 0..parts as u32 {
                    let share = f64::from(part) / parts;
                    let lon = (from[0] + share * dx + 180.0).rem_euclid(360.0) - 180.0;
                    let Ok(position) = Position::new(lon, (from[1] + share * dy).clamp(-90.0, 90.0)) else { continue };
                    near.insert(Cell::at(position, resolution));
                }
            }
        }
        let mut inside = BTreeSet::new();
        let mut open: Vec<Cell> = near.iter().flat_map(|cell| cell.disk(2).unwrap_or_default()).collect();
        open.sort_unstable();
        open.dedup();
        while let Some(cell) = open.pop() {
            if inside.contains(&cell) || !self.contains(cell.centre()) {
                continue;
            }
            inside.insert(cell);
            if inside.len() > MAX_COVER {
                return None;
            }
            open.extend(cell.disk(1).unwrap_or_default().into_iter().filter(|next| !inside.contains(next)));
        }
        Some(inside.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn it_is_every_cell_whose_centre_is_inside(
            (lon, lat) in prop_oneof![Just((4.9, 52.37)), Just((179.99, -17.0)), Just((0.0, 0.0)), (-180.0..180.0, -80.0..80.0)],
            corners in prop::collection::vec(0.2..1.0f64, 3..12),
            hole: bool,
        ) {
            let ring = |scale: f64| {
                let corner = |at: usize| {
                    let angle = at as f64 / corners.len() as f64 * std::f64::consts::TAU;
                    let far = 0.05 * scale * corners[at % corners.len()];
                    [lon + far * angle.cos(), lat + far * angle.sin()]
                };
                (0..=corners.len()).map(|at| corner(at % corners.len())).collect::<Vec<_>>()
            };
            let rings = if hole { vec![ring(1.0), ring(0.5)] } else { vec![ring(1.0)] };
            let Ok(shape) = Shape::polygon(&rings) else { return Ok(()) };
            let resolution = Resolution::new(7).unwrap();
            let Ok(middle) = Position::new(if lon > 180.0 { lon - 360.0 } else { lon }, lat) else { return Ok(()) };
            // 12 cells of 2.4 km across reach farther than 0.05 degrees.
            let mut expected: Vec<Cell> = Cell::at(middle, resolution).disk(12).unwrap();
            expected.retain(|cell| shape.contains(cell.centre()));
            expected.sort_unstable();
            prop_assert_eq!(shape.cells(resolution), Some(expected));
        }
    }

    #[test]
    fn too_many_cells_are_none() {
        let square = |d: f64| Shape::polygon(&[[[0.0, 0.0], [d, 0.0], [d, d], [0.0, d], [0.0, 0.0]]]).unwrap();
        assert!(square(1.0).cells(Resolution::new(12).unwrap()).is_none());
        let cells = square(1.0).cells(Resolution::new(7).unwrap()).unwrap();
        assert!((2_000..4_000).contains(&cells.len()), "{}", cells.len());
    }
}
