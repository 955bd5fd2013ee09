//! ONCE and UNNEST: fewer outputs, and more.

use crate::{expr::Expr, model::TimeMs};

/// ONCE: of a key's outputs the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// The next one that comes so long after it or later counts again; none: no other ever does.
    pub every_ms: Option<TimeMs>,
}

/// UNNEST: an event is an output for each element of a list, in its order. Adds the element (extra 3).
#[derive(Clone, Debug)]
pub struct Unnest {
    /// The list, for each input: a list or fences; anything else has no elements.
    pub lists: Vec<Expr>,
    /// WHERE, for each input, if any of it looks at the element.
    pub keep: Vec<Option<Expr>>,
}

impl Unnest {
    /// The place of the element among what is added to an event.
    pub const EXTRA: u16 = 3;
}
