//! YAML text to values, within limits. The one module that knows which YAML library is used.
//!
//! Not a writer, and no places of values: who needs those scans the text (the rule files do).
//! Aliases are counted as what they stand for, so that a short text can't unfold into a large one.
//! Cost: linear in the text and in what its aliases unfold to, which [`NODES_MAX`] and [`EXPANDED_MAX_BYTES`] bound.

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The longest text, in bytes.
pub const TEXT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The deepest nesting of lists and maps.
pub const DEPTH_MAX: u32 = 32;
/// The most values, aliases counted as what they stand for.
pub const NODES_MAX: u32 = 200_000;
/// The most bytes of texts, aliases counted as what they stand for.
pub const EXPANDED_MAX_BYTES: usize = 8 * 1024 * 1024;

/// A YAML value. Keys of maps are texts, in the order written; a key given twice is there twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Yaml>),
    /// A map.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// What it is, for messages: "a text", "a list".
    #[must_use]
    pub fn shape(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Why a text is no YAML that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong, in plain words.
    pub message: String,
    /// Line and column, both from 1, where they are known.
    pub place: Option<(usize, usize)>,
}

/// Reads a text into values.
///
/// # Errors
///
/// If the text is no YAML, holds more than one document, a tag, a key that is no text, or is beyond a limit.
pub fn parse_value(text: &str) -> Result<Yaml, YamlError> {
    check_size(text)?;
    if is_blank(text) {
        return Ok(Yaml::Null);
    }
    let spent = Spent::default();
    let deserializer = serde_yaml::Deserializer::from_str(text);
    Node { spent: &spent, depth: 0 }.deserialize(deserializer).map_err(|e| in_plain_words(&e))
}

/// Reads a text into a type, within the same limits.
///
/// # Errors
///
/// As [`parse_value`], and if the text doesn't fit the type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    // The limits first: the type's own reading knows none.
    parse_value(text)?;
    serde_yaml::from_str(text).map_err(|e| in_plain_words(&e))
}

/// The most brackets that may be open at once, quoted or not. The library's work on a token grows with them, before it says
/// anything to us.
const OPEN_BRACKETS_MAX: u32 = 500;

fn check_size(text: &str) -> Result<(), YamlError> {
    if text.len() > TEXT_MAX_BYTES {
        let message = format!("a file of {} bytes, beyond the limit of {TEXT_MAX_BYTES}", text.len());
        return Err(YamlError { message, place: None });
    }
    let mut open = 0u32;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > OPEN_BRACKETS_MAX {
            let message = format!("more than {OPEN_BRACKETS_MAX} open brackets, nested deeper than {DEPTH_MAX} levels");
            return Err(YamlError { message, place: None });
        }
    }
    Ok(())
}

/// Whether there is nothing but blanks and comments, for which the library has an error of its own.
fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#'))
}

/// What was read so far.
#[derive(Default)]
struct Spent {
    nodes: Cell<u32>,
    bytes: Cell<usize>,
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Node<'a> {
    spent: &'a Spent,
    depth: u32,
}

impl Node<'_> {
    fn spend<E: de::Error>(self, bytes: usize) -> Result<(), E> {
        let (nodes, bytes) = (self.spent.nodes.get().saturating_add(1), self.spent.bytes.get().saturating_add(bytes));
        self.spent.nodes.set(nodes);
        self.spent.bytes.set(bytes);
        if nodes > NODES_MAX {
            return Err(E::custom(format_args!(
                "more than {NODES_MAX} values, aliases counted as what they stand for"
            )));
        }
        if bytes > EXPANDED_MAX_BYTES {
            return Err(E::custom(format_args!(
                "more than {EXPANDED_MAX_BYTES} bytes of text, aliases counted as what they stand for"
            )));
        }
        Ok(())
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Yaml;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Yaml, E> {
        self.spend(0)?;
        Ok(Yaml::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Yaml, E> {
        self.spend(0)?;
        Ok(Yaml::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Yaml, E> {
        self.spend(0)?;
        Ok(Yaml::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Yaml, E> {
        self.spend(0)?;
        Ok(i64::try_from(value).map_or(Yaml::Float(value as f64), Yaml::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Yaml, E> {
        self.spend(0)?;
        Ok(Yaml::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Yaml, E> {
        self.spend(value.len())?;
        Ok(Yaml::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Yaml, A::Error> {
        self.spend(0)?;
        let inside = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element_seed(inside)? {
            entries.push(entry);
        }
        Ok(Yaml::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        self.spend(0)?;
        let inside = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(inside)? {
            let Yaml::Text(key) = key else {
                return Err(de::Error::custom(format_args!("a key that is {}; keys are texts", key.shape())));
            };
            entries.push((key, map.next_value_seed(inside)?));
        }
        Ok(Yaml::Map(entries))
    }
}

/// What the library says, and what a person who edits a file needs to hear.
const PLAIN_WORDS: &[(&str, &str)] = &[
    (
        "mapping values are not allowed in this context",
        "a colon where no key can stand: the indentation is off, or a text with `: ` in it needs quotes",
    ),
    (
        "did not find expected key",
        "a key was expected here: the indentation is off, or a text with strange characters needs quotes",
    ),
    ("could not find expected ':'", "a colon after a key is missing, or the indentation is off"),
    ("found a tab character that violates indentation", "a tab in the indentation: use spaces"),
    (
        "found character that cannot start any token",
        "a character that no value begins with: a tab in the indentation, or `@`, a back-tick or `%` without quotes",
    ),
    ("did not find expected '-' indicator", "a list entry was expected here: the indentation is off"),
    ("did not find expected ',' or ']'", "a list in brackets isn't closed, or a comma is missing"),
    ("did not find expected ',' or '}'", "a map in braces isn't closed, or a comma is missing"),
    ("found unexpected end of stream", "the file ends inside of a quoted text or a bracket"),
    ("deserializing from YAML containing more than one document", "more than one document in the file"),
    ("more than one document", "more than one document in the file"),
    ("control characters are not allowed", "a control character in the file"),
    ("found undefined escape", "an escape that YAML doesn't know"),
    ("unknown anchor", "an alias without its anchor"),
    ("repetition limit exceeded", "aliases that unfold to too much"),
    ("recursion limit exceeded", "nested too deep"),
    ("invalid type: enum", "a tag; tags are not used here"),
];

fn in_plain_words(error: &serde_yaml::Error) -> YamlError {
    let said = error.to_string();
    let place = error.location().map(|l| (l.line(), l.column()));
    let known = PLAIN_WORDS.iter().find(|(theirs, _)| said.contains(theirs));
    let message = match known {
        Some((_, ours)) => (*ours).to_owned(),
        // The place is told apart.
        None => said.split(" at line ").next().unwrap_or_default().to_owned(),
    };
    YamlError { message, place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse_value(text).expect_err("an error").message
    }

    #[test]
    fn values_keep_their_shape_and_order() {
        let value = parse_value("b: [1, 2.5, x, true, ~]\na: {k: 'v'}\n").unwrap();
        let list = vec![Yaml::Int(1), Yaml::Float(2.5), Yaml::Text("x".into()), Yaml::Bool(true), Yaml::Null];
        let map = vec![("k".to_owned(), Yaml::Text("v".into()))];
        assert_eq!(value, Yaml::Map(vec![("b".into(), Yaml::List(list)), ("a".into(), Yaml::Map(map))]));
        assert_eq!(parse_value("# nothing\n\n").unwrap(), Yaml::Null);
    }

    #[test]
    fn a_key_given_twice_is_there_twice() {
        let Yaml::Map(entries) = parse_value("a: 1\na: 2\n").unwrap() else { panic!("a map") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn anchors_on_scalars_are_fine() {
        let value = parse_value("a: &x 5\nb: *x\n").unwrap();
        assert_eq!(value, Yaml::Map(vec![("a".into(), Yaml::Int(5)), ("b".into(), Yaml::Int(5))]));
    }

    #[test]
    fn aliases_that_unfold_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        let said = message(&text);
        assert!(said.contains("values, aliases") || said.contains("unfold"), "{said}");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert!(message(&format!("{}{}", "[".repeat(40), "]".repeat(40))).contains("nested deeper than 32"));
        // Half a minute, if the library got to see it.
        assert!(message(&"[".repeat(100_000)).contains("more than 500 open brackets"));
        assert!(parse_value(&format!("a: '{}'", "[]".repeat(100_000))).is_ok());
        assert!(message(&"[".repeat(10_000)).contains("nested"));
        assert!(message(&" ".repeat(TEXT_MAX_BYTES + 1)).contains("beyond the limit"));
    }

    #[test]
    fn mistakes_have_a_place_and_plain_words() {
        for (text, words, line) in [
            ("a: 1\n b: 2\n", "a colon where no key can stand", 2),
            ("a:\n  - x\n b\n", "", 3),
            ("a: {b: 1\nc: 2\n", "isn't closed", 2),
            ("a: @x\n", "a character that no value begins with", 1),
            ("a: !tag x\n", "tags are not used", 1),
            ("1: x\n", "keys are texts", 1),
            ("a: 1\n---\nb: 2\n", "more than one document", 0),
        ] {
            let error = parse_value(text).expect_err(text);
            assert!(error.message.contains(words), "{text}: {error:?}");
            assert_eq!(error.place.map_or(0, |p| p.0), line, "{text}: {error:?}");
        }
    }

    #[test]
    fn a_type_is_read_within_the_same_limits() {
        assert_eq!(parse::<Vec<u8>>("[1, 2]").unwrap(), [1, 2]);
        assert!(parse::<Vec<u8>>("[300]").is_err());
    }
}
