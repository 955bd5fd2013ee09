//! What state takes: for each key, and for each partial match or open window.

use super::{
    throughput::Pass,
    usage::{peak_mib, resident_kib},
};
use crate::{
    engine::{Executor, Inline, Options},
    runtime::{executor::Threads, project::Project, replay::BoundInput, session::Session},
};
use serde::Serialize;
use std::fmt;

/// What a rule holds when all events are in; in the line of all rules together, the process.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryOutcome {
    /// The rule; `all` together.
    pub rule: String,
    /// Keys with state.
    pub keys: u64,
    /// Partial matches or windows that are open.
    pub open: u64,
    /// Bytes: of a rule, its state as a checkpoint keeps it; of all, how much resident memory grew while the events went in.
    pub bytes: u64,
    /// Bytes by keys.
    pub bytes_per_key: Option<f64>,
    /// Bytes by partial matches or windows.
    pub bytes_per_open: Option<f64>,
    /// The most memory that the process had, MiB.
    pub peak_mib: u64,
}

impl MemoryOutcome {
    fn new(rule: String, keys: u64, open: u64, bytes: u64) -> Self {
        let by = |count: u64| (count > 0).then(|| bytes as f64 / count as f64);
        let (bytes_per_key, bytes_per_open) = (by(keys), by(open));
        Self { rule, keys, open, bytes, bytes_per_key, bytes_per_open, peak_mib: peak_mib() }
    }

    /// As one JSON object.
    pub fn json(&self) -> String {
        serde_json::to_value(self).unwrap_or_default().to_string()
    }
}

impl fmt::Display for MemoryOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, keys, open, bytes, .. } = self;
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
        let (key, one) = (shown(self.bytes_per_key), shown(self.bytes_per_open));
        write!(f, "{rule:24} {keys:9} keys {open:9} open {bytes:12} bytes  {key:>8} per key  {one:>8} per open")
    }
}

/// Reads the files and tells what is held then, before anything ends: a line for each rule, and one for all.
///
/// # Errors
/// A file that can't be read, or a rule that no program can be built from, in words.
pub fn memory(project: &Project, inputs: &[BoundInput], shards: u32) -> Result<Vec<MemoryOutcome>, String> {
    let engine = project.config.engine;
    let core = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: true };
    let executor: Box<dyn Executor> = if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
    let session = Session::new(project, core, executor).map_err(|error| error.to_string())?;
    let mut pass = Pass::new(session);
    pass.open(inputs)?;
    let before = resident_kib();
    let session = pass.read_all()?;
    let grown = resident_kib().saturating_sub(before) * 1_024;
    let (mut lines, mut all) = (Vec::new(), (0, 0));
    for (at, rule) in (0u32..).zip(&project.plan.rules) {
        let stats = session.engine().rule_stats(at);
        let (keys, open) = (stats.keys as u64, stats.open as u64);
        let bytes = session.engine().save_rule(at).len() as u64;
        all = (all.0 + keys, all.1 + open);
        lines.push(MemoryOutcome::new(rule.name.clone(), keys, open, bytes));
    }
    lines.push(MemoryOutcome::new("all".to_owned(), all.0, all.1, grown));
    Ok(lines)
}
