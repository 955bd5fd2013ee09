//! A member of a consumer group that knows from a checkpoint where it was.

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::RDKafkaErrorCode,
    types::RDKafkaRespErr,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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
}

impl Group {
    pub(super) fn new(topic: &str, from: &BTreeMap<u32, u64>) -> Self {
        let place =
            |(&partition, &offset): (&u32, &u64)| Some((i32::try_from(partition).ok()?, i64::try_from(offset).ok()?));
        Self { topic: topic.to_owned(), places: Mutex::new(from.iter().filter_map(place).collect()) }
    }

    /// So far has been pulled: a partition that goes and comes back goes on there.
    pub(super) fn pulled(&self, last: &BTreeMap<i32, i64>) {
        lock(&self.places).extend(last.iter().map(|(&partition, &offset)| (partition, offset.saturating_add(1))));
    }
}

impl ClientContext for Group {}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
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
