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
    /// Where keys go that memory is too small for; none, the default: all stay in memory.
    pub spill: Option<SpillConfig>,
}

/// A store of states on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillConfig {
    /// Its directory; default `spill` in that of the checkpoints. What is in it is lost when the process ends.
    pub dir: PathBuf,
    /// Keys of all rules that stay in memory, about; default 1,000,000.
    pub resident_keys: u64,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { enabled: true, dir: PathBuf::from(DIR), interval_ms: 10_000, retain: 3, spill: None }
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
    let disk = fields.get("backend").map_or(Ok(false), |backend| backend.choice(&[("heap", false), ("disk", true)]))?;
    let (spill, resident_keys) = (fields.get("spill"), fields.get("resident_keys"));
    if let Some(idle) = [&spill, &resident_keys].into_iter().flatten().next().filter(|_| !disk) {
        return Err(idle.wrong("`backend: disk` beside it: with `heap`, the default, all keys stay in memory"));
    }
    if disk {
        state.spill = Some(SpillConfig {
            dir: spill.map_or(Ok(state.dir.join("spill")), |spill| spill.name().map(|name| base.join(name)))?,
            resident_keys: resident_keys.map_or(Ok(1_000_000), |keys| keys.number(1, u64::from(u32::MAX)))?,
        });
    }
    fields.done()?;
    Ok(state)
}
