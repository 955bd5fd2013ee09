//! Windows over the events of one partition.

use super::Aggregate;
use crate::{expr::Expr, model::TimeMs};

/// A window clause, resolved.
#[derive(Clone, Debug)]
pub struct Window {
    /// The kind.
    pub kind: WindowKind,
    /// How a key's windows are shifted.
    pub jitter: Jitter,
    /// The aggregates; the index is that of [`Node::Aggregate`](crate::expr::Node::Aggregate).
    pub aggregates: Vec<Aggregate>,
}

/// How events are put into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Back to back, all of one size.
    Tumbling {
        /// Their size, more than 0.
        size_ms: TimeMs,
    },
}

/// How a key's windows are shifted against the epoch.
#[derive(Clone, Debug, Default)]
pub enum Jitter {
    /// Not at all: windows of all keys close together.
    #[default]
    Aligned,
    /// By an offset drawn from hash(seed, window, key) in `[0, percent / 100 · size)`.
    Drawn {
        /// More than 0, at most 100.
        percent: f64,
        /// What the offset is drawn from instead of the key.
        by: Option<JitterBy>,
    },
    /// By this much.
    Offset {
        /// Less than the size.
        offset_ms: TimeMs,
    },
}

/// JITTER … BY: the value from which a key's offset is drawn.
#[derive(Clone, Debug)]
pub struct JitterBy {
    /// For each input. The value must be a function of the key: the first event of a key decides.
    pub exprs: Vec<Expr>,
}
