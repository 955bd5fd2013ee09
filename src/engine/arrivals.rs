//! The events of a step, in their order, wherever they lie.

use super::inbox::OwnedEvent;
use crate::{
    model::{EventRef, Rows, TimeMs},
    time::Released,
};

/// An event, and if it came late when it was found to be.
pub(super) type Arrived<'a> = (EventRef<'a>, Option<TimeMs>);

/// Events that rules of a level take in one step, by number.
#[derive(Clone, Copy)]
pub(super) enum Arrivals<'a> {
    /// As they left the merge, where they are rows of one batch and none is late: as most often.
    Rows(Rows<'a>),
    /// As they left the merge.
    Released(&'a Released),
    /// That waited for their instant; none is late.
    Waited(&'a [OwnedEvent]),
    /// The same within a circle, each with its stream's rank.
    Round(&'a [(u32, OwnedEvent)]),
}

impl<'a> From<&'a Released> for Arrivals<'a> {
    fn from(released: &'a Released) -> Self {
        released.rows().map_or(Self::Released(released), Self::Rows)
    }
}

impl<'a> Arrivals<'a> {
    /// How many there are.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Released(released) => released.len(),
            Self::Waited(events) => events.len(),
            Self::Round(events) => events.len(),
        }
    }

    /// The event with this number.
    #[inline]
    pub(super) fn event(self, at: usize) -> Option<EventRef<'a>> {
        match self {
            Self::Rows(rows) => rows.event(at),
            Self::Released(released) => released.event(at),
            Self::Waited(events) => events.get(at).map(OwnedEvent::as_ref),
            Self::Round(events) => events.get(at).map(|(_, event)| event.as_ref()),
        }
    }

    /// Whether it came late: when it was found to be.
    #[inline]
    pub(super) fn late_ms(self, at: usize) -> Option<TimeMs> {
        match self {
            Self::Released(released) => released.late_ms(at),
            Self::Rows(_) | Self::Waited(_) | Self::Round(_) => None,
        }
    }

    /// Both.
    #[inline]
    pub(super) fn get(self, at: usize) -> Option<Arrived<'a>> {
        Some((self.event(at)?, self.late_ms(at)))
    }
}
