//! Two engines over one reading of the input.

use super::compare::{Comparer, Comparison, Side};
use crate::{
    engine::{AtEnd, Executor, Inline, Options},
    io::source::{FileOptions, FileSource, Pulled, Source},
    runtime::{
        executor::Threads,
        project::Project,
        replay::BoundInput,
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::Chunk,
};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// How a comparison runs.
#[derive(Clone, Copy, Debug)]
pub struct DiffOptions {
    /// What happens at the end of the input.
    pub at_end: AtEnd,
    /// How many shards; none: the configuration's, else 1.
    pub shards: Option<u32>,
}

/// A comparison that is ready to run.
pub struct Diff {
    /// Before and after.
    sessions: [Session; 2],
    readers: Vec<Reader>,
    at_end: AtEnd,
}

struct Reader {
    file: FileSource,
    /// Its partition in each session, if its rules read the source.
    lanes: [Option<LaneIx>; 2],
    ended: bool,
}

const SIDES: [Side; 2] = [Side::Before, Side::After];

impl Diff {
    /// Opens all files.
    ///
    /// # Errors
    /// A rule that no program can be built from, or a file that can't be opened, in words.
    pub fn new(before: &Project, after: &Project, inputs: Vec<BoundInput>, how: DiffOptions) -> Result<Self, String> {
        let session = |project: &Project| {
            let engine = project.config.engine;
            let shards = how.shards.or(engine.shards).unwrap_or(1).max(1);
            let core = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: false };
            let executor: Box<dyn Executor> = if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
            Session::new(project, core, executor).map_err(|error| error.to_string())
        };
        let mut sessions = [session(before)?, session(after)?];
        let mut readers = Vec::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for input in inputs {
            let number = numbers.entry(input.source.clone()).or_insert(0);
            let partition = *number;
            *number += 1;
            let options = FileOptions {
                format: input.format,
                partition,
                record_bytes_max: input.record_bytes_max,
                chunk_bytes: sessions[0].stride_bytes(),
            };
            let mut file = match input.path == Path::new("-") {
                true => FileSource::stdin(options),
                false => FileSource::open(&input.path, options).map_err(|error| error.to_string())?,
            };
            let format = file.format().map_err(|error| error.to_string())?;
            let lanes = sessions.each_mut().map(|session| {
                session.add_partition(&input.source, &input.schema, format, partition, input.disorder_ms)
            });
            if lanes.iter().any(Option::is_some) {
                readers.push(Reader { file, lanes, ended: false });
            }
        }
        Ok(Self { sessions, readers, at_end: how.at_end })
    }

    /// Runs to the end of the input. `progress` is told of records as they are done.
    ///
    /// # Errors
    /// An input that can't be read to its end, in words: half an input would show differences that are none.
    pub fn run(mut self, progress: &mut dyn FnMut(u64)) -> Result<Comparison, String> {
        let (mut chunk, mut lines, mut letters) = (Chunk::new(), Lines::default(), Letters::default());
        let mut comparer = Comparer::default();
        let mut turn = 0;
        while let Some(at) = self.next_reader(turn) {
            turn = 1 - turn;
            let Some(reader) = self.readers.get_mut(at) else { break };
            chunk.clear();
            let pulled = reader.file.pull(&mut chunk, Duration::ZERO).map_err(|error| error.to_string())?;
            reader.ended = pulled == Pulled::End;
            for ((session, lane), side) in self.sessions.iter_mut().zip(reader.lanes).zip(SIDES) {
                let Some(lane) = lane else { continue };
                match pulled {
                    Pulled::End => session.end(lane),
                    Pulled::Records | Pulled::Idle => session.push(lane, &chunk, &mut letters),
                }
                session.advance(&mut lines);
                take(&mut comparer, side, &mut lines)?;
                letters = Letters::default();
            }
            progress(chunk.len() as u64);
        }
        for (session, side) in self.sessions.iter_mut().zip(SIDES) {
            session.finish(self.at_end, &mut lines);
            take(&mut comparer, side, &mut lines)?;
        }
        Ok(comparer.finish())
    }

    /// The partition to read next: the one that a session waits for, each in its turn, so that little is buffered.
    fn next_reader(&self, turn: usize) -> Option<usize> {
        let held = [turn, 1 - turn].into_iter().find_map(|side| {
            let waited_for = self.sessions.get(side)?.held_back_by()?;
            let holds = |reader: &Reader| !reader.ended && reader.lanes.get(side) == Some(&Some(waited_for));
            self.readers.iter().position(holds)
        });
        held.or_else(|| self.readers.iter().position(|reader| !reader.ended))
    }
}

fn take(comparer: &mut Comparer, side: Side, lines: &mut Lines) -> Result<(), String> {
    let taken = comparer.take(side, &lines.bytes);
    lines.clear();
    taken.map_err(|error| format!("an alert that is no JSON (please report it): {error}"))
}
