//! A source as the driver sees it: its deliveries, and which lane of the session each of its partitions is.

use crate::{
    io::source::{Delivery, RunningSource, Source, spawn},
    model::TimeMs,
    runtime::{
        config::{Input, SourceConfig, StreamSchema},
        session::LaneIx,
        telemetry::Watched,
    },
    wire::Format,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::AtomicBool},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::mpsc::Receiver;

/// Chunks that wait between a source and the driver: some 256 KiB each.
const CHUNKS_WAITING: usize = 4;

/// After so long a delivery that waits counts as neglected.
const NEGLECT: Duration = Duration::from_secs(1);

/// How a source tells that it has nothing more for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It doesn't: it waits in a read. Nothing to take from it means nothing there.
    Untold,
    /// It says when it is idle.
    Told,
    /// It says so for each of its partitions.
    ByPartition,
}

/// A source that is read.
pub(super) struct Feed {
    pub(super) source: String,
    pub(super) schema: StreamSchema,
    pub(super) disorder_ms: TimeMs,
    pub(super) idle_timeout_ms: Option<TimeMs>,
    pub(super) silence: Silence,
    pub(super) deliveries: Receiver<Delivery>,
    pub(super) thread: Option<JoinHandle<()>>,
    /// Taken when it has said its last word.
    pub(super) watched: Option<Watched>,
    /// Its partitions by number.
    pub(super) lanes: BTreeMap<u32, LaneIx>,
    pub(super) format: Format,
    /// The number of the only partition of a source that brings one.
    pub(super) number: u32,
    /// Whether it is known what it brings.
    pub(super) opened: bool,
    pub(super) ended: bool,
    /// When something was last taken from it.
    pub(super) taken_at: Duration,
}

impl Feed {
    /// Starts a source's thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(
        name: &str,
        config: &SourceConfig,
        schema: StreamSchema,
        number: u32,
        source: Box<dyn Source>,
        watched: Watched,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (format, silence) = match &config.input {
            Input::Stdin { format } => (*format, Silence::Untold),
            Input::File(file) if file.follow => (file.format, Silence::Told),
            Input::File(file) => (file.format, Silence::Untold),
            Input::Kafka(kafka) => (Some(kafka.layout.format()), Silence::ByPartition),
            Input::Http(_) | Input::Mqtt(_) => (Some(Format::Ndjson), Silence::Told),
        };
        let RunningSource { deliveries, thread } = spawn(source, CHUNKS_WAITING, stop)?;
        Ok(Self {
            source: name.to_owned(),
            schema,
            disorder_ms: config.disorder_ms,
            idle_timeout_ms: config.idle_timeout_ms,
            silence,
            deliveries,
            thread: Some(thread),
            watched: Some(watched),
            lanes: BTreeMap::new(),
            format: format.unwrap_or(Format::Ndjson),
            number,
            opened: false,
            ended: false,
            taken_at: Duration::ZERO,
        })
    }

    /// Whether records of others must wait until it is open, because only then its partitions are known.
    pub(super) fn holds_start(&self) -> bool {
        self.silence == Silence::ByPartition && !self.opened && !self.ended
    }

    /// Whether something has come that nobody has looked at for a while: the driver was busy elsewhere. While it is being read, a
    /// chunk that waits is no excuse for the silence of a partition.
    pub(super) fn is_neglected(&self, now: Duration) -> bool {
        !self.deliveries.is_empty() && now.saturating_sub(self.taken_at) > NEGLECT
    }

    /// Says how it is, while it lives.
    pub(super) fn tell(&self, what: impl FnOnce(&Watched)) {
        if let Some(watched) = &self.watched {
            what(watched);
        }
    }
}
