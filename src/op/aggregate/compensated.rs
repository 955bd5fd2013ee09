//! Sums of doubles that keep what plain addition loses: Kahan's method in Neumaier's form (1974), which also holds where
//! a term is larger than the sum. The error is of the order of one rounding, however many terms there are.

use crate::model::{DecodeError, Reader, Writer};

/// A compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    #[inline]
    pub(super) fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    /// The sum; not finite if it left the range of doubles on the way.
    pub(super) fn total(&self) -> f64 {
        self.sum + self.lost
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.sum);
        writer.f64(self.lost);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { sum: reader.f64()?, lost: reader.f64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        let mut sum = Compensated::default();
        for term in [1.0, 1e100, 1.0, -1e100] {
            sum.add(term);
        }
        assert_eq!(sum.total(), 2.0);
    }

    proptest! {
        #[test]
        fn the_error_is_that_of_one_rounding_whatever_the_magnitudes(
            terms in prop::collection::vec((-1_000_000i64..1_000_000, 0u32..60), 0..300), cut in 0usize..300,
        ) {
            // Whole numbers times powers of two: exact as doubles, and their sum is exact in 128 bits.
            let terms: Vec<i128> = terms.into_iter().map(|(factor, power)| i128::from(factor) << power).collect();
            let cut = cut.min(terms.len());
            let (mut left, mut right) = (Compensated::default(), Compensated::default());
            terms[..cut].iter().for_each(|&term| left.add(term as f64));
            terms[cut..].iter().for_each(|&term| right.add(term as f64));
            left.merge(&right);
            let exact = terms.iter().sum::<i128>() as f64;
            let size: f64 = terms.iter().map(|&term| (term as f64).abs()).sum();
            let allowed = 2.0 * f64::EPSILON * exact.abs() + (300.0 * f64::EPSILON).powi(2) * size;
            prop_assert!((left.total() - exact).abs() <= allowed, "{} {exact}", left.total());
        }
    }
}
