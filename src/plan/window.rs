//! Windows over the events of one partition.

use super::Aggregate;
use crate::{
    expr::Expr,
    model::{TimeMs, Value, Zone},
};

/// A window clause, resolved.
#[derive(Clone, Debug)]
pub struct Window {
    /// The kind.
    pub kind: WindowKind,
    /// How a key's windows are shifted.
    pub jitter: Jitter,
    /// EMIT EVERY: how often an open window gives the result so far; of windows that lie apart only.
    pub early_ms: Option<TimeMs>,
    /// ALLOWED LATENESS: for how long after its end an event that comes late changes a window, more than 0.
    pub late_ms: Option<TimeMs>,
    /// The aggregates; the index is that of [`Node::Aggregate`](crate::expr::Node::Aggregate).
    pub aggregates: Vec<Aggregate>,
}

/// How events are put into windows. Sizes are more than 0.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowKind {
    /// Back to back, all of one size.
    Tumbling {
        /// Their size.
        size_ms: TimeMs,
    },
    /// Of one size, beginning at a regular distance.
    Sliding {
        /// Their size.
        size_ms: TimeMs,
        /// From one start to the next.
        every_ms: TimeMs,
    },
    /// Beginning together, each a step longer than the one before, up to the size.
    Cumulative {
        /// The full size, a multiple of the step.
        size_ms: TimeMs,
        /// The step.
        every_ms: TimeMs,
    },
    /// As long as events keep coming.
    Session {
        /// The pause that ends it.
        gap_ms: TimeMs,
        /// The longest.
        max_ms: Option<TimeMs>,
    },
    /// Of so many events.
    Count {
        /// How many.
        size: u64,
        /// Events from one window's first to the next one's.
        every: u64,
        /// A key that is silent for so long begins anew; none: it waits forever.
        expire_ms: Option<TimeMs>,
    },
    /// One that begins with a key's first event and never ends, with a result at each event.
    Running {
        /// A key that is silent for so long begins anew; none: it goes on forever.
        expire_ms: Option<TimeMs>,
    },
    /// Back to back by the clocks of a place.
    Calendar {
        /// Their size on those clocks.
        size_ms: TimeMs,
        /// Shifts them, on those clocks.
        offset_ms: TimeMs,
        /// The place.
        zone: Zone,
    },
    /// Of an embedding program's own.
    Custom {
        /// The name by which it was added.
        name: String,
        /// Constants that it is made with.
        args: Vec<Value>,
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
    /// So that the first window of a key begins with its first event.
    Natural,
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
