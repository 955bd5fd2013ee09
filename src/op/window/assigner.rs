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

    /// Of the windows that contain the instant the one that ends first. Worth its own way where windows are many.
    fn first(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let mut windows = Vec::new();
        self.assign(time_ms, offset_ms, &mut windows);
        windows.retain(|span| span.contains(time_ms));
        windows.into_iter().min_by_key(|span| (span.end_ms, span.start_ms))
    }

    /// Of the windows that contain the instant the one that ends last. Worth its own way where windows are many.
    fn last(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let mut windows = Vec::new();
        self.assign(time_ms, offset_ms, &mut windows);
        windows.retain(|span| span.contains(time_ms));
        windows.into_iter().max_by_key(|span| (span.end_ms, span.start_ms))
    }

    /// The window that stays empty before a silent key is forgotten, once `closed` gave a result and no other is open; of
    /// windows of panes the one that closes after `closed`. Its end is after that of `closed`. By default the first that
    /// contains the instant at which `closed` ends; with none, the key gives no empty result.
    fn next(&self, closed: Span, offset_ms: TimeMs) -> Option<Span> {
        self.first(closed.end_ms, offset_ms)
    }

    /// The time over which JITTER spreads keys, of which its percentage is a part: the size of windows that follow one
    /// another, the slide of sliding ones. `None`: keys can't be staggered, and a rule with JITTER is refused.
    fn stagger_ms(&self) -> Option<TimeMs> {
        None
    }

    /// How the windows of a key lie to one another, which decides how the machine keeps them. Asked once.
    fn shape(&self) -> Shape {
        Shape::Any
    }

    /// Of [`Shape::Panes`] and [`Shape::Counted`]: the longest span around the instant in which no window begins or ends.
    /// Such a pane is kept once, however many windows hold it. By default the machine can't share.
    fn pane(&self, _time_ms: TimeMs, _offset_ms: TimeMs) -> Option<Span> {
        None
    }

    /// Of [`Shape::Growing`]: how far a window reaches once it holds an event of this instant, which is in it.
    fn grow(&self, open: Span, _time_ms: TimeMs) -> Span {
        open
    }

    /// Of [`Shape::Growing`]: when the result of a window is put out, at its end or later, in the order of their ends.
    fn due_ms(&self, window: Span, _offset_ms: TimeMs) -> TimeMs {
        window.end_ms
    }

    /// A word for people, in `explain`.
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// How the windows of one key lie to one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// They may overlap in any way; each is kept by itself, and an event costs as much as it has windows.
    #[default]
    Any,
    /// No two have an instant in common: the assigner is only asked for the first event of each.
    Apart,
    /// The same, and a window's end moves on with its events.
    Growing,
    /// They overlap, and of two the one that begins first never ends last: kept as panes, an event costs the same whatever
    /// the number of its windows.
    Panes,
    /// The same, over the numbers of a key's events, from 0 on, in place of their times. A window closes with its last
    /// event. Where nothing is open and the next event begins a window, the numbers begin anew.
    Counted,
    /// One that begins with a key's first event and never closes: its result is put out at each event.
    Running,
}

/// The place of a regular grid that the instant is in: `[floor((t − offset) / size) · size + offset, … + size)`, Euclidean, cut
/// off at the ends of time. The size is more than 0.
pub(super) fn grid(time_ms: TimeMs, offset_ms: TimeMs, size_ms: TimeMs) -> Span {
    // In the range of times that there are; else in one that holds all.
    let size_ms = size_ms.max(1);
    let short = || {
        let start_ms = time_ms.checked_sub(offset_ms)?.div_euclid(size_ms).checked_mul(size_ms)?;
        let start_ms = start_ms.checked_add(offset_ms)?;
        Some(Span { start_ms, end_ms: start_ms.checked_add(size_ms)? })
    };
    if let Some(span) = short() {
        return span;
    }
    let (offset, size) = (i128::from(offset_ms), i128::from(size_ms));
    let start = (i128::from(time_ms) - offset).div_euclid(size) * size + offset;
    Span { start_ms: clamp(start), end_ms: clamp(start + size) }
}

/// The nearest time that there is.
pub(super) fn clamp(at: i128) -> TimeMs {
    // Within range after the clamp.
    at.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as TimeMs
}
