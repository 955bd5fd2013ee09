//! Ground: shapes on the earth. Positions, geodesic measures, cells, polygons, fences and their index. Knows no events.
//!
//! Everything is WGS 84 longitude and latitude in degrees, as `f64`; lengths are metres, areas square metres.
//! No geometry here is approximated by cells: an index only narrows down which edges have to be looked at, and its answer
//! is, to the bit, the answer of the exact test.

mod area;
mod border;
mod cell;
mod cover;
mod crossing;
mod edge;
mod fence;
mod hull;
mod icosahedron;
mod index;
mod index_along;
mod index_build;
mod index_edit;
mod index_place;
mod leaf_grid;
mod line;
mod measure;
mod outline;
mod outline_cut;
mod passage;
mod polygons;
mod position;
mod ring;
mod shape;
mod shape_error;
mod way;

pub use cell::{Cell, CellError, MAX_DISK, Resolution};
pub use cover::MAX_COVER;
pub use fence::{Fence, FenceError, FenceIx, FenceSet, MAX_SET_FENCES, MAX_SET_VERTICES, Property, Validity};
pub use hull::convex_hull;
pub use measure::{MEAN_RADIUS_M, bearing_deg, destination, geodesic_m, haversine_m};
pub use outline::outline;
pub use passage::{Passed, Shares};
pub use polygons::Polygons;
pub use position::{Position, PositionError};
pub use shape::{MAX_VERTICES, Shape};
pub use shape_error::{Place, ShapeError};
pub use way::Way;
