//! Shards on threads.

use crate::engine::{Executor, Shard};
use std::thread;

/// Runs each shard's job on a thread of its own and waits for all. Threads live for one job: starting them costs some ten
/// microseconds, which is little against a batch and nothing that one shard (run in place) ever pays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Executor for Threads {
    fn run(&mut self, shards: &mut [Shard], job: &(dyn Fn(&mut Shard) + Sync)) {
        match shards {
            [] => {}
            [only] => job(only),
            [first, others @ ..] => thread::scope(|scope| {
                for shard in others {
                    scope.spawn(move || job(shard));
                }
                job(first);
            }),
        }
    }
}
