//! Where lines go: the process's output, files, Kafka and MQTT topics.

mod file;
mod kafka;
mod kafka_client;
mod kafka_record;
mod kafka_transaction;
mod lines;
mod mqtt;
mod stdout;

pub use file::{FileSink, Rotation};
pub use kafka::{KafkaSink, KafkaSinkStats};
pub use kafka_client::{Ends, KafkaTransactionOptions, TransactionError};
pub use kafka_record::{KafkaKey, alert_id};
pub use kafka_transaction::{Committed, KafkaTransactions};
pub use lines::Lines;
pub use mqtt::MqttSink;
pub use stdout::StdoutSink;

use super::{outbox::OutboxError, receiver::PostError};

/// A sink of lines. Calls block; a sink that may wait for long runs on a thread of its own.
pub trait Sink: Send {
    /// What it is called in messages: a path, a topic.
    fn name(&self) -> &str;

    /// Takes lines, in order. A file has them when this returns, Kafka after [`flush`](Sink::flush).
    ///
    /// # Errors
    /// See [`SinkError`]; of a failed call a file keeps nothing, so it can be made again.
    fn write(&mut self, lines: &Lines) -> Result<(), SinkError>;

    /// Waits until everything taken is where it belongs.
    ///
    /// # Errors
    /// It isn't, and may still be later.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// The last call: flushes, and makes files durable.
    ///
    /// # Errors
    /// As [`flush`](Sink::flush).
    fn close(&mut self) -> Result<(), SinkError> {
        self.flush()
    }
}

/// A sink that doesn't take lines.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Nobody reads any more (`| head`): a reason to stop, not a failure.
    #[error("nobody reads `{name}` any more")]
    Closed {
        /// The sink.
        name: String,
    },
    /// The system says no.
    #[error("can't write `{name}`: {error}")]
    Write {
        /// The file.
        name: String,
        /// Why.
        error: std::io::Error,
    },
    /// A broker is away or slow: its queue stayed full, or lines are still not acknowledged.
    #[error("the topic `{name}` takes no more: {unacknowledged} lines wait for an acknowledgement")]
    Away {
        /// The topic.
        name: String,
        /// How many lines of the call were taken; the rest has to be written again.
        taken: usize,
        /// How many wait in all.
        unacknowledged: u64,
    },
    /// Kafka says no for good.
    #[error("can't write the topic `{name}`: {error}")]
    Kafka {
        /// The topic.
        name: String,
        /// Why.
        error: rdkafka::error::KafkaError,
    },
    /// A receiver that can never be posted to.
    #[error("`{name}`: {error}")]
    Post {
        /// The sink.
        name: String,
        /// Why.
        error: PostError,
    },
    /// An outbox can't be used.
    #[error("{0}")]
    Outbox(#[from] OutboxError),
}
