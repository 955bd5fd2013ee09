//! How many values.

use crate::model::{DecodeError, Reader, Value, Writer};

/// A count.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    count: u64,
}

impl Count {
    pub(super) fn add(&mut self, _: &Value) {
        self.count += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
    }

    #[inline]
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn result(&self) -> Value {
        Value::Int(i64::try_from(self.count).unwrap_or(i64::MAX))
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        load_count(reader).map(|count| Self { count })
    }
}

/// Reads a count. Half of the range is enough for every one, and leaves adding without a check for overflow.
pub(super) fn load_count(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.u64()? {
        found if found > i64::MAX as u64 => Err(DecodeError::Unexpected { found, expected: "a count" }),
        found => Ok(found),
    }
}
