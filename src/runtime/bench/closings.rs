//! How many windows close at once: by tenths of a second of event time.

use super::{throughput::Pass, workload::Workload};
use crate::{
    engine::{Inline, Options},
    runtime::session::Session,
};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// The windows of a workload that closed after an event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Closings {
    /// How many they were.
    pub windows: u64,
    /// The most of them in one tenth of a second of event time.
    pub burst: u64,
    /// The mean of the tenths of a second from a minute after the first closing to a minute before the last: then windows close all
    /// the time. 0 where there is none.
    pub mean: f64,
}

/// A tenth of a second.
const STEP_MS: i64 = 100;
/// The workloads' windows, in steps.
const WINDOW_STEPS: i64 = 600;

/// Counts the closings of a workload's windows, in a run in which all of them are put out.
///
/// # Errors
/// A workload without windows, or files that are missing or wrong, in words.
pub fn closings(workload: Workload, dir: &Path) -> Result<Closings, String> {
    let workload = workload.with_all_windows().ok_or_else(|| format!("`{}` has no windows", workload.name))?;
    let (project, inputs) = workload.load(dir)?;
    let engine = project.config.engine;
    let core = Options { shards: 1, key_groups: engine.key_groups, seed: engine.seed, eager: false };
    let session = Session::new(&project, core, Box::new(Inline)).map_err(|error| error.to_string())?;
    let mut pass = Pass::new(session);
    pass.open(&inputs)?;
    let mut steps: BTreeMap<i64, u64> = BTreeMap::new();
    pass.each_output(workload.at_end, |output| {
        *steps.entry(output.emission.end_ms.div_euclid(STEP_MS)).or_default() += 1;
    })?;
    Ok(summary(&steps))
}

fn summary(steps: &BTreeMap<i64, u64>) -> Closings {
    let ends = steps.first_key_value().zip(steps.last_key_value());
    let (from, to) = ends.map_or((0, 0), |((first, _), (last, _))| (first + WINDOW_STEPS, last - WINDOW_STEPS));
    let steady: u64 = if from < to { steps.range(from..to).map(|(_, count)| count).sum() } else { 0 };
    Closings {
        windows: steps.values().sum(),
        burst: steps.values().copied().max().unwrap_or(0),
        mean: steady as f64 / (to - from).max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_leaves_out_the_first_and_the_last_minute() {
        let steps = (0..1_800).map(|step| (step, if (600..1_199).contains(&step) { 10 } else { 1 }));
        let found = summary(&steps.collect());
        assert_eq!((found.windows, found.burst, found.mean), (599 * 10 + 1_201, 10, 10.0));
        assert_eq!(summary(&BTreeMap::new()), Closings { windows: 0, burst: 0, mean: 0.0 });
    }
}
