//! The case files' format (see `fixtures/conformance/README.md`).

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) events: Vec<Map<String, Json>>,
    pub(super) pattern: Vec<Element>,
    pub(super) within_ms: Option<i64>,
    pub(super) skip: Option<Skip>,
    pub(super) final_watermark: Option<i64>,
    pub(super) tie_break_field: Option<String>,
    #[serde(default)]
    pub(super) suspect: Vec<String>,
    pub(super) expect: Expected,
}

#[derive(Debug, Deserialize)]
pub(super) struct Skip {
    pub(super) kind: String,
    pub(super) var: Option<String>,
    #[serde(default)]
    pub(super) throw_on_miss: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Element {
    pub(super) rel: Option<String>,
    pub(super) var: Option<String>,
    pub(super) group: Option<Vec<Element>>,
    #[serde(rename = "where")]
    pub(super) condition: Option<Condition>,
    #[serde(default)]
    pub(super) where_text: String,
    #[serde(default)]
    pub(super) quant: Quantifier,
    pub(super) within_prev_ms: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Quantifier {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
    pub(super) inner: Option<String>,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) greedy: bool,
    pub(super) until: Option<Condition>,
    #[serde(default)]
    pub(super) until_text: String,
    pub(super) window_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Condition {
    Literal { lit: Json },
    Aggregate { agg: String, var: String, field_of: Option<String> },
    Field { field: String },
    Operation { op: String, args: Vec<Condition> },
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Expected {
    #[serde(default)]
    pub(super) matches: Vec<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    pub(super) match_at: Vec<String>,
    #[serde(default)]
    pub(super) timeouts: Vec<Timeout>,
    #[serde(default)]
    pub(super) late: Vec<String>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Timeout {
    #[serde(rename = "match")]
    pub(super) partial: BTreeMap<String, Vec<String>>,
    pub(super) ts: i64,
}

impl Case {
    /// Whether a loop has a bound of its own.
    pub(super) fn has_loop_window(&self) -> bool {
        fn any(elements: &[Element]) -> bool {
            let own = |element: &Element| element.quant.window_ms.is_some();
            elements.iter().any(|element| own(element) || element.group.as_deref().is_some_and(any))
        }
        any(&self.pattern)
    }

    /// The case on a few lines, for messages.
    pub(super) fn text(&self) -> String {
        let events = self.events.iter().map(|event| {
            let of = |name: &str| event.get(name).map_or(String::new(), |value| value.to_string().replace('"', ""));
            format!("{}@{}{}{}:{}", of("id"), of("ts"), of("watermark"), of("name"), of("price"))
        });
        format!(
            "  {} within {:?} {:?} until {:?}\n  {}",
            sequence(&self.pattern),
            self.within_ms,
            self.skip,
            self.final_watermark,
            events.collect::<Vec<_>>().join(" ")
        )
    }
}

fn sequence(elements: &[Element]) -> String {
    let one = |element: &Element| {
        let rel = element.rel.as_deref().unwrap_or("begin");
        let what = match &element.group {
            Some(group) => format!("({})", sequence(group)),
            None => format!("{}[{}]", element.var.as_deref().unwrap_or("?"), element.where_text),
        };
        let Quantifier { min, max, inner, optional, greedy, until_text, window_ms, .. } = &element.quant;
        let mut quantifier = match min {
            Some(min) => format!("{{{min},{max:?}}}"),
            None => String::new(),
        };
        for (text, is) in [("?", *optional), (" greedy", *greedy)] {
            quantifier.push_str(if is { text } else { "" });
        }
        quantifier.extend(inner.iter().map(|inner| format!(" {inner}")));
        quantifier.extend(window_ms.iter().map(|ms| format!(" window {ms}")));
        quantifier.extend(element.within_prev_ms.iter().map(|ms| format!(" prev {ms}")));
        if !until_text.is_empty() {
            quantifier.push_str(&format!(" until [{until_text}]"));
        }
        format!("{rel} {what}{quantifier}")
    };
    elements.iter().map(one).collect::<Vec<_>>().join(", ")
}
