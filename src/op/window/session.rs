//! Windows that last as long as events keep coming.

use super::{Shape, Span, WindowAssigner};
use crate::model::{TimeMs, format_duration};

/// A session begins with an event and ends `gap` after its last one; an event at a pause of the gap or more begins another.
/// With a longest duration it ends then at the latest, and the next event begins another.
///
/// The result of a session is put out at its end; with an offset (of JITTER) so much later, so that sessions which end
/// together are not put out together. The offset moves no bound. There is no empty session: that a key is silent is what
/// ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    gap_ms: TimeMs,
    max_ms: TimeMs,
}

impl Session {
    /// Sessions with this gap and, if given, longest duration; `None` unless both are more than 0.
    pub fn new(gap_ms: TimeMs, max_ms: Option<TimeMs>) -> Option<Self> {
        let max_ms = max_ms.unwrap_or(TimeMs::MAX);
        (gap_ms > 0 && max_ms > 0).then_some(Self { gap_ms, max_ms })
    }
}

impl WindowAssigner for Session {
    fn assign(&self, time_ms: TimeMs, _: TimeMs, windows: &mut Vec<Span>) {
        let start = Span { start_ms: time_ms, end_ms: time_ms };
        windows.push(self.grow(start, time_ms));
    }

    fn next(&self, _: Span, _: TimeMs) -> Option<Span> {
        None
    }

    fn stagger_ms(&self) -> Option<TimeMs> {
        Some(self.gap_ms)
    }

    fn shape(&self) -> Shape {
        Shape::Growing
    }

    fn grow(&self, open: Span, time_ms: TimeMs) -> Span {
        let longest = open.start_ms.saturating_add(self.max_ms);
        Span { end_ms: time_ms.saturating_add(self.gap_ms).min(longest), ..open }
    }

    fn due_ms(&self, window: Span, offset_ms: TimeMs) -> TimeMs {
        window.end_ms.saturating_add(offset_ms)
    }

    fn describe(&self) -> String {
        let most =
            if self.max_ms < TimeMs::MAX { format!(" max {}", format_duration(self.max_ms)) } else { String::new() };
        format!("session gap {}{most}", format_duration(self.gap_ms))
    }
}
