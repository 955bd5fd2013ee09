//! A place in the YAML tree of a file of tests that knows the way to it.

use crate::{
    lang::{diag::nearest, file::Step},
    model::parse_time,
    wire::yaml::Yaml,
};

/// A mistake, and the way to where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mistake {
    pub(super) path: Vec<Step>,
    pub(super) message: String,
}

/// A value and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) path: Vec<Step>,
    pub(super) value: &'a Yaml,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Yaml) -> Self {
        Self { path: Vec::new(), value }
    }

    fn child(&self, step: Step, value: &'a Yaml) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { path, value }
    }

    /// The value is not what is expected here.
    pub(super) fn wrong(&self, expected: &str) -> Mistake {
        let found = match self.value {
            Yaml::Text(text) => format!("`{text}`"),
            Yaml::Int(number) => format!("`{number}`"),
            Yaml::Float(number) => format!("`{number}`"),
            other => other.shape().to_owned(),
        };
        self.mistake(format!("{} is {found}, expected {expected}", shown(&self.path)))
    }

    pub(super) fn mistake(&self, message: String) -> Mistake {
        Mistake { path: self.path.clone(), message }
    }

    /// The members of a map, each key once.
    pub(super) fn members(&self) -> Result<Vec<(&'a str, Node<'a>)>, Mistake> {
        let Yaml::Map(entries) = self.value else { return Err(self.wrong("a map")) };
        let mut members: Vec<(&str, Node<'_>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let node = self.child(Step::Key(key.clone()), value);
            if members.iter().any(|(known, _)| known == key) {
                return Err(node.mistake(format!("{} is there twice", shown(&node.path))));
            }
            members.push((key, node));
        }
        Ok(members)
    }

    /// The members of a map with known keys.
    pub(super) fn fields(&self, known: &[&str]) -> Result<Fields<'a>, Mistake> {
        let members = self.members()?;
        for (key, node) in &members {
            if !known.contains(key) {
                let hint = hint(key, known.iter().copied());
                return Err(node.mistake(format!("{} is no known key{hint}", shown(&node.path))));
            }
        }
        Ok(Fields { node: self.clone(), members })
    }

    /// The entries of a list.
    pub(super) fn entries(&self) -> Result<Vec<Node<'a>>, Mistake> {
        let Yaml::List(entries) = self.value else { return Err(self.wrong("a list")) };
        Ok(entries.iter().enumerate().map(|(at, value)| self.child(Step::Index(at), value)).collect())
    }

    /// The entries of a list; a text is a list of one.
    pub(super) fn texts(&self) -> Result<Vec<Node<'a>>, Mistake> {
        let nodes = if matches!(self.value, Yaml::Text(_)) { vec![self.clone()] } else { self.entries()? };
        nodes.iter().try_for_each(|node| node.text().map(drop))?;
        Ok(nodes)
    }

    /// A text that isn't empty.
    pub(super) fn text(&self) -> Result<&'a str, Mistake> {
        match self.value {
            Yaml::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong("a text")),
        }
    }

    /// An instant: milliseconds since 1970, RFC 3339, or a span from `start_ms` on.
    pub(super) fn instant(&self, start_ms: i64) -> Result<i64, Mistake> {
        let found = match self.value {
            Yaml::Int(at_ms) => Some(*at_ms),
            Yaml::Text(text) => {
                let span = || crate::runtime::config::parse_span_ms(text).and_then(|span| start_ms.checked_add(span));
                parse_time(text).ok().or_else(span)
            }
            _ => None,
        };
        let expected = "an instant such as `2026-01-01T00:05:00Z`, milliseconds since 1970, or a span since the test's start such as `5 min`";
        found.ok_or_else(|| self.wrong(expected))
    }

    /// A span, in milliseconds.
    pub(super) fn span_ms(&self) -> Result<i64, Mistake> {
        let span = match self.value {
            Yaml::Text(text) => crate::runtime::config::parse_span_ms(text),
            _ => None,
        };
        span.ok_or_else(|| self.wrong("a span such as `30 s` or `5 min`"))
    }
}

/// The members of a map, by key. Null counts as absent.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    node: Node<'a>,
    members: Vec<(&'a str, Node<'a>)>,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let found = self.members.iter().find(|(known, node)| *known == key && *node.value != Yaml::Null);
        found.map(|(_, node)| node.clone())
    }

    pub(super) fn need(&self, key: &str) -> Result<Node<'a>, Mistake> {
        let place = if self.node.path.is_empty() { String::new() } else { format!("{}: ", shown(&self.node.path)) };
        self.get(key).ok_or_else(|| self.node.mistake(format!("{place}`{key}` is missing")))
    }
}

/// ` (did you mean …?)`, where a candidate is close.
pub(super) fn hint<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

/// A way in words: `tests[2].events.pings[0]`.
pub(super) fn shown(path: &[Step]) -> String {
    let mut text = String::from("`");
    for step in path {
        match step {
            Step::Key(key) if text.len() > 1 => text.push_str(&format!(".{key}")),
            Step::Key(key) => text.push_str(key),
            Step::Index(at) => text.push_str(&format!("[{at}]")),
        }
    }
    if path.is_empty() { "the file".to_owned() } else { text + "`" }
}
