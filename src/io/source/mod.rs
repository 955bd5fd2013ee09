//! Where records come from: files, the process's input, files that grow, Kafka topics, what is pushed to us.

mod contract;
mod file;
mod intake;
mod kafka;
mod kafka_group;
mod kafka_message;
mod mqtt;
mod place;
mod tail;
mod thread;

pub use contract::{Opened, Pulled, Source, SourceError};
pub use file::{FileOptions, FileSource, partitions};
pub use intake::{Answer, Intake, IntakeOptions, IntakeSource, JournalError, NotTaken, Records};
pub use kafka::{KafkaCheckpoint, KafkaSource, KafkaSourceOptions};
pub use kafka_group::{Durable, KafkaLag};
pub use kafka_message::KafkaLayout;
pub use mqtt::{MqttSource, MqttSourceOptions};
pub use tail::{TailOptions, TailSource};
pub use thread::{Delivery, RunningSource, spawn};
