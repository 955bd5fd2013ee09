//! Quantiles, in bounded memory: DDSketch (Masson, Rim & Lee, *DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees*, 2019).
//!
//! Values are counted in buckets whose width is in proportion to their distance from 0: 64 of one width between each power of
//! two and the next, so that a bucket's number is the head of the double's bits, and no logarithm differs from machine to machine. The
//! result is the middle of the bucket that holds the value of rank ⌊q · (n − 1)⌋, counted from 0, kept between the
//! smallest and the largest value: at most 1/128, that is 0.8 %, off that value. Values nearer to 0 than 2⁻⁴⁰ count as 0, those
//! farther than 2⁶⁰ as that; so there are at most 12,801 buckets, and some hundred where values span a few powers of ten. The
//! state depends on the values alone, not on their order or how they were merged.

use crate::model::{DecodeError, Reader, Value, Writer};

/// Bits of the mantissa that tell buckets apart.
const HEAD_BITS: u32 = 6;
const TAIL_BITS: u32 = 52 - HEAD_BITS;
const SMALLEST: f64 = 1.0 / (1u64 << 40) as f64;
const LARGEST: f64 = (1u64 << 60) as f64;

/// A sketch of numbers, and which quantile is asked for.
#[derive(Clone, Debug)]
pub(super) struct Quantile {
    /// The share of values below, in millionths.
    pub(super) millionths: u32,
    /// Bucket and how many are in it, ascending: negative buckets for negative numbers, 0 for zero.
    buckets: Vec<(i32, u64)>,
    pub(super) count: u64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Whether values were durations.
    pub(super) durations: bool,
}

impl Quantile {
    /// The quantile of no values.
    pub(super) fn new(millionths: u32) -> Self {
        Self {
            millionths,
            buckets: Vec::new(),
            count: 0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            durations: false,
        }
    }

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
        self.least = self.least.min(x);
        self.most = self.most.max(x);
        self.put(bucket_of(x), 1);
    }

    fn put(&mut self, bucket: i32, count: u64) {
        self.count = self.count.saturating_add(count);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => {
                if let Some((_, there)) = self.buckets.get_mut(at) {
                    *there = there.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.durations |= other.durations;
        other.buckets.iter().for_each(|&(bucket, count)| self.put(bucket, count));
    }

    /// Takes back what another one took before, but for its least and most.
    pub(super) fn take_back(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            let Ok(at) = self.buckets.binary_search_by_key(bucket, |(bucket, _)| *bucket) else { continue };
            if let Some((_, there)) = self.buckets.get_mut(at) {
                *there = there.saturating_sub(*count);
                if *there == 0 {
                    self.buckets.remove(at);
                }
            }
        }
        self.count = self.count.saturating_sub(other.count);
    }

    /// Null over no values.
    pub(super) fn result(&self) -> Value {
        let Some(last) = self.count.checked_sub(1) else { return Value::Null };
        let rank = (u128::from(last) * u128::from(self.millionths) / 1_000_000) as u64;
        let x = match rank {
            0 => self.least,
            _ if rank >= last => self.most,
            _ => {
                let mut below = 0u64;
                let found = self.buckets.iter().find(|(_, count)| {
                    below = below.saturating_add(*count);
                    below > rank
                });
                found.map_or(self.most, |(bucket, _)| middle_of(*bucket)).clamp(self.least, self.most)
            }
        };
        if self.durations { Value::Duration(x.round() as i64) } else { x.into() }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(i32, u64)>()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.len(self.buckets.len());
        for (bucket, count) in &self.buckets {
            writer.i64(i64::from(*bucket));
            writer.u64(*count);
        }
        writer.f64(self.least);
        writer.f64(self.most);
        writer.bool(self.durations);
    }

    pub(super) fn load(millionths: u32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut quantile = Self::new(millionths);
        for _ in 0..reader.len()? {
            let bucket = i32::try_from(reader.i64()?).ok().filter(|bucket| bucket.unsigned_abs() < 1 << 17);
            let count = super::count::load_count(reader)?;
            match bucket {
                Some(bucket) => quantile.put(bucket, count),
                None => return Err(DecodeError::Unexpected { found: count, expected: "a bucket of a sketch" }),
            }
        }
        (quantile.least, quantile.most) = (reader.f64()?, reader.f64()?);
        quantile.durations = reader.bool()?;
        let sound = quantile.count == 0 || quantile.least <= quantile.most;
        if !sound || quantile.count > i64::MAX as u64 {
            return Err(DecodeError::Unexpected { found: quantile.count, expected: "a sketch of numbers" });
        }
        Ok(quantile)
    }
}

fn bucket_of(x: f64) -> i32 {
    let size = x.abs();
    if size.is_nan() || size < SMALLEST {
        return 0;
    }
    // Exponent and head: 17 bits.
    let bucket = (size.min(LARGEST).to_bits() >> TAIL_BITS) as i32;
    if x < 0.0 { -bucket } else { bucket }
}

fn middle_of(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let edge = |bucket: u32| f64::from_bits(u64::from(bucket) << TAIL_BITS);
    let size = bucket.unsigned_abs();
    let middle = (edge(size) + edge(size + 1)) / 2.0;
    if bucket < 0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(millionths: u32, values: &[f64]) -> Quantile {
        let mut quantile = Quantile::new(millionths);
        values.iter().for_each(|x| quantile.add(&Value::Float(*x)));
        quantile
    }

    proptest! {
        #[test]
        fn it_is_the_value_of_its_rank_to_within_a_hundred_and_twenty_eighth(
            values in prop::collection::vec(prop_oneof![-1e3f64..1e3, -1e12f64..1e12, -1e-3f64..1e-3, Just(0.0)], 1..200),
            millionths in prop_oneof![Just(0u32), Just(500_000), Just(990_000), Just(1_000_000), 0u32..=1_000_000],
            cut in 0usize..200,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = of(millionths, right);
            merged.merge(&of(millionths, left));
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[((values.len() - 1) as u64 * u64::from(millionths) / 1_000_000) as usize];
            let found = merged.result().number().unwrap();
            prop_assert!((found - exact).abs() <= exact.abs() / 128.0 + SMALLEST, "{found} {exact}");
            prop_assert_eq!(of(millionths, &values).result(), merged.result());
        }
    }

    #[test]
    fn the_quantile_of_durations_is_a_duration_and_of_nothing_null() {
        let mut median = Quantile::new(500_000);
        assert_eq!(median.result(), Value::Null);
        [1_000, 2_000, 4_000].iter().for_each(|ms| median.add(&Value::Duration(*ms)));
        assert!(matches!(median.result(), Value::Duration(ms) if (1_984..=2_016).contains(&ms)));
    }
}
