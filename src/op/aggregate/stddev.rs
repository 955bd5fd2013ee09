//! The standard deviation of a sample: the square root of the sum of squared deviations by n − 1.
//!
//! Kept as count, mean and sum of squared deviations: Welford's update (1962) and the merger of Chan, Golub & LeVeque (1979),
//! which don't lose the digits that the difference of two large sums does.

use crate::model::{DecodeError, Reader, Value, Writer};

/// Count, mean and spread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stddev {
    count: u64,
    mean: f64,
    squares: f64,
    /// Whether values were durations.
    durations: bool,
}

impl Stddev {
    /// Takes the value if it is a number or a duration.
    pub(super) fn add(&mut self, value: &Value) {
        let x = match value {
            Value::Int(x) => *x as f64,
            Value::Float(x) => *x,
            Value::Duration(x) => {
                self.durations = true;
                *x as f64
            }
            _ => return,
        };
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (left, right) = (self.count as f64, other.count as f64);
        let apart = other.mean - self.mean;
        self.count = self.count.saturating_add(other.count);
        self.mean += apart * (right / (left + right));
        self.squares += other.squares + apart * apart * (left * right / (left + right));
        self.durations |= other.durations;
    }

    /// Null under two values.
    pub(super) fn result(&self) -> Value {
        if self.count < 2 {
            return Value::Null;
        }
        let spread = (self.squares.max(0.0) / (self.count - 1) as f64).sqrt();
        match self.durations {
            true if spread.is_finite() => Value::Duration(spread.round() as i64),
            _ => spread.into(),
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        writer.f64(self.mean);
        writer.f64(self.squares);
        writer.bool(self.durations);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = super::count::load_count(reader)?;
        Ok(Self { count, mean: reader.f64()?, squares: reader.f64()?, durations: reader.bool()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Stddev {
        let mut stddev = Stddev::default();
        values.iter().for_each(|x| stddev.add(&Value::Float(*x)));
        stddev
    }

    proptest! {
        #[test]
        fn it_is_the_definition_over_all_values_also_where_their_mean_is_large(
            values in prop::collection::vec(-100.0f64..100.0, 2..60), base in prop_oneof![Just(0.0), Just(1e6)], cut in 0usize..60,
        ) {
            let values: Vec<f64> = values.iter().map(|x| x + base).collect();
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
            let expected = (squares / (values.len() - 1) as f64).sqrt();
            for found in [merged, of(&values)] {
                let found = found.result().number().unwrap();
                prop_assert!((found - expected).abs() <= 1e-9 * (1.0 + expected + base * 1e-4), "{found} {expected}");
            }
        }
    }

    #[test]
    fn one_value_has_no_deviation_and_that_of_durations_is_a_duration() {
        assert_eq!(of(&[3.0]).result(), Value::Null);
        let mut durations = Stddev::default();
        [1_000, 3_000].iter().for_each(|ms| durations.add(&Value::Duration(*ms)));
        assert_eq!(durations.result(), Value::Duration(1_414));
    }
}
