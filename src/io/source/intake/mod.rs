//! What is pushed to us, by HTTP or MQTT, and can't be read again: an intake keeps it in a log until a checkpoint has it.
//!
//! ```text
//!  who pushes ─► Intake::submit ─► thread: append, sync ─► "taken"        state.dir/intake/SOURCE/NUMBER.log
//!                                        │                                        │
//!                 durable checkpoint ─► release old segments                IntakeSource::pull ─► engine
//! ```
//!
//! A record's offset is its number in the log, for ever; so a source over an intake is resumed as any other. Without a directory the
//! intake holds records in memory alone: what it has taken is lost with the process.

mod door;
mod journal;
mod reader;
mod records;
mod segment;
mod source;

pub use door::{Answer, Intake, IntakeOptions, NotTaken};
pub use journal::JournalError;
pub use records::Records;
pub use source::IntakeSource;
