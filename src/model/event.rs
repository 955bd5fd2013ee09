//! Events: a header and a row of values. Batches keep rows flat, one allocation for many events.

use super::{Text, TimeMs, Value};

/// A stream of the running program: sources first, in the order of their names, then derived streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// Who an event is, the same in every run over the same input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventId {
    /// The value of the schema's id field.
    Field(Text),
    /// Where it was read: source partition and offset in it. For a derived event the partition is `u32::MAX` and the
    /// offset the hash of (stream, key, time, sequence).
    Offset {
        /// The stream that it is of.
        stream: StreamId,
        /// The partition of the source.
        partition: u32,
        /// The offset in the partition.
        offset: u64,
    },
}

/// What every event has beside its fields. The order of events is (`time_ms`, stream, `partition`, `offset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// When it happened.
    pub time_ms: TimeMs,
    /// The source's partition: a file, a Kafka partition.
    pub partition: u32,
    /// Its place in the partition; ascends.
    pub offset: u64,
}

/// Events of one stream, rows flat behind one another.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    headers: Vec<Header>,
    /// Rows in use, then rows of events that were removed: written over as new ones come.
    values: Vec<Value>,
    width: usize,
}

impl Batch {
    /// An empty batch of rows with `width` values.
    pub fn new(width: usize) -> Self {
        Self { headers: Vec::new(), values: Vec::new(), width }
    }

    /// Adds an event; `fill` pushes exactly `width` values onto the row vector, and what is missing becomes null.
    pub fn push_with<E>(
        &mut self,
        header: Header,
        fill: impl FnOnce(&mut Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.cut();
        match fill(&mut self.values) {
            Ok(()) => {
                self.values.resize(start + self.width, Value::Null);
                self.headers.push(header);
                Ok(())
            }
            Err(error) => {
                self.values.truncate(start);
                Err(error)
            }
        }
    }

    /// Adds an event; `fill` is given its row, all null, and gives the header. If it gives none, nothing is added.
    #[inline]
    pub fn push_row(&mut self, fill: impl FnOnce(&mut [Value]) -> Option<Header>) -> Option<()> {
        let start = self.headers.len() * self.width;
        let end = start + self.width;
        if self.values.len() < end {
            // Values are whole rows, so that none is left of a removed event.
            self.values.extend(std::iter::repeat_with(|| Value::Null).take(self.width));
        } else {
            let row = self.values.get_mut(start..end)?;
            row.iter_mut().for_each(|value| std::mem::replace(value, Value::Null).discard());
        }
        let header = self.values.get_mut(start..end).and_then(fill)?;
        self.headers.push(header);
        Some(())
    }

    /// Adds an event with this row.
    pub fn push(&mut self, header: Header, row: impl IntoIterator<Item = Value>) {
        let start = self.cut();
        self.values.extend(row);
        self.values.resize(start + self.width, Value::Null);
        self.headers.push(header);
    }

    /// Drops what is left of removed events; where the next row begins.
    fn cut(&mut self) -> usize {
        let start = self.headers.len() * self.width;
        self.values.truncate(start);
        start
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The headers.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The event at `index`, which is less than `len`.
    pub fn event(&self, stream: StreamId, index: usize) -> Option<EventRef<'_>> {
        let header = self.headers.get(index)?;
        let values = self.values.get(index * self.width..(index + 1) * self.width)?;
        Some(EventRef { stream, header, values })
    }

    /// The row at `first` and those after it, `count` in all, as events of a stream.
    #[inline]
    pub fn rows(&self, stream: StreamId, first: usize, count: usize) -> Option<Rows<'_>> {
        let headers = self.headers.get(first..first + count)?;
        let values = self.values.get(first * self.width..(first + count) * self.width)?;
        Some(Rows { stream, headers, values, width: self.width })
    }

    /// Removes all events and keeps the memory, what their values hold included until another event takes their place.
    pub fn clear(&mut self) {
        self.headers.clear();
    }
}

/// Events of a batch that lie one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    stream: StreamId,
    headers: &'a [Header],
    values: &'a [Value],
    width: usize,
}

impl<'a> Rows<'a> {
    /// How many there are.
    #[inline]
    pub fn len(self) -> usize {
        self.headers.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.headers.is_empty()
    }

    /// The event at `index`, which is less than `len`.
    #[inline]
    pub fn event(self, index: usize) -> Option<EventRef<'a>> {
        let header = self.headers.get(index)?;
        let values = self.values.get(index * self.width..(index + 1) * self.width)?;
        Some(EventRef { stream: self.stream, header, values })
    }
}

/// One event, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// The stream that it is of.
    pub stream: StreamId,
    /// Its header.
    pub header: &'a Header,
    /// Its row, by slot.
    pub values: &'a [Value],
}

impl EventRef<'_> {
    /// When it happened.
    pub fn time_ms(&self) -> TimeMs {
        self.header.time_ms
    }

    /// Who it is: the value of the id slot, where the schema has one and the event a value, else its place. Derived events are their place.
    pub fn id(&self, id_slot: Option<u16>) -> EventId {
        // What THROUGH makes more than once of one event is told apart by its place.
        if let Some(slot) = id_slot.filter(|_| self.header.partition != u32::MAX) {
            match self.values.get(usize::from(slot)) {
                Some(Value::Text(text)) => return EventId::Field(text.clone()),
                Some(Value::Int(number)) => return EventId::Field(number.to_string().into()),
                _ => {}
            }
        }
        EventId::Offset { stream: self.stream, partition: self.header.partition, offset: self.header.offset }
    }
}
