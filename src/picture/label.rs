//! Times, lengths, and labels that keep out of each other's way.

use crate::model::{TimeMs, format_time};

/// `2014-05-02 08:10 UTC`; seconds only where there are some.
pub(super) fn moment(at_ms: TimeMs) -> String {
    let text = format_time(at_ms.saturating_sub(at_ms.rem_euclid(1_000)));
    let Some(text) = text.strip_suffix('Z') else { return text };
    let text = text.strip_suffix(":00").unwrap_or(text);
    format!("{} UTC", text.replace('T', " "))
}

/// `08:10`, or `2014-05-02` at midnight.
pub(super) fn hour(at_ms: TimeMs) -> String {
    let moment = moment(at_ms);
    let Some((day, time)) = moment.trim_end_matches(" UTC").split_once(' ') else { return moment };
    if time == "00:00" { day.to_owned() } else { time.to_owned() }
}

/// `500 m`, `2 km`.
pub(super) fn length(metres: f64) -> String {
    if metres >= 1_000.0 { format!("{} km", metres / 1_000.0) } else { format!("{metres} m") }
}

/// `73.95°W`, with so many decimals; `0°` without a letter.
pub(super) fn degrees(value: f64, [plus, minus]: [char; 2], places: usize) -> String {
    let size = format!("{:.places$}", value.abs());
    let is_zero = size.trim_matches(['0', '.']).is_empty();
    let letter = if is_zero || size == "180" {
        String::new()
    } else if value < 0.0 {
        minus.to_string()
    } else {
        plus.to_string()
    };
    format!("{size}°{letter}")
}

/// A guess at how wide a text of 11 pixels is: fonts differ, and nothing but the distance of labels hangs on it.
pub(super) fn width(text: &str) -> f64 {
    6.2 * text.chars().count() as f64
}

/// Places for labels on a paper.
#[derive(Debug)]
pub(super) struct Labels {
    paper: (f64, f64),
    taken: Vec<[f64; 4]>,
}

impl Labels {
    /// An empty paper of this size.
    pub(super) fn new(paper: (f64, f64)) -> Self {
        Self { paper, taken: Vec::new() }
    }

    /// The place nearest to `at` where a label of this size is on the paper and on no other, looking below and above; gives the
    /// middle of its upper edge.
    pub(super) fn put(&mut self, at: (f64, f64), (wide, high): (f64, f64)) -> (f64, f64) {
        let x = at.0.clamp((wide / 2.0).min(self.paper.0 / 2.0), (self.paper.0 - wide / 2.0).max(self.paper.0 / 2.0));
        let mut best = at.1;
        for step in [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 5.0, -5.0, 6.0, -6.0] {
            let y = at.1 + step * 10.0;
            let place = [x - wide / 2.0, y, x + wide / 2.0, y + high];
            let is_on_paper = y >= 0.0 && place[3] <= self.paper.1;
            let is_free = self.taken.iter().all(|other| {
                place[0] >= other[2] || place[2] <= other[0] || place[1] >= other[3] || place[3] <= other[1]
            });
            if is_on_paper && is_free {
                best = y;
                break;
            }
        }
        let y = best.clamp(0.0, (self.paper.1 - high).max(0.0));
        self.taken.push([x - wide / 2.0, y, x + wide / 2.0, y + high]);
        (x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_short_as_they_can_be() {
        assert_eq!(moment(1_399_004_100_000), "2014-05-02 04:15 UTC");
        assert_eq!(moment(1_399_004_100_999), "2014-05-02 04:15 UTC");
        assert_eq!(moment(1_399_004_131_250), "2014-05-02 04:15:31 UTC");
        assert_eq!((hour(1_399_004_100_000).as_str(), hour(0).as_str()), ("04:15", "1970-01-01"));
        let shown = [(-73.95, 2), (12.0, 0), (0.0, 1)].map(|(value, places)| degrees(value, ['E', 'W'], places));
        assert_eq!(shown, ["73.95°W", "12°E", "0.0°"]);
        assert_eq!((length(2_000.0).as_str(), length(500.0).as_str()), ("2 km", "500 m"));
    }

    #[test]
    fn labels_stay_on_the_paper_and_off_each_other() {
        let mut labels = Labels::new((200.0, 100.0));
        let first = labels.put((100.0, 40.0), (60.0, 20.0));
        let second = labels.put((100.0, 40.0), (60.0, 20.0));
        assert_eq!(first, (100.0, 40.0));
        assert!((second.1 - first.1).abs() >= 20.0);
        assert_eq!(labels.put((-50.0, 500.0), (60.0, 20.0)), (30.0, 80.0));
    }
}
