//! The `keys` scenario: uniform load for benches.

use super::catalog::START;
use super::draw::Draw;
use super::record::{Field, Record};
use super::stream::Feed;

/// How much load the `keys` scenario makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many keys there are: 1 to 4,294,967,296.
    pub keys: u64,
    /// How many events are made; each takes a key at random, evenly: 1 to 1,000,000,000,000.
    pub events: u64,
    /// Events per second of event time, evenly spaced: 1 to 1,000,000,000.
    pub rate: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self { keys: 1_000, events: 100_000, rate: 1_000 }
    }
}

impl Load {
    /// The time of an event.
    fn time(&self, n: u64) -> i64 {
        START + (u128::from(n) * 1000 / u128::from(self.rate.max(1))) as i64
    }

    /// The instant after the last event.
    pub(super) fn end(&self) -> i64 {
        self.time(self.events.saturating_sub(1)) + 1
    }
}

/// Makes the events of a load, none of them kept.
pub(super) struct Uniform {
    pub(super) load: Load,
    /// One draw number per event and purpose.
    pub(super) events: Draw,
    /// One draw number per key and purpose.
    pub(super) homes: Draw,
}

/// Micro-degrees around its home in which a key moves: some 500 m.
const ROAM: u64 = 10_000;

impl Uniform {
    fn record(&self, n: u64) -> Record {
        let key = self.events.below_at(n * 4, self.load.keys);
        // Homes cover 10 by 10 degrees; far enough from poles and the antimeridian for any bench.
        let lon = self.homes.below_at(key * 2, 10_000_000) + self.events.below_at(n * 4 + 1, ROAM);
        let lat = self.homes.below_at(key * 2 + 1, 10_000_000) + self.events.below_at(n * 4 + 2, ROAM);
        let speed = self.events.below_at(n * 4 + 3, 1_200);
        Record::new(self.load.time(n))
            .with("id", Field::text(&format!("k{key:07}")))
            .at((lon as i64, 45_000_000 + lat as i64))
            .with("speed", Field::Fixed { units: speed as i64, places: 1 })
    }
}

impl Feed for Uniform {
    fn records(&self) -> Box<dyn Iterator<Item = Record> + Send + '_> {
        Box::new((0..self.load.events).map(|n| self.record(n)))
    }
}
