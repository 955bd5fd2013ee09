//! What happened in a scenario: the answer sheet for the rules.

use serde::Serialize;

/// One thing that happened on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// What it is: `queue_abandoned`, `rendezvous`, ...
    pub situation: &'static str,
    /// Whom it concerns: the entity's id as text, or a place for what has no entity.
    pub entity: String,
    /// The second entity of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// When it begins, in milliseconds since 1970 UTC: the scripted time, between two reports.
    pub start: i64,
    /// When it is over, in milliseconds since 1970 UTC: the scripted time, between two reports.
    pub end: i64,
    /// What happened, or why it is a decoy, in a sentence.
    pub note: &'static str,
}

/// All that happened, apart from ordinary traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The seed.
    pub seed: u64,
    /// The first instant, in milliseconds since 1970 UTC.
    pub start: i64,
    /// The end of the run, in milliseconds since 1970 UTC, exclusive.
    pub end: i64,
    /// What rules should find, by start; only what ends before the run does.
    pub situations: Vec<Situation>,
    /// What looks like a situation and isn't, by start; only what ends before the run does.
    pub decoys: Vec<Situation>,
}

impl Truth {
    /// Sorts both lists by time, and drops what the run doesn't see to its end.
    pub(super) fn settled(mut self) -> Self {
        for list in [&mut self.situations, &mut self.decoys] {
            list.retain(|s| s.end < self.end);
            list.sort_by(|a, b| (a.start, a.situation, &a.entity).cmp(&(b.start, b.situation, &b.entity)));
        }
        self
    }

    /// The whole as indented JSON with a final line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text, whole numbers and lists only: nothing in it can fail to serialise.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

/// What a script writes down while it moves its actors.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) situations: Vec<Situation>,
    pub(super) decoys: Vec<Situation>,
}

impl Notes {
    /// Notes something that a rule should find.
    pub(super) fn situation(&mut self, situation: &'static str, entity: &str, span: (i64, i64), note: &'static str) {
        self.situations.push(Situation {
            situation,
            entity: entity.to_owned(),
            with: None,
            start: span.0,
            end: span.1,
            note,
        });
    }

    /// Notes something that a rule should not take for a situation.
    pub(super) fn decoy(&mut self, situation: &'static str, entity: &str, span: (i64, i64), note: &'static str) {
        self.decoys.push(Situation {
            situation,
            entity: entity.to_owned(),
            with: None,
            start: span.0,
            end: span.1,
            note,
        });
    }

    /// Names the second entity of the situation noted last.
    pub(super) fn situation_with(&mut self, other: &str) {
        if let Some(last) = self.situations.last_mut() {
            last.with = Some(other.to_owned());
        }
    }

    /// Names the second entity of the decoy noted last.
    pub(super) fn decoy_with(&mut self, other: &str) {
        if let Some(last) = self.decoys.last_mut() {
            last.with = Some(other.to_owned());
        }
    }
}
