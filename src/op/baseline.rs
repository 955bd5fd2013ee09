//! What is usual: the median of what a value was at this hour of the week, and the median of its distances from that.
//!
//! # What is compared with what
//!
//! An event is compared with whole hours before its own, in UTC, that began at most `over_hours` before its hour did: those of
//! the same hour of the week where at least [`HOURS_MIN`] of them had values, else those of the same hour of any day, if
//! at least as many had. With fewer there is no baseline yet, and it is null. The hour that the event is in doesn't count, so
//! what is going on now is not its own measure.
//!
//! Every hour weighs the same, however many values it had. So, of three hours and more, no single one (an odd day) can
//! move the median out of what the others had; nor can it do more to the median of distances (MAD, median absolute
//! deviation; Hampel, *The influence curve and its role in robust estimation*, 1974).
//!
//! # What is kept
//!
//! Of an hour with up to [`KEPT`] values all of them, so that hourly or quarter-hourly readings are exact; of more, as many in
//! their stead: the ones an eighth, three, five and seven eighths from the bottom. While it lasts an hour has room for
//! `ROOM` values, and where there are more every second, fourth, … is looked at. Both medians stand still during an
//! hour, so they are computed once in it. When all its hours are too old a key has no state left.

use crate::model::{DecodeError, Reader, TimeMs, Value, Writer};
use std::collections::VecDeque;

/// So many hours with values make a baseline: of two, one that is odd can't be told.
pub const HOURS_MIN: usize = 3;
/// The most values that are kept of an hour that is over.
pub const KEPT: usize = 4;
/// The most values that are kept of the hour that is on.
const ROOM: usize = 64;
const HOUR_MS: TimeMs = 3_600_000;
const DAY: i32 = 24;
const WEEK: i32 = 7 * DAY;
/// The least common multiple of 1 to [`KEPT`]: so often an hour counts in all.
const WEIGHT: usize = 12;

/// What a value was, hour by hour, for one key.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The hour that is on, counted from the epoch.
    hour: i32,
    /// Its values, of which every `stride`-th is taken.
    now: Vec<f64>,
    stride: u32,
    skip: u32,
    /// Hours that are over and how many values are kept of each, ascending; those stand in `values` one after another.
    past: VecDeque<(i32, u8)>,
    values: VecDeque<f64>,
    /// Whether the values are durations.
    durations: bool,
    /// Both medians as seen from `hour`, once they were asked for: `Some(None)` is that there are none.
    known: Option<Option<[f64; 2]>>,
}

impl History {
    /// The median and the median of the distances from it for an event of this time, over so many hours back; twice null
    /// before they are known. Times don't go back.
    pub fn usual(&mut self, time_ms: TimeMs, over_hours: u32) -> [Value; 2] {
        self.turn(hour_of(time_ms), over_hours);
        let known = match self.known {
            Some(known) => known,
            None => *self.known.insert(self.compute()),
        };
        let value = |x: f64| match self.durations {
            true => Value::Duration(x.round() as i64),
            false => x.into(),
        };
        known.map_or([Value::Null, Value::Null], |both| both.map(value))
    }

    /// Takes the value of an event of this time, if it is a number or a duration.
    pub fn add(&mut self, time_ms: TimeMs, over_hours: u32, value: &Value) {
        let x = match value {
            Value::Int(x) => *x as f64,
            Value::Float(x) => *x,
            Value::Duration(x) => *x as f64,
            _ => return,
        };
        self.durations |= matches!(value, Value::Duration(_));
        self.turn(hour_of(time_ms), over_hours);
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.skip = self.stride.saturating_sub(1);
        self.now.push(x);
        if self.now.len() >= ROOM {
            let mut at = 0;
            self.now.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride = self.stride.max(1).saturating_mul(2);
        }
    }

    /// When nothing of it counts any more; none: it is empty.
    pub fn over_ms(&self, over_hours: u32) -> Option<TimeMs> {
        let last = if self.now.is_empty() { self.past.back()?.0 } else { self.hour };
        Some((i64::from(last) + i64::from(over_hours) + 1).saturating_mul(HOUR_MS))
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        (self.now.capacity() + self.values.capacity()) * size_of::<f64>()
            + self.past.capacity() * size_of::<(i32, u8)>()
    }

    /// Goes on to an hour: the one that was on is over, and what is too old is forgotten.
    fn turn(&mut self, hour: i32, over_hours: u32) {
        if hour <= self.hour && !(self.now.is_empty() && self.past.is_empty()) {
            return;
        }
        let kept = representatives(&mut self.now);
        if !kept.is_empty() {
            self.past.push_back((self.hour, kept.len() as u8));
            self.values.extend(kept);
        }
        self.now = Vec::new();
        (self.hour, self.stride, self.skip, self.known) = (hour, 1, 0, None);
        let oldest = i64::from(hour) - i64::from(over_hours);
        while let Some(&(_, count)) = self.past.front().filter(|(hour, _)| i64::from(*hour) < oldest) {
            self.past.pop_front();
            self.values.drain(..usize::from(count).min(self.values.len()));
        }
    }

    fn compute(&self) -> Option<[f64; 2]> {
        let mut all = [WEEK, DAY].into_iter().find_map(|period| self.at_hours_of(period))?;
        all.sort_unstable_by(f64::total_cmp);
        let median = middle(&all)?;
        all.iter_mut().for_each(|x| *x = (*x - median).abs());
        all.sort_unstable_by(f64::total_cmp);
        Some([median, middle(&all)?])
    }

    /// The values of the hours that are whole periods before this one, each hour's [`WEIGHT`] times in all; none if there are
    /// too few such hours.
    fn at_hours_of(&self, period: i32) -> Option<Vec<f64>> {
        let (mut found, mut hours, mut first) = (Vec::new(), 0, 0);
        for &(hour, count) in &self.past {
            let end = first + usize::from(count);
            if (i64::from(self.hour) - i64::from(hour)) % i64::from(period) == 0 {
                hours += 1;
                for &value in self.values.range(first..end.min(self.values.len())) {
                    found.extend(std::iter::repeat_n(value, WEIGHT / usize::from(count).max(1)));
                }
            }
            first = end;
        }
        (hours >= HOURS_MIN).then_some(found)
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.i64(self.hour.into());
        writer.u64(self.stride.into());
        writer.u64(self.skip.into());
        writer.bool(self.durations);
        writer.len(self.now.len());
        self.now.iter().for_each(|&x| writer.f64(x));
        writer.len(self.past.len());
        for &(hour, count) in &self.past {
            writer.i64(hour.into());
            writer.u8(count);
        }
        self.values.iter().for_each(|&x| writer.f64(x));
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let wrong = |found: i64, expected| DecodeError::Unexpected { found: found as u64, expected };
        let hour = |reader: &mut Reader<'_>| {
            let hour = reader.i64()?;
            i32::try_from(hour).map_err(|_| wrong(hour, "an hour"))
        };
        let number = |reader: &mut Reader<'_>| {
            let x = reader.f64()?;
            if x.is_finite() { Ok(x) } else { Err(wrong(0, "a number")) }
        };
        let mut history = Self { hour: hour(reader)?, stride: reader.u32()?, skip: reader.u32()?, ..Self::default() };
        history.durations = reader.bool()?;
        let count = reader.len()?;
        if count >= ROOM {
            return Err(wrong(count as i64, "values of an hour"));
        }
        for _ in 0..count {
            history.now.push(number(reader)?);
        }
        let mut total = 0;
        for _ in 0..reader.len()? {
            let (hour, count) = (hour(reader)?, reader.u8()?);
            let follows = history.past.back().is_none_or(|(before, _)| *before < hour) && hour < history.hour;
            if !follows || !(1..=KEPT).contains(&usize::from(count)) {
                return Err(wrong(hour.into(), "hours in order"));
            }
            history.past.push_back((hour, count));
            total += usize::from(count);
        }
        for _ in 0..total {
            history.values.push_back(number(reader)?);
        }
        Ok(history)
    }
}

/// The hour that an instant is in, counted from the epoch.
fn hour_of(time_ms: TimeMs) -> i32 {
    // Within range after the clamp, which is a quarter of a million years away.
    time_ms.div_euclid(HOUR_MS).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// At most [`KEPT`] of the values, in their stead.
fn representatives(values: &mut [f64]) -> Vec<f64> {
    if values.len() <= KEPT {
        return values.to_vec();
    }
    values.sort_unstable_by(f64::total_cmp);
    (0..KEPT).filter_map(|at| values.get((2 * at + 1) * values.len() / (2 * KEPT)).copied()).collect()
}

/// The median of a sorted list.
fn middle(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (low, high) = (*sorted.get(last / 2)?, *sorted.get(last - last / 2)?);
    let sum = low + high;
    Some(if sum.is_finite() { sum / 2.0 } else { low / 2.0 + high / 2.0 })
}

#[cfg(test)]
#[path = "baseline_test.rs"]
mod baseline_test;
