//! What is kept per key: the events of both sides that may still find partners.

use super::Program;
use crate::{
    expr::{Bound, Var},
    model::{DecodeError, EventId, Reader, TimeMs, Value, Writer},
};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// An event that waits for partners.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) time_ms: TimeMs,
    pub(super) id: EventId,
    /// Whether it met a partner, or was put out alone.
    pub(super) met: bool,
    /// By the slots of its side.
    pub(super) values: SmallVec<[Value; 2]>,
}

/// The events of one key that wait for partners, each side in order of time.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    pub(super) left: VecDeque<Row>,
    pub(super) right: VecDeque<Row>,
    /// All left events before this place have met a partner.
    pub(super) open: usize,
    /// What the bound dropped since the key's last output.
    pub(super) dropped: u64,
    /// So many right events, the first, wait in an old version as well, which puts out the pairs with them.
    pub(super) shared: usize,
}

/// Marks a count of what was dropped behind which it is written how many events are shared: few states have any.
const HAS_SHARED: u64 = 1 << 63;

/// What a shard lends to every step; holds nothing between steps but the count.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Places of an event's partners.
    pub(super) found: Vec<usize>,
    /// Events and pairs dropped because a bound was reached.
    pub shed: u64,
}

impl KeyState {
    /// Whether no event waits.
    pub fn is_idle(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }

    /// How many events wait, of both sides.
    pub fn events(&self) -> usize {
        self.left.len() + self.right.len()
    }

    /// Moves `open` to the first left event that has met nobody.
    pub(super) fn settle(&mut self) {
        while self.left.get(self.open).is_some_and(|row| row.met) {
            self.open += 1;
        }
    }

    pub(super) fn forget_left(&mut self) -> Option<Row> {
        let row = self.left.pop_front();
        self.open = self.open.saturating_sub(1);
        self.settle();
        row
    }

    pub(super) fn forget_right(&mut self) -> Option<Row> {
        self.shared = self.shared.saturating_sub(1);
        self.right.pop_front()
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        let dropped = self.dropped & !HAS_SHARED;
        match self.shared {
            0 => writer.u64(dropped),
            shared => {
                writer.u64(dropped | HAS_SHARED);
                writer.len(shared);
            }
        }
        for side in [&self.left, &self.right] {
            writer.len(side.len());
            for row in side {
                writer.i64(row.time_ms);
                writer.event_id(&row.id);
                writer.bool(row.met);
                row.values.iter().for_each(|value| writer.value(value));
            }
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same program.
    ///
    /// # Errors
    /// When the bytes are no state of this program's.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let dropped = reader.u64()?;
        let shared = if dropped & HAS_SHARED == 0 { 0 } else { reader.len()? };
        let mut state = Self { dropped: dropped & !HAS_SHARED, shared, ..Self::default() };
        for (rows, side) in [&mut state.left, &mut state.right].into_iter().zip(&program.sides) {
            for _ in 0..reader.len()? {
                let (time_ms, id, met) = (reader.i64()?, reader.event_id()?, reader.bool()?);
                if rows.back().is_some_and(|before: &Row| before.time_ms > time_ms) {
                    return Err(DecodeError::Unexpected { found: time_ms as u64, expected: "events in order of time" });
                }
                let values = side.kept.iter().map(|_| reader.value()).collect::<Result<_, _>>()?;
                rows.push_back(Row { time_ms, id, met, values });
            }
        }
        if state.shared > state.right.len() {
            return Err(DecodeError::Unexpected { found: state.shared as u64, expected: "fewer shared events" });
        }
        state.settle();
        Ok(state)
    }
}

/// A pair as expressions see it: variable 0 is the left event, 1 the right one, if there is one.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) left: &'a Row,
    pub(super) right: Option<&'a Row>,
}

impl Pair<'_> {
    fn row(&self, var: Var) -> Option<&Row> {
        match var.var {
            0 => Some(self.left),
            1 => self.right,
            _ => None,
        }
    }
}

impl Bound for Pair<'_> {
    fn value(&self, var: Var, slot: u16) -> Option<&Value> {
        self.row(var)?.values.get(usize::from(slot))
    }

    fn time_ms(&self, var: Var) -> Option<TimeMs> {
        Some(self.row(var)?.time_ms)
    }

    fn aggregate(&self, _: u16) -> Value {
        Value::Null
    }

    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        let (left_ms, right_ms) = (self.left.time_ms, self.right.unwrap_or(self.left).time_ms);
        Some((left_ms.min(right_ms), left_ms.max(right_ms)))
    }
}
