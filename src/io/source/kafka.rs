//! A Kafka topic, read as a member of a consumer group.

use super::{
    Opened, Pulled, Source, SourceError,
    kafka_group::{Durable, Group, KafkaLag},
    kafka_message::KafkaLayout,
};
use crate::{
    io::{KafkaOptions, kafka_client},
    model::TimeMs,
    wire::{Chunk, Format},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const CHUNK_BYTES: usize = 256 << 10;
const CHUNK_RECORDS: usize = 10_000;
/// How long to wait for a broker's answer about a topic.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);
/// A member that is locked out again before it was asked so often for records has a rival. Rooms below the runtime have no clock: this is some
/// minutes where little comes, and longer than two take to lock each other out where much does.
const QUARREL: u32 = 5_000;

/// Which topic, and how it is read.
#[derive(Clone, Debug, Default)]
pub struct KafkaSourceOptions {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where a group without a place starts: with the next message, else with the oldest.
    pub latest: bool,
    /// Such a group starts with the first message of this time or later, if there is one.
    pub since_ms: Option<TimeMs>,
    /// How messages become records.
    pub layout: KafkaLayout,
    /// The longest record that is accepted, bytes.
    pub record_bytes_max: usize,
    /// Further settings of librdkafka; they win over those made here.
    pub options: KafkaOptions,
    /// What is told how much is yet to be read.
    pub lag: KafkaLag,
    /// Where checkpoints are taken.
    pub checkpoint: Option<KafkaCheckpoint>,
}

/// What a source and checkpoints tell one another.
#[derive(Clone, Debug, Default)]
pub struct KafkaCheckpoint {
    /// Offsets of the next messages by partition, where the last run was. Of others the group's places count.
    pub from: BTreeMap<u32, u64>,
    /// What is committed to the group, and nothing else.
    pub durable: Durable,
}

/// Reads a topic's values as records; partition and offset are Kafka's.
///
/// A place is stored when the records before it were [`delivered`](Source::delivered), and committed by the client from time
/// to time and at the end: after a crash the last seconds come again. With checkpoints a place is stored when one is durable that has it.
pub struct KafkaSource {
    consumer: BaseConsumer<Group>,
    options: KafkaSourceOptions,
    /// The last offset pulled, per partition, that is not stored yet.
    pulled: BTreeMap<i32, i64>,
    failures: u64,
    /// How many partitions the topic had when it was opened.
    partitions: i32,
    /// Those that were read to their end.
    at_end: BTreeSet<i32>,
    /// What was last said to have been read to its end.
    said: BTreeSet<i32>,
    /// Whether the group has given us partitions yet.
    assigned: bool,
    /// Those that another member of the group has.
    theirs: BTreeSet<i32>,
    /// How often a member that was locked out may yet be asked until it counts as never having been.
    quarrel: u32,
    /// Whether the broker was last heard to be away.
    away: bool,
    /// Those that have been told what their columns are, where values are rows.
    begun: BTreeSet<i32>,
    /// Whether nothing is fetched for now.
    held: bool,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource").field("topic", &self.options.topic).field("pulled", &self.pulled).finish()
    }
}

/// A new member of the group, which goes on at these places.
fn member(options: &KafkaSourceOptions, from: &BTreeMap<u32, u64>) -> Result<BaseConsumer<Group>, SourceError> {
    let mut config = kafka_client(&options.brokers, &options.options);
    config
        .set("group.id", &options.group)
        .set("auto.offset.reset", if options.latest { "latest" } else { "earliest" })
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false")
        // Tells when a partition has been read to its end.
        .set("enable.partition.eof", "true")
        // Holds memory: what is fetched ahead while the engine is busy.
        .set("queued.max.messages.kbytes", "16384")
        .set("partition.assignment.strategy", "cooperative-sticky")
        // Tells how much is yet to be read.
        .set("statistics.interval.ms", "5000");
    for (name, value) in options.options.iter() {
        config.set(name, value);
    }
    let failed = |error| SourceError::Kafka { topic: options.topic.clone(), error, is_final: true };
    let group = Group::new(&options.topic, from, options.lag.clone());
    let consumer: BaseConsumer<Group> = config.create_with_context(group).map_err(failed)?;
    consumer.subscribe(&[&options.topic]).map_err(failed)?;
    Ok(consumer)
}

impl KafkaSource {
    /// Joins the group. Brokers that are away are no error: they are waited for.
    ///
    /// # Errors
    /// An option is unknown or has a wrong value.
    pub fn connect(options: KafkaSourceOptions) -> Result<Self, SourceError> {
        let from = options.checkpoint.as_ref().map(|checkpoint| checkpoint.from.clone()).unwrap_or_default();
        let consumer = member(&options, &from)?;
        Ok(Self {
            consumer,
            options,
            pulled: BTreeMap::new(),
            failures: 0,
            partitions: 0,
            at_end: BTreeSet::new(),
            said: BTreeSet::new(),
            assigned: false,
            theirs: BTreeSet::new(),
            quarrel: 0,
            away: false,
            begun: BTreeSet::new(),
            held: false,
        })
    }

    /// How many partitions the topic has; asks the broker.
    ///
    /// # Errors
    /// The broker is away, or doesn't know the topic (yet): worth trying again.
    pub fn partition_count(&self) -> Result<u32, SourceError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.options.topic), METADATA_PATIENCE);
        let found = metadata.and_then(|metadata| match metadata.topics().first() {
            Some(topic) => match topic.error() {
                Some(error) => Err(KafkaError::MetadataFetch(error.into())),
                None => Ok(topic.partitions().len()),
            },
            None => Ok(0),
        });
        let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
        match found.and_then(|count| if count == 0 { Err(unknown) } else { Ok(count) }) {
            Ok(count) => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
            Err(error) => Err(SourceError::Kafka { topic: self.options.topic.clone(), error, is_final: false }),
        }
    }

    /// Finds the places of the time to start at, of partitions of which neither a checkpoint nor the group has one.
    fn find_start(&self, since_ms: TimeMs) -> Result<(), KafkaError> {
        let topic = &self.options.topic;
        let known = self.consumer.context().places();
        let mut asked = TopicPartitionList::new();
        for partition in (0..self.partitions).filter(|partition| !known.contains_key(partition)) {
            asked.add_partition(topic, partition);
        }
        if asked.count() == 0 {
            return Ok(());
        }
        let committed = self.consumer.committed_offsets(asked, METADATA_PATIENCE)?;
        let mut times = TopicPartitionList::new();
        for element in committed.elements().iter().filter(|element| element.offset() == Offset::Invalid) {
            times.add_partition_offset(topic, element.partition(), Offset::Offset(since_ms))?;
        }
        if times.count() == 0 {
            return Ok(());
        }
        let mut found = BTreeMap::new();
        for element in self.consumer.offsets_for_times(times, METADATA_PATIENCE)?.elements() {
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                // Nothing is that late yet.
                _ => self.consumer.fetch_watermarks(topic, element.partition(), METADATA_PATIENCE)?.1,
            };
            found.insert(element.partition(), offset);
        }
        self.consumer.context().start_at(&found);
        Ok(())
    }

    /// Partitions that are at their end, or with another member of the group.
    fn not_awaited(&mut self) -> BTreeSet<i32> {
        let mut found = self.at_end.clone();
        if let Ok(mine) = self.consumer.assignment() {
            self.assigned |= mine.count() > 0;
            let is_mine = |partition: i32| mine.find_partition(&self.options.topic, partition).is_some();
            if self.assigned {
                let theirs: BTreeSet<i32> = (0..self.partitions).filter(|&partition| !is_mine(partition)).collect();
                found.extend(&theirs);
                if theirs != self.theirs && !theirs.is_empty() {
                    tracing::warn!(
                        topic = self.options.topic,
                        group = self.options.group,
                        partitions = ?theirs,
                        "another member of the group has these: rules see none of their events here"
                    );
                }
                self.theirs = theirs;
            }
        }
        found
    }

    /// Stores what a checkpoint has made durable.
    fn store_durable(&self) {
        for (partition, next) in self.options.checkpoint.iter().flat_map(|checkpoint| checkpoint.durable.take()) {
            if let (Ok(partition), Some(last)) = (i32::try_from(partition), next.checked_sub(1)) {
                self.store(partition, i64::try_from(last).unwrap_or(i64::MAX));
            }
        }
    }

    fn store(&self, partition: i32, offset: i64) {
        // Fails where the partition has gone to another member: then its place is theirs.
        if let Err(error) = self.consumer.store_offset(&self.options.topic, partition, offset) {
            tracing::debug!(topic = self.options.topic, partition, %error, "the place was not stored");
        }
    }

    /// A member that another one with the same `group.instance.id` has replaced hears nothing any more. It may be this one itself, as the group
    /// takes it where an answer to it was lost; so a new one is made, which locks out the other. If that happens again soon, there are two.
    fn join_anew(&mut self) -> Result<(), SourceError> {
        let Some((code, why)) = self.consumer.client().fatal_error() else {
            self.quarrel = self.quarrel.saturating_sub(1);
            return Ok(());
        };
        let (topic, error) = (self.options.topic.clone(), KafkaError::MessageConsumptionFatal(code));
        if self.quarrel > 0 {
            return Err(SourceError::Kafka { topic, error, is_final: true });
        }
        tracing::warn!(topic, why, "locked out of the group: joining anew");
        let place = |(partition, next)| Some((u32::try_from(partition).ok()?, u64::try_from(next).ok()?));
        let from = self.consumer.context().places().into_iter().filter_map(place).collect();
        self.consumer.context().leave();
        self.consumer = member(&self.options, &from)?;
        (self.quarrel, self.assigned, self.held) = (QUARREL, false, false);
        self.pulled.clear();
        self.at_end.clear();
        Ok(())
    }

    /// How many times the broker could not be read from.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().leave();
    }
}

impl Source for KafkaSource {
    fn name(&self) -> &str {
        &self.options.topic
    }

    fn format(&mut self) -> Result<Format, SourceError> {
        Ok(self.options.layout.format())
    }

    fn open(&mut self) -> Result<Opened, SourceError> {
        let count = self.partition_count()?;
        self.partitions = i32::try_from(count).unwrap_or(i32::MAX);
        if let Some(since_ms) = self.options.since_ms {
            let failed = |error| SourceError::Kafka { topic: self.options.topic.clone(), error, is_final: false };
            self.find_start(since_ms).map_err(failed)?;
        }
        Ok(Opened { format: self.options.layout.format(), partitions: Some(count) })
    }

    fn pull(&mut self, chunk: &mut Chunk, patience: Duration) -> Result<Pulled, SourceError> {
        self.join_anew()?;
        if std::mem::take(&mut self.held)
            && let Ok(mine) = self.consumer.assignment()
            && let Err(error) = self.consumer.resume(&mine)
        {
            tracing::warn!(topic = self.options.topic, %error, "reading could not be resumed");
        }
        let mut patience = patience;
        // The client tells of an outage again and again: what it has said of one is heard at once, not a word with each try.
        let mut trouble = None;
        while chunk.byte_len() < CHUNK_BYTES && chunk.len() < CHUNK_RECORDS {
            match self.consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    // Neither is negative on a message that was read.
                    let place = (u32::try_from(partition).unwrap_or(0), u64::try_from(offset).unwrap_or(0));
                    if !self.begun.contains(&partition) {
                        self.begun.insert(partition);
                        if let Some(header) = self.options.layout.header() {
                            // No message's place.
                            chunk.push_first(place.0, u64::MAX, &header);
                        }
                    }
                    // A message without a value is no event: the decoder rejects it as empty.
                    chunk.push(place.0, place.1, &self.options.layout.record(&message), self.options.record_bytes_max);
                    self.pulled.insert(partition, offset);
                    self.at_end.remove(&partition);
                    self.away = false;
                    // The rest is what is already here.
                    patience = Duration::ZERO;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.at_end.insert(partition);
                }
                Some(Err(error)) => {
                    self.failures += 1;
                    self.away = true;
                    patience = Duration::ZERO;
                    trouble = Some(error);
                }
            }
        }
        self.store_durable();
        if !chunk.is_empty() {
            if let Some(error) = trouble {
                tracing::warn!(topic = self.options.topic, %error, "reading goes on");
            }
            return Ok(Pulled::Records);
        }
        if let Some(error) = trouble {
            return Err(SourceError::Kafka { topic: self.options.topic.clone(), error, is_final: false });
        }
        if self.away {
            // The client says once that a broker is away, and never that it is back.
            self.partition_count()?;
            self.away = false;
        }
        Ok(Pulled::Idle)
    }

    fn caught_up(&mut self) -> Option<Vec<u32>> {
        // While a broker is away nothing is known to be at its end.
        let now = if self.away { BTreeSet::new() } else { self.not_awaited() };
        if now == self.said {
            return None;
        }
        let partitions = now.iter().filter_map(|&partition| u32::try_from(partition).ok()).collect();
        self.said = now;
        Some(partitions)
    }

    fn hold(&mut self) {
        // A member that asks for nothing is taken for dead, and what it is given now nobody can take: it asks, and nothing is fetched.
        // What was fetched and not taken is fetched again.
        if !self.held
            && let Ok(mine) = self.consumer.assignment()
            && self.consumer.pause(&mine).is_ok()
        {
            self.held = true;
        }
        match self.consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), Offset::Offset(message.offset()));
                if let Err(error) = self.consumer.seek(&self.options.topic, partition, offset, METADATA_PATIENCE) {
                    tracing::error!(topic = self.options.topic, partition, %error, "a message was taken that had to wait");
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(self.at_end.insert(partition)),
            Some(Err(error)) => tracing::debug!(topic = self.options.topic, %error, "while nothing is read"),
            None => {}
        }
    }

    fn is_resumable(&self) -> bool {
        true
    }

    fn delivered(&mut self) {
        let pulled = std::mem::take(&mut self.pulled);
        match &self.options.checkpoint {
            Some(_) => self.consumer.context().pulled(&pulled),
            None => {
                pulled.iter().for_each(|(&partition, &offset)| self.store(partition, offset));
                self.consumer.context().stored(&pulled);
            }
        }
    }
}
