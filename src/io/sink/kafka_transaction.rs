//! A Kafka topic that is written in transactions, each with a marker of how far it goes.
//!
//! The marker is the committed offset of a consumer group that nobody is a member of, `geocep-marker.ID`, in partition 0 of the topic: the
//! epoch. The offset is committed by the transaction that has the epoch's lines, so that either both are there or none. Its metadata says
//! which process wrote it: that tells a process that was replaced from one whose transaction only took too long.

use super::{
    Lines,
    kafka_client::{
        Ends, KafkaTransactionOptions, Reports, TransactionError, consumer, is_fatal, is_forbidden, is_refusal, lock,
        producer,
    },
    kafka_record::{EPOCH_HEADER, Envelope, ID_HEADER},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Headers},
    producer::{BaseRecord, Producer, ThreadedProducer},
};
use std::{collections::BTreeSet, sync::Arc, thread::sleep, time::Duration};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many times a commit that may be asked for again is.
const COMMITS_MAX: u32 = 6;
const NAP: Duration = Duration::from_millis(20);
/// How long another process that has replaced this one gets to say who it is.
const SUCCESSOR: Duration = Duration::from_secs(2);
/// How long a partition may bring nothing while the topic is searched.
const SEARCH_PATIENCE: Duration = Duration::from_secs(30);

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
    /// Whether the producer has locked others out.
    alone: bool,
    /// Whether the producer can't be used any more.
    broken: bool,
    /// Whether a commit was asked for whose answer isn't known.
    undecided: bool,
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
        let marker = consumer(&settings, &group, true).map_err(refused)?;
        let (ready, alone, broken, undecided, signed) = (false, false, false, false, false);
        Ok(Self { group, producer, marker, ready, alone, broken, undecided, signed, ends: Ends::new(), settings })
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
        if !self.alone
            && let Err(error) = self.producer.init_transactions(PATIENCE)
        {
            return Err(match error.rdkafka_error_code() {
                Some(code) if is_forbidden(code) => {
                    TransactionError::Refused { topic: self.settings.topic.clone(), error }
                }
                _ if is_fatal(&error) => self.renew_after(error),
                // Asked again it goes on waiting.
                _ => self.away(error),
            });
        }
        // A producer can ask for that once only.
        self.alone = true;
        let (epoch, _) = self.read_marker(&self.marker).map_err(|error| self.away(error))?;
        // From here on the marker names this process.
        let begun = self.producer.begin_transaction().and_then(|()| self.mark(epoch.unwrap_or(0)));
        if let Err(error) = begun.and_then(|()| self.commit_patiently()) {
            // What has begun once can't begin again.
            return Err(self.renew_after(error));
        }
        (self.ready, self.signed) = (true, true);
        Ok(epoch)
    }

    /// The marker's epoch and who wrote it.
    fn read_marker(&self, by: &BaseConsumer) -> Result<(Option<u64>, String), KafkaError> {
        let mut places = TopicPartitionList::new();
        places.add_partition(&self.settings.topic, 0);
        let found = by.committed_offsets(places, PATIENCE)?;
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
            let before = refused.len();
            refused.extend(lock(&self.producer.context().refused).iter());
            // Where a line was refused, the client never asked for the commit.
            let is_refused = refused.len() > before;
            let error = self.recover(error, is_refused);
            if !self.ready || !is_refused {
                return Err(error);
            }
        }
    }

    fn attempt(&mut self, epoch: u64, batches: &[Arc<Lines>], refused: &mut BTreeSet<usize>) -> Result<(), KafkaError> {
        self.undecided = false;
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
        self.undecided = true;
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

    /// Gets the producer back to where it may begin a transaction, if that is easily done and nothing was committed; else it is made anew.
    ///
    /// A commit that was asked for may have happened though the client says it hasn't, or may yet, when a request that was held up on its way
    /// comes to the broker: aborting proves nothing. Only a new producer locks such a request out, and then the marker tells.
    fn recover(&mut self, error: KafkaError, is_refused: bool) -> TransactionError {
        let is_open = !self.undecided || is_refused;
        if is_open && !is_fatal(&error) && self.producer.abort_transaction(PATIENCE).is_ok() {
            return self.away(error);
        }
        self.renew_after(error)
    }

    /// Makes the producer anew; the next call asks the marker what became of the transaction.
    fn renew_after(&mut self, error: KafkaError) -> TransactionError {
        (self.ready, self.alone, self.broken) = (false, false, true);
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
            // This one's own transaction may be open: what is committed is told all the same.
            let witness = consumer(&self.settings, &self.group, false).map_err(|error| self.away(error))?;
            let (_, by) = self.read_marker(&witness).map_err(|error| self.away(error))?;
            // Kafka forgets markers that are old; who begins writes a new one.
            if !by.is_empty() && by != self.settings.instance {
                let KafkaTransactionOptions { topic, id, .. } = self.settings.clone();
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
        let reader = consumer(&self.settings, &self.group, true).map_err(|error| self.away(error))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{KafkaOptions, sink::KafkaKey};
    use rdkafka::{
        consumer::CommitMode,
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    fn settings(cluster: &MockCluster<'_, impl rdkafka::ClientContext>) -> KafkaTransactionOptions {
        KafkaTransactionOptions {
            brokers: cluster.bootstrap_servers(),
            topic: "t".to_owned(),
            id: "one".to_owned(),
            key: KafkaKey::Rule,
            instance: "this".to_owned(),
            options: KafkaOptions::default(),
        }
    }

    fn sink(cluster: &MockCluster<'_, impl rdkafka::ClientContext>) -> KafkaTransactions {
        cluster.create_topic("t", 1, 1).unwrap();
        let mut sink = KafkaTransactions::connect(settings(cluster)).unwrap();
        assert!(sink.begin().is_ok());
        assert_eq!(sink.commit(1, &lines()).unwrap().ends, Ends::from([(0, 1)]));
        sink
    }

    fn lines() -> [Arc<Lines>; 1] {
        let mut lines = Lines::new();
        lines.push_with("r", |out| out.extend_from_slice(b"{}"));
        [Arc::new(lines)]
    }

    #[test]
    fn a_producer_that_was_locked_out_by_nobody_is_made_anew_and_goes_on() {
        // Its transactions are stubs: what it shows is how errors are dealt with.
        let cluster = MockCluster::new(1).unwrap();
        let mut sink = sink(&cluster);
        let fatal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
        cluster.request_errors(RDKafkaApiKey::EndTxn, &[fatal]);
        let error = sink.commit(2, &lines()).unwrap_err();
        assert!(matches!(error, TransactionError::Away { .. }), "{error}");
        assert!(sink.commit(2, &lines()).is_ok());
    }

    #[test]
    fn a_marker_that_cannot_be_read_at_first_is_asked_for_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let mut sink = KafkaTransactions::connect(settings(&cluster)).unwrap();
        let forbidden = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[forbidden]);
        assert!(sink.begin().is_err());
        assert_eq!(sink.begin().unwrap(), None);
        assert_eq!(sink.commit(1, &lines()).unwrap().ends, Ends::from([(0, 1)]));
    }

    #[test]
    fn what_may_have_been_committed_is_not_sent_again_before_the_marker_was_asked() {
        let cluster = MockCluster::new(1).unwrap();
        let mut sink = sink(&cluster);
        // The client takes this for a transaction that has to be aborted, and the stub of an abort succeeds. Yet all of it is in the topic.
        let abortable = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
        cluster.request_errors(RDKafkaApiKey::EndTxn, &[abortable]);
        let error = sink.commit(2, &lines()).unwrap_err();
        assert!(matches!(error, TransactionError::Away { .. }), "{error}");
        // So is the marker, which the stubs leave to us.
        let mut marker = TopicPartitionList::new();
        marker.add_partition_offset("t", 0, Offset::Offset(2)).unwrap();
        let by = consumer(&settings(&cluster), "geocep-marker.one", true).unwrap();
        by.commit(&marker, CommitMode::Sync).unwrap();
        assert!(sink.commit(2, &lines()).is_ok());
        assert_eq!(sink.topic_ends().unwrap(), Ends::from([(0, 2)]));
        assert!(sink.commit(3, &lines()).is_ok());
        assert_eq!(sink.topic_ends().unwrap(), Ends::from([(0, 3)]));
    }
}
