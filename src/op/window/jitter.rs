//! Jitter: each key's windows are shifted by its own offset, so that windows of different keys close at different times and
//! the load is flat.
//!
//! # The frozen layout
//!
//! ```text
//!  bytes  = window name, UTF-8 │ 0x00 │ canonical bytes of the key          (the rule's name, never a version)
//!  hash   = xxh3-64 of bytes, with the run's seed
//!  places = ceil(percent · size / 100), in doubles, at least 1 and at most size
//!  offset = (hash · places) >> 64, in 128 bits                               (0 … places − 1 milliseconds)
//! ```
//!
//! With `JITTER … BY` the key's bytes are those of a key with that one value. The layout is frozen: a checkpoint does not
//! hold what can be computed again, a replay and another shard have to agree, and people plan around when a key closes.
//! Test vectors are below.

use crate::model::{Key, TimeMs};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Draws offsets for the keys of one window clause.
#[derive(Clone, Debug)]
pub struct Stagger {
    /// The window's name and the zero after it.
    prefix: SmallVec<[u8; 32]>,
    seed: u64,
    places: u64,
}

impl Stagger {
    /// Offsets in `[0, percent / 100 · size_ms)` for the window of this name. `percent` is more than 0 and at most 100;
    /// `None` otherwise, or where the size is not positive.
    pub fn new(name: &str, seed: u64, percent: f64, size_ms: TimeMs) -> Option<Self> {
        if !(percent > 0.0 && percent <= 100.0 && size_ms > 0) {
            return None;
        }
        let mut prefix = SmallVec::from_slice(name.as_bytes());
        prefix.push(0);
        // A cast from a double saturates, so sizes past 53 bits stay in range too.
        let places = ((percent * size_ms as f64 / 100.0).ceil() as u64).clamp(1, size_ms as u64);
        Some(Self { prefix, seed, places })
    }

    /// The offset of a key, or with BY of the key that holds only its value.
    pub fn offset_ms(&self, key: &Key) -> TimeMs {
        let mut bytes: SmallVec<[u8; 96]> = SmallVec::from_slice(&self.prefix);
        bytes.extend_from_slice(key.as_bytes());
        let hash = xxh3_64_with_seed(&bytes, self.seed);
        // Less than `places`, which came from a positive i64.
        ((u128::from(hash) * u128::from(self.places)) >> 64) as TimeMs
    }

    /// How many different offsets there are, in milliseconds from 0.
    pub fn places_ms(&self) -> u64 {
        self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn the_layout_is_frozen() {
        let key = Key::new(&[Value::text("v1")]);
        let bytes = [&b"cells\0"[..], &[4, b'v', b'1', 0, 0]].concat();
        let hash = xxh3_64_with_seed(&bytes, 7);
        let stagger = Stagger::new("cells", 7, 100.0, 300_000).unwrap();
        assert_eq!(stagger.offset_ms(&key), ((u128::from(hash) * 300_000) >> 64) as i64);
        for (name, seed, percent, value, expected) in VECTORS {
            let stagger = Stagger::new(name, seed, percent, 300_000).unwrap();
            assert_eq!(
                stagger.offset_ms(&Key::new(&[Value::text(value)])),
                expected,
                "{name} {seed} {percent} {value}"
            );
        }
    }

    /// Window name, seed, percent, key of one text, offset in ms of a 5-minute window.
    const VECTORS: [(&str, u64, f64, &str, TimeMs); 6] = [
        ("cells", 0, 100.0, "v1", 180_513),
        ("cells", 0, 50.0, "v1", 90_256),
        ("cells", 7, 100.0, "v1", 175_536),
        ("surge", 0, 100.0, "v1", 97_376),
        ("cells", 0, 100.0, "", 143_382),
        ("cells", 0, 100.0, "a longer key, past the inline bytes", 102_497),
    ];

    #[test]
    fn a_share_of_the_size_rounds_up_and_never_past_it() {
        assert_eq!(Stagger::new("w", 0, 10.0, 300_000).unwrap().places_ms(), 30_000);
        assert_eq!(Stagger::new("w", 0, 0.001, 10).unwrap().places_ms(), 1);
        assert_eq!(Stagger::new("w", 0, 100.0, i64::MAX).unwrap().places_ms(), i64::MAX as u64);
        assert!(Stagger::new("w", 0, 100.1, 10).is_none() && Stagger::new("w", 0, f64::NAN, 10).is_none());
    }
}
