//! A Kafka topic, read as a member of a consumer group.

use super::{Pulled, Source, SourceError};
use crate::wire::{Chunk, Format};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{collections::BTreeMap, time::Duration};

const CHUNK_BYTES: usize = 256 << 10;
const CHUNK_RECORDS: usize = 10_000;

/// Which topic, and how it is read.
#[derive(Clone, Debug)]
pub struct KafkaSourceOptions {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where a group without a place starts: with the next message, else with the oldest.
    pub latest: bool,
    /// The longest record that is accepted, bytes.
    pub record_bytes_max: usize,
    /// Further settings of librdkafka; they win over those made here.
    pub options: BTreeMap<String, String>,
}

/// Reads a topic's values as JSON records; partition and offset are Kafka's.
///
/// A place is stored when the records before it were [`delivered`](Source::delivered), and committed by the client from time
/// to time and at the end: after a crash the last seconds come again.
pub struct KafkaSource {
    consumer: BaseConsumer,
    options: KafkaSourceOptions,
    /// The last offset pulled, per partition, that is not stored yet.
    pulled: BTreeMap<i32, i64>,
    failures: u64,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource").field("topic", &self.options.topic).field("pulled", &self.pulled).finish()
    }
}

impl KafkaSource {
    /// Joins the group. Brokers that are away are no error: they are waited for.
    ///
    /// # Errors
    /// An option is unknown or has a wrong value.
    pub fn connect(options: KafkaSourceOptions) -> Result<Self, SourceError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &options.brokers)
            .set("group.id", &options.group)
            .set("client.id", "geocep")
            .set("auto.offset.reset", if options.latest { "latest" } else { "earliest" })
            .set("enable.auto.commit", "true")
            .set("enable.auto.offset.store", "false")
            // Holds memory: what is fetched ahead while the engine is busy.
            .set("queued.max.messages.kbytes", "16384");
        for (name, value) in &options.options {
            config.set(name, value);
        }
        let failed = |error| SourceError::Kafka { topic: options.topic.clone(), error, is_final: true };
        let consumer: BaseConsumer = config.create().map_err(failed)?;
        consumer.subscribe(&[&options.topic]).map_err(failed)?;
        Ok(Self { consumer, options, pulled: BTreeMap::new(), failures: 0 })
    }

    /// How many times the broker could not be read from.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

impl Source for KafkaSource {
    fn name(&self) -> &str {
        &self.options.topic
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        Ok(Format::Ndjson)
    }

    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError> {
        let mut patience = patience;
        while chunk.byte_len() < CHUNK_BYTES && chunk.len() < CHUNK_RECORDS {
            match self.consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    // Neither is negative on a message that was read.
                    let place = (u32::try_from(partition).unwrap_or(0), u64::try_from(offset).unwrap_or(0));
                    // A message without a value is no event: the decoder rejects it as empty.
                    chunk.push(place.0, place.1, message.payload().unwrap_or_default(), self.options.record_bytes_max);
                    self.pulled.insert(partition, offset);
                    // The rest is what is already here.
                    patience = Duration::ZERO;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => {
                    self.failures += 1;
                    if !chunk.is_empty() {
                        tracing::warn!(topic = self.options.topic, %error, "reading goes on");
                        break;
                    }
                    let is_final = matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal));
                    return Err(SourceError::Kafka { topic: self.options.topic.clone(), error, is_final });
                }
            }
        }
        Ok(if chunk.is_empty() { Pulled::Idle } else { Pulled::Records })
    }

    fn delivered(&mut self) {
        for (partition, offset) in std::mem::take(&mut self.pulled) {
            // Fails where the partition has gone to another member: then its place is theirs.
            if let Err(error) = self.consumer.store_offset(&self.options.topic, partition, offset) {
                tracing::debug!(topic = self.options.topic, partition, %error, "the place was not stored");
            }
        }
    }
}
