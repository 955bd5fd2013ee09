//! Edges: sources and sinks, and checkpoints as files. Bytes and offsets; knows no rules.
//!
//! Both are blocking and pull-shaped: each runs on a thread of its own ([`source::spawn`]), a bounded channel between it and
//! the engine holds it back, and nothing below needs a runtime for tasks.

mod kafka_options;
mod lock;
pub mod mqtt;
mod numbered;
pub mod outbox;
pub mod receiver;
pub mod sink;
pub mod source;
pub mod state;

pub use kafka_options::KafkaOptions;
use kafka_options::kafka_client;
