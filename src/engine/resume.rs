//! A core that goes on from a cut, maybe under another plan, with other numbers and another number of shards.

use super::{
    checkpoint::{BlockId, BlockKind, CheckpointError, Names},
    compile::ranks,
    machine::Engine,
    route::shard_of,
    snapshot::{load_event, load_outputs},
};
use crate::{
    model::{DecodeError, KeyGroup, Reader, Renumbering},
    time::Merge,
};
use std::collections::BTreeMap;

/// The payloads of a checkpoint's blocks.
pub type Payloads = BTreeMap<BlockId, Vec<u8>>;

/// What became of a rule's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on with so many keys.
    Kept(usize),
    /// Its expression is another: it begins without the state that so many keys had.
    Edited(usize),
    /// What it reads has other names or types: it begins without the state that so many keys had.
    Layout(usize),
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
/// A block that isn't one.
pub fn saved_keys(payloads: &Payloads, rule: u32) -> Result<usize, DecodeError> {
    let groups = payloads.range(BlockId::group(rule, 0)..=BlockId::group(rule, u32::MAX));
    groups.map(|(_, payload)| Reader::new(payload).u64().map(|keys| keys as usize)).sum()
}

impl Engine {
    /// Takes over the state of a cut that a run with these names wrote. The core has taken no event yet, and its partitions are those of
    /// the cut from now on, in their order, without those of streams that are gone.
    ///
    /// # Errors
    /// A block that isn't there or can't be read; the core should then be thrown away.
    pub fn resume(&mut self, payloads: &Payloads, saved: &Names, now: &Names) -> Result<Fates, CheckpointError> {
        let numbers = saved.renumbering(now);
        let numbers = numbers.as_ref();
        self.shards = self.blank_shards();
        let block = |kind| {
            let id = BlockId::single(kind);
            payloads.get(&id).map(|payload| (id, payload.as_slice())).ok_or(CheckpointError::Missing { block: id })
        };
        let failed = |block| move |error| CheckpointError::Decode { block, error };
        let (id, payload) = block(BlockKind::Merge)?;
        self.merge = Merge::load(&mut Reader::renumbered(payload, numbers)).map_err(failed(id))?;
        let mut fates = Fates::new();
        let mut kept: Vec<Option<u32>> = Vec::new();
        for rule in &now.rules {
            let old = saved.rule(&rule.name);
            let keys = || old.map_or(0, |old| saved_keys(payloads, old as u32).unwrap_or(0));
            let fate = match old.and_then(|at| saved.rules.get(at)) {
                None => Fate::New,
                Some(old) if old.version != rule.version => Fate::Edited(keys()),
                Some(old) if old.layout != rule.layout => Fate::Layout(keys()),
                Some(_) => Fate::Kept(0),
            };
            kept.push(old.filter(|_| fate == Fate::Kept(0)).map(|at| at as u32));
            fates.push((rule.name.clone(), fate));
        }
        let (id, payload) = block(BlockKind::Core)?;
        self.resume_core(payload, numbers, &kept).map_err(failed(id))?;
        for (rule, old) in (0..).zip(&kept) {
            let Some(old) = *old else { continue };
            self.resume_rule(rule, old, payloads, numbers)?;
        }
        for (rule, (_, fate)) in (0..).zip(&mut fates) {
            if let Fate::Kept(keys) = fate {
                *keys = self.rule_stats(rule).keys;
            }
        }
        for (at, rule) in (0..).zip(&saved.rules).filter(|(_, rule)| now.rule(&rule.name).is_none()) {
            fates.push((rule.name.clone(), Fate::Gone(saved_keys(payloads, at).unwrap_or(0))));
        }
        Ok(fates)
    }

    fn resume_rule(
        &mut self,
        rule: u32,
        old: u32,
        payloads: &Payloads,
        numbers: Option<&Renumbering>,
    ) -> Result<(), CheckpointError> {
        let (groups, shards) = (self.options.key_groups, self.options.shards);
        let range = BlockId::group(old, 0)..=BlockId::group(old, u32::MAX);
        for (&id, payload) in payloads.range(range) {
            let group = KeyGroup(id.group);
            let Some(shard) = self.shards.get_mut(shard_of(group, groups, shards) as usize) else { continue };
            let loaded = shard.load_group(rule, group, &mut Reader::renumbered(payload, numbers));
            loaded.map_err(|error| CheckpointError::Decode { block: id, error })?;
        }
        let id = BlockId::waiting(old);
        let Some(payload) = payloads.get(&id) else { return Ok(()) };
        for (at, shard) in self.shards.iter_mut().enumerate() {
            let mine = |group: KeyGroup| shard_of(group, groups, shards) as usize == at;
            let mut reader = Reader::renumbered(payload, numbers);
            let mut load = || (0..reader.len()?).try_for_each(|_| shard.load_waiting(rule, &mut reader, &mine));
            load().map_err(|error| CheckpointError::Decode { block: id, error })?;
        }
        Ok(())
    }

    fn resume_core(
        &mut self,
        payload: &[u8],
        numbers: Option<&Renumbering>,
        kept: &[Option<u32>],
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::renumbered(payload, numbers);
        let reader = &mut reader;
        self.watermark_ms = reader.i64()?;
        self.event_ms = reader.i64()?;
        self.last_event_ms = reader.i64()?;
        let counts = (0..reader.len()?).map(|_| Ok((reader.u64()?, reader.u64()?))).collect::<Result<Vec<_>, _>>()?;
        for (stats, old) in self.stats.iter_mut().zip(kept) {
            if let Some((outputs, missing_key)) = old.and_then(|old| counts.get(old as usize)) {
                (stats.outputs, stats.missing_key) = (*outputs, *missing_key);
            }
        }
        let ranks = ranks(&self.plan);
        let is_kept = |rule: u32| kept.get(rule as usize).is_some_and(Option::is_some);
        let mut seen = std::collections::BTreeSet::new();
        for level in 0..reader.len()? {
            for _ in 0..reader.len()? {
                let _rank = reader.u32()?;
                let Some(event) = load_event(reader)? else { continue };
                let rank = self.stream_ranks.get(event.stream.0 as usize).copied().unwrap_or(0);
                if numbers.is_none() {
                    self.inboxes.get_mut(level).into_iter().for_each(|inbox| inbox.push(rank, event.clone()));
                    continue;
                }
                // Rules may run at other levels now: an event waits wherever somebody above the first level reads it, once.
                let header = event.header;
                if !seen.insert((event.stream, header.time_ms, header.partition, header.offset)) {
                    continue;
                }
                for (inbox, readers) in self.inboxes.iter_mut().zip(&self.readers).skip(1) {
                    if readers.get(event.stream.0 as usize).is_some_and(|readers| !readers.is_empty()) {
                        inbox.push(rank, event.clone());
                    }
                }
            }
            for mut output in load_outputs(reader)? {
                output.rank = ranks.get(output.rule as usize).copied().unwrap_or(output.rank);
                let home = self.level_of.get(output.rule as usize).copied().unwrap_or(0) as usize;
                if is_kept(output.rule)
                    && let Some(held) = self.held.get_mut(home)
                {
                    held.push(output);
                }
            }
        }
        self.ready = load_outputs(reader)?;
        self.ready.retain(|output| is_kept(output.rule));
        match reader.is_done() {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { found: reader.u8()?.into(), expected: "the end of the block" }),
        }
    }
}
