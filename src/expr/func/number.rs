//! Numbers.

use super::{Function, Param, Returns};
use crate::model::{Type, Value};
use std::cmp::Ordering;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "abs",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::LikeFirst,
        doc: "The number without its sign.",
        example: ("abs(-3)", "3"),
        eval: |args| match args {
            [Value::Int(x)] => x.checked_abs().into(),
            [Value::Float(x)] => Value::Float(x.abs()),
            _ => Value::Null,
        },
    },
    Function {
        name: "round",
        params: &[Param::Number, Param::Is(Type::Int)],
        optional: 1,
        variadic: false,
        returns: Returns::LikeFirst,
        doc: "The number rounded to so many decimals (0 if left out), half away from zero.",
        example: ("round(2.345, 1)", "2.3"),
        eval: |args| match args {
            [Value::Int(x), ..] => Value::Int(*x),
            [Value::Float(x)] => x.round().into(),
            [Value::Float(x), Value::Int(digits)] => {
                let scale = 10f64.powi((*digits).clamp(-15, 15) as i32);
                ((x * scale).round() / scale).into()
            }
            _ => Value::Null,
        },
    },
    Function {
        name: "floor",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::LikeFirst,
        doc: "The largest whole number that is not larger.",
        example: ("floor(-2.5)", "-3"),
        eval: |args| match args {
            [Value::Float(x)] => x.floor().into(),
            [Value::Int(x)] => Value::Int(*x),
            _ => Value::Null,
        },
    },
    Function {
        name: "ceil",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::LikeFirst,
        doc: "The smallest whole number that is not smaller.",
        example: ("ceil(2.1)", "3"),
        eval: |args| match args {
            [Value::Float(x)] => x.ceil().into(),
            [Value::Int(x)] => Value::Int(*x),
            _ => Value::Null,
        },
    },
    Function {
        name: "sqrt",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Float),
        doc: "The square root; of a negative number null.",
        example: ("sqrt(9)", "3"),
        eval: |args| args.first().and_then(Value::number).map(f64::sqrt).into(),
    },
    Function {
        name: "power",
        params: &[Param::Number, Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Float),
        doc: "The first number raised to the second; null where that is no real number.",
        example: ("power(2, 10)", "1024"),
        eval: |args| match args {
            [base, exponent] => match (base.number(), exponent.number()) {
                (Some(base), Some(exponent)) => base.powf(exponent).into(),
                _ => Value::Null,
            },
            _ => Value::Null,
        },
    },
    Function {
        name: "exp",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Float),
        doc: "Euler's number raised to the number.",
        example: ("exp(0)", "1"),
        eval: |args| args.first().and_then(Value::number).map(f64::exp).into(),
    },
    Function {
        name: "ln",
        params: &[Param::Number],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Float),
        doc: "The natural logarithm; null for 0 and below.",
        example: ("ln(1)", "0"),
        eval: |args| args.first().and_then(Value::number).map(f64::ln).into(),
    },
    Function {
        name: "least",
        params: &[Param::Same],
        optional: 0,
        variadic: true,
        returns: Returns::LikeFirst,
        doc: "The smallest argument that is not null.",
        example: ("least(3, 1, 2)", "1"),
        eval: |args| extreme(args, Ordering::Less),
    },
    Function {
        name: "greatest",
        params: &[Param::Same],
        optional: 0,
        variadic: true,
        returns: Returns::LikeFirst,
        doc: "The largest argument that is not null.",
        example: ("greatest(3, 1, 2)", "3"),
        eval: |args| extreme(args, Ordering::Greater),
    },
    Function {
        name: "coalesce",
        params: &[Param::Same],
        optional: 0,
        variadic: true,
        returns: Returns::LikeFirst,
        doc: "The first argument that is not null.",
        example: ("coalesce(NULL, 2)", "2"),
        eval: |args| args.iter().find(|value| !value.is_null()).cloned().unwrap_or_default(),
    },
];

fn extreme(args: &[Value], wanted: Ordering) -> Value {
    let mut found = Value::Null;
    for value in args.iter().filter(|value| !value.is_null()) {
        if found.is_null() || value.compare(&found) == Some(wanted) {
            found = value.clone();
        }
    }
    found
}
