//! The rules that run, as `/api/v1/rules` shows them: a picture that the runtime replaces whole.

use serde::Serialize;

/// What a rule puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Alerts, which go to the sinks.
    Alert,
    /// A derived stream, which other rules read.
    Stream,
}

/// Whether a rule runs, and who hears of its alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleMode {
    /// Its alerts go to the sinks.
    Active,
    /// Its alerts go to the shadow sinks only.
    Shadow,
    /// It doesn't run.
    Off,
}

/// A running rule at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleStatus {
    /// The alert's or stream's name.
    pub name: String,
    /// The group of the rule file that it stands in.
    pub group: String,
    /// What it puts out.
    pub kind: RuleKind,
    /// Whether it runs.
    pub mode: RuleMode,
    /// Its version as alerts carry it.
    pub version: String,
    /// Outputs since the start.
    pub outputs: u64,
    /// Keys with state.
    pub keys: u64,
    /// Partial matches or open windows.
    pub open: u64,
    /// Of an old version of an edited rule, which only ends what it has begun, which of the name's old versions it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draining: Option<u32>,
    /// When an old version drops what is still open, by event time, RFC 3339; none where it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
