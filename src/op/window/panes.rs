//! The panes of a key whose windows overlap: a queue that adds at the young end, forgets at the old one, and knows the sum of
//! all that is in it.
//!
//! It is a queue of two stacks (Tangwongsan, Hirzel & Schneider, *Low-latency sliding-window aggregation*, 2017, compare it
//! with others). The old stack holds, for each pane, everything from it up to the youngest of that stack; the young one
//! holds plain panes, and their sum. When the old stack is used up, the young one is turned over into it, once per pane.
//! So an event costs one addition, and a result two mergers and an amortised one per pane, whatever the size of the windows;
//! no aggregate has to take anything back, the least and largest included. Aggregates merge in the order of time.
//!
//! That takes one more state of each aggregate per pane. Where a state holds many values (sets and sketches) it would be the
//! square of what came: those stay with their panes, and a [`Running`] total takes each pane once when it is whole and once
//! back when it is forgotten. The totals are not saved, as the panes are all that is in them.
//!
//! ```text
//!  old, its top at the right         young
//!  [p3] [p2+p3] [p1+p2+p3]           [p4] [p5] [p6 ← events]     sum = p4+p5
//! ```

use super::{Program, Span, state::Accumulators};
use crate::{
    model::{DecodeError, Reader, TimeMs, Writer},
    op::aggregate::{Accumulator, Running},
};

/// The panes of one key and the window that they are in.
#[derive(Clone, Debug, Default)]
pub(super) struct Panes {
    /// The window that closes next; none: nothing is open.
    pub(super) next: Option<Span>,
    /// How many events the key had, where windows are counted.
    pub(super) count: i64,
    /// When its last event was, where windows are counted.
    pub(super) last_ms: TimeMs,
    old: Vec<Pane>,
    young: Vec<Pane>,
    /// All of `young` but its last.
    sum: Option<Pane>,
    /// By aggregate, for those that stay with their panes: the totals of the `summed` oldest panes. Empty where there is no
    /// such aggregate, or nothing is summed.
    running: Vec<Option<Running>>,
    summed: usize,
}

/// A pane, or several that follow one another as one.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    /// Of several, that of the oldest.
    pub(super) span: Span,
    /// The times of its first and last event.
    pub(super) first_ms: TimeMs,
    pub(super) last_ms: TimeMs,
    pub(super) accumulators: Accumulators,
}

impl Pane {
    /// Takes in what came after it, but for the aggregates that stay with their panes.
    fn merge(&mut self, later: &Pane) {
        self.last_ms = later.last_ms;
        for (own, other) in self.accumulators.iter_mut().zip(&later.accumulators).filter(|(own, _)| !own.is_large()) {
            own.merge(other);
        }
    }

    /// The same without the aggregates that stay with their panes.
    fn without_large(&self) -> Self {
        let blank = |own: &Accumulator| if own.is_large() { Accumulator::new(own.kind()) } else { own.clone() };
        Self { accumulators: self.accumulators.iter().map(blank).collect(), ..*self }
    }
}

impl Panes {
    /// Whether no event is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.old.is_empty() && self.young.is_empty()
    }

    /// The pane that events go to.
    #[inline]
    pub(super) fn current(&mut self) -> Option<&mut Pane> {
        self.young.last_mut()
    }

    /// Begins a pane after all others.
    pub(super) fn push(&mut self, pane: Pane) {
        if let Some(before) = self.young.last() {
            match &mut self.sum {
                Some(sum) => sum.merge(before),
                None => self.sum = Some(before.without_large()),
            }
        }
        self.young.push(pane);
    }

    /// Everything in it as one, but for what [`running`](Self::running) then has; none if it is empty. All panes are whole.
    pub(super) fn total(&mut self) -> Option<Pane> {
        self.run_on();
        let mut parts = self.old.last().into_iter().chain(&self.sum).chain(self.young.last());
        let mut total = parts.next()?.without_large();
        parts.for_each(|part| total.merge(part));
        Some(total)
    }

    /// The totals of sets and sketches as of the last [`total`](Self::total), by aggregate.
    pub(super) fn running(&self) -> &[Option<Running>] {
        &self.running
    }

    /// Takes the panes into the totals that aren't in them yet.
    fn run_on(&mut self) {
        let Some(first) = self.old.last().or(self.young.first()) else { return };
        if self.running.is_empty() {
            if !first.accumulators.iter().any(Accumulator::is_large) {
                return;
            }
            self.running = first.accumulators.iter().map(|own| Running::new(own.kind())).collect();
        }
        for pane in self.old.iter().rev().chain(&self.young).skip(self.summed) {
            for (running, own) in self.running.iter_mut().zip(&pane.accumulators) {
                if let Some(running) = running {
                    running.push(own);
                }
            }
        }
        self.summed = self.old.len() + self.young.len();
    }

    /// Forgets the panes that begin before `start_ms`.
    pub(super) fn forget_before(&mut self, start_ms: TimeMs) {
        loop {
            if self.old.is_empty() {
                if self.young.first().is_none_or(|pane| pane.span.start_ms >= start_ms) {
                    return;
                }
                self.turn_over();
            }
            if self.old.last().is_none_or(|pane| pane.span.start_ms >= start_ms) {
                return;
            }
            let Some(pane) = self.old.pop() else { return };
            if self.summed > 0 {
                self.summed -= 1;
                for (running, own) in self.running.iter_mut().zip(&pane.accumulators) {
                    if let Some(running) = running {
                        running.pop(own);
                    }
                }
            }
            if self.summed == 0 {
                self.running = Vec::new();
            }
        }
    }

    /// When the first of its events was.
    pub(super) fn first_ms(&self) -> Option<TimeMs> {
        self.old.last().or(self.young.first()).map(|pane| pane.first_ms)
    }

    /// The same panes with nothing in them.
    pub(super) fn follow(&self, program: &Program) -> Self {
        let blank = |pane: &Pane| Pane { accumulators: program.blank(), ..*pane };
        Self {
            old: self.old.iter().map(blank).collect(),
            young: self.young.iter().map(blank).collect(),
            sum: self.sum.as_ref().map(blank),
            running: Vec::new(),
            summed: 0,
            ..*self
        }
    }

    /// The start of the oldest pane.
    pub(super) fn oldest_ms(&self) -> Option<TimeMs> {
        self.old.last().or(self.young.first()).map(|pane| pane.span.start_ms)
    }

    fn turn_over(&mut self) {
        self.sum = None;
        while let Some(mut pane) = self.young.pop() {
            if let Some(later) = self.old.last() {
                pane.merge(later);
            }
            self.old.push(pane);
        }
    }

    /// Bytes on the heap that it holds on to.
    pub(super) fn heap_bytes(&self) -> usize {
        let places = (self.old.capacity() + self.young.capacity()) * size_of::<Pane>();
        let panes = self.old.iter().chain(&self.young).chain(&self.sum);
        let running = self.running.capacity() * size_of::<Option<Running>>()
            + self.running.iter().flatten().map(Running::heap_bytes).sum::<usize>();
        places + running + panes.map(|pane| super::state::heap_bytes(&pane.accumulators)).sum::<usize>()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.bool(self.next.is_some());
        if let Some(next) = self.next {
            writer.i64(next.start_ms);
            writer.i64(next.end_ms);
        }
        writer.i64(self.count);
        writer.i64(self.last_ms);
        for stack in [self.old.as_slice(), &self.young, self.sum.as_slice()] {
            writer.len(stack.len());
            for pane in stack {
                for number in [pane.span.start_ms, pane.span.end_ms, pane.first_ms, pane.last_ms] {
                    writer.i64(number);
                }
                pane.accumulators.iter().for_each(|accumulator| accumulator.save(writer));
            }
        }
    }

    pub(super) fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let next = match reader.bool()? {
            true => Some(Span { start_ms: reader.i64()?, end_ms: reader.i64()? }),
            false => None,
        };
        let (count, last_ms) = (reader.i64()?, reader.i64()?);
        let mut stack = || {
            let pane = |reader: &mut Reader<'_>| {
                let span = Span { start_ms: reader.i64()?, end_ms: reader.i64()? };
                let (first_ms, last_ms) = (reader.i64()?, reader.i64()?);
                let accumulators =
                    program.kinds().map(|kind| Accumulator::load(kind, reader)).collect::<Result<_, _>>()?;
                Ok(Pane { span, first_ms, last_ms, accumulators })
            };
            (0..reader.len()?).map(|_| pane(reader)).collect::<Result<Vec<_>, DecodeError>>()
        };
        let (old, young, mut sum) = (stack()?, stack()?, stack()?);
        // The order of panes and windows is what keeps closing from going round in circles.
        let ascend = |panes: &[Pane]| panes.is_sorted_by_key(|pane| pane.span.start_ms);
        let ordered = old.is_sorted_by(|a, b| a.span.start_ms >= b.span.start_ms) && ascend(&young);
        if sum.len() > 1 || !ordered || count < 0 || next.is_some_and(|next| next.start_ms >= next.end_ms) {
            return Err(DecodeError::Unexpected { found: sum.len() as u64, expected: "panes in order" });
        }
        Ok(Self { next, count, last_ms, old, young, sum: sum.pop(), running: Vec::new(), summed: 0 })
    }
}
