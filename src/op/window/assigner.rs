//! Which windows an event falls into: the seam for windows of one's own.

use crate::model::TimeMs;
use std::fmt;

/// A window: from its start to before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first instant.
    pub start_ms: TimeMs,
    /// The first instant after it.
    pub end_ms: TimeMs,
}

impl Span {
    /// Whether the instant is in it.
    #[inline]
    pub fn contains(self, time_ms: TimeMs) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }
}

/// Puts instants into windows.
///
/// An assigner is pure: the windows are a function of the instant and the key's offset, so that a replay, another shard
/// and a restart agree. It is called on the hot path and must not block. One assigner serves all keys of all shards.
///
/// # Examples
///
/// Shifts of a plant, 06:00, 14:00 and 22:00 UTC:
///
/// ```
/// use geocep::{model::TimeMs, op::window::{Span, WindowAssigner}};
///
/// #[derive(Debug)]
/// struct Shifts;
///
/// impl WindowAssigner for Shifts {
///     fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
///         let (size, first) = (8 * 3_600_000, 6 * 3_600_000 + offset_ms);
///         let start_ms = (time_ms - first).div_euclid(size) * size + first;
///         windows.push(Span { start_ms, end_ms: start_ms + size });
///     }
/// }
///
/// let mut windows = Vec::new();
/// Shifts.assign(7 * 3_600_000, 0, &mut windows);
/// assert_eq!(windows, [Span { start_ms: 6 * 3_600_000, end_ms: 14 * 3_600_000 }]);
/// ```
pub trait WindowAssigner: fmt::Debug + Send + Sync {
    /// Pushes the windows that contain the instant, in any order; none: the event is in no window. `offset_ms` is the
    /// key's shift, 0 unless the rule has JITTER or OFFSET. A span that does not contain the instant is ignored.
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>);

    /// The window that stays empty before a silent key is forgotten, once `closed` gave a result and no other is open. Its
    /// end is after that of `closed`. By default, of the windows that contain the instant at which `closed` ends, the one
    /// that ends first; with none, the key gives no empty result.
    fn next(&self, closed: Span, offset_ms: TimeMs) -> Option<Span> {
        let mut windows = Vec::new();
        self.assign(closed.end_ms, offset_ms, &mut windows);
        windows.retain(|span| span.contains(closed.end_ms));
        windows.into_iter().min_by_key(|span| (span.end_ms, span.start_ms))
    }

    /// The time over which JITTER spreads keys, of which its percentage is a part: the size of windows that follow one
    /// another, the slide of sliding ones. `None`: keys can't be staggered, and a rule with JITTER is refused.
    fn stagger_ms(&self) -> Option<TimeMs> {
        None
    }

    /// Whether two different windows of one key may have an instant in common. With `false` the machine asks only for
    /// the first event of each window.
    fn overlaps(&self) -> bool {
        true
    }

    /// A word for people, in `explain`.
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}
