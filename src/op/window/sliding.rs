//! Windows of one size that begin at a regular distance, so that they overlap (or, with a distance above the size, leave
//! gaps).

use super::{
    Shape, Span, WindowAssigner,
    assigner::{clamp, grid},
};
use crate::model::{TimeMs, format_duration};

/// Starts at `k · every + offset`, `[start, start + size)`, for every whole k.
///
/// An event is kept once per pane, at most two of which there are per slide (Krishnamurthy, Wu & Franklin, *On-the-fly
/// sharing for streamed aggregation*, 2006, call them paired windows). Spans are cut off at the ends of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    size_ms: TimeMs,
    every_ms: TimeMs,
}

impl Sliding {
    /// Windows of this size, one every `every_ms`; `None` unless both are more than 0.
    pub fn new(size_ms: TimeMs, every_ms: TimeMs) -> Option<Self> {
        (size_ms > 0 && every_ms > 0).then_some(Self { size_ms, every_ms })
    }

    /// The window that begins here, which may be before the beginning of time.
    fn window(&self, start: i128) -> Span {
        Span { start_ms: clamp(start), end_ms: clamp(start + i128::from(self.size_ms)) }
    }

    /// The start of the earliest window that contains the instant, if any does.
    fn first_start(&self, time_ms: TimeMs, offset_ms: TimeMs) -> i128 {
        let (every, size, offset) = (i128::from(self.every_ms), i128::from(self.size_ms), i128::from(offset_ms));
        // The first start after `time − size`.
        (i128::from(time_ms) - size - offset).div_euclid(every) * every + every + offset
    }
}

impl WindowAssigner for Sliding {
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
        let mut start = self.first_start(time_ms, offset_ms);
        while start <= i128::from(time_ms) {
            windows.push(self.window(start));
            start += i128::from(self.every_ms);
        }
    }

    fn first(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        Some(self.window(self.first_start(time_ms, offset_ms))).filter(|span| span.contains(time_ms))
    }

    fn last(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let (every, offset) = (i128::from(self.every_ms), i128::from(offset_ms));
        let start = (i128::from(time_ms) - offset).div_euclid(every) * every + offset;
        Some(self.window(start)).filter(|span| span.contains(time_ms))
    }

    fn next(&self, closed: Span, offset_ms: TimeMs) -> Option<Span> {
        // From the end, since a start may be cut off.
        let start = i128::from(closed.end_ms) - i128::from(self.size_ms);
        let on_grid = (start - i128::from(offset_ms)).rem_euclid(i128::from(self.every_ms)) == 0;
        on_grid.then(|| self.window(start + i128::from(self.every_ms))).filter(|span| span.start_ms < span.end_ms)
    }

    fn stagger_ms(&self) -> Option<TimeMs> {
        Some(self.every_ms)
    }

    fn shape(&self) -> Shape {
        Shape::Panes
    }

    fn pane(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        // A window begins at each point of the grid, and one ends `size mod every` after each.
        let slide = grid(time_ms, offset_ms, self.every_ms);
        let end = i128::from(slide.start_ms) + i128::from(self.size_ms.rem_euclid(self.every_ms));
        let end_ms = clamp(end).min(slide.end_ms);
        Some(match time_ms < end_ms {
            true => Span { end_ms, ..slide },
            false => Span { start_ms: end_ms, ..slide },
        })
    }

    fn describe(&self) -> String {
        format!("sliding {} every {}", format_duration(self.size_ms), format_duration(self.every_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_in_every_window_that_could_hold_it_and_its_pane_is_in_all_of_them(
            time in -10_000i64..10_000, size in 1i64..300, every in 1i64..300, offset in 0i64..300,
        ) {
            let sliding = Sliding::new(size, every).unwrap();
            let mut windows = vec![];
            sliding.assign(time, offset, &mut windows);
            let starts = (time - size + 1..=time).filter(|start| (start - offset).rem_euclid(every) == 0);
            let expected: Vec<Span> = starts.map(|start| Span { start_ms: start, end_ms: start + size }).collect();
            prop_assert_eq!(&windows, &expected);
            prop_assert_eq!(sliding.first(time, offset), expected.first().copied());
            prop_assert_eq!(sliding.last(time, offset), expected.last().copied());
            let pane = sliding.pane(time, offset).unwrap();
            prop_assert!(pane.contains(time));
            for other in [pane.start_ms, pane.end_ms - 1] {
                windows.clear();
                sliding.assign(other, offset, &mut windows);
                prop_assert_eq!(&windows, &expected, "no window begins or ends in a pane");
            }
            if let Some(first) = expected.first() {
                let next = sliding.next(*first, offset).unwrap();
                prop_assert_eq!((next.start_ms, next.end_ms), (first.start_ms + every, first.end_ms + every));
            }
        }

        #[test]
        fn the_ends_of_time_neither_overflow_nor_lose_the_order(
            time in prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(i64::MAX - 1), Just(i64::MIN + 1)],
            size in 1i64..1_000, every in 1i64..1_000,
        ) {
            let sliding = Sliding::new(size, every).unwrap();
            if let Some(first) = sliding.first(time, 0) {
                prop_assert!(first.contains(time));
                if let Some(next) = sliding.next(first, 0) {
                    prop_assert!(next.start_ms >= first.start_ms && next.end_ms >= first.end_ms);
                }
            }
            prop_assert!(sliding.pane(time, 0).unwrap().start_ms <= time);
        }
    }
}
