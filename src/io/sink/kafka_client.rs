//! The clients behind transactions, and what can go wrong with them.

use super::kafka_record::KafkaKey;
use crate::io::{KafkaOptions, kafka_client};
use rdkafka::{
    ClientConfig, ClientContext, Message,
    consumer::BaseConsumer,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{ProducerContext, ThreadedProducer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Next offsets by partition.
pub type Ends = BTreeMap<u32, u64>;

/// Which topic, and under which names.
#[derive(Clone, Debug)]
pub struct KafkaTransactionOptions {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The transactional id: one for each daemon and sink, the same after a restart.
    pub id: String,
    /// What messages are keyed by.
    pub key: KafkaKey,
    /// Who this process is: another for each start.
    pub instance: String,
    /// Further settings of librdkafka; they win over those made here.
    pub options: KafkaOptions,
}

/// What can go wrong with a transaction.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// It isn't done, and may be when it is asked for again.
    #[error("the topic `{topic}` takes no transaction: {error}")]
    Away {
        /// The topic.
        topic: String,
        /// Why.
        error: KafkaError,
    },
    /// Another process has the transactional id now.
    #[error(
        "the transactional id `{id}` of the topic `{topic}` is in use by {by}, which began later: this process may send nothing more; give each daemon an id of its own (`transactional_id`)"
    )]
    Replaced {
        /// The topic.
        topic: String,
        /// The id.
        id: String,
        /// What the other says of itself.
        by: String,
    },
    /// Kafka says no for good.
    #[error("the topic `{topic}` can't be written exactly once: {error}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        error: KafkaError,
    },
}

/// What became of the messages of a transaction.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) ends: Mutex<Ends>,
    /// Those that the broker takes never, by their place among the lines.
    pub(super) refused: Mutex<BTreeSet<usize>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, at: usize) {
        match result {
            Ok(message) => {
                if let (Ok(partition), Ok(offset)) =
                    (u32::try_from(message.partition()), u64::try_from(message.offset()))
                {
                    let mut ends = lock(&self.ends);
                    let end = ends.entry(partition).or_default();
                    *end = offset.saturating_add(1).max(*end);
                }
            }
            Err((error, _)) if is_refusal(error) => drop(lock(&self.refused).insert(at)),
            // The transaction can't be committed then, and says why.
            Err(_) => {}
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a message will never be taken, however often it is sent.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(MessageSizeTooLarge | InvalidRecord))
}

pub(super) fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal())
}

/// Errors that no patience helps against.
pub(super) fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidTransactionTimeout, TransactionalIdAuthorizationFailed, UnsupportedFeature,
        UnsupportedVersion,
    };
    matches!(
        code,
        ClusterAuthorizationFailed
            | InvalidTransactionTimeout
            | TransactionalIdAuthorizationFailed
            | UnsupportedFeature
            | UnsupportedVersion
    )
}

fn base(settings: &KafkaTransactionOptions) -> ClientConfig {
    kafka_client(&settings.brokers, &settings.options)
}

pub(super) fn producer(settings: &KafkaTransactionOptions) -> Result<ThreadedProducer<Reports>, KafkaError> {
    let mut config = base(settings);
    config
        .set("transactional.id", &settings.id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5");
    for (name, value) in settings.options.iter() {
        config.set(name, value);
    }
    config.create_with_context(Reports::default())
}

/// Of the sink's settings only those that a consumer has, too. One that waits for transactions to be decided, or not.
pub(super) fn consumer(
    settings: &KafkaTransactionOptions,
    group: &str,
    is_patient: bool,
) -> Result<BaseConsumer, KafkaError> {
    let mut config = base(settings);
    let shared = ["security.", "sasl.", "ssl.", "socket.", "broker.address.", "client.", "enable.ssl", "reconnect."];
    for (name, value) in settings.options.iter().filter(|(name, _)| shared.iter().any(|own| name.starts_with(own))) {
        config.set(name, value);
    }
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("isolation.level", if is_patient { "read_committed" } else { "read_uncommitted" })
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest");
    config.create()
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn settings_of_tls_and_scram_reach_every_client() {
        let with = |more: &[(&str, &str)]| {
            let options = [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "SCRAM-SHA-512")];
            let options = [&options, &[("sasl.username", "me"), ("sasl.password", "x")], more].concat();
            let options: BTreeMap<String, String> =
                options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            KafkaTransactionOptions {
                brokers: "localhost:1".to_owned(),
                topic: "t".to_owned(),
                id: "one".to_owned(),
                key: KafkaKey::Rule,
                instance: "this".to_owned(),
                options: options.into(),
            }
        };
        assert!(producer(&with(&[])).is_ok() && consumer(&with(&[]), "g", true).is_ok());
        let wrong = with(&[("ssl.ca.location", "/no/such/file.pem")]);
        for error in [producer(&wrong).err(), consumer(&wrong, "g", true).err()] {
            assert!(error.is_some_and(|error| error.to_string().contains("ssl.ca.location")));
        }
    }
}
