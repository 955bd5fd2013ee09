//! The exponentially weighted mean: a value counts half as much as one that came a half-life later.
//!
//! Weights depend on the time between values, not on their number, so a burst of readings does not outweigh the rest. Kept as the sum of
//! weights and of weighted values, both as of the last value: two of them merge by ageing the earlier one.

use crate::model::{DecodeError, Reader, TimeMs, Value, Writer};

/// A mean that forgets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ewma {
    /// More than 0.
    pub(super) half_life_ms: TimeMs,
    weight: f64,
    sum: f64,
    as_of_ms: TimeMs,
    /// Whether values were durations.
    durations: bool,
}

impl Ewma {
    pub(super) fn new(half_life_ms: TimeMs) -> Self {
        Self { half_life_ms, weight: 0.0, sum: 0.0, as_of_ms: TimeMs::MIN, durations: false }
    }

    /// Takes the value if it is a number or a duration.
    pub(super) fn add(&mut self, value: &Value, time_ms: TimeMs) {
        let durations = matches!(value, Value::Duration(_));
        let number = match value {
            Value::Int(_) | Value::Float(_) | Value::Duration(_) => value.number(),
            _ => None,
        };
        let Some(sum) = number else { return };
        self.merge(&Self { weight: 1.0, sum, as_of_ms: time_ms, durations, ..*self });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let as_of_ms = self.as_of_ms.max(other.as_of_ms);
        let (own, others) = (self.share_at(as_of_ms), other.share_at(as_of_ms));
        self.weight = self.weight * own + other.weight * others;
        self.sum = self.sum * own + other.sum * others;
        self.as_of_ms = as_of_ms;
        self.durations |= other.durations;
    }

    /// What is left of a weight at a later time.
    fn share_at(&self, time_ms: TimeMs) -> f64 {
        let age = i128::from(time_ms) - i128::from(self.as_of_ms);
        (-(age as f64) / self.half_life_ms.max(1) as f64).exp2()
    }

    /// Null over no values.
    pub(super) fn result(&self) -> Value {
        let mean = self.sum / self.weight;
        match self.durations {
            true if mean.is_finite() => Value::Duration(mean.round() as i64),
            _ => mean.into(),
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.weight);
        writer.f64(self.sum);
        writer.i64(self.as_of_ms);
        writer.bool(self.durations);
    }

    pub(super) fn load(half_life_ms: TimeMs, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (weight, sum) = (reader.f64()?, reader.f64()?);
        Ok(Self { half_life_ms, weight, sum, as_of_ms: reader.i64()?, durations: reader.bool()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_mean_with_weights_that_halve(
            mut values in prop::collection::vec((-5_000i64..5_000, -50i64..50), 1..60), half_life in 1i64..5_000, cut in 0usize..60,
        ) {
            values.sort_unstable();
            let of = |values: &[(TimeMs, i64)]| {
                let mut ewma = Ewma::new(half_life);
                values.iter().for_each(|(at, x)| ewma.add(&Value::Int(*x), *at));
                ewma
            };
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            let last = values[values.len() - 1].0;
            let weight = |at: TimeMs| 0.5f64.powf((last - at) as f64 / half_life as f64);
            let sum: f64 = values.iter().map(|(at, x)| weight(*at) * *x as f64).sum();
            let expected = sum / values.iter().map(|(at, _)| weight(*at)).sum::<f64>();
            for found in [merged, of(&values)] {
                prop_assert!((found.result().number().unwrap() - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn over_nothing_it_is_null_and_over_durations_a_duration() {
        let mut ewma = Ewma::new(1_000);
        assert_eq!(ewma.result(), Value::Null);
        ewma.add(&Value::Duration(100), 0);
        ewma.add(&Value::Duration(400), 1_000);
        assert_eq!(ewma.result(), Value::Duration(300));
    }
}
