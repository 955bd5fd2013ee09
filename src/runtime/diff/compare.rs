//! Alerts of two runs, held against each other.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An alert of one run, or of both.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// Only the second run has it.
    Gained(Value),
    /// Only the first run has it.
    Lost(Value),
    /// Both have an alert of this rule and key over the same or overlapping time, but not with the same content.
    Moved {
        /// As the first run has it.
        before: Value,
        /// As the second run has it.
        after: Value,
        /// What differs: `start`, `measures.n`, `geometry` …
        fields: Vec<String>,
    },
}

/// Of one rule how many alerts came out the same, and how many didn't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// In both runs.
    pub same: u64,
    /// Only in the second.
    pub gained: u64,
    /// Only in the first.
    pub lost: u64,
    /// In both, with another content.
    pub moved: u64,
}

impl RuleCounts {
    /// Whether any alert is in one run and not, or not so, in the other.
    pub fn differs(&self) -> bool {
        self.gained + self.lost + self.moved > 0
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Of each rule that put out anything its counts, by name.
    pub rules: BTreeMap<String, RuleCounts>,
    /// All differences, by rule, key and time.
    pub differences: Vec<Difference>,
}

/// Which run an alert is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// Takes alerts as they come and keeps those that only one run has so far.
#[derive(Debug, Default)]
pub(super) struct Comparer {
    /// Alerts as text, without what a rule's version changes; more than 0: so many more before than after.
    open: BTreeMap<String, (i64, Value)>,
    rules: BTreeMap<String, RuleCounts>,
}

impl Comparer {
    /// Takes alert lines.
    ///
    /// # Errors
    /// A line that is no alert.
    pub(super) fn take(&mut self, side: Side, lines: &[u8]) -> Result<(), serde_json::Error> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let alert: Value = serde_json::from_slice(line)?;
            let text = bare(&alert).to_string();
            let step = if side == Side::Before { 1 } else { -1 };
            let (balance, first) = self.open.remove(&text).unwrap_or((0, Value::Null));
            if balance * step < 0 {
                self.rules.entry(text_of(&alert, "rule")).or_default().same += 1;
            }
            let left = balance + step;
            if left != 0 {
                // Of several that are alike the first stands for all.
                self.open.insert(text, (left, if balance == 0 { alert } else { first }));
            }
        }
        Ok(())
    }

    /// What is left is different.
    pub(super) fn finish(self) -> Comparison {
        let mut comparison = Comparison { rules: self.rules, differences: Vec::new() };
        let mut groups: BTreeMap<(String, String), [Vec<Value>; 2]> = BTreeMap::new();
        for (balance, alert) in self.open.into_values() {
            let group = (text_of(&alert, "rule"), property(&alert, "key").to_string());
            let [before, after] = groups.entry(group).or_default();
            let side = if balance > 0 { before } else { after };
            (0..balance.unsigned_abs()).for_each(|_| side.push(alert.clone()));
        }
        for ((rule, _), [mut before, mut after]) in groups {
            let counts = comparison.rules.entry(rule).or_default();
            let mut moved = pairs(&mut before, &mut after, true);
            moved.extend(pairs(&mut before, &mut after, false));
            counts.moved += moved.len() as u64;
            counts.lost += before.len() as u64;
            counts.gained += after.len() as u64;
            let moved = moved.into_iter().map(|(before, after)| {
                let fields = fields(&before, &after);
                Difference::Moved { before, after, fields }
            });
            let mut found: Vec<Difference> = moved.collect();
            found.extend(before.into_iter().map(Difference::Lost));
            found.extend(after.into_iter().map(Difference::Gained));
            found.sort_by_cached_key(|difference| span(difference.alert()));
            comparison.differences.append(&mut found);
        }
        comparison
    }
}

impl Difference {
    /// The alert; where there are two, as the first run has it.
    pub fn alert(&self) -> &Value {
        match self {
            Self::Gained(alert) | Self::Lost(alert) | Self::Moved { before: alert, .. } => alert,
        }
    }

    /// What it is, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gained(_) => "gained",
            Self::Lost(_) => "lost",
            Self::Moved { .. } => "moved",
        }
    }
}

/// Takes out of both lists, which it sorts by time, the alerts that go together: those over the same span, or over spans that
/// overlap, the earliest first.
fn pairs(before: &mut Vec<Value>, after: &mut Vec<Value>, same_span: bool) -> Vec<(Value, Value)> {
    let mut pairs = Vec::new();
    let mut rest: [Vec<Value>; 2] = Default::default();
    let sorted = |alerts: &mut Vec<Value>| {
        alerts.sort_by_cached_key(span);
        std::mem::take(alerts).into_iter().peekable()
    };
    let (mut first, mut second) = (sorted(before), sorted(after));
    while let (Some(a), Some(b)) = (first.peek(), second.peek()) {
        let (span_a, span_b) = (span(a), span(b));
        let together = if same_span { span_a == span_b } else { span_a.0 <= span_b.1 && span_b.0 <= span_a.1 };
        if together {
            pairs.extend(first.next().zip(second.next()));
        } else if span_a < span_b {
            rest[0].extend(first.next());
        } else {
            rest[1].extend(second.next());
        }
    }
    let [rest_before, rest_after] = rest;
    *before = rest_before.into_iter().chain(first).collect();
    *after = rest_after.into_iter().chain(second).collect();
    pairs
}

/// The alert without what its rule's version is part of.
fn bare(alert: &Value) -> Value {
    let mut bare = alert.clone();
    if let Some(feature) = bare.as_object_mut() {
        feature.shift_remove("id");
        if let Some(properties) = feature.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove("rule_version");
            properties.shift_remove("id");
        }
    }
    bare
}

pub(super) fn property<'a>(alert: &'a Value, name: &str) -> &'a Value {
    alert.get("properties").and_then(|properties| properties.get(name)).unwrap_or(&Value::Null)
}

pub(super) fn text_of(alert: &Value, name: &str) -> String {
    property(alert, name).as_str().unwrap_or_default().to_owned()
}

/// First and last time. RFC 3339 of one zone sorts as it is, but for fractions, so it is read.
fn span(alert: &Value) -> (i64, i64) {
    let time = |name| crate::model::parse_time(&text_of(alert, name)).unwrap_or_default();
    (time("start"), time("end"))
}

/// The names of what differs, measures and the like each by its own name.
fn fields(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (bare(before), bare(after));
    let mut names = Vec::new();
    let none = Map::new();
    let inner = |value: &Value, name: &str| value.get(name).and_then(Value::as_object).unwrap_or(&none).clone();
    differing(&inner(&before, "properties"), &inner(&after, "properties"), &mut |name| {
        let [old, new] = [&before, &after].map(|alert| property(alert, name).as_object());
        match (old, new) {
            (Some(old), Some(new)) => differing(old, new, &mut |part| names.push(format!("{name}.{part}"))),
            _ => names.push(name.to_owned()),
        }
    });
    if before.get("geometry") != after.get("geometry") {
        names.push("geometry".to_owned());
    }
    names
}

fn differing(before: &Map<String, Value>, after: &Map<String, Value>, each: &mut dyn FnMut(&str)) {
    let new = after.keys().filter(|name| !before.contains_key(*name));
    before.keys().chain(new).filter(|name| before.get(*name) != after.get(*name)).for_each(|name| each(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(version: &str, key: &str, start: u32, end: u32, n: u32) -> String {
        let at = |second: u32| format!("2024-01-01T00:00:{second:02}Z");
        format!(
            r#"{{"type":"Feature","id":"{version}{key}{start}","geometry":null,"properties":{{"rule":"R","rule_version":"{version}","key":{{"id":"{key}"}},"start":"{}","end":"{}","measures":{{"n":{n}}}}}}}"#,
            at(start),
            at(end)
        ) + "\n"
    }

    fn compare(before: &[String], after: &[String]) -> (RuleCounts, Vec<(&'static str, Vec<String>)>) {
        let mut comparer = Comparer::default();
        comparer.take(Side::Before, before.concat().as_bytes()).unwrap();
        comparer.take(Side::After, after.concat().as_bytes()).unwrap();
        let found = comparer.finish();
        let fields = |difference: &Difference| match difference {
            Difference::Moved { fields, .. } => fields.clone(),
            _ => Vec::new(),
        };
        let all = found.differences.iter().map(|difference| (difference.name(), fields(difference)));
        (found.rules["R"], all.collect())
    }

    #[test]
    fn an_alert_of_another_version_is_the_same_if_all_else_is() {
        let of = |version: &str| vec![alert(version, "a", 1, 5, 3), alert(version, "b", 2, 6, 1)];
        let (counts, all) = compare(&of("v1"), &of("v2"));
        assert_eq!((counts, all), (RuleCounts { same: 2, ..RuleCounts::default() }, Vec::new()));
        assert!(!counts.differs());
    }

    #[test]
    fn alerts_are_gained_lost_and_moved_by_key_and_time() {
        let before = [alert("1", "a", 1, 5, 3), alert("1", "a", 10, 15, 3), alert("1", "b", 1, 5, 3)];
        // The first has another measure, the second ends later, that of b is gone, and c and a later one of a are new.
        let after = [
            alert("2", "a", 1, 5, 4),
            alert("2", "a", 10, 17, 3),
            alert("2", "c", 1, 5, 3),
            alert("2", "a", 18, 20, 3),
        ];
        let (counts, all) = compare(&before, &after);
        assert_eq!(counts, RuleCounts { same: 0, gained: 2, lost: 1, moved: 2 });
        let moved = |field: &str| ("moved", vec![field.to_owned()]);
        assert_eq!(all, [moved("measures.n"), moved("end"), ("gained", vec![]), ("lost", vec![]), ("gained", vec![])]);
    }

    #[test]
    fn the_same_alert_twice_is_two_alerts() {
        let one = alert("1", "a", 1, 5, 3);
        let (counts, _) = compare(&[one.clone(), one.clone(), one.clone()], std::slice::from_ref(&one));
        assert_eq!(counts, RuleCounts { same: 1, gained: 0, lost: 2, moved: 0 });
        let (counts, _) = compare(std::slice::from_ref(&one), &[one.clone(), one.clone()]);
        assert_eq!(counts, RuleCounts { same: 1, gained: 1, lost: 0, moved: 0 });
    }
}
