//! How far a partition's event time has come, and how far that lets the whole go.

use crate::model::{DecodeError, Reader, StreamId, TimeMs, Writer};

/// A partition's watermark w promises that no event with time < w will come; an event that breaks it is late.
///
/// It is the largest time seen less the disorder, or what the wall clock raised it to, if that is more. It never falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    disorder_ms: TimeMs,
    max_ms: TimeMs,
    raised_ms: TimeMs,
    idle: bool,
    ended: bool,
}

impl Watermark {
    /// Before any event: `TimeMs::MIN`. A negative disorder counts as 0.
    pub fn new(disorder_ms: TimeMs) -> Self {
        let disorder_ms = disorder_ms.max(0);
        Self { disorder_ms, max_ms: TimeMs::MIN, raised_ms: TimeMs::MIN, idle: false, ended: false }
    }

    /// It has neither ended nor is it idle, and this is its disorder from now on. What it promised holds.
    pub(super) fn wake(&mut self, disorder_ms: TimeMs) {
        let disorder_ms = disorder_ms.max(0);
        if disorder_ms != self.disorder_ms {
            self.raise(self.max_ms.saturating_sub(self.disorder_ms));
            self.disorder_ms = disorder_ms;
        }
        (self.idle, self.ended) = (false, false);
    }

    /// The event's time counts; it is not late.
    #[inline]
    pub fn observe(&mut self, time_ms: TimeMs) {
        self.max_ms = self.max_ms.max(time_ms);
    }

    /// The wall clock says that it is at least here.
    pub fn raise(&mut self, to_ms: TimeMs) {
        self.raised_ms = self.raised_ms.max(to_ms);
    }

    /// A partition that is idle holds nothing back; its next event ends that.
    pub fn set_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// Nothing more will come: the watermark is `TimeMs::MAX`.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// No event with a time below this will come.
    #[inline]
    pub fn time_ms(&self) -> TimeMs {
        if self.ended { TimeMs::MAX } else { self.max_ms.saturating_sub(self.disorder_ms).max(self.raised_ms) }
    }

    /// How far its events alone have brought it, whatever the wall clock said.
    pub fn event_ms(&self) -> TimeMs {
        if self.ended { TimeMs::MAX } else { self.max_ms.saturating_sub(self.disorder_ms) }
    }

    /// Whether it is idle.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// Whether it has ended.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether it holds others back.
    pub fn is_active(&self) -> bool {
        !self.idle && !self.ended
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for time_ms in [self.disorder_ms, self.max_ms, self.raised_ms] {
            writer.i64(time_ms);
        }
        writer.bool(self.idle);
        writer.bool(self.ended);
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let disorder_ms = reader.i64()?;
        if disorder_ms < 0 {
            return Err(DecodeError::Unexpected { found: disorder_ms as u64, expected: "a disorder" });
        }
        let (max_ms, raised_ms) = (reader.i64()?, reader.i64()?);
        Ok(Self { disorder_ms, max_ms, raised_ms, idle: reader.bool()?, ended: reader.bool()? })
    }
}

/// A place in the total order, offsets left out. Ordered by time, then stream, then partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time_ms: TimeMs,
    pub(super) stream: StreamId,
    pub(super) partition: u32,
}

impl Place {
    /// Before and after everything.
    pub(super) const MIN: Self = Self { time_ms: TimeMs::MIN, stream: StreamId(0), partition: 0 };
    pub(super) const MAX: Self = Self { time_ms: TimeMs::MAX, stream: StreamId(u32::MAX), partition: u32::MAX };
}

/// Up to which place events may leave: see [`Merge`](super::Merge) for why it is this.
///
/// Of the active partitions the least (watermark, stream, partition). With none active but some idle, the largest of the
/// idle ones: nobody holds back, and nobody has promised more. With all ended, everything. With no partition at all: none.
pub(super) fn frontier(partitions: impl Iterator<Item = (Place, Watermark)>) -> Option<Place> {
    let (mut active, mut idle, mut any) = (None::<Place>, None::<Place>, false);
    for (place, watermark) in partitions {
        any = true;
        if watermark.is_active() {
            active = Some(active.map_or(place, |least| least.min(place)));
        } else if !watermark.is_ended() {
            idle = Some(idle.map_or(place, |most| most.max(place)));
        }
    }
    active.or(idle).or(any.then_some(Place::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, watermark: Watermark) -> (Place, Watermark) {
        (Place { time_ms: watermark.time_ms(), stream: StreamId(0), partition }, watermark)
    }

    fn seen(time_ms: TimeMs) -> Watermark {
        let mut watermark = Watermark::new(10);
        watermark.observe(time_ms);
        watermark
    }

    #[test]
    fn a_watermark_is_the_largest_time_less_the_disorder_and_never_falls() {
        let mut watermark = Watermark::new(10);
        assert_eq!(watermark.time_ms(), TimeMs::MIN);
        for (time_ms, expected) in [(TimeMs::MIN + 3, TimeMs::MIN), (100, 90), (95, 90), (101, 91)] {
            watermark.observe(time_ms);
            assert_eq!(watermark.time_ms(), expected);
        }
        watermark.raise(95);
        watermark.observe(102);
        assert_eq!(watermark.time_ms(), 95);
        watermark.end();
        assert_eq!(watermark.time_ms(), TimeMs::MAX);
    }

    #[test]
    fn idle_and_ended_partitions_hold_nothing_back() {
        let (mut idle, mut ended) = (seen(50), seen(20));
        idle.set_idle(true);
        ended.end();
        let time = |partitions: &[(Place, Watermark)]| frontier(partitions.iter().copied()).map(|place| place.time_ms);
        assert_eq!(time(&[at(0, seen(200)), at(1, seen(100)), at(2, idle), at(3, ended)]), Some(90));
        assert_eq!(time(&[at(2, idle), at(3, ended)]), Some(40));
        assert_eq!(time(&[at(3, ended)]), Some(TimeMs::MAX));
        assert_eq!(time(&[]), None);
    }
}
