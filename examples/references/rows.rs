//! Rows and their comparison.

use serde_json::Value;
use std::collections::BTreeMap;

/// A row: columns that must be equal, and those that a reference rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    exact: Vec<String>,
    rounded: Vec<(f64, i32)>,
}

impl Row {
    /// A column as JSON; a number and the same number as text are not equal.
    pub(super) fn json(mut self, value: &Value) -> Self {
        self.exact.push(value.to_string());
        self
    }

    /// A name: some sets write ids as numbers, rules take them as texts.
    pub(super) fn id(self, value: &Value) -> Self {
        match value {
            Value::Number(number) => self.text(&number.to_string()),
            other => self.json(other),
        }
    }

    pub(super) fn int(self, number: i64) -> Self {
        self.json(&Value::from(number))
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.json(&Value::from(text))
    }

    /// A column that the reference rounds to so many decimals.
    pub(super) fn rounded(mut self, number: f64, decimals: i32) -> Self {
        self.rounded.push((number, decimals));
        self
    }

    /// Whether another row with the same exact columns is this one.
    fn fits(&self, other: &Self) -> bool {
        self.rounded.len() == other.rounded.len()
            && self.rounded.iter().zip(&other.rounded).all(|(a, b)| {
                let digit = 10f64.powi(-a.1);
                // Half a digit, and a little for the last bits of either side's arithmetic.
                (a.0 - b.0).abs() <= digit * 0.501
            })
    }

    /// The row as people read it.
    pub(super) fn show(&self) -> String {
        let exact = self.exact.iter().cloned();
        exact.chain(self.rounded.iter().map(|(number, _)| number.to_string())).collect::<Vec<_>>().join(", ")
    }
}

/// What two lists of rows have in common.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) equal: usize,
    pub(super) missing: Vec<Row>,
    pub(super) extra: Vec<Row>,
}

/// Compares as multisets.
pub(super) fn compare(expected: &[Row], found: &[Row]) -> Difference {
    let mut left: BTreeMap<&[String], Vec<&Row>> = BTreeMap::new();
    for row in found {
        left.entry(&row.exact).or_default().push(row);
    }
    let mut difference = Difference::default();
    for row in expected {
        let same = left.get_mut(row.exact.as_slice());
        let at = same.as_ref().and_then(|rows| rows.iter().position(|other| row.fits(other)));
        match (same, at) {
            (Some(rows), Some(at)) => {
                rows.swap_remove(at);
                difference.equal += 1;
            }
            _ => difference.missing.push(row.clone()),
        }
    }
    difference.extra = left.into_values().flatten().cloned().collect();
    difference
}
