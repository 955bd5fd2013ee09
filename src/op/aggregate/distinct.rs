//! How many different values, exactly. A few are a sorted list, many a hash set that is never walked but to be sorted.

use crate::model::{DecodeError, Key, Reader, Value, Writer};
use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;

/// Above so many a binary search with its moves costs more than a hash.
const FEW: usize = 16;

/// The different values, by their canonical bytes. A float that is a whole number is the same value as that int.
#[derive(Clone, Debug)]
pub(super) enum Distinct {
    /// At most [`FEW`], ascending.
    Few(Vec<Key>),
    /// More.
    Many(HashSet<Key, FxBuildHasher>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// Beyond this a double no longer tells neighbouring whole numbers apart.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What stands for a value among others: its canonical bytes.
pub(super) fn key_of(value: &Value) -> Key {
    match value {
        Value::Float(x) if x.fract() == 0.0 && x.abs() <= WHOLE_MAX => Key::new([&Value::Int(*x as i64)]),
        value => Key::new([value]),
    }
}

impl Distinct {
    pub(super) fn add(&mut self, value: &Value) {
        self.insert(key_of(value));
    }

    fn insert(&mut self, key: Key) {
        match self {
            Self::Few(keys) => {
                if let Err(at) = keys.binary_search(&key) {
                    if keys.len() < FEW {
                        keys.insert(at, key);
                    } else {
                        let mut set: HashSet<Key, FxBuildHasher> = keys.drain(..).collect();
                        set.insert(key);
                        *self = Self::Many(set);
                    }
                }
            }
            Self::Many(set) => {
                set.insert(key);
            }
        }
    }

    /// The values in order.
    pub(super) fn sorted(&self) -> Vec<&Key> {
        match self {
            Self::Few(keys) => keys.iter().collect(),
            Self::Many(set) => {
                let mut keys: Vec<&Key> = set.iter().collect();
                keys.sort_unstable();
                keys
            }
        }
    }

    /// Calls with every value, in an order that must be of no account.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Key)) {
        match self {
            Self::Few(keys) => keys.iter().for_each(visit),
            Self::Many(set) => set.iter().for_each(visit),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(keys) => keys.len(),
            Self::Many(set) => set.len(),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.sorted().into_iter().for_each(|key| self.insert(key.clone()));
    }

    pub(super) fn result(&self) -> Value {
        Value::Int(self.len() as i64)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(keys) => keys.capacity() * size_of::<Key>(),
            // A byte of control per place.
            Self::Many(set) => set.capacity() * (size_of::<Key>() + 1),
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.len(self.len());
        self.sorted().into_iter().for_each(|key| writer.key(key));
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut distinct = Self::default();
        for _ in 0..reader.len()? {
            distinct.insert(reader.key()?);
        }
        Ok(distinct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_float_is_the_int_and_minus_zero_is_zero() {
        let mut distinct = Distinct::default();
        for value in [Value::Int(1), Value::Float(1.0), Value::Float(0.0), Value::Float(-0.0), Value::Float(1.5)] {
            distinct.add(&value);
        }
        assert_eq!(distinct.result(), Value::Int(3));
    }

    #[test]
    fn many_are_counted_as_exactly_as_few_and_saved_in_order() {
        let mut ascending = Distinct::default();
        let mut descending = Distinct::default();
        for i in 0..5_000 {
            ascending.add(&Value::Int(i % 1_000));
            descending.add(&Value::Int(999 - i % 1_000));
        }
        assert_eq!(ascending.result(), Value::Int(1_000));
        let bytes = |distinct: &Distinct| {
            let mut writer = Writer::new();
            distinct.save(&mut writer);
            writer.into_bytes()
        };
        assert_eq!(bytes(&ascending), bytes(&descending));
    }
}
