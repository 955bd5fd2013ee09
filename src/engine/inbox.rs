//! What rules of one level wait for: derived events, and source events where a rule reads both. They leave when the watermark
//! has passed their time, because only then is an instant complete.

use crate::model::{EventRef, Header, StreamId, TimeMs, Value};

/// An event that owns its row.
#[derive(Clone, Debug)]
pub(super) struct OwnedEvent {
    pub(super) stream: StreamId,
    pub(super) header: Header,
    pub(super) values: Vec<Value>,
}

impl OwnedEvent {
    pub(super) fn as_ref(&self) -> EventRef<'_> {
        EventRef { stream: self.stream, header: &self.header, values: &self.values }
    }
}

impl From<EventRef<'_>> for OwnedEvent {
    fn from(event: EventRef<'_>) -> Self {
        Self { stream: event.stream, header: *event.header, values: event.values.to_vec() }
    }
}

/// Events waiting for one level's rules.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Vec<(u32, OwnedEvent)>,
}

impl Inbox {
    /// Adds an event; events of one stream come in their own order. `rank` orders streams at one instant: sources first,
    /// then derived streams, each by name.
    pub(super) fn push(&mut self, rank: u32, event: OwnedEvent) {
        self.waiting.push((rank, event));
    }

    /// The events with a time before `before_ms`, in order of time, stream and arrival.
    pub(super) fn take_before(&mut self, before_ms: TimeMs) -> Vec<OwnedEvent> {
        self.take_ranked(before_ms).into_iter().map(|(_, event)| event).collect()
    }

    /// The same with the ranks of their streams.
    pub(super) fn take_ranked(&mut self, before_ms: TimeMs) -> Vec<(u32, OwnedEvent)> {
        // Stable: events of one stream and instant stay in the order in which they came, which is their order.
        self.waiting.sort_by_key(|(rank, event)| (event.header.time_ms, *rank));
        let count = self.waiting.partition_point(|(_, event)| event.header.time_ms < before_ms);
        self.waiting.drain(..count).collect()
    }

    /// The events that wait, in the order in which they came.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &(u32, OwnedEvent)> {
        self.waiting.iter()
    }

    /// Gives up the events that wait, in the order in which they came.
    pub(super) fn take_all(&mut self) -> Vec<OwnedEvent> {
        self.waiting.drain(..).map(|(_, event)| event).collect()
    }

    /// Forgets all events.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
