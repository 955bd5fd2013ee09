//! Events that left the merge, in order. Rows are not copied: their batches are shared until all their rows have left.

use crate::model::{Batch, EventRef, Rows, StreamId, TimeMs};
use std::sync::Arc;

/// Events in the total order, by index.
#[derive(Clone, Debug, Default)]
pub struct Released {
    batches: Vec<(StreamId, Arc<Batch>)>,
    pieces: Vec<Piece>,
    /// Batch and row of each event; empty while one piece is all there is.
    order: Vec<(u32, u32)>,
    /// Late events that are taken all the same, by index, with the time at which they were found to be late.
    late: Vec<(usize, TimeMs)>,
    len: usize,
}

/// Rows of one batch that leave one after the other.
#[derive(Clone, Copy, Debug)]
struct Piece {
    batch: u32,
    first: u32,
    count: u32,
}

impl Released {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The event at `at`, which is less than `len`.
    #[inline]
    pub fn event(&self, at: usize) -> Option<EventRef<'_>> {
        let (batch, row) = match self.pieces.as_slice() {
            [piece] if at < self.len => (piece.batch, piece.first as usize + at),
            _ => self.order.get(at).map(|&(batch, row)| (batch, row as usize))?,
        };
        let (stream, batch) = self.batches.get(batch as usize)?;
        batch.event(*stream, row)
    }

    /// All of them as rows, where they lie one behind the other and none is late.
    #[inline]
    pub fn rows(&self) -> Option<Rows<'_>> {
        match self.pieces.as_slice() {
            [piece] if self.late.is_empty() => {
                let (stream, batch) = self.batches.get(piece.batch as usize)?;
                batch.rows(*stream, piece.first as usize, piece.count as usize)
            }
            _ => None,
        }
    }

    /// Of a late event that is taken all the same the time at which it was found to be late, which is its place in the order: a
    /// watermark. None of all others.
    #[inline]
    pub fn late_ms(&self, at: usize) -> Option<TimeMs> {
        if self.late.is_empty() {
            return None;
        }
        let found = self.late.binary_search_by_key(&at, |late| late.0).ok()?;
        self.late.get(found).map(|late| late.1)
    }

    /// The events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> {
        // INVARIANT: `seal` gave every index below `len` a row of a batch.
        (0..self.len).map(|at| self.event(at).expect("an index below `len` has a row"))
    }

    /// Shares a batch; its number for `add`.
    pub(super) fn share(&mut self, stream: StreamId, batch: &Arc<Batch>) -> u32 {
        self.batches.push((stream, Arc::clone(batch)));
        self.batches.len() as u32 - 1
    }

    /// Adds rows of a shared batch.
    pub(super) fn add(&mut self, batch: u32, first: u32, count: u32) {
        self.len += count as usize;
        match self.pieces.last_mut() {
            Some(last) if last.batch == batch && last.first + last.count == first => last.count += count,
            _ => self.pieces.push(Piece { batch, first, count }),
        }
    }

    /// Adds a late event.
    pub(super) fn add_late(&mut self, batch: u32, row: u32, found_ms: TimeMs) {
        self.late.push((self.len, found_ms));
        self.add(batch, row, 1);
    }

    /// Nothing more will be added.
    pub(super) fn seal(&mut self) {
        if let [_, _, ..] = self.pieces.as_slice() {
            self.order.reserve(self.len);
            for piece in &self.pieces {
                self.order.extend((piece.first..piece.first + piece.count).map(|row| (piece.batch, row)));
            }
        }
    }

    /// Removes all events and keeps the memory; batches of which nobody else holds a row go to `spare`.
    pub(super) fn clear(&mut self, spare: &mut Vec<Batch>) {
        spare.extend(self.batches.drain(..).filter_map(|(_, batch)| Arc::try_unwrap(batch).ok()));
        self.pieces.clear();
        self.order.clear();
        self.late.clear();
        self.len = 0;
    }
}
