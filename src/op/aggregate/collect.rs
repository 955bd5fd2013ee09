//! The different values as a list, in the order of their canonical bytes: numbers and times ascend, texts are in the order of their bytes.

use super::distinct::Distinct;
use crate::model::{DecodeError, Key, Reader, Value, Writer};
use std::sync::Arc;

/// A set of values.
#[derive(Clone, Debug, Default)]
pub(super) struct Collect(Distinct);

impl Collect {
    pub(super) fn add(&mut self, value: &Value) {
        self.0.add(value);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// Calls with every value, in an order that must be of no account.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Key)) {
        self.0.each(visit);
    }

    /// A list; of no values an empty one.
    pub(super) fn result(&self) -> Value {
        Value::List(Arc::new(self.0.sorted().into_iter().flat_map(|key| key.values()).collect()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.0.save(writer);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Distinct::load(reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_come_once_and_in_order() {
        let mut collect = Collect::default();
        (0..100).for_each(|i| collect.add(&Value::Int(i * 7 % 20 - 10)));
        let expected: Vec<Value> = (-10..10).map(Value::Int).collect();
        assert_eq!(collect.result(), Value::List(Arc::new(expected)));
        assert_eq!(Collect::default().result(), Value::List(Arc::new(vec![])));
    }
}
