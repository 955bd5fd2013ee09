//! What a daemon finds of an earlier run, and what it does with it.

use super::keeper::Setting;
use crate::{
    engine::{
        Fate, Options,
        checkpoint::{CheckpointError, Head, Names, Place, SinkEpochs, Undelivered},
    },
    io::{
        source::{Durable, KafkaLag},
        state::{CheckpointWriter, Saved, StateDir, StateError, newest_names},
    },
    model::{KEY_HASH_VERSION, format_time},
    plan::Plan,
    runtime::{
        config::{AlertSinkConfig, Config, Input, SourceConfig, StateConfig},
        connect::{Log, Resumption},
        session::Session,
        telemetry::Telemetry,
    },
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A plan that has nothing but the old versions of rules that the last run had still to bring to an end: the rules of this one are
/// checked as its successors.
pub fn old_versions(config: &Config) -> Plan {
    let names = Some(&config.state).filter(|state| state.enabled).and_then(|state| newest_names(&state.dir));
    names.map(|names| names.old_versions()).unwrap_or_default()
}

/// The directory of checkpoints, taken, and what was in it.
pub(super) struct Found {
    dir: StateDir,
    writer: CheckpointWriter,
    head: Head,
    names: Vec<u8>,
    durable: BTreeMap<String, Durable>,
    /// Where the last run was.
    pub(super) places: Vec<Place>,
    /// What its sinks had not acknowledged.
    pub(super) undelivered: Vec<Undelivered>,
    /// What those that are written exactly once had not committed.
    pub(super) epochs: Vec<SinkEpochs>,
    /// How many checkpoints are kept.
    retain: usize,
}

/// Why a daemon can't go on from where another was.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    /// The directory or a file.
    #[error("{0}")]
    State(#[from] StateError),
    /// The newest whole checkpoint doesn't fit.
    #[error("the checkpoint `{path}/{number:012}.ckpt`: {error}")]
    Fit {
        /// The directory.
        path: String,
        /// The checkpoint.
        number: u64,
        /// Why.
        error: CheckpointError,
    },
    /// There are some, and all are corrupt.
    #[error(
        "no checkpoint in `{path}` can be used; to begin anew, move the directory away or name another `state.dir`:\n  {reasons}"
    )]
    None {
        /// The directory.
        path: String,
        /// Why each can't.
        reasons: String,
    },
}

/// A source's name as that of a directory.
fn file_name(source: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    source.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

/// A source that can't be read again, so that nothing that depends on it can be resumed.
fn is_lost(config: &SourceConfig) -> bool {
    match &config.input {
        Input::Stdin { .. } => true,
        // What is pushed is in a log beside the checkpoints.
        Input::Kafka(_) | Input::Http(_) | Input::Mqtt(_) => false,
        // Pipes and devices are read once.
        Input::File(file) => {
            std::fs::metadata(&file.path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
        }
    }
}

impl Found {
    /// Takes the directory and brings the session to where the newest whole checkpoint was. None where there are to be no checkpoints.
    ///
    /// # Errors
    /// The directory is another's, or what is in it doesn't fit.
    pub(super) fn open(
        config: &Config,
        read: &[&str],
        options: &Options,
        session: &mut Session,
        telemetry: &Telemetry,
    ) -> Result<Option<Self>, FindError> {
        let StateConfig { enabled, dir, retain, .. } = &config.state;
        if !enabled {
            return Ok(None);
        }
        let lost = config.sources.iter().find(|(name, source)| read.contains(&name.as_str()) && is_lost(source));
        if let Some((source, _)) = lost {
            tracing::info!(
                source,
                "what came in can't be read again: no checkpoints are taken, and a restart begins anew"
            );
            return Ok(None);
        }
        let dir = StateDir::open(dir)?;
        let path = dir.path().display().to_string();
        let (saved, refused) = dir.newest()?;
        for refused in &refused {
            tracing::error!(number = refused.number, error = %refused.error, "a checkpoint can't be used: the one before it is tried");
            telemetry.checkpoints().refused();
        }
        if saved.is_none() && !refused.is_empty() {
            let reasons: Vec<String> = refused.iter().map(|refused| refused.error.to_string()).collect();
            return Err(FindError::None { path, reasons: reasons.join("\n  ") });
        }
        let head = Head {
            wall_ms: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: options.seed,
            key_groups: options.key_groups.max(options.shards),
            hash_version: KEY_HASH_VERSION,
        };
        let (places, undelivered, epochs) = match saved {
            None => (Vec::new(), Vec::new(), Vec::new()),
            Some(saved) => {
                let number = saved.number;
                fits(&saved.head, &head).and_then(|()| go_on(session, &saved)).map_err(|error| FindError::Fit {
                    path,
                    number,
                    error,
                })?;
                (saved.places, saved.undelivered, saved.epochs)
            }
        };
        let writer = CheckpointWriter::new(dir.path(), *retain as usize)?;
        // With the times of old versions that the checkpoint told.
        let names = Names::encode(&session.names());
        let kafka = |(name, source): (&String, &SourceConfig)| match source.input {
            Input::Kafka(_) | Input::Http(_) | Input::Mqtt(_) => Some((name.clone(), Durable::default())),
            _ => None,
        };
        let durable = config.sources.iter().filter_map(kafka).collect();
        let retain = *retain as usize;
        Ok(Some(Self { dir, writer, head, names, durable, places, undelivered, epochs, retain }))
    }

    /// What a source's readers need to know.
    pub(super) fn resumption(&self, source: &str) -> Resumption {
        Resumption {
            places: self.places.iter().filter(|place| place.source == source).cloned().collect(),
            durable: self.durable.get(source).cloned(),
            lag: KafkaLag::default(),
            log: Some(Log { dir: self.dir.path().join("intake").join(file_name(source)), retain: self.retain }),
        }
    }

    /// What the keeper needs.
    pub(super) fn setting(self, config: &Config, telemetry: &Telemetry) -> Setting {
        Setting {
            dir: self.dir,
            writer: self.writer,
            head: self.head,
            names: self.names,
            interval: Duration::from_millis(config.state.interval_ms),
            files: files(config),
            durable: self.durable,
            figures: telemetry.checkpoints().clone(),
        }
    }
}

/// The files that sinks write.
fn files(config: &Config) -> Vec<PathBuf> {
    let alerts = config.sinks.alerts.iter().filter_map(|sink| match sink {
        AlertSinkConfig::File(file) => Some(file),
        _ => None,
    });
    alerts.chain(&config.sinks.late).chain(&config.sinks.dead_letter).map(|file| file.path.clone()).collect()
}

fn fits(saved: &Head, now: &Head) -> Result<(), CheckpointError> {
    if saved.hash_version != now.hash_version {
        return Err(CheckpointError::Hash { saved: saved.hash_version, now: now.hash_version });
    }
    let settings =
        [("seed", saved.seed, now.seed), ("key_groups", u64::from(saved.key_groups), u64::from(now.key_groups))];
    match settings.into_iter().find(|(_, saved, now)| saved != now) {
        Some((key, saved, now)) => Err(CheckpointError::Setting { key, saved, now }),
        None => Ok(()),
    }
}

/// Brings the session to where the checkpoint was, and says what became of each rule.
fn go_on(session: &mut Session, saved: &Saved) -> Result<(), CheckpointError> {
    let partitions: Vec<(String, u32)> =
        saved.places.iter().map(|place| (place.source.clone(), place.partition)).collect();
    let open = saved.places.iter().filter(|place| !place.open.is_empty());
    session.go_on_with(open.map(|place| ((place.source.clone(), place.partition), place.open.clone())).collect());
    let fates = session.resume(&saved.blocks, &partitions, &saved.names)?;
    let (mut rules, mut total) = (0, 0);
    for (rule, fate) in fates {
        match fate {
            Fate::Kept(keys) => {
                tracing::debug!(rule, keys, "goes on");
                (rules, total) = (rules + 1, total + keys);
            }
            Fate::Edited(keys) => {
                tracing::warn!(
                    rule,
                    keys,
                    "its expression, or that of a rule that it reads, is another: it begins without the state that these keys had"
                );
            }
            Fate::Off(keys) => tracing::warn!(rule, keys, "it is off: the state that these keys had is left"),
            Fate::Layout(keys) => tracing::warn!(
                rule,
                keys,
                "what it reads has other names or types: it begins without the state that these keys had"
            ),
            Fate::New => tracing::info!(rule, "it is new, and begins without state"),
            Fate::Gone(keys) => tracing::warn!(rule, keys, "it is gone, and with it the state of these keys"),
        }
    }
    let written = format_time(saved.head.wall_ms);
    tracing::info!(number = saved.number, written, rules, keys = total, "going on from a checkpoint");
    Ok(())
}
