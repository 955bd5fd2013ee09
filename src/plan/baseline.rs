//! What is usual for a key at an hour of the week: `baseline(x, 28 d)`.

use super::Through;
use crate::expr::Expr;

/// A value whose usual size is kept per key.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The value, for each input.
    pub args: Vec<Expr>,
    /// How many hours back count, a whole number of days.
    pub over_hours: u32,
}

impl Baseline {
    /// The place of a rule's baseline of this number among what expressions see beside an event (`Node::Extra`): the
    /// median. The one after it is the median of the distances from it. Those before are what THROUGH, UNNEST and NEAR add.
    pub fn extra(number: u16) -> u16 {
        number.saturating_mul(2).saturating_add(Self::FIRST_EXTRA)
    }

    /// How many places come before those of baselines.
    pub const FIRST_EXTRA: u16 = Through::CROSSED_AT + 2;
}
