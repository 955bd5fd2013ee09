//! NEAR: the pairs of entities that are near one another.

use crate::{expr::Expr, model::TimeMs};

/// A NEAR clause, resolved. What is kept of entities is bound to two variables, 0 (a) and 1 (b): of one stream a is the one with
/// the lower id, of two streams that of the first.
///
/// Adds to a pair's event: encounter (extra 4: `'approached'`, `'together'`, `'separated'`), distance (extra 5, metres), together
/// (extra 6: time since the approach) and position (extra 7: halfway).
#[derive(Clone, Debug)]
pub struct Near {
    /// What the rule calls the two.
    pub names: [String; 2],
    /// Whether both are of one stream, input 0; else they are of inputs 0 and 1.
    pub same: bool,
    /// Who an entity is, for each input.
    pub ids: Vec<Expr>,
    /// What is kept of an entity's latest event, for each input by slot.
    pub retained: Vec<Vec<Expr>>,
    /// They meet at this distance or less, in metres along the geodesic; more than 0.
    pub within_m: f64,
    /// They part beyond this one, which is no less.
    pub leave_m: f64,
    /// How long a position counts after its time, that instant included; more than 0.
    pub valid_ms: TimeMs,
    /// By how much the times of two positions may differ.
    pub apart_ms: TimeMs,
    /// ALIGN EXTRAPOLATE: positions are taken on to the time of a look, for so long at most; they count no longer than that.
    pub align_ms: Option<TimeMs>,
    /// The grid of time at which pairs are looked at; none: at each position.
    pub every_ms: Option<TimeMs>,
    /// Whether at each position all pairs that are together are put out, not only the entity's own.
    pub all: bool,
    /// Who counts.
    pub on: Option<Expr>,
}

impl Near {
    /// The place of `encounter` among what is added; distance, together and position follow.
    pub const EXTRA: u16 = 4;
}
