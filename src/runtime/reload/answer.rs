//! What came of a reload, for the log and for whoever asked.

use crate::{
    engine::{Change, Replaced, RuleChange},
    model::format_time,
};
use serde::Serialize;

/// A rule that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleAnswer {
    /// Its name.
    pub name: String,
    /// Its version; of a rule that was removed the last.
    pub version: String,
    /// Keys whose state goes on.
    pub keys: usize,
    /// Partial matches or open windows that go on.
    pub open: usize,
    /// Keys of which something goes on under the old version until it ends.
    pub drained_keys: usize,
    /// Partial matches that go on under the old version.
    pub drained_open: usize,
    /// Keys whose state is dropped.
    pub dropped_keys: usize,
    /// Partial matches or windows that were open and are dropped.
    pub dropped_open: usize,
    /// Why that can't go on under the old version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// Of windows: those that begin from then on are the edited rule's, and those before its old version's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows_from: Option<String>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// A fingerprint of the rule files and fences that run now.
    pub hash: String,
    /// How many rules go on with all their state.
    pub kept: usize,
    /// Rules that weren't there before.
    pub started: Vec<RuleAnswer>,
    /// Rules that mean something else now, or read other streams: what doesn't fit goes on under the old version, or is dropped.
    pub edited: Vec<RuleAnswer>,
    /// Rules that are no longer there.
    pub removed: Vec<RuleAnswer>,
    /// Warnings of the check, and what takes a restart.
    pub warnings: Vec<String>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// Something is wrong with the files; the text is all diagnostics.
    #[error("{0}")]
    Refused(String),
    /// The daemon is about to end.
    #[error("the daemon is stopping")]
    Stopping,
}

impl Answer {
    pub(super) fn new(hash: String, replaced: &Replaced, warnings: Vec<String>) -> Self {
        let of = |change: Change| {
            let changed = replaced.rules.iter().filter(|rule| rule.change == change);
            changed.map(RuleAnswer::from).collect::<Vec<_>>()
        };
        Self {
            hash,
            kept: replaced.count(Change::Kept),
            started: of(Change::Started),
            edited: of(Change::Edited),
            removed: of(Change::Removed),
            warnings,
        }
    }

    /// Writes it to the log: a line for the whole, and one for each rule that changed.
    pub(super) fn log(&self, trigger: &str) {
        let (started, edited, removed) = (self.started.len(), self.edited.len(), self.removed.len());
        tracing::info!(trigger, kept = self.kept, started, edited, removed, hash = self.hash, "rules reloaded");
        for (what, rules) in [("started", &self.started), ("edited", &self.edited), ("removed", &self.removed)] {
            for rule in rules {
                let RuleAnswer { name, version, keys, open, drained_open, dropped_keys, dropped_open, .. } = rule;
                let (why, from) = (rule.why, rule.windows_from.as_deref());
                tracing::info!(
                    rule = name,
                    version,
                    keys,
                    open,
                    drained_open,
                    dropped_keys,
                    dropped_open,
                    why,
                    windows_from = from,
                    "{what}"
                );
            }
        }
        for warning in &self.warnings {
            tracing::warn!("{}", warning.trim_end());
        }
    }
}

impl From<&RuleChange> for RuleAnswer {
    fn from(rule: &RuleChange) -> Self {
        let RuleChange { name, version, change: _, keys, open, .. } = rule.clone();
        let RuleChange { drained_keys, drained_open, dropped_keys, dropped_open, why, from_ms, .. } = *rule;
        let windows_from = from_ms.map(format_time);
        Self { name, version, keys, open, drained_keys, drained_open, dropped_keys, dropped_open, why, windows_from }
    }
}
