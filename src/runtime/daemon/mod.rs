//! The daemon: sources on threads of their own, one thread that owns the core, sinks on threads of their own.
//!
//! ```text
//!  source thread ─► bounded channel ─┐                        ┌─► outbox ─► sink thread (alerts)
//!  source thread ─► bounded channel ─┼─► driver: Session ─────┼─► outbox ─► sink thread (alerts)
//!        ...                         ┘    + Quiet, Report     └─► outbox ─► sink thread (late, dead letters)
//! ```
//!
//! Nothing is ever dropped to make room: a full outbox holds the driver back, the driver its sources' channels, and those
//! the sources. What the driver adds to the events is only idleness and time on quiet streams (`quiet`).

mod change;
mod committer;
mod courier;
mod driver;
mod epochs;
mod error;
mod exact;
mod feed;
mod hand;
mod keeper;
mod outbox;
mod outlet;
mod quiet;
mod report;
mod service;
mod sinks;
mod spool;
mod state;
mod store;
mod tables;

pub use error::DaemonError;
pub use service::Daemon;
pub use state::old_versions;
