//! A place in the YAML tree that knows its path, so that each message can say where it is about.

use super::{ConfigError, span};
use serde_yaml::{Mapping, Value};
use std::collections::BTreeSet;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    pub(super) fn child(&self, key: &str, value: &'a Value) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, value }
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_string()
    }

    pub(super) fn is_mapping(&self) -> bool {
        self.value.is_mapping()
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The value is not what is expected here.
    pub(super) fn wrong(&self, expected: impl Into<String>) -> ConfigError {
        let found = match self.value {
            Value::Null => "empty".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(value) => format!("`{value}`"),
            Value::String(value) => format!("`{value}`"),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Tagged(_) => "a tagged value".to_owned(),
        };
        let path = if self.path.is_empty() { "the file".to_owned() } else { self.path.clone() };
        ConfigError::Value { path, found, expected: expected.into() }
    }

    /// As a mapping; nothing at all is an empty one.
    pub(super) fn fields(&self) -> Result<Fields<'a>, ConfigError> {
        match self.value {
            Value::Mapping(map) => Ok(Fields { node: self.clone(), map: Some(map), known: BTreeSet::new() }),
            Value::Null => Ok(Fields { node: self.clone(), map: None, known: BTreeSet::new() }),
            _ => Err(self.wrong("a mapping")),
        }
    }

    /// The members of a mapping whose keys are names that the user chose.
    pub(super) fn named(&self) -> Result<Vec<(String, Node<'a>)>, ConfigError> {
        let map = match self.value {
            Value::Mapping(map) => map,
            Value::Null => return Ok(Vec::new()),
            _ => return Err(self.wrong("a mapping of names")),
        };
        map.iter()
            .map(|(key, value)| match key.as_str() {
                Some(name) if !name.is_empty() => Ok((name.to_owned(), self.child(name, value))),
                _ => Err(self.wrong("a mapping whose keys are texts")),
            })
            .collect()
    }

    /// The items of a list; a single value is a list of one, nothing an empty one.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        match self.value {
            Value::Sequence(items) => {
                items.iter().enumerate().map(|(at, value)| self.child(&at.to_string(), value)).collect()
            }
            Value::Null => Vec::new(),
            _ => vec![self.clone()],
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.wrong("a text"))
    }

    /// A text that isn't empty.
    pub(super) fn name(&self) -> Result<&'a str, ConfigError> {
        self.text().and_then(|text| if text.is_empty() { Err(self.wrong("a text that isn't empty")) } else { Ok(text) })
    }

    /// A text, number or flag, as text.
    pub(super) fn scalar(&self) -> Result<String, ConfigError> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(self.wrong("a text, number or flag")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong("`true` or `false`"))
    }

    /// A whole number in a range.
    pub(super) fn number(&self, low: u64, high: u64) -> Result<u64, ConfigError> {
        let number = self.value.as_u64().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| self.wrong(format!("a whole number from {low} to {high}")))
    }

    /// A span that isn't negative, in milliseconds.
    pub(super) fn span_ms(&self) -> Result<i64, ConfigError> {
        let expected = "a duration such as `250 ms`, `10 s`, `5 min`, `2 h` or `1 d`";
        match self.value {
            Value::String(text) => span::parse_span_ms(text).ok_or_else(|| self.wrong(expected)),
            // Zero is zero in any unit.
            Value::Number(number) if number.as_u64() == Some(0) => Ok(0),
            _ => Err(self.wrong(expected)),
        }
    }

    /// A size in bytes.
    pub(super) fn bytes(&self) -> Result<u64, ConfigError> {
        let expected = "a size such as `64 KiB`, `100 MB` or a number of bytes";
        match self.value {
            Value::String(text) => span::parse_bytes(text).ok_or_else(|| self.wrong(expected)),
            _ => self.value.as_u64().ok_or_else(|| self.wrong(expected)),
        }
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let expected = || self.wrong(format!("one of {}", names.join(", ")));
        let text = self.value.as_str().ok_or_else(expected)?;
        choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(expected)
    }
}

/// A mapping whose keys are known: each is asked for once, and what is left is an error.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    node: Node<'a>,
    map: Option<&'a Mapping>,
    known: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value under a key; null counts as absent unless the key alone says something (`stdin:`).
    pub(super) fn get(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.given(key).filter(|node| !node.is_null())
    }

    /// The value under a key, even if it is null.
    pub(super) fn given(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.insert(key);
        self.map?.get(key).map(|value| self.node.child(key, value))
    }

    /// The value under a key that has to be there.
    pub(super) fn need(&mut self, key: &'static str) -> Result<Node<'a>, ConfigError> {
        let path = if self.node.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.node.path) };
        self.get(key).ok_or(ConfigError::Missing { path })
    }

    /// All keys were asked for: what else is there is an error.
    pub(super) fn done(self) -> Result<(), ConfigError> {
        for (key, value) in self.map.into_iter().flatten() {
            let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
            if !self.known.contains(name.as_str()) {
                let path = self.node.child(&name, value).path;
                return Err(ConfigError::UnknownKey { path, nearest: nearest(&name, self.known.iter().copied()) });
            }
        }
        Ok(())
    }
}

/// The candidate most like a word, if it is like it at all.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let close = |candidate: &&str| strsim::damerau_levenshtein(word, candidate) <= 1 + word.chars().count() / 3;
    candidates.filter(close).min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate)).map(str::to_owned)
}
