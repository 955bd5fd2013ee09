//! What tests of whole runs share: rules and records in memory, played through a session in any way.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod store;

use geocep::{
    engine::{AtEnd, Executor, Inline, Options, Spilling},
    runtime::{
        config::{Config, Input, StreamSchema},
        executor::Threads,
        project::{Loaded, Project, ProjectError, Request},
        session::{LaneIx, Letters, Lines, Session},
    },
    wire::{Chunk, Format},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The records of one partition of a source.
pub(crate) struct Lane {
    pub(crate) source: String,
    pub(crate) partition: u32,
    pub(crate) disorder_ms: i64,
    pub(crate) records: Vec<Vec<u8>>,
}

/// Checked rules and what they read.
pub(crate) struct Scene {
    pub(crate) project: Project,
    pub(crate) lanes: Vec<Lane>,
    schemas: Schemas,
}

/// How a scene is played.
#[derive(Clone, Debug)]
pub(crate) struct Mode {
    pub(crate) shards: u32,
    pub(crate) threads: bool,
    pub(crate) eager: bool,
    pub(crate) at_end: AtEnd,
    pub(crate) seed: u64,
    /// Which lane gets how many of its records next; the rest follows lane by lane.
    pub(crate) steps: Vec<(usize, usize)>,
    /// After which steps the core is saved, and with how many shards another one goes on from there.
    pub(crate) moves: Vec<(usize, u32)>,
    /// So many keys stay in memory, others go to a store; else all stay. `GEOCEP_TEST_RESIDENT` says it for all plays but those in one go on
    /// one shard, which others are compared with.
    pub(crate) resident: Option<usize>,
}

impl Default for Mode {
    fn default() -> Self {
        Self {
            shards: 1,
            threads: false,
            eager: false,
            at_end: AtEnd::Drain,
            seed: 7,
            steps: Vec::new(),
            moves: Vec::new(),
            resident: None,
        }
    }
}

/// Schemas by source.
type Schemas = BTreeMap<String, StreamSchema>;

/// Checks the text of a rule file under a configuration.
pub(crate) fn load(config: &Path, rules: &str) -> Result<Project, ProjectError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yaml");
    fs::write(&file, rules).unwrap();
    read(config, vec![file])?.check(&BTreeMap::new(), false)
}

fn read(config: &Path, rules: Vec<PathBuf>) -> Result<Loaded, ProjectError> {
    Loaded::read(&Request { config: Some(config.to_owned()), rules, ..Request::default() })
}

fn schemas(loaded: &Config) -> Schemas {
    loaded.sources.iter().map(|(name, source)| (name.clone(), source.schema.clone())).collect()
}

/// A source of the configuration; the file is never read.
const PINGS: &str = "
sources:
  pings:
    file: pings.ndjson
    schema:
      time: ts
      position: { lon: lon, lat: lat }
      fields: { id: string, speed: { type: float, unit: km/h } }
";

/// The fixtures with shipped rules.
pub(crate) const FIXTURES: &[&str] = &["city", "sea", "air"];

/// The configuration of a fixture.
pub(crate) fn fixture_config(name: &str) -> PathBuf {
    root().join("fixtures").join(name).join("geocep.yaml")
}

impl Scene {
    /// A committed fixture under the shipped rules.
    pub(crate) fn fixture(name: &str) -> Self {
        let loaded = read(&fixture_config(name), Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        let config = loaded.config.clone();
        let lanes = loaded.source_names().into_iter().map(|source| {
            let Input::File(file) = &config.sources[&source].input else { panic!("`{source}` is no file") };
            let bytes = fs::read(&file.path).unwrap();
            let records = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            let records = records.map(<[u8]>::to_vec).collect();
            Lane { source, partition: 0, disorder_ms: 0, records }
        });
        let lanes = lanes.collect();
        let project = loaded.check(&BTreeMap::new(), false).unwrap_or_else(|error| panic!("{error}"));
        Self { project, lanes, schemas: schemas(&config) }
    }

    /// Rules over `pings` (id, position, speed in km/h), a list of records for each partition.
    pub(crate) fn pings(rules: &str, partitions: Vec<Vec<String>>) -> Self {
        Self::try_pings(rules, partitions).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same where the rules may be refused, by the check or for want of a program.
    pub(crate) fn try_pings(rules: &str, partitions: Vec<Vec<String>>) -> Result<Self, ProjectError> {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("geocep.yaml");
        fs::write(&config, PINGS).unwrap();
        let project = load(&config, rules)?;
        Session::new(&project, Options::default(), Box::new(Inline))
            .map_err(|error| ProjectError::Rules { rendered: error.to_string(), errors: 1 })?;
        let schemas = schemas(&project.config);
        let lane = |(at, records): (usize, Vec<String>)| Lane {
            source: "pings".to_owned(),
            partition: at as u32,
            disorder_ms: 0,
            records: records.into_iter().map(String::into_bytes).collect(),
        };
        Ok(Self { project, lanes: partitions.into_iter().enumerate().map(lane).collect(), schemas })
    }

    /// A project over `pings`, a list of records for each partition.
    pub(crate) fn of(project: Project, partitions: &[Vec<String>], disorder_ms: i64) -> Self {
        let schemas = schemas(&project.config);
        let lane = |(at, records): (usize, &Vec<String>)| Lane {
            source: "pings".to_owned(),
            partition: at as u32,
            disorder_ms,
            records: records.iter().map(|record| record.clone().into_bytes()).collect(),
        };
        Self { project, lanes: partitions.iter().enumerate().map(lane).collect(), schemas }
    }

    /// Rules under a configuration, with a single partition of each of these sources.
    pub(crate) fn configured(config: &Path, rules: &str, lanes: &[(&str, Vec<String>)]) -> Self {
        let project = load(config, rules).unwrap_or_else(|error| panic!("{error}"));
        let schemas = schemas(&project.config);
        let lane = |(source, records): &(&str, Vec<String>)| Lane {
            source: (*source).to_owned(),
            partition: 0,
            disorder_ms: 0,
            records: records.iter().map(|record| record.clone().into_bytes()).collect(),
        };
        Self { project, lanes: lanes.iter().map(lane).collect(), schemas }
    }

    /// Rules over the sources of a fixture, with other records.
    pub(crate) fn over(fixture: &str, rules: &str, records: Vec<(&str, Vec<String>)>) -> Self {
        let project = load(&fixture_config(fixture), rules).unwrap_or_else(|error| panic!("{error}"));
        let schemas = schemas(&project.config);
        let lanes = records.into_iter().map(|(source, records)| Lane {
            source: source.to_owned(),
            partition: 0,
            disorder_ms: 0,
            records: records.into_iter().map(String::into_bytes).collect(),
        });
        Self { lanes: lanes.collect(), project, schemas }
    }

    /// Rules over the sources of a configuration; for each partition its source and records.
    pub(crate) fn with_config(config: &str, rules: &str, partitions: Vec<(&str, Vec<String>)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("geocep.yaml");
        fs::write(&file, config).unwrap();
        let project = load(&file, rules).unwrap_or_else(|error| panic!("{error}"));
        let lane = |(at, (source, records)): (usize, (&str, Vec<String>))| Lane {
            source: source.to_owned(),
            partition: at as u32,
            disorder_ms: 0,
            records: records.into_iter().map(String::into_bytes).collect(),
        };
        let schemas = schemas(&project.config);
        Self { project, lanes: partitions.into_iter().enumerate().map(lane).collect(), schemas }
    }

    /// A source's records dealt to several partitions, by a field so that an entity stays on one.
    pub(crate) fn split(mut self, source: &str, count: u32, field: &str) -> Self {
        let at = self.lanes.iter().position(|lane| lane.source == source).unwrap();
        let whole = self.lanes.remove(at);
        let of = |record: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(record).unwrap();
            let text = value[field].to_string();
            text.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % count
        };
        for partition in (0..count).rev() {
            let records = whole.records.iter().filter(|record| of(record) == partition).cloned().collect();
            self.lanes.insert(0, Lane { source: whole.source.clone(), partition, disorder_ms: 0, records });
        }
        self
    }

    /// A session with the scene's partitions.
    /// The records of the first lane.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.lanes[0].records
    }

    pub(crate) fn session(&self, mode: &Mode, shards: u32) -> (Session, Vec<LaneIx>) {
        let mut session = self.blank(mode, shards);
        let lanes = self.add_lanes(&mut session);
        (session, lanes)
    }

    pub(crate) fn blank(&self, mode: &Mode, shards: u32) -> Session {
        let executor: Box<dyn Executor> = if mode.threads { Box::<Threads>::default() } else { Box::new(Inline) };
        let options = Options { shards, key_groups: 64, seed: mode.seed, eager: mode.eager };
        let mut session = Session::new(&self.project, options, executor).unwrap();
        let plain = shards == 1 && mode.steps.is_empty();
        let told = || std::env::var("GEOCEP_TEST_RESIDENT").ok().filter(|_| !plain)?.parse().ok();
        if let Some(keys) = mode.resident.or_else(told) {
            session.engine_mut().spill_to(Spilling::new(Arc::<store::MemoryStore>::default(), keys));
        }
        session
    }

    pub(crate) fn add_lanes(&self, session: &mut Session) -> Vec<LaneIx> {
        let lanes = self.lanes.iter().map(|lane| {
            let schema = &self.schemas[&lane.source];
            session.add_partition(&lane.source, schema, Format::Ndjson, lane.partition, lane.disorder_ms).unwrap()
        });
        lanes.collect()
    }

    /// Plays the scene; the alert lines.
    pub(crate) fn play(&self, mode: &Mode) -> String {
        let (mut session, lanes) = self.session(mode, mode.shards);
        let mut done = vec![0usize; lanes.len()];
        let (mut lines, mut letters) = (Lines::default(), Letters::default());
        let rest = (0..lanes.len()).map(|lane| (lane, usize::MAX));
        for (step, (lane, count)) in mode.steps.iter().copied().chain(rest).enumerate() {
            let Some(from) = self.lanes.get(lane) else { continue };
            let first = done[lane];
            let end = first.saturating_add(count).min(from.records.len());
            done[lane] = end;
            let mut chunk = Chunk::new();
            for (offset, record) in from.records.iter().enumerate().take(end).skip(first) {
                chunk.push(from.partition, offset as u64, record, 1 << 20);
            }
            session.push(lanes[lane], &chunk, &mut letters);
            session.advance(&mut lines);
            if let Some((_, shards)) = mode.moves.iter().find(|(at, _)| *at == step) {
                // By the one way and the other.
                if step % 2 == 0 {
                    let bytes = session.engine().save();
                    (session, _) = self.session(mode, *shards);
                    session.engine_mut().restore(&bytes).unwrap();
                } else {
                    let (cut, names, partitions) = (session.cut(), session.names(), session.partitions().to_vec());
                    // What happens after the cut is none of its business.
                    session.finish(AtEnd::Drain, &mut Lines::default());
                    session = self.blank(mode, *shards);
                    session.resume(&cut.payloads().unwrap(), &partitions, &names).unwrap();
                    self.add_lanes(&mut session);
                }
            }
        }
        session.finish(mode.at_end, &mut lines);
        assert!(letters.late.is_empty() && letters.dead.is_empty(), "{:?}", letters.samples);
        String::from_utf8(lines.bytes).unwrap()
    }
}

/// A ping as a record.
pub(crate) fn ping(ts: i64, id: &str, lon: f64, lat: f64, speed: f64) -> String {
    format!(r#"{{"ts":{ts},"id":"{id}","lon":{lon},"lat":{lat},"speed":{speed}}}"#)
}

/// A rule file with these rules: kind, name and expression of each.
pub(crate) fn rule_file(rules: &[(&str, &str, &str)]) -> String {
    let mut text = "groups:\n  - name: test\n    rules:\n".to_owned();
    for (kind, name, expr) in rules {
        text.push_str(&format!("      - {kind}: {name}\n        expr: |\n"));
        expr.lines().for_each(|line| text.push_str(&format!("          {}\n", line.trim())));
    }
    text
}

/// The alerts of a rule: how many lines name it.
pub(crate) fn count_of(lines: &str, rule: &str) -> usize {
    let name = format!("\"rule\":\"{rule}\"");
    lines.lines().filter(|line| line.contains(&name)).count()
}
