//! A member of a consumer group that knows from a checkpoint where it was.

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::RDKafkaErrorCode,
    statistics::Statistics,
    types::RDKafkaRespErr,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    /// Partitions that were ours at some time; none before the group has given us any.
    had: Mutex<Option<BTreeSet<i32>>>,
    /// Whether partitions are given back because the source ends.
    leaving: AtomicBool,
    lag: KafkaLag,
}

impl Group {
    pub(super) fn new(topic: &str, from: &BTreeMap<u32, u64>, lag: KafkaLag) -> Self {
        let place =
            |(&partition, &offset): (&u32, &u64)| Some((i32::try_from(partition).ok()?, i64::try_from(offset).ok()?));
        let places: BTreeMap<i32, i64> = from.iter().filter_map(place).collect();
        // A checkpoint has the partitions of the run before.
        let had = (!places.is_empty()).then(|| places.keys().copied().collect());
        let (topic, leaving) = (topic.to_owned(), AtomicBool::new(false));
        Self { topic, places: Mutex::new(places), had: Mutex::new(had), leaving, lag }
    }

    /// The source ends: what is given back from now on is nothing to be told.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// The group gives us partitions: those that come from another member, as far as can be known.
    fn taken_over(&self, partitions: &[i32]) -> Vec<i32> {
        let mut had = lock(&self.had);
        let taken = match &*had {
            Some(had) => partitions.iter().copied().filter(|partition| !had.contains(partition)).collect(),
            None => Vec::new(),
        };
        had.get_or_insert_default().extend(partitions);
        taken
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

    /// The group knows where these go on: where they began doesn't count any more.
    pub(super) fn stored(&self, last: &BTreeMap<i32, i64>) {
        lock(&self.places).retain(|partition, _| !last.contains_key(partition));
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
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let theirs: Vec<i32> = partitions.elements().iter().map(|element| element.partition()).collect();
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS
            && cooperative
            && !theirs.is_empty()
            && !self.leaving.load(Ordering::Relaxed)
        {
            tracing::warn!(
                topic = self.topic,
                partitions = ?theirs,
                "given back to the group: who gets them knows nothing of what is open for their keys here, which stays and is gone on with \
                 if they come back; rules that keep state want a group with one member, or a `group.instance.id` for each"
            );
        }
        let done = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let taken = self.taken_over(&theirs);
                if !taken.is_empty() {
                    tracing::warn!(
                        topic = self.topic,
                        partitions = ?taken,
                        "taken over within the group: what another member knew of their keys isn't known here, so what began there isn't \
                         completed, and windows and counts begin anew"
                    );
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_after_others_were_there_is_taken_over() {
        let fresh = Group::new("t", &BTreeMap::new(), KafkaLag::default());
        assert!(fresh.taken_over(&[0, 1]).is_empty());
        // The first ones again, as where the group is shared out anew, and one of somebody else's.
        assert_eq!(fresh.taken_over(&[0, 1, 2]), [2]);
        assert!(fresh.taken_over(&[2]).is_empty());
        let resumed = Group::new("t", &BTreeMap::from([(0, 7)]), KafkaLag::default());
        assert_eq!(resumed.taken_over(&[0, 1]), [1]);
    }
}
