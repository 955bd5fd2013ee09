//! What a rule keeps of one partition, and how that is written.

use super::{
    histories::Histories,
    kernel::Kernel,
    keyed,
    operator::{EntityCodec, PartitionCodec},
    output::Output,
    snapshot::save_outputs,
    spill::{Codec, FrozenSpill},
    state::BackendError,
};
use crate::{
    expr::Past,
    model::{DecodeError, Reader, TimeMs, Writer},
    op::through,
    plan,
};
use std::{collections::VecDeque, sync::Arc};

/// The state of a key under some kernel: small, serialisable.
pub(super) trait State: Clone + Send + Sync {
    /// How the event before is kept beside it.
    type Before: Before;
}

/// A place for the event before.
pub(super) trait Before: Clone + Default + Send + Sync + From<Option<Past>> {
    /// What is there.
    fn get(&self) -> Option<&Past>;
    /// Takes what is there.
    fn take(&mut self) -> Option<Past>;
    /// A place for the event after what is there, which goes: its memory is used again.
    fn followed_by(self, past: Past) -> Self;
}

impl Before for Option<Past> {
    fn get(&self) -> Option<&Past> {
        self.as_ref()
    }

    fn take(&mut self) -> Option<Past> {
        self.take()
    }

    fn followed_by(self, past: Past) -> Self {
        Some(past)
    }
}

/// Elsewhere: for kernels with many keys, where few rules ask for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside(Option<Box<Past>>);

impl Before for Aside {
    fn get(&self) -> Option<&Past> {
        self.0.as_deref()
    }

    fn take(&mut self) -> Option<Past> {
        self.0.take().map(|past| *past)
    }

    fn followed_by(mut self, past: Past) -> Self {
        match &mut self.0 {
            Some(place) => **place = past,
            None => self.0 = Some(Box::new(past)),
        }
        self
    }
}

impl From<Option<Past>> for Aside {
    fn from(past: Option<Past>) -> Self {
        Self(past.map(Box::new))
    }
}

/// What is kept of a partition beside the kernel's state.
#[derive(Clone, Debug)]
pub(super) struct Partition<S: State> {
    pub(super) previous: S::Before,
    /// Those before it, the latest first; only for rules that look back so far.
    pub(super) older: Option<Box<Older>>,
    /// What values were, for rules that compare with what is usual.
    pub(super) histories: Histories,
    pub(super) kernel: S,
}

/// One allocation for what few rules have.
#[derive(Clone, Debug, Default)]
pub(super) struct Older(pub(super) VecDeque<Past>);

impl<S: State> Partition<S> {
    /// One that nothing has come to yet, with what the kernel has of such.
    pub(super) fn new(kernel: S) -> Self {
        Self { previous: S::Before::default(), older: None, histories: Histories::default(), kernel }
    }

    /// When time next does something to it.
    pub(super) fn deadline<K: Kernel<State = S>>(&self, kernel: &K, rule: &plan::Rule) -> Option<TimeMs> {
        if self.histories.is_empty() {
            return kernel.deadline(&self.kernel);
        }
        let over_ms = self.histories.over_ms(&rule.baselines);
        kernel.deadline(&self.kernel).into_iter().chain(over_ms).min()
    }

    /// Whether it is as good as blank.
    pub(super) fn is_idle<K: Kernel<State = S>>(&self, kernel: &K) -> bool {
        self.previous.get().is_none() && self.histories.is_empty() && kernel.is_idle(&self.kernel)
    }

    /// Looks at what it takes to go on with an event of this kind, so that it is fetched from memory; then, `further`, at what that
    /// leads to.
    #[inline]
    pub(super) fn touch<K: Kernel<State = S>>(&self, kernel: &K, kind: Option<u32>, further: bool) -> u64 {
        let previous = self.previous.get().map_or(0, |past| past.time_ms as u64);
        let aside = self.older.is_some() ^ self.histories.is_empty();
        previous ^ u64::from(aside) ^ kernel.touch(&self.kernel, kind, further)
    }

    pub(super) fn save<K: Kernel<State = S>>(&self, kernel: &K, rule: &plan::Rule, writer: &mut Writer) {
        let older = self.older.iter().flat_map(|older| &older.0);
        let past: Vec<&Past> = self.previous.get().into_iter().chain(older).collect();
        writer.len(past.len());
        for Past { time_ms, values } in past {
            writer.i64(*time_ms);
            writer.len(values.len());
            values.iter().for_each(|value| writer.value(value));
        }
        self.histories.save(&rule.baselines, writer);
        kernel.save(&self.kernel, writer);
    }

    /// The partition, and when it is next due.
    pub(super) fn load<K: Kernel<State = S>>(
        kernel: &K,
        rule: &plan::Rule,
        reader: &mut Reader<'_>,
    ) -> Result<(Self, Option<TimeMs>), DecodeError> {
        let past = |reader: &mut Reader<'_>| {
            let time_ms = reader.i64()?;
            let values = (0..reader.len()?).map(|_| reader.value()).collect::<Result<_, _>>()?;
            Ok::<_, DecodeError>(Past { time_ms, values })
        };
        let mut past = (0..reader.len()?).map(|_| past(reader)).collect::<Result<VecDeque<Past>, _>>()?;
        let previous = past.pop_front().into();
        let older = (!past.is_empty()).then(|| Box::new(Older(past)));
        let histories = Histories::load(&rule.baselines, reader)?;
        let partition = Self { previous, older, histories, kernel: kernel.load(reader)? };
        let deadline_ms = partition.deadline(kernel, rule);
        Ok((partition, deadline_ms))
    }
}

/// One rule on one shard as it was at a barrier; can be written on any thread while the rule goes on.
pub(super) trait Frozen: Send + Sync {
    /// The groups with state, ascending, and of each the barrier since which it is as it is.
    fn groups(&self) -> Vec<(u32, u64)>;
    /// Whether a group is among them.
    fn has(&self, group: u32) -> bool;
    /// Writes the state of a group's keys.
    ///
    /// # Errors
    /// Some are in the store, and it can't be read.
    fn save_group(&self, group: u32, writer: &mut Writer) -> Result<(), BackendError>;
    /// Gives back what was lent of a group, which isn't asked for any more.
    fn let_go(&mut self, group: u32);
    /// Writes the outputs that wait for the wall clock.
    fn save_waiting(&self, writer: &mut Writer);
}

/// A table as it was, and its part of the store.
type Table<S> = (keyed::Frozen<S>, Option<FrozenSpill>);

pub(super) struct FrozenOperator<K: Kernel> {
    pub(super) kernel: Arc<K>,
    pub(super) rule: Arc<plan::Rule>,
    pub(super) partitions: Table<Partition<K::State>>,
    pub(super) entities: Option<Table<through::KeyState>>,
    pub(super) waiting: Vec<Output>,
}

/// Where there is a store it knows since when a group is as it is: that keys go and come back is no change.
fn groups_of<S>((here, cold): &Table<S>) -> Vec<(u32, u64)> {
    cold.as_ref().map_or_else(|| here.groups().collect(), |cold| cold.groups().collect())
}

fn has<S>((here, cold): &Table<S>, group: u32) -> bool {
    cold.as_ref().map_or_else(|| here.has(group), |cold| cold.has(group))
}

fn save<S>(
    (here, cold): &Table<S>,
    group: u32,
    codec: &impl Codec<S>,
    writer: &mut Writer,
) -> Result<(), BackendError> {
    let Some(cold) = cold else {
        here.save(group, writer, |state, writer| codec.save(state, writer));
        return Ok(());
    };
    let entries = here.entries(group);
    writer.len(entries.len() + cold.keys(group));
    cold.save(group, entries.iter().map(|entry| (&entry.key, &entry.state)), codec, writer)
}

impl<K: Kernel> Frozen for FrozenOperator<K> {
    fn groups(&self) -> Vec<(u32, u64)> {
        let mut groups = groups_of(&self.partitions);
        if let Some(entities) = &self.entities {
            groups.extend(groups_of(entities));
            groups.sort_unstable();
            // Of a group that is in both, what changed last counts.
            groups.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 = kept.1.max(next.1);
                }
                same
            });
        }
        groups
    }

    fn has(&self, group: u32) -> bool {
        has(&self.partitions, group) || self.entities.as_ref().is_some_and(|entities| has(entities, group))
    }

    fn save_group(&self, group: u32, writer: &mut Writer) -> Result<(), BackendError> {
        let codec = PartitionCodec { kernel: &*self.kernel, rule: &self.rule };
        save(&self.partitions, group, &codec, writer)?;
        self.entities.as_ref().map_or(Ok(()), |entities| save(entities, group, &EntityCodec, writer))
    }

    fn let_go(&mut self, group: u32) {
        self.partitions.0.let_go(group);
        if let Some((entities, _)) = &mut self.entities {
            entities.let_go(group);
        }
    }

    fn save_waiting(&self, writer: &mut Writer) {
        save_outputs(&self.waiting, writer);
    }
}
