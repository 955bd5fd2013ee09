//! A Kafka topic.

use super::{
    Lines, Sink, SinkError,
    kafka_record::{Envelope, KafkaKey},
};
use crate::io::kafka_client;
use rdkafka::{
    ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

/// How long a full queue or a missing acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const NAP: Duration = Duration::from_millis(20);

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KafkaSinkStats {
    /// Acknowledged by the broker.
    pub acknowledged: u64,
    /// Given up by the client, after its own retries; each is sent again.
    pub failed: u64,
}

/// Writes lines to a topic with an idempotent producer: none is doubled by a retry, and each key keeps its order.
pub struct KafkaSink {
    topic: String,
    key: KafkaKey,
    producer: ThreadedProducer<Outcome>,
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("topic", &self.topic).field("stats", &self.stats()).finish()
    }
}

/// Counts acknowledgements and keeps what the client has given up.
#[derive(Debug, Default)]
struct Outcome {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    again: Mutex<VecDeque<(Vec<u8>, Vec<u8>)>>,
}

impl ClientContext for Outcome {}

impl ProducerContext for Outcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, message)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(topic = message.topic(), %error, "a line was not delivered; it is sent again");
                let line = (message.key().unwrap_or_default().to_vec(), message.payload().unwrap_or_default().to_vec());
                self.again.lock().unwrap_or_else(PoisonError::into_inner).push_back(line);
            }
        }
    }
}

impl KafkaSink {
    /// A producer for a topic. Brokers that are away are no error: they are waited for. `options` are further settings of
    /// librdkafka; they win over those made here.
    ///
    /// # Errors
    /// An option is unknown or has a wrong value.
    pub fn connect(brokers: &str, topic: &str, options: &BTreeMap<String, String>) -> Result<Self, SinkError> {
        let mut config = kafka_client(brokers, options);
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "5");
        for (name, value) in options {
            config.set(name, value);
        }
        let producer = config.create_with_context(Outcome::default());
        let producer = producer.map_err(|error| SinkError::Kafka { name: topic.to_owned(), error })?;
        Ok(Self { topic: topic.to_owned(), key: KafkaKey::Rule, producer })
    }

    /// With other keys than those that lines are given, which are the rules' names.
    #[must_use]
    pub fn keyed(mut self, key: KafkaKey) -> Self {
        self.key = key;
        self
    }

    /// What became of the lines so far.
    pub fn stats(&self) -> KafkaSinkStats {
        let outcome = self.producer.context();
        let (acknowledged, failed) = (&outcome.acknowledged, &outcome.failed);
        KafkaSinkStats { acknowledged: acknowledged.load(Ordering::Relaxed), failed: failed.load(Ordering::Relaxed) }
    }

    fn again(&self) -> std::sync::MutexGuard<'_, VecDeque<(Vec<u8>, Vec<u8>)>> {
        self.producer.context().again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unacknowledged(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or(0) + self.again().len() as u64
    }

    /// Hands a line to the client. While its queue is full, waits: that is what holds the engine back.
    fn send(&self, key: &[u8], line: &[u8], taken: usize) -> Result<(), SinkError> {
        let mut waited = Duration::ZERO;
        let Envelope { key, headers } = Envelope::of(line, key, self.key);
        let mut record = BaseRecord::to(&self.topic).payload(line).headers(headers);
        if let Some(key) = &key {
            record = record.key(key);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if waited < PATIENCE => {
                    record = back;
                    sleep(NAP);
                    waited += NAP;
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    let unacknowledged = self.unacknowledged();
                    return Err(SinkError::Away { name: self.topic.clone(), taken, unacknowledged });
                }
                Err((error, _)) => return Err(SinkError::Kafka { name: self.topic.clone(), error }),
            }
        }
    }

    fn resend(&self) -> Result<(), SinkError> {
        loop {
            let Some((key, line)) = self.again().pop_front() else { return Ok(()) };
            if let Err(error) = self.send(&key, &line, 0) {
                self.again().push_front((key, line));
                return Err(error);
            }
        }
    }
}

impl Sink for KafkaSink {
    fn name(&self) -> &str {
        &self.topic
    }

    fn write(&mut self, lines: &Lines) -> Result<(), SinkError> {
        self.resend()?;
        for (taken, (key, line)) in lines.iter().enumerate() {
            self.send(key, line, taken)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.resend()?;
        // The error says only that time ran out; what counts is what is left.
        let _ = self.producer.flush(PATIENCE);
        match self.unacknowledged() {
            0 => Ok(()),
            unacknowledged => Err(SinkError::Away { name: self.topic.clone(), taken: 0, unacknowledged }),
        }
    }
}
