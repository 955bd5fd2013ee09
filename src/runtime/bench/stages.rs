//! Where the time of an event goes: one after another, by what each adds to the one before.

use super::{Mode, ThroughputOutcome, Workload, run, run_workload, sweep::nothing};
use crate::{
    engine::AtEnd,
    runtime::{project::Project, replay::BoundInput},
};
use std::fmt;

/// The nanoseconds of processors that an event takes, part by part.
#[derive(Clone, Debug)]
pub struct Stages {
    /// What was run: `read`, `decode`, `route`, `op`, `e2e`.
    pub runs: Vec<ThroughputOutcome>,
}

/// Runs the files through one part after another.
///
/// `route` is the engine alone under rules that let next to nothing pass, on events that are decoded: taking them in, ordering them,
/// asking one filter. What `op` takes beyond it is matching, and what `e2e` takes beyond `decode` and `op` is encoding the alerts. All
/// runs are of their own, so small parts may come out as less than nothing.
///
/// # Errors
/// As [`run`].
pub fn stages(
    workload: Option<Workload>,
    project: &Project,
    inputs: &[BoundInput],
    shards: u32,
) -> Result<Stages, String> {
    let idle = nothing(project, inputs)?;
    let (name, at_end) = workload.map_or(("rules", AtEnd::Drain), |workload| (workload.name, workload.at_end));
    let mut runs = Vec::new();
    for mode in [Mode::Read, Mode::Decode] {
        runs.push(run(name, project, inputs, mode, shards, at_end)?);
    }
    let route = run(name, &idle, inputs, Mode::Operator, shards, at_end)?;
    runs.push(ThroughputOutcome { mode: "route", matches: 0, ..route });
    for mode in [Mode::Operator, Mode::EndToEnd] {
        runs.push(match workload {
            Some(workload) => run_workload(workload, project, inputs, mode, shards)?,
            None => run(name, project, inputs, mode, shards, at_end)?,
        });
    }
    Ok(Stages { runs })
}

impl Stages {
    /// The parts: what each takes of an event's time, in nanoseconds of processors.
    pub fn parts(&self) -> [(&'static str, f64); 5] {
        let of = |mode: &str| self.runs.iter().find(|run| run.mode == mode).map_or(0.0, |run| run.ns_per_event);
        let (read, decode, route, op, whole) = (of("read"), of("decode"), of("route"), of("op"), of("e2e"));
        [
            ("read", read),
            ("decode", decode - read),
            ("route", route),
            ("match", op - route),
            ("emit", whole - decode - op),
        ]
    }

    /// The runs as JSON objects, one a line.
    pub fn json(&self) -> String {
        self.runs.iter().map(|run| run.json() + "\n").collect()
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            writeln!(f, "{run}")?;
        }
        let parts = self.parts();
        let whole: f64 = parts.iter().map(|(_, ns)| ns).sum();
        writeln!(f, "\n{:8} {:>12} {:>7}", "stage", "ns per event", "share")?;
        for (name, ns) in parts {
            writeln!(f, "{name:8} {ns:12.0} {:6.0}%", ns / whole.max(f64::MIN_POSITIVE) * 100.0)?;
        }
        Ok(())
    }
}
