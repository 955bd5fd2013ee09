//! A core that goes on from a cut, maybe under another plan, with other numbers and another number of shards.

use super::{
    checkpoint::{BlockId, BlockKind, CheckpointError, Names},
    compile::ranks,
    figures::RuleStats,
    inbox::OwnedEvent,
    machine::Engine,
    output::Output,
    route::shard_of,
    snapshot::{load_event, load_outputs},
    timeline::{Timeline, move_on},
};
use crate::{
    model::{DecodeError, Header, KeyGroup, Reader, Renumbering, StreamId},
    plan::{Mode, Rule, StreamOrigin, drain_name},
    time::{Merge, PartitionIx},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The payloads of a checkpoint's blocks.
pub type Payloads = BTreeMap<BlockId, Vec<u8>>;

/// Where the blocks of a checkpoint come from, one at a time: a state may be larger than memory.
pub trait Blocks {
    /// The payload of a block; none if there is no such block.
    ///
    /// # Errors
    /// It can't be read.
    fn payload(&self, id: BlockId) -> Result<Option<Cow<'_, [u8]>>, CheckpointError>;

    /// The groups of a rule that there are, ascending.
    fn groups(&self, rule: u32) -> Vec<BlockId>;
}

impl Blocks for Payloads {
    fn payload(&self, id: BlockId) -> Result<Option<Cow<'_, [u8]>>, CheckpointError> {
        Ok(self.get(&id).map(Cow::from))
    }

    fn groups(&self, rule: u32) -> Vec<BlockId> {
        self.range(BlockId::group(rule, 0)..=BlockId::group(rule, u32::MAX)).map(|(id, _)| *id).collect()
    }
}

/// What became of a rule's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on with so many keys.
    Kept(usize),
    /// Its expression, or that of a rule that it reads, is another: it begins without the state that so many keys had.
    Edited(usize),
    /// What it reads has other names or types: it begins without the state that so many keys had.
    Layout(usize),
    /// It is off: the state that so many keys had is left.
    Off(usize),
    /// It wasn't there.
    New,
    /// It isn't there any more, and had so many keys.
    Gone(usize),
}

/// What a core took over: rules with their fates, in order of the plan, then those that are gone.
pub type Fates = Vec<(String, Fate)>;

/// How many keys the saved state of a rule has, by its number in the checkpoint.
///
/// # Errors
/// A block that isn't one, or can't be read.
pub fn saved_keys(blocks: &dyn Blocks, rule: u32) -> Result<usize, CheckpointError> {
    let keys = |block| {
        let payload = blocks.payload(block)?.unwrap_or_default();
        let keys = Reader::new(&payload).u64().map_err(|error| CheckpointError::Decode { block, error })?;
        Ok(keys as usize)
    };
    blocks.groups(rule).into_iter().map(keys).sum()
}

/// The reorder buffers, and of each partition of each its number now.
type Merges = (Vec<Merge>, Vec<Vec<Option<PartitionIx>>>);

fn load_merges(reader: &mut Reader<'_>) -> Result<Merges, DecodeError> {
    let merges = (0..reader.len()?).map(|_| Merge::load_left(reader)).collect::<Result<Vec<_>, _>>()?;
    Ok(merges.into_iter().unzip())
}

impl Engine {
    /// Takes over the state of a cut that a run with these names wrote. The core has taken no event yet, and its partitions are those of
    /// the cut from now on, in their order, without those of streams that are gone.
    ///
    /// # Errors
    /// A block that isn't there or can't be read; the core should then be thrown away.
    pub fn resume(&mut self, blocks: &dyn Blocks, saved: &Names, now: &Names) -> Result<Fates, CheckpointError> {
        let numbers = saved.renumbering(now);
        let numbers = numbers.as_ref();
        self.shards = self.blank_shards();
        self.set_limits(self.limits);
        for (drain, until_ms) in saved.drains.iter().filter_map(|drain| Some((drain, drain.until_ms?))) {
            let rule = self.plan.find_known(&drain_name(&drain.name, drain.number));
            if let Some(place) = rule.and_then(|rule| self.drain_until.get_mut(rule)) {
                *place = until_ms;
            }
        }
        self.set_drains();
        let block = |kind| {
            let id = BlockId::single(kind);
            let payload = blocks.payload(id)?.ok_or(CheckpointError::Missing { block: id })?;
            Ok::<_, CheckpointError>((id, payload))
        };
        let failed = |block| move |error| CheckpointError::Decode { block, error };
        let (id, payload) = block(BlockKind::Merge)?;
        let merges = load_merges(&mut Reader::of_run(&payload, numbers)).map_err(failed(id))?;
        let mut fates = Fates::new();
        let kept = self.still_fit(saved, now);
        for ((rule, means), fits) in now.rules.iter().zip(&self.plan.rules).zip(&kept) {
            let old = saved.rule(&rule.name);
            let keys = || old.map_or(0, |old| saved_keys(blocks, old as u32).unwrap_or(0));
            let fate = match old.and_then(|at| saved.rules.get(at)) {
                None => Fate::New,
                Some(_) if means.mode == Mode::Off => Fate::Off(keys()),
                Some(old) if old.version != rule.version => Fate::Edited(keys()),
                Some(_) if self.reads_others(means, &kept) => Fate::Edited(keys()),
                Some(_) if fits.is_none() => Fate::Layout(keys()),
                Some(_) => Fate::Kept(0),
            };
            fates.push((rule.name.clone(), fate));
        }
        for owner in &saved.owners {
            let rule = now.rule(&owner.name).filter(|&rule| kept.get(rule).is_some_and(Option::is_some));
            rule.into_iter().for_each(|rule| self.own(rule as u32, owner.owned));
        }
        let (id, payload) = block(BlockKind::Core)?;
        self.resume_core(&payload, (merges, numbers), &kept).map_err(failed(id))?;
        for (rule, old) in (0..).zip(&kept) {
            let Some(old) = *old else { continue };
            self.resume_rule(rule, old, blocks, numbers)?;
        }
        // What comes next arrives when the wall clock was last read.
        self.resume_arrivals();
        for (rule, (_, fate)) in (0..).zip(&mut fates) {
            if let Fate::Kept(keys) = fate {
                *keys = self.rule_stats(rule).keys;
            }
        }
        for (at, rule) in (0..).zip(&saved.rules).filter(|(_, rule)| now.rule(&rule.name).is_none()) {
            fates.push((rule.name.clone(), Fate::Gone(saved_keys(blocks, at).unwrap_or(0))));
        }
        Ok(fates)
    }

    /// For each rule the saved one whose state goes on.
    fn still_fit(&self, saved: &Names, now: &Names) -> Vec<Option<u32>> {
        let rules = now.rules.iter().zip(&self.plan.rules);
        let same = rules.map(|(rule, means)| {
            let at = saved.rule(&rule.name).filter(|_| means.mode != Mode::Off)?;
            let old = saved.rules.get(at)?;
            (old.version == rule.version && old.layout == rule.layout).then_some(at as u32)
        });
        let mut kept: Vec<Option<u32>> = same.collect();
        // A rule comes after those that it reads, so that one look is enough; but for circles, which go on whole or not at all.
        loop {
            let before = kept.clone();
            for (at, means) in self.plan.rules.iter().enumerate() {
                if self.reads_others(means, &kept)
                    && let Some(kept) = kept.get_mut(at)
                {
                    *kept = None;
                }
            }
            if kept == before || self.circles.is_empty() {
                return kept;
            }
        }
    }

    /// Whether a rule reads one that doesn't go on.
    fn reads_others(&self, means: &Rule, kept: &[Option<u32>]) -> bool {
        means.inputs.iter().enumerate().any(|(at, input)| match self.plan.maker(input.stream) {
            Some(read) if !means.is_own(at) => kept.get(read).is_none_or(Option::is_none),
            _ => false,
        })
    }

    fn resume_rule(
        &mut self,
        rule: u32,
        old: u32,
        blocks: &dyn Blocks,
        numbers: Option<&Renumbering>,
    ) -> Result<(), CheckpointError> {
        let (groups, shards) = (self.options.key_groups, self.options.shards);
        for id in blocks.groups(old) {
            let group = KeyGroup(id.group);
            let Some(shard) = self.shards.get_mut(shard_of(group, groups, shards) as usize) else { continue };
            let payload = blocks.payload(id)?.ok_or(CheckpointError::Missing { block: id })?;
            let loaded = shard.load_group(rule, group, &mut Reader::of_run(&payload, numbers));
            loaded.map_err(|error| CheckpointError::Decode { block: id, error })?;
        }
        let id = BlockId::waiting(old);
        let Some(payload) = blocks.payload(id)? else { return Ok(()) };
        for (at, shard) in self.shards.iter_mut().enumerate() {
            let mine = |group: KeyGroup| shard_of(group, groups, shards) as usize == at;
            let mut reader = Reader::of_run(&payload, numbers);
            let mut load = || (0..reader.len()?).try_for_each(|_| shard.load_waiting(rule, &mut reader, &mine));
            load().map_err(|error| CheckpointError::Decode { block: id, error })?;
        }
        Ok(())
    }

    /// Takes over what is neither a rule's nor a reorder buffer's.
    fn resume_core(
        &mut self,
        payload: &[u8],
        (merges, numbers): (Merges, Option<&Renumbering>),
        kept: &[Option<u32>],
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::of_run(payload, numbers);
        let reader = &mut reader;
        self.wall_ms = reader.i64()?;
        let same_levels = self.resume_timelines(reader, merges)? && numbers.is_none();
        let count = |reader: &mut Reader<'_>| Ok([reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?]);
        let counts = (0..reader.len()?).map(|_| count(reader)).collect::<Result<Vec<_>, DecodeError>>()?;
        for (stats, old) in self.stats.iter_mut().zip(kept) {
            if let Some(&[outputs, missing_key, late, shed]) = old.and_then(|old| counts.get(old as usize)) {
                *stats = RuleStats { outputs, missing_key, late, shed, ..*stats };
            }
        }
        let ranks = ranks(&self.plan);
        let is_kept = |rule: u32| kept.get(rule as usize).is_some_and(Option::is_some);
        let mine = |mut output: Output| {
            output.rank = ranks.get(output.rule as usize).copied().unwrap_or(output.rank);
            is_kept(output.rule).then_some(output)
        };
        let mut seen = BTreeSet::new();
        for level in 0..reader.len()? {
            for _ in 0..reader.len()? {
                let _rank = reader.u32()?;
                let Some(event) = load_event(reader)? else { continue };
                let at = event.stream.0 as usize;
                let stays = match self.plan.streams.get(at).map(|stream| stream.origin) {
                    Some(StreamOrigin::Source) => true,
                    Some(StreamOrigin::Rule(rule)) => is_kept(rule),
                    None => false,
                };
                let rank = self.stream_ranks.get(at).copied().unwrap_or(0);
                let Header { time_ms, partition, offset } = event.header;
                if !stays {
                    continue;
                }
                if same_levels {
                    self.inboxes.get_mut(level).into_iter().for_each(|inbox| inbox.push(rank, event.clone()));
                } else if seen.insert((event.stream, time_ms, partition, offset)) {
                    // Rules may run at other levels now.
                    self.wait_again(&event);
                }
            }
            for output in load_outputs(reader)?.into_iter().filter_map(mine) {
                let home = self.level_of.get(output.rule as usize).copied().unwrap_or(0) as usize;
                self.held.get_mut(home).into_iter().for_each(|held| held.push(output.clone()));
            }
        }
        self.ready = load_outputs(reader)?.into_iter().filter_map(mine).collect();
        self.is_in_order = false;
        self.ordered = load_outputs(reader)?.into_iter().filter_map(mine).collect();
        if !reader.is_done() {
            let missed = (0..counts.len()).map(|_| reader.u64()).collect::<Result<Vec<_>, DecodeError>>()?;
            for (stats, old) in self.stats.iter_mut().zip(kept) {
                stats.skip_misses = old.and_then(|old| missed.get(old as usize).copied()).unwrap_or(0);
            }
        }
        match reader.is_done() {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { found: reader.u8()?.into(), expected: "the end of the block" }),
        }
    }

    /// An event waits wherever somebody above the first level reads it; to be told once of each.
    pub(super) fn wait_again(&mut self, event: &OwnedEvent) {
        let at = event.stream.0 as usize;
        let rank = self.stream_ranks.get(at).copied().unwrap_or(0);
        let timeline = self.timeline_of_stream.get(at).and_then(|timeline| self.timelines.get(*timeline));
        let levels = timeline.map(|timeline| timeline.levels.clone()).unwrap_or_default();
        let inboxes = self.inboxes.iter_mut().zip(&self.readers).take(levels.end).skip(levels.start + 1);
        for (inbox, _) in inboxes.filter(|(_, readers)| readers.get(at).is_some_and(|all| !all.is_empty())) {
            inbox.push(rank, event.clone());
        }
    }

    /// Takes over times and partitions. Sources may be on other timelines now: whether all are on those that they were on, with the
    /// same levels.
    fn resume_timelines(&mut self, reader: &mut Reader<'_>, (merges, went): Merges) -> Result<bool, DecodeError> {
        let mut old = Vec::with_capacity(merges.len());
        for _ in 0..reader.len()? {
            let mut timeline = Timeline::new(reader.u32()? as usize..reader.u32()? as usize);
            (timeline.watermark_ms, timeline.event_ms, timeline.last_event_ms) =
                (reader.i64()?, reader.i64()?, reader.i64()?);
            old.push(timeline);
        }
        if old.len() != merges.len() {
            return Err(DecodeError::Unexpected { found: old.len() as u64, expected: "a timeline for each buffer" });
        }
        for (timeline, merge) in old.iter_mut().zip(merges) {
            timeline.merge = merge;
        }
        let mut partitions = Vec::new();
        for _ in 0..reader.len()? {
            let (timeline, own) = (reader.u32()?, reader.u32()?);
            let now = went.get(timeline as usize).and_then(|went| went.get(own as usize));
            let expected = "a partition of its timeline";
            let now = now.ok_or(DecodeError::Unexpected { found: own.into(), expected })?;
            partitions.extend(now.map(|own| (timeline as usize, own)));
        }
        let is_home = |(at, timeline): (usize, &Timeline)| {
            let home = |stream: StreamId| self.timeline_of_stream.get(stream.0 as usize) == Some(&at);
            timeline.merge.streams().all(home)
        };
        let same = old.len() == self.timelines.len() && old.iter().enumerate().all(is_home);
        let same_levels = old.iter().map(|old| &old.levels).eq(self.timelines.iter().map(|now| &now.levels));
        if same {
            for (now, old) in self.timelines.iter_mut().zip(old) {
                *now = Timeline { levels: now.levels.clone(), ..old };
            }
        } else {
            move_on(old, &mut self.timelines, &self.timeline_of_stream, &mut partitions);
        }
        self.partitions = partitions;
        Ok(same && same_levels)
    }
}
