//! Tool: pictures of regions over time, as SVG text.
//!
//! ```text
//!  RegionShape ─► History ─┬─► scenes, one a tick ─► panels ─► a map: outlines, arrows, scale bar
//!  (what a region said)    └─► lineage ─► time to the right, a lane per region, joins and forks
//! ```
//!
//! Pure: records in, text out, the same text for the same records on every run. Files are small (coordinates have one decimal
//! of a pixel) and stand alone: no script, no style sheet, no font but the reader's own. All text is escaped.

mod colour;
mod history;
mod label;
mod lineage;
mod map;
mod notice;
mod page;
mod panel;
mod shape;
mod svg;
#[cfg(test)]
mod tests;

pub use history::{Entry, History, Scene};
pub use lineage::lineage;
pub use map::Map;
pub use notice::Notice;
pub use page::page;
pub use panel::{Backdrop, Mark, Panel, panels};
pub use shape::{Polygon, RegionShape};
