//! The latest alerts, for whoever wants to watch: a bounded ring that readers follow at their own pace.
//!
//! Who pushes never waits for a reader. A reader that falls behind the ring is told so and has to begin anew; how many there can be is bounded.

use super::telemetry::ReaderFigures;
use crate::{
    io::sink::Lines,
    wire::{AlertId, alert_id_of},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::watch;

/// How much there is to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulletinLimits {
    /// Alerts in the ring.
    pub alerts: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Readers at a time.
    pub readers: usize,
}

impl Default for BulletinLimits {
    fn default() -> Self {
        Self { alerts: 1_000, bytes: 8 << 20, readers: 16 }
    }
}

/// An alert that has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: AlertId,
    /// Its rule.
    pub rule: String,
    /// Its line, without a newline.
    pub line: String,
}

/// The ring.
#[derive(Debug)]
pub struct Bulletin {
    limits: BulletinLimits,
    ring: Mutex<Ring>,
    /// How many alerts there have been; the greatest number: there will be no more.
    count: watch::Sender<u64>,
    readers: AtomicUsize,
    figures: ReaderFigures,
}

#[derive(Debug, Default)]
struct Ring {
    notices: VecDeque<Arc<Notice>>,
    bytes: usize,
    /// The number of the first.
    first: u64,
}

/// What a reader finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The next alerts, at least one.
    Notices(Vec<Arc<Notice>>),
    /// Some are gone that it hasn't read.
    Lagged,
    /// There will be no more.
    Closed,
}

/// So many alerts are read at once at most.
const AT_ONCE: usize = 64;

impl Bulletin {
    /// An empty ring.
    pub fn new(limits: BulletinLimits, figures: ReaderFigures) -> Self {
        let count = watch::Sender::new(0);
        Self { limits, ring: Mutex::default(), count, readers: AtomicUsize::new(0), figures }
    }

    /// Adds alerts, and forgets the oldest.
    pub fn push(&self, lines: &Lines) {
        let mut ring = self.ring();
        for (rule, line) in lines.iter() {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let notice = Notice { id: alert_id_of(line), rule: text(rule), line: text(line) };
            ring.bytes += notice.line.len();
            ring.notices.push_back(Arc::new(notice));
            while ring.notices.len() > self.limits.alerts || ring.bytes > self.limits.bytes {
                let Some(oldest) = ring.notices.pop_front() else { break };
                ring.bytes -= oldest.line.len();
                ring.first += 1;
            }
        }
        let count = ring.first + ring.notices.len() as u64;
        drop(ring);
        self.count.send_if_modified(|known| *known != u64::MAX && std::mem::replace(known, count) != count);
    }

    /// There will be no more.
    pub fn close(&self) {
        self.count.send_replace(u64::MAX);
    }

    /// A reader of what comes from now on, or after this alert; and whether that is no longer known, so that the reader begins with
    /// the oldest that is. None where there are too many readers.
    pub fn read(self: &Arc<Self>, after: Option<AlertId>) -> Option<(Reader, bool)> {
        let one_more = |readers: usize| (readers < self.limits.readers).then_some(readers + 1);
        self.readers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        self.figures.came();
        let count = self.count.subscribe();
        let ring = self.ring();
        let (next, gap) = match after {
            None => (ring.first + ring.notices.len() as u64, false),
            Some(id) => match ring.notices.iter().rposition(|notice| notice.id == id) {
                Some(at) => (ring.first + at as u64 + 1, false),
                None => (ring.first, true),
            },
        };
        drop(ring);
        Some((Reader { bulletin: Arc::clone(self), count, next }, gap))
    }

    /// The alerts from this number on; none: they are gone.
    fn from(&self, next: u64) -> Option<Vec<Arc<Notice>>> {
        let ring = self.ring();
        let skip = usize::try_from(next.checked_sub(ring.first)?).ok()?;
        Some(ring.notices.iter().skip(skip).take(AT_ONCE).cloned().collect())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who watches.
#[derive(Debug)]
pub struct Reader {
    bulletin: Arc<Bulletin>,
    count: watch::Receiver<u64>,
    next: u64,
}

impl Reader {
    /// What comes next; waits for it. May be dropped at any await point.
    pub async fn next(&mut self) -> Reading {
        loop {
            // Before the ring is looked at, so that nothing that comes meanwhile is missed.
            let closed = *self.count.borrow_and_update() == u64::MAX;
            let Some(found) = self.bulletin.from(self.next) else {
                self.bulletin.figures.lagged();
                return Reading::Lagged;
            };
            if !found.is_empty() {
                self.next += found.len() as u64;
                return Reading::Notices(found);
            }
            if closed || self.count.changed().await.is_err() {
                return Reading::Closed;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.bulletin.readers.fetch_sub(1, Ordering::Relaxed);
        self.bulletin.figures.went();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{clock::ManualClock, telemetry::Telemetry};

    fn bulletin(limits: BulletinLimits) -> (Arc<Bulletin>, Telemetry) {
        let telemetry = Telemetry::new(Arc::new(ManualClock::new(0)));
        (Arc::new(Bulletin::new(limits, telemetry.readers())), telemetry)
    }

    fn push(bulletin: &Bulletin, ids: std::ops::Range<u128>) {
        let mut lines = Lines::new();
        for id in ids {
            let line = format!("{{\"type\":\"Feature\",\"id\":\"{id:032x}\"}}");
            lines.push_with("R", |out| out.extend_from_slice(line.as_bytes()));
        }
        bulletin.push(&lines);
    }

    async fn read(reader: &mut Reader) -> Vec<u128> {
        match reader.next().await {
            Reading::Notices(notices) => notices.iter().map(|notice| notice.id.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_reader_gets_what_comes_or_what_came_after_the_one_that_it_knows() {
        let (bulletin, _) = bulletin(BulletinLimits { alerts: 10, ..BulletinLimits::default() });
        push(&bulletin, 0..5);
        let (mut new, gap) = bulletin.read(None).unwrap();
        assert!(!gap);
        let (mut back, gap) = bulletin.read(Some(AlertId(2))).unwrap();
        assert!(!gap);
        assert_eq!(read(&mut back).await, [3, 4]);
        let waiting = tokio::spawn(async move { (read(&mut new).await, new) });
        tokio::task::yield_now().await;
        push(&bulletin, 5..7);
        assert_eq!(waiting.await.unwrap().0, [5, 6]);
        assert_eq!(read(&mut back).await, [5, 6]);
        let (mut lost, gap) = bulletin.read(Some(AlertId(99))).unwrap();
        assert!(gap);
        assert_eq!(read(&mut lost).await, [0, 1, 2, 3, 4, 5, 6]);
        bulletin.close();
        assert_eq!(back.next().await, Reading::Closed);
        assert_eq!(bulletin.read(None).unwrap().0.next().await, Reading::Closed);
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_and_counted_and_nobody_waits() {
        let (bulletin, telemetry) = bulletin(BulletinLimits { alerts: 10, bytes: 1 << 20, readers: 2 });
        let (mut slow, _) = bulletin.read(None).unwrap();
        let (mut quick, _) = bulletin.read(None).unwrap();
        assert!(bulletin.read(None).is_none());
        push(&bulletin, 0..6);
        assert_eq!(read(&mut quick).await.len(), 6);
        push(&bulletin, 6..12);
        assert_eq!(read(&mut quick).await.len(), 6);
        assert_eq!(slow.next().await, Reading::Lagged);
        drop(slow);
        let text = telemetry.render();
        assert!(
            text.contains("geocep_stream_readers 1\n") && text.contains("geocep_stream_lagged_total 1\n"),
            "{text}"
        );
        assert!(bulletin.read(None).is_some());
    }

    #[test]
    fn the_ring_is_bounded_by_bytes_too() {
        let (bulletin, _) = bulletin(BulletinLimits { alerts: 1_000, bytes: 500, readers: 1 });
        push(&bulletin, 0..100);
        let ring = bulletin.ring();
        assert!(ring.bytes <= 500 && ring.notices.len() > 3 && ring.first + ring.notices.len() as u64 == 100);
    }
}
