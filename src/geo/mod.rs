//! Ground: shapes on the earth. Positions, geodesic measures, cells, polygons, fences and their index. Knows no events.
mod position;
pub use position::*;
