//! Windows that begin together and end one step later each, up to the full size: the day so far, every hour.

use super::{
    Shape, Span, WindowAssigner,
    assigner::{clamp, grid},
};
use crate::model::{TimeMs, format_duration};

/// `[start, start + step)`, `[start, start + 2 · step)`, … `[start, start + size)`, with starts as [`Tumbling`](super::Tumbling)
/// has them. Each step of events is one pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulative {
    size_ms: TimeMs,
    step_ms: TimeMs,
}

impl Cumulative {
    /// Windows up to this size in steps; `None` unless the step is more than 0 and divides the size.
    pub fn new(size_ms: TimeMs, step_ms: TimeMs) -> Option<Self> {
        (size_ms > 0 && step_ms > 0 && size_ms % step_ms == 0).then_some(Self { size_ms, step_ms })
    }

    /// The step that the instant is in: a grid as well, since the step divides the size.
    fn step(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Span {
        grid(time_ms, offset_ms, self.step_ms)
    }
}

impl WindowAssigner for Cumulative {
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
        let whole = grid(time_ms, offset_ms, self.size_ms);
        let mut end = i128::from(self.step(time_ms, offset_ms).end_ms);
        while end < i128::from(whole.end_ms) {
            windows.push(Span { end_ms: clamp(end), ..whole });
            end += i128::from(self.step_ms);
        }
        windows.push(whole);
    }

    fn first(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let start_ms = grid(time_ms, offset_ms, self.size_ms).start_ms;
        Some(Span { start_ms, end_ms: self.step(time_ms, offset_ms).end_ms }).filter(|span| span.contains(time_ms))
    }

    fn last(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        Some(grid(time_ms, offset_ms, self.size_ms)).filter(|span| span.contains(time_ms))
    }

    fn stagger_ms(&self) -> Option<TimeMs> {
        Some(self.size_ms)
    }

    fn shape(&self) -> Shape {
        Shape::Panes
    }

    fn pane(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        Some(self.step(time_ms, offset_ms))
    }

    fn describe(&self) -> String {
        format!("cumulative {} every {}", format_duration(self.size_ms), format_duration(self.step_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_by_the_step_until_the_size_and_then_begin_anew() {
        let cumulative = Cumulative::new(30, 10).unwrap();
        let mut windows = vec![];
        cumulative.assign(-5, 2, &mut windows);
        let span = |start_ms, end_ms| Span { start_ms, end_ms };
        assert_eq!(windows, [span(-28, 2)]);
        windows.clear();
        cumulative.assign(2, 2, &mut windows);
        assert_eq!(windows, [span(2, 12), span(2, 22), span(2, 32)]);
        let mut window = cumulative.first(5, 2).unwrap();
        let mut ends = vec![];
        for _ in 0..5 {
            ends.push(window);
            window = cumulative.next(window, 2).unwrap();
        }
        assert_eq!(ends, [span(2, 12), span(2, 22), span(2, 32), span(32, 42), span(32, 52)]);
        assert_eq!(Cumulative::new(30, 20), None);
        assert_eq!(cumulative.first(i64::MAX, 0), None);
    }
}
