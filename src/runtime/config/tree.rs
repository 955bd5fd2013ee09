//! The YAML tree before it is typed: reading it, and `--set a.b.c=value` on it.

use super::ConfigError;
use crate::wire::yaml::{self, YamlError};
use serde_yaml::{Mapping, Value};

/// The tree of a text; an empty one is an empty mapping.
pub(super) fn parse(text: &str) -> Result<Value, ConfigError> {
    let tree: Value = yaml::parse(text).map_err(|error| ConfigError::Yaml(said(&error)))?;
    Ok(if tree.is_null() { Value::Mapping(Mapping::new()) } else { tree })
}

fn said(error: &YamlError) -> String {
    match error.place {
        Some((line, column)) => format!("line {line}, column {column}: {}", error.message),
        None => error.message.clone(),
    }
}

/// Sets one place, making the mappings on the way to it. The value is read as YAML, so that `false`, `3` and `[a, b]` are
/// what they look like. A number in the path is a place in a list where there is one.
pub(super) fn set(tree: &mut Value, text: &str) -> Result<(), ConfigError> {
    let wrong = |why: &str| ConfigError::Override { text: text.to_owned(), why: why.to_owned() };
    let (path, value) = text.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE"))?;
    let value: Value = yaml::parse(value).map_err(|error| wrong(&error.message))?;
    let mut at = tree;
    for key in path.split('.') {
        if key.is_empty() {
            return Err(wrong("a key is empty"));
        }
        if at.is_null() {
            *at = Value::Mapping(Mapping::new());
        }
        at = match at {
            Value::Mapping(map) => map.entry(Value::String(key.to_owned())).or_insert(Value::Null),
            Value::Sequence(items) => {
                let length = items.len();
                let item = key.parse::<usize>().ok().and_then(|at| items.get_mut(at));
                item.ok_or_else(|| wrong(&format!("`{key}` is no place in a list of {length}")))?
            }
            // A plain value such as `time: ts` gives way to a mapping.
            other => {
                *other = Value::Mapping(Mapping::new());
                let Value::Mapping(map) = other else { return Err(wrong("no mapping")) };
                map.entry(Value::String(key.to_owned())).or_insert(Value::Null)
            }
        };
    }
    *at = value;
    Ok(())
}
