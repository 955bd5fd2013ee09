//! The events of one partition that wait for others to come before them.
//!
//! Rows that came in order of time are runs, and cost nothing each; a row that came after a later one is a straggler in a
//! heap. So a partition that is in order never sorts, and one that is nearly so sorts only what is out of place.

use super::{Late, PartitionIx, Released, Watermark, watermark::Place};
use crate::model::{Batch, DecodeError, EventRef, Header, Reader, StreamId, TimeMs, Value, Writer};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
    ops::Range,
    sync::Arc,
};

/// A partition: its watermark and what waits of it.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) stream: StreamId,
    pub(super) partition: u32,
    pub(super) watermark: Watermark,
    /// One after the other they ascend by time.
    runs: VecDeque<Run>,
    stragglers: BinaryHeap<Reverse<Straggler>>,
    waiting: usize,
}

#[derive(Clone, Debug)]
struct Run {
    batch: Arc<Batch>,
    rows: Range<usize>,
    /// The batch's number in a release, and which release that is.
    shared: Option<(u64, u32)>,
}

#[derive(Clone, Debug)]
struct Straggler {
    /// Its place in the order: its own time, or, of a late event that is taken all the same, when it was found to be late.
    time_ms: TimeMs,
    late: bool,
    offset: u64,
    row: u32,
    batch: Arc<Batch>,
}

impl Run {
    fn header(&self, row: usize) -> Option<&Header> {
        self.batch.headers().get(row)
    }

    fn first(&self) -> Option<&Header> {
        self.header(self.rows.start)
    }

    fn last(&self) -> Option<&Header> {
        self.header(self.rows.end.wrapping_sub(1))
    }
}

impl Straggler {
    fn key(&self) -> (TimeMs, u64) {
        (self.time_ms, self.offset)
    }
}

impl Lane {
    pub(super) fn new(stream: StreamId, partition: u32, disorder_ms: TimeMs) -> Self {
        Self {
            stream,
            partition,
            watermark: Watermark::new(disorder_ms),
            runs: VecDeque::new(),
            stragglers: BinaryHeap::new(),
            waiting: 0,
        }
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// A time in this partition as a place in the total order.
    pub(super) fn place(&self, time_ms: TimeMs) -> Place {
        Place { time_ms, stream: self.stream, partition: self.partition }
    }

    /// Takes a batch. Late are the events that break the partition's own promise, and, after it was idle, those that belong
    /// before `left`, the place up to which events have left. Of these `takes` says who is taken all the same; how many those are.
    pub(super) fn push(
        &mut self,
        ix: PartitionIx,
        batch: Batch,
        left: Place,
        takes: &mut dyn FnMut(EventRef<'_>, TimeMs) -> bool,
        late: &mut Vec<Late>,
    ) -> u64 {
        if batch.is_empty() {
            return 0;
        }
        let mut taken = 0;
        self.watermark.set_idle(false);
        let batch = Arc::new(batch);
        let mut tail_ms = self.runs.back().and_then(Run::last).map_or(TimeMs::MIN, |header| header.time_ms);
        let mut start = 0;
        for (row, header) in batch.headers().iter().enumerate() {
            let watermark_ms = self.watermark.time_ms();
            let is_late = header.time_ms < watermark_ms || self.place(header.time_ms) < left;
            if !is_late {
                self.watermark.observe(header.time_ms);
                self.waiting += 1;
                if header.time_ms >= tail_ms {
                    tail_ms = header.time_ms;
                    continue;
                }
            }
            // The row is not part of a run: the run so far ends before it.
            self.add_run(&batch, start..row);
            start = row + 1;
            let found_ms = if is_late { self.found_ms(watermark_ms, left) } else { header.time_ms };
            let event = batch.event(self.stream, row);
            let is_taken = is_late && event.is_some_and(|event| takes(event, found_ms));
            if is_late && !is_taken {
                let values = event.map(|event| event.values.to_vec()).unwrap_or_default();
                let by_ms = watermark_ms.max(left.time_ms).saturating_sub(header.time_ms);
                late.push(Late { partition: ix, stream: self.stream, header: *header, values, by_ms });
            } else {
                if is_taken {
                    self.waiting += 1;
                    taken += 1;
                }
                let batch = Arc::clone(&batch);
                let straggler =
                    Straggler { time_ms: found_ms, late: is_taken, offset: header.offset, row: row as u32, batch };
                self.stragglers.push(Reverse(straggler));
            }
        }
        let end = batch.len();
        self.add_run(&batch, start..end);
        taken
    }

    /// When an event is found to be late, in event time: the partition's watermark, a function of what the partition brought
    /// before; after it was idle, where the order has come to, if that is later.
    fn found_ms(&self, watermark_ms: TimeMs, left: Place) -> TimeMs {
        let found_ms = watermark_ms.max(left.time_ms);
        found_ms.saturating_add(i64::from(self.place(found_ms) < left))
    }

    fn add_run(&mut self, batch: &Arc<Batch>, rows: Range<usize>) {
        if !rows.is_empty() {
            self.runs.push_back(Run { batch: Arc::clone(batch), rows, shared: None });
        }
    }

    /// The time of the first event that waits.
    pub(super) fn first_ms(&self) -> Option<TimeMs> {
        let run = self.runs.front().and_then(Run::first).map(|header| header.time_ms);
        let straggler = self.stragglers.peek().map(|Reverse(straggler)| straggler.time_ms);
        match (run, straggler) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Moves the events with a time up to `last_ms` to `released`, in order; `release` is the release's number.
    pub(super) fn release(&mut self, last_ms: TimeMs, release: u64, released: &mut Released) {
        loop {
            let straggler = self.stragglers.peek().map(|Reverse(straggler)| straggler.key());
            let run = self.runs.front().and_then(Run::first).map(|header| (header.time_ms, header.offset));
            match (run, straggler) {
                (Some(run), straggler) if run.0 <= last_ms && straggler.is_none_or(|key| run < key) => {
                    self.release_run(last_ms, straggler, release, released);
                }
                (_, Some(key)) if key.0 <= last_ms => {
                    if let Some(Reverse(straggler)) = self.stragglers.pop() {
                        let batch = released.share(self.stream, &straggler.batch);
                        match straggler.late {
                            true => released.add_late(batch, straggler.row, straggler.time_ms),
                            false => released.add(batch, straggler.row, 1),
                        }
                        self.waiting -= 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Moves the first rows of the first run: up to `last_ms`, and before the first straggler.
    fn release_run(&mut self, last_ms: TimeMs, before: Option<(TimeMs, u64)>, release: u64, released: &mut Released) {
        let Some(run) = self.runs.front_mut() else { return };
        let leaves = |header: &Header| {
            header.time_ms <= last_ms && before.is_none_or(|before| (header.time_ms, header.offset) < before)
        };
        let count = if before.is_none() && run.last().is_some_and(leaves) {
            run.rows.len()
        } else {
            let headers = run.batch.headers().get(run.rows.clone()).unwrap_or_default();
            headers.iter().take_while(|header| leaves(header)).count()
        };
        let batch = match run.shared {
            Some((same, batch)) if same == release => batch,
            _ => released.share(self.stream, &run.batch),
        };
        run.shared = Some((release, batch));
        released.add(batch, run.rows.start as u32, count as u32);
        run.rows.start += count;
        self.waiting -= count;
        if run.rows.is_empty() {
            self.runs.pop_front();
        }
    }

    /// Writes the watermark and what waits, in order.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(u64::from(self.stream.0));
        writer.u64(u64::from(self.partition));
        self.watermark.save(writer);
        let mut rest = Released::default();
        let mut copy = self.clone();
        copy.runs.iter_mut().for_each(|run| run.shared = None);
        copy.release(TimeMs::MAX, 0, &mut rest);
        rest.seal();
        let width = rest.iter().map(|event| event.values.len()).max().unwrap_or(0);
        writer.len(rest.len());
        writer.len(width);
        for (at, event) in rest.iter().enumerate() {
            writer.time(rest.late_ms(at));
            writer.i64(event.header.time_ms);
            writer.u64(u64::from(event.header.partition));
            writer.u64(event.header.offset);
            let padding = std::iter::repeat(&Value::Null);
            event.values.iter().chain(padding).take(width).for_each(|value| writer.value(value));
        }
    }

    /// None where the stream is gone.
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let stream = reader.stream()?;
        let mut lane = Self::new(stream.stream.unwrap_or(StreamId(u32::MAX)), reader.u32()?, 0);
        lane.watermark = Watermark::load(reader)?;
        let (count, width) = (reader.len()?, reader.len()?);
        let mut batch = Batch::new(stream.width(width));
        let mut before = TimeMs::MIN;
        let mut late = Vec::new();
        for row in 0..count {
            let late_ms = reader.time()?;
            late.extend(late_ms.map(|late_ms| (row, late_ms)));
            let header = Header { time_ms: reader.i64()?, partition: reader.u32()?, offset: reader.u64()? };
            let place_ms = late_ms.unwrap_or(header.time_ms);
            if place_ms < before {
                return Err(DecodeError::Unexpected { found: place_ms as u64, expected: "a later event" });
            }
            before = place_ms;
            let values = (0..width).map(|_| reader.value()).collect::<Result<Vec<_>, _>>()?;
            batch.push(header, stream.row(values));
        }
        lane.waiting = batch.len();
        let batch = Arc::new(batch);
        let mut start = 0;
        for (row, time_ms) in late {
            lane.add_run(&batch, start..row);
            start = row + 1;
            let offset = batch.headers().get(row).map_or(0, |header| header.offset);
            let straggler = Straggler { time_ms, late: true, offset, row: row as u32, batch: Arc::clone(&batch) };
            lane.stragglers.push(Reverse(straggler));
        }
        let end = batch.len();
        lane.add_run(&batch, start..end);
        Ok(stream.stream.map(|_| lane))
    }
}

impl PartialEq for Straggler {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Straggler {}

impl PartialOrd for Straggler {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Straggler {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
