//! Instants.

use super::{Function, Param, Returns};
use crate::model::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
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
    },
    Function {
        name: "milliseconds",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Duration),
        doc: "The span of that many milliseconds, rounded to a whole number of them.",
        example: ("milliseconds(90000)", "90 s"),
        eval: |args| match args {
            [Value::Int(ms)] => Value::Duration(*ms),
            [Value::Float(ms)] => {
                let rounded = ms.round();
                // 2^63 is exact as a float; below it the cast is exact too.
                if rounded.abs() < 9.223_372_036_854_776e18 { Value::Duration(rounded as i64) } else { Value::Null }
            }
            _ => Value::Null,
        },
    },
    Function {
        name: "hour",
        params: &[Param::Is(Type::Time)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "The hour of the day in UTC, 0 to 23.",
        example: ("hour(TIME '2026-01-01T13:59:00Z')", "13"),
        eval: |args| match args {
            [Value::Time(at)] => Value::Int(at.rem_euclid(86_400_000) / 3_600_000),
            _ => Value::Null,
        },
    },
    Function {
        name: "weekday",
        params: &[Param::Is(Type::Time)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "The day of the week in UTC as in ISO 8601: 1 is Monday, 7 Sunday.",
        example: ("weekday(TIME '2026-01-01T13:59:00Z')", "4"),
        eval: |args| match args {
            // 1970-01-01 was a Thursday.
            [Value::Time(at)] => Value::Int((at.div_euclid(86_400_000) + 3).rem_euclid(7) + 1),
            _ => Value::Null,
        },
    },
];
