//! What a kernel puts out: a match, a timed-out partial match, a window's result, an event that passed a filter.

use super::{EventId, TimeMs, Value};
use crate::geo::Position;
use smallvec::SmallVec;
use std::sync::Arc;

/// Which clock fired a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Event time: an event or a watermark.
    Event,
    /// The wall clock.
    Wall,
}

impl Clock {
    /// Its word in alerts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Wall => "wall",
        }
    }
}

/// What kind of output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmissionKind {
    /// An event that passed a filter.
    Event,
    /// A finished match of a pattern.
    Match,
    /// A partial match that ran out of time.
    TimedOut,
    /// A window's result.
    Window,
    /// A region at a tick.
    Region,
}

/// An event that a match took.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The index of the pattern variable that it is bound to.
    pub var: u16,
    /// Who it is.
    pub id: EventId,
    /// Where it was, if its stream has a position and the rule wants the track.
    pub position: Option<Position>,
}

/// Which row of its match an output is, where every event of a match is an output of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number, from 1.
    pub number: u32,
    /// The events of the whole match, in order of time; all rows of a match share it.
    pub of: Arc<[Taken]>,
}

/// The measures of an output. So many as most rules have are kept in place: an output is made, moved and dropped without an allocation.
pub type Measures = SmallVec<[Value; 4]>;

/// The events of an output; that of a rule without a pattern is one.
pub type TakenEvents = SmallVec<[Taken; 1]>;

/// One output of a kernel, for the key that it was stepping.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// What it is.
    pub kind: EmissionKind,
    /// When it was decided: the deciding event's time, a window's end, a timer's deadline; of a result that a late event changed
    /// the watermark at which that came.
    pub time_ms: TimeMs,
    /// The first event's time, or the window's start.
    pub start_ms: TimeMs,
    /// The last event's time, the window's end (exclusive), or the deadline.
    pub end_ms: TimeMs,
    /// Which clock fired the timer that decided it; none: an event did.
    pub clock: Option<Clock>,
    /// The measures, in the rule's order.
    pub values: Measures,
    /// The events taken, in order of time; empty for windows. Of a row its own event.
    pub taken: TakenEvents,
    /// Which row of a match it is; none: the match is one output.
    pub row: Option<Row>,
    /// How many results of the same window were put out before: more than 0 where a late event changed it.
    pub revision: u32,
    /// How much a bound on the work dropped since the key's output before (partial matches, or matches that ended with the
    /// same event), at least; 0 almost always.
    pub dropped: u64,
}

// Outputs wait by the thousand and are moved when they are handed on: growth is a decision.
const _: () = assert!(size_of::<Emission>() == 232);
