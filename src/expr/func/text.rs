//! Text.

use super::{Function, Param, Returns};
use crate::model::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "lower",
        params: &[Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Text),
        doc: "The text in lower case.",
        example: ("lower('AbC')", "'abc'"),
        eval: |args| match args {
            [Value::Text(text)] => Value::Text(text.to_lowercase().into()),
            _ => Value::Null,
        },
    },
    Function {
        name: "upper",
        params: &[Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Text),
        doc: "The text in upper case.",
        example: ("upper('AbC')", "'ABC'"),
        eval: |args| match args {
            [Value::Text(text)] => Value::Text(text.to_uppercase().into()),
            _ => Value::Null,
        },
    },
    Function {
        name: "trim",
        params: &[Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Text),
        doc: "The text without blanks at either end.",
        example: ("trim('  AbC ')", "'AbC'"),
        eval: |args| match args {
            [Value::Text(text)] => Value::text(text.trim()),
            _ => Value::Null,
        },
    },
    Function {
        name: "length",
        params: &[Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Int),
        doc: "How many characters (Unicode scalar values) the text has.",
        example: ("length('harbour')", "7"),
        eval: |args| match args {
            [Value::Text(text)] => Value::Int(text.chars().count() as i64),
            _ => Value::Null,
        },
    },
    Function {
        name: "concat",
        params: &[Param::Is(Type::Text)],
        optional: 0,
        variadic: true,
        returns: Returns::Is(Type::Text),
        doc: "The texts one after another; null if one is.",
        example: ("concat('har', 'bour')", "'harbour'"),
        eval: |args| {
            let mut whole = String::new();
            for arg in args {
                match arg {
                    Value::Text(text) => whole.push_str(text),
                    _ => return Value::Null,
                }
            }
            Value::Text(whole.into())
        },
    },
    Function {
        name: "starts_with",
        params: &[Param::Is(Type::Text), Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Bool),
        doc: "Whether the first text begins with the second.",
        example: ("starts_with('harbour', 'har')", "TRUE"),
        eval: |args| both(args, |text, part| text.starts_with(part)),
    },
    Function {
        name: "ends_with",
        params: &[Param::Is(Type::Text), Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Bool),
        doc: "Whether the first text ends with the second.",
        example: ("ends_with('harbour', 'our')", "TRUE"),
        eval: |args| both(args, |text, part| text.ends_with(part)),
    },
    Function {
        name: "contains",
        params: &[Param::Is(Type::Text), Param::Is(Type::Text)],
        optional: 0,
        variadic: false,
        returns: Returns::Is(Type::Bool),
        doc: "Whether the second text occurs in the first.",
        example: ("contains('harbour', 'arbo')", "TRUE"),
        eval: |args| both(args, |text, part| text.contains(part)),
    },
];

fn both(args: &[Value], test: fn(&str, &str) -> bool) -> Value {
    match args {
        [Value::Text(text), Value::Text(part)] => Value::Bool(test(text, part)),
        _ => Value::Null,
    }
}
