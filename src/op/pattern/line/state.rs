//! What is kept: the last events, and which of them began a match that is still open.

use super::Plan;
use crate::{
    expr::{Bound, Var},
    model::{EventId, TimeMs, Value},
    op::pattern::{buffer::id_bytes, state::NEVER},
};

/// The partial matches of a partition. Open ones that are out of time stay until an event comes, or the last of them is over.
#[derive(Clone, Debug)]
pub(in crate::op::pattern) struct Line {
    /// A ring of times and ids.
    heads: Box<[(TimeMs, EventId)]>,
    /// Their kept values, as many for each.
    values: Box<[Value]>,
    /// Bit n: a match is open that has taken the last n + 1 events.
    pub(super) open: u64,
    deadline: TimeMs,
    /// Where in the ring the next event goes.
    next: u32,
    /// How many values are kept of an event.
    width: u16,
    /// How many matches are open, as of when that was last settled.
    count: u8,
    _form: Tag,
}

/// Says nothing, but for what it may not be: so a key's state tells its forms apart within the room of this one, the largest.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Tag {
    Line,
}

/// When a match that began at an instant is out of time.
fn ends(start_ms: TimeMs, within_ms: TimeMs) -> TimeMs {
    start_ms.saturating_add(within_ms).min(NEVER - 1)
}

impl Line {
    /// Nothing yet, with room for so many events of so many values.
    pub(super) fn new(events: usize, values: usize) -> Self {
        let none = (0, EventId::Offset { stream: crate::model::StreamId(0), partition: 0, offset: 0 });
        Self {
            heads: vec![none; events].into(),
            values: vec![Value::Null; events * values].into(),
            open: 0,
            deadline: NEVER,
            next: 0,
            width: values as u16,
            count: 0,
            _form: Tag::Line,
        }
    }

    /// Whether no match is open.
    #[inline]
    pub(in crate::op::pattern) fn is_idle(&self) -> bool {
        self.open == 0
    }

    /// How many are open, some that are out of time among them.
    pub(in crate::op::pattern) fn partial_matches(&self) -> usize {
        usize::from(self.count)
    }

    /// When the last of them is over.
    pub(in crate::op::pattern) fn deadline(&self) -> TimeMs {
        self.deadline
    }

    /// When the first of them is out of time.
    pub(in crate::op::pattern) fn eases_ms(&self, within_ms: Option<TimeMs>) -> Option<TimeMs> {
        let (start_ms, _) = self.head(self.longest()).filter(|_| self.open != 0)?;
        Some(ends(*start_ms, within_ms?))
    }

    /// Bytes on the heap.
    pub(in crate::op::pattern) fn heap_bytes(&self) -> usize {
        let values: usize = self.values.iter().map(|value| size_of::<Value>() + value.heap_bytes()).sum();
        let heads = self.heads.iter().map(|(_, id)| size_of::<(TimeMs, EventId)>() + id_bytes(id));
        heads.sum::<usize>() + values
    }

    /// Looks at the memory that the next event needs.
    pub(in crate::op::pattern) fn touch(&self) -> u64 {
        let head = self.heads.get(self.next as usize).map_or(0, |(time_ms, _)| *time_ms as u64);
        let last = self.values_of(1).first().map_or(0, |value| u64::from(value.is_null()));
        head ^ last
    }

    /// How many events the longest open match has taken.
    pub(super) fn longest(&self) -> usize {
        (u64::BITS - self.open.leading_zeros()) as usize
    }

    /// The place in the ring of the event so many before the next; 1 is the last one.
    #[inline]
    fn at(&self, back: usize) -> Option<usize> {
        let (next, all) = (self.next as usize, self.heads.len());
        match back <= next {
            true => Some(next - back),
            false => (next + all).checked_sub(back),
        }
    }

    /// Time and id of the event so many before the next.
    #[inline]
    pub(super) fn head(&self, back: usize) -> Option<&(TimeMs, EventId)> {
        self.heads.get(self.at(back)?)
    }

    /// What was kept of the event so many before the next.
    #[inline]
    pub(super) fn values_of(&self, back: usize) -> &[Value] {
        let width = usize::from(self.width);
        let at = self.at(back).map(|at| at * width);
        at.and_then(|at| self.values.get(at..at + width)).unwrap_or_default()
    }

    /// A value kept of the event so many before the next.
    #[inline]
    pub(super) fn value(&self, back: usize, slot: u16) -> Option<&Value> {
        self.values_of(back).get(usize::from(slot))
    }

    /// Keeps an event; `keep` writes what is kept of it into its places, which hold values of an older one.
    #[inline]
    pub(super) fn push(&mut self, time_ms: TimeMs, id: EventId, keep: impl FnOnce(&mut [Value])) {
        let at = self.next as usize;
        if let Some(head) = self.heads.get_mut(at) {
            *head = (time_ms, id);
        }
        let width = usize::from(self.width);
        if let Some(places) = self.values.get_mut(at * width..(at + 1) * width) {
            keep(places);
        }
        self.next = if at + 1 < self.heads.len() { at as u32 + 1 } else { 0 };
    }

    /// Lets go of what is out of time at an instant.
    pub(in crate::op::pattern) fn pass(&mut self, within_ms: Option<TimeMs>, now: TimeMs) {
        let Some(within) = within_ms else { return };
        while self.open != 0
            && let longest = self.longest()
            && self.head(longest).is_none_or(|(start_ms, _)| ends(*start_ms, within) <= now)
        {
            self.open &= !(1 << (longest - 1));
        }
        self.settle(within_ms);
    }

    /// After the open matches have changed: when the last of them is over.
    pub(super) fn settle(&mut self, within_ms: Option<TimeMs>) {
        self.count = self.open.count_ones() as u8;
        let shortest = self.open.trailing_zeros() as usize + 1;
        self.deadline = match within_ms {
            Some(within) if self.open != 0 => {
                self.head(shortest).map_or(NEVER, |(start_ms, _)| ends(*start_ms, within))
            }
            _ => NEVER,
        };
    }
}

/// Writes values into places that hold older ones.
pub(super) fn fill(places: &mut [Value], values: impl Iterator<Item = Value>) {
    let mut values = values;
    // Of another stream's events more may be kept.
    places.iter_mut().for_each(|place| *place = values.next().unwrap_or_default());
}

/// A partial match as conditions see it.
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) line: &'a Line,
    /// How many events it has taken.
    pub(super) taken: usize,
}

impl View<'_> {
    /// How long ago an event of the match was.
    fn back(&self, var: Var) -> Option<usize> {
        Some(self.taken - self.plan.place(var, self.taken)?)
    }
}

impl Bound for View<'_> {
    fn value(&self, var: Var, slot: u16) -> Option<&Value> {
        self.line.value(self.back(var)?, slot)
    }

    fn time_ms(&self, var: Var) -> Option<TimeMs> {
        Some(self.line.head(self.back(var)?)?.0)
    }

    fn aggregate(&self, _: u16) -> Value {
        Value::Null
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.line.head(self.taken)?.0, self.line.head(1)?.0))
    }
}
