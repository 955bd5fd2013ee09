//! The daemon as it is, with its threads, channels and sinks, behind a file or a topic that a schedule fills.

use super::{BenchInput, LatencyOptions, LatencyOutcome, schedule::Schedule};
use crate::{
    io::sink::{self, KafkaSink, Sink, SinkError},
    model::parse_time,
    runtime::{
        clock::{Clock, SystemClock},
        config::{FileInput, Input, KafkaInput, KafkaStart, SourceConfig, TailStart},
        daemon::Daemon,
        project::Project,
        shutdown::Shutdown,
        telemetry::LatencyRecord,
    },
    wire::{Chunk, Format},
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How events come to a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// No daemon: decoders, core and encoder in one thread.
    InProcess,
    /// A file that it follows, looking for more each millisecond.
    File,
    /// Topics of these brokers (`host:port`, several separated by commas), made for the measurement.
    Kafka(String),
}

impl Door {
    /// Its name in results.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::File => "file",
            Self::Kafka(_) => "kafka",
        }
    }
}

/// How long the sources may take to open.
const OPENING: Duration = Duration::from_secs(30);
/// The end is when so long no alert has come, or after [`LINGER_MAX`].
const LINGER: Duration = Duration::from_secs(1);
const LINGER_MAX: Duration = Duration::from_secs(20);

/// Tells the runs of a process apart.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Sends events through a door on a schedule and measures to when alerts are in the hands of the sink's thread.
///
/// # Errors
/// Input that can't be sent so, or what the daemon or the system says, in words.
pub(super) fn measure_through(
    project: &Project,
    input: &BenchInput,
    options: &LatencyOptions,
    door: &Door,
) -> Result<LatencyOutcome, String> {
    if !input.is_lines() {
        let text = "only JSON lines whose time is a top-level field can be sent through a file or a topic";
        return Err(text.to_owned());
    }
    let name = format!("geocep-bench-{}-{}", process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    let dir = Scratch(std::env::temp_dir().join(&name));
    fs::create_dir_all(&dir.0).map_err(|error| format!("can't make `{}`: {error}", dir.0.display()))?;
    let mut writers: BTreeMap<String, Writer> = BTreeMap::new();
    let mut config = project.config.clone();
    let known = std::mem::take(&mut config.sources);
    for (bound, _) in &input.partitions {
        if config.sources.contains_key(&bound.source) {
            continue;
        }
        let (writer, from) = match door {
            Door::Kafka(brokers) => Writer::topic(brokers, &format!("{name}-{}", bound.source))?,
            Door::File | Door::InProcess => Writer::file(&dir.0.join(format!("{}.ndjson", bound.source)))?,
        };
        writers.insert(bound.source.clone(), writer);
        let idle_timeout_ms = known.get(&bound.source).map_or(Some(30_000), |source| source.idle_timeout_ms);
        let source = SourceConfig {
            schema: bound.schema.clone(),
            declared: true,
            input: from,
            disorder_ms: bound.disorder_ms,
            idle_timeout_ms,
            record_bytes_max: bound.record_bytes_max,
        };
        config.sources.insert(bound.source.clone(), source);
    }
    config.sinks = crate::runtime::config::SinksConfig { alerts: Vec::new(), ..Default::default() };
    config.state.enabled = false;
    config.api.enabled = false;
    config.engine.shards = options.shards.or(config.engine.shards);
    let project = Project {
        config,
        plan: Arc::clone(&project.plan),
        world: Arc::clone(&project.world),
        table_stamps: project.table_stamps.clone(),
        warnings: Vec::new(),
    };
    let clock = SystemClock::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut daemon = Daemon::open(project, BTreeMap::new(), Arc::new(clock)).map_err(|error| error.to_string())?;
    daemon.add_alert_sink(Box::new(Watch { clock, seen: Arc::clone(&seen) }));
    let telemetry = Arc::clone(daemon.telemetry());
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let running = thread::Builder::new().name("daemon".to_owned()).spawn(move || daemon.run(&stop));
    let running = running.map_err(|error| format!("can't start a thread: {error}"))?;
    let opened = clock.monotonic();
    let is_up = || {
        let components = telemetry.health().components();
        components.len() > writers.len() && components.iter().all(|component| component.is_ready())
    };
    while !is_up() && !running.is_finished() && clock.monotonic() - opened < OPENING {
        thread::sleep(Duration::from_millis(10));
    }
    let sent = Sending { input, writers: &mut writers, clock }.all(options);
    if sent.is_ok() {
        linger(&seen, &clock);
    }
    shutdown.request();
    let ended = running.join().map_err(|_| "the daemon broke down".to_owned())?;
    let (began, sent) = sent?;
    ended.map_err(|error| error.to_string())?;
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(outcome(input, options, door, (began, sent), &seen))
}

fn outcome(
    input: &BenchInput,
    options: &LatencyOptions,
    door: &Door,
    (began, sent): (Duration, u64),
    seen: &[(i64, Duration)],
) -> LatencyOutcome {
    let schedule = Schedule { rate: options.rate, total: sent };
    let (mut alerts, mut warmup_alerts) = (LatencyRecord::new(), 0);
    let (mut longest, mut last) = (Duration::ZERO, Duration::ZERO);
    for &(end_ms, at) in seen {
        let intended = schedule.intended(input.decider(end_ms).min(sent.saturating_sub(1)));
        last = at.saturating_sub(began).saturating_sub(intended);
        longest = longest.max(last);
        match intended >= options.warmup {
            true => alerts.add(last, 1),
            false => warmup_alerts += 1,
        }
    }
    let ms = |span: Duration| span.as_secs_f64() * 1_000.0;
    let took = schedule.intended(sent.saturating_sub(1)) + last;
    LatencyOutcome {
        path: door.name(),
        pipeline: "rules",
        share: None,
        rate: options.rate,
        achieved_rate: sent as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
        warmup_s: options.warmup.as_secs_f64(),
        duration_s: options.duration.as_secs_f64(),
        wanted: options.wanted(),
        available: input.available(),
        sent,
        late: 0,
        rejected: input.rejected,
        behind_ms: ms(last),
        longest_lag_ms: ms(longest),
        warmup_alerts,
        events: None,
        alerts: alerts.summary(),
    }
}

fn linger(seen: &Mutex<Vec<(i64, Duration)>>, clock: &SystemClock) {
    let began = clock.monotonic();
    let (mut known, mut since) = (0, began);
    loop {
        thread::sleep(Duration::from_millis(20));
        let (count, now) = (seen.lock().unwrap_or_else(PoisonError::into_inner).len(), clock.monotonic());
        if count != known {
            (known, since) = (count, now);
        }
        if now - since > LINGER || now - began > LINGER_MAX {
            return;
        }
    }
}

/// Removed with all that is in it when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where the schedule's events go.
enum Writer {
    File(File),
    Topic(Box<KafkaSink>),
}

impl Writer {
    fn file(path: &Path) -> Result<(Self, Input), String> {
        let file = File::create(path).map_err(|error| format!("can't write `{}`: {error}", path.display()))?;
        let (path, format) = (path.to_owned(), Some(Format::Ndjson));
        let from = FileInput { path, format, follow: true, start: TailStart::Beginning, poll_ms: 1 };
        Ok((Self::File(file), Input::File(from)))
    }

    fn topic(brokers: &str, topic: &str) -> Result<(Self, Input), String> {
        let text = |error: SinkError| error.to_string();
        let options = BTreeMap::from([("linger.ms".to_owned(), "0".to_owned())]);
        let mut sink = KafkaSink::connect(brokers, topic, &options).map_err(text)?;
        // The topic is there from now on; what isn't an event is counted and left out.
        let mut first = sink::Lines::new();
        first.push_with("", |out| out.extend_from_slice(b"{}"));
        sink.write(&first).and_then(|()| sink.flush()).map_err(text)?;
        let from = KafkaInput {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            group: topic.to_owned(),
            start: KafkaStart::Earliest,
            layout: Default::default(),
            options: Default::default(),
        };
        Ok((Self::Topic(Box::new(sink)), Input::Kafka(from)))
    }

    fn write(&mut self, chunk: &Chunk) -> Result<(), String> {
        match self {
            Self::File(file) => {
                let mut bytes = Vec::new();
                for record in chunk.records() {
                    bytes.extend_from_slice(record.bytes);
                    bytes.push(b'\n');
                }
                file.write_all(&bytes).map_err(|error| error.to_string())
            }
            Self::Topic(sink) => {
                let mut lines = sink::Lines::new();
                for record in chunk.records() {
                    lines.push_with("", |out| out.extend_from_slice(record.bytes));
                }
                sink.write(&lines).map_err(|error| error.to_string())
            }
        }
    }
}

struct Sending<'a> {
    input: &'a BenchInput,
    writers: &'a mut BTreeMap<String, Writer>,
    clock: SystemClock,
}

impl Sending<'_> {
    /// Sends all events; when it began, and how many they were.
    fn all(&mut self, options: &LatencyOptions) -> Result<(Duration, u64), String> {
        let schedule = Schedule { rate: options.rate, total: options.wanted().min(self.input.available()) };
        let mut chunks: Vec<Chunk> = self.input.partitions.iter().map(|_| Chunk::new()).collect();
        let mut scratch = Vec::new();
        let began = self.clock.monotonic();
        let mut sent = 0;
        while sent < schedule.total {
            let upto = schedule.wait(sent, &self.clock, began);
            for number in sent..upto {
                self.input.send(number, &mut chunks, &mut scratch);
            }
            for (chunk, (bound, _)) in chunks.iter_mut().zip(&self.input.partitions) {
                if let (Some(writer), false) = (self.writers.get_mut(&bound.source), chunk.is_empty()) {
                    writer.write(chunk)?;
                    chunk.clear();
                }
            }
            sent = upto;
        }
        Ok((began, sent))
    }
}

/// A sink that notes when each alert came, and its end.
struct Watch {
    clock: SystemClock,
    seen: Arc<Mutex<Vec<(i64, Duration)>>>,
}

impl Sink for Watch {
    fn name(&self) -> &str {
        "measurement"
    }

    fn write(&mut self, lines: &sink::Lines) -> Result<(), SinkError> {
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(lines.iter().filter_map(|(_, line)| Some((end_ms(line)?, now))));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// When an alert ends, by its line.
fn end_ms(line: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\",\"end\":\"";
    let at = memchr::memmem::find(line, NAME)? + NAME.len();
    let rest = line.get(at..)?;
    let end = memchr::memchr(b'"', rest)?;
    parse_time(std::str::from_utf8(rest.get(..end)?).ok()?).ok()
}
