//! What goes to a receiver, and what comes back.

use std::time::Duration;

/// An alert on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its id.
    pub id: u128,
    /// Its rule.
    pub rule: String,
    /// Its line, without a newline.
    pub line: Vec<u8>,
    /// When it was put into the outbox, by the wall clock, in milliseconds since 1970.
    pub put_ms: i64,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has the alerts.
    Taken,
    /// It may have them later.
    Later {
        /// What the matter is.
        trouble: Trouble,
        /// In words.
        why: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It never will: these alerts are not what it takes.
    Refused {
        /// In words.
        why: String,
    },
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Nobody is there: no address, no connection, or it broke off.
    Connection,
    /// There was no answer in time.
    Timeout,
    /// The receiver isn't who it should be.
    Tls,
    /// It has enough for now (429, 503).
    Throttled,
    /// It is broken (5xx), or says something that isn't HTTP.
    Server,
    /// It doesn't want these alerts (other 3xx and 4xx).
    Refused,
}

impl Trouble {
    /// All, for figures that exist from the start.
    pub const ALL: [Trouble; 6] =
        [Self::Connection, Self::Timeout, Self::Tls, Self::Throttled, Self::Server, Self::Refused];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Refused => "refused",
        }
    }
}

/// Somebody who takes alerts. Calls block, for a bounded time.
pub trait Receiver: Send {
    /// How many alerts a request may have.
    fn batch(&self) -> usize;

    /// Makes one request with these alerts, at least one; `wall_ms` is the wall clock's time.
    fn deliver(&mut self, parcels: &[Parcel], wall_ms: i64) -> Answer;

    /// Called when there was nothing to deliver for a while: for what has to be said again.
    fn remind(&mut self, wall_ms: i64) {
        let _ = wall_ms;
    }

    /// How often [`remind`](Self::remind) is to be called; none: never.
    fn reminds_every(&self) -> Option<Duration> {
        None
    }
}
