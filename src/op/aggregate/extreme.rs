//! The smallest and the largest value. Of equal ones the first is kept.

use crate::model::{DecodeError, Key, Reader, Value, Writer};
use std::cmp::Ordering;

/// The smallest value; null before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Min(Value);

/// The largest value; null before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Max(Value);

/// Values of unlike kinds (a field that nobody declared) compare by their canonical bytes, so that the order in which they
/// come is of no account.
fn order(a: &Value, b: &Value) -> Ordering {
    a.compare(b).unwrap_or_else(|| Key::new([a]).cmp(&Key::new([b])))
}

macro_rules! extreme {
    ($name:ident, $wins:ident) => {
        impl $name {
            #[inline]
            pub(super) fn add(&mut self, value: &Value) {
                if self.0.is_null() || (!value.is_null() && order(value, &self.0).$wins()) {
                    self.0 = value.clone();
                }
            }

            pub(super) fn merge(&mut self, other: &Self) {
                self.add(&other.0);
            }

            pub(super) fn result(&self) -> Value {
                self.0.clone()
            }

            pub(super) fn heap_bytes(&self) -> usize {
                self.0.heap_bytes()
            }

            pub(super) fn save(&self, writer: &mut Writer) {
                writer.value(&self.0);
            }

            pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.value().map(Self)
            }
        }
    };
}

extreme!(Min, is_lt);
extreme!(Max, is_gt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_unlike_kinds_have_one_smallest_in_any_order() {
        let values = [Value::text("a"), Value::Int(5), Value::Float(4.5), Value::Bool(true)];
        let min = |values: &mut dyn Iterator<Item = &Value>| {
            let mut min = Min::default();
            values.for_each(|value| min.add(value));
            min.result()
        };
        assert_eq!(min(&mut values.iter()), Value::Bool(true));
        assert_eq!(min(&mut values.iter().rev()), Value::Bool(true));
    }
}
