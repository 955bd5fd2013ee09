//! What is kept per key: its offset and its open windows. With one aggregate and one open window nothing is on the heap.

use super::{Program, Span};
use crate::{
    model::{DecodeError, Reader, TimeMs, Value, Writer},
    op::aggregate::Accumulator,
};
use smallvec::SmallVec;

/// The windows of one key.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// How the key's windows are shifted; known from its first event on.
    pub(super) offset_ms: TimeMs,
    /// Ascending by end, then start. Of windows that don't overlap there is at most one.
    pub(super) open: SmallVec<[OpenWindow; 1]>,
}

/// A window that has not closed yet.
#[derive(Clone, Debug)]
pub(super) struct OpenWindow {
    pub(super) span: Span,
    /// Whether no event came: it waits for the key's last, empty result.
    pub(super) empty: bool,
    /// One per aggregate of the rule.
    pub(super) accumulators: SmallVec<[Accumulator; 1]>,
}

// There is one per key, and there are millions of keys: growth is a decision.
const _: () = assert!(size_of::<KeyState>() <= 96);

/// Stands for an offset that is not known yet; no assigner is asked with it.
const UNKNOWN: TimeMs = TimeMs::MIN;

/// What a shard lends to every step; holds nothing between steps.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) spans: Vec<Span>,
}

impl Default for KeyState {
    fn default() -> Self {
        Self { offset_ms: UNKNOWN, open: SmallVec::new() }
    }
}

impl KeyState {
    /// The next instant at which something is due without an event: the first end of an open window.
    #[inline]
    pub fn deadline(&self) -> Option<TimeMs> {
        self.open.first().map(|open| open.span.end_ms)
    }

    /// Whether nothing is open, so that the state may be dropped: the key's next event makes the same state again.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// How many windows are open, one that waits empty included.
    pub fn open_windows(&self) -> usize {
        self.open.len()
    }

    /// The key's offset, once an event made it known.
    pub fn offset_ms(&self) -> Option<TimeMs> {
        (self.offset_ms != UNKNOWN).then_some(self.offset_ms)
    }

    /// Bytes on the heap that it holds on to, beside its own (at most 96).
    pub fn heap_bytes(&self) -> usize {
        let spilled = if self.open.spilled() { self.open.capacity() * size_of::<OpenWindow>() } else { 0 };
        let windows = self.open.iter().map(|open| {
            let own = &open.accumulators;
            let spilled = if own.spilled() { own.capacity() * size_of::<Accumulator>() } else { 0 };
            spilled + own.iter().map(Accumulator::heap_bytes).sum::<usize>()
        });
        spilled + windows.sum::<usize>()
    }

    /// Writes the state. The aggregates' kinds are not in it: they are the program's.
    pub fn save(&self, writer: &mut Writer) {
        writer.time(self.offset_ms());
        writer.len(self.open.len());
        for open in &self.open {
            writer.i64(open.span.start_ms);
            writer.i64(open.span.end_ms);
            writer.bool(open.empty);
            open.accumulators.iter().for_each(|accumulator| accumulator.save(writer));
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same program.
    ///
    /// # Errors
    /// When the bytes are no state of this program's.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let offset_ms = reader.time()?.unwrap_or(UNKNOWN);
        let mut open = SmallVec::new();
        for _ in 0..reader.len()? {
            let span = Span { start_ms: reader.i64()?, end_ms: reader.i64()? };
            if span.start_ms >= span.end_ms {
                return Err(DecodeError::Unexpected { found: span.end_ms as u64, expected: "a window's end" });
            }
            let empty = reader.bool()?;
            let accumulators =
                program.kinds().map(|kind| Accumulator::load(kind, reader)).collect::<Result<_, DecodeError>>()?;
            open.push(OpenWindow { span, empty, accumulators });
        }
        Ok(Self { offset_ms, open })
    }

    /// The offset, drawn by `draw` at first.
    #[inline]
    pub(super) fn offset_or(&mut self, draw: impl FnOnce() -> TimeMs) -> TimeMs {
        if self.offset_ms == UNKNOWN {
            self.offset_ms = draw();
        }
        self.offset_ms
    }

    /// Puts a window where it belongs in the order.
    pub(super) fn insert(&mut self, window: OpenWindow) {
        let order = |open: &OpenWindow| (open.span.end_ms, open.span.start_ms);
        let at = self.open.partition_point(|open| order(open) < order(&window));
        self.open.insert(at, window);
    }
}

/// A window that closes, as expressions see it.
pub(super) struct WindowBound<'a>(pub(super) &'a OpenWindow);

impl crate::expr::Bound for WindowBound<'_> {
    fn value(&self, _: crate::expr::Var, _: u16) -> Option<&Value> {
        None
    }

    fn time_ms(&self, _: crate::expr::Var) -> Option<TimeMs> {
        None
    }

    fn aggregate(&self, ix: u16) -> Value {
        self.0.accumulators.get(usize::from(ix)).map_or(Value::Null, Accumulator::result)
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.0.span.start_ms, self.0.span.end_ms))
    }
}
