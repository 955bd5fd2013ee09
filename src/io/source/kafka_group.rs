//! A member of a consumer group that knows from a checkpoint where it was.

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::RDKafkaErrorCode,
    statistics::Statistics,
    types::RDKafkaRespErr,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many messages of its partitions a source has yet to read; told every few seconds. Shared by the source and who shows it.
#[derive(Clone, Debug)]
pub struct KafkaLag(Arc<AtomicU64>);

impl Default for KafkaLag {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl KafkaLag {
    /// None as long as nothing is known.
    pub fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|lag| *lag != u64::MAX)
    }

    /// So many.
    pub fn set(&self, lag: u64) {
        self.0.store(lag.min(u64::MAX - 1), Ordering::Relaxed);
    }
}

/// Offsets of next messages, by partition, that a durable checkpoint has: these are committed to the group, so that its lag can be seen
/// and a run without the checkpoint begins there. Shared by the source and who writes checkpoints.
#[derive(Clone, Debug, Default)]
pub struct Durable(Arc<Mutex<BTreeMap<u32, u64>>>);

impl Durable {
    /// A checkpoint has these now.
    pub fn set(&self, offsets: BTreeMap<u32, u64>) {
        *lock(&self.0) = offsets;
    }

    /// What was set since this was last asked.
    pub(super) fn take(&self) -> BTreeMap<u32, u64> {
        std::mem::take(&mut *lock(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where partitions are read from when the group gives them to us.
#[derive(Debug, Default)]
pub(super) struct Group {
    topic: String,
    /// Next offsets by partition; empty: the group's own.
    places: Mutex<BTreeMap<i32, i64>>,
    lag: KafkaLag,
}

impl Group {
    pub(super) fn new(topic: &str, from: &BTreeMap<u32, u64>, lag: KafkaLag) -> Self {
        let place =
            |(&partition, &offset): (&u32, &u64)| Some((i32::try_from(partition).ok()?, i64::try_from(offset).ok()?));
        Self { topic: topic.to_owned(), places: Mutex::new(from.iter().filter_map(place).collect()), lag }
    }

    /// Where partitions are gone on with, as far as it isn't the group that knows.
    pub(super) fn places(&self) -> BTreeMap<i32, i64> {
        lock(&self.places).clone()
    }

    /// Partitions without a place begin here.
    pub(super) fn start_at(&self, offsets: &BTreeMap<i32, i64>) {
        let mut places = lock(&self.places);
        for (&partition, &offset) in offsets {
            places.entry(partition).or_insert(offset);
        }
    }

    /// So far has been pulled: a partition that goes and comes back goes on there.
    pub(super) fn pulled(&self, last: &BTreeMap<i32, i64>) {
        lock(&self.places).extend(last.iter().map(|(&partition, &offset)| (partition, offset.saturating_add(1))));
    }
}

impl ClientContext for Group {
    fn stats(&self, statistics: Statistics) {
        if let Some(topic) = statistics.topics.get(&self.topic) {
            let lags = topic.partitions.values().filter_map(|partition| u64::try_from(partition.consumer_lag).ok());
            self.lag.set(lags.fold(0, u64::saturating_add));
        }
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && partitions.count() > 0 {
            let elements = partitions.elements();
            let gone: Vec<i32> = elements.iter().map(|element| element.partition()).collect();
            tracing::info!(
                topic = self.topic,
                partitions = ?gone,
                "given back to the group; what is known of their keys stays, and is gone on with if they come back"
            );
        }
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                for (&partition, &offset) in &*lock(&self.places) {
                    if partitions.find_partition(&self.topic, partition).is_some()
                        && let Err(error) =
                            partitions.set_partition_offset(&self.topic, partition, Offset::Offset(offset))
                    {
                        tracing::error!(topic = self.topic, partition, offset, %error, "can't go on at the checkpoint's place");
                    }
                }
                if cooperative { consumer.incremental_assign(partitions) } else { consumer.assign(partitions) }
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS if cooperative => {
                consumer.incremental_unassign(partitions)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => consumer.unassign(),
            other => {
                let code: RDKafkaErrorCode = other.into();
                tracing::warn!(topic = self.topic, error = %code, "the group could not share out its partitions");
                consumer.unassign()
            }
        };
        if let Err(error) = done {
            tracing::warn!(topic = self.topic, %error, "partitions could not be taken or given back");
        }
    }
}
