//! About how many different values, in bounded memory: HyperLogLog (Flajolet, Fusy, Gandouet & Meunier, 2007).
//!
//! The value's canonical bytes are hashed to 64 bits. Up to [`FEW`] different hashes are kept and counted as they are. Beyond
//! that the first 12 bits choose one of 4,096 registers, which remembers the longest run of zeros that it saw in the rest;
//! the estimate is Ertl's (*New cardinality estimation algorithms for HyperLogLog sketches*, 2017), which needs no tables
//! and has no bias to speak of at any count. Its standard error is 1.04 / √4096 = 1.6 %. The state depends on the set of
//! values alone, not on their order or how they were merged.

use super::distinct::key_of;
use crate::model::{DecodeError, Reader, Value, Writer};

/// As many hashes as take the room of the registers.
pub(super) const FEW: usize = 512;
const INDEX_BITS: u32 = 12;
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;
/// The longest run that fits the other bits, and one more for all zeros.
pub(super) const LONGEST: usize = 64 - INDEX_BITS as usize + 1;

/// A sketch of a set.
#[derive(Clone, Debug)]
pub(super) enum ApproxDistinct {
    /// At most [`FEW`] hashes, ascending.
    Few(Vec<u64>),
    /// The registers.
    Many(Box<[u8; REGISTERS]>),
}

impl Default for ApproxDistinct {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl ApproxDistinct {
    pub(super) fn add(&mut self, value: &Value) {
        self.insert(key_of(value).hash64());
    }

    fn insert(&mut self, hash: u64) {
        match self {
            Self::Few(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return };
                if hashes.len() < FEW {
                    hashes.insert(at, hash);
                    return;
                }
                let mut registers = Box::new([0; REGISTERS]);
                hashes.iter().chain([&hash]).for_each(|&hash| observe(&mut registers, hash));
                *self = Self::Many(registers);
            }
            Self::Many(registers) => observe(registers, hash),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(hashes)) => hashes.iter().for_each(|&hash| self.insert(hash)),
            (Self::Many(registers), Self::Many(others)) => {
                registers.iter_mut().zip(others.iter()).for_each(|(own, other)| *own = (*own).max(*other));
            }
            (Self::Few(hashes), Self::Many(others)) => {
                let mut registers = others.clone();
                hashes.iter().for_each(|&hash| observe(&mut registers, hash));
                *self = Self::Many(registers);
            }
        }
    }

    pub(super) fn result(&self) -> Value {
        Value::Int(match self {
            Self::Few(hashes) => hashes.len() as i64,
            Self::Many(registers) => estimate(registers).round() as i64,
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Many(_) => REGISTERS,
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        match self {
            Self::Few(hashes) => {
                writer.bool(false);
                writer.len(hashes.len());
                hashes.iter().for_each(|&hash| writer.i64(hash as i64));
            }
            Self::Many(registers) => {
                writer.bool(true);
                registers.iter().for_each(|&register| writer.u8(register));
            }
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !reader.bool()? {
            let mut few = Self::default();
            for _ in 0..reader.len()? {
                few.insert(reader.i64()? as u64);
            }
            return Ok(few);
        }
        let mut registers = Box::new([0; REGISTERS]);
        for register in registers.iter_mut() {
            *register = reader.u8()?;
            if usize::from(*register) > LONGEST {
                return Err(DecodeError::Unexpected { found: u64::from(*register), expected: "a run of zeros" });
            }
        }
        Ok(Self::Many(registers))
    }
}

fn observe(registers: &mut [u8; REGISTERS], hash: u64) {
    let (at, run) = place_of(hash);
    if let Some(register) = registers.get_mut(at) {
        *register = (*register).max(run);
    }
}

/// A hash's register, and its run of zeros and one more.
pub(super) fn place_of(hash: u64) -> (usize, u8) {
    // At most 53: the bits shifted in are ones, so that a run ends there.
    let rest = hash << INDEX_BITS | (1 << INDEX_BITS >> 1);
    let run = rest.leading_zeros().min(LONGEST as u32 - 1) as u8 + 1;
    ((hash >> (64 - INDEX_BITS)) as usize, run)
}

/// How many registers hold each run, 0 where they hold none.
pub(super) type Runs = [u32; LONGEST + 1];

fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut having: Runs = [0; LONGEST + 1];
    for &register in registers {
        if let Some(count) = having.get_mut(usize::from(register)) {
            *count += 1;
        }
    }
    estimate_of(&having)
}

/// Ertl's improved estimator, from how many registers hold each run.
pub(super) fn estimate_of(having: &Runs) -> f64 {
    let all = REGISTERS as f64;
    let share = |count: Option<&u32>| f64::from(count.copied().unwrap_or(0)) / all;
    let mut sum = all * tau(1.0 - share(having.last()));
    for &count in having.iter().take(LONGEST).skip(1).rev() {
        sum = 0.5 * (sum + f64::from(count));
    }
    sum += all * sigma(share(having.first()));
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// x + Σ x^(2^k) · 2^(k−1) for k from 1: what registers without a value add. 0 ≤ x < 1, since a sketch of no values has none.
fn sigma(mut x: f64) -> f64 {
    let (mut sum, mut weight) = (x, 1.0);
    // The terms fall faster than any power, so this ends once the sum stands still; 64 are more than it takes.
    for _ in 0..64 {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            break;
        }
    }
    sum
}

/// (1 − x − Σ (1 − x^(2^−k))² · 2^−k) / 3 for k from 1: what registers past counting add.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut sum, mut weight) = (1.0 - x, 1.0);
    for _ in 0..64 {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum == before {
            break;
        }
    }
    sum / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = i64>) -> ApproxDistinct {
        let mut sketch = ApproxDistinct::default();
        values.for_each(|value| sketch.add(&Value::Int(value)));
        sketch
    }

    fn count(sketch: &ApproxDistinct) -> f64 {
        sketch.result().number().unwrap()
    }

    #[test]
    fn a_few_are_counted_exactly_and_many_to_within_a_few_standard_errors() {
        assert_eq!(count(&of((0..512).chain(0..512))), 512.0);
        let mut worst = 0.0f64;
        for n in [513, 1_000, 5_000, 10_000, 20_000, 100_000, 500_000] {
            for start in [0, 1_000_000, 7_000_000] {
                let error = count(&of(start..start + n)) / n as f64 - 1.0;
                worst = worst.max(error.abs());
            }
        }
        assert!(worst < 4.0 * 0.01625, "{worst}");
        let mean: f64 =
            (0..40).map(|run| count(&of(run * 30_000..(run + 1) * 30_000)) / 30_000.0 - 1.0).sum::<f64>() / 40.0;
        assert!(mean.abs() < 3.0 * 0.01625 / 40f64.sqrt(), "biased by {mean}");
    }

    #[test]
    fn a_sketch_depends_on_the_set_alone() {
        let bytes = |sketch: &ApproxDistinct| {
            let mut writer = Writer::new();
            sketch.save(&mut writer);
            writer.into_bytes()
        };
        for n in [10, 500, 700, 5_000] {
            let whole = of(0..n);
            for cut in [0, 3, n / 2, n] {
                let mut merged = of((cut..n).rev());
                merged.merge(&of(0..cut));
                assert_eq!(bytes(&whole), bytes(&merged), "{n} {cut}");
            }
        }
    }
}
