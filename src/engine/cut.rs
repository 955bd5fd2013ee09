//! The core as it is between two advances, to be written by somebody else while it goes on.

use super::{
    checkpoint::{BlockId, BlockKind},
    figures::RuleStats,
    machine::Engine,
    partition::Frozen,
    resume::Payloads,
    snapshot::{save_event, save_outputs},
    state::BackendError,
    timeline::Timeline,
};
use crate::{model::Writer, time::Merge};

/// One consistent cut through the core. It shares what it can with the running core: taking it costs a few words for each key group, and the
/// core copies a group when it next writes to it while the cut lives.
pub struct Cut {
    core: Vec<u8>,
    /// Those of the timelines.
    merges: Vec<Merge>,
    /// For each rule its shards.
    rules: Vec<Vec<Box<dyn Frozen>>>,
    barrier: u64,
    /// The core was of no use any more.
    fault: Option<BackendError>,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cut").field("barrier", &self.barrier).field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// A block of states that a cut can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutBlock {
    /// Which.
    pub id: BlockId,
    /// The barrier since which it has been as it is: what a cut of that barrier or a later one wrote of it is still right. None: it has to
    /// be written.
    pub since: Option<u64>,
}

impl Engine {
    /// Cuts, between two advances and with all alerts taken.
    pub fn cut(&mut self) -> Cut {
        self.barrier += 1;
        let mut writer = Writer::new();
        writer.i64(self.wall_ms);
        writer.len(self.timelines.len());
        for timeline in &self.timelines {
            let Timeline { merge: _, levels, watermark_ms, event_ms, last_event_ms } = timeline;
            [levels.start, levels.end].into_iter().for_each(|level| writer.len(level));
            [watermark_ms, event_ms, last_event_ms].into_iter().for_each(|&time_ms| writer.i64(time_ms));
        }
        writer.len(self.partitions.len());
        for (timeline, own) in &self.partitions {
            writer.len(*timeline);
            writer.u64(u64::from(own.0));
        }
        writer.len(self.stats.len());
        for RuleStats { outputs, missing_key, late, shed, skip_misses: _, keys: _, open: _ } in &self.stats {
            [outputs, missing_key, late, shed].into_iter().for_each(|&count| writer.u64(count));
        }
        writer.len(self.inboxes.len());
        for (inbox, held) in self.inboxes.iter().zip(&self.held) {
            writer.len(inbox.len());
            for (rank, event) in inbox.waiting() {
                writer.u64(u64::from(*rank));
                save_event(event, &mut writer);
            }
            save_outputs(held, &mut writer);
        }
        save_outputs(&self.ready, &mut writer);
        save_outputs(&self.ordered, &mut writer);
        // Behind everything, where there is any: what was written before has none.
        if self.stats.iter().any(|stats| stats.skip_misses > 0) {
            self.stats.iter().for_each(|stats| writer.u64(stats.skip_misses));
        }
        let barrier = self.barrier;
        let rules = (0..self.stats.len() as u32)
            .map(|rule| self.shards.iter_mut().filter_map(|shard| shard.freeze(rule, barrier)).collect());
        let rules = rules.collect();
        let merges = self.timelines.iter().map(|timeline| timeline.merge.freeze()).collect();
        Cut { core: writer.into_bytes(), merges, rules, barrier, fault: self.fault().cloned() }
    }
}

impl Cut {
    /// The barrier's number; they ascend from 1 within a process.
    pub fn barrier(&self) -> u64 {
        self.barrier
    }

    /// Watermarks, counts, and what waits between rules.
    pub fn core(&self) -> &[u8] {
        &self.core
    }

    /// The reorder buffers, one for each timeline.
    pub fn merge(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.len(self.merges.len());
        self.merges.iter().for_each(|merge| merge.save(&mut writer));
        writer.into_bytes()
    }

    /// The blocks of states.
    pub fn blocks(&self) -> Vec<CutBlock> {
        let mut blocks = Vec::new();
        for (rule, shards) in (0..).zip(&self.rules) {
            blocks.push(CutBlock { id: BlockId::waiting(rule), since: None });
            for (group, since) in shards.iter().flat_map(|shard| shard.groups()) {
                blocks.push(CutBlock { id: BlockId::group(rule, group), since: Some(since) });
            }
        }
        blocks
    }

    /// All of it, for a core in the same process.
    ///
    /// # Errors
    /// As [`payload`](Self::payload).
    pub fn payloads(&self) -> Result<Payloads, BackendError> {
        let states = self.blocks().into_iter().map(|block| Ok((block.id, self.payload(block.id)?)));
        let core = (BlockId::single(BlockKind::Core), self.core.clone());
        states.chain([Ok(core), Ok((BlockId::single(BlockKind::Merge), self.merge()))]).collect()
    }

    /// Gives back to the core what it lent for one of [`blocks`](Self::blocks), whose payload isn't asked for any more. Then the core need not
    /// copy it when it writes to it, and what was copied already goes little by little: a million blocks of memory that are freed at once hold up
    /// whoever next asks for memory.
    pub fn let_go(&mut self, id: BlockId) {
        if id.kind == BlockKind::Group {
            let shards = self.rules.get_mut(id.rule as usize).into_iter().flatten();
            shards.for_each(|shard| shard.let_go(id.group));
        }
    }

    /// The payload of one of [`blocks`](Self::blocks), unless it was [let go](Self::let_go).
    ///
    /// # Errors
    /// Some keys are in the store, and it can't be read, or couldn't before.
    pub fn payload(&self, id: BlockId) -> Result<Vec<u8>, BackendError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut writer = Writer::new();
        let shards = self.rules.get(id.rule as usize).map(Vec::as_slice).unwrap_or_default();
        match id.kind {
            BlockKind::Group => {
                if let Some(shard) = shards.iter().find(|shard| shard.has(id.group)) {
                    shard.save_group(id.group, &mut writer)?;
                }
            }
            _ => {
                writer.len(shards.len());
                shards.iter().for_each(|shard| shard.save_waiting(&mut writer));
            }
        }
        Ok(writer.into_bytes())
    }
}
