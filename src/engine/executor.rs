//! Who runs the shards' jobs. The core only states them; threads are the driver's.

use super::shard::Shard;

/// Runs one job on every shard and returns when all are done. The result must not depend on order or thread.
pub trait Executor: Send {
    /// Runs `job` once on each shard.
    fn run(&mut self, shards: &mut [Shard], job: &(dyn Fn(&mut Shard) + Sync));
}

/// Runs one shard after the other on the caller's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl Executor for Inline {
    fn run(&mut self, shards: &mut [Shard], job: &(dyn Fn(&mut Shard) + Sync)) {
        shards.iter_mut().for_each(job);
    }
}
