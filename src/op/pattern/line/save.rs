//! How a line is written and read: the events that open matches have taken, the oldest first, and the bits.

use super::{Line, Plan, state::fill};
use crate::model::{DecodeError, Reader, Writer};

impl Line {
    /// Writes it.
    pub(in crate::op::pattern) fn save(&self, writer: &mut Writer) {
        let longest = self.longest();
        writer.u64(self.open);
        for back in (1..=longest).rev() {
            let Some((time_ms, id)) = self.head(back) else { continue };
            writer.i64(*time_ms);
            writer.event_id(id);
            self.values_of(back).iter().for_each(|value| writer.value(value));
        }
    }

    /// Reads what was written of a pattern of this plan, which keeps so many values of an event.
    pub(in crate::op::pattern) fn load(
        (plan, values): (&Plan, usize),
        within_ms: Option<crate::model::TimeMs>,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut line = Self::new(plan.kept(), values);
        let open = reader.u64()?;
        let longest = (u64::BITS - open.leading_zeros()) as usize;
        if open == 0 || longest > plan.kept() {
            return Err(DecodeError::Unexpected { found: open, expected: "open matches of this length" });
        }
        for _ in 0..longest {
            let (time_ms, id) = (reader.i64()?, reader.event_id()?);
            let row = (0..values).map(|_| reader.value()).collect::<Result<Vec<_>, _>>()?;
            line.push(time_ms, id, |places| fill(places, row.into_iter()));
        }
        line.open = open;
        line.settle(within_ms);
        Ok(line)
    }
}
