//! Seeded random numbers that can be drawn in any order.
//!
//! The algorithm is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) read as a
//! function of a counter: draw `n` of a generator with key `k` is `mix(k + (n + 1) · γ)` modulo 2^64 with
//! γ = 0x9e3779b97f4a7c15 and `mix` the xor-shift-multiply finaliser of that paper's Java class. With key `k` it is the
//! sequence of SplitMix64 seeded with `k`. A generator's key is made from the seed, a label (FNV-1a, 64 bits) and a
//! number, mixed in that order, so that every mover has numbers of its own, whoever else exists.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// A counter-based generator of random numbers.
#[derive(Debug, Clone)]
pub struct Draw {
    key: u64,
    next: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 53 of the 64 bits as a float in `[0, 1)`, exactly.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

impl Draw {
    /// The generator of the mover `number` among those with this `label`.
    #[must_use]
    pub fn new(seed: u64, label: &str, number: u64) -> Self {
        let label = label.bytes().fold(FNV_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        let key = mix(mix(mix(seed.wrapping_add(GAMMA)) ^ label).wrapping_add(number.wrapping_mul(GAMMA)));
        Self { key, next: 0 }
    }

    /// Draw number `n`, whatever was drawn before.
    #[must_use]
    pub fn at(&self, n: u64) -> u64 {
        mix(self.key.wrapping_add(n.wrapping_add(1).wrapping_mul(GAMMA)))
    }

    /// The next draw.
    pub fn bits(&mut self) -> u64 {
        let bits = self.at(self.next);
        self.next = self.next.wrapping_add(1);
        bits
    }

    /// A whole number in `[0, bound)`, by multiply-shift; 0 for a bound of 0. The bias is under `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.bits(), bound)
    }

    /// A whole number in `[0, bound)` from draw number `n`.
    #[must_use]
    pub fn below_at(&self, n: u64, bound: u64) -> u64 {
        scale(self.at(n), bound)
    }

    /// A float in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(self.bits())
    }

    /// A float in `[low, high)` from draw number `n`.
    #[must_use]
    pub fn between_at(&self, n: u64, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(self.at(n))
    }
}

fn scale(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_splitmix64() {
        let mut draw = Draw { key: 1_234_567, next: 0 };
        let got = [draw.bits(), draw.bits(), draw.bits(), draw.bits(), draw.bits()];
        let known = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(got, known);
    }

    #[test]
    fn a_draw_does_not_depend_on_those_before_it() {
        let mut a = Draw::new(42, "x", 7);
        let b = a.clone();
        for n in 0..100 {
            assert_eq!(a.bits(), b.at(n));
        }
    }

    #[test]
    fn seed_label_and_number_each_matter() {
        let base = Draw::new(1, "a", 1).at(0);
        assert_ne!(base, Draw::new(2, "a", 1).at(0));
        assert_ne!(base, Draw::new(1, "b", 1).at(0));
        assert_ne!(base, Draw::new(1, "a", 2).at(0));
    }

    #[test]
    fn bounded_draws_fill_their_range_evenly() {
        let mut draw = Draw::new(3, "range", 0);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[draw.below(10) as usize] += 1;
            let f = draw.between(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&f));
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(draw.below(0), 0);
    }
}
