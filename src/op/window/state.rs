//! What is kept per key: its offset and its open windows, or the panes of windows that overlap. With one aggregate and one
//! open window nothing is on the heap.

use super::{Owned, Program, Span, few::Few, kept::Kept, panes::Panes};
use crate::{
    model::{DecodeError, Reader, TimeMs, Value, Writer},
    op::aggregate::{Accumulator, Running},
};

/// The windows of one key.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// How the key's windows are shifted; known from its first event on.
    pub(super) offset_ms: TimeMs,
    /// Ascending by end, then start. Of windows that don't overlap there is at most one.
    pub(super) open: Few<OpenWindow>,
    /// Of windows that are made of panes: those, and nothing is in `open`.
    pub(super) shared: Option<Box<Shared>>,
}

/// Windows that share what they hold.
#[derive(Clone, Debug)]
pub(super) enum Shared {
    /// Those that overlap.
    Panes(Panes),
    /// Those that late events may change.
    Kept(Kept),
}

/// One per aggregate of the rule.
pub(super) type Accumulators = Few<Accumulator>;

/// A window that has not closed yet.
#[derive(Clone, Debug)]
pub(super) struct OpenWindow {
    pub(super) span: Span,
    /// Whether no event came: it waits for the key's last, empty result.
    pub(super) empty: bool,
    /// How many instants of EMIT EVERY it has passed.
    pub(super) early: u32,
    pub(super) accumulators: Accumulators,
}

// There is one per key, and there are millions of keys: growth is a decision.
const _: () = assert!(size_of::<KeyState>() <= 80);

/// Stands for an offset that is not known yet; no assigner is asked with it.
const UNKNOWN: TimeMs = TimeMs::MIN;

/// What a shard lends to every step; holds nothing of keys between steps.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) spans: Vec<Span>,
    /// Whose results are put out; as long as the rule runs.
    pub(super) owned: Owned,
    /// Of windows that lie apart the one that was opened last, with its offset: most often other keys open theirs with it.
    pub(super) last: Option<(TimeMs, Span)>,
}

impl Default for KeyState {
    fn default() -> Self {
        Self { offset_ms: UNKNOWN, open: Few::None, shared: None }
    }
}

impl KeyState {
    /// Whether nothing is open, so that the state may be dropped: the key's next event makes the same state again.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
            && match self.shared.as_deref() {
                None => true,
                Some(Shared::Panes(panes)) => panes.next.is_none() && panes.count == 0,
                Some(Shared::Kept(kept)) => kept.is_idle(),
            }
    }

    /// How many windows are open, one that waits empty included. Windows that share panes count as one.
    pub fn open_windows(&self) -> usize {
        let shared = match self.shared.as_deref() {
            None => false,
            Some(Shared::Panes(panes)) => panes.next.is_some(),
            Some(Shared::Kept(kept)) => kept.is_open(),
        };
        self.open.len() + usize::from(shared)
    }

    /// The key's offset, once an event made it known.
    pub fn offset_ms(&self) -> Option<TimeMs> {
        (self.offset_ms != UNKNOWN).then_some(self.offset_ms)
    }

    /// A look at its ends and its middle: what is in place is fetched from memory.
    #[inline]
    pub fn touch(&self) -> u64 {
        let open = self.open.first().map_or(0, |open| {
            let count = open.accumulators.first().and_then(Accumulator::count).unwrap_or(0);
            open.span.end_ms as u64 ^ u64::from(open.early) ^ count
        });
        open ^ self.offset_ms as u64 ^ u64::from(self.shared.is_some())
    }

    /// Bytes on the heap that it holds on to, beside its own (at most 80).
    pub fn heap_bytes(&self) -> usize {
        let windows = self.open.iter().map(|open| heap_bytes(&open.accumulators));
        let shared = match self.shared.as_deref() {
            None => 0,
            Some(Shared::Panes(panes)) => size_of::<Shared>() + panes.heap_bytes(),
            Some(Shared::Kept(kept)) => size_of::<Shared>() + kept.heap_bytes(),
        };
        self.open.heap_bytes() + windows.sum::<usize>() + shared
    }

    /// Writes the state. The aggregates' kinds are not in it: they are the program's.
    pub fn save(&self, writer: &mut Writer) {
        writer.time(self.offset_ms());
        writer.len(self.open.len());
        for open in self.open.iter() {
            writer.i64(open.span.start_ms);
            writer.i64(open.span.end_ms);
            writer.bool(open.empty);
            writer.u64(open.early.into());
            open.accumulators.iter().for_each(|accumulator| accumulator.save(writer));
        }
        match self.shared.as_deref() {
            None => writer.u8(0),
            Some(Shared::Panes(panes)) => {
                writer.u8(1);
                panes.save(writer);
            }
            Some(Shared::Kept(kept)) => {
                writer.u8(2);
                kept.save(writer);
            }
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same program.
    ///
    /// # Errors
    /// When the bytes are no state of this program's.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let offset_ms = reader.time()?.unwrap_or(UNKNOWN);
        let mut open = Few::None;
        for _ in 0..reader.len()? {
            let span = Span { start_ms: reader.i64()?, end_ms: reader.i64()? };
            if span.start_ms >= span.end_ms {
                return Err(DecodeError::Unexpected { found: span.end_ms as u64, expected: "a window's end" });
            }
            let (empty, early) = (reader.bool()?, reader.u32()?);
            let accumulators =
                program.kinds().map(|kind| Accumulator::load(kind, reader)).collect::<Result<_, DecodeError>>()?;
            open.push(OpenWindow { span, empty, early, accumulators });
        }
        // Which of them it is, is the program's.
        let shared = match (reader.u8()?, program.takes_late()) {
            (0, _) => None,
            (1, false) => Some(Box::new(Shared::Panes(Panes::load(program, reader)?))),
            (2, true) => Some(Box::new(Shared::Kept(Kept::load(program, reader)?))),
            (found, _) => {
                return Err(DecodeError::Unexpected { found: found.into(), expected: "how windows are kept" });
            }
        };
        Ok(Self { offset_ms, open, shared })
    }

    /// The panes of windows that overlap, if there are any.
    #[inline]
    pub(super) fn panes(&self) -> Option<&Panes> {
        match self.shared.as_deref() {
            Some(Shared::Panes(panes)) => Some(panes),
            _ => None,
        }
    }

    /// The same, made if there are none yet.
    #[inline]
    pub(super) fn panes_mut(&mut self) -> Option<&mut Panes> {
        match &mut **self.shared.get_or_insert_with(|| Box::new(Shared::Panes(Panes::default()))) {
            Shared::Panes(panes) => Some(panes),
            Shared::Kept(_) => None,
        }
    }

    /// The windows that late events may change, made if there are none yet.
    #[inline]
    pub(super) fn kept_mut(&mut self) -> Option<&mut Kept> {
        match &mut **self.shared.get_or_insert_with(|| Box::new(Shared::Kept(Kept::default()))) {
            Shared::Kept(kept) => Some(kept),
            Shared::Panes(_) => None,
        }
    }

    /// After an event that is in no window: a state that may be dropped may also be given to another key, whose offset is its own.
    #[inline]
    pub(super) fn forget_idle(&mut self) {
        if self.is_idle() {
            *self = Self::default();
        }
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

/// Bytes on the heap of a window's aggregates.
pub(super) fn heap_bytes(accumulators: &Accumulators) -> usize {
    accumulators.heap_bytes() + accumulators.iter().map(Accumulator::heap_bytes).sum::<usize>()
}

/// A window whose result is put out, as expressions see it.
pub(super) struct WindowBound<'a> {
    pub(super) span: Span,
    pub(super) accumulators: &'a [Accumulator],
    /// In place of some of those, by their index.
    pub(super) running: &'a [Option<Running>],
    /// How many results of it were put out before.
    pub(super) revision: u32,
}

impl crate::expr::Bound for WindowBound<'_> {
    fn value(&self, _: crate::expr::Var, _: u16) -> Option<&Value> {
        None
    }

    fn time_ms(&self, _: crate::expr::Var) -> Option<TimeMs> {
        None
    }

    fn aggregate(&self, ix: u16) -> Value {
        match self.running.get(usize::from(ix)) {
            Some(Some(running)) => running.result(),
            _ => self.accumulators.get(usize::from(ix)).map_or(Value::Null, Accumulator::result),
        }
    }

    fn number(&self) -> Option<u64> {
        Some(self.revision.into())
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        Some((self.span.start_ms, self.span.end_ms))
    }
}
