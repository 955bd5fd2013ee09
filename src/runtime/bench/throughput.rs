//! How many events a second: a file through the rules as fast as they go, whole or from a place in between.

use super::{
    closings::Closings,
    usage::{cpu_s, peak_mib},
    workload::Workload,
};
use crate::{
    engine::{AtEnd, Executor, Inline, Options, Output},
    io::source::{FileOptions, FileSource, Pulled, Source},
    model::Batch,
    runtime::{
        clock::{Clock, SystemClock},
        executor::Threads,
        project::Project,
        replay::BoundInput,
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::Chunk,
};
use serde::Serialize;
use std::{fmt, time::Duration};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From the file to encoded alerts.
    EndToEnd,
    /// Events are decoded beforehand; matches are counted.
    Operator,
    /// Reading the file and splitting it into records.
    Read,
    /// Reading and decoding.
    Decode,
}

/// What one run of one mode came to.
#[derive(Clone, Debug, Serialize)]
pub struct ThroughputOutcome {
    /// Who ran.
    pub peer: &'static str,
    /// The workload.
    pub w: String,
    /// What was measured: `e2e`, `op`, `read`, `decode`.
    pub mode: &'static str,
    /// How many shards.
    pub par: u32,
    /// Records that became events.
    pub events: u64,
    /// Outputs of all rules that make alerts.
    pub matches: u64,
    /// Seconds by the clock, from the first event to the last result.
    pub run_s: f64,
    /// Seconds of processors, all threads.
    pub cpu_s: f64,
    /// Thousand events a second by the clock.
    pub kev_s: f64,
    /// Nanoseconds of processors for each event.
    pub ns_per_event: f64,
    /// The most memory that the process had so far, events held beforehand included.
    pub peak_mib: u64,
    /// How windows close, where that is counted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub closings: Option<Closings>,
}

impl ThroughputOutcome {
    /// As one JSON object.
    pub fn json(&self) -> String {
        serde_json::to_value(self).unwrap_or_default().to_string()
    }
}

impl fmt::Display for ThroughputOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { w, mode, par, events, matches, run_s, cpu_s, kev_s, ns_per_event, peak_mib, .. } = self;
        write!(
            f,
            "{w:8} {mode:7} {par:2} shards  {events:9} events {matches:9} matches  {run_s:7.3} s  {cpu_s:6.2} CPU s  \
             {kev_s:8.0} thousand events/s  {ns_per_event:7.0} ns/event  {peak_mib:5} MiB"
        )?;
        if let Some(Closings { windows, burst, mean }) = self.closings {
            write!(f, "\n{w:8} {windows} windows closed, at most {burst} in 100 ms, {mean:.0} in the mean")?;
        }
        Ok(())
    }
}

impl Mode {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::EndToEnd => "e2e",
            Self::Operator => "op",
            Self::Read => "read",
            Self::Decode => "decode",
        }
    }
}

/// Runs a mode once.
///
/// # Errors
/// A file that can't be read, a rule that no program can be built from, or a workload whose matches are not those that are known.
pub fn run(
    name: &str,
    project: &Project,
    inputs: &[BoundInput],
    mode: Mode,
    shards: u32,
    at_end: AtEnd,
) -> Result<ThroughputOutcome, String> {
    let engine = project.config.engine;
    let core = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: false };
    let executor: Box<dyn Executor> = if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
    let session = Session::new(project, core, executor).map_err(|error| error.to_string())?;
    let mut pass = Pass::new(session);
    pass.open(inputs)?;
    let clock = SystemClock::new();
    let held = if mode == Mode::Operator { pass.decode_all()? } else { Vec::new() };
    let mut done = Vec::new();
    let (began, cpu) = (clock.monotonic(), cpu_s());
    match mode {
        Mode::EndToEnd => pass.end_to_end(at_end)?,
        Mode::Operator => done = pass.operator(held, at_end),
        Mode::Read => pass.each_chunk(|_, _, _| ())?,
        Mode::Decode => pass.each_chunk(|session, lane, chunk| drop(session.decode(lane, chunk)))?,
    }
    let (run_s, cpu_s) = ((clock.monotonic() - began).as_secs_f64(), cpu_s() - cpu);
    drop(done);
    let events = pass.events.max(1) as f64;
    Ok(ThroughputOutcome {
        peer: "geocep",
        w: name.to_owned(),
        mode: mode.name(),
        par: shards,
        events: pass.events,
        matches: pass.matches,
        run_s,
        cpu_s,
        kev_s: events / run_s.max(f64::MIN_POSITIVE) / 1_000.0,
        ns_per_event: cpu_s / events * 1e9,
        peak_mib: peak_mib(),
        closings: None,
    })
}

/// Runs a mode of a workload and holds the matches against what is known.
///
/// # Errors
/// As [`run`], and a count that is not the known one.
pub fn run_workload(
    workload: Workload,
    project: &Project,
    inputs: &[BoundInput],
    mode: Mode,
    shards: u32,
) -> Result<ThroughputOutcome, String> {
    let outcome = run(workload.name, project, inputs, mode, shards, workload.at_end)?;
    let counts = matches!(mode, Mode::EndToEnd | Mode::Operator);
    if counts && workload.is_right(outcome.events, outcome.matches) == Some(false) {
        let (events, matches) = (outcome.events, outcome.matches);
        return Err(format!("{}: {matches} matches in {events} events are not as many as there are", workload.name));
    }
    Ok(outcome)
}

/// One way through the files.
pub(super) struct Pass {
    session: Session,
    files: Vec<(FileSource, Option<LaneIx>)>,
    events: u64,
    matches: u64,
    outputs: Vec<Output>,
}

impl Pass {
    pub(super) fn new(session: Session) -> Self {
        Self { session, files: Vec::new(), events: 0, matches: 0, outputs: Vec::new() }
    }

    /// All events, with nothing ended; their outputs are dropped.
    pub(super) fn read_all(mut self) -> Result<Session, String> {
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        self.each_chunk(|session, lane, chunk| {
            session.push(lane, chunk, &mut letters);
            session.advance(&mut lines);
            lines.clear();
            letters = Letters::default();
        })?;
        Ok(self.session)
    }

    pub(super) fn open(&mut self, inputs: &[BoundInput]) -> Result<(), String> {
        for (number, input) in inputs.iter().enumerate() {
            let options = FileOptions {
                format: input.format,
                partition: number as u32,
                record_bytes_max: input.record_bytes_max,
                chunk_bytes: self.session.stride_bytes(),
            };
            let mut file = FileSource::open(&input.path, options).map_err(|error| error.to_string())?;
            let format = file.format().map_err(|error| error.to_string())?;
            let (source, schema) = (&input.source, &input.schema);
            let lane = self.session.add_partition(source, schema, format, number as u32, input.disorder_ms);
            self.files.push((file, lane));
        }
        Ok(())
    }

    /// Reads the files one after another.
    fn each_chunk(&mut self, mut work: impl FnMut(&mut Session, LaneIx, &Chunk)) -> Result<(), String> {
        let mut chunk = Chunk::new();
        for (file, lane) in &mut self.files {
            let Some(lane) = *lane else { continue };
            loop {
                chunk.clear();
                match file.pull(&mut chunk, Duration::ZERO).map_err(|error| error.to_string())? {
                    Pulled::End => break,
                    Pulled::Idle => continue,
                    Pulled::Records => {
                        self.events += chunk.len() as u64;
                        work(&mut self.session, lane, &chunk);
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing more will come: what waited for others goes on.
    fn end_inputs(&mut self) {
        self.files.iter().filter_map(|(_, lane)| *lane).for_each(|lane| self.session.end(lane));
    }

    fn decode_all(&mut self) -> Result<Vec<(LaneIx, Batch)>, String> {
        let mut held = Vec::new();
        self.each_chunk(|session, lane, chunk| held.push((lane, session.decode(lane, chunk))))?;
        self.events = held.iter().map(|(_, batch)| batch.len() as u64).sum();
        Ok(held)
    }

    /// The batches, to be freed after the run.
    fn operator(&mut self, held: Vec<(LaneIx, Batch)>, at_end: AtEnd) -> Vec<Batch> {
        // Events stay on the heap until the end: to free them is no work of the engine's, and live their memory is used again.
        let mut done = Vec::with_capacity(held.len());
        for (lane, batch) in held {
            let width = batch.width();
            self.session.push_batch(lane, batch);
            let engine = self.session.engine_mut();
            engine.advance();
            done.extend(std::iter::from_fn(|| engine.spare(width)));
            self.count();
        }
        self.end_inputs();
        self.session.engine_mut().finish(at_end);
        self.count();
        done
    }

    fn count(&mut self) {
        self.outputs.clear();
        self.session.engine_mut().take(&mut self.outputs);
        self.matches += self.outputs.len() as u64;
    }

    /// All outputs of the files.
    pub(super) fn each_output(mut self, at_end: AtEnd, mut each: impl FnMut(&Output)) -> Result<(), String> {
        let (mut letters, mut outputs) = (Letters::default(), Vec::new());
        self.each_chunk(|session, lane, chunk| {
            session.push(lane, chunk, &mut letters);
            session.engine_mut().advance();
            session.engine_mut().take(&mut outputs);
            outputs.drain(..).for_each(|output| each(&output));
            letters = Letters::default();
        })?;
        self.end_inputs();
        self.session.engine_mut().finish(at_end);
        self.session.engine_mut().take(&mut outputs);
        outputs.iter().for_each(each);
        Ok(())
    }

    fn end_to_end(&mut self, at_end: AtEnd) -> Result<(), String> {
        let (mut lines, mut letters, mut matches) = (Lines::default(), Letters::default(), 0);
        self.each_chunk(|session, lane, chunk| {
            session.push(lane, chunk, &mut letters);
            session.advance(&mut lines);
            matches += lines.entries.len() as u64;
            lines.clear();
            letters.dead.clear();
            letters.late.clear();
        })?;
        self.end_inputs();
        self.session.finish(at_end, &mut lines);
        self.matches = matches + lines.entries.len() as u64;
        self.events = self.session.sources().iter().map(|source| source.events).sum();
        Ok(())
    }
}
