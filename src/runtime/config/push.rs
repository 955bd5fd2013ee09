//! Sources that are pushed to us: HTTP and MQTT.

use super::{ConfigError, Secret, node::Node};
use std::path::{Path, PathBuf};

/// How what is pushed is held until the engine and a checkpoint have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// How many bytes of records may wait for the engine; default 64 MiB.
    pub waiting_bytes_max: u64,
    /// How large the log may become on disk, bytes; default 1 GiB.
    pub log_bytes_max: u64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { waiting_bytes_max: 64 << 20, log_bytes_max: 1 << 30 }
    }
}

/// Batches of JSON lines at `/api/v1/ingest/SOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpInput {
    /// Whether the API's token is asked for even where it isn't configured; default true.
    pub token_required: bool,
    /// The longest body, bytes, as sent; unpacked it may be eight times as long. Default 4 MiB.
    pub body_bytes_max: u64,
    /// The queue.
    pub queue: QueueConfig,
}

impl Default for HttpInput {
    fn default() -> Self {
        Self { token_required: true, body_bytes_max: 4 << 20, queue: QueueConfig::default() }
    }
}

/// Topics of an MQTT broker; payloads are JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttInput {
    /// The broker.
    pub broker: MqttBroker,
    /// Topics, with the wildcards `+` and `#`.
    pub topics: Vec<String>,
    /// The quality of service that is subscribed for: 0 or 1; default 1.
    pub qos: u8,
    /// The field that gets a message's topic; `None`: none does.
    pub topic_field: Option<String>,
    /// The queue.
    pub queue: QueueConfig,
}

/// An MQTT broker and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttBroker {
    /// The host.
    pub host: String,
    /// The port; default 1883, with TLS 8883.
    pub port: u16,
    /// Whether and how the connection is encrypted.
    pub tls: Option<MqttTlsConfig>,
    /// The client id: the broker keeps a session under it, so it has to be this daemon's alone. Default: `geocep-` and the source's or sink's name.
    pub client: Option<String>,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// After how much silence the connection is checked, milliseconds; default 30 s.
    pub keep_alive_ms: u64,
    /// The longest packet, bytes; default 1 MiB.
    pub packet_bytes_max: u64,
}

/// How a connection to an MQTT broker is encrypted. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MqttTlsConfig {
    /// The authorities that are trusted; `None`: the well-known ones.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, for brokers that ask who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
}

fn read_queue(fields: &mut super::node::Fields<'_>) -> Result<QueueConfig, ConfigError> {
    let mut queue = QueueConfig::default();
    if let Some(size) = fields.get("queue") {
        queue.waiting_bytes_max = size.bytes()?.max(1);
    }
    if let Some(size) = fields.get("log_max") {
        queue.log_bytes_max = match size.bytes()? {
            bytes @ 1_048_576.. => bytes,
            _ => return Err(size.wrong("a size of 1 MiB or more")),
        };
    }
    Ok(queue)
}

pub(super) fn read_http(node: &Node<'_>) -> Result<HttpInput, ConfigError> {
    let mut fields = node.fields()?;
    let mut http = HttpInput::default();
    if let Some(token) = fields.get("token") {
        http.token_required = token.choice(&[("required", true), ("none", false)])?;
    }
    if let Some(size) = fields.get("body_max") {
        http.body_bytes_max = match size.bytes()? {
            bytes @ 1..=268_435_456 => bytes,
            _ => return Err(size.wrong("a size from 1 byte to 256 MiB")),
        };
    }
    http.queue = read_queue(&mut fields)?;
    fields.done()?;
    Ok(http)
}

/// A topic of an MQTT broker that alerts are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSinkConfig {
    /// The broker.
    pub broker: MqttBroker,
    /// The topic; `{rule}` stands for the rule's name.
    pub topic: String,
}

pub(super) fn read_mqtt_sink(node: &Node<'_>, base: &Path) -> Result<MqttSinkConfig, ConfigError> {
    let mut fields = node.fields()?;
    let broker = read_broker(&mut fields, base)?;
    let topic = fields.need("topic")?;
    let text = topic.name()?.to_owned();
    if text.contains(['+', '#', '\0']) || text.len() > 65_000 {
        return Err(topic.wrong("a topic without wildcards; `{rule}` stands for the rule's name"));
    }
    fields.done()?;
    Ok(MqttSinkConfig { broker, topic: text })
}

pub(super) fn read_mqtt(node: &Node<'_>, base: &Path) -> Result<MqttInput, ConfigError> {
    let mut fields = node.fields()?;
    let broker = read_broker(&mut fields, base)?;
    let mut topics = Vec::new();
    for topic in fields.need("topics")?.items() {
        let text = topic.name()?;
        if !is_filter(text) {
            return Err(topic.wrong("a topic; `+` and `#` are whole levels, and `#` is the last"));
        }
        topics.push(text.to_owned());
    }
    let qos = fields.get("qos").map_or(Ok(1), |qos| qos.number(0, 1))? as u8;
    let topic_field = fields.get("topic_field").map(|field| field.name().map(str::to_owned)).transpose()?;
    let queue = read_queue(&mut fields)?;
    fields.done()?;
    if topics.is_empty() {
        return Err(node.wrong("at least one topic"));
    }
    Ok(MqttInput { broker, topics, qos, topic_field, queue })
}

/// The keys that source and sink have in common; paths of files are relative to `base`.
pub(super) fn read_broker(fields: &mut super::node::Fields<'_>, base: &Path) -> Result<MqttBroker, ConfigError> {
    let node = fields.need("broker")?;
    let text = node.name()?;
    let tls = fields.get("tls").map(|tls| read_tls(&tls, base)).transpose()?.flatten();
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(node.wrong(match scheme {
            "mqtts" | "ssl" | "tls" => {
                "a host and port without a scheme, as in `broker:8883`, and beside it `tls: true`"
            }
            _ => "a host and port without a scheme, as in `broker:1883`",
        }));
    }
    let default_port = if tls.is_some() { 8_883 } else { 1_883 };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)),
        None => (text, Some(default_port)),
    };
    let Some(port) = port.filter(|_| !host.is_empty()) else {
        return Err(node.wrong("a host, or a host and port as in `broker:1883`"));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let client = fields.get("client").map(|client| client.name().map(str::to_owned)).transpose()?;
    let user = fields.get("user").map(|user| user.name().map(str::to_owned)).transpose()?;
    // Not `wrong`, which would show what is there.
    let secret = |node: Node<'_>| match node.text() {
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err(ConfigError::Value {
            path: "password".to_owned(),
            found: "another kind of value".to_owned(),
            expected: "a text, best from the environment: `${MQTT_PASSWORD}`".to_owned(),
        }),
    };
    let password = fields.get("password").map(secret).transpose()?;
    let login = user.map(|user| (user, password.unwrap_or_else(|| Secret::new(String::new()))));
    let keep_alive_ms = match fields.get("keep_alive") {
        None => 30_000,
        Some(node) => match node.span_ms()? {
            span_ms @ 1_000..=3_600_000 => span_ms as u64,
            _ => return Err(node.wrong("a duration from 1 s to 1 h")),
        },
    };
    let packet_bytes_max = match fields.get("packet_max") {
        None => 1 << 20,
        Some(node) => match node.bytes()? {
            bytes @ 64..=268_435_455 => bytes,
            _ => return Err(node.wrong("a size from 64 bytes to 256 MiB")),
        },
    };
    Ok(MqttBroker { host, port, tls, client, login, keep_alive_ms, packet_bytes_max })
}

fn read_tls(node: &Node<'_>, base: &Path) -> Result<Option<MqttTlsConfig>, ConfigError> {
    if let Ok(flag) = node.flag() {
        return Ok(flag.then(MqttTlsConfig::default));
    }
    let mut fields = node.fields()?;
    let mut file = |key| fields.get(key).map(|file| Ok(base.join(file.name()?))).transpose();
    let (ca, certificate, key) = (file("ca")?, file("certificate")?, file("key")?);
    fields.done()?;
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(node.wrong("`certificate` and `key`, or neither")),
    };
    Ok(Some(MqttTlsConfig { ca, identity }))
}

/// Whether a text is a topic to subscribe to.
fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let is_last = |at: usize| at + 1 == levels.len();
    let well = |(at, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => is_last(at),
        other => !other.contains(['+', '#', '\0']),
    };
    text.len() <= 65_535 && levels.iter().enumerate().all(well)
}
