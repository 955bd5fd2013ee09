//! The API's and the engine's keys.

use super::{ConfigError, node::Node};
use crate::{engine::DRAIN_MS, model::TimeMs};
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

/// A text that no message and no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who checks with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where it listens; default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Whether it does; default true.
    pub enabled: bool,
    /// What a request has to present; needed where others than this machine can reach it.
    pub token: Option<Secret>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080)), enabled: true, token: None }
    }
}

/// The engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How many shards; `None`: 1. The result doesn't depend on it.
    pub shards: Option<u32>,
    /// What jitter is drawn with; default 0.
    pub seed: u64,
    /// How many groups keys hash to; default 1,024.
    pub key_groups: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { shards: None, seed: 0, key_groups: 1_024 }
    }
}

/// How changed rules and fences come to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// How often their files are looked at, milliseconds; `None`: never. Default 1 s.
    pub watch_ms: Option<u64>,
    /// How long, in ms of event time, old versions of edited rules go on whose matches no WITHIN ends. Default 1 d.
    pub drain_ms: TimeMs,
}

impl Default for ReloadConfig {
    fn default() -> Self {
        Self { watch_ms: Some(1_000), drain_ms: DRAIN_MS }
    }
}

pub(super) fn read_reload(node: &Node<'_>) -> Result<ReloadConfig, ConfigError> {
    let mut fields = node.fields()?;
    let watch_ms = match fields.get("watch") {
        None => ReloadConfig::default().watch_ms,
        Some(never) if never.text().is_ok_and(|text| text == "never") => None,
        Some(node) => match node.span_ms()? {
            span_ms @ 10..=3_600_000 => Some(span_ms as u64),
            _ => return Err(node.wrong("a duration from 10 ms to 1 h, or `never`")),
        },
    };
    let drain_ms = match fields.get("drain") {
        None => DRAIN_MS,
        Some(node) => match node.span_ms()? {
            span_ms @ 0..=31_536_000_000 => span_ms,
            _ => return Err(node.wrong("a duration from 0 s to 365 d")),
        },
    };
    fields.done()?;
    Ok(ReloadConfig { watch_ms, drain_ms })
}

pub(super) fn read_api(node: &Node<'_>) -> Result<ApiConfig, ConfigError> {
    let mut fields = node.fields()?;
    let mut api = ApiConfig::default();
    if let Some(listen) = fields.get("listen") {
        api.listen =
            listen.text()?.parse().map_err(|_| listen.wrong("an address and port such as `127.0.0.1:8080`"))?;
    }
    if let Some(enabled) = fields.get("enabled") {
        api.enabled = enabled.flag()?;
    }
    if let Some(token) = fields.get("token") {
        // Not `wrong`, which would show what is there.
        let hidden = || ConfigError::Value {
            path: "api.token".to_owned(),
            found: "another kind of value".to_owned(),
            expected: "a text, best from the environment: `${GEOCEP_TOKEN}`".to_owned(),
        };
        api.token = Some(Secret::new(token.text().map_err(|_| hidden())?.to_owned()));
    }
    fields.done()?;
    Ok(api)
}

pub(super) fn read_engine(node: &Node<'_>) -> Result<EngineConfig, ConfigError> {
    let mut fields = node.fields()?;
    let default = EngineConfig::default();
    let shards = fields.get("shards").map(|shards| shards.number(1, 1_024)).transpose()?.map(|shards| shards as u32);
    let seed = fields.get("seed").map_or(Ok(default.seed), |seed| seed.number(0, u64::MAX))?;
    let groups = fields.get("key_groups").map(|groups| groups.number(1, 65_536)).transpose()?;
    fields.done()?;
    Ok(EngineConfig { shards, seed, key_groups: groups.map_or(default.key_groups, |groups| groups as u32) })
}
