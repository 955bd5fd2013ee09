//! Expected alerts: what they say, and where an alert differs from them.

use super::node::{Mistake, Node, hint};
use crate::{
    lang::file::Step,
    model::{format_time, parse_time},
    plan::{Plan, Role, RuleKind},
    wire::yaml::Yaml,
};
use serde_json::Value;
use std::fmt::Write;

/// Numbers count as equal within this part of the larger one: a test doesn't spell all digits of a mean out.
const NEAR: f64 = 1e-6;

/// An alert that a test expects. What it doesn't name may be anything.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) path: Vec<Step>,
    pub(super) rule: String,
    /// Start and end, milliseconds.
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    /// `status`, `severity` and `clock`.
    words: Vec<(&'static str, String)>,
    /// `key`, `labels`, `measures` and `annotations`, by member.
    members: Vec<(&'static str, Member)>,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    path: Vec<Step>,
    value: Yaml,
}

const GROUPS: [&str; 4] = ["key", "labels", "measures", "annotations"];

impl Expected {
    /// Reads an expectation; spans count from `start_ms` on.
    pub(super) fn read(node: &Node<'_>, start_ms: i64) -> Result<Self, Mistake> {
        let words = ["status", "severity", "clock"];
        let fields = node.fields(&[
            "rule",
            "key",
            "start",
            "end",
            "status",
            "severity",
            "clock",
            "labels",
            "measures",
            "annotations",
        ])?;
        let instant = |key| fields.get(key).map(|node| node.instant(start_ms)).transpose();
        let mut expected = Self {
            path: node.path.clone(),
            rule: fields.need("rule")?.text()?.to_owned(),
            start_ms: instant("start")?,
            end_ms: instant("end")?,
            words: Vec::new(),
            members: Vec::new(),
        };
        for key in words {
            if let Some(node) = fields.get(key) {
                expected.words.push((key, node.text()?.to_owned()));
            }
        }
        for group in GROUPS {
            let Some(node) = fields.get(group) else { continue };
            for (name, member) in node.members()? {
                let value = member.value.clone();
                expected.members.push((group, Member { name: name.to_owned(), path: member.path, value }));
            }
        }
        Ok(expected)
    }

    /// Whether the plan has such a rule and the rule such members.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), Mistake> {
        let at = alert_rule(plan, &self.rule).map_err(|message| Mistake { path: self.path.clone(), message })?;
        let Some(rule) = plan.rules.get(at as usize) else { return Ok(()) };
        for (group, member) in &self.members {
            let fields = |role| rule.outputs.iter().filter(move |field| field.role == role).map(|f| f.name.as_str());
            let known: Vec<&str> = match *group {
                "key" => fields(Role::Key).collect(),
                "measures" => fields(Role::Measure).collect(),
                "labels" => rule.labels.iter().map(|(name, _)| name.as_str()).collect(),
                _ => rule.annotations.iter().map(|(name, _)| name.as_str()).collect(),
            };
            if !known.contains(&member.name.as_str()) {
                let hint = hint(&member.name, known.iter().copied());
                let message = format!("`{}` has no `{}` in its {group}{hint}", self.rule, member.name);
                return Err(Mistake { path: member.path.clone(), message });
            }
        }
        Ok(())
    }

    /// In what an alert's properties differ, in words; empty where it is one that is expected.
    pub(super) fn differences(&self, properties: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ =
            |name: String, is: &Value, wanted: String| found.push(format!("{name} is {is}, expected {wanted}"));
        let field = |name: &str| properties.get(name).unwrap_or(&Value::Null);
        if field("rule").as_str() != Some(&self.rule) {
            differ("rule".to_owned(), field("rule"), self.rule.clone());
        }
        for (name, wanted_ms) in [("start", self.start_ms), ("end", self.end_ms)] {
            if let Some(wanted_ms) = wanted_ms
                && field(name).as_str().and_then(|text| parse_time(text).ok()) != Some(wanted_ms)
            {
                differ(name.to_owned(), field(name), format!("\"{}\"", format_time(wanted_ms)));
            }
        }
        for (name, wanted) in &self.words {
            if field(name).as_str() != Some(wanted) {
                differ((*name).to_owned(), field(name), format!("\"{wanted}\""));
            }
        }
        for (group, member) in &self.members {
            let is = field(group).get(&member.name).unwrap_or(&Value::Null);
            if !same(&member.value, is) {
                differ(format!("{group}.{}", member.name), is, flow(&member.value));
            }
        }
        found
    }
}

impl std::fmt::Display for Expected {
    /// As a test writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{ rule: {}", self.rule)?;
        for group in GROUPS {
            let members = || self.members.iter().filter(|(of, _)| *of == group);
            if members().next().is_none() {
                continue;
            }
            let listed: Vec<String> =
                members().map(|(_, member)| format!("{}: {}", member.name, flow(&member.value))).collect();
            write!(f, ", {group}: {{ {} }}", listed.join(", "))?;
        }
        for (name, at_ms) in [("start", self.start_ms), ("end", self.end_ms)] {
            if let Some(at_ms) = at_ms {
                write!(f, ", {name}: {}", format_time(at_ms))?;
            }
        }
        for (name, word) in &self.words {
            write!(f, ", {name}: {word}")?;
        }
        f.write_str(" }")
    }
}

/// The index of the alert rule with this name, or why there is none.
pub(super) fn alert_rule(plan: &Plan, name: &str) -> Result<u32, String> {
    match plan.rules.iter().position(|rule| rule.name == name) {
        Some(at) if plan.rules.get(at).is_some_and(|rule| rule.kind == RuleKind::Alert) => Ok(at as u32),
        Some(_) => Err(format!("`{name}` is a stream: only alerts are compared")),
        None => {
            let alerts = plan.rules.iter().filter(|rule| rule.kind == RuleKind::Alert);
            Err(format!("there is no alert `{name}`{}", hint(name, alerts.map(|rule| rule.name.as_str()))))
        }
    }
}

/// An alert as a test could write it.
pub(super) fn as_expected(properties: &Value) -> String {
    let field = |name: &str| properties.get(name).unwrap_or(&Value::Null);
    let mut text = format!("{{ rule: {}", field("rule").as_str().unwrap_or_default());
    for group in ["key", "measures"] {
        let members = field(group).as_object().into_iter().flatten();
        let listed: Vec<String> = members.map(|(name, value)| format!("{name}: {value}")).collect();
        if !listed.is_empty() {
            // Writing to a string can't fail.
            let _ = write!(text, ", {group}: {{ {} }}", listed.join(", "));
        }
    }
    for name in ["start", "end", "status"] {
        let word = field(name).as_str().unwrap_or_default();
        if !(name == "status" && word == "firing") {
            let _ = write!(text, ", {name}: {word}");
        }
    }
    text + " }"
}

/// Whether an alert's value is the one that a test names: numbers within a hair, instants however they are written.
fn same(wanted: &Yaml, is: &Value) -> bool {
    match (wanted, is) {
        (Yaml::Null, Value::Null) => true,
        (Yaml::Bool(wanted), Value::Bool(is)) => wanted == is,
        (Yaml::Int(wanted), Value::Number(is)) => match is.as_i64() {
            Some(is) => *wanted == is,
            None => is.as_f64().is_some_and(|is| near(*wanted as f64, is)),
        },
        (Yaml::Float(wanted), Value::Number(is)) => is.as_f64().is_some_and(|is| near(*wanted, is)),
        (Yaml::Text(wanted), Value::String(is)) => {
            wanted == is || parse_time(wanted).is_ok_and(|wanted_ms| parse_time(is) == Ok(wanted_ms))
        }
        (Yaml::Int(wanted_ms), Value::String(is)) => parse_time(is) == Ok(*wanted_ms),
        (Yaml::List(wanted), Value::Array(is)) => {
            wanted.len() == is.len() && wanted.iter().zip(is).all(|(wanted, is)| same(wanted, is))
        }
        (Yaml::Map(wanted), Value::Object(is)) => {
            wanted.len() == is.len()
                && wanted.iter().all(|(name, wanted)| is.get(name).is_some_and(|is| same(wanted, is)))
        }
        _ => false,
    }
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= NEAR * a.abs().max(b.abs())
}

/// A value on one line.
fn flow(value: &Yaml) -> String {
    match value {
        Yaml::Null => "null".to_owned(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Int(number) => number.to_string(),
        Yaml::Float(number) => number.to_string(),
        Yaml::Text(text) => format!("{text:?}"),
        Yaml::List(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Yaml::Map(map) => {
            let members: Vec<String> = map.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}
