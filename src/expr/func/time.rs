//! Instants.

use super::{Function, Param, Returns};
use crate::model::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "bucket",
    params: &[Param::Is(Type::Time), Param::Is(Type::Duration)],
    optional: 0,
    variadic: false,
    returns: Returns::Is(Type::Time),
    doc: "The start of the span of that length, counted from the epoch, which holds the instant.",
    example: ("bucket(TIME '2026-01-01T00:07:00Z', 5 min)", "TIME '2026-01-01T00:05:00Z'"),
    eval: |args| match args {
        [Value::Time(at), Value::Duration(size)] if *size > 0 => {
            at.checked_sub(at.rem_euclid(*size)).map_or(Value::Null, Value::Time)
        }
        _ => Value::Null,
    },
}];
