//! The merge of all partitions into one total order: (event time, stream, partition, offset).
//!
//! # When an event may leave
//!
//! An event may leave once no partition can still bring one that sorts before it. A partition q with watermark w can still
//! bring events with time ≥ w, so at the earliest one at the place (w, q). For an event e at (t, p):
//!
//! - of another partition q: e sorts before (w, q), that is w > t, or w = t and q after p;
//! - of its own: what comes next has a higher offset, so an equal time is no harm: w ≥ t.
//!
//! Both are e ≤ (w, q) as places (time, stream, partition), and so all of them together are e ≤ the least (w, q). A single
//! partition without disorder has w = the time of its last event: everything leaves at once, whole batches at a time.
//!
//! # Idle partitions
//!
//! A partition that is idle holds nothing back, and so the order can go past it. When it wakes, an event that belongs
//! before what has left is late, even if the partition itself never promised that.

use super::{Released, Watermark, lane::Lane, watermark::Place, watermark::frontier};
use crate::model::{Batch, DecodeError, EventRef, Header, Reader, StreamId, TimeMs, Value, Writer};
use std::{cmp::Reverse, collections::BinaryHeap};

/// A partition of a [`Merge`], by the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionIx(pub u32);

/// An event that came after its place in the order had passed: handed back, never dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// Where it came from.
    pub partition: PartitionIx,
    /// Its stream.
    pub stream: StreamId,
    /// Its header.
    pub header: Header,
    /// Its row.
    pub values: Vec<Value>,
    /// How far its time is before the watermark. 0 where only the order within one instant had gone past it.
    pub by_ms: TimeMs,
}

impl Late {
    /// The event.
    pub fn event(&self) -> EventRef<'_> {
        EventRef { stream: self.stream, header: &self.header, values: &self.values }
    }
}

/// Batches kept for reuse.
const SPARE_MAX: usize = 16;

/// Buffers events of all partitions and releases them in the total order. Rows are never copied.
///
/// A release costs a look at each partition, and per event a comparison; with one partition in order not even that.
#[derive(Debug)]
pub struct Merge {
    lanes: Vec<Lane>,
    /// Up to here everything has left; it never goes back.
    left: Place,
    releases: u64,
    /// Memory of a release that was given back.
    empty: Released,
    spare: Vec<Batch>,
}

impl Default for Merge {
    fn default() -> Self {
        Self::new()
    }
}

impl Merge {
    /// A merge of no partitions; its watermark is `TimeMs::MIN`.
    pub fn new() -> Self {
        Self { lanes: Vec::new(), left: Place::MIN, releases: 0, empty: Released::default(), spare: Vec::new() }
    }

    /// Adds a partition whose events are at most so far out of order. Add all before the first event: what a partition that
    /// comes later brings for times that have passed is late. The order in which they are added is of no account.
    pub fn add_partition(&mut self, stream: StreamId, partition: u32, disorder_ms: TimeMs) -> PartitionIx {
        self.lanes.push(Lane::new(stream, partition, disorder_ms));
        PartitionIx(self.lanes.len() as u32 - 1)
    }

    /// Takes a batch of one partition, in the order of its offsets. An idle partition is awake again. What is late is left
    /// out and given back. A partition of another merge takes nothing.
    pub fn push(&mut self, partition: PartitionIx, batch: Batch, late: &mut Vec<Late>) {
        self.push_unless(partition, batch, &mut |_, _| false, late);
    }

    /// The same where of late events some are taken all the same: those for which `takes` says yes, given the time at which the
    /// event is found to be late. They leave in their turn as if they were of that time: a function of what the partition
    /// brought before, and never before anything that has left. How many they are.
    pub fn push_unless(
        &mut self,
        partition: PartitionIx,
        batch: Batch,
        takes: &mut dyn FnMut(EventRef<'_>, TimeMs) -> bool,
        late: &mut Vec<Late>,
    ) -> u64 {
        let left = self.left;
        self.lane(partition).map_or(0, |lane| lane.push(partition, batch, left, takes, late))
    }

    /// All events that may leave, in order; then [`watermark`](Self::watermark) says how far time has come.
    pub fn release(&mut self) -> Released {
        let mut released = std::mem::take(&mut self.empty);
        let places = self.lanes.iter().map(|lane| (lane.place(lane.watermark.time_ms()), lane.watermark));
        let Some(frontier) = frontier(places) else { return released };
        self.left = self.left.max(frontier);
        self.releases += 1;
        let mut heads = BinaryHeap::new();
        for (at, lane) in self.lanes.iter().enumerate() {
            if let Some(place) = head(lane, self.left) {
                heads.push(Reverse((place, at)));
            }
        }
        while let Some(Reverse((_, at))) = heads.pop() {
            let Some(lane) = self.lanes.get_mut(at) else { continue };
            // Up to the frontier, and up to the partition that is next.
            let limit = heads.peek().map_or(self.left, |Reverse((next, _))| self.left.min(*next));
            // INVARIANT: the lane's first place is at most `limit`, so what is subtracted is there.
            let own = lane.place(limit.time_ms) <= limit;
            lane.release(limit.time_ms.saturating_sub(i64::from(!own)), self.releases, &mut released);
            if let Some(place) = head(lane, self.left) {
                heads.push(Reverse((place, at)));
            }
        }
        released.seal();
        released
    }

    /// Gives the memory of a release back.
    pub fn recycle(&mut self, mut released: Released) {
        released.clear(&mut self.spare);
        self.spare.truncate(SPARE_MAX);
        self.empty = released;
    }

    /// An empty batch of this width with memory that was used before, if there is one.
    pub fn spare(&mut self, width: usize) -> Option<Batch> {
        let at = self.spare.iter().position(|batch| batch.width() == width)?;
        let mut batch = self.spare.swap_remove(at);
        batch.clear();
        Some(batch)
    }

    /// A partition is idle, or no longer: an idle one holds nothing back.
    pub fn set_idle(&mut self, partition: PartitionIx, idle: bool) {
        if let Some(lane) = self.lane(partition) {
            lane.watermark.set_idle(idle);
        }
    }

    /// The wall clock says that event time has come at least so far. Only idle partitions believe it: the others have
    /// events of their own to go by.
    pub fn raise(&mut self, to_ms: TimeMs) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.watermark.is_idle()) {
            lane.watermark.raise(to_ms);
        }
    }

    /// A partition has ended: nothing more comes from it.
    pub fn end(&mut self, partition: PartitionIx) {
        if let Some(lane) = self.lane(partition) {
            lane.watermark.end();
        }
    }

    /// All partitions have ended: the next release gives everything, and the watermark is `TimeMs::MAX`.
    pub fn end_all(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.watermark.end());
    }

    /// Whether all partitions have ended; so it is with none.
    pub fn is_over(&self) -> bool {
        self.lanes.iter().all(|lane| lane.watermark.is_ended())
    }

    /// No event with a time below this will be released from now on.
    pub fn watermark(&self) -> TimeMs {
        self.left.time_ms
    }

    /// How far the events alone have brought time, whatever the wall clock raised it to; at most the watermark.
    pub fn event_watermark(&self) -> TimeMs {
        let places = self.lanes.iter().map(|lane| (lane.place(lane.watermark.event_ms()), lane.watermark));
        frontier(places).map_or(TimeMs::MIN, |place| place.time_ms)
    }

    /// The partition that the others wait for: of the active ones that with the least watermark.
    pub fn held_back_by(&self) -> Option<PartitionIx> {
        let active = self.lanes.iter().enumerate().filter(|(_, lane)| lane.watermark.is_active());
        let least = active.min_by_key(|(_, lane)| lane.place(lane.watermark.time_ms()));
        least.map(|(at, _)| PartitionIx(at as u32))
    }

    /// A partition's own watermark.
    pub fn partition_watermark(&self, partition: PartitionIx) -> Option<Watermark> {
        self.lanes.get(partition.0 as usize).map(|lane| lane.watermark)
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(Lane::waiting).sum()
    }

    /// The streams of its partitions.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.lanes.iter().map(|lane| lane.stream)
    }

    /// What is there now, to be written while this goes on: events are shared.
    pub fn freeze(&self) -> Self {
        Self { lanes: self.lanes.clone(), left: self.left, ..Self::new() }
    }

    /// A partition goes on in another run: it has neither ended nor is it idle, and its disorder may be another. Its watermark doesn't fall.
    pub fn wake(&mut self, partition: PartitionIx, disorder_ms: TimeMs) {
        if let Some(lane) = self.lane(partition) {
            lane.watermark.wake(disorder_ms);
        }
    }

    /// Writes partitions, watermarks and the events that wait.
    pub fn save(&self, writer: &mut Writer) {
        writer.i64(self.left.time_ms);
        writer.u64(u64::from(self.left.stream.0));
        writer.u64(u64::from(self.left.partition));
        writer.len(self.lanes.len());
        self.lanes.iter().for_each(|lane| lane.save(writer));
    }

    /// Reads what [`save`](Self::save) wrote; partitions keep their order, without those whose streams are gone.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::load_left(reader).map(|(merge, _)| merge)
    }

    /// The same, and for each partition that was written its number now.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load_left(reader: &mut Reader<'_>) -> Result<(Self, Vec<Option<PartitionIx>>), DecodeError> {
        let (time_ms, stream, partition) = (reader.i64()?, reader.stream()?, reader.u32()?);
        // Before anything is released there is no stream; one that is gone is before all others.
        let left = match stream.stream {
            Some(stream) => Place { time_ms, stream, partition },
            None => Place { time_ms, ..Place::MIN },
        };
        let (mut lanes, mut numbers) = (Vec::new(), Vec::new());
        for _ in 0..reader.len()? {
            let lane = Lane::load(reader)?;
            numbers.push(lane.is_some().then_some(PartitionIx(lanes.len() as u32)));
            lanes.extend(lane);
        }
        Ok((Self { lanes, left, ..Self::new() }, numbers))
    }

    /// Deals the partitions of these merges, with what waits of them, to as many new ones as there are numbers up to `count`; `to` says
    /// to which one by the partition's stream. Time has come in a new one as far as in the one that is furthest behind of those that it is
    /// made of; a partition that was idle still brings nothing from before what had left of those that it was with.
    /// Also says where each partition went: by the merge that it was of and its number there.
    pub fn deal(
        merges: Vec<Self>,
        count: usize,
        to: impl Fn(StreamId) -> usize,
    ) -> (Vec<Self>, Vec<Vec<(usize, PartitionIx)>>) {
        let mut dealt: Vec<Option<Self>> = (0..count).map(|_| None).collect();
        let releases = merges.iter().map(|merge| merge.releases).max().unwrap_or(0);
        let mut went = Vec::with_capacity(merges.len());
        for Self { lanes, left, .. } in merges {
            let mut of_merge = Vec::with_capacity(lanes.len());
            for mut lane in lanes {
                // Who takes its events has seen time go past it.
                if lane.watermark.time_ms() < left.time_ms {
                    lane.watermark.raise(left.time_ms);
                }
                let at = to(lane.stream).min(count.saturating_sub(1));
                let Some(place) = dealt.get_mut(at) else { continue };
                let merge = place.get_or_insert_with(|| Self { left, releases, ..Self::new() });
                merge.left = merge.left.min(left);
                of_merge.push((at, PartitionIx(merge.lanes.len() as u32)));
                merge.lanes.push(lane);
            }
            went.push(of_merge);
        }
        (dealt.into_iter().map(Option::unwrap_or_default).collect(), went)
    }

    fn lane(&mut self, partition: PartitionIx) -> Option<&mut Lane> {
        self.lanes.get_mut(partition.0 as usize)
    }
}

/// The place of a partition's first event, if it may leave.
fn head(lane: &Lane, left: Place) -> Option<Place> {
    let place = lane.place(lane.first_ms()?);
    (place <= left).then_some(place)
}
