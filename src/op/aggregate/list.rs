//! The values as a list, in the order in which they come; of more than [`MOST`] the first ones.

use crate::model::{DecodeError, Reader, Value, Writer};
use std::sync::Arc;

/// The most values that a list holds.
pub(super) const MOST: usize = 1_000;

/// A list of values.
#[derive(Clone, Debug, Default)]
pub(super) struct List(Vec<Value>);

impl List {
    pub(super) fn add(&mut self, value: &Value) {
        if self.0.len() < MOST {
            self.0.push(value.clone());
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|value| self.add(value));
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.0
    }

    /// A list; of no values an empty one.
    pub(super) fn result(&self) -> Value {
        Value::List(Arc::new(self.0.clone()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Value>() + self.0.iter().map(Value::heap_bytes).sum::<usize>()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.len(self.0.len());
        self.0.iter().for_each(|value| writer.value(value));
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self::default();
        for _ in 0..reader.len()? {
            list.add(&reader.value()?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_order_and_of_too_many_the_first_stay() {
        let mut list = List::default();
        (0..600).for_each(|i| list.add(&Value::Int(i)));
        let mut more = List::default();
        (600..1_200).for_each(|i| more.add(&Value::Int(i)));
        list.merge(&more);
        assert_eq!(list.result(), Value::List(Arc::new((0..1_000).map(Value::Int).collect())));
    }
}
