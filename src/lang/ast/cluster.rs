//! The cluster clause.

use super::{Expr, Number, Quantity};
use crate::lang::span::{Span, Spanned};

/// `CLUSTER BY cell WHERE hot …`. Everything optional in the text is an `Option`: the check says what must be there.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterClause {
    /// The cell.
    pub by: Expr,
    /// `WHERE`: when a cell is hot.
    pub hot: Expr,
    /// `COLD WHEN`: when a hot cell stops being hot.
    pub cold: Option<Expr>,
    /// `MIN CELLS n`.
    pub min_cells: Option<Spanned<u64>>,
    /// `REACH k`.
    pub reach: Option<Spanned<u64>>,
    /// `DENSITY n WITHIN k`.
    pub density: Option<Density>,
    /// `EXPIRE d`.
    pub expire: Option<Quantity>,
    /// `EVERY d`.
    pub every: Option<Quantity>,
    /// `WEIGHT expr`: what a cell weighs.
    pub weight: Option<Expr>,
    /// `MEMBERS expr`: who is in a cell.
    pub members: Option<Expr>,
    /// `CONFIRM n OF m`.
    pub confirm: Option<Confirm>,
    /// `OVERLAP BY CELLS | WEIGHT | MEMBERS`.
    pub overlap: Option<Spanned<Overlap>>,
    /// `SURVIVE 0.5`.
    pub survive: Option<Ratio>,
    /// `SPLIT 0.25`.
    pub split: Option<Ratio>,
    /// `GROW 10%`.
    pub grow: Option<Ratio>,
    /// `MOVE 0.3`.
    pub move_: Option<Ratio>,
    /// `DENSE 30%`.
    pub dense: Option<Ratio>,
    /// The whole clause.
    pub span: Span,
}

/// `DENSITY n WITHIN k`: a core cell has at least `count` hot cells within `within` steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Density {
    /// How many hot cells.
    pub count: Spanned<u64>,
    /// Within how many steps of the grid.
    pub within: Spanned<u64>,
    /// The whole of it.
    pub span: Span,
}

/// `CONFIRM n OF m`: a cell is hot while at least `hits` of its last `results` results were hot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// How many.
    pub hits: Spanned<u64>,
    /// Of how many.
    pub results: Spanned<u64>,
    /// The whole of it.
    pub span: Span,
}

/// What the overlap of two regions is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Number of cells.
    Cells,
    /// Weight of cells.
    Weight,
    /// Members of cells.
    Members,
}

/// A share: `0.25` or `25%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The number as written.
    pub value: Number,
    /// Whether `%` follows it.
    pub percent: bool,
    /// All of it.
    pub span: Span,
}
