//! How the work on an event grows with what a rule holds open.

use std::fmt;

/// How much work an event is, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The same however much is open; putting out a match is as much work as the match is long.
    Constant,
    /// In proportion to the events that have begun a partial match which is still open: each has at most a few.
    Linear,
    /// In proportion to partial matches that can multiply: a limit or the window must bound them.
    NeedsLimit,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::NeedsLimit => "needs a limit",
        })
    }
}
