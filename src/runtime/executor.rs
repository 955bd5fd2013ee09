//! Shards on threads.

use crate::engine::{Executor, Inline, Shard};
use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// Runs each shard's job on a thread of its own and waits for all. Threads wait for jobs, since a step has two or three and begins
/// some thousand times a second: starting one takes some ten microseconds, waking it a few. One shard needs none.
#[derive(Debug, Default)]
pub struct Threads {
    /// One fewer than shards: the caller does the first one's job.
    pool: Option<ThreadPool>,
}

impl Threads {
    /// The threads, made for the first job; none where the system has no more.
    fn pool(&mut self, others: usize) -> Option<&ThreadPool> {
        if self.pool.as_ref().is_none_or(|pool| pool.current_num_threads() != others) {
            let builder = ThreadPoolBuilder::new().num_threads(others).thread_name(|at| format!("shard-{}", at + 1));
            self.pool = builder.build().ok();
        }
        self.pool.as_ref()
    }
}

impl Executor for Threads {
    fn run(&mut self, shards: &mut [Shard], job: &(dyn Fn(&mut Shard) + Sync)) {
        let others = shards.len().saturating_sub(1);
        let Some(pool) = (others > 0).then(|| self.pool(others)).flatten() else {
            return Inline.run(shards, job);
        };
        if let [first, others @ ..] = shards {
            pool.in_place_scope(|scope| {
                for shard in others {
                    scope.spawn(move |_| job(shard));
                }
                job(first);
            });
        }
    }
}
