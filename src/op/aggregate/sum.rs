//! The sum: exact for ints and durations whatever the order of the terms, compensated for floats.

use super::compensated::Compensated;
use crate::model::{DecodeError, Reader, Value, Writer};

/// A whole number of 128 bits in two halves: a plain one would align the whole state to 16 bytes. No stream is long enough
/// to overflow it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wide {
    low: u64,
    high: i64,
}

impl Wide {
    #[inline]
    fn add(&mut self, term: i64) {
        let (low, carry) = self.low.overflowing_add(term as u64);
        self.low = low;
        self.high = self.high.wrapping_add(i64::from(carry)).wrapping_add(term >> 63);
    }

    fn merge(&mut self, other: Self) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(i64::from(carry)).wrapping_add(other.high);
    }

    pub(super) fn get(self) -> i128 {
        i128::from(self.high) << 64 | i128::from(self.low)
    }
}

/// A sum. Ints and floats mix to a float; a duration with either has no sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Sum {
    /// No values.
    #[default]
    Empty,
    /// Of ints.
    Int(Wide),
    /// Of durations, in milliseconds.
    Duration(Wide),
    /// With a float among the terms.
    Float(Compensated),
    /// Durations and plain numbers.
    Mixed,
}

impl Sum {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Takes the value if it is a number or a duration.
    #[inline]
    pub(super) fn add(&mut self, value: &Value) {
        match (&mut *self, value) {
            (Self::Float(sum), Value::Float(x)) => sum.add(*x),
            (Self::Int(sum), Value::Int(x)) | (Self::Duration(sum), Value::Duration(x)) => sum.add(*x),
            _ => self.merge(&Self::of(value)),
        }
    }

    /// The sum of one value; of no number it is empty.
    pub(super) fn of(value: &Value) -> Self {
        let (mut wide, mut float) = (Wide::default(), Compensated::default());
        match value {
            Value::Int(x) => {
                wide.add(*x);
                Self::Int(wide)
            }
            Value::Duration(x) => {
                wide.add(*x);
                Self::Duration(wide)
            }
            Value::Float(x) => {
                float.add(*x);
                Self::Float(float)
            }
            _ => Self::Empty,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        *self = match (*self, *other) {
            (sum, Self::Empty) | (Self::Empty, sum) => sum,
            (Self::Int(mut a), Self::Int(b)) => {
                a.merge(b);
                Self::Int(a)
            }
            (Self::Duration(mut a), Self::Duration(b)) => {
                a.merge(b);
                Self::Duration(a)
            }
            (Self::Float(mut a), Self::Float(b)) => {
                a.merge(&b);
                Self::Float(a)
            }
            (Self::Float(mut a), Self::Int(b)) => {
                a.add(b.get() as f64);
                Self::Float(a)
            }
            (Self::Int(a), Self::Float(b)) => {
                let mut sum = Compensated::default();
                sum.add(a.get() as f64);
                sum.merge(&b);
                Self::Float(sum)
            }
            _ => Self::Mixed,
        };
    }

    /// Null over no values, past 64 bits, and where floats left the range of doubles.
    pub(super) fn result(&self) -> Value {
        match self {
            Self::Empty | Self::Mixed => Value::Null,
            Self::Int(sum) => i64::try_from(sum.get()).ok().into(),
            Self::Duration(sum) => i64::try_from(sum.get()).map_or(Value::Null, Value::Duration),
            Self::Float(sum) => sum.total().into(),
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        match self {
            Self::Empty => writer.u8(0),
            Self::Int(sum) | Self::Duration(sum) => {
                writer.u8(if matches!(self, Self::Int(_)) { 1 } else { 2 });
                writer.u64(sum.low);
                writer.i64(sum.high);
            }
            Self::Float(sum) => {
                writer.u8(3);
                sum.save(writer);
            }
            Self::Mixed => writer.u8(4),
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            0 => Self::Empty,
            1 => Self::Int(Wide { low: reader.u64()?, high: reader.i64()? }),
            2 => Self::Duration(Wide { low: reader.u64()?, high: reader.i64()? }),
            3 => Self::Float(Compensated::load(reader)?),
            4 => Self::Mixed,
            found => return Err(DecodeError::Unexpected { found: found.into(), expected: "a sum" }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[Value]) -> Value {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(value));
        sum.result()
    }

    #[test]
    fn ints_may_pass_64_bits_on_the_way_but_not_at_the_end() {
        assert_eq!(sum(&[Value::Int(i64::MAX), Value::Int(1), Value::Int(-2)]), Value::Int(i64::MAX - 1));
        assert_eq!(sum(&[Value::Int(i64::MIN), Value::Int(-1), Value::Int(1)]), Value::Int(i64::MIN));
        assert_eq!(sum(&[Value::Int(i64::MAX), Value::Int(1)]), Value::Null);
    }

    #[test]
    fn kinds_mix_the_same_way_in_any_order() {
        assert_eq!(sum(&[Value::Int(1), Value::Float(0.5)]), Value::Float(1.5));
        assert_eq!(sum(&[Value::Float(0.5), Value::Int(1), Value::text("x")]), Value::Float(1.5));
        assert_eq!(sum(&[Value::Duration(5), Value::Duration(-7)]), Value::Duration(-2));
        assert_eq!(sum(&[Value::Duration(5), Value::Int(1), Value::Duration(5)]), Value::Null);
    }

    #[test]
    fn floats_out_of_range_have_no_sum() {
        assert_eq!(sum(&[Value::Float(f64::MAX), Value::Float(f64::MAX)]), Value::Null);
    }
}
