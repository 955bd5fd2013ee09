//! The daemon's own file, `geocep.yaml`: sources, schemas, geofences, rules, sinks, the API and the engine. Every key and
//! its default stands in `docs/configuration.md`.
//!
//! The way of a file: text → YAML tree → `--set` overrides → `${ENV}` → typed [`Config`]. The tree is read by hand
//! (`node.rs`), not by derived code: a file is written by people, and what is wrong with it should be said with
//! its path and the nearest known key.

mod engine;
mod error;
mod expand;
mod http_sinks;
mod kafka;
mod limits;
mod load;
mod node;
mod push;
mod rules;
mod schema;
mod sinks;
mod sources;
mod span;
mod state;
mod tables;
mod tree;

pub use engine::{ApiConfig, EngineConfig, ReloadConfig, Secret};
pub use error::ConfigError;
pub use http_sinks::{HeaderSource, HttpSinkConfig, HttpSinkKind, OutboxConfig, RetryConfig, WhenFull};
pub use load::{Config, GeofenceConfig};
pub use push::{HttpInput, MqttBroker, MqttInput, MqttSinkConfig, MqttTlsConfig, QueueConfig};
pub use rules::rule_files;
pub use schema::StreamSchema;
pub use sinks::{AlertSinkConfig, Delivery, FileSinkConfig, KafkaSinkConfig, SinksConfig};
pub use sources::{FileInput, Input, KafkaInput, KafkaStart, SourceConfig, TailStart};
pub use span::parse_span_ms;
pub use state::{SpillConfig, StateConfig};
pub use tables::TableConfig;
