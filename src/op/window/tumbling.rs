//! Windows back to back, all of one size.

use super::{Shape, Span, WindowAssigner, assigner::grid};
use crate::model::{TimeMs, format_duration};

/// `start = floor((t − offset) / size) · size + offset` (Euclidean, so before 1970 too), `[start, start + size)`.
///
/// Spans that would leave the range of times are cut off at its ends; the very last instant, `i64::MAX`, can be in no
/// half-open window and is in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size_ms: TimeMs,
}

impl Tumbling {
    /// Windows of this size; `None` unless it is more than 0.
    pub fn new(size_ms: TimeMs) -> Option<Self> {
        (size_ms > 0).then_some(Self { size_ms })
    }

    /// The window that contains the instant.
    pub fn span(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let span = grid(time_ms, offset_ms, self.size_ms);
        span.contains(time_ms).then_some(span)
    }
}

impl WindowAssigner for Tumbling {
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
        windows.extend(self.span(time_ms, offset_ms));
    }

    fn first(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        self.span(time_ms, offset_ms)
    }

    fn last(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        self.span(time_ms, offset_ms)
    }

    fn stagger_ms(&self) -> Option<TimeMs> {
        Some(self.size_ms)
    }

    fn shape(&self) -> Shape {
        Shape::Apart
    }

    fn describe(&self) -> String {
        format!("tumbling {}", format_duration(self.size_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_in_its_window_before_1970_and_at_the_ends_of_time(
            time in prop_oneof![any::<i64>(), -100_000_000i64..100_000_000],
            size in prop_oneof![1i64..10_000_000, any::<i64>().prop_filter("positive", |size| *size > 0)],
            share in 0.0f64..1.0,
        ) {
            let offset = (size as f64 * share) as i64;
            let tumbling = Tumbling::new(size).unwrap();
            match tumbling.span(time, offset) {
                Some(span) => {
                    prop_assert!(span.start_ms <= time && time < span.end_ms);
                    let cut = span.start_ms == i64::MIN || span.end_ms == i64::MAX;
                    prop_assert!(cut || span.end_ms - span.start_ms == size);
                    prop_assert!(cut || (i128::from(span.start_ms) - i128::from(offset)).rem_euclid(i128::from(size)) == 0);
                    if let Some(next) = tumbling.next(span, offset) {
                        prop_assert_eq!(next.start_ms, span.end_ms);
                    }
                }
                None => prop_assert_eq!(time, i64::MAX),
            }
        }
    }

    #[test]
    fn the_window_before_1970_rounds_down() {
        let span = Tumbling::new(10).unwrap().span(-1, 3);
        assert_eq!(span, Some(Span { start_ms: -7, end_ms: 3 }));
        assert_eq!(Tumbling::new(10).unwrap().span(3, 3), Some(Span { start_ms: 3, end_ms: 13 }));
        assert_eq!(Tumbling::new(0), None);
        assert_eq!(Tumbling::new(10).unwrap().span(i64::MAX, 0), None);
    }
}
