//! The loop of a replay.

use super::{BoundInput, Speed, SvgOptions, gallery::Gallery, summary::Summary};
use crate::{
    engine::{AtEnd, Inline, Options},
    io::source::{FileOptions, FileSource, Pulled, Source},
    plan::{Mode, Plan},
    runtime::{
        executor::Threads,
        project::Project,
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::Chunk,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    slice,
    sync::Arc,
    thread,
    time::Duration,
};

/// How a replay runs.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// How fast.
    pub speed: Speed,
    /// What happens at the end of the input.
    pub at_end: AtEnd,
    /// How many shards; none: the configuration's, else 1.
    pub shards: Option<u32>,
    /// Where alerts go; none: stdout.
    pub alerts: Option<PathBuf>,
    /// Where alerts of rules in shadow mode go; none: they are only counted.
    pub shadow: Option<PathBuf>,
    /// Where late events go; none: they are only counted.
    pub late: Option<PathBuf>,
    /// Where records go that are no events; none: they are only counted.
    pub dead_letter: Option<PathBuf>,
    /// Where pictures of regions go; none: nowhere.
    pub svg: Option<SvgOptions>,
    /// Whether to show progress on a terminal.
    pub progress: bool,
}

/// A replay that is ready to run.
pub struct Replay {
    session: Session,
    readers: Vec<Reader>,
    options: ReplayOptions,
    rules: Vec<String>,
    out: Outputs,
    gallery: Option<Gallery>,
}

struct Reader {
    file: FileSource,
    lane: LaneIx,
    ended: bool,
}

/// Records of a piece when the replay is paced: time is looked at between pieces.
const PACED_RECORDS: usize = 16;

impl Replay {
    /// Opens all files.
    ///
    /// # Errors
    /// A file that can't be opened, in words.
    pub fn new(mut project: Project, inputs: Vec<BoundInput>, options: ReplayOptions) -> Result<Self, String> {
        let make = |svg| Gallery::new(Arc::make_mut(&mut project.plan), svg);
        let gallery = options.svg.clone().map(make).transpose()?;
        let engine = project.config.engine;
        let shards = options.shards.or(engine.shards).unwrap_or(1).max(1);
        let core = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: false };
        let executor: Box<dyn crate::engine::Executor> =
            if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
        let mut session = Session::new(&project, core, executor).map_err(|error| error.to_string())?;
        session.has_no_arrivals()?;
        if let Some(gallery) = &gallery {
            gallery.watch(session.engine_mut());
        }
        let mut readers = Vec::new();
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for input in inputs {
            let number = numbers.entry(input.source.clone()).or_insert(0);
            let partition = *number;
            *number += 1;
            let file_options = FileOptions {
                format: input.format,
                partition,
                record_bytes_max: input.record_bytes_max,
                chunk_bytes: session.stride_bytes(),
            };
            let mut file = match input.path == Path::new("-") {
                true => FileSource::stdin(file_options),
                false => FileSource::open(&input.path, file_options).map_err(|error| error.to_string())?,
            };
            let format = file.format().map_err(|error| error.to_string())?;
            let lane = session.add_partition(&input.source, &input.schema, format, partition, input.disorder_ms);
            readers.extend(lane.map(|lane| Reader { file, lane, ended: false }));
        }
        let out = Outputs::open(&options, &project.plan)?;
        let rules = project.plan.rules.iter().map(|rule| rule.name.clone()).collect();
        Ok(Self { session, readers, options, rules, out, gallery })
    }

    /// Runs to the end of the input; the summary for people.
    ///
    /// # Errors
    /// An output that can't be written, or an input that can't be read to its end (after everything that could be was done).
    pub fn run(mut self) -> Result<String, String> {
        let mut summary = Summary::start();
        let bar = progress_bar(self.options.progress);
        let (mut chunk, mut lines, mut letters) = (Chunk::new(), Lines::default(), Letters::default());
        let (mut failures, mut parts) = (Vec::new(), Vec::new());
        let mut pace = Pace::new(self.options.speed);
        while let Some(at) = self.next_reader() {
            let Some(reader) = self.readers.get_mut(at) else { break };
            let lane = reader.lane;
            chunk.clear();
            match reader.file.pull(&mut chunk, Duration::ZERO) {
                Ok(Pulled::Records) => {}
                Ok(Pulled::Idle) => continue,
                Ok(Pulled::End) => {
                    reader.ended = true;
                    self.session.end(lane);
                    continue;
                }
                Err(error) => {
                    failures.push(error.to_string());
                    reader.ended = true;
                    self.session.end(lane);
                    continue;
                }
            }
            for piece in pieces(&chunk, self.options.speed, &mut parts) {
                let began = summary.now();
                self.session.push(lane, piece, &mut letters);
                self.session.advance(&mut lines);
                if let Some(gallery) = &mut self.gallery {
                    gallery.take(self.session.engine_mut());
                }
                let going_on = self.out.write(&mut lines, &mut letters)?;
                summary.worked(began, piece.len() as u64);
                bar.inc(piece.len() as u64);
                if !going_on {
                    return Ok(String::new());
                }
                pace.wait(self.session.engine().watermark_ms());
            }
        }
        self.session.finish(self.options.at_end, &mut lines);
        self.out.write(&mut lines, &mut letters)?;
        self.out.flush()?;
        bar.finish_and_clear();
        let mut text = summary.text(&self.session, &self.rules);
        if let Some(gallery) = &mut self.gallery {
            gallery.take(self.session.engine_mut());
            text.push_str(&gallery.write()?);
        }
        if failures.is_empty() { Ok(text) } else { Err(format!("{}\n{text}", failures.join("\n"))) }
    }

    /// The partition to read next: the one that the others wait for, so that little is buffered.
    fn next_reader(&self) -> Option<usize> {
        let waited_for = self.session.held_back_by();
        let open = |reader: &Reader| !reader.ended;
        let held = self.readers.iter().position(|reader| open(reader) && Some(reader.lane) == waited_for);
        held.or_else(|| self.readers.iter().position(open))
    }
}

/// The chunk whole, or where time is looked at between events in small pieces.
fn pieces<'a>(chunk: &'a Chunk, speed: Speed, parts: &'a mut Vec<Chunk>) -> &'a [Chunk] {
    if speed == Speed::Max {
        return slice::from_ref(chunk);
    }
    let count = chunk.len().div_ceil(PACED_RECORDS);
    *parts = (0..count).map(|at| chunk.part(at * PACED_RECORDS, PACED_RECORDS)).collect();
    parts
}

/// Keeps a replay to a multiple of real time, by the watermark.
struct Pace {
    speed: Speed,
    began: Option<(i64, std::time::Duration)>,
    clock: Stopwatch,
}

/// Time since a start.
#[allow(clippy::disallowed_types, reason = "a paced replay waits by the clock; what it computes doesn't depend on it")]
pub(super) struct Stopwatch(std::time::Instant);

#[allow(clippy::disallowed_types, reason = "as above")]
impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Pace {
    fn new(speed: Speed) -> Self {
        Self { speed, began: None, clock: Stopwatch::start() }
    }

    fn wait(&mut self, watermark_ms: i64) {
        let Speed::Times(times) = self.speed else { return };
        if watermark_ms == i64::MIN {
            return;
        }
        let (first_ms, began) = *self.began.get_or_insert((watermark_ms, self.clock.elapsed()));
        let due =
            began + Duration::from_secs_f64(watermark_ms.saturating_sub(first_ms).max(0) as f64 / 1_000.0 / times);
        if let Some(rest) = due.checked_sub(self.clock.elapsed()) {
            thread::sleep(rest);
        }
    }
}

/// Where lines go.
struct Outputs {
    alerts: Box<dyn Write>,
    /// Which rules are in shadow mode, and where their alerts go.
    shadows: Vec<bool>,
    shadow: Option<BufWriter<File>>,
    late: Option<BufWriter<File>>,
    dead: Option<BufWriter<File>>,
}

impl Outputs {
    fn open(options: &ReplayOptions, plan: &Plan) -> Result<Self, String> {
        let create = |path: &PathBuf| {
            // As the sinks of a configuration do.
            let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(path));
            made.map(BufWriter::new).map_err(|error| format!("can't write `{}`: {error}", path.display()))
        };
        Ok(Self {
            alerts: match &options.alerts {
                Some(path) => Box::new(create(path)?),
                None => Box::new(io::stdout()),
            },
            shadows: plan.rules.iter().map(|rule| rule.mode == Mode::Shadow).collect(),
            shadow: options.shadow.as_ref().map(create).transpose()?,
            late: options.late.as_ref().map(create).transpose()?,
            dead: options.dead_letter.as_ref().map(create).transpose()?,
        })
    }

    /// Writes and empties; false where the reader of the alerts has gone away.
    fn write(&mut self, lines: &mut Lines, letters: &mut Letters) -> Result<bool, String> {
        let (written, shadow) = self.write_alerts(lines);
        lines.clear();
        let late = self.late.as_mut().map_or(Ok(()), |out| out.write_all(&letters.late));
        let dead = self.dead.as_mut().map_or(Ok(()), |out| out.write_all(&letters.dead));
        for sample in letters.samples.drain(..) {
            tracing::warn!("{sample}");
        }
        letters.late.clear();
        letters.dead.clear();
        late.and(dead).and(shadow).map_err(|error| format!("can't write: {error}"))?;
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(format!("can't write alerts: {error}")),
        }
    }

    /// How it went with the alerts, and with those of shadows.
    fn write_alerts(&mut self, lines: &Lines) -> (io::Result<()>, io::Result<()>) {
        if !self.shadows.contains(&true) {
            return (self.alerts.write_all(&lines.bytes), Ok(()));
        }
        let (mut alerts, mut shadow) = (Ok(()), Ok(()));
        for (rule, place) in &lines.entries {
            let line = lines.bytes.get(place.clone()).unwrap_or_default();
            let aside = self.shadows.get(*rule as usize) == Some(&true);
            match (aside, &mut self.shadow) {
                (false, _) => alerts = alerts.and_then(|()| self.alerts.write_all(line)),
                (true, Some(out)) => shadow = shadow.and_then(|()| out.write_all(line)),
                (true, None) => {}
            }
        }
        (alerts, shadow)
    }

    fn flush(&mut self) -> Result<(), String> {
        let alerts = match self.alerts.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        };
        let late = self.late.as_mut().map_or(Ok(()), Write::flush);
        let dead = self.dead.as_mut().map_or(Ok(()), Write::flush);
        let shadow = self.shadow.as_mut().map_or(Ok(()), Write::flush);
        alerts.and(shadow).and(late).and(dead).map_err(|error| format!("can't write: {error}"))
    }
}

/// Counts records on stderr, where that is a terminal and somebody wants it.
pub fn progress_bar(wanted: bool) -> ProgressBar {
    if !wanted {
        return ProgressBar::hidden();
    }
    // Drawn on stderr, and only where that is a terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} records, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}
