//! Windows back to back by the clocks of a place: hours, days and weeks as people there count them.

use super::{Shape, Span, WindowAssigner, assigner::grid};
use crate::model::{TimeMs, Zone, format_duration};

/// A window begins whenever the clocks show `k · size + offset`, counted from when they showed 1970-01-01 00:00.
///
/// So days last 23 or 25 hours where the clocks are put forward or back. A beginning that the clocks leave out takes place
/// when they are put forward, and of one that they show twice the first counts: an hour that is shown twice is one window
/// of two hours, one that isn't shown is no window. JITTER's offset shifts whole windows in plain time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    size_ms: TimeMs,
    offset_ms: TimeMs,
    zone: Zone,
}

/// Clocks are put back by an hour, or a few: with windows of this size that takes a few steps.
const SMALLEST_MS: TimeMs = 3_600_000;

/// More steps than any change of clocks takes.
const STEPS: usize = 64;

impl Calendar {
    /// Windows of this size, of at least an hour, shifted by so much on the clocks of a place; `None` for smaller ones.
    pub fn new(size_ms: TimeMs, offset_ms: TimeMs, zone: Zone) -> Option<Self> {
        (size_ms >= SMALLEST_MS).then_some(Self { size_ms, offset_ms, zone })
    }

    fn aligned(&self, time_ms: TimeMs) -> Option<Span> {
        let shown = grid(self.zone.clock_ms(time_ms)?, self.offset_ms, self.size_ms);
        let mut span = self.between(shown)?;
        let mut shown_ms = shown.start_ms;
        for _ in 0..STEPS {
            if span.contains(time_ms) {
                return Some(span);
            }
            // Clocks that were put back show a beginning again that was, or one of the window before.
            let step = if span.end_ms <= time_ms { self.size_ms } else { -self.size_ms };
            shown_ms = shown_ms.checked_add(step)?;
            span = self.between(Span { start_ms: shown_ms, end_ms: shown_ms.checked_add(self.size_ms)? })?;
        }
        None
    }

    /// The window between two readings of the clocks.
    fn between(&self, shown: Span) -> Option<Span> {
        Some(Span { start_ms: self.zone.instant_ms(shown.start_ms)?, end_ms: self.zone.instant_ms(shown.end_ms)? })
    }
}

impl WindowAssigner for Calendar {
    fn assign(&self, time_ms: TimeMs, offset_ms: TimeMs, windows: &mut Vec<Span>) {
        windows.extend(self.first(time_ms, offset_ms));
    }

    fn first(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        let span = self.aligned(time_ms.checked_sub(offset_ms)?)?;
        let span =
            Span { start_ms: span.start_ms.checked_add(offset_ms)?, end_ms: span.end_ms.checked_add(offset_ms)? };
        Some(span).filter(|span| span.contains(time_ms))
    }

    fn last(&self, time_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        self.first(time_ms, offset_ms)
    }

    fn stagger_ms(&self) -> Option<TimeMs> {
        Some(self.size_ms)
    }

    fn shape(&self) -> Shape {
        Shape::Apart
    }

    fn describe(&self) -> String {
        let mut text = format!("tumbling {} in {}", format_duration(self.size_ms), self.zone.name());
        if self.offset_ms != 0 {
            text.push_str(&format!(", shifted by {} on its clocks", format_duration(self.offset_ms)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_time;
    use proptest::prelude::*;

    const HOUR: TimeMs = 3_600_000;

    /// Put back by an hour; by half an hour; not at all, at an odd offset; put forward over a whole day in 2011.
    const ZONES: [&str; 5] =
        ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];

    fn calendar(size_ms: TimeMs, zone: &str) -> Calendar {
        Calendar::new(size_ms, 0, Zone::new(zone).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn windows_follow_one_another_and_begin_when_the_clocks_say_so(
            time in -2_000_000_000_000i64..4_000_000_000_000,
            size in prop::sample::select(vec![1, 2, 6, 8, 24, 48, 168]),
            zone in prop::sample::select(ZONES.to_vec()),
            offset in 0i64..86_400_000,
        ) {
            let calendar = calendar(size * HOUR, zone);
            let span = calendar.first(time, offset).unwrap();
            prop_assert!(span.contains(time));
            let next = calendar.next(span, offset).unwrap();
            prop_assert_eq!(next.start_ms, span.end_ms);
            prop_assert_eq!(calendar.first(span.end_ms - 1, offset), Some(span));
            prop_assert_eq!(calendar.first(span.start_ms, offset), Some(span));
            // What the clocks show at its start is a beginning, or the first thing they show after one that they left out.
            let shown = calendar.zone.clock_ms(span.start_ms - offset).unwrap();
            let before = calendar.zone.clock_ms(span.start_ms - offset - 1).unwrap();
            let beginning = grid(shown, 0, calendar.size_ms).start_ms;
            prop_assert!(beginning == shown || before < beginning && beginning <= shown);
        }

        #[test]
        fn the_ends_of_time_are_in_no_window_and_no_panic(time: i64, offset in 0i64..86_400_000) {
            let _ = calendar(24 * HOUR, "Europe/Paris").first(time, offset);
        }
    }

    #[test]
    fn days_are_an_hour_shorter_or_longer_when_the_clocks_change() {
        let at = |text: &str| parse_time(text).unwrap();
        let hours = |zone: &str, time: &str| {
            let span = calendar(24 * HOUR, zone).first(at(time), 0).unwrap();
            (span.end_ms - span.start_ms) as f64 / HOUR as f64
        };
        assert_eq!(hours("Europe/Paris", "2026-03-29T12:00:00Z"), 23.0);
        assert_eq!(hours("Europe/Paris", "2026-10-25T12:00:00Z"), 25.0);
        assert_eq!(hours("America/New_York", "2026-03-08T18:00:00Z"), 23.0);
        assert_eq!(hours("America/New_York", "2024-02-29T18:00:00Z"), 24.0);
        assert_eq!(hours("Australia/Lord_Howe", "2026-04-04T18:00:00Z"), 24.5);
        // Samoa left out 2011-12-30.
        let before = calendar(24 * HOUR, "Pacific/Apia").first(at("2011-12-30T09:59:59Z"), 0).unwrap();
        assert_eq!((before.end_ms, before.end_ms - before.start_ms), (at("2011-12-30T10:00:00Z"), 24 * HOUR));
    }

    #[test]
    fn an_hour_that_is_shown_twice_is_one_window_of_two_hours() {
        let paris = calendar(HOUR, "Europe/Paris");
        let at = |text: &str| parse_time(text).unwrap();
        let twice = Span { start_ms: at("2026-10-25T00:00:00Z"), end_ms: at("2026-10-25T02:00:00Z") };
        assert_eq!(paris.first(at("2026-10-25T00:30:00Z"), 0), Some(twice));
        assert_eq!(paris.first(at("2026-10-25T01:30:00Z"), 0), Some(twice));
        let left_out = paris.first(at("2026-03-29T00:30:00Z"), 0).unwrap();
        assert_eq!(left_out.end_ms - left_out.start_ms, HOUR);
    }

    #[test]
    fn an_offset_by_hand_is_one_of_the_clocks() {
        let zone = Zone::new("Europe/Paris").unwrap();
        let shifts = Calendar::new(24 * HOUR, 6 * HOUR, zone).unwrap();
        let at = |text: &str| parse_time(text).unwrap();
        let span = Span { start_ms: at("2026-03-28T05:00:00Z"), end_ms: at("2026-03-29T04:00:00Z") };
        assert_eq!(shifts.first(at("2026-03-29T03:59:59Z"), 0), Some(span));
    }
}
