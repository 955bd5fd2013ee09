//! Latencies at several rates and on several ways, beside those of a pipeline that has nothing to do.

use super::{
    BenchInput, LatencyOptions, LatencyOutcome, Mode,
    door::{Door, measure_through},
    measure, run,
};
use crate::{
    engine::AtEnd,
    runtime::{
        project::{Loaded, Project},
        replay::BoundInput,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The shares of saturation that a sweep measures at.
pub const SHARES: [f64; 8] = [0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// What a sweep measures.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// Events per second; empty: [`SHARES`] of the most that goes through.
    pub rates: Vec<f64>,
    /// The ways.
    pub doors: Vec<Door>,
    /// Whether the empty pipeline is measured, too.
    pub empty: bool,
    /// All else; its rate isn't looked at.
    pub each: LatencyOptions,
}

/// Measures every rate on every way, one after another; `told` hears of each as it is done.
///
/// # Errors
/// As [`measure`], and what keeps a daemon from running.
pub fn sweep(
    project: &Project,
    inputs: &[BoundInput],
    input: &BenchInput,
    options: &SweepOptions,
    mut told: impl FnMut(&LatencyOutcome),
) -> Result<Vec<LatencyOutcome>, String> {
    let empty = if options.empty { Some(nothing(project, inputs)?) } else { None };
    let rates: Vec<(f64, Option<f64>)> = if options.rates.is_empty() {
        let most = saturation(project, inputs, input, &options.each)?;
        SHARES.iter().map(|share| (most * share, Some(*share))).collect()
    } else {
        options.rates.iter().map(|rate| (*rate, None)).collect()
    };
    let mut all = Vec::new();
    for door in &options.doors {
        for &(rate, share) in &rates {
            let each = LatencyOptions { rate, ..options.each };
            for (pipeline, project) in [("empty", empty.as_ref()), ("rules", Some(project))] {
                let Some(project) = project else { continue };
                let outcome = match door {
                    Door::InProcess => measure(project, input, &each)?,
                    _ => measure_through(project, input, &each, door)?,
                };
                let outcome = LatencyOutcome { pipeline, share, ..outcome };
                told(&outcome);
                all.push(outcome);
            }
        }
    }
    Ok(all)
}

/// Events per second by the clock, as fast as they go: the files from the beginning to the end, or, where that takes no time to speak
/// of, as many as the schedule's code gets through in a second when all are due at once.
fn saturation(
    project: &Project,
    inputs: &[BoundInput],
    input: &BenchInput,
    each: &LatencyOptions,
) -> Result<f64, String> {
    const LONG_S: f64 = 0.5;
    let shards = each.shards.or(project.config.engine.shards).unwrap_or(1).max(1);
    let whole = run("saturation", project, inputs, Mode::EndToEnd, shards, AtEnd::Drain)?;
    if whole.run_s >= LONG_S {
        return Ok(whole.kev_s * 1_000.0);
    }
    let second = std::time::Duration::from_secs(1);
    let rushed = LatencyOptions { rate: 1e8, duration: second, warmup: std::time::Duration::ZERO, ..*each };
    Ok(measure(project, input, &rushed)?.achieved_rate)
}

/// The same streams under rules that hold no state and let next to nothing pass: events of every tenth of a second. They tell what
/// reading, decoding, the way through the threads and a few alerts take.
pub(super) fn nothing(project: &Project, inputs: &[BoundInput]) -> Result<Project, String> {
    let streams: BTreeSet<&str> = inputs.iter().map(|input| input.source.as_str()).collect();
    let mut text = String::from("groups:\n  - name: empty\n    rules:\n");
    for (at, stream) in streams.iter().enumerate() {
        // Writing to a text can't fail.
        let _ =
            write!(text, "      - alert: Empty{at}\n        expr: FROM {stream} WHERE time = bucket(time, 100 ms)\n");
    }
    let schemas: BTreeMap<_, _> = inputs.iter().map(|input| (input.source.clone(), input.schema.clone())).collect();
    let loaded = Loaded::of_text(project.config.clone(), "empty.yaml", &text, BTreeMap::new());
    loaded.check(&schemas, false).map_err(|error| error.to_string())
}
