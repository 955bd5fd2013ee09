//! A comparison for people, and for machines.

use super::compare::{Comparison, Difference, RuleCounts, property, text_of};
use serde_json::{Value, json};
use std::fmt::Write as _;

impl Comparison {
    /// Whether any alert differs.
    pub fn differs(&self) -> bool {
        self.rules.values().any(RuleCounts::differs)
    }

    /// The counts of all rules together.
    pub fn total(&self) -> RuleCounts {
        self.rules.values().fold(RuleCounts::default(), |sum, rule| RuleCounts {
            same: sum.same + rule.same,
            gained: sum.gained + rule.gained,
            lost: sum.lost + rule.lost,
            moved: sum.moved + rule.moved,
        })
    }

    /// A table of the rules, then at most `shown` differences, a line each.
    pub fn table(&self, shown: usize) -> String {
        let width = self.rules.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
        let mut text = format!("{:width$} {:>9} {:>9} {:>9} {:>9}\n", "rule", "same", "gained", "lost", "moved");
        let mut row = |name: &str, RuleCounts { same, gained, lost, moved }: &RuleCounts| {
            let _ = writeln!(text, "{name:width$} {same:>9} {gained:>9} {lost:>9} {moved:>9}");
        };
        self.rules.iter().for_each(|(name, counts)| row(name, counts));
        if self.rules.len() != 1 {
            row("all", &self.total());
        }
        if !self.differences.is_empty() {
            text.push('\n');
        }
        for difference in self.differences.iter().take(shown) {
            let alert = difference.alert();
            let _ =
                write!(text, "{:6}  {}  {}  {}", difference.name(), text_of(alert, "rule"), key(alert), span(alert));
            if let Difference::Moved { before, after, fields } = difference {
                let changes = fields.iter().map(|field| change(field, before, after));
                let _ = write!(text, ": {}", changes.collect::<Vec<_>>().join(", "));
            }
            text.push('\n');
        }
        if let Some(more @ 1..) = self.differences.len().checked_sub(shown) {
            let _ = writeln!(text, "{more} more differences are not shown");
        }
        text
    }

    /// A JSON object for each difference, a line each, then one with the counts.
    pub fn json(&self) -> String {
        let mut text = String::new();
        for difference in &self.differences {
            let line = match difference {
                Difference::Gained(alert) => json!({ "change": "gained", "after": alert }),
                Difference::Lost(alert) => json!({ "change": "lost", "before": alert }),
                Difference::Moved { before, after, fields } => {
                    json!({ "change": "moved", "fields": fields, "before": before, "after": after })
                }
            };
            let _ = writeln!(text, "{line}");
        }
        let counts = |RuleCounts { same, gained, lost, moved }: &RuleCounts| json!({ "same": same, "gained": gained, "lost": lost, "moved": moved });
        let rules: serde_json::Map<String, Value> =
            self.rules.iter().map(|(name, rule)| (name.clone(), counts(rule))).collect();
        let _ = writeln!(text, "{}", json!({ "all": counts(&self.total()), "rules": rules }));
        text
    }
}

fn key(alert: &Value) -> String {
    let Some(parts) = property(alert, "key").as_object() else { return "-".to_owned() };
    let part = |(name, value): (&String, &Value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    };
    if parts.is_empty() { "-".to_owned() } else { parts.iter().map(part).collect::<Vec<_>>().join(",") }
}

fn span(alert: &Value) -> String {
    format!("{} to {}", text_of(alert, "start"), text_of(alert, "end"))
}

/// Long values say nothing in a line.
const VALUE_MAX: usize = 40;

fn change(field: &str, before: &Value, after: &Value) -> String {
    let [before, after] = [before, after].map(|alert| {
        let value = match field.split_once('.') {
            Some((map, name)) => property(alert, map).get(name).unwrap_or(&Value::Null),
            None => property(alert, field),
        };
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    });
    let short = |text: &String| text.chars().count() <= VALUE_MAX;
    match field != "geometry" && short(&before) && short(&after) {
        true => format!("{field} {before} -> {after}"),
        false => format!("{field} differs"),
    }
}
