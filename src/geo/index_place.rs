//! What the building of an index works on: polygons, cells and what passes through them.

use super::shape::Part;
use std::ops::Range;

/// One polygon in one frame of longitudes.
pub(super) struct Item {
    pub(super) fence: u32,
    pub(super) shifted: bool,
    pub(super) first_edge: u32,
    pub(super) end_edge: u32,
}

/// What is left to test of an item within a cell. Ends of its edges and toggles in the cell's vectors.
pub(super) struct Live {
    pub(super) item: u32,
    pub(super) base: bool,
    pub(super) edges_end: usize,
    pub(super) toggles_end: usize,
}

/// What passes through a cell.
#[derive(Default)]
pub(super) struct Content {
    pub(super) live: Vec<Live>,
    pub(super) edges: Vec<u32>,
    pub(super) toggles: Vec<f64>,
    /// Fences that contain the whole cell.
    pub(super) inside: Vec<u32>,
}

/// Where a cell is kept.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    /// In the grid; in all cells of the grid that it covers, if it is larger.
    Top,
    /// In a node.
    Node(usize, usize),
}

/// A place in the tree; the root has level 0.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) level: u32,
    pub(super) column: u32,
    pub(super) row: u32,
}

/// A cell that has too much to test.
pub(super) struct Pending {
    pub(super) place: Place,
    pub(super) content: Content,
    /// The list of fences that contain it and are not among its content, or 0.
    pub(super) up: u32,
}

/// Some columns and rows of the index's grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) columns: Range<u32>,
    pub(super) rows: Range<u32>,
}

impl Area {
    /// What both have.
    pub(super) fn and(&self, other: &Self) -> Self {
        let both = |a: &Range<u32>, b: &Range<u32>| a.start.max(b.start)..a.end.min(b.end);
        Self { columns: both(&self.columns, &other.columns), rows: both(&self.rows, &other.rows) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty() || self.rows.is_empty()
    }
}

/// The frames of longitudes that a polygon is in: whether it is the one beyond the antimeridian, and its box there.
pub(super) fn frames(part: &Part) -> impl Iterator<Item = (bool, [f64; 4])> {
    let plain = (false, [part.west, part.south, part.east.min(180.0), part.north]);
    let beyond = (part.east > 180.0).then(|| (true, [-180.0, part.south, part.east - 360.0, part.north]));
    std::iter::once(plain).chain(beyond)
}

impl Content {
    pub(super) fn words(&self) -> usize {
        self.live.len() + self.toggles.len() + self.edges.len()
    }
}
