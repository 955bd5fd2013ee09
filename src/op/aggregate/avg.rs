//! The mean: the sum divided once, at the end.

use super::sum::Sum;
use crate::model::{DecodeError, Reader, Value, Writer};

/// A mean.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Avg {
    sum: Sum,
    count: u64,
}

impl Avg {
    /// Takes the value if it is a number or a duration.
    #[inline]
    pub(super) fn add(&mut self, value: &Value) {
        if matches!(value, Value::Int(_) | Value::Float(_) | Value::Duration(_)) {
            self.sum.add(value);
            self.count += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.count = self.count.saturating_add(other.count);
    }

    /// Of numbers a float; of durations the nearest millisecond, halves away from zero.
    pub(super) fn result(&self) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        match &self.sum {
            Sum::Empty | Sum::Mixed => Value::Null,
            Sum::Int(sum) => (sum.get() as f64 / self.count as f64).into(),
            Sum::Float(sum) => (sum.total() / self.count as f64).into(),
            Sum::Duration(sum) => {
                let (sum, count) = (sum.get(), i128::from(self.count));
                let half = if sum < 0 { -(count / 2) } else { count / 2 };
                i64::try_from(sum.saturating_add(half) / count).map_or(Value::Null, Value::Duration)
            }
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        self.sum.save(writer);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.u64()?;
        if count > i64::MAX as u64 {
            return Err(DecodeError::Unexpected { found: count, expected: "a count" });
        }
        Ok(Self { count, sum: Sum::load(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn avg(values: &[Value]) -> Value {
        let mut avg = Avg::default();
        values.iter().for_each(|value| avg.add(value));
        avg.result()
    }

    #[test]
    fn the_mean_of_many_tenths_is_the_rounded_quotient() {
        let tenths: Vec<Value> = (0..1_000_000).map(|_| Value::Float(0.1)).collect();
        assert_eq!(avg(&tenths), Value::Float(0.1));
        assert_eq!(avg(&[Value::Int(1), Value::Int(2)]), Value::Float(1.5));
        assert_eq!(avg(&[]), Value::Null);
    }

    #[test]
    fn the_mean_of_durations_is_a_duration() {
        assert_eq!(avg(&[Value::Duration(1), Value::Duration(2)]), Value::Duration(2));
        assert_eq!(avg(&[Value::Duration(-1), Value::Duration(-2)]), Value::Duration(-2));
        assert_eq!(avg(&[Value::Duration(1), Value::Duration(1), Value::Duration(2)]), Value::Duration(1));
    }

    #[test]
    fn text_counts_neither_above_nor_below_the_line() {
        assert_eq!(avg(&[Value::Int(4), Value::text("x")]), Value::Float(4.0));
    }
}
