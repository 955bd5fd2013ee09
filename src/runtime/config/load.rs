//! The whole configuration.

use super::{
    ApiConfig, ConfigError, EngineConfig, ReloadConfig, SinksConfig, SourceConfig, StateConfig, StreamSchema,
    TableConfig, engine, expand, limits, node::Node, schema, sinks, sources, state, tables, tree,
};
use crate::engine::Limits;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A set of geofences.
#[derive(Clone, Debug, PartialEq)]
pub struct GeofenceConfig {
    /// A GeoJSON file or a directory of them.
    pub path: PathBuf,
    /// The property that is a fence's id; `None`: the feature's id, else `id` or `name`.
    pub id: Option<String>,
    /// Skip and count features that are invalid instead of refusing the file.
    pub lenient: bool,
    /// Features with one id are one fence.
    pub merge: bool,
}

/// The daemon's configuration, checked for form; files that it names are not opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Sources by the name of their stream.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Schemas by name.
    pub schemas: BTreeMap<String, StreamSchema>,
    /// Geofence sets by name.
    pub geofences: BTreeMap<String, GeofenceConfig>,
    /// Reference tables by name.
    pub tables: BTreeMap<String, TableConfig>,
    /// Rule files, directories, or patterns with `*` and `?` in the last part.
    pub rules: Vec<PathBuf>,
    /// Where outputs go.
    pub sinks: SinksConfig,
    /// The HTTP API.
    pub api: ApiConfig,
    /// The engine.
    pub engine: EngineConfig,
    /// What all rules may hold.
    pub limits: Limits,
    /// Checkpoints.
    pub state: StateConfig,
    /// How changed rules and fences come to run.
    pub reload: ReloadConfig,
}

impl Config {
    /// What holds without a file: no source, alerts to stdout, the API on loopback.
    pub fn embedded() -> Self {
        Self::default()
    }

    /// Reads a file. Relative paths in it start at its directory; `--set` ones, too.
    ///
    /// # Errors
    /// What is wrong, with its path in the file.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, base, overrides, &|name| std::env::var(name).ok())
    }

    /// Reads a text. Relative paths start at `base`; `variable` looks up the environment.
    ///
    /// # Errors
    /// What is wrong, with its path in the text.
    pub fn parse(
        text: &str,
        base: &Path,
        overrides: &[String],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut tree = tree::parse(text)?;
        for text in overrides {
            tree::set(&mut tree, text)?;
        }
        expand::expand(&mut tree, "", variable)?;
        read(&Node::root(&tree), base)
    }
}

fn read(root: &Node<'_>, base: &Path) -> Result<Config, ConfigError> {
    let mut fields = root.fields()?;
    let mut config = Config::default();
    if let Some(node) = fields.get("schemas") {
        for (name, node) in node.named()? {
            config.schemas.insert(name, schema::read(&node)?);
        }
    }
    if let Some(node) = fields.get("sources") {
        for (name, node) in node.named()? {
            let source = sources::read(&node, &config.schemas, base)?;
            config.sources.insert(name, source);
        }
    }
    if let Some(node) = fields.get("geofences") {
        for (name, node) in node.named()? {
            config.geofences.insert(name, read_geofences(&node, base)?);
        }
    }
    if let Some(node) = fields.get("tables") {
        for (name, node) in node.named()? {
            config.tables.insert(name, tables::read(&node, base)?);
        }
    }
    if let Some(node) = fields.get("rules") {
        config.rules =
            node.items().iter().map(|item| item.name().map(|path| base.join(path))).collect::<Result<_, _>>()?;
    }
    if let Some(node) = fields.get("sinks") {
        config.sinks = sinks::read(&node, base)?;
    }
    if let Some(node) = fields.get("api") {
        config.api = engine::read_api(&node)?;
    }
    if let Some(node) = fields.get("engine") {
        config.engine = engine::read_engine(&node)?;
    }
    let limited = fields.get("limits");
    if let Some(node) = &limited {
        config.limits = limits::read(node)?;
    }
    config.state = match fields.get("state") {
        Some(node) => state::read_state(&node, base)?,
        None => state::default_state(base),
    };
    if let Some(node) = limited.filter(|_| config.state.spill.is_some()) {
        // What a group may hold is counted in memory, and with a store most of it is elsewhere.
        return Err(node.wrong("no limits beside `state.backend: disk`, where `state.resident_keys` bounds the memory"));
    }
    config.sinks.check(&config.state)?;
    if let Some(node) = fields.get("reload") {
        config.reload = engine::read_reload(&node)?;
    }
    fields.done()?;
    Ok(config)
}

fn read_geofences(node: &Node<'_>, base: &Path) -> Result<GeofenceConfig, ConfigError> {
    if node.is_text() {
        return Ok(GeofenceConfig { path: base.join(node.name()?), id: None, lenient: false, merge: false });
    }
    let mut fields = node.fields()?;
    let path = base.join(fields.need("path")?.name()?);
    let id = fields.get("id").map(|id| id.name().map(str::to_owned)).transpose()?;
    let lenient = fields.get("lenient").map_or(Ok(false), |lenient| lenient.flag())?;
    let merge = fields.get("merge").map_or(Ok(false), |merge| merge.flag())?;
    fields.done()?;
    Ok(GeofenceConfig { path, id, lenient, merge })
}

#[cfg(test)]
#[path = "load_test.rs"]
mod tests;
