//! Events on their way between shards. Each shard finds the rules and keys of a part of the events, in order; then each takes what the others found
//! for it, the first part first. So that is shared like the work on states is, and the order in which a shard sees events is
//! that of one thread.

use super::{
    arrivals::Arrivals,
    executor::{Executor, Inline},
    machine::Engine,
    output::Moment,
    route::{Find, Memo, Readers, Route, Router},
    shard::{Routed, Shard},
};
use std::ops::Range;

/// Fewer events than this are found for all shards, and taken by them, on one thread: the others would take longer to wake.
pub(super) const SHARED_MIN: usize = 128;

/// What a shard finds for others, and what was found for it.
#[derive(Default)]
pub(super) struct Exchange {
    /// What it knows of the event at hand.
    memos: Vec<Vec<Memo>>,
    part: Range<usize>,
    /// By shard.
    sent: Vec<Vec<Routed>>,
    /// By the shard that sent it.
    came: Vec<Vec<Routed>>,
    /// Rules for which an event had no key.
    keyless: Vec<u32>,
}

impl Exchange {
    pub(super) fn memos(&self) -> &[Vec<Memo>] {
        &self.memos
    }

    /// Finds where the events of its part go.
    fn find(&mut self, router: &Router, (level, how): (usize, Find), events: Arrivals<'_>) {
        if self.memos.is_empty() {
            self.memos = router.memos();
        }
        let Self { memos, part, sent, keyless, .. } = self;
        let mut readers = None;
        for at in part.clone() {
            let Some(event) = events.event(at) else { continue };
            if readers.as_ref().is_none_or(|readers: &Readers<'_>| readers.stream != event.stream) {
                readers = router.readers(level, event.stream, how, memos);
            }
            let Some(readers) = &mut readers else { continue };
            readers.route(event, |to, route| match route {
                Route::NoKey => keyless.push(to.rule),
                Route::To(key) => {
                    if let Some(sent) = sent.get_mut(router.shard(&key) as usize) {
                        sent.push(Routed { to, event: at as u32, key });
                    }
                }
            });
        }
    }
}

impl Engine {
    /// Lets the shards route the events of a level, of which none is late, and take them.
    pub(super) fn exchange(&mut self, (level, how): (usize, Find), events: Arrivals<'_>) {
        let count = events.len();
        let Self { router, shards, executor, stats, .. } = self;
        let parts = shards.len().max(1);
        for (at, shard) in shards.iter_mut().enumerate() {
            shard.exchange.part = count * at / parts..count * (at + 1) / parts;
            shard.exchange.sent.resize_with(parts, Vec::new);
        }
        executor.run(shards, &|shard| shard.exchange.find(router, (level, how), events));
        let mut sent: Vec<Vec<Vec<Routed>>> =
            shards.iter_mut().map(|shard| std::mem::take(&mut shard.exchange.sent)).collect();
        for (to, shard) in shards.iter_mut().enumerate() {
            for rule in shard.exchange.keyless.drain(..) {
                if let Some(stats) = stats.get_mut(rule as usize) {
                    stats.missing_key += 1;
                }
            }
            shard.exchange.came = sent.iter_mut().filter_map(|sent| sent.get_mut(to)).map(std::mem::take).collect();
        }
        executor.run(shards, &|shard| {
            let mut came = std::mem::take(&mut shard.exchange.came);
            for came in &mut came {
                std::mem::swap(&mut shard.inbox, came);
                shard.step_routed(events);
                std::mem::swap(&mut shard.inbox, came);
            }
            // The memory is for what it sends next.
            shard.exchange.sent = came;
        });
    }

    /// Lets time pass for a level's rules: on all threads only where there is something to do on several shards.
    pub(super) fn advance_level(&mut self, level: usize, to: &Moment) {
        let busy = self.shards.iter_mut().map(|shard| usize::from(shard.is_due(level, to))).sum::<usize>();
        let job = |shard: &mut Shard| shard.advance(level, to);
        if busy > 1 {
            self.executor.run(&mut self.shards, &job);
        } else {
            Inline.run(&mut self.shards, &job);
        }
    }
}
