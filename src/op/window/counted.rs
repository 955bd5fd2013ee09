//! Windows of so many events.

use super::{
    Shape, Span, WindowAssigner,
    assigner::{clamp, grid},
};
use crate::model::TimeMs;

/// Windows over the numbers of a key's events: `[k · every, k · every + size)` for k = 0, 1, …; so with `every` equal to the size
/// they follow one another, and with more events between are left out. Each closes with its last event; one that never
/// fills gives no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    size: i64,
    every: i64,
}

impl Counted {
    /// Windows of so many events, one every so many; `None` unless both are from 1 to 2^63 − 1.
    pub fn new(size: u64, every: u64) -> Option<Self> {
        let (size, every) = (i64::try_from(size).ok()?, i64::try_from(every).ok()?);
        (size > 0 && every > 0).then_some(Self { size, every })
    }

    fn window(&self, start: i128) -> Span {
        Span { start_ms: clamp(start), end_ms: clamp(start + i128::from(self.size)) }
    }

    fn first_start(&self, number: i64) -> i128 {
        let every = i128::from(self.every);
        ((i128::from(number) - i128::from(self.size)).div_euclid(every) * every + every).max(0)
    }
}

impl WindowAssigner for Counted {
    fn assign(&self, number: TimeMs, _: TimeMs, windows: &mut Vec<Span>) {
        let mut start = self.first_start(number);
        while start <= i128::from(number) {
            windows.push(self.window(start));
            start += i128::from(self.every);
        }
    }

    fn first(&self, number: TimeMs, _: TimeMs) -> Option<Span> {
        Some(self.window(self.first_start(number))).filter(|span| span.contains(number))
    }

    fn next(&self, closed: Span, _: TimeMs) -> Option<Span> {
        Some(self.window(i128::from(closed.start_ms) + i128::from(self.every)))
    }

    fn shape(&self) -> Shape {
        Shape::Counted
    }

    fn pane(&self, number: TimeMs, _: TimeMs) -> Option<Span> {
        let slide = grid(number, 0, self.every);
        let end_ms = slide.start_ms.saturating_add(self.size.rem_euclid(self.every)).min(slide.end_ms);
        Some(match number < end_ms {
            true => Span { end_ms, ..slide },
            false => Span { start_ms: end_ms, ..slide },
        })
    }

    fn describe(&self) -> String {
        match self.size == self.every {
            true => format!("count {}", self.size),
            false => format!("count {} every {}", self.size, self.every),
        }
    }
}
