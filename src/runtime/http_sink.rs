//! From a configured webhook or Alertmanager to an open one.

use super::{
    config::{HeaderSource, HttpSinkConfig, HttpSinkKind, OutboxConfig, RetryConfig},
    connect::open_file_sink,
};
use crate::io::{
    outbox::{OutboxLog, OutboxLogOptions, Recovered},
    receiver::{Alertmanager, Post, PostError, PostOptions, Receiver, Webhook},
    sink::{FileSink, SinkError},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The most that a segment of an outbox has.
const SEGMENT_BYTES: u64 = 8 << 20;
/// An outbox's own dead letters.
const DEAD: &str = "dead.ndjson";

/// A sink that posts, and what waits for it.
pub struct HttpSink {
    /// What it is called.
    pub name: String,
    /// Who takes its alerts.
    pub receiver: Box<dyn Receiver>,
    /// For how long one that fails is tried.
    pub retry: RetryConfig,
    /// How much may wait.
    pub outbox: OutboxConfig,
    /// The outbox on disk, and what was in it; none where there is no state directory.
    pub log: Option<(OutboxLog, Recovered)>,
    /// Where alerts go that are given up; none: to the process's log.
    pub dead: Option<FileSink>,
}

/// The directory of the outboxes in a state directory.
pub fn outboxes_dir(state: &Path) -> PathBuf {
    state.join("outbox")
}

/// Opens a sink that posts. Its outbox is in `outboxes`, or in memory.
///
/// # Errors
/// An address or header that can't be, a file that can't be read or written, an outbox that another process has.
pub fn open_http_sink(config: &HttpSinkConfig, outboxes: Option<&Path>) -> Result<HttpSink, SinkError> {
    let HttpSinkConfig { name, kind, url, headers, timeout_ms, ca, retry, outbox, dead_letter } = config;
    let in_sink = |error| SinkError::Post { name: name.clone(), error };
    let headers = headers.iter().map(|(header, source)| Ok((header.clone(), value_of(header, source)?)));
    let options = PostOptions {
        url: url.reveal().to_owned(),
        headers: headers.collect::<Result<_, _>>().map_err(in_sink)?,
        timeout: Duration::from_millis(*timeout_ms),
        ca: ca.clone(),
        retry: retry.statuses.clone(),
    };
    let post = Post::new(options).map_err(in_sink)?;
    let receiver: Box<dyn Receiver> = match kind {
        HttpSinkKind::Webhook { body, batch } => Box::new(Webhook::new(post, *body, *batch)),
        HttpSinkKind::Alertmanager(options) => Box::new(Alertmanager::new(post, options.clone())),
    };
    let dir = outboxes.map(|outboxes| outboxes.join(name));
    let log = dir.as_deref().map(|dir| open_log(name, dir, outbox)).transpose()?;
    let dead = match (dead_letter, &dir) {
        (Some(file), _) => Some(open_file_sink(file)?),
        (None, Some(dir)) => Some(FileSink::open(&dir.join(DEAD), None)?),
        (None, None) => None,
    };
    Ok(HttpSink { name: name.clone(), receiver, retry: retry.clone(), outbox: *outbox, log, dead })
}

fn open_log(name: &str, dir: &Path, outbox: &OutboxConfig) -> Result<(OutboxLog, Recovered), SinkError> {
    let segment_bytes = (outbox.bytes / 8).clamp(64 << 10, SEGMENT_BYTES);
    let options = OutboxLogOptions { segment_bytes, keep_bytes: outbox.keep_bytes };
    let (log, recovered) = OutboxLog::open(dir, options)?;
    for torn in &recovered.torn {
        let (path, bytes) = (torn.path.display(), torn.bytes - torn.good);
        if torn.last {
            tracing::info!(sink = name, "`{path}` ended in {bytes} bytes that are no whole record: they are cut off");
        } else {
            tracing::error!(
                sink = name,
                "`{path}` is corrupt: its last {bytes} bytes, and the alerts in them, are lost"
            );
        }
    }
    if !recovered.waiting.is_empty() {
        tracing::info!(sink = name, alerts = recovered.waiting.len(), "going on with what waits in its outbox");
    }
    Ok((log, recovered))
}

fn value_of(header: &str, source: &HeaderSource) -> Result<String, PostError> {
    match source {
        HeaderSource::Text(text) => Ok(text.reveal().to_owned()),
        HeaderSource::File(path) => match fs::read_to_string(path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) => Err(PostError::HeaderFile { name: header.to_owned(), path: path.clone(), error }),
        },
    }
}

/// Names outboxes that no sink of the configuration has: what waits there goes nowhere.
pub fn warn_of_orphans<'a>(outboxes: &Path, sinks: impl Iterator<Item = &'a HttpSinkConfig>) {
    let names: Vec<&str> = sinks.map(|sink| sink.name.as_str()).collect();
    for entry in fs::read_dir(outboxes).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !names.contains(&name.as_str()) {
            let path = entry.path().display().to_string();
            tracing::warn!("no sink is called `{name}` any more: what waits in `{path}` goes nowhere");
        }
    }
}
