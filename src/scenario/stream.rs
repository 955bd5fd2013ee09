//! A stream: the records of many movers in one order of time.

use super::record::Record;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

/// Something that makes records in order of time, as often as it is asked.
pub(super) trait Feed: Send + Sync {
    /// All records, by time.
    fn records(&self) -> Box<dyn Iterator<Item = Record> + Send + '_>;
}

impl Feed for Vec<Record> {
    fn records(&self) -> Box<dyn Iterator<Item = Record> + Send + '_> {
        Box::new(self.iter().cloned())
    }
}

/// A named stream of a scenario.
pub struct Stream {
    name: &'static str,
    feeds: Vec<Box<dyn Feed>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).field("feeds", &self.feeds.len()).finish()
    }
}

impl Stream {
    pub(super) fn new(name: &'static str, feeds: Vec<Box<dyn Feed>>) -> Self {
        Self { name, feeds }
    }

    /// The stream's name: `pings`, `ais`, ...
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The records by event time; those of one instant in the order of their movers. Made while it is read, the same
    /// each time.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        let mut feeds: Vec<_> = self.feeds.iter().map(|feed| feed.records()).collect();
        let mut heads = Vec::with_capacity(feeds.len());
        let mut order = BinaryHeap::with_capacity(feeds.len());
        for (n, feed) in feeds.iter_mut().enumerate() {
            let head = feed.next();
            order.extend(head.as_ref().map(|record| Reverse((record.ts, n))));
            heads.push(head);
        }
        Records { feeds, heads, order }
    }
}

/// The records of a stream by event time.
pub struct Records<'a> {
    feeds: Vec<Box<dyn Iterator<Item = Record> + Send + 'a>>,
    heads: Vec<Option<Record>>,
    order: BinaryHeap<Reverse<(i64, usize)>>,
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("next", &self.order.peek()).finish_non_exhaustive()
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let Reverse((_, n)) = self.order.pop()?;
        let next = self.feeds.get_mut(n)?.next();
        self.order.extend(next.as_ref().map(|record| Reverse((record.ts, n))));
        std::mem::replace(self.heads.get_mut(n)?, next)
    }
}
