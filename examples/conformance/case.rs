//! The case files' format (see `fixtures/conformance/README.md`).

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

/// A pattern, events, and what Flink CEP says of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(default = "nfa")]
    pub(crate) mode: String,
    pub(crate) events: Vec<Map<String, Json>>,
    pub(crate) pattern: Vec<Element>,
    pub(crate) within_ms: Option<i64>,
    pub(crate) skip: Option<Skip>,
    pub(crate) final_watermark: Option<i64>,
    pub(crate) tie_break_field: Option<String>,
    pub(crate) monotone: Option<bool>,
    #[serde(default)]
    pub(crate) suspect: Vec<String>,
    #[serde(default)]
    pub(crate) expect: Expected,
}

fn nfa() -> String {
    "nfa".to_owned()
}

/// AFTER MATCH.
#[derive(Debug, Deserialize)]
pub(crate) struct Skip {
    pub(crate) kind: String,
    pub(crate) var: Option<String>,
    #[serde(default)]
    pub(crate) throw_on_miss: bool,
}

/// One element of a sequence.
#[derive(Debug, Deserialize)]
pub(crate) struct Element {
    pub(crate) rel: Option<String>,
    pub(crate) var: Option<String>,
    pub(crate) group: Option<Vec<Element>>,
    #[serde(rename = "where")]
    pub(crate) condition: Option<Condition>,
    #[serde(default)]
    pub(crate) quant: Quantifier,
    pub(crate) within_prev_ms: Option<i64>,
}

/// How often.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Quantifier {
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) inner: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default)]
    pub(crate) greedy: bool,
    pub(crate) until: Option<Condition>,
    pub(crate) window_ms: Option<i64>,
}

/// A condition or a part of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Condition {
    Literal { lit: Json },
    Aggregate { agg: String, var: String, field_of: Option<String> },
    Field { field: String },
    Operation { op: String, args: Vec<Condition> },
}

/// What Flink answered.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Expected {
    #[serde(default)]
    pub(crate) matches: Vec<Taken>,
    #[serde(default)]
    pub(crate) match_at: Vec<String>,
    #[serde(default)]
    pub(crate) timeouts: Vec<Timeout>,
    #[serde(default)]
    pub(crate) timeout_at: Vec<String>,
    #[serde(default)]
    pub(crate) late: Vec<String>,
    pub(crate) error: Option<String>,
}

/// The events of each variable, in order.
pub(crate) type Taken = BTreeMap<String, Vec<String>>;

#[derive(Debug, Deserialize)]
pub(crate) struct Timeout {
    #[serde(rename = "match")]
    pub(crate) partial: Taken,
    pub(crate) ts: i64,
}

/// The cases of a file, which may be compressed.
pub(crate) fn read(path: &Path) -> Result<Vec<Case>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| told(&error))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).map_err(|error| told(&error))?;
    } else {
        text = String::from_utf8(bytes).map_err(|error| told(&error))?;
    }
    serde_json::from_str(&text).map_err(|error| told(&error))
}

impl Element {
    pub(crate) fn is_negated(&self) -> bool {
        self.rel.as_deref().is_some_and(|rel| rel.starts_with("not"))
    }

    /// Whether Flink lets it be left out.
    pub(crate) fn is_optional(&self) -> bool {
        self.quant.optional || self.quant.min == Some(0)
    }

    /// Whether it says how often, in Flink's words `times` or `oneOrMore`.
    pub(crate) fn is_quantified(&self) -> bool {
        self.quant.min.is_some()
    }
}

impl Case {
    /// Every element with the list that it stands in, its place there and its depth.
    pub(crate) fn walk<'a>(&'a self, look: &mut impl FnMut(&'a [Element], usize, usize)) {
        fn list<'a>(elements: &'a [Element], depth: usize, look: &mut impl FnMut(&'a [Element], usize, usize)) {
            for (at, element) in elements.iter().enumerate() {
                look(elements, at, depth);
                if let Some(group) = &element.group {
                    list(group, depth + 1, look);
                }
            }
        }
        list(&self.pattern, 0, look);
    }

    /// Whether any element meets a test.
    pub(crate) fn any(&self, test: impl Fn(&[Element], usize, usize) -> bool) -> bool {
        let mut found = false;
        self.walk(&mut |elements, at, depth| found |= test(elements, at, depth));
        found
    }

    /// Whether matches drop others.
    pub(crate) fn skips(&self) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip.kind != "no_skip")
    }

    /// The events on one line, for messages.
    pub(crate) fn story(&self) -> String {
        let events = self.events.iter().map(|event| {
            let fields = event.iter().filter(|(name, _)| *name != "id" && *name != "ts");
            let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={value}").replace('"', "")).collect();
            let of = |name: &str| event.get(name).map_or(String::new(), |value| value.to_string().replace('"', ""));
            format!("{}@{}[{}]", of("id"), of("ts"), fields.join(" "))
        });
        let mut story = events.collect::<Vec<_>>().join(" ");
        if let Some(to) = self.final_watermark {
            story.push_str(&format!(" until {to}"));
        }
        story
    }
}
