//! The first and the last value, in the order in which they come.

use crate::model::{DecodeError, Reader, Value, Writer};

/// The first value; null before it.
#[derive(Clone, Debug, Default)]
pub(super) struct First(Value);

/// The last value; null before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Last(Value);

impl First {
    #[inline]
    pub(super) fn add(&mut self, value: &Value) {
        if self.0.is_null() {
            self.0 = value.clone();
        }
    }
}

impl Last {
    #[inline]
    pub(super) fn add(&mut self, value: &Value) {
        if !value.is_null() {
            self.0 = value.clone();
        }
    }
}

macro_rules! edge {
    ($name:ident) => {
        impl $name {
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

edge!(First);
edge!(Last);
