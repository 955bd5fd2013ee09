//! Where checkpoints are kept.

use super::{ConfigError, node::Node};
use std::path::{Path, PathBuf};

/// Checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// Whether there are any; default true.
    pub enabled: bool,
    /// Their directory; default `geocep-state` beside the configuration.
    pub dir: PathBuf,
    /// How often one is taken, milliseconds; default 10 s.
    pub interval_ms: u64,
    /// How many are kept; default 3.
    pub retain: u32,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { enabled: true, dir: PathBuf::from(DIR), interval_ms: 10_000, retain: 3 }
    }
}

const DIR: &str = "geocep-state";

/// What holds where nothing is said.
pub(super) fn default_state(base: &Path) -> StateConfig {
    StateConfig { dir: base.join(DIR), ..StateConfig::default() }
}

pub(super) fn read_state(node: &Node<'_>, base: &Path) -> Result<StateConfig, ConfigError> {
    let mut fields = node.fields()?;
    let mut state = default_state(base);
    if let Some(enabled) = fields.get("enabled") {
        state.enabled = enabled.flag()?;
    }
    if let Some(dir) = fields.get("dir") {
        state.dir = base.join(dir.name()?);
    }
    if let Some(interval) = fields.get("interval") {
        state.interval_ms = match interval.span_ms()? {
            span_ms @ 10..=86_400_000 => span_ms as u64,
            _ => return Err(interval.wrong("a duration from 10 ms to 1 d")),
        };
    }
    if let Some(retain) = fields.get("retain") {
        state.retain = retain.number(1, 1_000)? as u32;
    }
    fields.done()?;
    Ok(state)
}
