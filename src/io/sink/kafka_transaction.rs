//! A Kafka topic that is written in transactions, each with a marker of how far it goes.
//!
//! The marker is the committed offset of a consumer group that nobody is a member of, `geocep-marker.ID`, in partition 0 of the topic: the
//! epoch. The offset is committed by the transaction that has the epoch's lines, so that either both are there or none. Its metadata says
//! which process wrote it: that tells a process that was replaced from one whose transaction only took too long.

use super::{
    Lines,
    kafka_record::{EPOCH_HEADER, Envelope, ID_HEADER, KafkaKey},
};
use crate::io::KafkaOptions;
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, Headers},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::Duration,
};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many times a commit that may be asked for again is.
const COMMITS_MAX: u32 = 6;
const NAP: Duration = Duration::from_millis(20);
/// How long another process that has replaced this one gets to say who it is.
const SUCCESSOR: Duration = Duration::from_secs(2);
/// How long a partition may bring nothing while the topic is searched.
const SEARCH_PATIENCE: Duration = Duration::from_secs(30);

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
struct Reports {
    ends: Mutex<Ends>,
    /// Those that the broker takes never, by their place among the lines.
    refused: Mutex<BTreeSet<usize>>,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a message will never be taken, however often it is sent.
fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(MessageSizeTooLarge | InvalidRecord))
}

/// What a transaction brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Where the topic's partitions end for this sink: nothing that it sends later lies before.
    pub ends: Ends,
    /// Places, among all lines, of those that the broker takes never; they were left out.
    pub refused: Vec<usize>,
}

/// Writes a topic in transactions.
pub struct KafkaTransactions {
    settings: KafkaTransactionOptions,
    group: String,
    producer: ThreadedProducer<Reports>,
    /// Knows the marker's group; never a member.
    marker: BaseConsumer,
    /// Whether the producer may begin a transaction.
    ready: bool,
    /// Whether the producer can't be used any more.
    broken: bool,
    /// Whether the marker has named this process.
    signed: bool,
    ends: Ends,
}

impl std::fmt::Debug for KafkaTransactions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KafkaTransactionOptions { topic, id, .. } = &self.settings;
        f.debug_struct("KafkaTransactions").field("topic", topic).field("id", id).field("ready", &self.ready).finish()
    }
}

impl KafkaTransactions {
    /// Clients for a topic. Brokers that are away are no error.
    ///
    /// # Errors
    /// An option is unknown or has a wrong value.
    pub fn connect(settings: KafkaTransactionOptions) -> Result<Self, TransactionError> {
        let group = format!("geocep-marker.{}", settings.id);
        let refused = |error| TransactionError::Refused { topic: settings.topic.clone(), error };
        let producer = producer(&settings).map_err(refused)?;
        let marker = consumer(&settings, &group).map_err(refused)?;
        Ok(Self { group, producer, marker, ready: false, broken: false, signed: false, ends: Ends::new(), settings })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.settings.topic
    }

    /// The transactional id.
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    fn away(&self, error: KafkaError) -> TransactionError {
        TransactionError::Away { topic: self.settings.topic.clone(), error }
    }

    /// Ends whatever a process with this id had begun, locks that process out, and reads the marker: the last epoch whose transaction was
    /// committed; none where there never was one (or Kafka has forgotten it).
    ///
    /// # Errors
    /// Worth trying again, unless it is refused or this process was replaced.
    pub fn begin(&mut self) -> Result<Option<u64>, TransactionError> {
        if self.broken {
            self.renew()?;
        }
        if let Err(error) = self.producer.init_transactions(PATIENCE) {
            return Err(match error.rdkafka_error_code() {
                Some(code) if is_forbidden(code) => {
                    TransactionError::Refused { topic: self.settings.topic.clone(), error }
                }
                _ if is_fatal(&error) => self.recover(error),
                // Asked again it goes on waiting.
                _ => self.away(error),
            });
        }
        let (epoch, _) = self.read_marker().map_err(|error| self.away(error))?;
        // From here on the marker names this process.
        let begun = self.producer.begin_transaction().and_then(|()| self.mark(epoch.unwrap_or(0)));
        if let Err(error) = begun.and_then(|()| self.commit_patiently()) {
            return Err(self.recover(error));
        }
        (self.ready, self.signed) = (true, true);
        Ok(epoch)
    }

    /// The marker's epoch and who wrote it.
    fn read_marker(&self) -> Result<(Option<u64>, String), KafkaError> {
        let mut places = TopicPartitionList::new();
        places.add_partition(&self.settings.topic, 0);
        let found = self.marker.committed_offsets(places, PATIENCE)?;
        let elements = found.elements();
        let Some(element) = elements.first() else { return Ok((None, String::new())) };
        element.error()?;
        let epoch = match element.offset() {
            Offset::Offset(epoch) => u64::try_from(epoch).ok(),
            _ => None,
        };
        Ok((epoch, element.metadata().to_owned()))
    }

    /// Puts the marker into the transaction.
    fn mark(&self, epoch: u64) -> Result<(), KafkaError> {
        let mut places = TopicPartitionList::new();
        {
            let mut element = places.add_partition(&self.settings.topic, 0);
            element.set_offset(Offset::Offset(i64::try_from(epoch).unwrap_or(i64::MAX)))?;
            element.set_metadata(self.settings.instance.as_str());
        }
        let group = self.marker.group_metadata().ok_or(KafkaError::Canceled)?;
        self.producer.send_offsets_to_transaction(&places, &group, PATIENCE)
    }

    /// Sends lines in one transaction with the epoch as the marker. Called again after an error that may pass, it finds out whether the
    /// transaction had been committed after all.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn commit(&mut self, epoch: u64, batches: &[Arc<Lines>]) -> Result<Committed, TransactionError> {
        if !self.ready && self.begin()?.is_some_and(|marker| marker >= epoch) {
            return Ok(Committed { ends: self.ends.clone(), refused: Vec::new() });
        }
        let mut refused = BTreeSet::new();
        loop {
            lock(&self.producer.context().refused).clear();
            let Err(error) = self.attempt(epoch, batches, &mut refused) else {
                self.ends.extend(lock(&self.producer.context().ends).iter());
                return Ok(Committed { ends: self.ends.clone(), refused: refused.into_iter().collect() });
            };
            let error = self.recover(error);
            let before = refused.len();
            refused.extend(lock(&self.producer.context().refused).iter());
            if !self.ready || refused.len() == before {
                return Err(error);
            }
        }
    }

    fn attempt(&self, epoch: u64, batches: &[Arc<Lines>], refused: &mut BTreeSet<usize>) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        let tag = format!("{}/{epoch}", self.settings.id);
        for (at, (given, line)) in batches.iter().flat_map(|batch| batch.iter()).enumerate() {
            if refused.contains(&at) {
                continue;
            }
            let Envelope { key, headers } = Envelope::of(line, given, self.settings.key);
            let headers = headers.insert(Header { key: EPOCH_HEADER, value: Some(&tag) });
            let mut record = BaseRecord::with_opaque_to(&self.settings.topic, at).payload(line).headers(headers);
            if let Some(key) = &key {
                record = record.key(key);
            }
            match self.send(record) {
                Err(error) if is_refusal(&error) => drop(refused.insert(at)),
                sent => sent?,
            }
        }
        self.mark(epoch)?;
        self.commit_patiently()
    }

    /// Hands a message to the client, waiting while its queue is full.
    fn send(&self, mut record: BaseRecord<'_, Vec<u8>, [u8], usize>) -> Result<(), KafkaError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if waited < SEARCH_PATIENCE => {
                    record = back;
                    sleep(NAP);
                    waited += NAP;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn commit_patiently(&self) -> Result<(), KafkaError> {
        let mut left = COMMITS_MAX;
        loop {
            let error = match self.producer.commit_transaction(PATIENCE) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let again = match &error {
                KafkaError::Transaction(error) => error.is_retriable() && !error.txn_requires_abort(),
                KafkaError::Flush(_) => true,
                _ => false,
            };
            left -= 1;
            if !again || left == 0 {
                return Err(error);
            }
        }
    }

    /// Gets the producer back to where it may begin a transaction, if that is easily done; else it is made anew, and the next call asks the
    /// marker what became of the transaction.
    fn recover(&mut self, error: KafkaError) -> TransactionError {
        if !is_fatal(&error) && self.producer.abort_transaction(PATIENCE).is_ok() {
            return self.away(error);
        }
        (self.ready, self.broken) = (false, true);
        tracing::debug!(topic = self.settings.topic, %error, "the transaction is undecided: the producer is made anew");
        match self.renew() {
            Err(replaced @ TransactionError::Replaced { .. }) => replaced,
            _ => self.away(error),
        }
    }

    /// Makes the producer anew. It will lock out whoever has the id, so it is only done while the marker's last writer is this process.
    fn renew(&mut self) -> Result<(), TransactionError> {
        if self.signed {
            // Time for one that has locked this one out to sign.
            sleep(SUCCESSOR);
            let (_, by) = self.read_marker().map_err(|error| self.away(error))?;
            if by != self.settings.instance {
                let KafkaTransactionOptions { topic, id, .. } = self.settings.clone();
                let by = if by.is_empty() { "another process".to_owned() } else { by };
                return Err(TransactionError::Replaced { topic, id, by });
            }
        }
        self.producer = producer(&self.settings).map_err(|error| self.away(error))?;
        self.broken = false;
        Ok(())
    }

    /// Where the topic's partitions end now.
    ///
    /// # Errors
    /// The broker is away, or doesn't know the topic.
    pub fn topic_ends(&mut self) -> Result<Ends, TransactionError> {
        let topic = self.settings.topic.clone();
        let away = |error| TransactionError::Away { topic: topic.clone(), error };
        for partition in self.partitions()? {
            let (_, end) = self.marker.fetch_watermarks(&topic, partition, PATIENCE).map_err(away)?;
            if let (Ok(partition), Ok(end)) = (u32::try_from(partition), u64::try_from(end)) {
                self.ends.insert(partition, end);
            }
        }
        Ok(self.ends.clone())
    }

    /// What the sink had told of the topic's ends before the restart.
    pub fn set_ends(&mut self, ends: &Ends) {
        self.ends.clone_from(ends);
    }

    fn partitions(&self) -> Result<Vec<i32>, TransactionError> {
        let topic = &self.settings.topic;
        let metadata = self.marker.fetch_metadata(Some(topic), PATIENCE).map_err(|error| self.away(error))?;
        let found = metadata.topics().first();
        if let Some(error) = found.and_then(|found| found.error()) {
            return Err(self.away(KafkaError::MetadataFetch(error.into())));
        }
        let partitions = found.map(|found| found.partitions().iter().map(|partition| partition.id()).collect());
        Ok(partitions.unwrap_or_default())
    }

    /// The ids of the alerts that this sink has committed at these places or later, as often as they are there. Reads the topic.
    ///
    /// # Errors
    /// The broker is away or slow.
    pub fn committed_ids(&self, from: &Ends) -> Result<Vec<String>, TransactionError> {
        let topic = &self.settings.topic;
        let mut open: BTreeSet<i32> = self.partitions()?.into_iter().collect();
        let mut places = TopicPartitionList::new();
        for &partition in &open {
            let offset = u32::try_from(partition).ok().and_then(|partition| from.get(&partition));
            let offset =
                offset.map_or(Offset::Beginning, |&end| Offset::Offset(i64::try_from(end).unwrap_or(i64::MAX)));
            places.add_partition_offset(topic, partition, offset).map_err(|error| self.away(error))?;
        }
        let reader = consumer(&self.settings, &self.group).map_err(|error| self.away(error))?;
        reader.assign(&places).map_err(|error| self.away(error))?;
        let tag = format!("{}/", self.settings.id);
        let mut ids = Vec::new();
        while !open.is_empty() {
            match reader.poll(SEARCH_PATIENCE) {
                None => return Err(self.away(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(error)) => return Err(self.away(error)),
                Some(Ok(message)) => {
                    let header = |name: &str| {
                        let found = message.headers()?.iter().find(|header| header.key == name)?.value?;
                        std::str::from_utf8(found).ok()
                    };
                    // Others may write to the topic, too.
                    if header(EPOCH_HEADER).is_some_and(|epoch| epoch.starts_with(&tag)) {
                        ids.extend(header(ID_HEADER).map(str::to_owned));
                    }
                }
            }
        }
        Ok(ids)
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal())
}

/// Errors that no patience helps against.
fn is_forbidden(code: RDKafkaErrorCode) -> bool {
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
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("client.id", "geocep");
    config
}

fn producer(settings: &KafkaTransactionOptions) -> Result<ThreadedProducer<Reports>, KafkaError> {
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

/// Of the sink's settings only those that a consumer has, too.
fn consumer(settings: &KafkaTransactionOptions, group: &str) -> Result<BaseConsumer, KafkaError> {
    let mut config = base(settings);
    let shared = ["security.", "sasl.", "ssl.", "socket.", "broker.address.", "client.", "enable.ssl"];
    for (name, value) in settings.options.iter().filter(|(name, _)| shared.iter().any(|own| name.starts_with(own))) {
        config.set(name, value);
    }
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest");
    config.create()
}
